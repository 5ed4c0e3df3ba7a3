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

/** Makes all moves. There is one piece. */
export function moveIds(build: usize, _piece: u32, _thread: u32): void {
  const lows = address(build, BUILD_LOW)
  const moves = address(build, BUILD_MOVES)
  const moved = address(build, BUILD_PLACED)
  const count = load<u32>(build + BUILD_COUNT)
  const moveCount = load<u32>(build + BUILD_MOVE_COUNT)
  let chunk = moved + MOVED_HEAD
  let distinct: u32 = 0
  let bad: u32 = 0
  let last: u32 = 0
  for (let move: u32 = 0; move < moveCount; move++) {
    const row = moves + move * MOVE_BYTES
    const first = load<u32>(row + MOVE_FIRST)
    const end = move + 1 < moveCount ? load<u32>(row + MOVE_BYTES + MOVE_FIRST) : count
    const shift = load<u32>(row + MOVE_SHIFT)
    let begins = load<u32>(row + MOVE_GROUP) !== 0
    for (let id = first; id < end; id++) {
      const place = lows + (id << 2)
      const low = load<u32>(place) + shift
      store<u32>(place, low)
      if (low === last && !begins) continue
      if (low < last && !begins) bad = 1
      distinct++
      if (begins || low >> CHUNK_BITS !== last >> CHUNK_BITS) {
        store<u32>(chunk, low >> CHUNK_BITS)
        store<u32>(chunk, id, 4)
        chunk += 8
      }
      begins = false
      last = low
    }
  }
  store<u32>(moved + MOVED_DISTINCT, distinct)
  store<u32>(moved + MOVED_CHUNK_COUNT, <u32>(chunk - moved - MOVED_HEAD) >> 3)
  store<u32>(moved + MOVED_BAD, bad)
}
