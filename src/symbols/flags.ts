// Marks the symbols that need a second look: wherever "the greatest start at or below the address" is not simply the
// answer. All the others, nearly all of a real table, are answered by the plain search and one look at this mark.

import { SPECIAL, type SymbolColumns } from './layout.ts'
import { MOST_OFFSET, REGION_WORDS } from './regions.ts'

/** Ids worked on between two yields. */
const SLICE = 16_384

/**
 * Sets SPECIAL in `kind` of every id that is an alias after the first, whose owner does not own the memory, whose stretch
 * up to the next distinct address leaves its region or exceeds MOST_OFFSET, or that borders on another owner's symbol or
 * on a label, so that its true end lies elsewhere. Labels carry the same bit from the start.
 */
export function* flagSpecial(
  table: SymbolColumns,
  runs: { readonly start: Uint32Array; readonly owner: Uint16Array },
): Generator<void, void, void> {
  const { low, kind, groups, regions } = table
  let region = 0
  let run = 0
  for (let g = 0; g < groups.length; g += 2) {
    const half = groups[g]!
    const last = g + 3 < groups.length ? groups[g + 3]! : low.length
    let id = groups[g + 1]!
    while (id < last) {
      const sliceEnd = Math.min(last, id + SLICE)
      while (id < sliceEnd) {
        const at = low[id]!
        let next = id + 1
        while (next < last && low[next] === at) next++
        while (region < regions.length && endsBefore(regions, region, half, at)) region += REGION_WORDS
        while (run + 1 < runs.start.length && runs.start[run + 1]! <= id) run++
        const owner = runs.owner[run]!
        const oneOwner = run + 1 >= runs.start.length || runs.start[run + 1]! > next || next === last
        const regionEnd = region < regions.length ? endWithin(regions, region, half, at, owner) : -1
        const plain =
          oneOwner &&
          next < last &&
          (kind[next]! & SPECIAL) === 0 &&
          low[next]! <= regionEnd &&
          low[next]! - at <= MOST_OFFSET &&
          next === id + 1
        if (!plain) for (let i = id; i < next; i++) kind[i]! |= SPECIAL
        id = next
      }
      yield
    }
  }
}

function endsBefore(regions: Uint32Array, at: number, half: number, low: number): boolean {
  const endHigh = regions[at + 2]!
  return endHigh < half || (endHigh === half && regions[at + 3]! <= low)
}

/** Where the region ends, as a lower half (2^32 at the group's end), if it holds the address and is the owner's; or -1. */
function endWithin(regions: Uint32Array, at: number, half: number, low: number, owner: number): number {
  if (regions[at]! !== half || regions[at + 1]! > low || regions[at + 4] !== owner) return -1
  return regions[at + 2] === half ? regions[at + 3]! : 2 ** 32
}
