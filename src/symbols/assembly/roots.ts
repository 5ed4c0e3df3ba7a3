// Roots of one part into its heap: each is kept once, found again by its hash. Elements of all stretches are taken in the order of
// the text, so the heap does not depend on how the text was cut, nor on what of it is kept from an earlier table.

import {
  BUILD_GONE_ROOT_COUNT,
  BUILD_GONE_ROOTS,
  BUILD_NEW_ROOTS,
  BUILD_OLD_BASES,
  BUILD_OLD_ENTRIES,
  BUILD_OLD_HEAP,
  BUILD_PARTS,
  BUILD_SEED,
  BUILD_SEED_2,
  BUILD_SHIFTS,
  BUILD_SLOTS,
  BUILD_SLOTS_BYTES,
  BUILD_STRETCH_COUNT,
  BUILD_TOO_LARGE,
  FILTER_BITS,
  FILTER_BYTES,
  GONE_BYTES,
  GONE_FROM,
  GONE_PART,
  GONE_TO,
  LONG_ROOT,
  ORPHAN_BYTES,
  ORPHAN_PART,
  ORPHAN_PLACE,
  ORPHAN_ROOT,
  PART_BASE,
  PART_BYTES,
  PART_HEAP,
  PART_ROOTS,
  PART_SHIFT,
  PART_USED,
  PARTS,
  RECORD_NAME,
  RECORD_SHIFT,
  ROOT_MASK,
  SHIFT_BLOCK_BITS,
  SHIFT_BYTES,
  SHIFT_MANY,
  SHIFT_NONE,
  SHIFT_ONE,
  STRETCH_FILLED,
  STRETCH_FROM,
  STRETCH_KEPT,
  STRETCH_ORPHAN_COUNT,
  STRETCH_ORPHANS,
  STRETCH_OWN,
  STRETCH_RECORDS,
  STRETCH_STREAMS,
} from '../constants'
import { address, stretchOf } from './build'
import { GOLDEN, hashBytes, nameHash, sameBytes } from './names'

/** Slots that are looked at before a root is looked for by a hash that nobody can foresee: crafted names share the other. */
const MOST_PROBES: u32 = 16
/** What `rootAt` gives where there is no such root. */
const NONE: u32 = 0xffffffff

export function rootBytes(heap: usize, offset: u32): usize {
  return heap + offset + (<u32>load<u8>(heap + offset) === LONG_ROOT ? 3 : 1)
}

export function rootLength(heap: usize, offset: u32): u32 {
  const length = <u32>load<u8>(heap + offset)
  return length === LONG_ROOT ? <u32>load<u16>(heap + offset + 1) : length
}

/** Where the root behind the one at `offset` is. */
export function nextRoot(heap: usize, offset: u32): u32 {
  return <u32>(rootBytes(heap, offset) - heap) + rootLength(heap, offset)
}

export function isRoot(heap: usize, offset: u32, bytes: usize, length: u32): bool {
  return rootLength(heap, offset) === length && sameBytes(rootBytes(heap, offset), bytes, length)
}

/** A hash of whole words, filled up with zeros, that depends on two numbers only this process knows. */
function keyedHash(build: usize, bytes: usize, length: u32): u32 {
  const step = ((<u64>load<u32>(build + BUILD_SEED)) << 32) | <u64>load<u32>(build + BUILD_SEED_2)
  let hash = step ^ <u64>length
  for (let i: u32 = 0; i < length; i += 4) {
    let word = load<u32>(bytes + i)
    if (length - i < 4) word &= ((<u32>1) << ((length - i) << 3)) - 1
    hash = (hash ^ <u64>word) * step
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

// The part that a thread works at: its heap and how much of it is used, how many roots it has, and its slots.
let heap: usize = 0
let used: u32 = 0
let roots: u32 = 0
let slots: usize = 0
let mask: u32 = 0
let more: usize = 0
let moreUsed = false

/** Where in the heap a root is, which is added if it `isNew`. */
function rootAt(build: usize, bytes: usize, length: u32, hash: u32, isNew: bool): u32 {
  let table = slots
  let slot = (hash & mask) << 3
  for (let probe: u32 = 0; ; probe++) {
    if (probe === MOST_PROBES && table === slots) {
      if (!moreUsed) memory.fill(more, 0, (mask + 1) << 3)
      moreUsed = true
      table = more
      slot = (keyedHash(build, bytes, length) & mask) << 3
    }
    const known = load<u32>(table + slot)
    if (known === 0) break
    if (load<u32>(table + slot, 4) === hash && isRoot(heap, known - 1, bytes, length)) return known - 1
    slot = (slot + 8) & ((mask << 3) | 7)
  }
  if (!isNew) return NONE
  const root = used
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
  for (let k: u32 = 0; k < length; k += 4) store<u32>(to + k, load<u32>(bytes + k))
  used = <u32>(to - heap) + length
  roots++
  return root
}

// A bit for each sort of root that new text, or text that is gone, has: what looks like none of them is the only one of its name, and need
// not be found again. And earlier roots that went equally far: where they were, how far that is, the first in the last of their blocks.
let filter: usize = 0
let movedFrom: u32 = 0
let movedTo: u32 = 0
let movedBy: u32 = 0
let movedLast: u32 = 0

/** The number of the bit for a root: from its length, its beginning and its end. */
function sortOf(bytes: usize, length: u32): u32 {
  const first = load<u64>(bytes)
  const value =
    length < 8 ? first & ((1 << ((<u64>length) << 3)) - 1) : first ^ rotl<u64>(load<u64>(bytes + length - 8), 23)
  return <u32>(((value ^ <u64>length) * (((<u64>GOLDEN) << 32) | 0x7f4a7c15)) >> (64 - FILTER_BITS))
}

function expect(bytes: usize, length: u32): void {
  const sort = sortOf(bytes, length)
  const word = filter + ((sort >> 5) << 2)
  store<u32>(word, load<u32>(word) | ((<u32>1) << (sort & 31)))
}

function isExpected(bytes: usize, length: u32): bool {
  const sort = sortOf(bytes, length)
  return ((load<u32>(filter + ((sort >> 5) << 2)) >> (sort & 31)) & 1) !== 0
}

/** Fills the filter of part `piece` with the roots of new stretches and of those that are gone. */
function fillFilter(build: usize, piece: u32): void {
  memory.fill(filter, 0, FILTER_BYTES)
  for (let s: u32 = 0; s < load<u32>(build + BUILD_STRETCH_COUNT); s++) {
    const streams = address(stretchOf(build, s), STRETCH_STREAMS) + (piece << 2)
    let at = <usize>load<u32>(streams)
    for (let i = load<u32>(streams + PARTS * 4); i > 0; i--) {
      const length = load<u32>(at, 4) >> 16
      at += 8
      if (length === 0) continue
      expect(at, length)
      at += (length + 3) & ~3
    }
  }
  const old = address(build, BUILD_OLD_HEAP)
  const gone = address(build, BUILD_GONE_ROOTS)
  for (let i: u32 = 0; i < load<u32>(build + BUILD_GONE_ROOT_COUNT); i++) {
    const row = gone + i * GONE_BYTES
    if (load<u32>(row + GONE_PART) !== piece) continue
    const to = load<u32>(row + GONE_TO)
    for (let at = load<u32>(row + GONE_FROM); at < to; at = nextRoot(old, at))
      expect(rootBytes(old, at), rootLength(old, at))
  }
}

/** Enters a root of the earlier heap so that it is found again. */
function keepRoot(build: usize, piece: u32, offset: u32, isNew: bool): void {
  const old = address(build, BUILD_OLD_HEAP)
  const bytes = rootBytes(old, offset)
  const length = rootLength(old, offset)
  const root = rootAt(build, bytes, length, hashBytes(bytes, length), isNew)
  if (root !== NONE) moved(build, offset, nextRoot(old, offset), (root | (piece << PART_SHIFT)) - offset)
}

/** Takes over roots of the earlier heap that nobody looks for. */
function keepRange(build: usize, from: u32, to: u32): void {
  if (from === to) return
  memory.copy(heap + used, address(build, BUILD_OLD_HEAP) + from, to - from)
  used += to - from
}

/** Notes that the earlier root at `offset`, before `next`, went so far. */
function moved(build: usize, offset: u32, next: u32, by: u32): void {
  if (offset !== movedTo || by !== movedBy) {
    noteMoved(build)
    movedFrom = offset
    movedBy = by
    movedLast = offset
  } else if ((offset ^ movedLast) >> SHIFT_BLOCK_BITS !== 0) movedLast = offset
  movedTo = next
}

/** Writes down how far roots went. Who looks for one has a word in its cache for the whole block, nearly always. */
function noteMoved(build: usize): void {
  const blockMask: u32 = (1 << SHIFT_BLOCK_BITS) - 1
  const inside = (movedFrom + blockMask) & ~blockMask
  const end = movedTo & ~blockMask
  noteEach(build, movedFrom, min(movedTo, inside))
  for (let at = inside; at < end; at += blockMask + 1) {
    const block = address(build, BUILD_SHIFTS) + (at >> SHIFT_BLOCK_BITS) * SHIFT_BYTES
    store<u32>(block, SHIFT_ONE)
    store<u32>(block, movedBy, 4)
  }
  if (movedLast >= max(inside, end)) noteEach(build, movedLast, movedTo)
  movedFrom = movedTo
}

/** The same for roots in a block that may have others. */
function noteEach(build: usize, from: u32, to: u32): void {
  for (let at = from; at < to; at = nextRoot(address(build, BUILD_OLD_HEAP), at)) {
    store<u32>(address(build, BUILD_NEW_ROOTS) + ((at >> 1) << 2), at + movedBy)
    const block = address(build, BUILD_SHIFTS) + (at >> SHIFT_BLOCK_BITS) * SHIFT_BYTES
    const state = load<u32>(block)
    if (state === SHIFT_NONE) {
      store<u32>(block, SHIFT_ONE)
      store<u32>(block, movedBy, 4)
    } else if (state === SHIFT_ONE && load<u32>(block, 4) !== movedBy) store<u32>(block, SHIFT_MANY)
  }
}

/** Once it is known where each part begins: how far roots of part `piece` went in the heap of all, where a block tells. */
export function settleRoots(build: usize, piece: u32, _thread: u32): void {
  const bases = address(build, BUILD_OLD_BASES) + (piece << 2)
  const by = load<u32>(address(build, BUILD_PARTS) + piece * PART_BYTES + PART_BASE) - (piece << PART_SHIFT)
  // Blocks with roots of two parts tell nothing.
  const from = (load<u32>(bases) + (1 << SHIFT_BLOCK_BITS) - 1) >> SHIFT_BLOCK_BITS
  const to = load<u32>(bases, 4) >> SHIFT_BLOCK_BITS
  for (let block = from; block < to; block++) {
    const row = address(build, BUILD_SHIFTS) + block * SHIFT_BYTES
    if (load<u32>(row) === SHIFT_ONE) store<u32>(row, load<u32>(row, 4) + by, 4)
  }
}

/** Enters the roots of a kept stretch: its own, and those of stretches that are gone where it is the first to use them now. */
function keepRoots(build: usize, row: usize, piece: u32): void {
  const old = address(build, BUILD_OLD_HEAP)
  const own = address(row, STRETCH_OWN) + (piece << 2)
  const to = load<u32>(own + PARTS * 4)
  let orphan = address(row, STRETCH_ORPHANS)
  const end = orphan + load<u32>(row + STRETCH_ORPHAN_COUNT) * ORPHAN_BYTES
  let at = load<u32>(own)
  for (;;) {
    while (orphan < end && load<u32>(orphan + ORPHAN_PART) !== piece) orphan += ORPHAN_BYTES
    const stop = orphan < end ? min(load<u32>(orphan + ORPHAN_PLACE), to) : to
    // Those that nobody looks for are taken over together.
    let from = at
    while (at < stop) {
      const bytes = rootBytes(old, at)
      const next = <u32>(bytes - old) + rootLength(old, at)
      if (isExpected(bytes, next - <u32>(bytes - old))) {
        keepRange(build, from, at)
        keepRoot(build, piece, at, true)
        from = next
      } else {
        moved(build, at, next, ((used + at - from) | (piece << PART_SHIFT)) - at)
        roots++
      }
      at = next
    }
    keepRange(build, from, at)
    if (orphan >= end) break
    keepRoot(build, piece, load<u32>(orphan + ORPHAN_ROOT), true)
    orphan += ORPHAN_BYTES
  }
}

/** Enters the roots of part `piece`, gives every record its name, and leaves pairs (hash of the name, position in the text) in streams. */
export function enterRoots(build: usize, piece: u32, thread: u32): void {
  const part = address(build, BUILD_PARTS) + piece * PART_BYTES
  const slotCount = slotsFor(load<u32>(part + PART_ROOTS))
  heap = address(part, PART_HEAP)
  used = 0
  roots = 0
  mask = slotCount - 1
  slots = address(build, BUILD_SLOTS) + thread * load<u32>(build + BUILD_SLOTS_BYTES)
  more = slots + (slotCount << 3)
  moreUsed = false
  memory.fill(slots, 0, slotCount << 3)
  const keeps = load<u32>(build + BUILD_OLD_ENTRIES) !== 0
  if (keeps) {
    filter = slots + load<u32>(build + BUILD_SLOTS_BYTES) - FILTER_BYTES
    fillFilter(build, piece)
    movedFrom = 0
    movedTo = 0
  }
  const stretches = load<u32>(build + BUILD_STRETCH_COUNT)
  for (let s: u32 = 0; s < stretches; s++) {
    const row = stretchOf(build, s)
    if (load<u32>(row + STRETCH_KEPT) !== 0) keepRoots(build, row, piece)
    const records = address(row, STRETCH_RECORDS)
    const position = load<u32>(row + STRETCH_FROM)
    const streams = address(row, STRETCH_STREAMS) + (piece << 2)
    const count = load<u32>(streams + PARTS * 4)
    let at = <usize>load<u32>(streams)
    // What the name index takes of each is written over what has been read: it is no longer than that.
    let names = at
    let root: u32 = 0
    for (let i: u32 = 0; i < count; i++) {
      const first = load<u32>(at)
      const second = load<u32>(at, 4)
      const hash = (first & 0x03ffffff) | (piece << PART_SHIFT)
      const prefix = first >> PART_SHIFT
      const length = second >> 16
      const number = second & 0xffff
      at += 8
      if (length !== 0) {
        root = rootAt(build, at, length, hash, true)
        at += (length + 3) & ~3
      }
      store<u32>(records + (number << RECORD_SHIFT) + RECORD_NAME, (prefix << 26) | root)
      store<u32>(names, nameHash(hash, prefix))
      store<u32>(names, position + number, 4)
      names += 8
    }
    store<u32>(address(row, STRETCH_FILLED) + (piece << 2), used)
    if (used > <u32>ROOT_MASK) {
      store<u32>(build + BUILD_TOO_LARGE, 1)
      return
    }
  }
  const gone = address(build, BUILD_GONE_ROOTS)
  for (let i: u32 = 0; i < load<u32>(build + BUILD_GONE_ROOT_COUNT); i++) {
    const row = gone + i * GONE_BYTES
    if (load<u32>(row + GONE_PART) !== piece) continue
    const to = load<u32>(row + GONE_TO)
    for (let at = load<u32>(row + GONE_FROM); at < to; at = nextRoot(address(build, BUILD_OLD_HEAP), at)) {
      keepRoot(build, piece, at, false)
    }
  }
  if (keeps) noteMoved(build)
  store<u32>(part + PART_USED, used)
  store<u32>(part + PART_ROOTS, roots)
}
