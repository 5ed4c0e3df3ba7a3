// The first-level index over a group's addresses: from the upper bits of an address to the few symbols it can be, so that
// a search looks at two or three of them instead of seventeen.
//
// A group's addresses are cut into chunks of 64 KiB, and those that hold symbols into cells of 512 bytes. For every
// chunk of the group's span `directory` names the first populated chunk at or after it; a populated chunk has its number
// and first id in `chunks`, and in `cells` how many of its symbols lie before each cell. About a byte a symbol on
// real kernels; groups so sparse that it would cost more than MOST_BYTES a symbol have none and are searched plainly.

import { UNSURE } from './kinds.ts'
import type { SymbolLoops } from './loops.ts'
import { halfWords, type Workspace, words } from './workspace.ts'

/** Address bits within a chunk, and within a cell. */
export const CHUNK_BITS = 16
export const CELL_BITS = 9
/** Entries a populated chunk has in `cells`: one a cell, and one more for the end of the last. */
export const CELL_STRIDE = (1 << (CHUNK_BITS - CELL_BITS)) + 1
/** Set in a cell's entry if an address in it may be answered by a symbol that needs a second look, or by none. */
export const CELL_UNSURE = 0x8000
export const CELL_COUNT = 0x7fff

/** Words of a group's row in `groups`: see GROUP. */
export const GROUP_WORDS = 6
/** What a group's row holds; the last four are 0 where the group has no index. */
export const GROUP = {
  /** The upper half that the group's addresses share, and its first id. */
  high: 0,
  firstId: 1,
  /** The first chunk's number, how many chunks the span has, where its directory and its populated chunks begin. */
  firstChunk: 2,
  span: 3,
  directory: 4,
  chunks: 5,
} as const

/** Bytes a symbol that the index may cost a group. */
const MOST_BYTES = 4

/** The index of all groups, laid out as sections. */
export interface PageIndex {
  readonly groups: Uint32Array
  readonly directory: Uint16Array
  /** Pairs: chunk number, first id. Behind a group's last one stands an end mark: a number beyond all, the end id. */
  readonly chunks: Uint32Array
  readonly cells: Uint16Array
}

/** A chunk number that no address has. */
const END_MARK = 1 << 16

/** Chunks worked on between two yields: a few hundred symbols each at the most likely. */
const CHUNKS_A_SLICE = 32

/**
 * Indexes groups, given as pairs (upper half, first id), over the table's `low` column. `populated` has for each group the
 * pairs (chunk number, first id) of the chunks that hold symbols.
 */
export function* indexPages(
  workspace: Workspace,
  pairs: Uint32Array,
  populated: readonly Uint32Array[],
  low: Uint32Array,
): Generator<void, PageIndex, void> {
  const groups = new Uint32Array((pairs.length / 2) * GROUP_WORDS)
  const directories: Uint16Array[] = []
  let directoryLength = 0
  let length = 0
  for (const own of populated) length += own.length + 2
  const chunks = words(workspace, length)
  let used = 0
  for (let g = 0; g < populated.length; g++) {
    const row = g * GROUP_WORDS
    const own = populated[g]!
    const first = pairs[2 * g + 1]!
    const end = 2 * g + 3 < pairs.length ? pairs[2 * g + 3]! : low.length
    groups[row + GROUP.high] = pairs[2 * g]!
    groups[row + GROUP.firstId] = first
    const firstChunk = own[0]!
    const span = own[own.length - 2]! - firstChunk + 1
    if (!countable(own, end) || (own.length / 2) * CELL_STRIDE * 2 + 2 * span > MOST_BYTES * (end - first)) continue
    groups[row + GROUP.firstChunk] = firstChunk
    groups[row + GROUP.span] = span
    groups[row + GROUP.directory] = directoryLength
    groups[row + GROUP.chunks] = used / 2
    const directory = new Uint16Array(span)
    for (let at = 0, from = 0; from < span; at += 2) {
      const end = own[at]! - firstChunk + 1
      directory.fill(at / 2, from, end)
      from = end
    }
    directories.push(directory)
    directoryLength += span
    chunks.set(own, used)
    used += own.length
    chunks[used++] = END_MARK
    chunks[used++] = end
  }
  const cells = halfWords(workspace, (used / 2) * CELL_STRIDE)
  for (let from = 0; from < used / 2; from += CHUNKS_A_SLICE) {
    workspace.loops.countCells(low, chunks, from, Math.min(used / 2, from + CHUNKS_A_SLICE), cells)
    yield
  }
  const directory = new Uint16Array(directoryLength)
  let at = 0
  for (const each of directories) {
    directory.set(each, at)
    at += each.length
  }
  return { groups, directory, chunks: chunks.subarray(0, used), cells }
}

/** Whether no chunk of a group holds more symbols than its entries can count. */
function countable(populated: Uint32Array, end: number): boolean {
  for (let i = 1; i < populated.length; i += 2) {
    if ((i + 2 < populated.length ? populated[i + 2]! : end) - populated[i]! > CELL_COUNT) return false
  }
  return true
}

/** Counts the cells of chunks [from, to); an end mark has none. */
export function countCells(low: Uint32Array, chunks: Uint32Array, from: number, to: number, cells: Uint16Array): void {
  for (let chunk = from; chunk < to; chunk++) {
    if (chunks[2 * chunk] === END_MARK) continue
    const first = chunks[2 * chunk + 1]!
    const end = chunks[2 * chunk + 3]!
    const at = chunk * CELL_STRIDE
    let id = first
    for (let cell = 0; cell < CELL_STRIDE; cell++) {
      while (id < end && (low[id]! & 0xffff) >>> CELL_BITS < cell) id++
      cells[at + cell] = id - first
    }
  }
}

/** Sets CELL_UNSURE in the cells where it has to be, once the symbols' own marks are final. */
export function* markPages(loops: SymbolLoops, index: PageIndex, kind: Uint8Array): Generator<void, void, void> {
  const { groups, chunks, cells } = index
  for (let row = 0; row < groups.length; row += GROUP_WORDS) {
    if (groups[row + GROUP.span] === 0) continue
    const firstId = groups[row + GROUP.firstId]!
    const first = groups[row + GROUP.chunks]!
    let end = first
    while (chunks[2 * end] !== END_MARK) end++
    for (let from = first; from < end; from += CHUNKS_A_SLICE) {
      loops.markCells(chunks, cells, kind, from, Math.min(end, from + CHUNKS_A_SLICE), firstId)
      yield
    }
  }
}

/** Marks the cells of chunks [from, to), all of the group that begins with id `firstId`. */
export function markCells(
  chunks: Uint32Array,
  cells: Uint16Array,
  kind: Uint8Array,
  from: number,
  to: number,
  firstId: number,
): void {
  for (let chunk = from; chunk < to; chunk++) {
    const first = chunks[2 * chunk + 1]!
    for (let cell = 0; cell + 1 < CELL_STRIDE; cell++) {
      const at = chunk * CELL_STRIDE + cell
      const end = first + (cells[at + 1]! & CELL_COUNT)
      let unsure = false
      // The symbol before the cell answers the addresses before the cell's first symbol.
      for (let id = first + cells[at]! - 1; id < end && !unsure; id++) {
        unsure = id < firstId || (kind[id]! & UNSURE) !== 0
      }
      if (unsure) cells[at]! |= CELL_UNSURE
    }
  }
}
