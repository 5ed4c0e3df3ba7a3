// The searches over the sorted columns: where a 64-bit address stands among the symbols, one at a time and in bulk.

import { SPECIAL, type SymbolColumns } from './layout.ts'

/** The id that stands for "no symbol" in bulk answers. */
export const NO_SYMBOL = 0xffff_ffff

/** The first index in [from, to) whose value is above `value`; `to` if there is none. */
export function upperBound(column: Readonly<Uint32Array>, from: number, to: number, value: number): number {
  let low = from
  let length = to - from
  while (length > 1) {
    const half = length >>> 1
    // Arithmetic instead of a branch: random addresses would mispredict every second one.
    low += (+(column[low + half - 1]! <= value) * half) | 0
    length -= half
  }
  return length === 1 && column[low]! <= value ? low + 1 : low
}

/** The ids [first, end) of the group whose addresses have this upper half; empty where there is none. */
export function groupRange(table: SymbolColumns, half: number): { first: number; end: number; found: boolean } {
  const { groups, low } = table
  for (let g = 0; g < groups.length; g += 2) {
    if (groups[g]! < half) continue
    const first = groups[g + 1]!
    if (groups[g]! > half) return { first, end: first, found: false }
    return { first, end: g + 3 < groups.length ? groups[g + 3]! : low.length, found: true }
  }
  return { first: low.length, end: low.length, found: false }
}

/** Which u32 of a u64 in memory is the upper half: depends on the machine's byte order. */
const UPPER = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1 ? 1 : 0

/**
 * Answers addresses [from, to) of the u32 pairs of a BigUint64Array: the symbol's id, or NO_SYMBOL, and the offset. Where
 * the plain answer needs a second look, `second` gives the id for good.
 */
export function findAddresses(
  table: SymbolColumns,
  pairs: Readonly<Uint32Array>,
  from: number,
  to: number,
  ids: Uint32Array,
  offsets: Uint32Array,
  second: (half: number, low: number, id: number) => number,
): void {
  const { low, kind } = table
  let half = -1
  let first = 0
  let end = 0
  for (let q = from; q < to; q++) {
    const upper = pairs[2 * q + UPPER]!
    const value = pairs[2 * q + 1 - UPPER]!
    if (upper !== half) {
      half = upper
      const range = groupRange(table, upper)
      first = range.first
      end = range.end
    }
    let id = upperBound(low, first, end, value) - 1
    if (id < first) id = NO_SYMBOL
    else if ((kind[id]! & SPECIAL) !== 0) id = second(upper, value, id)
    ids[q] = id
    offsets[q] = id === NO_SYMBOL ? 0 : value - low[id]!
  }
}
