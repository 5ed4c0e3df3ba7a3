// The first-level index over a group's addresses: from the upper bits of an address to the few symbols it can be, so that
// a search looks at two or three of them instead of seventeen.
//
// A group's addresses are cut into chunks of 64 KiB, and those that hold symbols into cells of 512 bytes. For every
// chunk of the group's span `directory` names the first populated chunk at or after it; a populated chunk has its number
// and first id in `chunks`, and in `cells` how many of its symbols lie before each cell. About a byte a symbol on
// real kernels; groups so sparse that it would cost more than MOST_BYTES a symbol have none and are searched plainly.

import { CELL_COUNT, CELL_STRIDE } from './constants.ts'

export { CELL_BITS, CELL_COUNT, CELL_STRIDE, CELL_UNSURE, CHUNK_BITS } from './constants.ts'

/** Words of a group's row in `groups`: see GROUP. */
export const GROUP_WORDS = 6
/** The words of a group's row; the last four are 0 where the group has no index. */
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

/**
 * The index of groups, given as pairs (upper half, first id), but for the cells, which the loops fill. `populated` has for each group
 * the pairs (chunk number, first id) of the chunks that hold symbols; `count` is the number of symbols.
 */
export function chunksOfPages(
  pairs: Uint32Array,
  populated: readonly Uint32Array[],
  count: number,
): Omit<PageIndex, 'cells'> {
  const groups = new Uint32Array((pairs.length / 2) * GROUP_WORDS)
  const directories: Uint16Array[] = []
  let directoryLength = 0
  let length = 0
  for (const own of populated) length += own.length + 2
  const chunks = new Uint32Array(length)
  let used = 0
  for (let g = 0; g < populated.length; g++) {
    const row = g * GROUP_WORDS
    const own = populated[g]!
    const first = pairs[2 * g + 1]!
    const end = 2 * g + 3 < pairs.length ? pairs[2 * g + 3]! : count
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
  const directory = new Uint16Array(directoryLength)
  let at = 0
  for (const each of directories) {
    directory.set(each, at)
    at += each.length
  }
  return { groups, directory, chunks: chunks.subarray(0, used) }
}

/** Whether no chunk of a group holds more symbols than its entries can count. */
function countable(populated: Uint32Array, end: number): boolean {
  for (let i = 1; i < populated.length; i += 2) {
    if ((i + 2 < populated.length ? populated[i + 2]! : end) - populated[i]! > CELL_COUNT) return false
  }
  return true
}
