// Stretches → the shared table: roots, order, columns, page index, regions and name index, all laid out in one buffer. What runs over
// every symbol is a step of the loops; what is here goes over stretches, parts, ranges, groups and owners.

import { decodeName } from '../core/bytes.ts'
import { LimitError, NoPermissionError } from '../core/errors.ts'
import { allocateSections } from '../core/sections.ts'
import type { MarkerAddress } from './claims.ts'
import {
  BUILD_BUCKET_BITS,
  BUILD_BUCKETS,
  BUILD_COUNT,
  BUILD_ENTRIES,
  BUILD_ID_BITS,
  BUILD_IDS,
  BUILD_KEYS,
  BUILD_KEYS_2,
  BUILD_KEYS_STRIDE,
  BUILD_KIND,
  BUILD_LOW,
  BUILD_NAME,
  BUILD_ORDER,
  BUILD_PARTS,
  BUILD_PLACED,
  BUILD_RANGE_COUNTS,
  BUILD_RANGE_OF,
  BUILD_RANGE_STARTS,
  BUILD_RANGES,
  BUILD_REST_RECORD,
  BUILD_REST_STRETCH,
  BUILD_SEED,
  BUILD_SEED_2,
  BUILD_SLOTS,
  BUILD_SLOTS_BYTES,
  BUILD_SORTED,
  BUILD_SPLITTERS,
  BUILD_TOO_LARGE,
  FILTER_BYTES,
  KEY_BYTES,
  MOST_RANGES,
  PART_BASE,
  PART_BYTES,
  PART_COUNT,
  PART_FIRST,
  PART_HEAP,
  PART_ROOTS,
  PART_SORTED,
  PART_USED,
  PARTS,
  PLACED_BYTES,
  PLACED_CHUNK_COUNT,
  PLACED_DISTINCT,
  PLACED_GROUP_COUNT,
  PLACED_HEAD,
  PLACED_LIST,
  PLACED_RUN_COUNT,
  RECORD_HIGH,
  RECORD_LOW,
  RECORD_SHIFT,
  ROOT_MASK,
  SLICE_BITS,
  SPLITTER_BYTES,
  STRETCH_COUNT,
  STRETCH_END,
  STRETCH_FILLED,
  STRETCH_RECORDS,
  STRETCH_REST,
  STRETCH_SORTED,
  STRETCH_STREAMS,
} from './constants.ts'
import { countLarge, type Extents, placeExtents, rangeWords } from './extents.ts'
import { type Kept, keepSymbols, mergeOrder, samePlaces } from './keep.ts'
import {
  COUNTS,
  indexBits,
  openSymbolColumns,
  ROOT_BITS,
  rootLength,
  rootStart,
  SYMBOL_LAYOUT,
  symbolColumns,
  symbolSectionBytes,
} from './layout.ts'
import { MARKER_NAMES } from './loop-tables.ts'
import type { ModuleMemory } from './memory-range.ts'
import { PREFIXES } from './names.ts'
import { indexPlaces, type Places, regionsOfPlaces } from './places.ts'
import type { FoundRegions } from './regions.ts'
import type { RootPlaces } from './remembered.ts'
import { textStretches } from './text.ts'
import { ALL_DONE, type Plan, type StepPieces, type Workspace } from './workspace.ts'

/** The most values of the upper halves of addresses: kernels have a handful, and each costs as much as a thousand symbols. */
export const MOST_GROUPS = 65_536

/** What is known of the host beside the text. */
export interface BuildFacts {
  /** Memory of modules, where known; otherwise it is taken from the symbols' own addresses. */
  readonly ranges?: readonly ModuleMemory[]
  /** What symbols span, where they say so themselves; otherwise each reaches to the next as in a kernel. */
  readonly extents?: Extents
}

/** Stretches whose symbols are in records and streams, and what goes with them. */
export interface Gathered {
  readonly count: number
  readonly stretches: number
  /** The address of a stretch's row. */
  row(number: number): number
  readonly owners: readonly string[]
  readonly ownerNumbers: ReadonlyMap<string, number>
  /** By their numbers. */
  readonly markers: readonly (MarkerAddress | undefined)[]
  readonly lines: number
  readonly badCount: number
  /** Whether there are symbols, also among those left out, and the address of each is zero. */
  readonly allZero: boolean
  readonly facts: BuildFacts
  /** What is taken over of an earlier text. */
  readonly kept?: Kept | undefined
}

/** The table's buffer, by position in the text the id of each symbol, where roots are, and by what regions were found. */
export interface Assembled {
  readonly buffer: SharedArrayBuffer
  readonly ids: Uint32Array
  readonly roots: RootPlaces
  readonly regions: FoundRegions | undefined
}

/** Addresses of a sample, by which the others are shared out into ranges; and how many make ranges pay. */
const SAMPLE = 1023
const MANY = 4096

/** Makes the table's buffer. */
export function* assemble(workspace: Workspace, gathered: Gathered): Plan<Assembled> {
  const { count, stretches, owners: ownerNames, facts, kept } = gathered
  const { extents, ranges = [] } = facts
  if (extents === undefined && gathered.allZero) {
    throw new NoPermissionError(
      `every address is zero: the kernel hides them from this reader. Needed: kptr_restrict below 2 with CAP_SYSLOG, ` +
        'or kptr_restrict 0 with perf_event_paranoid at most 1 (both under /proc/sys/kernel)',
    )
  }
  const keptNames = kept === undefined ? new Uint32Array(PARTS) : yield* keepSymbols(workspace, gathered, kept)
  const roots = yield* enterRoots(workspace, gathered, keptNames)
  const heapBytes = roots.bases[PARTS]!
  const fresh = count - keptNames.reduce((sum, names) => sum + names, 0)
  yield* sort(workspace, gathered, fresh)
  if (kept !== undefined) yield* mergeOrder(workspace, gathered, kept, fresh)

  const slices = Math.ceil(count / 2 ** SLICE_BITS)
  const low = workspace.room(4 * count)
  const kind = workspace.room(count)
  const name = workspace.room(4 * count)
  workspace.set(BUILD_COUNT, count)
  workspace.set(BUILD_LOW, low)
  workspace.set(BUILD_KIND, kind)
  workspace.set(BUILD_NAME, name)
  workspace.set(BUILD_PLACED, workspace.room(PLACED_BYTES * slices))
  const ids = workspace.room(4 * count)
  workspace.set(BUILD_IDS, ids)
  yield { step: 'placeIds', from: 0, to: slices }
  yield { step: 'listIds', from: 0, to: stretches }
  workspace.free(workspace.get(BUILD_ORDER), 4 * fresh)

  const { bucketBits, idBits } = indexBits(count)
  const buckets = workspace.room(4 * (2 ** bucketBits + 1))
  const entries = workspace.room(4 * count)
  workspace.set(BUILD_BUCKET_BITS, bucketBits)
  workspace.set(BUILD_ID_BITS, idBits)
  workspace.set(BUILD_BUCKETS, buckets)
  workspace.set(BUILD_ENTRIES, entries)
  const { groups, chunks, runs, distinct } = placed(workspace, slices)
  if (groups.length / 2 > MOST_GROUPS) {
    throw new LimitError(`addresses in more than ${MOST_GROUPS} ranges of 4 GiB: no kernel is as scattered`)
  }
  yield

  const places: Places = { count, low, kind, groups, chunks, runs }
  const markers = new Map(
    gathered.markers.flatMap((marker, i) => (marker === undefined ? [] : [[MARKER_NAMES[i]!, marker] as const])),
  )
  const nameOf = (id: number) => nameIn(workspace, workspace.words[(name >>> 2) + id]!)
  const names: StepPieces = { step: 'enterNames', from: 0, to: PARTS }
  workspace.words[(buckets >>> 2) + 2 ** bucketBits] = count
  if (extents !== undefined) yield names
  const isSame = kept !== undefined && samePlaces(workspace, count, ownerNames, kept)
  const found =
    extents === undefined
      ? yield* regionsOfPlaces(
          workspace,
          places,
          { owners: ownerNames, ownerNumbers: gathered.ownerNumbers, markers, nameOf },
          ranges,
          kept?.earlier.regions,
          isSame,
          names,
        )
      : undefined
  const regions = found?.words ?? rangeWords(extents?.ranges ?? [], (owner) => gathered.ownerNumbers.get(owner)!)
  const known = isSame && found === kept.earlier.regions ? openSymbolColumns(kept.earlier.table) : undefined
  const { pages, cells } =
    known === undefined
      ? yield* indexPlaces(workspace, places, regions, extents === undefined ? 'flagIds' : undefined)
      : { pages: known, cells: known.cells }

  const owners = Buffer.from(`${ownerNames.join('\0')}\0`, 'latin1')
  const { buffer, sections } = allocateSections(
    SYMBOL_LAYOUT,
    symbolSectionBytes({
      symbols: count,
      pages: { ...pages, cells },
      heapBytes,
      ownerRuns: runs.start.length,
      ownerBytes: owners.length,
      bucketBits,
      regionWords: regions.length,
      sized: extents !== undefined,
      largeWords: extents === undefined ? 0 : countLarge(extents.sizes),
      runWords: 0,
      holes: 0,
    }),
  )
  const table = symbolColumns(buffer, sections)
  const take = (into: Uint32Array | Uint16Array | Uint8Array, address: number) => {
    const { buffer: to, byteOffset, byteLength } = into
    new Uint8Array(to, byteOffset, byteLength).set(workspace.bytes(address, byteLength))
  }
  table.groups.set(pages.groups)
  table.directory.set(pages.directory)
  table.chunks.set(pages.chunks)
  take(table.low, low)
  take(table.name, name)
  yield
  takeHeap(workspace, table.heap)
  yield
  table.ownerStart.set(runs.start)
  table.ownerOf.set(runs.owner)
  table.owners.set(owners)
  table.regions.set(regions)
  yield ALL_DONE
  table.cells.set(cells)
  if (known === undefined) take(table.kind, kind)
  else table.kind.set(known.kind)
  take(table.buckets, buckets)
  take(table.entries, entries)
  yield
  if (extents !== undefined) yield* placeExtents(table, positions(workspace, gathered), extents.sizes)
  const { counts } = table
  counts[COUNTS.symbols] = count
  counts[COUNTS.groups] = groups.length / 2
  counts[COUNTS.owners] = ownerNames.length
  counts[COUNTS.ownerRuns] = runs.start.length
  counts[COUNTS.bucketBits] = bucketBits
  counts[COUNTS.idBits] = idBits
  counts[COUNTS.heapBytes] = heapBytes
  counts[COUNTS.distinctAddresses] = distinct
  counts[COUNTS.lines] = gathered.lines
  counts[COUNTS.badLines] = gathered.badCount
  counts[COUNTS.sized] = extents === undefined ? 0 : 1
  if (extents === undefined) counts.set(textStretches(markers, groups, table.low), COUNTS.text)
  const remembered = new Uint32Array(count)
  remembered.set(new Uint32Array(workspace.memory.buffer, ids, count))
  return { buffer, ids: remembered, roots, regions: found }
}

/** Gives each part of the roots its heap. `keptNames`: how many names of each part are kept of an earlier table. @throws LimitError */
function* enterRoots(
  workspace: Workspace,
  { stretches, row, kept }: Gathered,
  keptNames: Uint32Array,
): Plan<RootPlaces> {
  const { words } = workspace
  const earlier = kept?.earlier.roots
  const names = new Uint32Array(PARTS)
  const bytes = new Float64Array(PARTS)
  for (let number = 0; number < stretches; number++) {
    const at = row(number)
    const streams = words[(at + STRETCH_STREAMS) >>> 2]! >>> 2
    for (let part = 0; part < PARTS; part++) {
      const end = part + 1 < PARTS ? words[streams + part + 1]! : words[(at + STRETCH_END) >>> 2]!
      names[part]! += words[streams + PARTS + part]!
      bytes[part]! += end - words[streams + part]!
    }
    if (number % 64 === 63) yield
  }
  const most = names.map((count, part) => count + (earlier?.counts[part] ?? 0))
  const parts = workspace.room(PARTS * PART_BYTES)
  const slots = Math.max(...Array.from(most, (count) => workspace.loops.slotsFor(count)))
  workspace.set(BUILD_PARTS, parts)
  workspace.set(BUILD_TOO_LARGE, 0)
  // Two tables of slots and a filter: see assembly/roots.ts.
  const slotsBytes = 16 * slots + FILTER_BYTES
  workspace.set(BUILD_SLOTS_BYTES, slotsBytes)
  workspace.set(BUILD_SLOTS, workspace.room(slotsBytes * workspace.threads))
  workspace.set(BUILD_SEED, SEEDS[0]!)
  workspace.set(BUILD_SEED_2, SEEDS[1]! | 1)
  const part = (i: number, field: number) => (parts + i * PART_BYTES + field) >>> 2
  let first = 0
  for (let i = 0; i < PARTS; i++) {
    const keptBytes = earlier === undefined ? 0 : earlier.bases[i + 1]! - earlier.bases[i]!
    const sorted = earlier === undefined ? 0 : workspace.room(8 * names[i]!)
    const heap = workspace.room(bytes[i]! + keptBytes + 16)
    const now = workspace.words
    now[part(i, PART_COUNT)] = names[i]!
    now[part(i, PART_ROOTS)] = most[i]!
    now[part(i, PART_SORTED)] = sorted
    now[part(i, PART_HEAP)] = heap
    now[part(i, PART_FIRST)] = first
    first += names[i]! + keptNames[i]!
  }
  yield { step: 'enterRoots', from: 0, to: PARTS }
  const now = workspace.words
  const bases = new Uint32Array(PARTS + 1)
  for (let i = 0; i < PARTS; i++) {
    now[part(i, PART_BASE)] = bases[i]!
    bases[i + 1] = bases[i]! + now[part(i, PART_USED)]!
  }
  if (workspace.get(BUILD_TOO_LARGE) === 1 || bases[PARTS]! > ROOT_MASK + 1) {
    throw new LimitError(`the names need more than ${ROOT_MASK + 1} bytes; load fewer symbols`)
  }
  if (earlier !== undefined) yield { step: 'settleRoots', from: 0, to: PARTS }
  const counts = Uint32Array.from({ length: PARTS }, (_, i) => now[part(i, PART_ROOTS)]!)
  const filled = new Uint32Array(PARTS * stretches)
  for (let number = 0; number < stretches; number++) {
    const at = now[(row(number) + STRETCH_FILLED) >>> 2]! >>> 2
    filled.set(now.subarray(at, at + PARTS), number * PARTS)
  }
  return { bases, counts, filled }
}

/** Nobody outside of this process knows them, so nobody can make up names that are slow to tell apart. */
const SEEDS = Uint32Array.from({ length: 2 }, () => Math.random() * 2 ** 32)

/** Copies the heaps of all parts, one behind the other. */
function takeHeap(workspace: Workspace, heap: Uint8Array): void {
  const parts = workspace.get(BUILD_PARTS)
  const { words } = workspace
  for (let i = 0; i < PARTS; i++) {
    const at = (parts + i * PART_BYTES) >>> 2
    const bytes = workspace.bytes(words[at + PART_HEAP / 4]!, words[at + PART_USED / 4]!)
    heap.set(bytes, words[at + PART_BASE / 4]!)
  }
}

/** Writes the addresses of the `count` records in the order of the table. */
function* sort(workspace: Workspace, { stretches, row }: Gathered, count: number): Plan<void> {
  const { words } = workspace
  const get = (number: number, field: number) => words[(row(number) + field) >>> 2]!
  const key = (number: number, record: number) => {
    const at = (get(number, STRETCH_RECORDS) + (record << RECORD_SHIFT)) >>> 2
    return (BigInt(words[at + RECORD_HIGH / 4]!) << 32n) | BigInt(words[at + RECORD_LOW / 4]!)
  }
  // The sorted beginning: whole stretches, and of the next one what ascends.
  let stretch = 0
  let record = 0
  let sorted = 0
  let last = 0n
  for (; stretch < stretches; stretch++) {
    const own = get(stretch, STRETCH_COUNT)
    if (own === 0) continue
    record = key(stretch, 0) >= last ? get(stretch, STRETCH_SORTED) : 0
    sorted += record
    if (record < own) break
    last = key(stretch, own - 1)
    record = 0
  }
  let rest = 0
  for (let number = 0; number < stretches; number++) {
    words[(row(number) + STRETCH_REST) >>> 2] = rest
    if (number >= stretch) rest += get(number, STRETCH_COUNT) - (number === stretch ? record : 0)
  }
  const ranges = rest < MANY ? 1 : MOST_RANGES
  const splitters = workspace.room(SPLITTER_BYTES * MOST_RANGES)
  const limits = new BigUint64Array(workspace.memory.buffer, splitters, MOST_RANGES).fill(0xffff_ffff_ffff_ffffn)
  if (ranges > 1) {
    const sample = new BigUint64Array(SAMPLE)
    let number = stretch
    for (let i = 0; i < SAMPLE; i++) {
      const place = Math.floor(((i + 0.5) * rest) / SAMPLE)
      while (number + 1 < stretches && get(number + 1, STRETCH_REST) <= place) number++
      sample[i] = key(number, place - get(number, STRETCH_REST) + (number === stretch ? record : 0))
    }
    sample.sort()
    for (let i = 1; i < ranges; i++) limits[i - 1] = sample[Math.floor((i * SAMPLE) / ranges)]!
  }
  workspace.set(BUILD_SORTED, sorted)
  workspace.set(BUILD_REST_STRETCH, stretch)
  workspace.set(BUILD_REST_RECORD, record)
  workspace.set(BUILD_SPLITTERS, splitters)
  workspace.set(BUILD_RANGES, ranges)
  workspace.set(BUILD_RANGE_COUNTS, workspace.room(4 * MOST_RANGES * stretches))
  workspace.set(BUILD_RANGE_STARTS, workspace.room(4 * (MOST_RANGES + 1)))
  workspace.set(BUILD_KEYS, workspace.room(KEY_BYTES * rest))
  workspace.set(BUILD_RANGE_OF, workspace.room(rest))
  workspace.set(BUILD_ORDER, workspace.room(4 * count))
  yield { step: 'countRanges', from: 0, to: stretches }
  yield { step: 'sumRanges', from: 0, to: 1 }
  yield { step: 'spread', from: stretch, to: stretches }
  // A thread needs as much room again as the largest range takes, which is less than all have together but for odd addresses.
  const starts = new Uint32Array(workspace.memory.buffer, workspace.get(BUILD_RANGE_STARTS), ranges + 1)
  const most = starts.reduce((most, start, i) => Math.max(most, start - (starts[i - 1] ?? 0)), 0)
  const isApart = most * workspace.threads < rest
  workspace.set(BUILD_KEYS_STRIDE, isApart ? most : 0)
  workspace.set(BUILD_KEYS_2, workspace.room(KEY_BYTES * (isApart ? most * workspace.threads : rest)))
  yield { step: 'sortRange', from: 0, to: ranges }
  workspace.free(workspace.get(BUILD_KEYS), KEY_BYTES * rest)
}

/** What the slices of ids found, put together: pairs of groups; of each group the pairs of its chunks; runs of owners. */
function placed(workspace: Workspace, slices: number) {
  const { words } = workspace
  const lists = (field: number, list: number) =>
    Array.from({ length: slices }, (_, slice) => {
      const at = workspace.get(BUILD_PLACED) + slice * PLACED_BYTES
      const from = (at + PLACED_HEAD + list * PLACED_LIST) >>> 2
      return words.subarray(from, from + 2 * words[(at + field) >>> 2]!)
    })
  const groups = joined(lists(PLACED_GROUP_COUNT, 0))
  const allChunks = joined(lists(PLACED_CHUNK_COUNT, 1))
  const allRuns = joined(lists(PLACED_RUN_COUNT, 2))
  const chunks: Uint32Array[] = []
  for (let g = 0, at = 0; g < groups.length; g += 2) {
    const from = at
    const end = groups[g + 3] ?? Number.POSITIVE_INFINITY
    while (at < allChunks.length && allChunks[at + 1]! < end) at += 2
    chunks.push(allChunks.subarray(from, at))
  }
  const runs = {
    start: Uint32Array.from({ length: allRuns.length / 2 }, (_, i) => allRuns[2 * i]!),
    owner: Uint16Array.from({ length: allRuns.length / 2 }, (_, i) => allRuns[2 * i + 1]!),
  }
  let distinct = 0
  for (let slice = 0; slice < slices; slice++) {
    distinct += words[(workspace.get(BUILD_PLACED) + slice * PLACED_BYTES + PLACED_DISTINCT) >>> 2]!
  }
  return { groups, chunks, runs, distinct }
}

function joined(lists: readonly Uint32Array[]): Uint32Array {
  const all = new Uint32Array(lists.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const list of lists) {
    all.set(list, at)
    at += list.length
  }
  return all
}

/** The name of a symbol whose root is still in the heap of its part. */
function nameIn(workspace: Workspace, reference: number): string {
  const { words, memory } = workspace
  const parts = workspace.get(BUILD_PARTS) >>> 2
  const root = reference & ROOT_MASK
  const at = (part: number, field: number) => words[parts + (part * PART_BYTES + field) / 4]!
  // The last part that begins at or before the root; parts without roots begin where the next one does.
  let part = 0
  for (let step = PARTS / 2; step >= 1; step /= 2) {
    if (at(part + step, PART_BASE) <= root) part += step
  }
  const heap = Buffer.from(memory.buffer, at(part, PART_HEAP), at(part, PART_USED))
  const start = rootStart(heap, root - at(part, PART_BASE))
  const length = rootLength(heap, root - at(part, PART_BASE))
  return PREFIXES[reference >>> ROOT_BITS]! + decodeName(heap, start, start + length)
}

/** The position in the text of every id. */
function positions(workspace: Workspace, { count }: Gathered): Uint32Array {
  const ids = new Uint32Array(workspace.memory.buffer, workspace.get(BUILD_IDS), count)
  const order = new Uint32Array(count)
  for (let position = 0; position < count; position++) order[ids[position]!] = position
  return order
}
