// A table made of others' symbols by giving them their places: nothing is parsed, named or hashed. Stretches of the lenders' ids become
// runs of ids here; only where stretches overlap are symbols looked at one by one.

import { joinAddress } from '../core/address.ts'
import { BadFormatError, LimitError } from '../core/errors.ts'
import { borrowingTable } from './borrowing-table.ts'
import { MOST_OWNERS } from './build.ts'
import type { MarkerAddress } from './claims.ts'
import {
  BUILD_COUNT,
  BUILD_LOW,
  BUILD_MOVE_COUNT,
  BUILD_MOVES,
  BUILD_PLACED,
  CHUNK_BITS,
  LENDER_BYTES,
  LENDER_REGION_WORDS,
  LENDER_REGIONS,
  LENDER_RUN_OWNER,
  LENDER_RUN_START,
  LENDER_RUNS,
  MOVE_BYTES,
  MOVE_FIRST,
  MOVE_GROUP,
  MOVE_HALF,
  MOVE_HALF_THERE,
  MOVE_LENDER,
  MOVE_LOW_THERE,
  MOVE_OWNER,
  MOVE_SHIFT,
  MOVE_THERE,
  MOVED_BAD,
  MOVED_CHUNK_COUNT,
  MOVED_DISTINCT,
  MOVED_HEAD,
} from './constants.ts'
import { COUNTS, openSymbolColumns, RUN_WORDS, runOf, type SymbolColumns } from './layout.ts'
import { claimedRanges, LENT_WORDS } from './lent-claims.ts'
import { MARKER_NAMES } from './loop-tables.ts'
import type { ModuleMemory } from './memory-range.ts'
import { indexPlaces, type Places, regionsOfPlaces } from './places.ts'
import { type GroupView, groupViews, upperBound } from './search.ts'
import type { SymbolTable } from './table.ts'
import { ALL_DONE, type Plan, type Workspace } from './workspace.ts'

/** Symbols of a lender that keep their distances: its ids [from, to), and the halves of what is added to their addresses, modulo 2^64. */
export interface PlacedPiece {
  readonly lender: number
  readonly from: number
  readonly to: number
  readonly high: number
  readonly low: number
  /** By its place in `owners`. */
  readonly owner: number
}

/** The pieces that a table is made of. */
export interface PlacedTable {
  /** The tables that lend names. They have their own names, and no sizes. */
  readonly lenders: readonly SymbolTable[]
  readonly pieces: readonly PlacedPiece[]
  /** Claims that lenders lend, by lender: rows as `lentClaims` gives them. */
  readonly claims?: readonly (Uint32Array | undefined)[]
  /** In the order of the kernel's text: the core first. */
  readonly owners: readonly string[]
  /** Memory of modules, also of those that have no symbols here. */
  readonly ranges: readonly ModuleMemory[]
  /** Where owners' memory begins and ends, as the rows of `regions`, where that is known; else it is found from symbols and ranges. */
  readonly regions?: Uint32Array | undefined
  /** Owners, by number, whose symbols are not known, and why: see HOLE. */
  readonly holes?: ReadonlyMap<number, number>
}

/** The core kernel's owner number. */
const CORE = 0
const HALF = 2 ** 32
/** Chunks that the addresses of one upper half are cut into. */
const CHUNKS_OF_GROUP = HALF / 2 ** CHUNK_BITS

/** A stretch of a lender's ids whose addresses share an upper half here. */
interface Stretch {
  readonly lender: number
  readonly from: number
  readonly to: number
  readonly owner: number
  readonly halfThere: number
  readonly half: number
  /** The number to add to lower halves, modulo 2^32. */
  readonly shift: number
  /** The lower halves of the first and the last address. */
  readonly start: number
  readonly last: number
}

/** Makes the table's buffer. @throws LimitError; BadFormatError if a lender's symbols do not ascend */
export function* placeTable(
  workspace: Workspace,
  { lenders, pieces, claims = [], owners, ranges, regions: known, holes }: PlacedTable,
): Plan<SharedArrayBuffer> {
  if (owners.length > MOST_OWNERS) throw new LimitError(`more than ${MOST_OWNERS} owners cannot be numbered in 16 bits`)
  const columns = lenders.map(({ buffer }) => openSymbolColumns(buffer))
  const lows = columns.map(({ low }) => low)
  const groupsOf = columns.map(groupViews)
  const cut: Stretch[] = []
  for (const piece of pieces) addStretches(piece, lows[piece.lender]!, groupsOf[piece.lender]!, cut)
  const stretches = apart(cut, lows)
  const count = stretches.reduce((sum, { from, to }) => sum + to - from, 0)
  const low = workspace.room(4 * count)
  const kind = workspace.room(count)
  const tellers = columns.map((told) => tellOf(workspace, told))
  const own = new Uint32Array(workspace.memory.buffer, low, count)
  const ownKinds = workspace.bytes(kind, count)
  const groups: number[] = []
  const moves = new Uint32Array((stretches.length * MOVE_BYTES) / 4)
  const runStart: number[] = []
  const runOwner: number[] = []
  const runs: number[] = []
  let id = 0
  let half = -1
  stretches.forEach(({ lender, from, to, owner, halfThere, half: ownHalf, shift }, i) => {
    const move = (i * MOVE_BYTES) / 4
    moves[move + MOVE_FIRST / 4] = id
    moves[move + MOVE_SHIFT / 4] = shift
    moves[move + MOVE_OWNER / 4] = owner
    moves[move + MOVE_HALF / 4] = ownHalf
    moves[move + MOVE_THERE / 4] = from
    moves[move + MOVE_HALF_THERE / 4] = halfThere
    moves[move + MOVE_LOW_THERE / 4] = lows[lender]![from]!
    moves[move + MOVE_LENDER / 4] = tellers[lender]!
    if (ownHalf !== half) {
      groups.push(ownHalf, id)
      moves[move + MOVE_GROUP / 4] = 1
      half = ownHalf
    }
    if (runOwner[runOwner.length - 1] !== owner) {
      runStart.push(id)
      runOwner.push(owner)
    }
    const row = runs.length - RUN_WORDS
    // Symbols that lie side by side there and here are one run.
    if (row < 0 || runs[row + 1] !== lender || runs[row + 2]! + id - runs[row]! !== from) runs.push(id, lender, from)
    own.set(lows[lender]!.subarray(from, to), id)
    ownKinds.set(columns[lender]!.kind.subarray(from, to), id)
    id += to - from
  })
  const firstOf = (stretch: number) => moves[(stretch * MOVE_BYTES + MOVE_FIRST) / 4]!
  const { chunks, distinct } = yield* move(workspace, { count, low, groups, moves })
  const places: Places = {
    count,
    low,
    kind,
    groups: Uint32Array.from(groups),
    chunks,
    runs: { start: Uint32Array.from(runStart), owner: Uint16Array.from(runOwner) },
  }
  const runWords = Uint32Array.from(runs)
  const nameOf = (id: number) => {
    const row = runOf(runWords, id)
    return lenders[runWords[row + 1]!]!.nameOf(id - runWords[row]! + runWords[row + 2]!)
  }
  let regions = known
  if (regions === undefined) {
    const ownerNumbers = new Map(owners.map((name, number) => [name, number]))
    const told = { owners, ownerNumbers, markers: markersOf(lenders, pieces), nameOf }
    const lent = claims.map((rows) => rows && { address: workspace.copy(rows), count: rows.length / LENT_WORDS })
    const claimed = claimedRanges(stretches, CORE, lent)
    regions = (yield* regionsOfPlaces(workspace, places, told, ranges, undefined, false, undefined, claimed)).words
  }
  const { pages, cells } = yield* indexPlaces(workspace, places, regions, 'markMoved')
  yield ALL_DONE

  const { buffer, table } = borrowingTable({
    symbols: count,
    pages: { ...pages, cells },
    owners,
    ownerRuns: places.runs.start.length,
    regions,
    runs: runWords,
    holes: holes ?? new Map(),
  })
  table.low.set(own)
  table.kind.set(ownKinds)
  table.ownerStart.set(places.runs.start)
  table.ownerOf.set(places.runs.owner)
  const { counts } = table
  counts[COUNTS.distinctAddresses] = distinct
  for (let range = COUNTS.text; range < COUNTS.text + 4; range += 2) {
    counts.set(textOf(stretches, firstOf, columns, range), range)
  }
  return buffer
}

/** Tells the loops of a table that lends symbols. */
function tellOf(workspace: Workspace, { regions, ownerStart, ownerOf }: SymbolColumns): number {
  const words = new Uint32Array(LENDER_BYTES / 4)
  words[LENDER_REGIONS / 4] = workspace.copy(regions)
  words[LENDER_REGION_WORDS / 4] = regions.length
  words[LENDER_RUN_START / 4] = workspace.copy(ownerStart)
  words[LENDER_RUN_OWNER / 4] = workspace.copy(ownerOf)
  words[LENDER_RUNS / 4] = ownerStart.length
  return workspace.copy(words)
}

/** Where ids of the core's text are that stand in two words of its lender's counts. */
function textOf(
  stretches: readonly Stretch[],
  firstOf: (stretch: number) => number,
  columns: readonly SymbolColumns[],
  range: number,
): [number, number] {
  let begin = Number.POSITIVE_INFINITY
  let end = 0
  stretches.forEach(({ lender, from, to, owner }, i) => {
    if (owner !== CORE) return
    const { counts } = columns[lender]!
    const first = Math.max(from, counts[range]!)
    const last = Math.min(to, counts[range + 1]!)
    if (first >= last) return
    begin = Math.min(begin, firstOf(i) + first - from)
    end = Math.max(end, firstOf(i) + last - from)
  })
  return end === 0 ? [0, 0] : [begin, end]
}

/** Adds a piece's stretches, cut where an upper half ends there or here. */
function addStretches(piece: PlacedPiece, low: Uint32Array, groups: readonly GroupView[], stretches: Stretch[]): void {
  const { from, to, high: upper, low: shift } = piece
  for (let g = 0; g < groups.length; g++) {
    const { half, first, end } = groups[g]!
    const begin = Math.max(from, first)
    const stop = Math.min(to, end)
    if (begin >= stop) continue
    // Ids from here on come to the next upper half.
    const isCarried = low[stop - 1]! + shift >= HALF
    const carried = isCarried ? upperBound(low, begin, stop, HALF - shift - 1) : stop
    addStretch(piece, half, begin, carried, half + upper, low, stretches)
    addStretch(piece, half, carried, stop, half + upper + 1, low, stretches)
  }
}

function addStretch(
  { lender, owner, low: shift }: PlacedPiece,
  halfThere: number,
  from: number,
  to: number,
  half: number,
  low: Uint32Array,
  stretches: Stretch[],
): void {
  if (from >= to) return
  const start = (low[from]! + shift) % HALF
  const last = (low[to - 1]! + shift) % HALF
  stretches.push({ lender, from, to, owner, halfThere, half: half % HALF, shift, start, last })
}

/** The same symbols in table order, in stretches that do not overlap. */
function apart(stretches: Stretch[], lows: readonly Uint32Array[]): Stretch[] {
  stretches.sort((a, b) => a.half - b.half || a.start - b.start || a.owner - b.owner || a.from - b.from)
  const result: Stretch[] = []
  for (let i = 0; i < stretches.length; ) {
    const first = stretches[i]!
    let { last, owner } = first
    let end = i + 1
    for (; end < stretches.length; end++) {
      const next = stretches[end]!
      // At equal addresses the order is that of the text.
      if (next.half !== first.half || next.start > last || (next.start === last && next.owner >= owner)) break
      if (next.last >= last) ({ last, owner } = next)
    }
    if (end === i + 1) result.push(first)
    else for (const stretch of merged(stretches.slice(i, end), lows)) result.push(stretch)
    i = end
  }
  return result
}

/** Overlapping stretches, symbol by symbol. */
function merged(stretches: readonly Stretch[], lows: readonly Uint32Array[]): Stretch[] {
  const symbols = stretches.flatMap(({ lender, from, to, owner, shift }, number) => {
    const low = lows[lender]!
    return Array.from({ length: to - from }, (_, i) => ({
      at: (low[from + i]! + shift) % HALF,
      owner,
      number,
      id: from + i,
    }))
  })
  symbols.sort((a, b) => a.at - b.at || a.owner - b.owner || a.number - b.number || a.id - b.id)
  const result: Stretch[] = []
  for (let i = 0; i < symbols.length; ) {
    const { number, id, at } = symbols[i]!
    let end = i + 1
    while (end < symbols.length && symbols[end]!.number === number && symbols[end]!.id === id + end - i) end++
    result.push({ ...stretches[number]!, from: id, to: id + end - i, start: at, last: symbols[end - 1]!.at })
    i = end
  }
  return result
}

/** The input of a move: a column in a workspace, pairs (upper half, first id), and rows of moves. */
interface Moved {
  readonly count: number
  readonly low: number
  readonly groups: readonly number[]
  readonly moves: Uint32Array
}

/** Makes the moves. Gives each group's chunks that hold symbols, as pairs (number, first id), and how many addresses are different. */
function* move(
  workspace: Workspace,
  { count, low, groups, moves }: Moved,
): Plan<{ readonly chunks: readonly Uint32Array[]; readonly distinct: number }> {
  const most = Math.min(count, (groups.length / 2) * CHUNKS_OF_GROUP)
  const moved = workspace.room(MOVED_HEAD + 8 * most)
  workspace.set(BUILD_COUNT, count)
  workspace.set(BUILD_LOW, low)
  workspace.set(BUILD_MOVES, workspace.copy(moves))
  workspace.set(BUILD_MOVE_COUNT, (moves.length * 4) / MOVE_BYTES)
  workspace.set(BUILD_PLACED, moved)
  yield { step: 'moveIds', from: 0, to: 1 }
  const word = (offset: number) => workspace.words[(moved + offset) >>> 2]!
  if (word(MOVED_BAD) !== 0) throw new BadFormatError('the symbols of a book are not in order: it is damaged')
  const pairs = new Uint32Array(workspace.memory.buffer, moved + MOVED_HEAD, 2 * word(MOVED_CHUNK_COUNT))
  const chunks: Uint32Array[] = []
  for (let group = 0, from = 0; group < groups.length; group += 2) {
    const end = groups[group + 3] ?? count
    let to = from
    while (to < pairs.length && pairs[to + 1]! < end) to += 2
    chunks.push(pairs.subarray(from, to))
    from = to
  }
  return { chunks, distinct: word(MOVED_DISTINCT) }
}

/** Where the core's section markers are now. */
function markersOf(lenders: readonly SymbolTable[], pieces: readonly PlacedPiece[]): Map<string, MarkerAddress> {
  const core = pieces.filter(({ owner }) => owner === CORE)
  const markers = new Map<string, MarkerAddress>()
  for (const name of MARKER_NAMES) {
    for (const { lender, from, to, high, low } of core) {
      const found = lenders[lender]!.named(name).find(({ id }) => id >= from && id < to)
      if (found === undefined) continue
      const address = BigInt.asUintN(64, found.address + joinAddress(high, low))
      markers.set(name, { high: Number(address >> 32n), low: Number(address & 0xffff_ffffn) })
      break
    }
  }
  return markers
}
