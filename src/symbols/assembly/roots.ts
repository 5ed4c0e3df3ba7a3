// Roots of one part into its heap: each is kept once, found again by its hash. Elements of all stretches are taken in the order of
// the text, so the heap does not depend on how the text was cut.

import {
  BUILD_PARTS,
  BUILD_SEED,
  BUILD_SEED_2,
  BUILD_SLOTS,
  BUILD_SLOTS_BYTES,
  BUILD_STRETCH_COUNT,
  BUILD_TOO_LARGE,
  LONG_ROOT,
  PART_BYTES,
  PART_COUNT,
  PART_HEAP,
  PART_NAMES,
  PART_SHIFT,
  PART_USED,
  PARTS,
  RECORD_NAME,
  RECORD_SHIFT,
  ROOT_MASK,
  STRETCH_RECORDS,
  STRETCH_STREAMS,
} from '../constants'
import { address, stretchOf } from './build'
import { nameHash, sameBytes } from './names'

/** Slots that are looked at before a root is looked for by a hash that nobody can foresee: crafted names share the other. */
const MOST_PROBES: u32 = 16

function rootBytes(heap: usize, offset: u32): usize {
  return heap + offset + (<u32>load<u8>(heap + offset) === LONG_ROOT ? 3 : 1)
}

function rootLength(heap: usize, offset: u32): u32 {
  const length = <u32>load<u8>(heap + offset)
  return length === LONG_ROOT ? <u32>load<u16>(heap + offset + 1) : length
}

function isRoot(heap: usize, offset: u32, bytes: usize, length: u32): bool {
  return rootLength(heap, offset) === length && sameBytes(rootBytes(heap, offset), bytes, length)
}

/** A hash of whole words, filled up with zeros, that depends on two numbers only this process knows. */
function keyedHash(build: usize, bytes: usize, length: u32): u32 {
  const step = ((<u64>load<u32>(build + BUILD_SEED)) << 32) | <u64>load<u32>(build + BUILD_SEED_2)
  let hash = step ^ <u64>length
  for (let i: u32 = 0; i < length; i += 4) {
    hash = (hash ^ <u64>load<u32>(bytes + i)) * step
    hash ^= hash >> 29
  }
  return <u32>(hash >> 32)
}

/** How many slots find so many roots. */
export function slotsFor(count: u32): u32 {
  let slots: u32 = 16
  while (slots * 2 < count * 3) slots <<= 1
  return slots
}

/** Enters the roots of part `piece`, and gives every record its name. */
export function enterRoots(build: usize, piece: u32, thread: u32): void {
  const part = address(build, BUILD_PARTS) + piece * PART_BYTES
  const heap = address(part, PART_HEAP)
  const slotCount = slotsFor(load<u32>(part + PART_COUNT))
  const mask = slotCount - 1
  const slots = address(build, BUILD_SLOTS) + thread * load<u32>(build + BUILD_SLOTS_BYTES)
  const more = slots + (slotCount << 3)
  let moreUsed = false
  memory.fill(slots, 0, slotCount << 3)
  let names = address(part, PART_NAMES)
  let used: u32 = 0
  const stretches = load<u32>(build + BUILD_STRETCH_COUNT)
  for (let s: u32 = 0; s < stretches; s++) {
    const row = stretchOf(build, s)
    const records = address(row, STRETCH_RECORDS)
    const streams = address(row, STRETCH_STREAMS) + (piece << 2)
    const count = load<u32>(streams + PARTS * 4)
    let at = <usize>load<u32>(streams)
    let root: u32 = 0
    for (let i: u32 = 0; i < count; i++) {
      const first = load<u32>(at)
      const second = load<u32>(at, 4)
      const hash = (first & 0x03ffffff) | (piece << PART_SHIFT)
      const prefix = first >> PART_SHIFT
      const length = second >> 16
      at += 8
      if (length !== 0) {
        let table = slots
        let slot = (hash & mask) << 3
        let found = false
        for (let probe: u32 = 0; ; probe++) {
          if (probe === MOST_PROBES && table === slots) {
            if (!moreUsed) memory.fill(more, 0, slotCount << 3)
            moreUsed = true
            table = more
            slot = (keyedHash(build, at, length) & mask) << 3
          }
          const known = load<u32>(table + slot)
          if (known === 0) break
          if (load<u32>(table + slot, 4) === hash && isRoot(heap, known - 1, at, length)) {
            root = known - 1
            found = true
            break
          }
          slot = (slot + 8) & ((mask << 3) | 7)
        }
        if (!found) {
          root = used
          store<u32>(table + slot, root + 1)
          store<u32>(table + slot, hash, 4)
          let to = heap + used
          if (length < <u32>LONG_ROOT) store<u8>(to++, length)
          else {
            store<u8>(to, LONG_ROOT)
            store<u16>(to + 1, length)
            to += 3
          }
          // Whole words: what is written too much lies behind the heap's end, where there is room.
          for (let k: u32 = 0; k < length; k += 4) store<u32>(to + k, load<u32>(at + k))
          used = <u32>(to - heap) + length
          if (used > <u32>ROOT_MASK) {
            store<u32>(build + BUILD_TOO_LARGE, 1)
            return
          }
        }
        at += (length + 3) & ~3
      }
      const record = records + ((second & 0xffff) << RECORD_SHIFT)
      store<u32>(record + RECORD_NAME, (prefix << 26) | root)
      store<u32>(names, nameHash(hash, prefix))
      store<u32>(names, <u32>record, 4)
      names += 8
    }
  }
  store<u32>(part + PART_USED, used)
}
