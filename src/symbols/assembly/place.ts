// Records to their places in the table's columns, and what is found on the way: groups, chunks and runs of owners.

import {
  BUILD_COUNT,
  BUILD_IDS,
  BUILD_KIND,
  BUILD_LOW,
  BUILD_MOVED,
  BUILD_NAME,
  BUILD_NEW_IDS,
  BUILD_NEW_ROOTS,
  BUILD_OLD_COUNT,
  BUILD_OLD_GROUP_COUNT,
  BUILD_OLD_GROUPS,
  BUILD_OLD_IDS,
  BUILD_OLD_KIND,
  BUILD_OLD_LOW,
  BUILD_OLD_NAME,
  BUILD_OLD_RUN_OWNER,
  BUILD_OLD_RUN_START,
  BUILD_OLD_RUNS,
  BUILD_ORDER,
  BUILD_OTHER,
  BUILD_PARTS,
  BUILD_PLACED,
  BUILD_SHIFTS,
  BUILD_SPAN_COUNT,
  BUILD_SPANS,
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
  SHIFT_BLOCK_BITS,
  SHIFT_BYTES,
  SHIFT_ONE,
  SLICE_BITS,
  SPAN_BYTES,
  SPAN_FIRST,
  SPAN_SOURCE,
  STRETCH_COUNT,
  STRETCH_FROM,
  STRETCH_KEPT,
  STRETCH_RECALLED,
  STRETCH_RECORDS,
} from '../constants'
import { address, stretchOf } from './build'
import { lastAtOrBelow } from './flags'

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

/** Looks at a record, or at an earlier symbol: see SPAN_SOURCE. */
function look(build: usize, source: u32): void {
  if ((source & 1) === 0) {
    low = load<u32>(source + RECORD_LOW)
    high = load<u32>(source + RECORD_HIGH)
    owner = <u32>load<u16>(source + RECORD_OWNER)
    return
  }
  const id = source >> 1
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

/** What is looked at for an id in the span at `span`. */
function sourceIn(span: usize, id: u32): u32 {
  const source = load<u32>(span + SPAN_SOURCE)
  return (source & 1) === 0 ? source : source + ((id - load<u32>(span + SPAN_FIRST)) << 1)
}

/** Places a record, and leaves its id in it. */
function placeRecord(build: usize, record: usize, id: u32): void {
  store<u32>(address(build, BUILD_LOW) + (id << 2), low)
  store<u8>(address(build, BUILD_KIND) + id, load<u8>(record + RECORD_KIND))
  const part = address(build, BUILD_PARTS) + <u32>load<u8>(record + RECORD_PART) * PART_BYTES
  store<u32>(address(build, BUILD_NAME) + (id << 2), load<u32>(record + RECORD_NAME) + load<u32>(part + PART_BASE))
  store<u32>(record + RECORD_NAME, id)
}

/** Places earlier symbols from `old` on, and notes their ids. */
function placeKept(build: usize, old: u32, id: u32, count: u32): void {
  memory.copy(address(build, BUILD_LOW) + (id << 2), address(build, BUILD_OLD_LOW) + (old << 2), count << 2)
  memory.copy(address(build, BUILD_KIND) + id, address(build, BUILD_OLD_KIND) + old, count)
  const shifts = address(build, BUILD_SHIFTS)
  const newRoots = address(build, BUILD_NEW_ROOTS)
  const parts = address(build, BUILD_PARTS)
  const names = address(build, BUILD_NAME) + (id << 2)
  const oldNames = address(build, BUILD_OLD_NAME) + (old << 2)
  for (let i: u32 = 0; i < count; i++) {
    const reference = load<u32>(oldNames + (i << 2))
    const root = reference & ROOT_MASK
    const shift = load<u64>(shifts + (root >> SHIFT_BLOCK_BITS) * SHIFT_BYTES)
    let by = <u32>(shift >> 32)
    if (<u32>shift !== SHIFT_ONE) {
      const place = load<u32>(newRoots + ((root >> 1) << 2))
      by = (place & ROOT_MASK) + load<u32>(parts + (place >> ROOT_BITS) * PART_BYTES + PART_BASE) - root
    }
    store<u32>(names + (i << 2), reference + by)
  }
  if (load<u32>(build + BUILD_MOVED) === 0) return
  const newIds = address(build, BUILD_NEW_IDS) + (old << 2)
  for (let i: u32 = 0; i < count; i++) store<u32>(newIds + (i << 2), id + i)
}

/** Whether the record that was looked at is at the place, of the kind and the owner of the earlier symbol with its id. */
function isAsBefore(build: usize, record: usize, id: u32): bool {
  if (id >= load<u32>(build + BUILD_OLD_COUNT)) return false
  look(build, (id << 1) | 1)
  return (
    load<u32>(record + RECORD_LOW) === low &&
    load<u32>(record + RECORD_HIGH) === high &&
    <u32>load<u16>(record + RECORD_OWNER) === owner &&
    load<u8>(record + RECORD_KIND) === load<u8>(address(build, BUILD_OLD_KIND) + id)
  )
}

/** Places the ids of slice `piece`, and leaves in each record, or beside each earlier symbol, its id. */
export function placeIds(build: usize, piece: u32, _thread: u32): void {
  const order = address(build, BUILD_ORDER)
  const spans = address(build, BUILD_SPANS)
  const spanCount = load<u32>(build + BUILD_SPAN_COUNT)
  const oldLows = address(build, BUILD_OLD_LOW)
  const placed = address(build, BUILD_PLACED) + piece * PLACED_BYTES
  let group = placed + PLACED_HEAD
  let chunk = group + PLACED_LIST
  let run = chunk + PLACED_LIST
  let distinct: u32 = 0
  const from = piece << SLICE_BITS
  const to = min(from + (1 << SLICE_BITS), load<u32>(build + BUILD_COUNT))
  let span: u32 = spans === 0 ? 0 : lastAtOrBelow(spans, spanCount, 3, from)
  let lastLow: u32 = 0
  let lastHigh: u32 = 0
  let lastOwner: u32 = 0
  groupEnd = 0
  runEnd = 0
  if (from > 0) {
    if (spans === 0) look(build, load<u32>(order + ((from - 1) << 2)))
    else {
      const isBefore = load<u32>(spans + span * SPAN_BYTES) === from
      look(build, sourceIn(spans + (isBefore ? span - 1 : span) * SPAN_BYTES, from - 1))
    }
    lastLow = low
    lastHigh = high
    lastOwner = owner
  }
  for (let id = from; id < to; ) {
    let source: u32
    let end = id + 1
    if (spans === 0) source = load<u32>(order + (id << 2))
    else {
      source = sourceIn(spans + span * SPAN_BYTES, id)
      end = ++span < spanCount ? min(to, load<u32>(spans + span * SPAN_BYTES)) : to
    }
    look(build, source)
    let old: u32 = 0xffffffff
    if ((source & 1) === 0) {
      placeRecord(build, <usize>source, id)
      if (spans !== 0) {
        if (!isAsBefore(build, <usize>source, id)) store<u32>(build + BUILD_OTHER, 1)
        look(build, source)
      }
    } else {
      old = source >> 1
      placeKept(build, old, id, end - id)
    }
    for (; id < end; id++, old++) {
      if ((source & 1) !== 0) {
        low = load<u32>(oldLows + (old << 2))
        if (old >= runEnd) look(build, (old << 1) | 1)
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
  }
  store<u32>(placed + PLACED_DISTINCT, distinct)
  store<u32>(placed + PLACED_GROUP_COUNT, <u32>(group - placed - PLACED_HEAD) >> 3)
  store<u32>(placed + PLACED_CHUNK_COUNT, <u32>(chunk - placed - PLACED_HEAD - PLACED_LIST) >> 3)
  store<u32>(placed + PLACED_RUN_COUNT, <u32>(run - placed - PLACED_HEAD - 2 * PLACED_LIST) >> 3)
}

/** Lists the ids of the symbols of stretch `piece` in the order of the text. */
export function listIds(build: usize, piece: u32, _thread: u32): void {
  const row = stretchOf(build, piece)
  const ids = address(build, BUILD_IDS) + (load<u32>(row + STRETCH_FROM) << 2)
  const kept = load<u32>(row + STRETCH_KEPT)
  if (kept !== 0) {
    const oldIds = address(build, BUILD_OLD_IDS) + (load<u32>(row + STRETCH_RECALLED) << 2)
    const newIds = address(build, BUILD_NEW_IDS)
    if (load<u32>(build + BUILD_MOVED) === 0) memory.copy(ids, oldIds, kept << 2)
    else {
      for (let i: u32 = 0; i < kept; i++)
        store<u32>(ids + (i << 2), load<u32>(newIds + (load<u32>(oldIds + (i << 2)) << 2)))
    }
    return
  }
  const records = address(row, STRETCH_RECORDS)
  const count = load<u32>(row + STRETCH_COUNT)
  for (let i: u32 = 0; i < count; i++)
    store<u32>(ids + (i << 2), load<u32>(records + (i << RECORD_SHIFT) + RECORD_NAME))
}
