// Comparing in loops that ask a hundred thousand questions, where a call of expect() costs more than the question.

import { isDeepStrictEqual } from 'node:util'
import { expect } from 'vitest'

/** What `expect(actual, where()).toEqual(expected)` is, at a twentieth of its price where both are the same. */
export function same(actual: unknown, expected: unknown, where?: () => string): void {
  if (!isDeepStrictEqual(actual, expected)) expect(actual, where?.()).toEqual(expected)
}
