// What is kept of a text beside its table, so that a later load can take over what has not changed without parsing it: where each
// symbol of the text went, eight bytes a symbol. All else is in the table.

import type { Marker, Segment } from './build.ts'
import type { TableColumns } from './gather.ts'
import { SPECIAL } from './kinds.ts'
import type { SymbolColumns } from './layout.ts'
import { GROUP, GROUP_WORDS } from './pages.ts'

/** A text as it was gathered. */
export interface TextFacts {
  readonly table: SymbolColumns
  /** By position in the text: the id of each symbol, and the hash of its name's root. */
  readonly ids: Uint32Array
  readonly rootHashes: Uint32Array
  readonly owners: readonly string[]
  readonly segments: readonly Segment[]
  readonly markers: ReadonlyMap<string, Marker>
  /** Whether there was any symbol, and the OR of all halves of addresses, also of symbols left out. */
  readonly seen: boolean
  readonly seenAddress: number
}

/** The symbols of a text in its order, taken from its table. */
export class RememberedText implements Omit<TextFacts, 'table' | 'ids' | 'rootHashes'> {
  readonly owners: readonly string[]
  readonly segments: readonly Segment[]
  readonly markers: ReadonlyMap<string, Marker>
  readonly seen: boolean
  readonly seenAddress: number
  readonly #table: SymbolColumns
  readonly #ids: Uint32Array
  readonly #rootHashes: Uint32Array

  constructor({ table, ids, rootHashes, owners, segments, markers, seen, seenAddress }: TextFacts) {
    this.owners = owners
    this.segments = segments
    this.markers = markers
    this.seen = seen
    this.seenAddress = seenAddress
    this.#table = table
    this.#ids = ids
    this.#rootHashes = rootHashes
  }

  /** Symbols in the text. */
  get count(): number {
    return this.#ids.length
  }

  /** The roots that names refer to. */
  get heap(): Uint8Array {
    return this.#table.heap
  }

  /** Writes positions [from, to) into columns from `at` on. `numbers` are the owners' numbers there. */
  recall(from: number, to: number, columns: TableColumns, at: number, numbers: Uint16Array): void {
    const { low, kind, name, groups, ownerStart, ownerOf } = this.#table
    const ids = this.#ids
    columns.rootHash.set(this.#rootHashes.subarray(from, to), at)
    // Neighbours in the text have the same upper half and owner nearly always.
    let [groupFirst, groupEnd, high] = [0, 0, 0]
    let [runFirst, runEnd, owner] = [0, 0, 0]
    for (let i = from, target = at; i < to; i++, target++) {
      const id = ids[i]!
      if (id < groupFirst || id >= groupEnd) {
        const row = lastAtOrBelow(groups, GROUP_WORDS, GROUP.firstId, id)
        high = groups[row * GROUP_WORDS + GROUP.high]!
        groupFirst = groups[row * GROUP_WORDS + GROUP.firstId]!
        groupEnd = groups[(row + 1) * GROUP_WORDS + GROUP.firstId] ?? low.length
      }
      if (id < runFirst || id >= runEnd) {
        const run = lastAtOrBelow(ownerStart, 1, 0, id)
        owner = numbers[ownerOf[run]!]!
        runFirst = ownerStart[run]!
        runEnd = ownerStart[run + 1] ?? low.length
      }
      columns.high[target] = high
      columns.low[target] = low[id]!
      columns.kind[target] = kind[id]! & ~SPECIAL
      columns.name[target] = name[id]!
      columns.owner[target] = owner
    }
  }
}

/** The last row whose word at `place` is at or below a value; the first row's has to be. */
function lastAtOrBelow(words: Uint32Array, stride: number, place: number, value: number): number {
  let from = 0
  let to = words.length / stride - 1
  while (from < to) {
    const middle = (from + to + 1) >>> 1
    if (words[middle * stride + place]! <= value) from = middle
    else to = middle - 1
  }
  return from
}
