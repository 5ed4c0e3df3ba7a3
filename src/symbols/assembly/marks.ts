// The marks of symbols that were moved. A lender's marks hold here where the same memory is the symbols' own as there: they are taken
// over, and where anything else lies around a symbol it is marked, which only makes its answers be looked at twice.

import {
  BUILD_COUNT,
  BUILD_KIND,
  BUILD_LOW,
  BUILD_MOVE_COUNT,
  BUILD_MOVES,
  BUILD_REGION_WORDS,
  BUILD_REGIONS,
  LABEL,
  LENDER_REGION_WORDS,
  LENDER_REGIONS,
  LENDER_RUN_OWNER,
  LENDER_RUN_START,
  LENDER_RUNS,
  MOVE_BYTES,
  MOVE_FIRST,
  MOVE_HALF,
  MOVE_HALF_THERE,
  MOVE_LENDER,
  MOVE_LOW_THERE,
  MOVE_OWNER,
  MOVE_THERE,
  REGION_BYTES,
  SEVERAL_OWNERS,
  SPECIAL,
} from '../constants'
import { address } from './build'
import { lastAtOrBelow } from './flags'

/** An address whose upper half stands before its lower one. */
function joined(at: usize): u64 {
  return ((<u64>load<u32>(at)) << 32) | <u64>load<u32>(at, 4)
}

/** The end of a region; that of the last address is 2^64, which stands as 0. */
function endOf(row: usize): u64 {
  const end = joined(row + 8)
  return end === 0 ? ~(<u64>0) : end
}

/** The first of these regions that does not end at or before an address. */
function firstBehind(regions: usize, words: u32, base: u64): usize {
  let from: u32 = 0
  for (let count = words / (REGION_BYTES / 4); count > 0; ) {
    const middle = count >> 1
    if (endOf(regions + (from + middle) * REGION_BYTES) <= base) {
      from += middle + 1
      count -= middle + 1
    } else count = middle
  }
  return regions + from * REGION_BYTES
}

// Regions that meet the bytes from `base` on, so many: as distances from there, cut to them.

function meets(row: usize, behind: usize, base: u64, bytes: u64): bool {
  return row < behind && (joined(row) <= base || joined(row) - base < bytes)
}

function from(row: usize, base: u64): u64 {
  return joined(row) > base ? joined(row) - base : 0
}

function until(row: usize, base: u64, bytes: u64): u64 {
  return min(endOf(row) - base, bytes)
}

/** The first of the ids [from, to) whose address is at or above a value; `to` if there is none. */
function firstAtOrAbove(lows: usize, from: u32, to: u32, value: u64): u32 {
  while (from < to) {
    const middle = (from + to) >> 1
    if (<u64>load<u32>(lows + (middle << 2)) < value) from = middle + 1
    else to = middle
  }
  return from
}

/** Whose a lender's `count` ids from `first` on are; SEVERAL_OWNERS if they are not one's. */
function ownerOfAll(lender: usize, first: u32, count: u32): u32 {
  const runs = load<u32>(lender + LENDER_RUNS)
  if (runs === 0) return SEVERAL_OWNERS
  const starts = address(lender, LENDER_RUN_START)
  const run = lastAtOrBelow(starts, runs, 2, first)
  const isOne = run + 1 >= runs || load<u32>(starts + ((run + 1) << 2)) >= first + count
  return isOne ? <u32>load<u16>(address(lender, LENDER_RUN_OWNER) + (run << 1)) : SEVERAL_OWNERS
}

function mark(kinds: usize, from: u32, to: u32): void {
  for (let id = from; id < to; id++) store<u8>(kinds + id, load<u8>(kinds + id) | SPECIAL)
}

/** Marks those symbols whose marks were their lender's and need not hold here. There is one piece. */
export function markMoved(build: usize, _piece: u32, _thread: u32): void {
  const lows = address(build, BUILD_LOW)
  const kinds = address(build, BUILD_KIND)
  const moves = address(build, BUILD_MOVES)
  const moveCount = load<u32>(build + BUILD_MOVE_COUNT)
  const regions = address(build, BUILD_REGIONS)
  const behindHere = regions + (load<u32>(build + BUILD_REGION_WORDS) << 2)
  // The first region that does not end before a move: those of the next are no earlier.
  let firstHere = regions
  for (let move: u32 = 0; move < moveCount; move++) {
    const row = moves + move * MOVE_BYTES
    const first = load<u32>(row + MOVE_FIRST)
    const end = move + 1 < moveCount ? load<u32>(row + MOVE_BYTES + MOVE_FIRST) : load<u32>(build + BUILD_COUNT)
    const lender = address(row, MOVE_LENDER)
    const ownerThere = ownerOfAll(lender, load<u32>(row + MOVE_THERE), end - first)
    if (ownerThere === SEVERAL_OWNERS) {
      mark(kinds, first, end)
      continue
    }
    // What lies before the first name and behind the last may be others'.
    let behind = first
    while (behind < end && (<u32>load<u8>(kinds + behind) & LABEL) !== 0) behind++
    if (behind < end) {
      const named = load<u32>(lows + (behind << 2))
      while (behind < end && load<u32>(lows + (behind << 2)) === named) behind++
    }
    mark(kinds, first, behind)
    const start = <u64>load<u32>(lows + (first << 2))
    const final = load<u32>(lows + ((end - 1) << 2))
    let last = end - 1
    while (last > first && load<u32>(lows + ((last - 1) << 2)) === final) last--
    mark(kinds, last, end)

    const bytes = <u64>final - start + 1
    const base = ((<u64>load<u32>(row + MOVE_HALF)) << 32) | start
    const baseThere = ((<u64>load<u32>(row + MOVE_HALF_THERE)) << 32) | <u64>load<u32>(row + MOVE_LOW_THERE)
    const owner = load<u32>(row + MOVE_OWNER)
    const rowsThere = address(lender, LENDER_REGIONS)
    const wordsThere = load<u32>(lender + LENDER_REGION_WORDS)
    const behindThere = rowsThere + (wordsThere << 2)
    while (firstHere < behindHere && endOf(firstHere) <= base) firstHere += REGION_BYTES
    let here = firstHere
    let there = firstBehind(rowsThere, wordsThere, baseThere)
    for (;;) {
      const isHere = meets(here, behindHere, base, bytes)
      const isThere = meets(there, behindThere, baseThere, bytes)
      if (!isHere && !isThere) break
      const endHere = isHere ? until(here, base, bytes) : bytes
      const endThere = isThere ? until(there, baseThere, bytes) : bytes
      const isSame =
        isHere &&
        isThere &&
        endHere === endThere &&
        from(here, base) === from(there, baseThere) &&
        (load<u32>(here, 16) === owner) === (load<u32>(there, 16) === ownerThere)
      if (!isSame) {
        if (isHere) markBetween(kinds, lows, first, end, start + from(here, base), start + endHere)
        if (isThere) markBetween(kinds, lows, first, end, start + from(there, baseThere), start + endThere)
      }
      // The one that ends first is done with; the other may meet more.
      if (isHere && (!isThere || endHere <= endThere)) here += REGION_BYTES
      if (isThere && (!isHere || endThere <= endHere)) there += REGION_BYTES
    }
  }
}

/** Marks the ids [first, end) whose addresses lie in [from, to). */
function markBetween(kinds: usize, lows: usize, first: u32, end: u32, from: u64, to: u64): void {
  const id = firstAtOrAbove(lows, first, end, from)
  mark(kinds, id, firstAtOrAbove(lows, id, end, to))
}
