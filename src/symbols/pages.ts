// The first-level index over a group's addresses: from the upper bits of an address to the few symbols it can be, so that
// a search looks at two or three of them instead of seventeen.
//
// A group's addresses are cut into chunks of 64 KiB, and those that hold symbols into cells of 512 bytes. For every
// chunk of the group's span `directory` names the first populated chunk at or after it; a populated chunk has its number
// and first id in `chunks`, and in `cells` how many of its symbols lie before each cell. About a byte a symbol on
// real kernels; groups so sparse that it would cost more than MOST_BYTES a symbol have none and are searched plainly.

import { UNSURE } from './kinds.ts'

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

/** Symbols worked on between two yields. */
const SLICE = 16_384
/** Chunks worked on between two yields: a few hundred symbols each at the most likely. */
const CHUNKS_A_SLICE = 64

/** Indexes the groups given as pairs (upper half, first id) over the table's `low` column of `count` symbols. */
export function* indexPages(pairs: Uint32Array, low: Uint32Array, count: number): Generator<void, PageIndex, void> {
  const groups = new Uint32Array((pairs.length / 2) * GROUP_WORDS)
  const directory: number[] = []
  const chunks: number[] = []
  for (let g = 0; g * 2 < pairs.length; g++) {
    const row = g * GROUP_WORDS
    const first = pairs[2 * g + 1]!
    const end = 2 * g + 3 < pairs.length ? pairs[2 * g + 3]! : count
    groups[row + GROUP.high] = pairs[2 * g]!
    groups[row + GROUP.firstId] = first
    const firstChunk = low[first]! >>> CHUNK_BITS
    const span = (low[end - 1]! >>> CHUNK_BITS) - firstChunk + 1
    const populated = yield* populatedChunks(low, first, end)
    if (populated === undefined || populated.length * CELL_STRIDE + 2 * span > MOST_BYTES * (end - first)) continue
    groups[row + GROUP.firstChunk] = firstChunk
    groups[row + GROUP.span] = span
    groups[row + GROUP.directory] = directory.length
    groups[row + GROUP.chunks] = chunks.length / 2
    let at = 0
    for (let chunk = firstChunk; chunk < firstChunk + span; chunk++) {
      while (populated[at]! < chunk) at += 2
      directory.push(at / 2)
    }
    for (const word of populated) chunks.push(word)
    chunks.push(END_MARK, end)
  }
  const cells = new Uint16Array((chunks.length / 2) * CELL_STRIDE)
  for (let c = 0; c + 2 < chunks.length; c += 2) {
    if (chunks[c] === END_MARK) continue
    countCells(low, chunks[c + 1]!, chunks[c + 3]!, cells, (c / 2) * CELL_STRIDE)
    if (c % CHUNKS_A_SLICE === 0) yield
  }
  return { groups, directory: Uint16Array.from(directory), chunks: Uint32Array.from(chunks), cells }
}

/** Pairs (chunk number, first id), or undefined if a chunk holds more symbols than its entries can count. */
function* populatedChunks(low: Uint32Array, first: number, end: number): Generator<void, number[] | undefined, void> {
  const pairs: number[] = []
  for (let from = first; from < end; from += SLICE) {
    noteChunks(low, from, Math.min(end, from + SLICE), pairs)
    yield
  }
  for (let i = 1; i < pairs.length; i += 2) {
    if ((i + 2 < pairs.length ? pairs[i + 2]! : end) - pairs[i]! > CELL_COUNT) return undefined
  }
  return pairs
}

function noteChunks(low: Uint32Array, from: number, to: number, pairs: number[]): void {
  let chunk = pairs.length === 0 ? -1 : pairs[pairs.length - 2]!
  for (let id = from; id < to; id++) {
    const number = low[id]! >>> CHUNK_BITS
    if (number === chunk) continue
    pairs.push(number, id)
    chunk = number
  }
}

function countCells(low: Uint32Array, first: number, end: number, cells: Uint16Array, at: number): void {
  let id = first
  for (let cell = 0; cell < CELL_STRIDE; cell++) {
    while (id < end && (low[id]! & 0xffff) >>> CELL_BITS < cell) id++
    cells[at + cell] = id - first
  }
}

/** Sets CELL_UNSURE in the cells where it has to be, once the symbols' own marks are final. */
export function* markCells(index: PageIndex, kind: Uint8Array): Generator<void, void, void> {
  const { groups, chunks } = index
  for (let row = 0; row < groups.length; row += GROUP_WORDS) {
    if (groups[row + GROUP.span] === 0) continue
    const firstId = groups[row + GROUP.firstId]!
    for (let chunk = groups[row + GROUP.chunks]!; chunks[2 * chunk] !== END_MARK; chunk++) {
      markChunk(index, kind, chunk, firstId)
      if (chunk % CHUNKS_A_SLICE === 0) yield
    }
    yield
  }
}

function markChunk({ chunks, cells }: PageIndex, kind: Uint8Array, chunk: number, firstId: number): void {
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
