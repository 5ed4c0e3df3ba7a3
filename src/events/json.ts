// JSON whose integers are not rounded: those beyond 2^53 become bigints. Lines without such take the fast road.

import { parse, stringify } from 'lossless-json'

/** A value of JSON as it is read here. */
export type Json = null | boolean | number | bigint | string | readonly Json[] | JsonObject
export interface JsonObject {
  readonly [key: string]: Json
}

/** A number outside of strings with so many digits that a double might not hold it. */
const LONG_NUMBER = /[:[,]\s*-?\d{16,}/

/** Levels of arrays and objects in each other; no tool writes a tenth of it. All that works on JSON calls itself for each. */
const MOST_LEVELS = 200
/** Digits of the longest number that becomes a bigint: more than 64 bits have, and few enough to be read at once. */
const MOST_DIGITS = 40

/**
 * Reads JSON. Of members of one name the last counts, as for `JSON.parse`.
 * @throws SyntaxError if it is no JSON, or nested deeper than any tool would
 */
export function parseJson(text: string): Json {
  if (nestedTooDeep(text)) throw new SyntaxError(`JSON of more than ${MOST_LEVELS} levels`)
  // Both parsers give nothing but these types: the numbers come from `exactNumber` or are short.
  return (
    LONG_NUMBER.test(text) ? parse(text, undefined, { parseNumber: exactNumber, onDuplicateKey }) : JSON.parse(text)
  ) as Json
}

function exactNumber(digits: string): number | bigint {
  const value = Number(digits)
  if (Number.isSafeInteger(value) || digits.length > MOST_DIGITS || !/^-?\d+$/.test(digits)) return value
  return BigInt(digits)
}

function onDuplicateKey({ newValue }: { readonly newValue: unknown }): unknown {
  return newValue
}

/** Whether arrays and objects stand in each other too deep. Counts levels only where there are brackets enough for it. */
function nestedTooDeep(text: string): boolean {
  if (!hasMany(text, '[') && !hasMany(text, '{')) return false
  let level = 0
  let inString = false
  for (let i = 0; i < text.length; i++) {
    const char = text.charCodeAt(i)
    if (char === QUOTE) inString = !inString
    else if (inString) {
      if (char === BACKSLASH) i++
    } else if (char === OPEN_BRACKET || char === OPEN_BRACE) {
      if (++level > MOST_LEVELS) return true
    } else if (char === CLOSE_BRACKET || char === CLOSE_BRACE) level--
  }
  return false
}

const QUOTE = 0x22
const BACKSLASH = 0x5c
const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d

/** Whether a bracket is there so often that it alone could make half of the levels. */
function hasMany(text: string, bracket: string): boolean {
  let count = 0
  for (let at = text.indexOf(bracket); at >= 0 && count < MOST_LEVELS / 2; at = text.indexOf(bracket, at + 1)) count++
  return count >= MOST_LEVELS / 2
}

/** The text of an object without some of its outermost members, every number digit for digit as it was. */
export function withoutMembers(text: string, names: readonly string[]): string {
  const object = parse(text, undefined, { onDuplicateKey })
  if (!isObject(object)) return text
  return stringify(Object.fromEntries(Object.entries(object).filter(([name]) => !names.includes(name)))) ?? text
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The text of a string, or undefined. */
export function stringOf(value: Json | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined
}

/** A whole number that a double holds, given as such or in decimal digits; undefined for anything else. */
export function smallInteger(value: Json | undefined): number | undefined {
  const number = typeof value === 'string' && /^-?\d{1,15}$/.test(value) ? Number(value) : value
  return typeof number === 'number' && Number.isSafeInteger(number) ? number : undefined
}

/** A whole number of any size, given as a number, in decimal digits, or in hexadecimal ones after 0x. */
export function wholeNumber(value: Json | undefined): bigint | undefined {
  if (typeof value === 'bigint') return value
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : undefined
  if (typeof value === 'string' && /^(?:-?\d{1,20}|0[xX][0-9a-fA-F]{1,16})$/.test(value)) return BigInt(value)
  return undefined
}
