// Gathered symbols → the shared table: order, columns, page index, regions and name index, all laid out in one buffer.
// Yields between bounded pieces of work, about a millisecond each even before the code is compiled.

import { decodeName } from '../core/bytes.ts'
import { allocateSections } from '../core/sections.ts'
import { countLarge, type Extents, placeExtents, rangeWords } from './extents.ts'
import { flagSpecial } from './flags.ts'
import type { TableColumns } from './gather.ts'
import { COUNTS, ROOT_BITS, SYMBOL_LAYOUT, type SymbolColumns, symbolColumns, symbolSectionBytes } from './layout.ts'
import { nameBytes } from './lookup-names.ts'
import { fingerprint, nameHash } from './names.ts'
import { orderByAddress } from './order.ts'
import { CHUNK_BITS, indexPages, markPages } from './pages.ts'
import { type MarkerAddress, type ModuleMemory, regionsOf } from './regions.ts'
import { textStretches } from './text.ts'
import { halfWords, type Steps, type Workspace, words } from './workspace.ts'

/** What is known of the host beside the text. */
export interface BuildFacts {
  /** Memory of modules, where known; otherwise it is taken from the symbols' own addresses. */
  readonly ranges?: readonly ModuleMemory[]
  /** What symbols span, where they say so themselves; otherwise each reaches to the next as in a kernel. */
  readonly extents?: Extents
}

/** Symbols in the order of the text, as columns of which the first `count` entries count, and what goes with them. */
export interface Gathered extends TableColumns {
  readonly workspace: Workspace
  readonly count: number
  readonly heap: Uint8Array
  readonly owners: readonly string[]
  readonly ownerNumbers: ReadonlyMap<string, number>
  readonly markers: ReadonlyMap<string, MarkerAddress>
  readonly lines: number
  readonly badCount: number
  /** For at least `count` symbols. */
  readonly room: Room
}

/** Memory that assembling works in: columns by id, and by file position for the name index. */
export interface Room extends Pick<SymbolColumns, 'low' | 'kind' | 'name' | 'entries'> {
  /** The file position of every id. */
  readonly order: Uint32Array
  /** The id of every file position, and the hash of its name. */
  readonly ids: Uint32Array
  readonly hashes: Uint32Array
}

/** Room for `capacity` symbols. It is made ahead of its use, so that its memory can be touched ahead. */
export function roomFor(workspace: Workspace, capacity: number): Room {
  return {
    order: words(workspace, capacity),
    low: words(workspace, capacity),
    name: words(workspace, capacity),
    entries: words(workspace, capacity),
    ids: words(workspace, capacity),
    hashes: words(workspace, capacity),
    kind: workspace.allocate(capacity),
  }
}

/** The first `count` of everything. */
function cut({ order, low, name, entries, ids, hashes, kind }: Room, count: number): Room {
  return {
    order: order.subarray(0, count),
    low: low.subarray(0, count),
    name: name.subarray(0, count),
    entries: entries.subarray(0, count),
    ids: ids.subarray(0, count),
    hashes: hashes.subarray(0, count),
    kind: kind.subarray(0, count),
  }
}

/** Entries a bucket of the name index holds on average. */
const BUCKET_LOAD = 8

/** Makes the table's buffer. */
export function* assemble(gathered: Gathered, facts: BuildFacts): Steps<SharedArrayBuffer> {
  const { workspace, count, high, low, kind, owner, heap, owners: ownerNames, markers } = gathered
  const { loops, slice } = workspace
  const { extents, ranges = [] } = facts
  const room = cut(gathered.room, count)
  const order = yield* orderByAddress(workspace, high, low, room.order)
  const survey = beginSurvey(workspace, count)
  for (let from = 0; from < count; from += slice) {
    loops.placeIds(gathered, order, from, Math.min(count, from + slice), room, survey)
    yield
  }
  const { groups, chunks, runs } = surveyed(survey)
  const nameOf = (position: number): string => {
    const { prefix, start, end } = nameBytes({ name: gathered.name, heap }, position)
    return prefix + decodeName(Buffer.from(heap.buffer, heap.byteOffset, heap.byteLength), start, end)
  }
  const regions =
    extents !== undefined
      ? rangeWords(extents.ranges, (name) => gathered.ownerNumbers.get(name)!)
      : yield* regionsOf({ high, low, kind, owner, order, runs, owners: ownerNames, markers, nameOf }, groups, ranges)
  const pages = yield* indexPages(workspace, groups, chunks, room.low)
  const bucketBits = Math.max(4, Math.ceil(Math.log2(Math.max(1, count / BUCKET_LOAD))))
  const idBits = Math.ceil(Math.log2(Math.max(2, count)))
  const owners = Buffer.from(`${ownerNames.join('\0')}\0`, 'latin1')
  const lengths = symbolSectionBytes({
    symbols: count,
    pages,
    heapBytes: heap.length,
    ownerRuns: runs.start.length,
    ownerBytes: owners.length,
    bucketBits,
    regionWords: regions.length,
    sized: extents !== undefined,
    largeWords: extents === undefined ? 0 : countLarge(extents.sizes),
  })
  let { buffer, sections } = allocateSections(SYMBOL_LAYOUT, lengths)
  // Behind the head, which is written already.
  const touching = workspace.touch?.([new Uint8Array(buffer, sections[SYMBOL_LAYOUT.sections[0]!].offset)])
  // Columns that the loops write; the finished ones are copied into the table, which holds nothing else.
  const draft: Draft = {
    low: room.low,
    kind: room.kind,
    name: room.name,
    regions: words(workspace, regions.length),
    buckets: words(workspace, 2 ** bucketBits + 1),
    entries: room.entries,
  }
  draft.regions.set(regions)
  if (extents === undefined) yield* flagSpecial(workspace, draft, groups, runs)
  yield* markPages(loops, pages, draft.kind)
  yield* indexNames(gathered, draft, room, bucketBits, idBits)

  yield touching?.over
  if (touching?.givenUp === true) ({ buffer, sections } = allocateSections(SYMBOL_LAYOUT, lengths))
  const table = symbolColumns(buffer, sections)
  table.groups.set(pages.groups)
  table.directory.set(pages.directory)
  table.chunks.set(pages.chunks)
  table.cells.set(pages.cells)
  table.low.set(draft.low)
  table.kind.set(draft.kind)
  table.name.set(draft.name)
  yield
  table.heap.set(heap)
  table.ownerStart.set(runs.start)
  table.ownerOf.set(runs.owner)
  table.owners.set(owners)
  table.buckets.set(draft.buckets)
  table.entries.set(draft.entries)
  table.regions.set(regions)
  yield
  if (extents !== undefined) yield* placeExtents(table, order, extents.sizes)
  const { counts } = table
  counts[COUNTS.symbols] = count
  counts[COUNTS.groups] = groups.length / 2
  counts[COUNTS.owners] = ownerNames.length
  counts[COUNTS.ownerRuns] = runs.start.length
  counts[COUNTS.bucketBits] = bucketBits
  counts[COUNTS.idBits] = idBits
  counts[COUNTS.heapBytes] = heap.length
  counts[COUNTS.distinctAddresses] = survey.state[SURVEY.distinct]!
  counts[COUNTS.lines] = gathered.lines
  counts[COUNTS.badLines] = gathered.badCount
  counts[COUNTS.sized] = extents === undefined ? 0 : 1
  if (extents === undefined) counts.set(textStretches(markers, groups, room.low), COUNTS.text)
  return buffer
}

/** Columns of the table by id, and the name index, while the loops work on them. */
export type Draft = Pick<SymbolColumns, 'low' | 'kind' | 'name' | 'regions' | 'buckets' | 'entries'>

/** What a walk along the order finds: the groups that share an upper half, the runs of one owner. */
export interface Survey {
  /** For each group its upper half, its first id, and the place in `chunks` of its first chunk. */
  readonly groups: Uint32Array
  /** Pairs (chunk number, first id) of the chunks that hold symbols, group by group: see pages.ts. */
  readonly chunks: Uint32Array
  readonly runStart: Uint32Array
  readonly runOwner: Uint16Array
  /** See SURVEY. */
  readonly state: Uint32Array
}

/** The words of a survey's state: what the id before had, and how much of each there is. */
const SURVEY = {
  high: 0,
  low: 1,
  owner: 2,
  chunk: 3,
  /** Addresses that differ from the one before. */
  distinct: 4,
  groups: 5,
  chunks: 6,
  runs: 7,
  words: 8,
} as const
const GROUP_ENTRY = 3
/** No chunk has this number. */
const NO_CHUNK = 0xffff_ffff

function beginSurvey(workspace: Workspace, count: number): Survey {
  return {
    // Room for the worst: every address in a group of its own, every owner another than the one before.
    groups: words(workspace, GROUP_ENTRY * count),
    chunks: words(workspace, 2 * count),
    runStart: words(workspace, count),
    runOwner: halfWords(workspace, count),
    state: words(workspace, SURVEY.words),
  }
}

/** Places symbols as ids [from, to), and notes what changes from one to the next; they have to come in order. */
export function placeIds(
  { high, low, owner, kind, name }: TableColumns,
  order: Uint32Array,
  from: number,
  to: number,
  { low: toLow, kind: toKind, name: toName, ids }: Room,
  { groups, chunks, runStart, runOwner, state }: Survey,
): void {
  let lastHigh = state[SURVEY.high]!
  let lastLow = state[SURVEY.low]!
  let lastOwner = state[SURVEY.owner]!
  let chunk = state[SURVEY.chunk]!
  for (let id = from; id < to; id++) {
    const position = order[id]!
    const h = high[position]!
    const l = low[position]!
    const o = owner[position]!
    toLow[id] = l
    toKind[id] = kind[position]!
    toName[id] = name[position]!
    ids[position] = id
    if (l !== lastLow || h !== lastHigh || id === 0) {
      state[SURVEY.distinct]!++
      if (h !== lastHigh || id === 0) {
        const group = GROUP_ENTRY * state[SURVEY.groups]!++
        groups[group] = h
        groups[group + 1] = id
        groups[group + 2] = state[SURVEY.chunks]!
        chunk = NO_CHUNK
      }
      if (l >>> CHUNK_BITS !== chunk) {
        chunk = l >>> CHUNK_BITS
        const at = 2 * state[SURVEY.chunks]!++
        chunks[at] = chunk
        chunks[at + 1] = id
      }
      lastHigh = h
      lastLow = l
    }
    if (o !== lastOwner || id === 0) {
      const at = state[SURVEY.runs]!++
      runStart[at] = id
      runOwner[at] = o
      lastOwner = o
    }
  }
  state[SURVEY.high] = lastHigh
  state[SURVEY.low] = lastLow
  state[SURVEY.owner] = lastOwner
  state[SURVEY.chunk] = chunk
}

/** What a finished survey found, cut to length. Groups are pairs (upper half, first id); chunks stand group by group. */
function surveyed({ groups, chunks, runStart, runOwner, state }: Survey) {
  const count = state[SURVEY.groups]!
  const pairs = new Uint32Array(2 * count)
  const chunksOf: Uint32Array[] = []
  for (let g = 0; g < count; g++) {
    pairs[2 * g] = groups[GROUP_ENTRY * g]!
    pairs[2 * g + 1] = groups[GROUP_ENTRY * g + 1]!
    const end = g + 1 < count ? groups[GROUP_ENTRY * (g + 1) + 2]! : state[SURVEY.chunks]!
    chunksOf.push(chunks.subarray(2 * groups[GROUP_ENTRY * g + 2]!, 2 * end))
  }
  const runs = { start: runStart.subarray(0, state[SURVEY.runs]), owner: runOwner.subarray(0, state[SURVEY.runs]) }
  return { groups: pairs, chunks: chunksOf, runs }
}

/** What the name index is built from and with. */
export interface NameIndexing {
  /** The id of every file position, and the hash of its name. */
  readonly ids: Uint32Array
  readonly hashes: Uint32Array
  /** How far a hash is shifted for the number of its bucket. */
  readonly shift: number
  /** Bits of an entry that carry the fingerprint. */
  readonly fingerprintMask: number
}

/** Builds the name index: a counting sort by bucket, in file order inside each. */
function* indexNames(
  { workspace, count, name, rootHash }: Gathered,
  { buckets, entries }: Draft,
  { ids, hashes }: Room,
  bucketBits: number,
  idBits: number,
): Generator<void, void, void> {
  const { loops, slice } = workspace
  const indexing = {
    ids,
    hashes,
    shift: 32 - bucketBits,
    fingerprintMask: idBits === 32 ? 0 : 0xffffffff << idBits,
  }
  for (let from = 0; from < count; from += slice) {
    loops.countNames(name, rootHash, indexing, buckets, from, Math.min(count, from + slice))
    yield
  }
  const next = words(workspace, buckets.length)
  loops.sumCounts(buckets, next)
  yield
  for (let from = 0; from < count; from += slice) {
    loops.enterNames(entries, next, indexing, from, Math.min(count, from + slice))
    yield
  }
}

/** Hashes the names at file positions [from, to), and counts them by bucket. */
export function countNames(
  name: Uint32Array,
  rootHash: Uint32Array,
  { hashes, shift }: NameIndexing,
  buckets: Uint32Array,
  from: number,
  to: number,
): void {
  for (let i = from; i < to; i++) {
    const hash = nameHash(rootHash[i]!, name[i]! >>> ROOT_BITS)
    hashes[i] = hash
    buckets[(hash >>> shift) + 1]!++
  }
}

/** Turns the counts of buckets into running sums, in place and once more in `sums`. */
export function sumCounts(buckets: Uint32Array, sums: Uint32Array): void {
  let sum = 0
  for (let b = 0; b < buckets.length; b++) {
    sum += buckets[b]!
    buckets[b] = sum
    sums[b] = sum
  }
}

/** Enters the names at file positions [from, to) into their buckets. */
export function enterNames(
  entries: Uint32Array,
  next: Uint32Array,
  { ids, hashes, shift, fingerprintMask }: NameIndexing,
  from: number,
  to: number,
): void {
  for (let i = from; i < to; i++) {
    const hash = hashes[i]!
    entries[next[hash >>> shift]!++] = (fingerprint(hash) & fingerprintMask) | ids[i]!
  }
}
