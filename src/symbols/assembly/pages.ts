// The page index: see ../pages.ts.

import { UNSURE } from './kinds'

const CELL_BITS: u32 = 9
const CELL_STRIDE: u32 = 129
const CELL_UNSURE: u32 = 0x8000
const CELL_COUNT: u32 = 0x7fff

/** Counts the cells of chunks [from, to) of the page index; an end mark has none. */
export function countCells(low: usize, chunks: usize, from: u32, to: u32, cells: usize): void {
  for (let chunk = from; chunk < to; chunk++) {
    if (load<u32>(chunks + (chunk << 3)) > 0xffff) continue
    const first = load<u32>(chunks + (chunk << 3), 4)
    const end = load<u32>(chunks + (chunk << 3), 12)
    const at = cells + chunk * CELL_STRIDE * 2
    let id = first
    for (let cell: u32 = 0; cell < CELL_STRIDE; cell++) {
      while (id < end && (load<u32>(low + (id << 2)) & 0xffff) >> CELL_BITS < cell) id++
      store<u16>(at + (cell << 1), id - first)
    }
  }
}

/** Marks the cells of chunks [from, to), all of one group, in which an answer needs a second look. */
export function markCells(chunks: usize, cells: usize, kind: usize, from: u32, to: u32, firstId: u32): void {
  for (let chunk = from; chunk < to; chunk++) {
    const first = load<u32>(chunks + (chunk << 3), 4)
    const at = cells + chunk * CELL_STRIDE * 2
    for (let cell: u32 = 0; cell + 1 < CELL_STRIDE; cell++) {
      const entry = <u32>load<u16>(at + (cell << 1))
      const end = first + (<u32>load<u16>(at + (cell << 1), 2) & CELL_COUNT)
      let unsure = first + entry === firstId
      for (let id = first + entry - (unsure ? 0 : 1); id < end && !unsure; id++)
        unsure = (load<u8>(kind + id) & UNSURE) !== 0
      if (unsure) store<u16>(at + (cell << 1), entry | CELL_UNSURE)
    }
  }
}
