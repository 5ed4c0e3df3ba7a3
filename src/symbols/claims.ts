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
  nameOf(id: number): string
  /** The markers that exist, by name (MARKERS in core-memory.ts). */
  readonly markers: ReadonlyMap<string, MarkerAddress>
}

/** Adjacent pages of one owner with symbols of one kind in each. Lower halves, `end` exclusive. */
export interface Claim {
  readonly start: number
  readonly end: number
  readonly owner: number
  /** How many of the owner's symbols lie in it. */
  readonly symbols: number
  /** The kinds of memory of its first and last symbol: see `pieceKind`. */
  readonly first: number
  readonly last: number
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
