// The symbols that contain an address where symbols have sizes of their own, as those of ELF files do.
//
// Rules:
// - a symbol with a size contains [start, start + size); every one that contains an address is a candidate: the nearest
//   start first, then the shortest, then table order;
// - a symbol without a size reaches to the next symbol or to the end of its section, no further than MOST_OFFSET nor past
//   a border of 4 GiB, where no symbol with a size contains the address or its own start; inside one that does, it
//   answers its exact address only;
// - labels (see kinds.ts) never answer and end nothing.

import { bisect } from '../core/bisect.ts'
import { MOST_OFFSET } from './constants.ts'
import { LARGE, LARGE_WORDS } from './extents.ts'
import { LABEL } from './kinds.ts'
import type { SymbolColumns } from './layout.ts'
import { type Candidate, isOfKind, type KindFilter, type NothingReason, ownerOf } from './locate.ts'
import { REGION_WORDS } from './regions.ts'
import { type GroupView, groupOf, groupOfId, LOWER, NO_SYMBOL, predecessor, UPPER } from './search.ts'

/** A symbol that contains an address, and how far from its start the address is. */
export interface SizedCandidate extends Candidate {
  readonly offset: number
}

/** The greatest offset that a bulk answer can hold. */
const MOST_BULK_OFFSET = 0xffff_ffff

/** The lookups over one table. Distances are numbers: exact up to 2^53, and beyond that larger than any size. */
export class SizedLookup {
  readonly #table: SymbolColumns
  readonly #groups: readonly GroupView[]

  constructor(table: SymbolColumns, groups: readonly GroupView[]) {
    this.#table = table
    this.#groups = groups
  }

  /** The size that a symbol itself gives; 0 where it gives none. */
  sizeOf(id: number): number {
    const size = this.#table.size[id]!
    return size === LARGE ? this.#largeSize(id) : size
  }

  /** Every symbol that contains the address of these halves, the likeliest first. */
  candidates(half: number, low: number, kinds: KindFilter = 'all', maxOffset?: number): SizedCandidate[] {
    const table = this.#table
    const group = groupOf(this.#groups, half)
    const last = predecessor(table, group, low) >>> 0
    const found: SizedCandidate[] = []
    const most = maxOffset ?? Number.POSITIVE_INFINITY
    let id = this.#containing(group, low, last)
    if (id === NO_SYMBOL) return this.#unsized(group, low, last, kinds, maxOffset)
    for (; id !== NO_SYMBOL; id = this.#containing(group, low, (id - 1) >>> 0)) {
      const offset = this.#distance(group, low, id)
      if (offset < most && isOfKind(table, id, kinds)) found.push({ id, offset, size: this.sizeOf(id) })
    }
    found.sort((a, b) => a.offset - b.offset || a.size - b.size || a.id - b.id)
    if (most > 0) {
      for (const exact of this.#unsizedAt(group, last, kinds)) {
        if (table.low[exact] === low) found.push({ id: exact, offset: 0, size: 0 })
      }
    }
    return found
  }

  /** Bulk: for each of `count` addresses, given as pairs of halves, what `candidates` would give first. */
  findMany(pairs: Readonly<Uint32Array>, count: number, ids: Uint32Array, offsets: Uint32Array): void {
    const table = this.#table
    let group = groupOf(this.#groups, -1)
    for (let q = 0; q < count; q++) {
      const half = pairs[2 * q + UPPER]!
      const low = pairs[2 * q + LOWER]!
      if (half !== group.half) group = groupOf(this.#groups, half)
      const last = predecessor(table, group, low) >>> 0
      let id = this.#containing(group, low, last)
      id =
        id === NO_SYMBOL ? (this.#unsized(group, low, last, 'all')[0]?.id ?? NO_SYMBOL) : this.#shortest(group, low, id)
      ids[q] = id
      offsets[q] = id === NO_SYMBOL ? 0 : Math.min(this.#distance(group, low, id), MOST_BULK_OFFSET)
    }
  }

  /** Why nothing contains an address: it lies in a section where no symbol is, or in none. */
  reason(half: number, low: number): NothingReason {
    return this.#regionAt(half, low) < 0 ? 'outside' : 'gap'
  }

  /** The number of the section that an address lies in, or -1. */
  owner(half: number, low: number): number {
    const region = this.#regionAt(half, low)
    return region < 0 ? -1 : this.#table.regions[region + 4]!
  }

  /** The last symbol at or before `id` that contains the address, or NO_SYMBOL. Goes along `outer`: see extents.ts. */
  #containing(group: GroupView, low: number, id: number): number {
    const { outer } = this.#table
    let at = id
    while (at !== NO_SYMBOL && this.#distance(group, low, at) >= this.sizeOf(at)) {
      const link = outer[at]!
      // A link always leads down; in a damaged buffer it must not lead in a circle.
      at = link < at ? link : NO_SYMBOL
    }
    return at
  }

  /** Bytes from the start of a symbol, which is at or below it, to the address in the group. */
  #distance(group: GroupView, low: number, id: number): number {
    const start = this.#table.low[id]!
    if (id >= group.first) return low - start
    return (group.half - groupOfId(this.#groups, id).half) * 2 ** 32 + low - start
  }

  /** The shortest of the symbols that start where `id` does and contain the address; the first of equal ones. */
  #shortest(group: GroupView, low: number, id: number): number {
    const starts = this.#table.low
    const start = starts[id]!
    if (id === 0 || starts[id - 1] !== start) return id
    const { first } = id >= group.first ? group : groupOfId(this.#groups, id)
    const distance = this.#distance(group, low, id)
    let best = id
    let shortest = this.sizeOf(id)
    for (let alias = id - 1; alias >= first && starts[alias] === start; alias--) {
      const size = this.sizeOf(alias)
      if (size <= distance || size > shortest) continue
      best = alias
      shortest = size
    }
    return best
  }

  /** The symbols without a size that answer an address which no symbol with a size contains. */
  #unsized(group: GroupView, low: number, last: number, kinds: KindFilter, maxOffset = MOST_OFFSET): SizedCandidate[] {
    const ids = this.#unsizedAt(group, last, kinds)
    if (ids.length === 0) return []
    const start = this.#table.low[ids[0]!]!
    const offset = low - start
    if (offset >= maxOffset) return []
    if (offset > 0 && this.#containing(group, start, predecessor(this.#table, group, start)) !== NO_SYMBOL) return []
    const next = this.#nextStart(group, last)
    const region = this.#regionAt(group.half, start)
    return ids.flatMap((id) => {
      const size = region < 0 ? 0 : this.#reach(group.half, id, region, next)
      return offset === 0 || offset < size ? [{ id, offset, size }] : []
    })
  }

  /** The symbols without a size at the nearest start at or before `last` that is not only labels', in table order. */
  #unsizedAt(group: GroupView, last: number, kinds: KindFilter): number[] {
    const { low, kind, size } = this.#table
    let id = last === NO_SYMBOL ? -1 : last
    while (id >= group.first && (kind[id]! & LABEL) !== 0) id--
    const ids: number[] = []
    for (const start = low[id]; id >= group.first && low[id] === start; id--) {
      if (size[id] === 0 && (kind[id]! & LABEL) === 0 && isOfKind(this.#table, id, kinds)) ids.push(id)
    }
    return ids.reverse()
  }

  /** Where the next symbol behind `last` starts that is no label; 2^32 if the group has none. */
  #nextStart(group: GroupView, last: number): number {
    const { low, kind } = this.#table
    let next = last + 1
    while (next < group.end && (kind[next]! & LABEL) !== 0) next++
    return next < group.end ? low[next]! : 2 ** 32
  }

  /** How far a symbol without a size reaches: not at all if the memory at its start is another section's. */
  #reach(half: number, id: number, region: number, next: number): number {
    const { low, regions } = this.#table
    if (regions[region + 4] !== ownerOf(this.#table, id)) return 0
    const end = regions[region + 2] === half ? regions[region + 3]! : 2 ** 32
    return Math.min(next, end) - low[id]!
  }

  /** Where the row of the region that holds an address begins in `regions`, or -1. */
  #regionAt(half: number, low: number): number {
    const { regions } = this.#table
    const above = (at: number) => regions[at]! > half || (regions[at] === half && regions[at + 1]! > low)
    const from = bisect(0, regions.length / REGION_WORDS, (row) => !above(row * REGION_WORDS))
    const at = (from - 1) * REGION_WORDS
    return from > 0 && above(at + 2) ? at : -1
  }

  #largeSize(id: number): number {
    const { large } = this.#table
    const at = bisect(0, large.length / LARGE_WORDS, (row) => large[row * LARGE_WORDS]! < id) * LARGE_WORDS
    return large[at] === id ? large[at + 1]! * 2 ** 32 + large[at + 2]! : LARGE
  }
}
