// Marks of symbols that need a second look: see ../flags.ts.

import {
  BUILD_COUNT,
  BUILD_GROUP_COUNT,
  BUILD_GROUPS,
  BUILD_KIND,
  BUILD_LOW,
  BUILD_REGION_WORDS,
  BUILD_REGIONS,
  BUILD_RUN_OWNER,
  BUILD_RUN_START,
  BUILD_RUNS,
  LABEL,
  REGION_BYTES,
  SLICE_BITS,
  SPECIAL,
} from '../constants'
import { address } from './build'

/** The last of `count` rows whose word at the start is at or below a value; the first row's has to be. */
export function lastAtOrBelow(rows: usize, count: u32, shift: u32, value: u32): u32 {
  let from: u32 = 0
  let to = count - 1
  while (from < to) {
    const middle = (from + to + 1) >> 1
    if (load<u32>(rows + (middle << shift)) <= value) from = middle
    else to = middle - 1
  }
  return from
}

/** The first region that does not end before an address, as the number of its first word. */
function regionOf(build: usize, high: u32, low: u32): u32 {
  const regions = address(build, BUILD_REGIONS)
  let from: u32 = 0
  let length = load<u32>(build + BUILD_REGION_WORDS) / (REGION_BYTES / 4)
  while (length > 0) {
    const half = length >> 1
    const row = regions + (from + half) * REGION_BYTES
    const endHigh = load<u32>(row, 8)
    if (endHigh < high || (endHigh === high && load<u32>(row, 12) <= low)) {
      from += half + 1
      length -= half + 1
    } else length = half
  }
  return from * (REGION_BYTES / 4)
}

/** Marks the ids of slice `piece`: those that start where one before the slice does are the slice's before. */
export function flagIds(build: usize, piece: u32, _thread: u32): void {
  const lows = address(build, BUILD_LOW)
  const kinds = address(build, BUILD_KIND)
  const regions = address(build, BUILD_REGIONS)
  const regionWords = load<u32>(build + BUILD_REGION_WORDS)
  const runStart = address(build, BUILD_RUN_START)
  const runOwner = address(build, BUILD_RUN_OWNER)
  const runs = load<u32>(build + BUILD_RUNS)
  const groups = address(build, BUILD_GROUPS)
  const groupCount = load<u32>(build + BUILD_GROUP_COUNT)
  const count = load<u32>(build + BUILD_COUNT)
  let id = piece << SLICE_BITS
  const until = min(id + (1 << SLICE_BITS), count)
  let group = lastAtOrBelow(groups + 4, groupCount, 3, id)
  while (id < until) {
    const half = load<u32>(groups + (group << 3))
    const first = load<u32>(groups + (group << 3), 4)
    const end = group + 1 < groupCount ? load<u32>(groups + (group << 3), 12) : count
    while (id > first && id < end && load<u32>(lows + (id << 2)) === load<u32>(lows + ((id - 1) << 2))) id++
    if (id >= end) {
      group++
      continue
    }
    if (id >= until) break
    let region = regionOf(build, half, load<u32>(lows + (id << 2)))
    let run = lastAtOrBelow(runStart, runs, 2, id)
    // The region of the last name before, that is no label.
    let namedIn: u32 = 0xffffffff
    for (let before = id; before > first; ) {
      before--
      if ((<u32>load<u8>(kinds + before) & LABEL) !== 0) continue
      namedIn = regionOf(build, half, load<u32>(lows + (before << 2)))
      break
    }
    const stop = min(until, end)
    while (id < stop) {
      const at = load<u32>(lows + (id << 2))
      let next = id + 1
      while (next < end && load<u32>(lows + (next << 2)) === at) next++
      for (; region < regionWords; region += REGION_BYTES / 4) {
        const row = regions + (region << 2)
        const endHigh = load<u32>(row, 8)
        if (!(endHigh < half || (endHigh === half && load<u32>(row, 12) <= at))) break
      }
      while (run + 1 < runs && load<u32>(runStart + ((run + 1) << 2)) <= id) run++
      const owner = <u32>load<u16>(runOwner + (run << 1))
      let regionEnd: i64 = -1
      if (region < regionWords) {
        const row = regions + (region << 2)
        if (load<u32>(row) === half && load<u32>(row, 4) <= at && load<u32>(row, 16) === owner) {
          regionEnd = load<u32>(row, 8) === half ? <i64>load<u32>(row, 12) : 0x100000000
        }
      }
      const plain =
        next < end &&
        (run + 1 >= runs || load<u32>(runStart + ((run + 1) << 2)) >= next) &&
        <i64>load<u32>(lows + (next << 2)) <= regionEnd
      // In a plain group the first name that is no label is the answer, and labels lead back to the name before them.
      let named = false
      for (let i = id; i < next; i++) {
        const value = <u32>load<u8>(kinds + i)
        const label = (value & LABEL) !== 0
        if (!plain || (named && !label)) store<u8>(kinds + i, value | SPECIAL)
        if (!label) named = true
      }
      if (named) namedIn = region
      else if (namedIn !== region) {
        for (let i = id; i < next; i++) store<u8>(kinds + i, <u32>load<u8>(kinds + i) | SPECIAL)
      }
      id = next
    }
    if (id >= end) group++
  }
}
