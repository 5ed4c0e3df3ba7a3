// Stretches of an earlier text that are kept: their symbols go from table to table without being read, shared out and sorted again.
// They have the order that they had, and so do their roots, but for those that were first used where the text has changed.

import {
  BUILD_FRESH,
  BUILD_FRESH_COUNT,
  BUILD_FRESH_ROW_COUNT,
  BUILD_FRESH_ROWS,
  BUILD_GONE_ROOT_COUNT,
  BUILD_GONE_ROOTS,
  BUILD_HASHES,
  BUILD_OLD_BASES,
  BUILD_OLD_COUNT,
  BUILD_OLD_GROUP_COUNT,
  BUILD_OLD_GROUPS,
  BUILD_OLD_HEAP,
  BUILD_OLD_IDS,
  BUILD_OLD_LOW,
  BUILD_OLD_NAME,
  BUILD_ORDER,
  BUILD_ORPHANED,
  BUILD_ORPHANS,
  BUILD_POSITIONS,
  BUILD_STRETCH_COUNT,
  GONE,
  HASHES_BYTES,
  ORPHAN_BYTES,
  ORPHAN_PART,
  ORPHAN_PLACE,
  ORPHAN_ROOT,
  PARTS,
  RECORD_LOW,
  RECORD_SHIFT,
  ROOT_MASK,
  STRETCH_FROM,
  STRETCH_KEPT,
  STRETCH_ORPHAN_COUNT,
  STRETCH_ORPHANS,
  STRETCH_OWN,
  STRETCH_RECALLED,
} from '../constants'
import { address, stretchOf } from './build'
import { lastAtOrBelow } from './flags'
import { nextRoot } from './roots'

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
 * Finds the kept stretches that are the first to use roots of stretches that are gone, and lists these roots with their place among
 * the stretch's own: one piece, because a root is first used only once.
 */
export function findOrphans(build: usize, _piece: u32, thread: u32): void {
  const gone = load<u32>(build + BUILD_GONE_ROOT_COUNT)
  const bits = address(build, BUILD_ORPHANED)
  const heap = address(build, BUILD_OLD_HEAP)
  const next = address(build, BUILD_HASHES) + thread * HASHES_BYTES
  let left: u32 = 0
  for (let i: u32 = 0; i < gone; i++) {
    const row = address(build, BUILD_GONE_ROOTS) + i * 12
    const to = load<u32>(row, 8)
    for (let at = load<u32>(row, 4); at < to; at = nextRoot(heap, at)) {
      const word = bits + ((at >> 6) << 2)
      store<u32>(word, load<u32>(word) | ((<u32>1) << ((at >> 1) & 31)))
      left++
    }
  }
  let out = address(build, BUILD_ORPHANS)
  const stretches = load<u32>(build + BUILD_STRETCH_COUNT)
  for (let s: u32 = 0; s < stretches && left > 0; s++) {
    const row = stretchOf(build, s)
    const count = load<u32>(row + STRETCH_KEPT)
    if (count === 0) continue
    const ids = address(build, BUILD_OLD_IDS) + (load<u32>(row + STRETCH_RECALLED) << 2)
    if (!usesOrphans(build, ids, count)) continue
    store<u32>(row + STRETCH_ORPHANS, <u32>out)
    memory.copy(next, address(row, STRETCH_OWN), PARTS * 4)
    const names = address(build, BUILD_OLD_NAME)
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
      left--
      store<u32>(out + ORPHAN_ROOT, root)
      store<u32>(out + ORPHAN_PLACE, load<u32>(place))
      store<u32>(out + ORPHAN_PART, part)
      out += ORPHAN_BYTES
    }
    store<u32>(row + STRETCH_ORPHAN_COUNT, (<u32>out - load<u32>(row + STRETCH_ORPHANS)) / ORPHAN_BYTES)
  }
}

function usesOrphans(build: usize, ids: usize, count: u32): bool {
  const names = address(build, BUILD_OLD_NAME)
  const bits = address(build, BUILD_ORPHANED)
  for (let i: u32 = 0; i < count; i++) {
    const root = load<u32>(names + (load<u32>(ids + (i << 2)) << 2)) & ROOT_MASK
    if (((load<u32>(bits + ((root >> 6) << 2)) >> ((root >> 1) & 31)) & 1) !== 0) return true
  }
  return false
}

/** The position in the text of a new record. */
function positionOf(build: usize, record: u32): u32 {
  const rows = address(build, BUILD_FRESH_ROWS)
  const row = rows + (lastAtOrBelow(rows, load<u32>(build + BUILD_FRESH_ROW_COUNT), 3, record) << 3)
  return load<u32>(row, 4) + ((record - load<u32>(row)) >> RECORD_SHIFT)
}

/** Writes the order of kept and new symbols: by address, and at equal addresses as in the text. */
export function mergeOrder(build: usize, _piece: u32, _thread: u32): void {
  const lows = address(build, BUILD_OLD_LOW)
  const groups = address(build, BUILD_OLD_GROUPS)
  const groupCount = load<u32>(build + BUILD_OLD_GROUP_COUNT)
  const positions = address(build, BUILD_POSITIONS)
  const count = load<u32>(build + BUILD_OLD_COUNT)
  let fresh = address(build, BUILD_FRESH)
  const end = fresh + (load<u32>(build + BUILD_FRESH_COUNT) << 2)
  let out = address(build, BUILD_ORDER)
  let id: u32 = 0
  for (let group: u32 = 0; group < groupCount; group++) {
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
          store<u32>(out, record)
          out += 4
          fresh += 4
          continue
        }
      }
      for (; id < last && <u64>load<u32>(lows + (id << 2)) < limit; id++) {
        if (load<u32>(positions + (id << 2)) === GONE) continue
        store<u32>(out, (id << 1) | 1)
        out += 4
      }
      if (id === last) break
      const position = positionOf(build, record)
      for (; id < last && <u64>load<u32>(lows + (id << 2)) === limit; id++) {
        const at = load<u32>(positions + (id << 2))
        if (at === GONE) continue
        if (at > position) break
        store<u32>(out, (id << 1) | 1)
        out += 4
      }
      store<u32>(out, record)
      out += 4
      fresh += 4
    }
  }
  for (; fresh < end; fresh += 4) {
    store<u32>(out, load<u32>(fresh))
    out += 4
  }
}
