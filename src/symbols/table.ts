// The symbol table that readers hold: lookups by address and by name over the shared columns. Attaching costs
// microseconds and copies nothing; nothing here can change the table.

import { formatAddress, joinAddress } from '../core/address.ts'
import { decodeName, encodeName } from '../core/bytes.ts'
import { UsageError } from '../core/errors.ts'
import { compileGlob } from '../core/glob.ts'
import { TYPE_MASK, TYPES, typeOf, UNSURE } from './kinds.ts'
import { COUNTS, LONG_ROOT, openSymbolColumns, ROOT_BITS, ROOT_MASK, type SymbolColumns } from './layout.ts'
import {
  answerAt,
  type Candidate,
  candidatesAt,
  type KindFilter,
  type NothingReason,
  ownerOf,
  reasonAt,
} from './locate.ts'
import { fingerprint, nameHash, PREFIXES, splitName } from './names.ts'
import { scanNames } from './scan.ts'
import { findAddresses, type GroupView, groupOf, groupViews, NO_SYMBOL, predecessor } from './search.ts'

/** One symbol. Its fields are read from the shared table when they are asked for. */
export class KernelSymbol {
  readonly #table: SymbolTable
  /** Its number in table order: by address, and at equal addresses as in the file. Valid for this snapshot only. */
  readonly id: number

  constructor(table: SymbolTable, id: number) {
    this.#table = table
    this.id = id
  }

  /** The name; bytes that are not UTF-8 appear as lone surrogates (see `decodeName`). */
  get name(): string {
    return this.#table.nameOf(this.id)
  }

  get address(): bigint {
    return this.#table.addressOf(this.id)
  }

  /** The type character of nm(1) as kallsyms prints it. */
  get type(): string {
    return this.#table.typeOf(this.id)
  }

  /** `vmlinux`, a module, `bpf`, `__builtin__ftrace`, … */
  get owner(): string {
    return this.#table.ownerOf(this.id)
  }

  /** Bytes to the next distinct symbol or to the end of the owner's memory; 0 for a symbol that answers no address. */
  get size(): number {
    return this.#table.sizeOf(this.id)
  }

  toJSON(): { address: string; type: string; name: string; owner: string; size: number } {
    return {
      address: formatAddress(this.address),
      type: this.type,
      name: this.name,
      owner: this.owner,
      size: this.size,
    }
  }
}

/** What contains an address. Its lists are made when they are asked for. */
export class SymbolMatch {
  readonly #table: SymbolTable
  readonly #found: readonly Candidate[] | undefined
  readonly #id: number
  /** Bytes from the symbol's start. */
  readonly offset: number
  /** Bytes from the symbol's start to its end. */
  readonly size: number

  /** `found` is what `candidatesAt` gave; undefined where the plain search's answer is the only one. */
  constructor(table: SymbolTable, id: number, offset: number, size: number, found: readonly Candidate[] | undefined) {
    this.#table = table
    this.#id = id
    this.offset = offset
    this.size = size
    this.#found = found
  }

  /** The primary name: the first alias in kallsyms order, as the kernel prints it. */
  get symbol(): KernelSymbol {
    return new KernelSymbol(this.#table, this.#id)
  }

  /** The other symbols that start at the same address, unless they are candidates of another owner. */
  get aliases(): readonly KernelSymbol[] {
    const others = this.#found ?? []
    return this.#table
      .startingAt(this.#table.addressOf(this.#id))
      .filter(({ id }) => id !== this.#id && !others.some((candidate) => candidate.id === id))
  }

  /** Every symbol that may be meant, the answer first: more than one where owners' memory overlaps. */
  get candidates(): readonly { readonly symbol: KernelSymbol; readonly offset: number }[] {
    const address = this.#table.addressOf(this.#id) + BigInt(this.offset)
    return (this.#found ?? [{ id: this.#id }]).map(({ id }) => {
      const symbol = new KernelSymbol(this.#table, id)
      return { symbol, offset: Number(address - symbol.address) }
    })
  }
}

/** Bulk answers: for each address a symbol id (NO_SYMBOL where there is none) and the offset in bytes. */
export interface BulkAnswer {
  readonly ids: Uint32Array
  readonly offsets: Uint32Array
}

/** What a table consists of. */
export interface SymbolCensus {
  readonly byOwner: Readonly<Record<string, number>>
  readonly byType: Readonly<Record<string, number>>
  /** Symbols that start where another does that comes before them. */
  readonly aliases: number
  /** Symbols whose name another has that comes before them. */
  readonly repeatedNames: number
}

/** How to look for what contains an address. */
export interface AddressOptions {
  readonly kinds?: KindFilter
  /** Bytes beyond which a symbol is no answer; default 1 MiB. */
  readonly maxOffset?: number
}

/** Splitting a bigint through memory is several times faster than shifting it. */
const whole = new BigUint64Array(1)
const halves = new DataView(whole.buffer)
const LITTLE_ENDIAN = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1

/** The halves of an address. @throws UsageError if it is no unsigned 64-bit integer */
function split(address: bigint): { half: number; low: number } {
  whole[0] = address
  if (whole[0] !== address) throw new UsageError(`${address} is no address: it must lie in 0 … 2^64 - 1`)
  return LITTLE_ENDIAN
    ? { half: halves.getUint32(4, true), low: halves.getUint32(0, true) }
    : { half: halves.getUint32(0), low: halves.getUint32(4) }
}

/** A symbol table over a shared buffer. */
export class SymbolTable {
  /** The buffer, to hand to other threads. */
  readonly buffer: SharedArrayBuffer
  /** Number of symbols. */
  readonly size: number
  /** Owner names by number; the first is the core kernel. */
  readonly owners: readonly string[]
  readonly #columns: SymbolColumns
  readonly #groups: readonly GroupView[]
  readonly #heap: Buffer
  readonly #idMask: number
  readonly #bucketShift: number
  readonly #ownerNumbers: ReadonlyMap<string, number>

  /**
   * Attaches to a table's buffer.
   * @throws BadFormatError if the bytes are no symbol table, UnsupportedError if another version wrote them.
   */
  constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer
    const columns = openSymbolColumns(buffer)
    this.#columns = columns
    this.size = columns.low.length
    this.#groups = groupViews(columns)
    const { heap, owners, counts } = columns
    this.#heap = Buffer.from(heap.buffer, heap.byteOffset, heap.byteLength)
    this.owners = Buffer.from(owners.buffer, owners.byteOffset, owners.byteLength)
      .toString('latin1')
      .slice(0, -1)
      .split('\0')
    this.#ownerNumbers = new Map(this.owners.map((name, number) => [name, number]))
    const idBits = counts[COUNTS.idBits]!
    this.#idMask = idBits === 32 ? NO_SYMBOL : 2 ** idBits - 1
    this.#bucketShift = 32 - counts[COUNTS.bucketBits]!
  }

  /** Bytes of the shared buffer. */
  get byteLength(): number {
    return this.buffer.byteLength
  }

  /** Digits of an address as this kernel prints it: 8 on 32-bit machines. */
  get addressDigits(): 8 | 16 {
    return this.#groups.every(({ half }) => half === 0) ? 8 : 16
  }

  /** Symbols by owner and by type, and how many share an address or a name with an earlier one. */
  census(): SymbolCensus {
    const { kind, ownerStart, ownerOf: owner } = this.#columns
    const byOwner: Record<string, number> = {}
    for (let run = 0; run < ownerStart.length; run++) {
      const name = this.owners[owner[run]!]!
      const end = run + 1 < ownerStart.length ? ownerStart[run + 1]! : this.size
      byOwner[name] = (byOwner[name] ?? 0) + end - ownerStart[run]!
    }
    const types = new Uint32Array(TYPE_MASK + 1)
    for (let id = 0; id < this.size; id++) types[kind[id]! & TYPE_MASK]!++
    const byType: Record<string, number> = {}
    types.forEach((count, code) => {
      if (count > 0) byType[TYPES[code]!] = count
    })
    const { addresses, names } = this.distinct
    return { byOwner, byType, aliases: this.size - addresses, repeatedNames: this.size - names }
  }

  /** How many different addresses, and how many different names, the symbols have. */
  get distinct(): { addresses: number; names: number } {
    const { counts } = this.#columns
    return { addresses: counts[COUNTS.distinctAddresses]!, names: counts[COUNTS.distinctNames]! }
  }

  /** The symbol of an id. @throws UsageError if there is no such id. */
  get(id: number): KernelSymbol {
    this.#check(id)
    return new KernelSymbol(this, id)
  }

  /** All symbols in table order. */
  *[Symbol.iterator](): Generator<KernelSymbol> {
    for (let id = 0; id < this.size; id++) yield new KernelSymbol(this, id)
  }

  /** The symbols that start in [start, end), in table order. */
  *range(start: bigint, end: bigint): Generator<KernelSymbol> {
    const stop = this.lowerBound(end).id
    for (let id = this.lowerBound(start).id; id < stop; id++) yield new KernelSymbol(this, id)
  }

  /** Where an address stands: the first id that starts at it or above (`size` if none), and whether one starts there. */
  lowerBound(address: bigint): { id: number; found: boolean } {
    const { half, low: value } = split(address)
    const { low } = this.#columns
    const group = groupOf(this.#groups, half)
    let id = predecessor(this.#columns, group, value) + 1
    while (id > group.first && low[id - 1] === value) id--
    return { id, found: id < group.end && low[id] === value }
  }

  /** What contains an address, or undefined; `reasonFor` tells why not. */
  at(address: bigint, options?: AddressOptions): SymbolMatch | undefined {
    const { half, low: value } = split(address)
    const columns = this.#columns
    const group = groupOf(this.#groups, half)
    const id = predecessor(columns, group, value)
    if (id < group.first) return undefined
    // Where this symbol and the next are both plain, the next one's start is the end.
    if (options === undefined && ((columns.kind[id]! | columns.kind[id + 1]!) & UNSURE) === 0) {
      const start = columns.low[id]!
      return new SymbolMatch(this, id, value - start, columns.low[id + 1]! - start, undefined)
    }
    const found = candidatesAt(columns, group, value, id, options?.kinds, options?.maxOffset)
    const answer = found[0]
    if (answer === undefined) return undefined
    return new SymbolMatch(this, answer.id, value - columns.low[answer.id]!, answer.size, found)
  }

  /** Why no symbol contains an address. Meaningful only where `at` gives nothing. */
  reasonFor(address: bigint): NothingReason {
    const { half, low } = split(address)
    return reasonAt(this.#columns, this.#groups[this.#groups.length - 1]?.half ?? 0, half, low)
  }

  /** Every symbol that starts exactly at an address, in file order. */
  startingAt(address: bigint): KernelSymbol[] {
    const { id: first, found } = this.lowerBound(address)
    if (!found) return []
    const { low } = this.#columns
    const { end } = groupOf(this.#groups, split(address).half)
    const symbols: KernelSymbol[] = []
    for (let id = first; id < end && low[id] === low[first]; id++) symbols.push(new KernelSymbol(this, id))
    return symbols
  }

  /** Every symbol of a name, in file order (the core kernel's first); of one owner if asked. */
  named(name: string, options: { readonly owner?: string } = {}): KernelSymbol[] {
    let owner = -1
    if (options.owner !== undefined) {
      const number = this.#ownerNumbers.get(options.owner)
      if (number === undefined) return []
      owner = number
    }
    const symbols: KernelSymbol[] = []
    for (const id of this.idsNamed(encodeName(name))) {
      if (owner < 0 || ownerOf(this.#columns, id) === owner) symbols.push(new KernelSymbol(this, id))
    }
    return symbols
  }

  /** The symbols whose whole name matches a glob (`*`, `?`, `[…]`), in table order; of owners that match one, if asked. */
  *matching(glob: string, options: { readonly owner?: string } = {}): Generator<KernelSymbol> {
    for (const id of this.idsMatching(glob, options)) yield new KernelSymbol(this, id)
  }

  /** The ids of `matching`, for callers that look at many and keep few; of one kind of symbol if asked. */
  idsMatching(
    glob: string,
    options: { readonly owner?: string | undefined; readonly kinds?: KindFilter } = {},
  ): Generator<number, void, void> {
    const ownerMatches = options.owner === undefined ? undefined : compileGlob(options.owner)
    const owners = ownerMatches && this.owners.map((name) => ownerMatches(name))
    const table = { columns: this.#columns, nameOf: (id: number) => this.nameOf(id) }
    return scanNames(table, glob, { owners, kinds: options.kinds })
  }

  /** The ids of every symbol whose name is exactly the first `length` of these bytes, in file order. */
  idsNamed(name: Uint8Array, length = name.length): number[] {
    const { buckets, entries, name: references } = this.#columns
    const { prefix, rootStart, rootHash } = splitName(name, 0, length)
    const hash = nameHash(rootHash, prefix)
    const bucket = hash >>> this.#bucketShift
    const mask = this.#idMask
    const wanted = fingerprint(hash)
    const ids: number[] = []
    // Equal names share one reference, so bytes are compared once.
    let known = -1
    for (let i = buckets[bucket]!; i < buckets[bucket + 1]!; i++) {
      const entry = entries[i]!
      if (((entry ^ wanted) & ~mask) !== 0) continue
      const id = (entry & mask) >>> 0
      const reference = references[id]!
      if (reference === known) ids.push(id)
      else if (reference >>> ROOT_BITS === prefix && this.#rootEquals(reference & ROOT_MASK, name, rootStart, length)) {
        known = reference
        ids.push(id)
      }
    }
    return ids
  }

  /**
   * Bulk `at`: for each address the id of the symbol that contains it, or NO_SYMBOL, and the offset in bytes. The given
   * arrays are filled, or new ones made.
   */
  findMany(
    addresses: BigUint64Array,
    into: BulkAnswer = { ids: new Uint32Array(addresses.length), offsets: new Uint32Array(addresses.length) },
  ): BulkAnswer {
    const pairs = new Uint32Array(addresses.buffer, addresses.byteOffset, addresses.length * 2)
    findAddresses(this.#columns, this.#groups, pairs, addresses.length, into.ids, into.offsets, this.#second)
    return into
  }

  readonly #second = (group: GroupView, value: number, id: number): number => {
    const answer = answerAt(this.#columns, group, value, id)
    return answer < 0 ? NO_SYMBOL : answer
  }

  nameOf(id: number): string {
    this.#check(id)
    const reference = this.#columns.name[id]!
    const root = reference & ROOT_MASK
    const heap = this.#heap
    let start = root + 1
    let length = heap[root]!
    if (length === LONG_ROOT) {
      length = heap[start]! | (heap[start + 1]! << 8)
      start += 2
    }
    const text = decodeName(heap, start, start + length)
    const prefix = reference >>> ROOT_BITS
    return prefix === 0 ? text : PREFIXES[prefix]! + text
  }

  addressOf(id: number): bigint {
    this.#check(id)
    return joinAddress(this.#groupOfId(id).half, this.#columns.low[id]!)
  }

  #groupOfId(id: number): GroupView {
    const groups = this.#groups
    let from = 0
    let to = groups.length - 1
    while (from < to) {
      const middle = (from + to + 1) >>> 1
      if (groups[middle]!.first <= id) from = middle
      else to = middle - 1
    }
    return groups[from]!
  }

  typeOf(id: number): string {
    this.#check(id)
    return typeOf(this.#columns.kind[id]!)
  }

  ownerOf(id: number): string {
    this.#check(id)
    return this.owners[ownerOf(this.#columns, id)]!
  }

  sizeOf(id: number): number {
    this.#check(id)
    const columns = this.#columns
    const { low, kind } = columns
    const group = this.#groupOfId(id)
    const start = low[id]!
    let last = id
    while (last + 1 < group.end && low[last + 1] === start) last++
    let first = id
    while (first > group.first && low[first - 1] === start) first--
    if (((kind[first]! | kind[last + 1]!) & UNSURE) === 0) return low[last + 1]! - start
    const owner = ownerOf(columns, id)
    const own = candidatesAt(columns, group, start, last).find((one) => ownerOf(columns, one.id) === owner)
    return own !== undefined && low[own.id] === start ? own.size : 0
  }

  #rootEquals(root: number, name: Uint8Array, start: number, end: number): boolean {
    const heap = this.#columns.heap
    let at = root + 1
    let length = heap[root]!
    if (length === LONG_ROOT) {
      length = heap[at]! | (heap[at + 1]! << 8)
      at += 2
    }
    if (length !== end - start) return false
    for (let i = 0; i < length; i++) if (heap[at + i] !== name[start + i]) return false
    return true
  }

  #check(id: number): void {
    if (!(id >= 0 && id < this.size && Number.isInteger(id))) {
      throw new UsageError(`no symbol has id ${id}: ids go from 0 to ${this.size - 1}`)
    }
  }
}
