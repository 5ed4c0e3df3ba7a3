// Symbols of other tables to their places here: their columns are copies that are added to, and the chunks that hold them are found.

import {
  BUILD_COUNT,
  BUILD_LOW,
  BUILD_MOVE_COUNT,
  BUILD_MOVES,
  BUILD_PLACED,
  CHUNK_BITS,
  MOVE_BYTES,
  MOVE_FIRST,
  MOVE_GROUP,
  MOVE_SHIFT,
  MOVED_BAD,
  MOVED_CHUNK_COUNT,
  MOVED_DISTINCT,
  MOVED_HEAD,
} from '../constants'
import { address } from './build'

/** What is no count of ids. */
const UNSORTED: u32 = 0xffffffff

/** Makes all moves. There is one piece. */
export function moveIds(build: usize, _piece: u32, _thread: u32): void {
  const lows = address(build, BUILD_LOW)
  const moves = address(build, BUILD_MOVES)
  const moved = address(build, BUILD_PLACED)
  const count = load<u32>(build + BUILD_COUNT)
  const moveCount = load<u32>(build + BUILD_MOVE_COUNT)
  let chunk = moved + MOVED_HEAD
  let distinct: u32 = 0
  let last: u32 = 0
  store<u32>(moved + MOVED_BAD, 1)
  for (let move: u32 = 0; move < moveCount; move++) {
    const row = moves + move * MOVE_BYTES
    const first = load<u32>(row + MOVE_FIRST)
    const end = move + 1 < moveCount ? load<u32>(row + MOVE_BYTES + MOVE_FIRST) : count
    const equal = shiftRun(lows, first, end, load<u32>(row + MOVE_SHIFT))
    const low = load<u32>(lows + (first << 2))
    const begins = load<u32>(row + MOVE_GROUP) !== 0
    if (equal === UNSORTED || (low < last && !begins)) return
    distinct += end - first - equal
    let id = first
    if (!begins) {
      if (low === last) distinct--
      // The chunk is the one before's, too.
      if (low >> CHUNK_BITS === last >> CHUNK_BITS) id = nextChunk(lows, first, end)
    }
    for (; id < end; id = nextChunk(lows, id, end)) {
      store<u32>(chunk, load<u32>(lows + (id << 2)) >> CHUNK_BITS)
      store<u32>(chunk, id, 4)
      chunk += 8
    }
    last = load<u32>(lows + ((end - 1) << 2))
  }
  store<u32>(moved + MOVED_DISTINCT, distinct)
  store<u32>(moved + MOVED_CHUNK_COUNT, <u32>(chunk - moved - MOVED_HEAD) >> 3)
  store<u32>(moved + MOVED_BAD, 0)
}

/**
 * Adds `shift` to the addresses of the ids [first, end), of which none comes to another upper half than the others. Returns how many of
 * them are equal to the one before them; UNSORTED if one is below it.
 */
function shiftRun(lows: usize, first: u32, end: u32, shift: u32): u32 {
  let at = lows + (first << 2)
  const behind = lows + (end << 2)
  const shifts = i32x4.splat(shift)
  let equals = i32x4.splat(0)
  let above = i32x4.splat(0)
  for (; at + 16 < behind; at += 16) {
    const own = v128.load(at)
    const next = v128.load(at, 4)
    equals = i32x4.sub(equals, i32x4.eq(own, next))
    above = v128.or(above, i32x4.gt_u(own, next))
    v128.store(at, i32x4.add(own, shifts))
  }
  if (v128.any_true(above)) return UNSORTED
  let equal =
    i32x4.extract_lane(equals, 0) +
    i32x4.extract_lane(equals, 1) +
    i32x4.extract_lane(equals, 2) +
    i32x4.extract_lane(equals, 3)
  for (; at < behind; at += 4) {
    const own = load<u32>(at)
    if (at + 4 < behind) {
      if (own === load<u32>(at, 4)) equal++
      else if (own > load<u32>(at, 4)) return UNSORTED
    }
    store<u32>(at, own + shift)
  }
  return equal
}

/** The first of the ids (id, end) that lies in another chunk than `id`, of ascending ones; `end` if there is none. */
function nextChunk(lows: usize, id: u32, end: u32): u32 {
  const chunk = load<u32>(lows + (id << 2)) >> CHUNK_BITS
  let from = id + 1
  let step: u32 = 64
  while (from + step < end && load<u32>(lows + ((from + step) << 2)) >> CHUNK_BITS === chunk) {
    from += step + 1
    step <<= 1
  }
  let to = min(from + step, end)
  while (from < to) {
    const middle = (from + to) >> 1
    if (load<u32>(lows + (middle << 2)) >> CHUNK_BITS === chunk) from = middle + 1
    else to = middle
  }
  return from
}
