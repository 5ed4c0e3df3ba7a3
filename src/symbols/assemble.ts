// Gathered symbols → the shared table: order, columns, page index, regions and name index, all laid out in one buffer.
// Yields between bounded pieces of work, about a millisecond each even before the code is compiled.

import { allocateSections } from '../core/sections.ts'
import { countLarge, type Extents, placeExtents, rangeWords } from './extents.ts'
import { flagSpecial } from './flags.ts'
import { COUNTS, ROOT_BITS, SYMBOL_LAYOUT, type SymbolColumns, symbolColumns, symbolSectionBytes } from './layout.ts'
import { fingerprint, nameHash } from './names.ts'
import { orderByAddress } from './order.ts'
import { CHUNK_BITS, indexPages, markCells } from './pages.ts'
import { type MarkerAddress, type MemoryRange, regionsOf } from './regions.ts'

/** What is known of the host beside the text. */
export interface BuildFacts {
  /** Memory of modules, where known; otherwise it is taken from the symbols' own addresses. */
  readonly ranges?: readonly MemoryRange[]
  /** What symbols span, where they say so themselves; otherwise each reaches to the next as in a kernel. */
  readonly extents?: Extents
}

/** Symbols in the order of the text, as columns of which the first `count` entries count, and what goes with them. */
export interface Gathered {
  readonly count: number
  readonly high: Uint32Array
  readonly low: Uint32Array
  /** Prefix numbers and offsets of roots in `heap`. */
  readonly name: Uint32Array
  readonly rootHash: Uint32Array
  readonly owner: Uint16Array
  readonly kind: Uint8Array
  readonly heap: Uint8Array
  readonly owners: readonly string[]
  readonly ownerNumbers: ReadonlyMap<string, number>
  readonly markers: ReadonlyMap<string, MarkerAddress>
  readonly lines: number
  readonly badCount: number
}

/** Symbols worked on between two yields. */
const SLICE = 2_048
/** Entries a bucket of the name index holds on average. */
const BUCKET_LOAD = 8

/** Makes the table's buffer. */
export function* assemble(gathered: Gathered, facts: BuildFacts): Generator<void, SharedArrayBuffer, void> {
  const { count, high, low, kind, owner, heap, owners: ownerNames, markers } = gathered
  const { extents, ranges = [] } = facts
  const order = yield* orderByAddress(high, low, count)
  const survey = new Survey(gathered, order)
  for (let from = 0; from < count; from += SLICE) {
    survey.look(from, Math.min(count, from + SLICE))
    yield
  }
  const { sortedLow, groups, chunks, runs } = survey.result()
  const regions =
    extents !== undefined
      ? rangeWords(extents.ranges, (name) => gathered.ownerNumbers.get(name)!)
      : yield* regionsOf({ high, low, kind, owner, order, runs, owners: ownerNames, markers }, groups, ranges)
  const pages = yield* indexPages(groups, chunks, sortedLow)
  const owners = Buffer.from(`${ownerNames.join('\0')}\0`, 'latin1')
  const bucketBits = Math.max(4, Math.ceil(Math.log2(Math.max(1, count / BUCKET_LOAD))))
  const idBits = Math.ceil(Math.log2(Math.max(2, count)))
  const { buffer, sections } = allocateSections(
    SYMBOL_LAYOUT,
    symbolSectionBytes({
      symbols: count,
      pages,
      heapBytes: heap.length,
      ownerRuns: runs.start.length,
      ownerBytes: owners.length,
      bucketBits,
      regionWords: regions.length,
      sized: extents !== undefined,
      largeWords: extents === undefined ? 0 : countLarge(extents.sizes),
    }),
  )
  const table = symbolColumns(buffer, sections)
  table.groups.set(pages.groups)
  table.directory.set(pages.directory)
  table.chunks.set(pages.chunks)
  table.cells.set(pages.cells)
  table.low.set(sortedLow)
  table.heap.set(heap)
  table.ownerStart.set(runs.start)
  table.ownerOf.set(runs.owner)
  table.owners.set(owners)
  table.regions.set(regions)
  yield
  for (let from = 0; from < count; from += SLICE) {
    placeColumns(gathered, table, order, from, Math.min(count, from + SLICE))
    yield
  }
  if (extents === undefined) yield* flagSpecial(table, runs)
  else yield* placeExtents(table, order, extents.sizes)
  yield* markCells(table, table.kind)
  yield* indexNames(gathered, table, order, bucketBits, idBits)
  const { counts } = table
  counts[COUNTS.symbols] = count
  counts[COUNTS.groups] = groups.length / 2
  counts[COUNTS.owners] = ownerNames.length
  counts[COUNTS.ownerRuns] = runs.start.length
  counts[COUNTS.bucketBits] = bucketBits
  counts[COUNTS.idBits] = idBits
  counts[COUNTS.heapBytes] = heap.length
  counts[COUNTS.distinctAddresses] = survey.distinctAddresses
  counts[COUNTS.lines] = gathered.lines
  counts[COUNTS.badLines] = gathered.badCount
  counts[COUNTS.sized] = extents === undefined ? 0 : 1
  return buffer
}

/** One walk along the order: the lower halves, the groups that share an upper half, the runs of one owner. */
class Survey {
  /** Addresses that differ from the one before. */
  distinctAddresses = 0
  readonly #gathered: Gathered
  readonly #order: Uint32Array
  readonly #sortedLow: Uint32Array
  readonly #groups: number[] = []
  /** For each group the pairs (chunk number, first id) of its populated chunks: see pages.ts. */
  readonly #chunks: number[][] = []
  readonly #runStart: number[] = []
  readonly #runOwner: number[] = []
  #high = -1
  #low = -1
  #owner = -1
  #chunk = -1

  constructor(gathered: Gathered, order: Uint32Array) {
    this.#gathered = gathered
    this.#order = order
    this.#sortedLow = new Uint32Array(gathered.count)
  }

  /** Looks at ids [from, to); they have to come in order. */
  look(from: number, to: number): void {
    const { high, low, owner } = this.#gathered
    const order = this.#order
    const sortedLow = this.#sortedLow
    let lastHigh = this.#high
    let lastLow = this.#low
    let lastOwner = this.#owner
    let distinct = this.distinctAddresses
    let chunk = this.#chunk
    for (let id = from; id < to; id++) {
      const position = order[id]!
      const h = high[position]!
      const l = low[position]!
      const o = owner[position]!
      sortedLow[id] = l
      if (l !== lastLow || h !== lastHigh) {
        distinct++
        if (h !== lastHigh) {
          this.#groups.push(h, id)
          this.#chunks.push([])
          chunk = -1
        }
        if (l >>> CHUNK_BITS !== chunk) {
          chunk = l >>> CHUNK_BITS
          this.#chunks[this.#chunks.length - 1]!.push(chunk, id)
        }
        lastHigh = h
        lastLow = l
      }
      if (o !== lastOwner) {
        this.#runStart.push(id)
        this.#runOwner.push(o)
        lastOwner = o
      }
    }
    this.#high = lastHigh
    this.#low = lastLow
    this.#owner = lastOwner
    this.#chunk = chunk
    this.distinctAddresses = distinct
  }

  /** Groups are pairs (upper half, first id). */
  result() {
    return {
      sortedLow: this.#sortedLow,
      groups: Uint32Array.from(this.#groups),
      chunks: this.#chunks,
      runs: { start: Uint32Array.from(this.#runStart), owner: Uint16Array.from(this.#runOwner) },
    }
  }
}

/** Writes ids [from, to) of the columns that go by table order. */
function placeColumns(
  { kind, name }: Gathered,
  table: SymbolColumns,
  order: Uint32Array,
  from: number,
  to: number,
): void {
  for (let id = from; id < to; id++) {
    const position = order[id]!
    table.kind[id] = kind[position]!
    table.name[id] = name[position]!
  }
}

/** Builds the name index: a counting sort by bucket, in file order inside each. */
function* indexNames(
  { count, name, rootHash }: Gathered,
  table: SymbolColumns,
  order: Uint32Array,
  bucketBits: number,
  idBits: number,
): Generator<void, void, void> {
  const { buckets, entries } = table
  const shift = 32 - bucketBits
  const fingerprintMask = idBits === 32 ? 0 : 0xffffffff << idBits
  const ids = new Uint32Array(count)
  const hashes = new Uint32Array(count)
  for (let from = 0; from < count; from += SLICE) {
    countNames(name, rootHash, order, ids, hashes, buckets, shift, from, Math.min(count, from + SLICE))
    yield
  }
  for (let b = 0; b + 1 < buckets.length; b++) buckets[b + 1]! += buckets[b]!
  yield
  const next = buckets.slice(0, -1)
  for (let from = 0; from < count; from += SLICE) {
    enterNames(entries, next, hashes, ids, shift, fingerprintMask, from, Math.min(count, from + SLICE))
    yield
  }
}

/** Hashes the names at file positions [from, to), counts them by bucket, and notes where each position's id is. */
function countNames(
  name: Uint32Array,
  rootHash: Uint32Array,
  order: Uint32Array,
  ids: Uint32Array,
  hashes: Uint32Array,
  buckets: Uint32Array,
  shift: number,
  from: number,
  to: number,
): void {
  for (let i = from; i < to; i++) {
    ids[order[i]!] = i
    const hash = nameHash(rootHash[i]!, name[i]! >>> ROOT_BITS)
    hashes[i] = hash
    buckets[(hash >>> shift) + 1]!++
  }
}

/** Enters the names at file positions [from, to) into their buckets. */
function enterNames(
  entries: Uint32Array,
  next: Uint32Array,
  hashes: Uint32Array,
  ids: Uint32Array,
  shift: number,
  fingerprintMask: number,
  from: number,
  to: number,
): void {
  for (let i = from; i < to; i++) {
    const hash = hashes[i]!
    entries[next[hash >>> shift]!++] = (fingerprint(hash) & fingerprintMask) | ids[i]!
  }
}
