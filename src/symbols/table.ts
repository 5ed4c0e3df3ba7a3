// The symbol table that readers hold: lookups by address and by name over the shared columns. Attaching costs
// microseconds and copies nothing; nothing here can change the table.

import { formatAddress, highHalf, joinAddress, lowHalf } from '../core/address.ts'
import { decodeName, encodeName } from '../core/bytes.ts'
import { UsageError } from '../core/errors.ts'
import { compileGlob } from '../core/glob.ts'
import { COUNTS, LONG_ROOT, openSymbolColumns, ROOT_BITS, ROOT_MASK, SPECIAL, type SymbolColumns } from './layout.ts'
import { candidatesAt, type KindFilter, type NothingReason, ownerOf, reasonAt } from './locate.ts'
import { fingerprint, nameHash, PREFIXES, splitName } from './names.ts'
import { scanNames } from './scan.ts'
import { findAddresses, groupRange, NO_SYMBOL, upperBound } from './search.ts'

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

/** What contains an address. */
export interface SymbolMatch {
  /** The primary name: the first alias in kallsyms order, as the kernel prints it. */
  readonly symbol: KernelSymbol
  /** Bytes from the symbol's start. */
  readonly offset: number
  /** Bytes from the symbol's start to its end. */
  readonly size: number
  /** The other symbols that start at the same address. */
  readonly aliases: readonly KernelSymbol[]
  /** Every symbol that may be meant, the answer first: more than one where owners' memory overlaps. */
  readonly candidates: readonly { readonly symbol: KernelSymbol; readonly offset: number }[]
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

/** A symbol table over a shared buffer. */
export class SymbolTable {
  /** The buffer, to hand to other threads. */
  readonly buffer: SharedArrayBuffer
  /** Number of symbols. */
  readonly size: number
  /** Owner names by number; the first is the core kernel. */
  readonly owners: readonly string[]
  readonly #columns: SymbolColumns
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
    const { groups } = this.#columns
    return groups.length === 2 && groups[0] === 0 ? 8 : 16
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
    const types = new Uint32Array(128)
    for (let id = 0; id < this.size; id++) types[kind[id]! & ~SPECIAL]!++
    const byType: Record<string, number> = {}
    types.forEach((count, code) => {
      if (count > 0) byType[String.fromCharCode(code)] = count
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
    const half = highHalf(address)
    const low = lowHalf(address)
    const { first, end } = groupRange(this.#columns, half)
    const id = low === 0 ? first : upperBound(this.#columns.low, first, end, low - 1)
    return { id, found: id < end && this.#columns.low[id] === low }
  }

  /** What contains an address, or undefined; `reasonFor` tells why not. Only for addresses of 64 bits. */
  at(address: bigint, options: AddressOptions = {}): SymbolMatch | undefined {
    const half = highHalf(address)
    const low = lowHalf(address)
    const found = candidatesAt(this.#columns, half, low, options.kinds, options.maxOffset)
    const answer = found[0]
    if (answer === undefined) return undefined
    const symbol = new KernelSymbol(this, answer.id)
    const aliases = this.startingAt(joinAddress(half, this.#columns.low[answer.id]!)).filter(
      ({ id }) => id !== answer.id && !found.some((candidate) => candidate.id === id),
    )
    return {
      symbol,
      offset: low - this.#columns.low[answer.id]!,
      size: answer.size,
      aliases,
      candidates: found.map(({ id }) => ({
        symbol: new KernelSymbol(this, id),
        offset: low - this.#columns.low[id]!,
      })),
    }
  }

  /** Why no symbol contains an address. Meaningful only where `at` gives nothing. */
  reasonFor(address: bigint): NothingReason {
    return reasonAt(this.#columns, highHalf(address), lowHalf(address))
  }

  /** Every symbol that starts exactly at an address, in file order. */
  startingAt(address: bigint): KernelSymbol[] {
    const { id: first, found } = this.lowerBound(address)
    if (!found) return []
    const { low } = this.#columns
    const { end } = groupRange(this.#columns, highHalf(address))
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

  /** The ids of every symbol whose name is exactly these bytes, in file order. */
  idsNamed(name: Uint8Array): number[] {
    const { buckets, entries, name: references } = this.#columns
    const { prefix, rootStart, rootHash } = splitName(name, 0, name.length)
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
      else if (reference >>> ROOT_BITS === prefix && this.#rootEquals(reference & ROOT_MASK, name, rootStart)) {
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
    findAddresses(this.#columns, pairs, 0, addresses.length, into.ids, into.offsets, this.#second)
    return into
  }

  readonly #second = (half: number, low: number): number => candidatesAt(this.#columns, half, low)[0]?.id ?? NO_SYMBOL

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
    const { groups, low } = this.#columns
    let g = 0
    while (g + 3 < groups.length && groups[g + 3]! <= id) g += 2
    return joinAddress(groups[g]!, low[id]!)
  }

  typeOf(id: number): string {
    this.#check(id)
    return String.fromCharCode(this.#columns.kind[id]! & ~SPECIAL)
  }

  ownerOf(id: number): string {
    this.#check(id)
    return this.owners[ownerOf(this.#columns, id)]!
  }

  sizeOf(id: number): number {
    const address = this.addressOf(id)
    const half = highHalf(address)
    const low = lowHalf(address)
    const { kind } = this.#columns
    if ((kind[id]! & SPECIAL) === 0) return this.#columns.low[id + 1]! - low
    const candidates = candidatesAt(this.#columns, half, low, 'all')
    const owner = ownerOf(this.#columns, id)
    const own = candidates.find((candidate) => ownerOf(this.#columns, candidate.id) === owner)
    return own !== undefined && this.#columns.low[own.id] === low ? own.size : 0
  }

  #rootEquals(root: number, name: Uint8Array, start: number): boolean {
    const heap = this.#columns.heap
    let at = root + 1
    let length = heap[root]!
    if (length === LONG_ROOT) {
      length = heap[at]! | (heap[at + 1]! << 8)
      at += 2
    }
    if (length !== name.length - start) return false
    for (let i = 0; i < length; i++) if (heap[at + i] !== name[start + i]) return false
    return true
  }

  #check(id: number): void {
    if (!(id >= 0 && id < this.size && Number.isInteger(id))) {
      throw new UsageError(`no symbol has id ${id}: ids go from 0 to ${this.size - 1}`)
    }
  }
}
