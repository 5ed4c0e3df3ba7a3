// The page index: see ../pages.ts.

import {
  BUILD_CELLS,
  BUILD_CHUNK_COUNT,
  BUILD_CHUNKS,
  BUILD_GROUP_COUNT,
  BUILD_GROUPS,
  BUILD_KIND,
  BUILD_LOW,
  CELL_BITS,
  CELL_STRIDE,
  CELL_UNSURE,
  CHUNK_SLICE,
  UNSURE,
} from '../constants'
import { address } from './build'

/** The first id of the group that an id belongs to. */
function groupFirst(build: usize, id: u32): u32 {
  const groups = address(build, BUILD_GROUPS)
  let from: u32 = 0
  let to = load<u32>(build + BUILD_GROUP_COUNT) - 1
  while (from < to) {
    const middle = (from + to + 1) >> 1
    if (load<u32>(groups + (middle << 3), 4) <= id) from = middle
    else to = middle - 1
  }
  return load<u32>(groups + (from << 3), 4)
}

/**
 * Counts the cells of the chunks of slice `piece`, and marks those in which an answer needs a second look. An end mark has none.
 */
export function countCells(build: usize, piece: u32, _thread: u32): void {
  const lows = address(build, BUILD_LOW)
  const kinds = address(build, BUILD_KIND)
  const chunks = address(build, BUILD_CHUNKS)
  const from = piece * CHUNK_SLICE
  const to = min(from + CHUNK_SLICE, load<u32>(build + BUILD_CHUNK_COUNT))
  for (let chunk = from; chunk < to; chunk++) {
    const cells = address(build, BUILD_CELLS) + chunk * CELL_STRIDE * 2
    if (load<u32>(chunks + (chunk << 3)) > 0xffff) {
      memory.fill(cells, 0, CELL_STRIDE * 2)
      continue
    }
    const first = load<u32>(chunks + (chunk << 3), 4)
    const end = load<u32>(chunks + (chunk << 3), 12)
    // The symbol before the cell answers the addresses before the cell's first symbol.
    const group = groupFirst(build, first)
    let unsure: u32 = first === group ? UNSURE : <u32>load<u8>(kinds + first - 1) & UNSURE
    let id = first
    for (let cell: u32 = 0; cell + 1 < <u32>CELL_STRIDE; cell++) {
      const entry = id - first
      while (id < end && (load<u32>(lows + (id << 2)) & 0xffff) >> CELL_BITS === cell) {
        unsure |= <u32>load<u8>(kinds + id) & UNSURE
        id++
      }
      store<u16>(cells + (cell << 1), unsure !== 0 ? entry | CELL_UNSURE : entry)
      unsure = id === group ? UNSURE : <u32>load<u8>(kinds + id - 1) & UNSURE
    }
    store<u16>(cells + ((CELL_STRIDE - 1) << 1), id - first)
  }
}
