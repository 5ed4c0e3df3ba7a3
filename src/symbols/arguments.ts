// The arguments of lookups of symbols and the arrays for their answers, with the checks of both.

import { choice, flag, nameText, number, type Options, whole, wrong } from '../core/arguments.ts'
import type { KindFilter } from './locate.ts'

/** Bulk answers: for each address a symbol id (NO_SYMBOL where there is none) and the offset in bytes. */
export interface BulkAnswer {
  readonly ids: Uint32Array
  readonly offsets: Uint32Array
}

/** Bulk answers of `startingAtMany`: the first id that starts at each address (NO_SYMBOL if none) and how many do. */
export interface StartingAnswer {
  readonly ids: Uint32Array
  readonly counts: Uint32Array
}

/** Which owner's symbols a lookup by name considers. */
export interface NameOptions {
  readonly owner?: string | undefined
  /** Also the names that compilers make of it: `.isra.0`, `.constprop.0`, `.llvm.123`, … Default no. */
  readonly suffixes?: boolean
}

/** A pattern for whole names: a glob (`*`, `?`, `[…]`), or a regular expression, which may match anywhere. */
export type Pattern = string | RegExp

/** How to look for what contains an address. */
export interface AddressOptions {
  readonly kinds?: KindFilter
  /**
   * Bytes beyond which a symbol is no answer. By default only the end of what is known to be its owner's memory bounds it, and in an
   * ELF file its size, or 1 MiB where it has none.
   */
  readonly maxOffset?: number
}

/** A glob or a regular expression. */
export function pattern(value: unknown, name: string): Pattern {
  if (typeof value !== 'string' && !(value instanceof RegExp))
    throw wrong(name, 'a glob or a regular expression', value)
  return value
}

const KINDS = choice<KindFilter>('all', 'text', 'data')

/** How to look for what contains an address. */
export const ADDRESS_OPTIONS: Options<AddressOptions> = {
  kinds: KINDS,
  maxOffset(value, name) {
    if (number(value, name) < 0) throw wrong(name, 'a number of bytes', value)
    return value as number // It is a number.
  },
}

/** Which symbols of a name. */
export const NAME_OPTIONS: Options<NameOptions> = { owner: nameText, suffixes: flag }

export const MATCHING_OPTIONS: Options<{ owner?: Pattern | undefined }> = { owner: pattern }

export const SCAN_OPTIONS: Options<{ owner?: string | undefined; kinds?: KindFilter | undefined }> = {
  owner: nameText,
  kinds: KINDS,
}

/** A number of a symbol in a list of so many, or the end of it. */
export const position = whole(0, 0xffff_ffff)

/** Addresses to look up in bulk. @throws UsageError */
export function checkAddresses(value: unknown): void {
  // Other realms have arrays of their own.
  if (value instanceof BigUint64Array || Object.prototype.toString.call(value) === '[object BigUint64Array]') return
  const how = Array.isArray(value) ? ': BigUint64Array.from(list) makes one' : ''
  throw wrong('addresses', 'a BigUint64Array', value, how)
}

/** Arrays for the answers about so many addresses. @throws UsageError */
export function checkAnswers(into: BulkAnswer | StartingAnswer, names: readonly string[], length: number): void {
  const given: unknown = into
  if (typeof given !== 'object' || given === null)
    throw wrong('the arrays for answers', `{ ${names.join(', ')} }`, given)
  for (const name of names) {
    const array: unknown = (given as Record<string, unknown>)[name]
    if (!(array instanceof Uint32Array)) throw wrong(name, 'a Uint32Array', array)
    if (array.length < length) throw wrong(name, `a Uint32Array of at least ${length} elements`, array.length)
  }
}

/** Names to look up in bulk. @throws UsageError */
export function checkNames(value: unknown): void {
  if (!Array.isArray(value)) throw wrong('names', 'a list of names', value)
  for (let i = 0; i < value.length; i++) {
    if (typeof value[i] !== 'string') throw wrong(`names[${i}]`, 'a name', value[i])
  }
}
