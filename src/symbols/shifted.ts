// A table whose symbols are another's, moved by whole chunks: its page index is the other's but for the numbers of chunks, so that it is
// copied, and only what lies beside symbols that were left out is counted again. Each symbol costs one addition, and nothing is compiled for it.

import { borrowingTable } from './borrowing-table.ts'
import { LABEL, SPECIAL, UNSURE } from './kinds.ts'
import { COUNTS, type SymbolColumns } from './layout.ts'
import { behindAt, firstAt } from './locate.ts'
import { CELL_BITS, CELL_STRIDE, CELL_UNSURE, CHUNK_BITS, chunksOfPages, GROUP, GROUP_WORDS } from './pages.ts'
import type { GroupView } from './search.ts'

/** Ids [from, to). */
export interface Ids {
  readonly from: number
  readonly to: number
}

/** Symbols of one group that keep their distances. */
export interface ShiftedGroup {
  /** The group there. */
  readonly there: GroupView
  /** Those of its ids that are kept: at least one, ascending and apart. */
  readonly ids: readonly Ids[]
  /** The upper half of all their addresses here. */
  readonly half: number
  /** What is added to the lower halves, of which none leaves 32 bits by it: a multiple of CHUNK. */
  readonly by: number
}

/** What a table is made of. */
export interface ShiftedTable {
  /** The table that lends names: with names of its own, and without sizes. */
  readonly lender: SymbolColumns
  /** Ascending by `half`. */
  readonly groups: readonly ShiftedGroup[]
  /** The one owner of all symbols. */
  readonly owner: string
  /** The rows of `regions`: the lender's, but for those of other owners. */
  readonly regions: Uint32Array
  /** Ids there in whose memory, which is in no region here, others may have some. */
  readonly unsettled: Ids
  /** Why nothing is known of all other memory: see HOLE. */
  readonly hole: number
}

/** Addresses of a chunk. */
export const CHUNK = 2 ** CHUNK_BITS

/** A run of the lender's ids, and the first of them here. */
interface Run extends Ids {
  readonly here: number
}

const NONE = -1

/** A group's chunks that hold symbols. */
interface Chunks {
  /** Pairs: number, first id. */
  readonly pairs: number[]
  /** For each the lender's, of which it has all symbols unless some of its own are marked; NONE where the group has no index there. */
  readonly there: number[]
}

/** Makes the table's buffer. */
export function shiftedTable({ lender, groups, owner, regions, unsettled, hole }: ShiftedTable): SharedArrayBuffer {
  let count = 0
  const parts = groups.map((group) => {
    const first = count
    const runs = group.ids.map(({ from, to }): Run => {
      const here = count
      count += to - from
      return { from, to, here }
    })
    return { ...group, first, runs, chunks: chunksOf(lender, group, runs) }
  })
  const runs = parts.flatMap((part) => part.runs)
  // Symbols that lie side by side there and here borrow their names as one.
  const borrowed = runs.filter(({ from }, i) => from !== runs[i - 1]?.to).flatMap(({ from, here }) => [here, 0, from])
  const pages = chunksOfPages(
    Uint32Array.from(parts.flatMap(({ half, first }) => [half, first])),
    parts.map(({ chunks }) => Uint32Array.from(chunks.pairs)),
    count,
  )
  const { buffer, table } = borrowingTable({
    symbols: count,
    pages: { ...pages, cells: new Uint16Array((pages.chunks.length / 2) * CELL_STRIDE) },
    owners: [owner],
    ownerRuns: 1,
    regions,
    runs: borrowed,
    holes: new Map([[0, hole]]),
  })
  // V8 makes no objects of numbers of 32 bits with a sign.
  const there = signed(lender.low)
  const here = signed(table.low)
  let distinct = 0
  for (const part of parts) {
    for (const run of part.runs) {
      distinct += shift(there, run, part.by, here)
      // Between them were others of the same address.
      if (run.here > part.first && here[run.here] === here[run.here - 1]) distinct--
      table.kind.set(lender.kind.subarray(run.from, run.to), run.here)
    }
  }
  const marked = runs.flatMap((run) => marks(table, run, unsettled))
  for (const { from, to } of marked) for (let id = from; id < to; id++) table.kind[id]! |= SPECIAL
  parts.forEach(({ first, chunks }, g) => {
    const row = g * GROUP_WORDS
    if (pages.groups[row + GROUP.span] === 0) return
    chunks.there.forEach((there, i) => {
      const chunk = pages.groups[row + GROUP.chunks]! + i
      const from = pages.chunks[2 * chunk + 1]!
      const to = pages.chunks[2 * chunk + 3]!
      // The symbol before a chunk answers the addresses before its first.
      const isSame = there !== NONE && !marked.some((ids) => ids.from < to && ids.to >= from)
      const own = table.cells.subarray(chunk * CELL_STRIDE, (chunk + 1) * CELL_STRIDE)
      if (isSame) own.set(lender.cells.subarray(there * CELL_STRIDE, (there + 1) * CELL_STRIDE))
      else countCells(table, { from, to }, first, own)
    })
  })
  const { counts } = table
  counts[COUNTS.distinctAddresses] = distinct
  for (let word = COUNTS.text; word < COUNTS.text + 4; word++) counts[word] = placeOf(runs, lender.counts[word]!, count)
  return buffer
}

/** Where the first symbol is that is none of the lender's before `there`; 0 for 0, which says that there are none. */
function placeOf(runs: readonly Run[], there: number, count: number): number {
  if (there === 0) return 0
  const run = runs.find(({ to }) => there < to)
  return run === undefined ? count : run.here + Math.max(0, there - run.from)
}

const signed = ({ buffer, byteOffset, length }: Uint32Array) => new Int32Array(buffer, byteOffset, length)

/** Writes the lower halves of a run's addresses, with a number added to each. Gives how many are different. */
function shift(low: Int32Array, { from, to, here }: Run, by: number, column: Int32Array): number {
  let distinct = 1
  let last = low[from]!
  for (let id = from, at = here; id < to; id++, at++) {
    const value = low[id]!
    column[at] = value + by
    if (value !== last) distinct++
    last = value
  }
  return distinct
}

/** The chunks of a group that hold symbols. */
function chunksOf(
  { low, directory, chunks }: SymbolColumns,
  { there, by }: ShiftedGroup,
  runs: readonly Run[],
): Chunks {
  const pairs: number[] = []
  const sources: number[] = []
  const add = (number: number, id: number, source: number) => {
    if (pairs[pairs.length - 2] === number) return
    pairs.push(number, id)
    sources.push(source)
  }
  for (const { from, to, here } of runs) {
    if (there.span === 0) {
      for (let id = from; id < to; id++) add((low[id]! + by) >>> CHUNK_BITS, here + id - from, NONE)
      continue
    }
    const place = (low[from]! >>> CHUNK_BITS) - there.firstChunk
    // An end mark begins where its group ends, and no run goes on there.
    for (let chunk = there.chunks + directory[there.directory + place]!; chunks[2 * chunk + 1]! < to; chunk++) {
      add(chunks[2 * chunk]! + by / CHUNK, here + Math.max(0, chunks[2 * chunk + 1]! - from), chunk)
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
    for (; id < to && (low[id]! & (CHUNK - 1)) >>> CELL_BITS === cell; id++) unsure |= kind[id]! & UNSURE
    cells[cell] = unsure === 0 ? entry : entry | CELL_UNSURE
  }
  cells[CELL_STRIDE - 1] = id - from
}
