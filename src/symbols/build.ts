// Gathers parsed chunks in the order of the text: names into one heap, owners into one list, what is not wanted left out.
// Pure and deterministic: the bytes of the table depend on the text alone, not on how it was cut or who parsed it.

import { decodeName, encodeName } from '../core/bytes.ts'
import { LimitError, NoPermissionError } from '../core/errors.ts'
import { assemble, type BuildFacts, type Room, roomFor } from './assemble.ts'
import type { MarkerHashes, TableColumns } from './gather.ts'
import { isData } from './kinds.ts'
import { ROOT_BITS, ROOT_MASK } from './layout.ts'
import { hashBytes, nameHash, PREFIXES, splitName } from './names.ts'
import { type BadLine, chunkWithin, LISTED_BAD_LINES, type ParsedChunk } from './parse.ts'
import { MARKERS, type MarkerAddress } from './regions.ts'
import { RootHeap } from './roots.ts'
import { bytesOf, halfWords, type Steps, type Touching, type Workspace, words } from './workspace.ts'

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

/**
 * Gathers parsed chunks in the order of the text. `append` has to be called chunk by chunk in that order; `finish` makes
 * the table. Both go step by step, so that a caller can keep its event loop alive.
 */
export class TableBuilder {
  readonly #workspace: Workspace
  #capacity: number
  #count = 0
  #columns: TableColumns
  #roots: RootHeap
  #room: Room
  /** Where memory is being touched before it is used: that of columns and roots, then the room. */
  #touching: Touching | undefined
  /** The OR of all halves of addresses, also of symbols left out: zero where every address is. */
  readonly #seenAddress: Uint32Array
  readonly #markerHashes: MarkerHashes
  readonly #found: Uint32Array
  #numbers: Uint16Array
  #owners: string[]
  #ownerNumbers: Map<string, number>
  /** Whether there was any symbol, also among those left out. */
  #seen = false
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
  constructor(workspace: Workspace, expected = 131_072, keep: Keep = {}, coreOwner = CORE_OWNER) {
    this.#workspace = workspace
    this.#owners = [coreOwner]
    this.#ownerNumbers = new Map([[coreOwner, 0]])
    this.#keep = keep
    for (const name of keep.data ?? []) this.#maybeKept[hashOfName(name) & 0xff] = 1
    this.#capacity = Math.max(1024, expected)
    this.#columns = tableColumns(workspace, this.#capacity)
    this.#room = roomFor(workspace, this.#capacity)
    this.#roots = rootHeap(workspace, this.#capacity)
    this.#touching = workspace.touch?.([...Object.values({ ...this.#columns }).map(bytesOf), ...this.#roots.memory])
    this.#seenAddress = words(workspace, 1)
    this.#markerHashes = words(workspace, 256)
    this.#markerHashes.set(MARKER_HASHES)
    this.#found = words(workspace, workspace.slice)
    this.#numbers = halfWords(workspace, 64)
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
   * Takes over the next chunk; `source` is what its root positions point into and may be reused afterwards.
   * @throws LimitError if there are more owners, or longer names in all, than a table can number.
   */
  *append(parsed: ParsedChunk, source: Uint8Array): Steps<void> {
    if (this.#segments.length === 0) yield* this.#begin()
    const chunk = chunkWithin(this.#workspace, parsed)
    const text = this.#workspace.reach('text', source)
    const from = this.#count
    if (from + chunk.count > this.#capacity) this.#grow(from + chunk.count)
    const core = this.#owners[0]!
    const owners = chunk.owners.map((name) => (name === '' ? core : name))
    const kept = owners.map((name) => name === core || this.#keep.owners?.has(name) !== false)
    const numbers = owners.map((name, i) => (kept[i] === true ? this.#ownerNumber(name) : -1))
    const leftOut = { data: 0, owners: 0 }
    const { slice } = this.#workspace
    const keepsAll = this.#keep.data === undefined && this.#keep.owners === undefined
    this.#roots.reserve(chunk.count, text.length)
    if (numbers.length > this.#numbers.length) this.#numbers = halfWords(this.#workspace, numbers.length * 2)
    this.#numbers.set(numbers)
    for (let at = 0; at < chunk.count; at += slice) {
      if (at > 0) yield
      const end = Math.min(chunk.count, at + slice)
      if (keepsAll) this.#appendAll(chunk, text, at, end)
      else this.#appendKept(chunk, text, numbers, at, end, leftOut)
      this.#checkHeap()
    }
    this.#seen ||= chunk.count > 0
    const { lines, badCount, bad } = chunk
    this.#close({ from, to: this.#count, lines, badCount, bad, owners: owners.filter((_, i) => kept[i]), leftOut })
  }

  /** Takes over a stretch of text that an earlier load has gathered and that has not changed, without parsing it. */
  *appendFrom(earlier: TableBuilder, segment: number): Steps<void> {
    if (this.#segments.length === 0) yield* this.#begin()
    const known = earlier.#segments[segment]!
    const from = this.#count
    const count = known.to - known.from
    if (from + count > this.#capacity) this.#grow(from + count)
    const { high, low, kind, rootHash, name, owner } = earlier.#columns
    const to = this.#columns
    to.high.set(high.subarray(known.from, known.to), from)
    to.low.set(low.subarray(known.from, known.to), from)
    to.kind.set(kind.subarray(known.from, known.to), from)
    to.rootHash.set(rootHash.subarray(known.from, known.to), from)
    const numbers = new Uint16Array(earlier.#owners.length)
    for (const name of known.owners) numbers[earlier.#ownerNumbers.get(name)!] = this.#ownerNumber(name)
    const heap = this.#workspace.reach('heap', earlier.#roots.bytes.subarray(0, earlier.#roots.length))
    const names = this.#workspace.reach('names', bytesOf(name.subarray(0, earlier.#count)))
    const references = new Uint32Array(names.buffer, names.byteOffset, earlier.#count)
    const { slice } = this.#workspace
    this.#roots.reserve(count, heap.length)
    for (let at = known.from; at < known.to; at += slice) {
      if (at > known.from) yield
      const end = Math.min(known.to, at + slice)
      const target = from + at - known.from
      this.#workspace.loops.adopt(heap, references, at, end, target, to, this.#roots)
      for (let i = at; i < end; i++) to.owner[target + i - at] = numbers[owner[i]!]!
      this.#checkHeap()
    }
    for (const [name, marker] of earlier.#markers) {
      if (marker.segment === segment && !this.#markers.has(name)) {
        this.#markers.set(name, { ...marker, segment: this.#segments.length })
      }
    }
    this.#count += count
    this.#seen ||= earlier.#seen
    this.#seenAddress[0]! |= earlier.#seenAddress[0]!
    this.#close({ ...known, from, to: this.#count })
  }

  /** Waits for the memory of columns and roots, and has the room touched while they are filled. */
  *#begin(): Steps<void> {
    yield this.#touching?.over
    if (this.#touching?.givenUp === true) {
      this.#columns = tableColumns(this.#workspace, this.#capacity)
      this.#roots = rootHeap(this.#workspace, this.#capacity)
    }
    this.#touching = this.#workspace.touch?.(Object.values({ ...this.#room }).map(bytesOf))
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

  /** Takes symbols [from, to) of a chunk over. */
  #appendAll(chunk: ParsedChunk, text: Uint8Array, from: number, to: number): void {
    const found = this.#found
    const gathering = {
      table: this.#columns,
      roots: this.#roots,
      numbers: this.#numbers,
      markers: this.#markerHashes,
      found,
      seen: this.#seenAddress,
    }
    const marked = this.#workspace.loops.gather(chunk, from, to, text, gathering, this.#count)
    for (let i = 0; i < marked; i++) this.#noteMarker(chunk, text, found[i]!)
    this.#count += to - from
  }

  /** Takes over those of symbols [from, to) of a chunk that are wanted. */
  #appendKept(
    chunk: ParsedChunk,
    text: Uint8Array,
    owners: readonly number[],
    from: number,
    to: number,
    leftOut: { data: number; owners: number },
  ): void {
    const { high, low, kind, rootStart, rootLength, rootHash, prefix, owner } = chunk
    const columns = this.#columns
    const onlyListedData = this.#keep.data !== undefined
    for (let i = from; i < to; i++) {
      const number = owners[owner[i]!]!
      const hash = rootHash[i]!
      const family = prefix[i]!
      this.#seenAddress[0]! |= high[i]! | low[i]!
      if (number === 0 && family === 0 && MARKER_HASHES[hash & 0xff] === hash) this.#noteMarker(chunk, text, i)
      if (number < 0) {
        leftOut.owners++
        continue
      }
      if (onlyListedData && isData(kind[i]!) && !this.#isListed(text, rootStart[i]!, rootLength[i]!, hash, family)) {
        leftOut.data++
        continue
      }
      const at = this.#count++
      columns.high[at] = high[i]!
      columns.low[at] = low[i]!
      columns.kind[at] = kind[i]!
      columns.name[at] = (family << ROOT_BITS) | this.#roots.add(text, rootStart[i]!, rootLength[i]!, hash)
      columns.rootHash[at] = hash
      columns.owner[at] = number
    }
  }

  #checkHeap(): void {
    if (this.#roots.length <= ROOT_MASK) return
    throw new LimitError(`the names need more than ${ROOT_MASK + 1} bytes; load fewer symbols`)
  }

  #isListed(text: Uint8Array, rootStart: number, rootLength: number, rootHash: number, prefix: number): boolean {
    if (this.#maybeKept[nameHash(rootHash, prefix) & 0xff] === 0) return false
    const root = Buffer.from(text.buffer, text.byteOffset, text.byteLength)
    return this.#keep.data?.has(PREFIXES[prefix]! + decodeName(root, rootStart, rootStart + rootLength)) === true
  }

  /** Remembers where a section marker is, the first of its name, even if the symbol itself is left out. */
  #noteMarker({ high, low, rootStart, rootLength }: ParsedChunk, text: Uint8Array, i: number): void {
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
    const { high, low, name, rootHash, owner, kind } = this.#columns
    const wider = tableColumns(this.#workspace, capacity)
    wider.high.set(high.subarray(0, this.#count))
    wider.low.set(low.subarray(0, this.#count))
    wider.name.set(name.subarray(0, this.#count))
    wider.rootHash.set(rootHash.subarray(0, this.#count))
    wider.owner.set(owner.subarray(0, this.#count))
    wider.kind.set(kind.subarray(0, this.#count))
    this.#columns = wider
    this.#capacity = capacity
  }

  /**
   * Sorts, lays out and indexes what was appended. Nothing can be appended afterwards, but another builder can take
   * stretches over from this one.
   * @throws NoPermissionError if there are symbols, without sizes of their own, and every address is zero.
   */
  *finish(facts: BuildFacts = {}): Steps<BuiltTable> {
    if (this.#segments.length === 0) yield* this.#begin()
    yield this.#touching?.over
    if (this.#touching?.givenUp === true || this.#count > this.#room.kind.length) {
      this.#room = roomFor(this.#workspace, this.#count)
    }
    if (facts.extents === undefined && this.#seen && this.#seenAddress[0] === 0) {
      throw new NoPermissionError(
        `every address is zero: the kernel hides them from this reader. Needed: kptr_restrict below 2 with CAP_SYSLOG, ` +
          'or kptr_restrict 0 with perf_event_paranoid at most 1 (both under /proc/sys/kernel)',
      )
    }
    // Owners of memory are owners also where no symbol of theirs is in the table.
    for (const { owner } of facts.extents?.ranges ?? []) this.#ownerNumber(owner)
    const buffer = yield* assemble(
      {
        workspace: this.#workspace,
        count: this.#count,
        ...this.#columns,
        heap: this.#roots.bytes.subarray(0, this.#roots.length),
        owners: this.#owners,
        ownerNumbers: this.#ownerNumbers,
        markers: this.#markers,
        lines: this.#lines,
        badCount: this.#badCount,
        room: this.#room,
      },
      facts,
    )
    this.#roots.forgetHashes()
    this.#room = roomFor(this.#workspace, 0)
    this.#touching = undefined
    return { buffer, lines: this.#lines, badCount: this.#badCount, bad: this.#bad, leftOut: this.#leftOut }
  }
}

/** A section marker: its address and the stretch of text it stands in. */
interface Marker extends MarkerAddress {
  readonly segment: number
}

const MARKER_NAMES = new Set<string>([...MARKERS.begin, ...MARKERS.sectionEnd, MARKERS.initText, MARKERS.end])
/** By the lowest byte of its hash, every marker's hash. No marker has a family prefix, so its root is its name. */
const MARKER_HASHES = new Uint32Array(256)
for (const name of MARKER_NAMES) {
  const bytes = Buffer.from(name, 'latin1')
  const hash = hashBytes(bytes, 0, bytes.length) >>> 0
  if (MARKER_HASHES[hash & 0xff] !== 0) throw new Error('two section markers share a slot: make more slots')
  MARKER_HASHES[hash & 0xff] = hash
}

function tableColumns(workspace: Workspace, capacity: number): TableColumns {
  return {
    high: words(workspace, capacity),
    low: words(workspace, capacity),
    name: words(workspace, capacity),
    rootHash: words(workspace, capacity),
    owner: halfWords(workspace, capacity),
    kind: workspace.allocate(capacity),
  }
}

function rootHeap(workspace: Workspace, capacity: number): RootHeap {
  return new RootHeap(workspace, Math.ceil(capacity * 0.6))
}

function hashOfName(name: string): number {
  const bytes = encodeName(name)
  const { prefix, rootHash } = splitName(bytes, 0, bytes.length)
  return nameHash(rootHash, prefix)
}
