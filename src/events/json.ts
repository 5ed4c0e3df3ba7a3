// JSON whose integers are not rounded: those beyond 2^53 become bigints. Lines without such take the fast road.

import { parse, stringify } from 'lossless-json'

/** A value of JSON as it is read here. */
export type Json = null | boolean | number | bigint | string | readonly Json[] | JsonObject
export interface JsonObject {
  readonly [key: string]: Json
}

/** A number outside of strings with so many digits that a double might not hold it. */
const LONG_NUMBER = /[:[,]\s*-?\d{16,}/

/** @throws SyntaxError if it is no JSON */
export function parseJson(text: string): Json {
  // Both parsers give nothing but these types: the numbers come from `exactNumber` or are short.
  return (LONG_NUMBER.test(text) ? parse(text, undefined, exactNumber) : JSON.parse(text)) as Json
}

function exactNumber(digits: string): number | bigint {
  const value = Number(digits)
  return Number.isSafeInteger(value) || !/^-?\d+$/.test(digits) ? value : BigInt(digits)
}

/** The text of an object without some of its outermost members, every number digit for digit as it was. */
export function withoutMembers(text: string, names: readonly string[]): string {
  const object = parse(text)
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
