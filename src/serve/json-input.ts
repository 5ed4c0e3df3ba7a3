// JSON from callers, checked where it comes in.

import { badRequest } from './http-error.ts'

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A member that is a text where it is there. @throws HttpError 400 */
export function optionalText(from: Readonly<Record<string, unknown>>, name: string): string | undefined {
  const value = from[name]
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'string') throw badRequest(`${name} is a text`)
  return value
}
