// A table of some of another table's symbols, with names of its own: nothing is found anew. Its page index is the other's, and only what lies
// beside symbols that were left out is counted again.

import { allocateSections } from '../core/sections.ts'
import { LABEL, SPECIAL, UNSURE } from './kinds.ts'
import {
  COUNTS,
  ROOT_MASK,
  rootLength,
  rootStart,
  SYMBOL_LAYOUT,
  type SymbolColumns,
  symbolColumns,
  symbolSectionBytes,
} from './layout.ts'
import { behindAt, firstAt } from './locate.ts'
import { CELL_BITS, CELL_STRIDE, CELL_UNSURE, CHUNK_BITS, chunksOfPages, GROUP, GROUP_WORDS } from './pages.ts'
import type { GroupView } from './search.ts'

/** Ids [from, to). */
export interface Ids {
  readonly from: number
  readonly to: number
}

/** The symbols of one group that are kept. */
export interface CutGroup {
  /** The group there. */
  readonly there: GroupView
  /** At least one, ascending and apart. */
  readonly ids: readonly Ids[]
}

/** What a table is made of. */
export interface CutTable {
  /** The table that has all symbols: without sizes, and with names of its own. */
  readonly whole: SymbolColumns
  /** Ascending by upper halves. */
  readonly groups: readonly CutGroup[]
  /** The one owner of all symbols. */
  readonly owner: string
  /** The rows of `regions`. */
  readonly regions: Uint32Array
  /** Ids there in whose memory, which is in no region here, others may have some. */
  readonly unsettled: Ids
  /** Why nothing is known of all other memory: see HOLE. */
  readonly hole: number
}

/** A run of ids of the whole table, and the first of them here. */
interface Run extends Ids {
  readonly here: number
}

const NONE = -1

/** A group's chunks that hold symbols. */
interface Chunks {
  /** Pairs: number, first id. */
  readonly pairs: number[]
  /** For each the whole table's, of which it has all symbols unless some of its own are marked; NONE where the group has no index there. */
  readonly there: number[]
}

/** Symbols between two yields, and buckets, which hold eight: some tenths of a millisecond. */
const SLICE = 8_192
const BUCKETS = SLICE / 8

/** Makes the table's buffer. Yields between bounded pieces of work. */
export function* cutTable({
  whole,
  groups,
  owner,
  regions,
  unsettled,
  hole,
}: CutTable): Generator<void, SharedArrayBuffer, void> {
  let count = 0
  const parts = groups.map(({ there, ids }) => {
    const first = count
    const runs = ids.map(({ from, to }): Run => {
      const here = count
      count += to - from
      return { from, to, here }
    })
    return { half: there.half, first, runs, chunks: chunksOf(whole, there, runs) }
  })
  const runs = parts.flatMap((part) => part.runs)
  const pages = chunksOfPages(
    Uint32Array.from(parts.flatMap(({ half, first }) => [half, first])),
    parts.map(({ chunks }) => Uint32Array.from(chunks.pairs)),
    count,
  )
  const cells = new Uint16Array((pages.chunks.length / 2) * CELL_STRIDE)
  const { name, heap } = yield* namesOf(whole, runs, count)
  const owners = Buffer.from(`${owner}\0`, 'latin1')
  const { buffer, sections } = allocateSections(
    SYMBOL_LAYOUT,
    symbolSectionBytes({
      symbols: count,
      pages: { ...pages, cells },
      heapBytes: heap.length,
      ownerRuns: 1,
      ownerBytes: owners.length,
      bucketBits: whole.counts[COUNTS.bucketBits]!,
      regionWords: regions.length,
      sized: false,
      largeWords: 0,
      runWords: 0,
      holes: 1,
    }),
  )
  const table = symbolColumns(buffer, sections)
  table.groups.set(pages.groups)
  table.directory.set(pages.directory)
  table.chunks.set(pages.chunks)
  table.owners.set(owners)
  table.regions.set(regions)
  table.name.set(name)
  table.heap.set(heap)
  table.holes[0] = hole
  for (const { from, to, here } of runs) {
    table.low.set(whole.low.subarray(from, to), here)
    table.kind.set(whole.kind.subarray(from, to), here)
  }
  yield* indexNames(table, whole, runs)
  const marked = runs.flatMap((run) => marks(table, run, unsettled))
  for (const { from, to } of marked) for (let id = from; id < to; id++) table.kind[id]! |= SPECIAL
  for (const [g, { first, chunks }] of parts.entries()) {
    const row = g * GROUP_WORDS
    if (pages.groups[row + GROUP.span] === 0) continue
    chunks.there.forEach((there, i) => {
      const chunk = pages.groups[row + GROUP.chunks]! + i
      const from = pages.chunks[2 * chunk + 1]!
      const to = pages.chunks[2 * chunk + 3]!
      // The symbol before a chunk answers the addresses before its first.
      const isSame = there !== NONE && !marked.some((ids) => ids.from < to && ids.to >= from)
      const own = table.cells.subarray(chunk * CELL_STRIDE, (chunk + 1) * CELL_STRIDE)
      if (isSame) own.set(whole.cells.subarray(there * CELL_STRIDE, (there + 1) * CELL_STRIDE))
      else countCells(table, { from, to }, first, own)
    })
    yield
  }
  const { counts } = table
  counts[COUNTS.symbols] = count
  counts[COUNTS.groups] = parts.length
  counts[COUNTS.owners] = 1
  counts[COUNTS.ownerRuns] = 1
  counts[COUNTS.bucketBits] = whole.counts[COUNTS.bucketBits]!
  counts[COUNTS.idBits] = whole.counts[COUNTS.idBits]!
  counts[COUNTS.heapBytes] = heap.length
  counts[COUNTS.distinctAddresses] = parts.reduce((sum, { first, runs }) => sum + distinct(table, first, runs), 0)
  counts[COUNTS.lines] = count
  for (let word = COUNTS.text; word < COUNTS.text + 4; word++) counts[word] = placeOf(runs, whole.counts[word]!, count)
  return buffer
}

/** The references to names of the ids that are kept, and the roots that they lead to, without all others. */
function* namesOf(
  whole: SymbolColumns,
  runs: readonly Run[],
  count: number,
): Generator<void, { readonly name: Uint32Array; readonly heap: Uint8Array }, void> {
  const name = new Uint32Array(count)
  const heap = new Uint8Array(whole.heap.length)
  // By a root's place there: its place here, and one more.
  const places = new Uint32Array(whole.heap.length)
  let length = 0
  for (const { from, to, here } of runs) {
    for (let id = from; id < to; id++) {
      if ((id - from) % SLICE === SLICE - 1) yield
      const reference = whole.name[id]!
      const root = reference & ROOT_MASK
      if (places[root] === 0) {
        places[root] = length + 1
        const end = rootStart(whole.heap, root) + rootLength(whole.heap, root)
        // So few bytes each that a call would take longer.
        for (let at = root; at < end; at++) heap[length++] = whole.heap[at]!
      }
      name[here + id - from] = (reference & ~ROOT_MASK) | (places[root]! - 1)
    }
  }
  return { name, heap: heap.subarray(0, length) }
}

/** The index of names: the whole table's entries but for those of symbols that are not kept. */
function* indexNames(
  { buckets, entries }: SymbolColumns,
  whole: SymbolColumns,
  runs: readonly Run[],
): Generator<void, void, void> {
  const ids = new Int32Array(whole.low.length).fill(NONE)
  for (const { from, to, here } of runs) for (let id = from; id < to; id++) ids[id] = here + id - from
  const bits = whole.counts[COUNTS.idBits]!
  const mask = bits === 32 ? 0xffff_ffff : 2 ** bits - 1
  let count = 0
  for (let bucket = 0; bucket + 1 < buckets.length; bucket++) {
    if (bucket % BUCKETS === BUCKETS - 1) yield
    for (let i = whole.buckets[bucket]!; i < whole.buckets[bucket + 1]!; i++) {
      const entry = whole.entries[i]!
      const id = ids[(entry & mask) >>> 0]!
      if (id !== NONE) entries[count++] = (entry & ~mask) | id
    }
    buckets[bucket + 1] = count
  }
}

/** Where the first symbol is that is none of the whole table's before `there`; 0 for 0, which says that there are none. */
function placeOf(runs: readonly Run[], there: number, count: number): number {
  if (there === 0) return 0
  const run = runs.find(({ to }) => there < to)
  return run === undefined ? count : run.here + Math.max(0, there - run.from)
}

/** How many different addresses the symbols of a group have, whose first id is `first`. */
function distinct({ low }: SymbolColumns, first: number, runs: readonly Run[]): number {
  const { here, from, to } = runs[runs.length - 1]!
  const end = here + to - from
  let count = 1
  for (let id = first + 1; id < end; id++) if (low[id] !== low[id - 1]) count++
  return count
}

/** The chunks of a group that hold symbols. */
function chunksOf({ low, directory, chunks }: SymbolColumns, there: GroupView, runs: readonly Run[]): Chunks {
  const pairs: number[] = []
  const sources: number[] = []
  const add = (number: number, id: number, source: number) => {
    if (pairs[pairs.length - 2] === number) return
    pairs.push(number, id)
    sources.push(source)
  }
  for (const { from, to, here } of runs) {
    if (there.span === 0) {
      for (let id = from; id < to; id++) add(low[id]! >>> CHUNK_BITS, here + id - from, NONE)
      continue
    }
    const place = (low[from]! >>> CHUNK_BITS) - there.firstChunk
    // An end mark begins where its group ends, and no run goes on there.
    for (let chunk = there.chunks + directory[there.directory + place]!; chunks[2 * chunk + 1]! < to; chunk++) {
      add(chunks[2 * chunk]!, here + Math.max(0, chunks[2 * chunk + 1]! - from), chunk)
    }
  }
  return { pairs, there: sources }
}

/**
 * The ids of a run that may need a second look here, where they need none there: those beside which symbols were left out, and those whose memory
 * is unsettled.
 */
function marks({ low, kind }: SymbolColumns, { from, to, here }: Run, unsettled: Ids): Ids[] {
  const end = here + to - from
  let named = here
  while (named < end - 1 && (kind[named]! & LABEL) !== 0) named++
  const last = firstAt(low, here, end - 1)
  const found = [
    { from: here, to: behindAt(low, end, named) },
    { from: last, to: end },
  ]
  const first = Math.max(from, unsettled.from)
  const behind = Math.min(to, unsettled.to)
  if (first < behind) found.push({ from: here + first - from, to: here + behind - from })
  return found
}

/** Counts the cells of a chunk with these ids, as the loops do (assembly/pages.ts). `first` is the group's first id. */
function countCells({ low, kind }: SymbolColumns, { from, to }: Ids, first: number, cells: Uint16Array): void {
  const unsureBefore = (id: number) => (id === first ? UNSURE : kind[id - 1]! & UNSURE)
  let id = from
  for (let cell = 0; cell < CELL_STRIDE - 1; cell++) {
    const entry = id - from
    let unsure = unsureBefore(id)
    for (; id < to && (low[id]! & CHUNK_OFFSET) >>> CELL_BITS === cell; id++) unsure |= kind[id]! & UNSURE
    cells[cell] = unsure === 0 ? entry : entry | CELL_UNSURE
  }
  cells[CELL_STRIDE - 1] = id - from
}

const CHUNK_OFFSET = 2 ** CHUNK_BITS - 1
