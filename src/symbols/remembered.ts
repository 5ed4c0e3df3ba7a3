// What is kept of a text beside its table, so that a later load can take over what has not changed without reading it: where each
// symbol of the text went, four bytes a symbol. All else is in the table.

import type { MarkerAddress } from './claims.ts'
import type { BadLine } from './parse.ts'

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

/** A text and its table. */
export interface RememberedText {
  readonly table: SharedArrayBuffer
  /** By position in the text: the id of each symbol. */
  readonly ids: Uint32Array
  readonly owners: readonly string[]
  readonly segments: readonly Segment[]
}
