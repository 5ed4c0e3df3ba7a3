// The memory that symbols alone show: each page belongs to the owner of most symbols in it.

import { PAGE } from './constants.ts'

/** Where a marker stands, as halves. */
export interface MarkerAddress {
  readonly high: number
  readonly low: number
}

/** The columns that the search for regions reads: symbols in table order. */
export interface RegionInput {
  readonly low: Uint32Array
  readonly kind: Uint8Array
  /** Runs of ids with one owner: the first id of each, and the owner. */
  readonly runs: { readonly start: Uint32Array; readonly owner: Uint16Array }
  readonly owners: readonly string[]
  readonly ownerNumbers: ReadonlyMap<string, number>
  nameOf(id: number): string
  /** The markers that exist, by name (MARKERS in core-memory.ts). */
  readonly markers: ReadonlyMap<string, MarkerAddress>
}

/**
 * Claims: each is adjacent pages of one owner with symbols of one kind in each. Columns, ascending; lower halves, `end` exclusive. There
 * are some ten thousand, and what is kept of them for a refresh is compared whole.
 */
export interface Claims {
  readonly count: number
  readonly start: Uint32Array
  readonly end: Float64Array
  readonly owner: Uint16Array
  /** How many of the owner's symbols lie in each. */
  readonly symbols: Uint32Array
  /** The kinds of memory of the first and the last symbol: see `pieceKind`. */
  readonly first: Uint8Array
  readonly last: Uint8Array
}

/** The places of the claims for which something is true. */
export function claimsWhere({ count }: Claims, isTrue: (claim: number) => boolean): Uint32Array {
  const places = new Uint32Array(count)
  let found = 0
  for (let c = 0; c < count; c++) if (isTrue(c)) places[found++] = c
  return places.subarray(0, found)
}

export { PAGE } from './constants.ts'

/** Owners of pages that the kernel makes for itself inside anybody's memory (kprobe slots, ftrace trampolines). */
const BUILTIN = '__builtin__'

export const pageStart = (low: number): number => low - (low % PAGE)
/** The end of the page in which the byte before `low` lies. */
export const pageEnd = (low: number): number => Math.ceil(low / PAGE) * PAGE

/** Whether an owner's pages are the kernel's own, each an allocation by itself. */
export function isBuiltin(owner: string): boolean {
  return owner.startsWith(BUILTIN)
}

/** Whether two kinds of memory may lie in one piece: 0 is any. */
export function mayShare(a: number, b: number): boolean {
  return a === b || a === 0 || b === 0
}
