// The order of a table: records by address, and at equal addresses as in the text.
//
// vmlinux arrives sorted, so its records are taken as they stand. The others are shared out into ranges of addresses, whose limits
// are addresses of a sample; each range is sorted by itself and merged with what of vmlinux lies in it.

import {
  BUILD_DIGITS,
  BUILD_KEYS,
  BUILD_KEYS_2,
  BUILD_KEYS_STRIDE,
  BUILD_ORDER,
  BUILD_RANGE_COUNTS,
  BUILD_RANGE_OF,
  BUILD_RANGE_STARTS,
  BUILD_RANGES,
  BUILD_REST_RECORD,
  BUILD_REST_STRETCH,
  BUILD_SORTED,
  BUILD_SPLITTERS,
  BUILD_STRETCH_COUNT,
  DIGIT_BITS,
  DIGITS_BYTES,
  KEY_BYTES,
  MOST_RANGES,
  RECORD_LOW,
  RECORD_OWNER,
  RECORD_SHIFT,
  RUN_FIRST,
  RUN_LENGTH,
  RUN_NAME,
  RUN_NUMBER,
  STRETCH_COUNT,
  STRETCH_RECORDS,
  STRETCH_REST,
  STRETCH_RUN_COUNT,
  STRETCH_RUNS,
} from '../constants'
import { address, stretchOf } from './build'

/** The first record of a stretch that is not of the sorted beginning. */
function restOf(build: usize, stretch: u32): u32 {
  const first = load<u32>(build + BUILD_REST_STRETCH)
  if (stretch < first) return load<u32>(stretchOf(build, stretch) + STRETCH_COUNT)
  return stretch === first ? load<u32>(build + BUILD_REST_RECORD) : 0
}

/** Gives the records of stretch `piece` their owners' numbers, and counts those to be sorted by the range they are in. */
export function countRanges(build: usize, piece: u32, _thread: u32): void {
  const row = stretchOf(build, piece)
  const records = address(row, STRETCH_RECORDS)
  const count = load<u32>(row + STRETCH_COUNT)
  let run = address(row, STRETCH_RUNS)
  const runs = load<u32>(row + STRETCH_RUN_COUNT)
  for (let r: u32 = 0; r < runs; r++) {
    const number = load<u32>(run + RUN_NUMBER)
    const next = run + RUN_NAME + ((load<u32>(run + RUN_LENGTH) + 3) & ~3)
    const end = r + 1 < runs ? load<u32>(next + RUN_FIRST) : count
    for (let i = load<u32>(run + RUN_FIRST); i < end; i++)
      store<u16>(records + (i << RECORD_SHIFT) + RECORD_OWNER, number)
    run = next
  }
  const ranges = load<u32>(build + BUILD_RANGES)
  const splitters = address(build, BUILD_SPLITTERS)
  const counts = address(build, BUILD_RANGE_COUNTS) + piece * MOST_RANGES * 4
  memory.fill(counts, 0, MOST_RANGES * 4)
  let rangeOf = address(build, BUILD_RANGE_OF) + load<u32>(row + STRETCH_REST)
  for (let i = restOf(build, piece); i < count; i++) {
    const key = load<u64>(records + (i << RECORD_SHIFT) + RECORD_LOW)
    // How many limits are at or below the address; the limits are filled up to 255 with the highest number.
    let range: u32 = 0
    for (let step: u32 = ranges >> 1; step > 0; step >>= 1) {
      range += select<u32>(step, 0, load<u64>(splitters + ((range + step - 1) << 3)) <= key)
    }
    store<u8>(rangeOf++, range)
    const at = counts + (range << 2)
    store<u32>(at, load<u32>(at) + 1)
  }
}

/** Turns the counts into places, stretch by stretch, and notes where each range begins. */
export function sumRanges(build: usize, _piece: u32, _thread: u32): void {
  const ranges = load<u32>(build + BUILD_RANGES)
  const stretches = load<u32>(build + BUILD_STRETCH_COUNT)
  const starts = address(build, BUILD_RANGE_STARTS)
  let sum: u32 = 0
  for (let range: u32 = 0; range < ranges; range++) {
    store<u32>(starts + (range << 2), sum)
    for (let s: u32 = 0; s < stretches; s++) {
      const at = address(build, BUILD_RANGE_COUNTS) + ((s * MOST_RANGES + range) << 2)
      const count = load<u32>(at)
      store<u32>(at, sum)
      sum += count
    }
  }
  store<u32>(starts + (ranges << 2), sum)
}

/** Writes the addresses of stretch `piece` that are to be sorted to their ranges. */
export function spread(build: usize, piece: u32, _thread: u32): void {
  const row = stretchOf(build, piece)
  const records = address(row, STRETCH_RECORDS)
  const count = load<u32>(row + STRETCH_COUNT)
  const keys = address(build, BUILD_KEYS)
  const places = address(build, BUILD_RANGE_COUNTS) + piece * MOST_RANGES * 4
  let rangeOf = address(build, BUILD_RANGE_OF) + load<u32>(row + STRETCH_REST)
  for (let i = restOf(build, piece); i < count; i++) {
    const record = records + (i << RECORD_SHIFT)
    const at = places + ((<u32>load<u8>(rangeOf++)) << 2)
    const place = load<u32>(at)
    store<u32>(at, place + 1)
    const key = keys + place * KEY_BYTES
    store<u64>(key, load<u64>(record + RECORD_LOW))
    store<u32>(key, <u32>record, 8)
  }
}

/** Sorts keys [from, to) by address, stable, and returns where they are then. Digits in which none differ are left out. */
function sortKeys(build: usize, from: u32, to: u32, thread: u32): usize {
  let source = address(build, BUILD_KEYS) + from * KEY_BYTES
  const stride = load<u32>(build + BUILD_KEYS_STRIDE)
  let target = address(build, BUILD_KEYS_2) + (stride === 0 ? from : thread * stride) * KEY_BYTES
  const digits = address(build, BUILD_DIGITS) + thread * DIGITS_BYTES
  const bytes = (to - from) * KEY_BYTES
  let varying: u64 = 0
  let falls = false
  let before = load<u64>(source)
  for (let at: u32 = KEY_BYTES; at < bytes; at += KEY_BYTES) {
    const key = load<u64>(source + at)
    varying |= key ^ before
    falls = falls || key < before
    before = key
  }
  if (!falls) return source
  const mask: u64 = (1 << DIGIT_BITS) - 1
  for (let shift: u64 = 0; shift < 64; shift += DIGIT_BITS) {
    if (((varying >> shift) & mask) === 0) continue
    memory.fill(digits, 0, DIGITS_BYTES)
    for (let at: u32 = 0; at < bytes; at += KEY_BYTES) {
      const digit = digits + ((<u32>((load<u64>(source + at) >> shift) & mask)) << 2)
      store<u32>(digit, load<u32>(digit) + 1)
    }
    let sum: u32 = 0
    for (let d: u32 = 0; d < <u32>DIGITS_BYTES; d += 4) {
      const count = load<u32>(digits + d)
      store<u32>(digits + d, sum)
      sum += count
    }
    for (let at: u32 = 0; at < bytes; at += KEY_BYTES) {
      const key = load<u64>(source + at)
      const digit = digits + ((<u32>((key >> shift) & mask)) << 2)
      const place = load<u32>(digit)
      store<u32>(digit, place + 1)
      store<u64>(target + place * KEY_BYTES, key)
      store<u32>(target + place * KEY_BYTES, load<u32>(source + at, 8), 8)
    }
    const swap = source
    source = target
    target = swap
  }
  return source
}

/** How many records of the sorted beginning have a lower address. */
function sortedBelow(build: usize, key: u64): u32 {
  const last = load<u32>(build + BUILD_REST_STRETCH)
  let below: u32 = 0
  for (let s: u32 = 0; s <= last && s < load<u32>(build + BUILD_STRETCH_COUNT); s++) {
    const records = address(stretchOf(build, s), STRETCH_RECORDS)
    const count = restOf(build, s)
    if (count === 0) continue
    if (load<u64>(records + ((count - 1) << RECORD_SHIFT) + RECORD_LOW) < key) {
      below += count
      continue
    }
    let from: u32 = 0
    let length = count
    while (length > 0) {
      const half = length >> 1
      if (load<u64>(records + ((from + half) << RECORD_SHIFT) + RECORD_LOW) < key) {
        from += half + 1
        length -= half + 1
      } else length = half
    }
    return below + from
  }
  return below
}

/** Writes the part of the order that lies in range `piece`. */
export function sortRange(build: usize, piece: u32, thread: u32): void {
  const splitters = address(build, BUILD_SPLITTERS)
  const starts = address(build, BUILD_RANGE_STARTS)
  const from = load<u32>(starts + (piece << 2))
  const to = load<u32>(starts + (piece << 2), 4)
  let sorted: u32 = piece === 0 ? 0 : sortedBelow(build, load<u64>(splitters + ((piece - 1) << 3)))
  const last = piece + 1 === load<u32>(build + BUILD_RANGES)
  const sortedEnd = last ? load<u32>(build + BUILD_SORTED) : sortedBelow(build, load<u64>(splitters + (piece << 3)))
  let key = from < to ? sortKeys(build, from, to, thread) : 0
  const keysEnd = key + (to - from) * KEY_BYTES
  let out = address(build, BUILD_ORDER) + ((from + sorted) << 2)
  // The stretch in which the next record of the sorted beginning is.
  let stretch: u32 = 0
  let before: u32 = 0
  while (sorted < sortedEnd) {
    const count = restOf(build, stretch)
    if (before + count <= sorted) {
      before += count
      stretch++
      continue
    }
    const records = address(stretchOf(build, stretch), STRETCH_RECORDS)
    const end = min(count, sortedEnd - before)
    for (let i = sorted - before; i < end; i++) {
      const record = records + (i << RECORD_SHIFT)
      const value = load<u64>(record + RECORD_LOW)
      for (; key < keysEnd && load<u64>(key) < value; key += KEY_BYTES) {
        store<u32>(out, load<u32>(key, 8))
        out += 4
      }
      store<u32>(out, <u32>record)
      out += 4
    }
    sorted = before + end
  }
  for (; key < keysEnd; key += KEY_BYTES) {
    store<u32>(out, load<u32>(key, 8))
    out += 4
  }
}
