// Parsed chunks → the shared symbol table: names gathered in file order as chunks arrive, then order, columns and index.
// Pure and deterministic: the bytes of the result depend on the text alone, not on how it was cut or who parsed it.

import { LimitError, NoPermissionError } from '../core/errors.ts'
import { allocateSections } from '../core/sections.ts'
import { countLarge, type Extents, placeExtents, rangeWords } from './extents.ts'
import { flagSpecial } from './flags.ts'
import {
  COUNTS,
  ROOT_BITS,
  ROOT_MASK,
  SYMBOL_LAYOUT,
  type SymbolColumns,
  symbolColumns,
  symbolSectionBytes,
} from './layout.ts'
import { fingerprint, nameHash, splitName } from './names.ts'
import { orderByAddress } from './order.ts'
import { indexPages, markCells } from './pages.ts'
import { type BadLine, LISTED_BAD_LINES, type ParsedChunk } from './parse.ts'
import { MARKERS, type MemoryRange, regionsOf } from './regions.ts'
import { RootHeap } from './roots.ts'

/** The name of the owner of symbols that belong to no module. */
export const CORE_OWNER = 'vmlinux'
/** Owners are numbered in 16 bits. */
export const MOST_OWNERS = 65_536

/** A finished table and what the text held beside it. */
export interface BuiltTable {
  readonly buffer: SharedArrayBuffer
  readonly lines: number
  readonly badCount: number
  /** The first bad lines, up to LISTED_BAD_LINES, with their numbers in the whole text. */
  readonly bad: readonly BadLine[]
}

/** What is known of the host beside the text. */
export interface BuildFacts {
  /** Memory of modules, where known; otherwise it is taken from the symbols' own addresses. */
  readonly ranges?: readonly MemoryRange[]
  /** What symbols span, where they say so themselves; otherwise each reaches to the next as in a kernel. */
  readonly extents?: Extents
}

/** Symbols worked on between two yields: about a millisecond even before the code is compiled. */
const SLICE = 8_192
/** Entries a bucket of the name index holds on average. */
const BUCKET_LOAD = 8

/**
 * Gathers parsed chunks in the order of the text. `append` has to be called chunk by chunk in that order; `finish` makes
 * the table. Both are generators that yield between bounded pieces of work, so that a caller can keep its event loop alive.
 */
export class TableBuilder {
  #capacity: number
  #count = 0
  #high: Uint32Array
  #low: Uint32Array
  #name: Uint32Array
  #hash: Uint32Array
  #owner: Uint16Array
  #kind: Uint8Array
  #roots: RootHeap
  #owners: string[]
  #ownerNumbers: Map<string, number>
  #lines = 0
  #badCount = 0
  #bad: BadLine[] = []

  /**
   * `expected`: about how many symbols will come, from the size of the text; more is no error. `coreOwner`: the owner of
   * symbols whose chunk names none.
   */
  constructor(expected = 131_072, coreOwner = CORE_OWNER) {
    this.#owners = [coreOwner]
    this.#ownerNumbers = new Map([[coreOwner, 0]])
    this.#capacity = Math.max(1024, expected)
    this.#high = new Uint32Array(this.#capacity)
    this.#low = new Uint32Array(this.#capacity)
    this.#name = new Uint32Array(this.#capacity)
    this.#hash = new Uint32Array(this.#capacity)
    this.#owner = new Uint16Array(this.#capacity)
    this.#kind = new Uint8Array(this.#capacity)
    this.#roots = new RootHeap(Math.ceil(this.#capacity * 0.6))
  }

  /** Symbols gathered so far. */
  get count(): number {
    return this.#count
  }

  /**
   * Takes over the next chunk; `text` is what its root positions point into and may be reused afterwards.
   * @throws LimitError if there are more owners, or longer names in all, than a table can number.
   */
  *append(chunk: ParsedChunk, text: Uint8Array): Generator<void, void, void> {
    const { count } = chunk
    if (this.#count + count > this.#capacity) this.#grow(this.#count + count)
    for (const { line, reason } of chunk.bad) {
      if (this.#bad.length === LISTED_BAD_LINES) break
      this.#bad.push({ line: this.#lines + line, reason })
    }
    this.#badCount += chunk.badCount
    this.#lines += chunk.lines

    const at = this.#count
    this.#high.set(chunk.high, at)
    this.#low.set(chunk.low, at)
    this.#kind.set(chunk.kind, at)
    const numbers = Uint16Array.from(chunk.owners, (name) => this.#ownerNumber(name))
    for (let from = 0; from < count; from += SLICE) {
      if (from > 0) yield
      this.#appendNames(chunk, text, numbers, from, Math.min(count, from + SLICE))
    }
    this.#count += count
  }

  #appendNames(chunk: ParsedChunk, text: Uint8Array, owners: Uint16Array, from: number, to: number): void {
    const { rootStart, rootLength, rootHash, prefix, owner } = chunk
    const roots = this.#roots
    const base = this.#count
    for (let i = from; i < to; i++) {
      const hash = rootHash[i]!
      const number = prefix[i]!
      const root = roots.add(text, rootStart[i]!, rootLength[i]!, hash)
      this.#name[base + i] = (number << ROOT_BITS) | root
      this.#hash[base + i] = nameHash(hash, number)
      this.#owner[base + i] = owners[owner[i]!]!
    }
  }

  #ownerNumber(name: string): number {
    if (name === '') return 0
    const known = this.#ownerNumbers.get(name)
    if (known !== undefined) return known
    const number = this.#owners.length
    if (number === MOST_OWNERS) {
      throw new LimitError(
        `more than ${MOST_OWNERS} owners (modules or sections): [${name}] cannot be numbered in 16 bits`,
      )
    }
    this.#owners.push(name)
    this.#ownerNumbers.set(name, number)
    return number
  }

  #grow(least: number): void {
    const capacity = Math.max(least, Math.ceil(this.#capacity * 1.5))
    const wider = <T extends Uint32Array | Uint16Array | Uint8Array>(column: T, fresh: T): T => {
      fresh.set(column.subarray(0, this.#count))
      return fresh
    }
    this.#high = wider(this.#high, new Uint32Array(capacity))
    this.#low = wider(this.#low, new Uint32Array(capacity))
    this.#name = wider(this.#name, new Uint32Array(capacity))
    this.#hash = wider(this.#hash, new Uint32Array(capacity))
    this.#owner = wider(this.#owner, new Uint16Array(capacity))
    this.#kind = wider(this.#kind, new Uint8Array(capacity))
    this.#capacity = capacity
  }

  /**
   * Sorts, lays out and indexes what was appended. The builder is spent afterwards.
   * @throws NoPermissionError if there are symbols without sizes and every address is zero.
   */
  *finish(facts: BuildFacts = {}): Generator<void, BuiltTable, void> {
    const count = this.#count
    const { extents } = facts
    if (extents === undefined && count > 0 && allZero(this.#high, count) && allZero(this.#low, count)) {
      throw new NoPermissionError(
        `every address is zero: the kernel hides them from this reader. Needed: kptr_restrict below 2 with CAP_SYSLOG, ` +
          'or kptr_restrict 0 with perf_event_paranoid at most 1 (both under /proc/sys/kernel)',
      )
    }
    const order = yield* orderByAddress(this.#high, this.#low, count)
    yield
    const groups = groupStarts(this.#high, order)
    const runs = ownerRuns(this.#owner, order)
    yield
    const regions =
      extents === undefined
        ? yield* this.#kernelRegions(order, groups, facts.ranges ?? [])
        : rangeWords(extents.ranges, (name) => this.#ownerNumbers.get(name) ?? MOST_OWNERS)
    const owners = Buffer.from(`${this.#owners.join('\0')}\0`, 'latin1')
    const bucketBits = Math.max(4, Math.ceil(Math.log2(Math.max(1, count / BUCKET_LOAD))))
    const idBits = Math.ceil(Math.log2(Math.max(2, count)))
    const sortedLow = new Uint32Array(count)
    for (let id = 0; id < count; id++) sortedLow[id] = this.#low[order[id]!]!
    yield
    const pages = indexPages(groups, sortedLow, count)
    yield
    const { buffer, sections } = allocateSections(
      SYMBOL_LAYOUT,
      symbolSectionBytes({
        symbols: count,
        pages,
        heapBytes: this.#roots.length,
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
    table.heap.set(this.#roots.bytes.subarray(0, this.#roots.length))
    table.ownerStart.set(runs.start)
    table.ownerOf.set(runs.owner)
    table.owners.set(owners)
    table.regions.set(regions)
    yield
    let distinctAddresses = 0
    for (let from = 0; from < count; from += SLICE) {
      distinctAddresses += this.#place(table, order, from, Math.min(count, from + SLICE))
      yield
    }
    if (extents === undefined) {
      yield* flagSpecial(table, runs)
      markCells(table, table.kind)
    } else yield* placeExtents(table, order, extents.sizes)
    yield
    const distinctNames = yield* this.#indexNames(table, order, bucketBits, idBits)
    const { counts } = table
    counts[COUNTS.symbols] = count
    counts[COUNTS.groups] = groups.length / 2
    counts[COUNTS.owners] = this.#owners.length
    counts[COUNTS.ownerRuns] = runs.start.length
    counts[COUNTS.bucketBits] = bucketBits
    counts[COUNTS.idBits] = idBits
    counts[COUNTS.heapBytes] = this.#roots.length
    counts[COUNTS.distinctAddresses] = distinctAddresses
    counts[COUNTS.distinctNames] = distinctNames
    counts[COUNTS.lines] = this.#lines
    counts[COUNTS.badLines] = this.#badCount
    counts[COUNTS.sized] = extents === undefined ? 0 : 1
    return { buffer, lines: this.#lines, badCount: this.#badCount, bad: this.#bad }
  }

  #kernelRegions(
    order: Uint32Array,
    groups: Uint32Array,
    known: readonly MemoryRange[],
  ): Generator<void, Uint32Array, void> {
    return regionsOf(
      {
        high: this.#high,
        low: this.#low,
        kind: this.#kind,
        owner: this.#owner,
        order,
        owners: this.#owners,
        markers: this.#findMarkers(),
      },
      groups,
      known,
    )
  }

  /** File positions of the core symbols that mark sections; the first of each name. */
  #findMarkers(): Map<string, number> {
    const names = [...MARKERS.begin, ...MARKERS.sectionEnd, MARKERS.end]
    const wanted = new Map<number, { name: string; bytes: Uint8Array; prefix: number; rootStart: number }>()
    const maybe = new Uint8Array(256)
    for (const name of names) {
      const bytes = Buffer.from(name, 'latin1')
      const { prefix, rootStart, rootHash } = splitName(bytes, 0, bytes.length)
      const hash = nameHash(rootHash, prefix)
      wanted.set(hash, { name, bytes, prefix, rootStart })
      maybe[hash & 0xff] = 1
    }
    const found = new Map<string, number>()
    for (let i = 0; i < this.#count; i++) {
      const hash = this.#hash[i]!
      if (maybe[hash & 0xff] === 0 || this.#owner[i] !== 0) continue
      const marker = wanted.get(hash)
      if (marker === undefined || found.has(marker.name)) continue
      const reference = this.#name[i]!
      const { bytes, rootStart } = marker
      const same = this.#roots.equals(reference & ROOT_MASK, bytes, rootStart, bytes.length - rootStart)
      if (same && reference >>> ROOT_BITS === marker.prefix) found.set(marker.name, i)
    }
    return found
  }

  /** Writes ids [from, to) of the columns that go by table order; returns how many addresses are new there. */
  #place(table: SymbolColumns, order: Uint32Array, from: number, to: number): number {
    const { kind, name } = table
    let fresh = 0
    let last = from > 0 ? order[from - 1]! : -1
    for (let id = from; id < to; id++) {
      const position = order[id]!
      kind[id] = this.#kind[position]!
      name[id] = this.#name[position]!
      if (last < 0 || this.#low[position] !== this.#low[last] || this.#high[position] !== this.#high[last]) fresh++
      last = position
    }
    return fresh
  }

  /** Builds the name index: a counting sort by bucket, in file order inside each. Returns how many names are distinct. */
  *#indexNames(
    table: SymbolColumns,
    order: Uint32Array,
    bucketBits: number,
    idBits: number,
  ): Generator<void, number, void> {
    const { buckets, entries, name } = table
    const hash = this.#hash
    const count = this.#count
    const shift = 32 - bucketBits
    const fingerprintMask = idBits === 32 ? 0 : 0xffffffff << idBits
    const ids = new Uint32Array(count)
    for (let id = 0; id < count; id++) ids[order[id]!] = id
    yield
    for (let i = 0; i < count; i++) buckets[(hash[i]! >>> shift) + 1]!++
    for (let b = 0; b + 1 < buckets.length; b++) buckets[b + 1]! += buckets[b]!
    yield
    const next = buckets.slice(0, -1)
    for (let from = 0; from < count; from += SLICE) {
      const to = Math.min(count, from + SLICE)
      for (let i = from; i < to; i++) {
        const h = hash[i]!
        entries[next[h >>> shift]!++] = (fingerprint(h) & fingerprintMask) | ids[i]!
      }
      yield
    }
    let distinct = 0
    for (let from = 0; from + 1 < buckets.length; from += SLICE) {
      const to = Math.min(buckets.length - 1, from + SLICE)
      for (let b = from; b < to; b++) distinct += distinctIn(entries, name, buckets[b]!, buckets[b + 1]!, idBits)
      yield
    }
    return distinct
  }
}

/** Distinct names among the entries [start, end) of one bucket. */
function distinctIn(entries: Uint32Array, name: Uint32Array, start: number, end: number, idBits: number): number {
  const idMask = idBits === 32 ? 0xffffffff : 2 ** idBits - 1
  if (end - start > 64) {
    const seen = new Set<number>()
    for (let i = start; i < end; i++) seen.add(name[(entries[i]! & idMask) >>> 0]!)
    return seen.size
  }
  let distinct = 0
  for (let i = start; i < end; i++) {
    const reference = name[(entries[i]! & idMask) >>> 0]!
    let j = start
    while (j < i && name[(entries[j]! & idMask) >>> 0] !== reference) j++
    if (j === i) distinct++
  }
  return distinct
}

function allZero(column: Uint32Array, count: number): boolean {
  for (let i = 0; i < count; i++) if (column[i] !== 0) return false
  return true
}

/** Pairs (high half, first id) of the groups of symbols that share the upper 32 bits of their addresses. */
function groupStarts(high: Uint32Array, order: Uint32Array): Uint32Array {
  const pairs: number[] = []
  for (let id = 0; id < order.length; id++) {
    const h = high[order[id]!]!
    if (id === 0 || h !== pairs[pairs.length - 2]) pairs.push(h, id)
  }
  return Uint32Array.from(pairs)
}

/** Runs of ids with the same owner. */
function ownerRuns(owner: Uint16Array, order: Uint32Array): { start: Uint32Array; owner: Uint16Array } {
  const start: number[] = []
  const of: number[] = []
  for (let id = 0; id < order.length; id++) {
    const o = owner[order[id]!]!
    if (id === 0 || o !== of[of.length - 1]) {
      start.push(id)
      of.push(o)
    }
  }
  return { start: Uint32Array.from(start), owner: Uint16Array.from(of) }
}
