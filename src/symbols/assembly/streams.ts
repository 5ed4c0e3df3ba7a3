// Roots on their way from the text to the heap: each stretch writes its roots, with what belongs to them, to one stream for each
// part of the heap. Writing them there beats reading the text at random.
//
// An element is a word with the lower bits of the root's hash and the prefix's number, a word with the record's number in the
// stretch and the root's length, and the root in whole words; length 0 says that the root is that of the element before.

import {
  PART_SHIFT,
  PARTS,
  RECORD_NAME,
  RECORD_OWNER,
  RECORD_PART,
  RECORD_SHIFT,
  STRETCH_COUNT,
  STRETCH_END,
  STRETCH_RECORDS,
  STRETCH_STREAMS,
} from '../constants'
import { address } from './build'
import { sameBytes } from './names'

/** Shares the roots of a stretch's records out, in streams from `at` on. */
export function share(row: usize, hashes: usize, at: usize): void {
  const records = address(row, STRETCH_RECORDS)
  const count = load<u32>(row + STRETCH_COUNT)
  const starts = address(row, STRETCH_STREAMS)
  const counts = starts + PARTS * 4
  memory.fill(starts, 0, PARTS * 8)
  let lastHash: u32 = 0
  let lastLength: u32 = 0
  let lastRoot: usize = 0
  for (let i: u32 = 0; i < count; i++) {
    const record = records + (i << RECORD_SHIFT)
    const hash = load<u32>(hashes + (i << 2))
    const part = (hash >> PART_SHIFT) << 2
    const length = <u32>load<u16>(record + RECORD_OWNER)
    const root = <usize>load<u32>(record + RECORD_NAME)
    let bytes: u32 = 8
    if (lastRoot !== 0 && hash === lastHash && length === lastLength && sameBytes(root, lastRoot, length)) {
      store<u16>(record + RECORD_OWNER, 0)
    } else {
      bytes += (length + 3) & ~3
      lastHash = hash
      lastLength = length
      lastRoot = root
    }
    store<u32>(starts + part, load<u32>(starts + part) + bytes)
    store<u32>(counts + part, load<u32>(counts + part) + 1)
  }
  let next = <u32>at
  for (let part: u32 = 0; part < <u32>PARTS; part++) {
    const bytes = load<u32>(starts + (part << 2))
    store<u32>(starts + (part << 2), next)
    next += bytes
  }
  store<u32>(row + STRETCH_END, next)
  for (let i: u32 = 0; i < count; i++) {
    const record = records + (i << RECORD_SHIFT)
    const hash = load<u32>(hashes + (i << 2))
    const part = hash >> PART_SHIFT
    const length = <u32>load<u16>(record + RECORD_OWNER)
    const to = <usize>load<u32>(starts + (part << 2))
    store<u32>(to, (hash & 0x03ffffff) | ((<u32>load<u8>(record + RECORD_PART)) << PART_SHIFT))
    store<u32>(to, i | (length << 16), 4)
    store<u8>(record + RECORD_PART, part)
    const root = <usize>load<u32>(record + RECORD_NAME)
    let k: u32 = 0
    for (; k + 4 <= length; k += 4) store<u32>(to + k, load<u32>(root + k), 8)
    if (k < length) {
      store<u32>(to + k, load<u32>(root + k) & (((<u32>1) << ((length - k) << 3)) - 1), 8)
      k += 4
    }
    store<u32>(starts + (part << 2), <u32>to + 8 + k)
  }
  // Each start has become the next one's: they are moved back.
  let before = <u32>at
  for (let part: u32 = 0; part < <u32>PARTS; part++) {
    const end = load<u32>(starts + (part << 2))
    store<u32>(starts + (part << 2), before)
    before = end
  }
}
