// The columns of a table whose symbols have sizes of their own, as those of ELF files do: how they are filled.

import { SPECIAL } from './kinds.ts'
import type { SymbolColumns } from './layout.ts'
import type { MemoryRange } from './memory-range.ts'
import { REGION_WORDS } from './regions.ts'
import { groupViews, NO_SYMBOL } from './search.ts'

/** The memory that each symbol of a table spans, where symbols have sizes. */
export interface Extents {
  /** Bytes of each symbol in the order of appending, 0 where unknown: whole numbers below 2^53. */
  readonly sizes: Float64Array
  /** The memory there is: ascending by start, without overlap. A symbol whose size is unknown never leaves its owner's. */
  readonly ranges: readonly MemoryRange[]
}

/** In `size`: the real size stands in `large`. */
export const LARGE = 0xffff_ffff
/** Words of a row of `large`, ascending by id: the id, the size's upper and lower half. */
export const LARGE_WORDS = 3

/** Words that the sizes need in `large`. */
export function countLarge(sizes: Float64Array): number {
  let count = 0
  for (const size of sizes) if (size >= LARGE) count++
  return count * LARGE_WORDS
}

/** The words of `regions` for these ranges. */
export function rangeWords(ranges: readonly MemoryRange[], numberOf: (owner: string) => number): Uint32Array {
  const words = new Uint32Array(ranges.length * REGION_WORDS)
  const pairs = new DataView(new ArrayBuffer(8))
  ranges.forEach(({ start, end, owner }, i) => {
    pairs.setBigUint64(0, start)
    words.set([pairs.getUint32(0), pairs.getUint32(4)], i * REGION_WORDS)
    pairs.setBigUint64(0, end)
    words.set([pairs.getUint32(0), pairs.getUint32(4), numberOf(owner)], i * REGION_WORDS + 2)
  })
  return words
}

/** Symbols worked on between two yields. */
const SLICE = 16_384

/**
 * Fills `size`, `large` and `outer`, and marks every symbol SPECIAL, since none is the answer merely because it is nearest.
 * `order` gives the position in `sizes` of each id.
 *
 * `outer` links each symbol to the nearest one before it that ends later. A search for all symbols that contain an
 * address goes down the ids from the last that starts at or below it: by one from a symbol that contains the address, and
 * along the link from one that does not, since all that is skipped ends no later than that one. A running maximum of
 * the ends would bound the same walk, but would not lead it past the many small symbols inside one large.
 */
export function* placeExtents(
  table: SymbolColumns,
  order: Uint32Array,
  sizes: Float64Array,
): Generator<void, void, void> {
  const { low, kind, size, outer, large } = table
  const count = order.length
  // Doubles, because an end may be 2^64.
  const endHigh = new Float64Array(count)
  const endLow = new Uint32Array(count)
  let row = 0
  for (const { half, first, end } of groupViews(table)) {
    for (let id = first; id < end; id++) {
      const bytes = sizes[order[id]!]!
      size[id] = Math.min(bytes, LARGE)
      kind[id]! |= SPECIAL
      const lowEnd = low[id]! + (bytes % 2 ** 32)
      endHigh[id] = half + Math.floor(bytes / 2 ** 32) + (lowEnd >= 2 ** 32 ? 1 : 0)
      endLow[id] = lowEnd % 2 ** 32
      if (bytes >= LARGE) {
        large.set([id, Math.floor(bytes / 2 ** 32), bytes % 2 ** 32], row)
        row += LARGE_WORDS
      }
      if ((id & (SLICE - 1)) === 0) yield
    }
  }
  for (let id = 0; id < count; id++) {
    let link = id === 0 ? NO_SYMBOL : id - 1
    while (link !== NO_SYMBOL && !endsLater(endHigh, endLow, link, id)) link = outer[link]!
    outer[id] = link
    if ((id & (SLICE - 1)) === 0) yield
  }
}

function endsLater(high: Float64Array, low: Uint32Array, a: number, b: number): boolean {
  return high[a]! > high[b]! || (high[a] === high[b] && low[a]! > low[b]!)
}
