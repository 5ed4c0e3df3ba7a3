// Gathers parsed chunks in the order of the text: names into one heap, owners into one list, what is not wanted left out.
// Pure and deterministic: the bytes of the table depend on the text alone, not on how it was cut or who parsed it.

import { decodeName, encodeName } from '../core/bytes.ts'
import { LimitError, NoPermissionError } from '../core/errors.ts'
import { assemble, type BuildFacts } from './assemble.ts'
import { isData } from './kinds.ts'
import { ROOT_BITS, ROOT_MASK } from './layout.ts'
import { hashBytes, nameHash, PREFIXES, splitName } from './names.ts'
import { type BadLine, LISTED_BAD_LINES, type ParsedChunk } from './parse.ts'
import { MARKERS, type MarkerAddress } from './regions.ts'
import { RootHeap, rootLength, rootStart } from './roots.ts'

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
const SLICE = 2_048

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
  /** Whether there was any symbol, and any address but zero, also among those left out. */
  #seen = false
  #seenAddress = false
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
        const place = reference & ROOT_MASK
        const target = from + i - known.from
        const hash = this.#rootHash[target]!
        const root = this.#roots.add(heap, rootStart(heap, place), rootLength(heap, place), hash)
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
    this.#seen ||= earlier.#seen
    this.#seenAddress ||= earlier.#seenAddress
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
    const toHigh = this.#high
    const toLow = this.#low
    const toKind = this.#kind
    const toName = this.#name
    const toRootHash = this.#rootHash
    const toOwner = this.#owner
    const onlyListedData = this.#keep.data !== undefined
    let count = this.#count
    let address = 0
    for (let i = from; i < to; i++) {
      address |= high[i]! | low[i]!
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
      toHigh[count] = high[i]!
      toLow[count] = low[i]!
      toKind[count] = kind[i]!
      toName[count] = (family << ROOT_BITS) | root
      toRootHash[count] = hash
      toOwner[count] = number
      count++
    }
    this.#count = count
    this.#seen ||= to > from
    this.#seenAddress ||= address !== 0
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
    if (facts.extents === undefined && this.#seen && !this.#seenAddress) {
      throw new NoPermissionError(
        `every address is zero: the kernel hides them from this reader. Needed: kptr_restrict below 2 with CAP_SYSLOG, ` +
          'or kptr_restrict 0 with perf_event_paranoid at most 1 (both under /proc/sys/kernel)',
      )
    }
    // Owners of memory are owners also where no symbol of theirs is in the table.
    for (const { owner } of facts.extents?.ranges ?? []) this.#ownerNumber(owner)
    const buffer = yield* assemble(
      {
        count: this.#count,
        high: this.#high,
        low: this.#low,
        name: this.#name,
        rootHash: this.#rootHash,
        owner: this.#owner,
        kind: this.#kind,
        heap: this.#roots.bytes.subarray(0, this.#roots.length),
        owners: this.#owners,
        ownerNumbers: this.#ownerNumbers,
        markers: this.#markers,
        lines: this.#lines,
        badCount: this.#badCount,
      },
      facts,
    )
    this.#roots.forgetHashes()
    return { buffer, lines: this.#lines, badCount: this.#badCount, bad: this.#bad, leftOut: this.#leftOut }
  }
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
