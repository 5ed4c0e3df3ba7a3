// Marks of symbols that need a second look: see ../flags.ts.

import { LABEL, SPECIAL } from './kinds'

const MOST_OFFSET: u32 = 0x100000
const REGION_BYTES: u32 = 20

/**
 * Marks ids from `id` on, of one group that ends at `end` and whose upper half is `half`, until `until` or a little beyond;
 * returns where it stopped. `state`: region (in words), run, region of the last name (-1: none); see flagSpecial.
 */
export function flagIds(
  low: usize,
  kind: usize,
  regions: usize,
  regionWords: u32,
  runStart: usize,
  runOwner: usize,
  runs: u32,
  half: u32,
  from: u32,
  until: u32,
  end: u32,
  state: usize,
): u32 {
  let region = load<u32>(state, 0)
  let run = load<u32>(state, 4)
  let namedIn = load<u32>(state, 8)
  let id = from
  while (id < until) {
    const at = load<u32>(low + (id << 2))
    let next = id + 1
    while (next < end && load<u32>(low + (next << 2)) === at) next++
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
      <i64>load<u32>(low + (next << 2)) <= regionEnd &&
      load<u32>(low + (next << 2)) - at <= MOST_OFFSET
    let named = false
    for (let i = id; i < next; i++) {
      const value = <u32>load<u8>(kind + i)
      const label = (value & LABEL) !== 0
      if (!plain || (named && !label)) store<u8>(kind + i, value | SPECIAL)
      if (!label) named = true
    }
    if (named) namedIn = region
    else if (namedIn !== region) {
      for (let i = id; i < next; i++) store<u8>(kind + i, <u32>load<u8>(kind + i) | SPECIAL)
    }
    id = next
  }
  store<u32>(state, region, 0)
  store<u32>(state, run, 4)
  store<u32>(state, namedIn, 8)
  return id
}
