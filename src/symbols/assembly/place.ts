// Records to their places in the table's columns, and what is found on the way: groups, chunks and runs of owners.

import {
  BUILD_COUNT,
  BUILD_IDS,
  BUILD_KIND,
  BUILD_LOW,
  BUILD_NAME,
  BUILD_NEW_IDS,
  BUILD_OLD_GROUP_COUNT,
  BUILD_OLD_GROUPS,
  BUILD_OLD_KIND,
  BUILD_OLD_LOW,
  BUILD_OLD_NAME,
  BUILD_OLD_RUN_OWNER,
  BUILD_OLD_RUN_START,
  BUILD_OLD_RUNS,
  BUILD_ORDER,
  BUILD_PARTS,
  BUILD_PLACED,
  BUILD_POSITIONS,
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
  ROOT_BITS,
  ROOT_MASK,
  SLICE_BITS,
  STRETCH_COUNT,
  STRETCH_FROM,
  STRETCH_RECORDS,
} from '../constants'
import { address, stretchOf } from './build'
import { lastAtOrBelow } from './flags'
import { newRoot } from './roots'

// The symbol that a thread looks at.
let low: u32 = 0
let high: u32 = 0
let owner: u32 = 0
// The ids of the earlier table with the upper half, and those with the owner, of the one that was looked at last.
let groupHigh: u32 = 0
let groupFrom: u32 = 0
let groupEnd: u32 = 0
let runOwner: u32 = 0
let runFrom: u32 = 0
let runEnd: u32 = 0

/** Looks at an entry of the order. */
function look(build: usize, entry: u32): void {
  if ((entry & 1) === 0) {
    low = load<u32>(entry + RECORD_LOW)
    high = load<u32>(entry + RECORD_HIGH)
    owner = <u32>load<u16>(entry + RECORD_OWNER)
    return
  }
  const id = entry >> 1
  low = load<u32>(address(build, BUILD_OLD_LOW) + (id << 2))
  if (id < groupFrom || id >= groupEnd) {
    const groups = address(build, BUILD_OLD_GROUPS)
    const count = load<u32>(build + BUILD_OLD_GROUP_COUNT)
    const group = lastAtOrBelow(groups + 4, count, 3, id)
    groupHigh = load<u32>(groups + (group << 3))
    groupFrom = load<u32>(groups + (group << 3), 4)
    groupEnd = group + 1 < count ? load<u32>(groups + (group << 3), 12) : 0xffffffff
  }
  if (id < runFrom || id >= runEnd) {
    const starts = address(build, BUILD_OLD_RUN_START)
    const count = load<u32>(build + BUILD_OLD_RUNS)
    const run = lastAtOrBelow(starts, count, 2, id)
    runOwner = <u32>load<u16>(address(build, BUILD_OLD_RUN_OWNER) + (run << 1))
    runFrom = load<u32>(starts + (run << 2))
    runEnd = run + 1 < count ? load<u32>(starts + (run << 2), 4) : 0xffffffff
  }
  high = groupHigh
  owner = runOwner
}

/** Places the ids of slice `piece`, and leaves in each record, or beside each earlier symbol, its id. */
export function placeIds(build: usize, piece: u32, _thread: u32): void {
  const order = address(build, BUILD_ORDER)
  const lows = address(build, BUILD_LOW)
  const kinds = address(build, BUILD_KIND)
  const names = address(build, BUILD_NAME)
  const parts = address(build, BUILD_PARTS)
  const placed = address(build, BUILD_PLACED) + piece * PLACED_BYTES
  const ids = address(build, BUILD_IDS)
  const positions = address(build, BUILD_POSITIONS)
  const newIds = address(build, BUILD_NEW_IDS)
  let group = placed + PLACED_HEAD
  let chunk = group + PLACED_LIST
  let run = chunk + PLACED_LIST
  let distinct: u32 = 0
  const from = piece << SLICE_BITS
  const to = min(from + (1 << SLICE_BITS), load<u32>(build + BUILD_COUNT))
  let lastLow: u32 = 0
  let lastHigh: u32 = 0
  let lastOwner: u32 = 0
  groupEnd = 0
  runEnd = 0
  if (from > 0) {
    look(build, load<u32>(order + ((from - 1) << 2)))
    lastLow = low
    lastHigh = high
    lastOwner = owner
  }
  for (let id = from; id < to; id++) {
    const entry = load<u32>(order + (id << 2))
    look(build, entry)
    store<u32>(lows + (id << 2), low)
    if ((entry & 1) === 0) {
      const record = <usize>entry
      store<u8>(kinds + id, load<u8>(record + RECORD_KIND))
      const part = parts + <u32>load<u8>(record + RECORD_PART) * PART_BYTES
      store<u32>(names + (id << 2), load<u32>(record + RECORD_NAME) + load<u32>(part + PART_BASE))
      store<u32>(record + RECORD_NAME, id)
    } else {
      const old = entry >> 1
      store<u8>(kinds + id, load<u8>(address(build, BUILD_OLD_KIND) + old))
      const reference = load<u32>(address(build, BUILD_OLD_NAME) + (old << 2))
      const root = newRoot(build, reference & ROOT_MASK)
      const base = load<u32>(parts + (root >> ROOT_BITS) * PART_BYTES + PART_BASE)
      store<u32>(names + (id << 2), (reference & ~ROOT_MASK) + (root & ROOT_MASK) + base)
      store<u32>(newIds + (old << 2), id)
      store<u32>(ids + (load<u32>(positions + (old << 2)) << 2), id)
    }
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

/** Lists the ids of the records of stretch `piece` in the order of the text. */
export function listIds(build: usize, piece: u32, _thread: u32): void {
  const row = stretchOf(build, piece)
  const records = address(row, STRETCH_RECORDS)
  const count = load<u32>(row + STRETCH_COUNT)
  const ids = address(build, BUILD_IDS) + (load<u32>(row + STRETCH_FROM) << 2)
  for (let i: u32 = 0; i < count; i++)
    store<u32>(ids + (i << 2), load<u32>(records + (i << RECORD_SHIFT) + RECORD_NAME))
}
