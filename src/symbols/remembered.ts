// What is kept of a text beside its table, so that a later load can take over what has not changed without reading it: where each
// symbol of the text went, four bytes a symbol, where each stretch's roots went, and what regions depend on. All else is in the table.

import type { MarkerAddress } from './claims.ts'
import type { BadLine } from './parse.ts'
import type { FoundRegions } from './regions.ts'

/** How many symbols were left out, by reason. */
export interface LeftOut {
  readonly data: number
  readonly owners: number
}

/** A stretch of the text as it was read. */
export interface Segment {
  /** The symbols kept: positions [from, to) among those of the text. */
  readonly from: number
  readonly to: number
  /** Bytes of text. */
  readonly bytes: number
  readonly lines: number
  readonly badCount: number
  readonly bad: readonly BadLine[]
  /** Pairs (first symbol in the stretch, owner's number) of its runs of owners. */
  readonly runs: Uint32Array
  readonly leftOut: LeftOut
  /** The section markers in it, by number. */
  readonly markers: readonly (MarkerAddress | undefined)[]
  /** Whether there was any symbol, and the OR of all halves of addresses, also of symbols left out. */
  readonly any: boolean
  readonly seen: number
}

/** Where roots are in the heap. Each part is in the order of the text. */
export interface RootPlaces {
  /** Where each part begins, and the last one's end. */
  readonly bases: Uint32Array
  /** How many roots each part has. */
  readonly counts: Uint32Array
  /** By stretch and part: how far the part was filled behind the stretch. */
  readonly filled: Uint32Array
}

/** A text and its table. */
export interface RememberedText {
  readonly table: SharedArrayBuffer
  /** By position in the text: the id of each symbol. */
  readonly ids: Uint32Array
  readonly owners: readonly string[]
  readonly roots: RootPlaces
  readonly regions: FoundRegions | undefined
  readonly segments: readonly Segment[]
}
