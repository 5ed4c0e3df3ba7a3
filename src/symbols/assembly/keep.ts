// Stretches of an earlier text that are kept: their symbols go from table to table without being read, shared out and sorted again.
// They have the order that they had, and so do their roots, but for those that were first used where the text has changed.

import {
  BUILD_BUCKET_BITS,
  BUILD_FRESH,
  BUILD_FRESH_COUNT,
  BUILD_FRESH_ROW_COUNT,
  BUILD_FRESH_ROWS,
  BUILD_GONE_COUNTS,
  BUILD_GONE_ROOT_COUNT,
  BUILD_GONE_ROOTS,
  BUILD_GONE_STRETCHES,
  BUILD_HASHES,
  BUILD_MOVED,
  BUILD_OLD_BASES,
  BUILD_OLD_COUNT,
  BUILD_OLD_GROUP_COUNT,
  BUILD_OLD_GROUPS,
  BUILD_OLD_HEAP,
  BUILD_OLD_IDS,
  BUILD_OLD_LOW,
  BUILD_OLD_NAME,
  BUILD_ORPHANED,
  BUILD_ORPHANS,
  BUILD_POSITIONS,
  BUILD_SPAN_COUNT,
  BUILD_SPANS,
  BUILD_STRETCH_COUNT,
  GONE,
  GONE_BYTES,
  GONE_END,
  GONE_FIRST,
  GONE_FROM,
  GONE_PART,
  GONE_TO,
  HASHES_BYTES,
  ORPHAN_BYTES,
  ORPHAN_PART,
  ORPHAN_PLACE,
  ORPHAN_ROOT,
  PART_SHIFT,
  PARTS,
  RECORD_LOW,
  RECORD_SHIFT,
  ROOT_BITS,
  ROOT_MASK,
  SLICE_BITS,
  SPAN_BYTES,
  SPAN_FIRST,
  SPAN_SOURCE,
  STRETCH_FROM,
  STRETCH_KEPT,
  STRETCH_ORPHAN_COUNT,
  STRETCH_ORPHANS,
  STRETCH_OWN,
  STRETCH_RECALLED,
  STRETCH_STREAMS,
} from '../constants'
import { address, stretchOf } from './build'
import { lastAtOrBelow } from './flags'
import { touch } from './index'
import { hashBytes, nameHash } from './names'
import { isRoot, nextRoot, rootBytes, rootLength } from './roots'

/** Notes where the symbols of stretch `piece`, if it is kept, are in the text now. */
export function keepPositions(build: usize, piece: u32, _thread: u32): void {
  const row = stretchOf(build, piece)
  const count = load<u32>(row + STRETCH_KEPT)
  const ids = address(build, BUILD_OLD_IDS) + (load<u32>(row + STRETCH_RECALLED) << 2)
  const positions = address(build, BUILD_POSITIONS)
  const from = load<u32>(row + STRETCH_FROM)
  for (let i: u32 = 0; i < count; i++) store<u32>(positions + (load<u32>(ids + (i << 2)) << 2), from + i)
}

/**
 * Notes the symbols of gone stretch `piece`: they have no position any more, and the buckets of their names are not as they were.
 * Counts them by part.
 */
export function markGone(build: usize, piece: u32, _thread: u32): void {
  const row = address(build, BUILD_GONE_STRETCHES) + (piece << 3)
  const to = load<u32>(row, 4)
  const ids = address(build, BUILD_OLD_IDS)
  const names = address(build, BUILD_OLD_NAME)
  const heap = address(build, BUILD_OLD_HEAP)
  const positions = address(build, BUILD_POSITIONS)
  const counts = address(build, BUILD_GONE_COUNTS)
  for (let position = load<u32>(row); position < to; position++) {
    const id = load<u32>(ids + (position << 2))
    store<u32>(positions + (id << 2), GONE)
    const reference = load<u32>(names + (id << 2))
    const root = reference & ROOT_MASK
    const hash = nameHash(hashBytes(rootBytes(heap, root), rootLength(heap, root)), reference >> ROOT_BITS)
    touch(build, hash >> (32 - load<u32>(build + BUILD_BUCKET_BITS)))
    atomic.add<u32>(counts + ((hash >> PART_SHIFT) << 2), 1)
  }
}

/** Roots of a gone stretch that are compared with one of the text in its place. */
const LOOK_AHEAD: u32 = 8

/**
 * Marks the roots of part `piece` that belonged to stretches that are gone, but for those that the text in their place has as well: it
 * is the first to use these, as nothing before it did.
 */
export function markOrphans(build: usize, piece: u32, _thread: u32): void {
  const heap = address(build, BUILD_OLD_HEAP)
  const gone = load<u32>(build + BUILD_GONE_ROOT_COUNT)
  for (let i: u32 = 0; i < gone; i++) {
    const row = address(build, BUILD_GONE_ROOTS) + i * GONE_BYTES
    if (load<u32>(row + GONE_PART) !== piece) continue
    const to = load<u32>(row + GONE_TO)
    let root = load<u32>(row + GONE_FROM)
    for (let s = load<u32>(row + GONE_FIRST); s < load<u32>(row + GONE_END); s++) {
      const streams = address(stretchOf(build, s), STRETCH_STREAMS) + (piece << 2)
      let at = <usize>load<u32>(streams)
      for (let left = load<u32>(streams + PARTS * 4); left > 0; left--) {
        const length = load<u32>(at, 4) >> 16
        at += 8
        if (length === 0) continue
        let found = root
        let looks: u32 = 0
        while (found < to && looks < LOOK_AHEAD && !isRoot(heap, found, at, length)) {
          found = nextRoot(heap, found)
          looks++
        }
        if (found < to && looks < LOOK_AHEAD) {
          markRoots(build, root, found)
          root = nextRoot(heap, found)
        }
        at += (length + 3) & ~3
      }
    }
    markRoots(build, root, to)
  }
}

/** Marks the earlier roots [from, to). Where two parts meet two threads may write at once. */
function markRoots(build: usize, from: u32, to: u32): void {
  const bits = address(build, BUILD_ORPHANED)
  const heap = address(build, BUILD_OLD_HEAP)
  for (let at = from; at < to; at = nextRoot(heap, at)) {
    atomic.or<u32>(bits + ((at >> 6) << 2), (<u32>1) << ((at >> 1) & 31))
  }
}

/** Notes which kept stretches use marked roots, by the earlier ids of slice `piece`. */
export function seekOrphans(build: usize, piece: u32, _thread: u32): void {
  const names = address(build, BUILD_OLD_NAME)
  const bits = address(build, BUILD_ORPHANED)
  const positions = address(build, BUILD_POSITIONS)
  const from = piece << SLICE_BITS
  const to = min(from + (1 << SLICE_BITS), load<u32>(build + BUILD_OLD_COUNT))
  for (let id = from; id < to; id++) {
    const root = load<u32>(names + (id << 2)) & ROOT_MASK
    if (((load<u32>(bits + ((root >> 6) << 2)) >> ((root >> 1) & 31)) & 1) === 0) continue
    const position = load<u32>(positions + (id << 2))
    if (position !== GONE) store<u32>(stretchAt(build, position) + STRETCH_ORPHAN_COUNT, 1)
  }
}

/** The stretch that has a position in the text. */
function stretchAt(build: usize, position: u32): usize {
  let from: u32 = 0
  let to = load<u32>(build + BUILD_STRETCH_COUNT) - 1
  while (from < to) {
    const middle = (from + to + 1) >> 1
    if (load<u32>(stretchOf(build, middle) + STRETCH_FROM) <= position) from = middle
    else to = middle - 1
  }
  return stretchOf(build, from)
}

/**
 * Lists, for the kept stretches that are the first to use marked roots, these with their place among the stretch's own: one piece,
 * because a root is first used only once.
 */
export function findOrphans(build: usize, _piece: u32, thread: u32): void {
  const bits = address(build, BUILD_ORPHANED)
  const heap = address(build, BUILD_OLD_HEAP)
  const names = address(build, BUILD_OLD_NAME)
  const next = address(build, BUILD_HASHES) + thread * HASHES_BYTES
  let out = address(build, BUILD_ORPHANS)
  const stretches = load<u32>(build + BUILD_STRETCH_COUNT)
  for (let s: u32 = 0; s < stretches; s++) {
    const row = stretchOf(build, s)
    if (load<u32>(row + STRETCH_ORPHAN_COUNT) === 0) continue
    const count = load<u32>(row + STRETCH_KEPT)
    const ids = address(build, BUILD_OLD_IDS) + (load<u32>(row + STRETCH_RECALLED) << 2)
    store<u32>(row + STRETCH_ORPHANS, <u32>out)
    memory.copy(next, address(row, STRETCH_OWN), PARTS * 4)
    for (let i: u32 = 0; i < count; i++) {
      const root = load<u32>(names + (load<u32>(ids + (i << 2)) << 2)) & ROOT_MASK
      const part = lastAtOrBelow(address(build, BUILD_OLD_BASES), PARTS, 2, root)
      const place = next + (part << 2)
      // A stretch's own roots stand in the order in which it has them.
      if (load<u32>(place) === root && root < load<u32>(address(row, STRETCH_OWN) + ((part + PARTS) << 2))) {
        store<u32>(place, nextRoot(heap, root))
        continue
      }
      const word = bits + ((root >> 6) << 2)
      const bit = (<u32>1) << ((root >> 1) & 31)
      if ((load<u32>(word) & bit) === 0) continue
      store<u32>(word, load<u32>(word) ^ bit)
      store<u32>(out + ORPHAN_ROOT, root)
      store<u32>(out + ORPHAN_PLACE, load<u32>(place))
      store<u32>(out + ORPHAN_PART, part)
      out += ORPHAN_BYTES
    }
    store<u32>(row + STRETCH_ORPHAN_COUNT, (<u32>out - load<u32>(row + STRETCH_ORPHANS)) / ORPHAN_BYTES)
  }
}

/** The position in the text of a new record. */
function positionOf(build: usize, record: u32): u32 {
  const rows = address(build, BUILD_FRESH_ROWS)
  const row = rows + (lastAtOrBelow(rows, load<u32>(build + BUILD_FRESH_ROW_COUNT), 3, record) << 3)
  return load<u32>(row, 4) + ((record - load<u32>(row)) >> RECORD_SHIFT)
}

// The spans that a thread writes: where the next goes, the id behind the last one, and the earlier id with which a kept one goes on.
let spans: usize = 0
let newId: u32 = 0
let following: u32 = 0

function addNew(record: u32): void {
  store<u32>(spans + SPAN_FIRST, newId++)
  store<u32>(spans + SPAN_SOURCE, record)
  spans += SPAN_BYTES
  following = GONE
}

/** Adds the earlier ids [from, to), but for those that are gone. */
function addKept(build: usize, from: u32, to: u32): void {
  const positions = address(build, BUILD_POSITIONS)
  while (from < to) {
    let end = from
    while (end + 4 <= to && !v128.any_true(i32x4.eq(v128.load(positions + (end << 2)), i32x4.splat(<i32>GONE))))
      end += 4
    while (end < to && load<u32>(positions + (end << 2)) !== GONE) end++
    if (end > from) {
      if (from !== following) {
        store<u32>(spans + SPAN_FIRST, newId)
        store<u32>(spans + SPAN_SOURCE, (from << 1) | 1)
        spans += SPAN_BYTES
      }
      if (from !== newId) store<u32>(build + BUILD_MOVED, 1)
      newId += end - from
      following = end
    }
    while (end < to && load<u32>(positions + (end << 2)) === GONE) end++
    from = end
  }
}

/** The first of the ids [from, to) whose low half is not below `limit`; it is looked for near the first. */
function firstFrom(lows: usize, from: u32, to: u32, limit: u64): u32 {
  let step: u32 = 1
  let end = from
  while (end < to && <u64>load<u32>(lows + (end << 2)) < limit) {
    from = end + 1
    end += step
    step <<= 1
  }
  end = min(end, to)
  while (from < end) {
    const middle = (from + end) >> 1
    if (<u64>load<u32>(lows + (middle << 2)) < limit) from = middle + 1
    else end = middle
  }
  return from
}

/** Writes the order of kept and new symbols as spans: by address, and at equal addresses as in the text. */
export function mergeOrder(build: usize, _piece: u32, _thread: u32): void {
  const lows = address(build, BUILD_OLD_LOW)
  const groups = address(build, BUILD_OLD_GROUPS)
  const groupCount = load<u32>(build + BUILD_OLD_GROUP_COUNT)
  const positions = address(build, BUILD_POSITIONS)
  const count = load<u32>(build + BUILD_OLD_COUNT)
  let fresh = address(build, BUILD_FRESH)
  const end = fresh + (load<u32>(build + BUILD_FRESH_COUNT) << 2)
  spans = address(build, BUILD_SPANS)
  newId = 0
  let id: u32 = 0
  for (let group: u32 = 0; group < groupCount; group++) {
    // A span has one upper half.
    following = GONE
    const high = (<u64>load<u32>(groups + (group << 3))) << 32
    const last = group + 1 < groupCount ? load<u32>(groups + (group << 3), 12) : count
    while (id < last) {
      // The next new record, and the low half of its address where that is in this group; beyond it where it is behind.
      let record: u32 = 0
      let limit: u64 = 0x100000000
      if (fresh < end) {
        record = load<u32>(fresh)
        const key = load<u64>(record + RECORD_LOW)
        limit = key < high ? 0 : min(key - high, 0x100000000)
        if (key < high) {
          addNew(record)
          fresh += 4
          continue
        }
      }
      const stop = limit > 0xffffffff ? last : firstFrom(lows, id, last, limit)
      addKept(build, id, stop)
      id = stop
      if (id === last) break
      const position = positionOf(build, record)
      for (; id < last && <u64>load<u32>(lows + (id << 2)) === limit; id++) {
        const at = load<u32>(positions + (id << 2))
        if (at !== GONE && at > position) break
        addKept(build, id, id + 1)
      }
      addNew(record)
      fresh += 4
    }
  }
  for (; fresh < end; fresh += 4) addNew(load<u32>(fresh))
  store<u32>(build + BUILD_SPAN_COUNT, <u32>(spans - address(build, BUILD_SPANS)) / SPAN_BYTES)
}
