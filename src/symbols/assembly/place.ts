// Records to their places in the table's columns, and what is found on the way: groups, chunks and runs of owners.

import {
  BUILD_COUNT,
  BUILD_IDS,
  BUILD_KIND,
  BUILD_LOW,
  BUILD_NAME,
  BUILD_ORDER,
  BUILD_PARTS,
  BUILD_PLACED,
  CHUNK_BITS,
  PART_BASE,
  PART_BYTES,
  PLACED_BYTES,
  PLACED_CHUNK_COUNT,
  PLACED_DISTINCT,
  PLACED_GROUP_COUNT,
  PLACED_HEAD,
  PLACED_LIST,
  PLACED_RUN_COUNT,
  RECORD_HIGH,
  RECORD_KIND,
  RECORD_LOW,
  RECORD_NAME,
  RECORD_OWNER,
  RECORD_PART,
  RECORD_SHIFT,
  SLICE_BITS,
  STRETCH_COUNT,
  STRETCH_RECALLED,
  STRETCH_RECORDS,
} from '../constants'
import { address, stretchOf } from './build'

/** Places the ids of slice `piece`, and leaves in each record its id. */
export function placeIds(build: usize, piece: u32, _thread: u32): void {
  const order = address(build, BUILD_ORDER)
  const lows = address(build, BUILD_LOW)
  const kinds = address(build, BUILD_KIND)
  const names = address(build, BUILD_NAME)
  const parts = address(build, BUILD_PARTS)
  const placed = address(build, BUILD_PLACED) + piece * PLACED_BYTES
  let group = placed + PLACED_HEAD
  let chunk = group + PLACED_LIST
  let run = chunk + PLACED_LIST
  let distinct: u32 = 0
  const from = piece << SLICE_BITS
  const to = min(from + (1 << SLICE_BITS), load<u32>(build + BUILD_COUNT))
  let lastLow: u32 = 0
  let lastHigh: u32 = 0
  let lastOwner: u32 = 0
  if (from > 0) {
    const before = <usize>load<u32>(order + ((from - 1) << 2))
    lastLow = load<u32>(before + RECORD_LOW)
    lastHigh = load<u32>(before + RECORD_HIGH)
    lastOwner = <u32>load<u16>(before + RECORD_OWNER)
  }
  for (let id = from; id < to; id++) {
    const record = <usize>load<u32>(order + (id << 2))
    const low = load<u32>(record + RECORD_LOW)
    const high = load<u32>(record + RECORD_HIGH)
    const owner = <u32>load<u16>(record + RECORD_OWNER)
    store<u32>(lows + (id << 2), low)
    store<u8>(kinds + id, load<u8>(record + RECORD_KIND))
    const part = parts + <u32>load<u8>(record + RECORD_PART) * PART_BYTES
    store<u32>(names + (id << 2), load<u32>(record + RECORD_NAME) + load<u32>(part + PART_BASE))
    store<u32>(record + RECORD_NAME, id)
    if (id === 0 || low !== lastLow || high !== lastHigh) {
      distinct++
      if (id === 0 || high !== lastHigh) {
        store<u32>(group, high)
        store<u32>(group, id, 4)
        group += 8
      }
      if (id === 0 || high !== lastHigh || low >> CHUNK_BITS !== lastLow >> CHUNK_BITS) {
        store<u32>(chunk, low >> CHUNK_BITS)
        store<u32>(chunk, id, 4)
        chunk += 8
      }
      lastLow = low
      lastHigh = high
    }
    if (id === 0 || owner !== lastOwner) {
      store<u32>(run, id)
      store<u32>(run, owner, 4)
      run += 8
      lastOwner = owner
    }
  }
  store<u32>(placed + PLACED_DISTINCT, distinct)
  store<u32>(placed + PLACED_GROUP_COUNT, <u32>(group - placed - PLACED_HEAD) >> 3)
  store<u32>(placed + PLACED_CHUNK_COUNT, <u32>(chunk - placed - PLACED_HEAD - PLACED_LIST) >> 3)
  store<u32>(placed + PLACED_RUN_COUNT, <u32>(run - placed - PLACED_HEAD - 2 * PLACED_LIST) >> 3)
}

/** Lists the ids of stretch `piece` in the order of the text. */
export function listIds(build: usize, piece: u32, _thread: u32): void {
  const row = stretchOf(build, piece)
  const records = address(row, STRETCH_RECORDS)
  const count = load<u32>(row + STRETCH_COUNT)
  const ids = address(build, BUILD_IDS) + (load<u32>(row + STRETCH_RECALLED) << 2)
  for (let i: u32 = 0; i < count; i++)
    store<u32>(ids + (i << 2), load<u32>(records + (i << RECORD_SHIFT) + RECORD_NAME))
}
