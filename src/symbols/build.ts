// Parsed chunks → the shared symbol table: names gathered in file order as chunks arrive, then order, columns and index.
// Pure and deterministic: the bytes of the result depend on the text alone, not on how it was cut or who parsed it.

import { decodeName, encodeName } from '../core/bytes.ts'
import { LimitError, NoPermissionError } from '../core/errors.ts'
import { allocateSections } from '../core/sections.ts'
import { countLarge, type Extents, placeExtents, rangeWords } from './extents.ts'
import { flagSpecial } from './flags.ts'
import { isData } from './kinds.ts'
import {
  COUNTS,
  ROOT_BITS,
  ROOT_MASK,
  SYMBOL_LAYOUT,
  type SymbolColumns,
  symbolColumns,
  symbolSectionBytes,
} from './layout.ts'
import { fingerprint, hashBytes, nameHash, PREFIXES, splitName } from './names.ts'
import { orderByAddress } from './order.ts'
import { indexPages, markCells } from './pages.ts'
import { type BadLine, LISTED_BAD_LINES, type ParsedChunk } from './parse.ts'
import { MARKERS, type MarkerAddress, type MemoryRange, regionsOf } from './regions.ts'
import { RootHeap, rootAt } from './roots.ts'

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
  readonly leftOut: LeftOut
}

/** What is known of the host beside the text. */
export interface BuildFacts {
  /** Memory of modules, where known; otherwise it is taken from the symbols' own addresses. */
  readonly ranges?: readonly MemoryRange[]
  /** What symbols span, where they say so themselves; otherwise each reaches to the next as in a kernel. */
  readonly extents?: Extents
}

/** Which symbols a table keeps. What is left out is counted. */
export interface Keep {
  /** Keep data symbols (types b d r, any case) only if their name is among these; undefined keeps all. */
  readonly data?: ReadonlySet<string> | undefined
  /** Keep the symbols of these owners and of the core kernel only; undefined keeps all. */
  readonly owners?: ReadonlySet<string> | undefined
}

/** How many symbols were left out, by reason. */
export interface LeftOut {
  readonly data: number
  readonly owners: number
}

/** A stretch of the text as it was gathered, so that a later load can take it over unread. */
interface Segment {
  /** The symbols kept: file positions [from, to). */
  readonly from: number
  readonly to: number
  readonly lines: number
  readonly badCount: number
  readonly bad: readonly BadLine[]
  /** Owners in order of first appearance in the stretch. */
  readonly owners: readonly string[]
  readonly leftOut: LeftOut
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
  #rootHash: Uint32Array
  #owner: Uint16Array
  #kind: Uint8Array
  #roots: RootHeap
  #owners: string[]
  #ownerNumbers: Map<string, number>
  #lines = 0
  #badCount = 0
  #bad: BadLine[] = []

  readonly #keep: Keep
  /** Hashes of the names in `keep.data`, by their lowest byte: nearly every other name is told apart by it. */
  readonly #maybeKept = new Uint8Array(256)
  #leftOut: LeftOut = { data: 0, owners: 0 }
  readonly #segments: Segment[] = []
  readonly #markers = new Map<string, Marker>()

  /**
   * `expected`: about how many symbols will come, from the size of the text; more is no error. `coreOwner`: the owner of
   * symbols whose chunk names none.
   */
  constructor(expected = 131_072, keep: Keep = {}, coreOwner = CORE_OWNER) {
    this.#owners = [coreOwner]
    this.#ownerNumbers = new Map([[coreOwner, 0]])
    this.#keep = keep
    for (const name of keep.data ?? []) this.#maybeKept[hashOfName(name) & 0xff] = 1
    this.#capacity = Math.max(1024, expected)
    this.#high = new Uint32Array(this.#capacity)
    this.#low = new Uint32Array(this.#capacity)
    this.#name = new Uint32Array(this.#capacity)
    this.#rootHash = new Uint32Array(this.#capacity)
    this.#owner = new Uint16Array(this.#capacity)
    this.#kind = new Uint8Array(this.#capacity)
    this.#roots = new RootHeap(Math.ceil(this.#capacity * 0.6))
  }

  /** Symbols gathered so far. */
  get count(): number {
    return this.#count
  }

  /** How many stretches of text were gathered. */
  get segments(): number {
    return this.#segments.length
  }

  /**
   * Takes over the next chunk; `text` is what its root positions point into and may be reused afterwards.
   * @throws LimitError if there are more owners, or longer names in all, than a table can number.
   */
  *append(chunk: ParsedChunk, text: Uint8Array): Generator<void, void, void> {
    const from = this.#count
    if (from + chunk.count > this.#capacity) this.#grow(from + chunk.count)
    const core = this.#owners[0]!
    const owners = chunk.owners.map((name) => (name === '' ? core : name))
    const kept = owners.map((name) => name === core || this.#keep.owners?.has(name) !== false)
    const numbers = owners.map((name, i) => (kept[i] === true ? this.#ownerNumber(name) : -1))
    const leftOut = { data: 0, owners: 0 }
    for (let at = 0; at < chunk.count; at += SLICE) {
      if (at > 0) yield
      this.#appendSymbols(chunk, text, numbers, at, Math.min(chunk.count, at + SLICE), leftOut)
    }
    const { lines, badCount, bad } = chunk
    this.#close({ from, to: this.#count, lines, badCount, bad, owners: owners.filter((_, i) => kept[i]), leftOut })
  }

  /** Takes over a stretch of text that an earlier load has gathered and that has not changed, without parsing it. */
  *appendFrom(earlier: TableBuilder, segment: number): Generator<void, void, void> {
    const known = earlier.#segments[segment]!
    const from = this.#count
    const count = known.to - known.from
    if (from + count > this.#capacity) this.#grow(from + count)
    this.#high.set(earlier.#high.subarray(known.from, known.to), from)
    this.#low.set(earlier.#low.subarray(known.from, known.to), from)
    this.#kind.set(earlier.#kind.subarray(known.from, known.to), from)
    this.#rootHash.set(earlier.#rootHash.subarray(known.from, known.to), from)
    const numbers = new Uint16Array(earlier.#owners.length)
    for (const name of known.owners) numbers[earlier.#ownerNumbers.get(name)!] = this.#ownerNumber(name)
    const heap = earlier.#roots.bytes
    for (let at = known.from; at < known.to; at += SLICE) {
      if (at > known.from) yield
      const to = Math.min(known.to, at + SLICE)
      for (let i = at; i < to; i++) {
        const reference = earlier.#name[i]!
        const { start, length } = rootAt(heap, reference & ROOT_MASK)
        const target = from + i - known.from
        const root = this.#roots.add(heap, start, length, this.#rootHash[target]!)
        this.#name[target] = ((reference >>> ROOT_BITS) << ROOT_BITS) | root
        this.#owner[target] = numbers[earlier.#owner[i]!]!
      }
    }
    for (const [name, marker] of earlier.#markers) {
      if (marker.segment === segment && !this.#markers.has(name)) {
        this.#markers.set(name, { ...marker, segment: this.#segments.length })
      }
    }
    this.#count += count
    this.#close({ ...known, from, to: this.#count })
  }

  /** Ends the stretch that was just gathered. */
  #close(segment: Segment): void {
    this.#segments.push(segment)
    for (const { line, reason } of segment.bad) {
      if (this.#bad.length === LISTED_BAD_LINES) break
      this.#bad.push({ line: this.#lines + line, reason })
    }
    this.#badCount += segment.badCount
    this.#lines += segment.lines
    const { data, owners } = segment.leftOut
    this.#leftOut = { data: this.#leftOut.data + data, owners: this.#leftOut.owners + owners }
  }

  #appendSymbols(
    chunk: ParsedChunk,
    text: Uint8Array,
    owners: readonly number[],
    from: number,
    to: number,
    leftOut: { data: number; owners: number },
  ): void {
    const { high, low, kind, rootStart, rootLength, rootHash, prefix, owner } = chunk
    const roots = this.#roots
    const onlyListedData = this.#keep.data !== undefined
    let count = this.#count
    for (let i = from; i < to; i++) {
      const number = owners[owner[i]!]!
      const hash = rootHash[i]!
      const family = prefix[i]!
      if (MARKER_HASHES[hash & 0xff] === 1 && number === 0) this.#noteMarker(chunk, text, i)
      if (number < 0) {
        leftOut.owners++
        continue
      }
      if (onlyListedData && isData(kind[i]!) && !this.#isListed(text, rootStart[i]!, rootLength[i]!, hash, family)) {
        leftOut.data++
        continue
      }
      const root = roots.add(text, rootStart[i]!, rootLength[i]!, hash)
      this.#high[count] = high[i]!
      this.#low[count] = low[i]!
      this.#kind[count] = kind[i]!
      this.#name[count] = (family << ROOT_BITS) | root
      this.#rootHash[count] = hash
      this.#owner[count] = number
      count++
    }
    this.#count = count
  }

  #isListed(text: Uint8Array, rootStart: number, rootLength: number, rootHash: number, prefix: number): boolean {
    if (this.#maybeKept[nameHash(rootHash, prefix) & 0xff] === 0) return false
    const root = Buffer.from(text.buffer, text.byteOffset, text.byteLength)
    return this.#keep.data?.has(PREFIXES[prefix]! + decodeName(root, rootStart, rootStart + rootLength)) === true
  }

  /** Remembers where a section marker is, the first of its name, even if the symbol itself is left out. */
  #noteMarker({ high, low, rootStart, rootLength, prefix }: ParsedChunk, text: Uint8Array, i: number): void {
    if (prefix[i] !== 0) return
    const start = rootStart[i]!
    const name = Buffer.from(text.buffer, text.byteOffset + start, rootLength[i]!).toString('latin1')
    if (!MARKER_NAMES.has(name) || this.#markers.has(name)) return
    this.#markers.set(name, { high: high[i]!, low: low[i]!, segment: this.#segments.length })
  }

  #ownerNumber(owner: string): number {
    const known = this.#ownerNumbers.get(owner)
    if (known !== undefined) return known
    const number = this.#owners.length
    if (number === MOST_OWNERS) {
      throw new LimitError(
        `more than ${MOST_OWNERS} owners (modules, sections): [${owner}] cannot be numbered in 16 bits`,
      )
    }
    this.#owners.push(owner)
    this.#ownerNumbers.set(owner, number)
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
    this.#rootHash = wider(this.#rootHash, new Uint32Array(capacity))
    this.#owner = wider(this.#owner, new Uint16Array(capacity))
    this.#kind = wider(this.#kind, new Uint8Array(capacity))
    this.#capacity = capacity
  }

  /**
   * Sorts, lays out and indexes what was appended. Nothing can be appended afterwards, but another builder can take
   * stretches over from this one.
   * @throws NoPermissionError if there are symbols, without sizes of their own, and every address is zero.
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
      extents !== undefined
        ? rangeWords(extents.ranges, (name) => this.#ownerNumber(name))
        : yield* regionsOf(
            {
              high: this.#high,
              low: this.#low,
              kind: this.#kind,
              owner: this.#owner,
              order,
              runs,
              owners: this.#owners,
              markers: this.#markers,
            },
            groups,
            facts.ranges ?? [],
          )
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
    if (extents === undefined) yield* flagSpecial(table, runs)
    else yield* placeExtents(table, order, extents.sizes)
    markCells(table, table.kind)
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
    this.#roots.forgetHashes()
    return { buffer, lines: this.#lines, badCount: this.#badCount, bad: this.#bad, leftOut: this.#leftOut }
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
    const count = this.#count
    const shift = 32 - bucketBits
    const fingerprintMask = idBits === 32 ? 0 : 0xffffffff << idBits
    const ids = new Uint32Array(count)
    const hashes = new Uint32Array(count)
    for (let id = 0; id < count; id++) ids[order[id]!] = id
    yield
    for (let from = 0; from < count; from += SLICE) {
      const to = Math.min(count, from + SLICE)
      for (let i = from; i < to; i++) {
        const hash = nameHash(this.#rootHash[i]!, this.#name[i]! >>> ROOT_BITS)
        hashes[i] = hash
        buckets[(hash >>> shift) + 1]!++
      }
      yield
    }
    for (let b = 0; b + 1 < buckets.length; b++) buckets[b + 1]! += buckets[b]!
    yield
    const next = buckets.slice(0, -1)
    for (let from = 0; from < count; from += SLICE) {
      const to = Math.min(count, from + SLICE)
      for (let i = from; i < to; i++) {
        const hash = hashes[i]!
        entries[next[hash >>> shift]!++] = (fingerprint(hash) & fingerprintMask) | ids[i]!
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

/** A section marker: its address and the stretch of text it stands in. */
interface Marker extends MarkerAddress {
  readonly segment: number
}

const MARKER_NAMES = new Set<string>([...MARKERS.begin, ...MARKERS.sectionEnd, MARKERS.end])
/** 1 for the lowest byte of every marker's hash. No marker has a family prefix, so its root is its name. */
const MARKER_HASHES = new Uint8Array(256)
for (const name of MARKER_NAMES) {
  const bytes = Buffer.from(name, 'latin1')
  MARKER_HASHES[hashBytes(bytes, 0, bytes.length) & 0xff] = 1
}

function hashOfName(name: string): number {
  const bytes = encodeName(name)
  const { prefix, rootHash } = splitName(bytes, 0, bytes.length)
  return nameHash(rootHash, prefix)
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
