// What is wrong with a specification of probes. Programs have its class whether or not they plan any.

import { UsageError } from '../core/errors.ts'

/** A specification that cannot be read. */
export class SpecError extends UsageError {
  readonly spec: string
  /** Where reading stopped, counted from 1. */
  readonly column: number
  /** What would have been right there. */
  readonly expected: string

  constructor(spec: string, column: number, expected: string, found?: string) {
    const what = found ?? (column > spec.length ? 'the end' : JSON.stringify(spec[column - 1]))
    super(`${spec === '' ? 'an empty specification' : spec}: column ${column}: expected ${expected}, found ${what}`)
    this.spec = spec
    this.column = column
    this.expected = expected
  }
}
