// The loops that take parsed symbols over into the columns of a table that is being built.

import { ROOT_BITS, ROOT_MASK } from './layout.ts'
import type { ChunkColumns } from './parse.ts'
import { type RootHeap, rootLength, rootStart } from './roots.ts'

/** Symbols in the order of the text. */
export interface TableColumns {
  readonly high: Uint32Array
  readonly low: Uint32Array
  /** Prefix numbers and offsets of roots in the heap. */
  readonly name: Uint32Array
  readonly rootHash: Uint32Array
  readonly owner: Uint16Array
  readonly kind: Uint8Array
}

/** Words in which the lowest byte of a marker's hash finds the hash itself; 0 where there is none. */
export type MarkerHashes = Uint32Array

/** What `gather` works with beside the symbols. */
export interface Gathering {
  readonly table: TableColumns
  readonly roots: RootHeap
  /** The table's number of each owner of the chunk. */
  readonly numbers: Uint16Array
  readonly markers: MarkerHashes
  /** Gets the places in the chunk of core symbols that may be section markers. */
  readonly found: Uint32Array
  /** One word: the OR of all halves of addresses. */
  readonly seen: Uint32Array
}

/**
 * Takes symbols [from, to) of a chunk over as the table's from `count` on, for which there has to be room, and returns how
 * many of them are in `found`.
 */
export function gather(
  chunk: ChunkColumns,
  from: number,
  to: number,
  text: Uint8Array,
  { table, roots, numbers, markers, found, seen }: Gathering,
  count: number,
): number {
  const { high, low, kind, rootStart, rootLength, rootHash, prefix, owner } = chunk
  const { high: toHigh, low: toLow, kind: toKind, name: toName, rootHash: toHash, owner: toOwner } = table
  let at = count
  let marked = 0
  let address = 0
  for (let i = from; i < to; i++, at++) {
    const number = numbers[owner[i]!]!
    const hash = rootHash[i]!
    const family = prefix[i]!
    address |= high[i]! | low[i]!
    if (number === 0 && family === 0 && markers[hash & 0xff] === hash) found[marked++] = i
    toHigh[at] = high[i]!
    toLow[at] = low[i]!
    toKind[at] = kind[i]!
    toName[at] = (family << ROOT_BITS) | roots.add(text, rootStart[i]!, rootLength[i]!, hash)
    toHash[at] = hash
    toOwner[at] = number
  }
  seen[0]! |= address
  return marked
}

/** Takes names [from, to), whose roots are in another heap, over as those from `target` on; their hashes are there already. */
export function adopt(
  heap: Uint8Array,
  names: Uint32Array,
  from: number,
  to: number,
  target: number,
  table: TableColumns,
  roots: RootHeap,
): void {
  for (let i = from; i < to; i++) {
    const at = target + i - from
    const reference = names[i]!
    const place = reference & ROOT_MASK
    const root = roots.add(heap, rootStart(heap, place), rootLength(heap, place), table.rootHash[at]!)
    table.name[at] = ((reference >>> ROOT_BITS) << ROOT_BITS) | root
  }
}
