// Symbols of a text that is known, from its table instead of the text: the same records and streams as a scan gives.

import {
  BUILD_HASHES,
  BUILD_OLD_GROUP_COUNT,
  BUILD_OLD_GROUPS,
  BUILD_OLD_HEAP,
  BUILD_OLD_IDS,
  BUILD_OLD_KIND,
  BUILD_OLD_LOW,
  BUILD_OLD_NAME,
  HASHES_BYTES,
  LONG_ROOT,
  RECORD_HIGH,
  RECORD_KIND,
  RECORD_LOW,
  RECORD_NAME,
  RECORD_OWNER,
  RECORD_PART,
  RECORD_SHIFT,
  ROOT_BITS,
  ROOT_MASK,
  RUN_LENGTH,
  RUN_NAME,
  STRETCH_COUNT,
  STRETCH_RECALLED,
  STRETCH_RECORDS,
  STRETCH_RUN_COUNT,
  STRETCH_RUNS,
  STRETCH_SORTED,
} from '../constants'
import { address, stretchOf } from './build'
import { lastAtOrBelow } from './flags'
import { hashBytes } from './names'
import { share } from './streams'

/** Recalls the symbols of stretch `piece`, of which there are as many as its row says, and whose runs are there. */
export function recall(build: usize, piece: u32, thread: u32): void {
  const row = stretchOf(build, piece)
  const records = address(row, STRETCH_RECORDS)
  const count = load<u32>(row + STRETCH_COUNT)
  const hashes = address(build, BUILD_HASHES) + thread * HASHES_BYTES
  const ids = address(build, BUILD_OLD_IDS) + (load<u32>(row + STRETCH_RECALLED) << 2)
  const lows = address(build, BUILD_OLD_LOW)
  const kinds = address(build, BUILD_OLD_KIND)
  const names = address(build, BUILD_OLD_NAME)
  const heap = address(build, BUILD_OLD_HEAP)
  const groups = address(build, BUILD_OLD_GROUPS)
  const groupCount = load<u32>(build + BUILD_OLD_GROUP_COUNT)
  let groupFrom: u32 = 0
  let groupEnd: u32 = 0
  let high: u32 = 0
  let sorted: u32 = 0
  let ascends = true
  let last: u64 = 0
  for (let i: u32 = 0; i < count; i++) {
    const id = load<u32>(ids + (i << 2))
    // Neighbours in the text have the same upper half nearly always.
    if (id < groupFrom || id >= groupEnd) {
      const group = lastAtOrBelow(groups + 4, groupCount, 3, id)
      high = load<u32>(groups + (group << 3))
      groupFrom = load<u32>(groups + (group << 3), 4)
      groupEnd = group + 1 < groupCount ? load<u32>(groups + (group << 3), 12) : 0xffffffff
    }
    const reference = load<u32>(names + (id << 2))
    let root = heap + (reference & ROOT_MASK)
    let length = <u32>load<u8>(root++)
    if (length === LONG_ROOT) {
      length = <u32>load<u16>(root)
      root += 2
    }
    const low = load<u32>(lows + (id << 2))
    const value = ((<u64>high) << 32) | <u64>low
    if (ascends && value >= last) sorted++
    else ascends = false
    last = value
    const record = records + (i << RECORD_SHIFT)
    store<u32>(record + RECORD_LOW, low)
    store<u32>(record + RECORD_HIGH, high)
    store<u32>(record + RECORD_NAME, <u32>root)
    store<u8>(record + RECORD_KIND, load<u8>(kinds + id))
    store<u8>(record + RECORD_PART, reference >> ROOT_BITS)
    store<u16>(record + RECORD_OWNER, length)
    store<u32>(hashes + (i << 2), hashBytes(root, length))
  }
  store<u32>(row + STRETCH_SORTED, sorted)
  shareOut(build, piece, thread)
}

/** Shares the roots of a stretch out whose records, runs and hashes are there. */
export function shareOut(build: usize, piece: u32, thread: u32): void {
  const row = stretchOf(build, piece)
  let end = address(row, STRETCH_RUNS)
  for (let r = load<u32>(row + STRETCH_RUN_COUNT); r > 0; r--) {
    end += RUN_NAME + ((load<u32>(end + RUN_LENGTH) + 3) & ~3)
  }
  share(row, address(build, BUILD_HASHES) + thread * HASHES_BYTES, end)
}
