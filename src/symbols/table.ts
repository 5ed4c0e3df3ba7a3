// The symbol table that readers hold: lookups by address and by name over the shared columns. Attaching costs
// microseconds and copies nothing; nothing here can change the table.

import { formatAddress, joinAddress } from '../core/address.ts'
import {
  bytes,
  type Check,
  address as checkedAddress,
  count,
  instance,
  listOf,
  options as optionsOf,
  text,
  wrong,
} from '../core/arguments.ts'
import { encodeName } from '../core/bytes.ts'
import { AmbiguousError, NotFoundError } from '../core/errors.ts'
import { counted, INSPECT, type Inspect, inspected } from '../core/explain.ts'
import { compileGlob } from '../core/glob.ts'
import {
  ADDRESS_OPTIONS,
  type AddressOptions,
  type BulkAnswer,
  checkAddresses,
  checkAnswers,
  pattern as checkedPattern,
  MATCHING_OPTIONS,
  NAME_OPTIONS,
  type NameOptions,
  type Pattern,
  position,
  SCAN_OPTIONS,
  type StartingAnswer,
} from './arguments.ts'
import { BorrowedNames, lendersOf } from './borrowed-names.ts'
import { TYPE_MASK, TYPES, typeOf, UNSURE } from './kinds.ts'
import { COUNTS, openSymbolColumns, type SymbolColumns } from './layout.ts'
import {
  answerAt,
  behindAt,
  candidatesAt,
  firstAt,
  type KindFilter,
  type NothingReason,
  ownerOf,
  reasonAt,
  regionOwner,
} from './locate.ts'
import {
  arePacked,
  type NamedAnswer,
  type NameFinder,
  NameLookup,
  nameIn,
  type PackedNames,
  packNames,
} from './lookup-names.ts'
import { scanNames } from './scan.ts'
import {
  findAddresses,
  findStarts,
  type GroupView,
  groupOf,
  groupOfId,
  groupViews,
  NO_SYMBOL,
  predecessor,
  upperBound,
} from './search.ts'
import { SizedLookup } from './sized.ts'
import { KernelSymbol, SymbolMatch } from './symbol.ts'
import { isText } from './text.ts'

/** Where a lookup of one name puts what it finds: more than nearly any name has. */
const FOUND = new Uint32Array(64)

/** The buffers of a table. */
export interface SymbolCensus {
  readonly byOwner: Readonly<Record<string, number>>
  readonly byType: Readonly<Record<string, number>>
  /** Symbols that start where another does that comes before them. */
  readonly aliases: number
  /** Symbols whose name another has that comes before them. */
  readonly repeatedNames: number
}

/** Names of one address that are stepped over: more than nearly any address has. */
const FEW_ALIASES = 16

/** Splitting a bigint through memory is several times faster than shifting it. */
const whole = new BigUint64Array(1)
const halves = new DataView(whole.buffer)
const LITTLE_ENDIAN = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1

/** The halves of an address. @throws UsageError if it is no unsigned 64-bit integer */
function split(address: bigint): { half: number; low: number } {
  if (typeof address !== 'bigint') checkedAddress(address)
  whole[0] = address
  if (whole[0] !== address) checkedAddress(address)
  return LITTLE_ENDIAN
    ? { half: halves.getUint32(4, true), low: halves.getUint32(0, true) }
    : { half: halves.getUint32(0), low: halves.getUint32(4) }
}

/** The answer of `ownerAt` for memory that no known owner has. */
export const HIDDEN_OWNER = 'hidden'

/** Ids matched against a pattern between two yields of `matching`. */
const MATCH_SLICE = 16_384

function predicate(pattern: Pattern): (text: string) => boolean {
  if (typeof pattern === 'string') return compileGlob(pattern)
  // A sticky or global expression remembers where it stopped; a copy without those flags does not.
  const stateless = new RegExp(pattern.source, pattern.flags.replace(/[gy]/g, ''))
  return (text) => stateless.test(text)
}

/** Takes `MODULE:NAME` apart; a name without a colon has no owner. */
export function splitQuery(query: string): { owner: string | undefined; name: string } {
  const colon = query.indexOf(':')
  return colon < 0 ? { owner: undefined, name: query } : { owner: query.slice(0, colon), name: query.slice(colon + 1) }
}

/** A symbol table over a shared buffer. */
export class SymbolTable {
  /** The buffers of the tables that lend this one its names, to go with its own; undefined where it has them itself. */
  readonly names: readonly SharedArrayBuffer[] | undefined
  /** Number of symbols. */
  readonly size: number
  /** Owner names by number; the first is the core kernel. */
  readonly owners: readonly string[]
  readonly #buffer: SharedArrayBuffer
  readonly #columns: SymbolColumns
  readonly #groups: readonly GroupView[]
  readonly #heap: Buffer
  readonly #names: NameFinder
  /** Brings the names into the buffer; undefined when they are there. */
  #late: (() => void) | undefined
  readonly #borrowed: BorrowedNames | undefined
  /** Made when it is first asked for: there may be thousands of owners. */
  #ownerNumbers: ReadonlyMap<string, number> | undefined
  readonly #sized: SizedLookup | undefined
  /** Of the address whose sizes were asked last: its first symbol, and what those of each owner reach to, where owners meet. */
  #sizes: { readonly first: number; readonly byOwner: ReadonlyMap<number, number> } | undefined

  /**
   * Attaches to a table's buffer; `names` are the buffers that come with it, if any do. With `late`, its names are not in it yet: that brings them,
   * when they are first looked at.
   * @throws BadFormatError if the bytes are no symbol table, UnsupportedError if another version wrote them.
   */
  constructor(buffer: SharedArrayBuffer, names?: readonly SharedArrayBuffer[], late?: () => void) {
    if (!(buffer instanceof SharedArrayBuffer)) throw wrong('buffer', 'the SharedArrayBuffer of a table', buffer)
    if (names !== undefined) listOf(instance(SharedArrayBuffer, 'a SharedArrayBuffer'), 'buffers')(names, 'names')
    this.#buffer = buffer
    this.#late = late
    const columns = openSymbolColumns(buffer)
    const lenders = columns.runs.length === 0 ? undefined : lendersOf(columns, names)
    this.names = lenders && names
    this.#columns = columns
    this.size = columns.low.length
    this.#groups = groupViews(columns)
    const { heap, owners } = columns
    this.#heap = Buffer.from(heap.buffer, heap.byteOffset, heap.byteLength)
    this.owners = Buffer.from(owners.buffer, owners.byteOffset, owners.byteLength)
      .toString('latin1')
      .slice(0, -1)
      .split('\0')
    this.#borrowed = lenders && new BorrowedNames(columns, lenders)
    this.#names = this.#borrowed ?? new NameLookup(columns)
    this.#sized = columns.counts[COUNTS.sized] === 1 ? new SizedLookup(columns, this.#groups) : undefined
  }

  /** The buffer, to hand to other threads. */
  get buffer(): SharedArrayBuffer {
    this.#bringNames()
    return this.#buffer
  }

  #bringNames(): void {
    this.#late?.()
    this.#late = undefined
  }

  /** Looks up names, which are there. */
  get #finder(): NameFinder {
    this.#bringNames()
    return this.#names
  }

  #numberOf(owner: string): number | undefined {
    this.#ownerNumbers ??= new Map(this.owners.map((name, number) => [name, number]))
    return this.#ownerNumbers.get(owner)
  }

  /** Bytes of the shared buffer. */
  get byteLength(): number {
    return this.#buffer.byteLength
  }

  /** Whether symbols have sizes of their own, as those of ELF files do, instead of reaching to the next. */
  get sized(): boolean {
    return this.#sized !== undefined
  }

  /** Digits of an address as this kernel prints it: 8 on 32-bit machines. */
  get addressDigits(): 8 | 16 {
    return this.#groups.every(({ half }) => half === 0) ? 8 : 16
  }

  /** Symbols by owner and by type, and how many share an address or a name with an earlier one. */
  census(): SymbolCensus {
    const { kind, ownerStart, ownerOf: owner } = this.#columns
    // An owner may be called `__proto__`.
    const byOwner: Record<string, number> = Object.create(null)
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
    return { addresses: this.#columns.counts[COUNTS.distinctAddresses]!, names: this.#finder.distinct() }
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
  range(start: bigint, end: bigint): Generator<KernelSymbol> {
    return this.#between(this.lowerBound(start).id, this.lowerBound(end).id)
  }

  *#between(from: number, to: number): Generator<KernelSymbol> {
    for (let id = from; id < to; id++) yield new KernelSymbol(this, id)
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

  /** The symbol that contains an address, or undefined; `reasonFor` tells why not. */
  at(address: bigint, options?: AddressOptions): SymbolMatch | undefined {
    const { half, low: value } = split(address)
    if (options !== undefined) options = optionsOf(options, 'at', ADDRESS_OPTIONS)
    const columns = this.#columns
    const group = groupOf(this.#groups, half)
    const id = predecessor(columns, group, value)
    if (id < group.first) return this.#sized && this.#atSized(this.#sized, half, value, options)
    // Where this symbol and the next are both plain, the next one's start is the end. No sized symbol is.
    if (options === undefined && ((columns.kind[id]! | columns.kind[id + 1]!) & UNSURE) === 0) {
      const start = columns.low[id]!
      return new SymbolMatch(this, id, value - start, columns.low[id + 1]! - start, undefined)
    }
    if (this.#sized !== undefined) return this.#atSized(this.#sized, half, value, options)
    const found = candidatesAt(columns, group, value, id, options?.kinds, options?.maxOffset)
    const answer = found[0]
    if (answer === undefined) return undefined
    return new SymbolMatch(this, answer.id, value - columns.low[answer.id]!, answer.size, found)
  }

  #atSized(lookup: SizedLookup, half: number, low: number, options?: AddressOptions): SymbolMatch | undefined {
    const found = lookup.candidates(half, low, options?.kinds, options?.maxOffset)
    const answer = found[0]
    return answer && new SymbolMatch(this, answer.id, answer.offset, answer.size, found)
  }

  /** Why no symbol contains an address. Meaningful only where `at` gives nothing. */
  reasonFor(address: bigint): NothingReason {
    const { half, low } = split(address)
    if (this.#sized !== undefined) return this.#sized.reason(half, low)
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

  /** The owner of the memory at an address: `vmlinux`, a module, a section, …; `hidden` where no known owner has it. */
  ownerAt(address: bigint): string {
    const { half, low } = split(address)
    const owner = this.#sized?.owner(half, low) ?? regionOwner(this.#columns, half, low)
    return owner < 0 ? HIDDEN_OWNER : this.owners[owner]!
  }

  /** Every symbol of a name, in file order (the core kernel's first); of one owner if asked. */
  named(name: string, options?: NameOptions): KernelSymbol[] {
    if (typeof name !== 'string') text(name, 'name')
    const { suffixes, owner: ownerName } = optionsOf(options, 'named', NAME_OPTIONS)
    const ids = suffixes === true ? this.#finder.withSuffixes(name) : this.#finder.ids(encodeName(name))
    let owner = -1
    if (ownerName !== undefined) {
      const number = this.#numberOf(ownerName)
      if (number === undefined) return []
      owner = number
    }
    const symbols: KernelSymbol[] = []
    for (const id of ids) {
      if (owner < 0 || ownerOf(this.#columns, id) === owner) symbols.push(new KernelSymbol(this, id))
    }
    return symbols
  }

  /**
   * The one symbol of a name. `MODULE:NAME` or the option asks for one owner's.
   * @throws NotFoundError if there is none; AmbiguousError with the candidates if there are several
   */
  require(query: string, options?: NameOptions): KernelSymbol {
    const { name, owner } = splitQuery(text(query, 'query'))
    const found = this.named(name, owner === undefined ? options : { ...options, owner })
    return this.#only(found, `a symbol named ${query}`)
  }

  /**
   * The one symbol that starts at an address.
   * @throws NotFoundError if there is none; AmbiguousError with the candidates if there are several
   */
  requireStartingAt(address: bigint): KernelSymbol {
    return this.#only(this.startingAt(address), `a symbol that starts at ${formatAddress(address)}`)
  }

  /**
   * The symbol that contains an address; in a sized table the innermost one.
   * @throws NotFoundError if nothing does; AmbiguousError if symbols of several owners may be meant
   */
  requireAt(address: bigint, options?: AddressOptions): SymbolMatch {
    const match = this.at(address, options)
    if (match === undefined) {
      throw new NotFoundError(`no symbol contains ${formatAddress(address)}: ${this.reasonFor(address)}`)
    }
    if (this.sized) return match
    const symbols = match.candidates.map(({ symbol }) => symbol)
    this.#only(symbols, `what contains ${formatAddress(address)}`)
    return match
  }

  #only(found: readonly KernelSymbol[], what: string): KernelSymbol {
    const [first, second] = found
    if (first === undefined) throw new NotFoundError(`there is no such thing as ${what}`)
    if (second === undefined) return first
    const some = found.slice(0, 8).map(({ name, owner, address }) => `${name} [${owner}] ${formatAddress(address)}`)
    const more = found.length > some.length ? `, and ${found.length - some.length} more` : ''
    throw new AmbiguousError(`${what} is ambiguous: ${some.join(', ')}${more}; name the owner or the address`, found)
  }

  /** The symbols whose names match a pattern, in table order; of owners that match another, if asked. */
  matching(pattern: Pattern, options?: { readonly owner?: Pattern | undefined }): Generator<KernelSymbol> {
    const { owner } = optionsOf(options, 'matching', MATCHING_OPTIONS)
    return this.#matching(checkedPattern(pattern, 'pattern'), owner)
  }

  *#matching(pattern: Pattern, owner: Pattern | undefined): Generator<KernelSymbol> {
    for (let from = 0; from < this.size; from += MATCH_SLICE) {
      const ids = this.idsMatching(pattern, owner, from, Math.min(this.size, from + MATCH_SLICE))
      for (const id of ids) yield new KernelSymbol(this, id)
    }
  }

  /** The ids in [from, to) whose names, and whose owners if asked, match a pattern. */
  idsMatching(pattern: Pattern, owner: Pattern | undefined, from: number, to: number): number[] {
    checkedPattern(pattern, 'pattern')
    if (owner !== undefined) checkedPattern(owner, 'owner')
    const end = Math.min(this.size, position(to, 'to'))
    const matches = predicate(pattern)
    const ownerMatches = owner === undefined ? undefined : predicate(owner)
    const wanted = ownerMatches && this.owners.map(ownerMatches)
    const { ownerStart, ownerOf: owners } = this.#columns
    const ids: number[] = []
    let run = upperBound(ownerStart, 0, ownerStart.length, position(from, 'from')) - 1
    for (let id = from; id < end; run++) {
      const stop = Math.min(end, run + 1 < ownerStart.length ? ownerStart[run + 1]! : this.size)
      if (wanted === undefined || wanted[owners[run]!] === true) {
        for (; id < stop; id++) if (matches(this.nameOf(id))) ids.push(id)
      }
      id = stop
    }
    return ids
  }

  /**
   * The ids, ascending, of the symbols whose names match a glob; of one kind, and of owners that match another, if asked.
   * Looks at the bytes of names first: for callers that ask about many and keep few.
   */
  scan(
    glob: string,
    options?: { readonly owner?: string | undefined; readonly kinds?: KindFilter | undefined },
  ): Generator<number, void, void> {
    const { owner, kinds } = optionsOf(options, 'scan', SCAN_OPTIONS)
    const owners = owner === undefined ? undefined : this.owners.map(predicate(owner))
    this.#bringNames()
    const table = { columns: this.#columns, borrowed: this.#borrowed, nameOf: (id: number) => this.nameOf(id) }
    return scanNames(table, text(glob, 'glob'), { owners, kinds })
  }

  /** The ids of every symbol whose name is exactly these bytes, or the first `length` of them, in file order. */
  idsNamed(name: Uint8Array, given?: number): number[] {
    bytes(name, 'name')
    const length = given === undefined ? name.length : given
    if (!(length <= count(name.length, 'length')))
      throw wrong('length', `a number of bytes up to ${name.length}`, length)
    const ids: number[] = []
    const found = this.#finder.find(name, 0, length, FOUND, 0)
    if (found > FOUND.length) return Array.from(this.#finder.ids(name, length))
    for (let i = 0; i < found; i++) ids.push(FOUND[i]!)
    return ids
  }

  /** Bulk `named`: the ids of the symbols of each name, in file order. Names [from, to) of a packed list if given. */
  namedMany(names: readonly string[] | PackedNames, from = 0, to?: number): NamedAnswer {
    const packed = arePacked(names) ? names : packNames(names)
    const end = to === undefined ? packed.ends.length : to
    if (!(position(from, 'from') <= position(end, 'to') && end <= packed.ends.length)) {
      throw wrong('to', `a number of names from ${from} to ${packed.ends.length}`, end)
    }
    return this.#finder.many(packed, from, end)
  }

  /** Bulk `startingAt`: aliases have consecutive ids, so the first and their number say all. */
  startingAtMany(addresses: BigUint64Array, into?: StartingAnswer): StartingAnswer {
    checkAddresses(addresses)
    const { length } = addresses
    if (into !== undefined) checkAnswers(into, ['ids', 'counts'], length)
    const answer = into ?? { ids: new Uint32Array(length), counts: new Uint32Array(length) }
    const pairs = new Uint32Array(addresses.buffer, addresses.byteOffset, length * 2)
    findStarts(this.#columns, this.#groups, pairs, length, answer.ids, answer.counts)
    return answer
  }

  /**
   * Bulk `at`: for each address the id of the symbol that contains it, or NO_SYMBOL, and the offset in bytes. The given
   * arrays are filled, or new ones made.
   */
  findMany(addresses: BigUint64Array, into?: BulkAnswer): BulkAnswer {
    checkAddresses(addresses)
    const { length } = addresses
    if (into !== undefined) checkAnswers(into, ['ids', 'offsets'], length)
    const answer = into ?? { ids: new Uint32Array(length), offsets: new Uint32Array(length) }
    const pairs = new Uint32Array(addresses.buffer, addresses.byteOffset, length * 2)
    if (this.#sized !== undefined) this.#sized.findMany(pairs, length, answer.ids, answer.offsets)
    else findAddresses(this.#columns, this.#groups, pairs, length, answer.ids, answer.offsets, this.#second)
    return answer
  }

  readonly #second = (group: GroupView, value: number, id: number): number => {
    const answer = answerAt(this.#columns, group, value, id)
    return answer < 0 ? NO_SYMBOL : answer
  }

  /** A symbol's name; for the others of this kind see KernelSymbol. @throws UsageError if there is no such id */
  nameOf(id: number): string {
    this.#check(id)
    if (this.#late !== undefined) this.#bringNames()
    if (this.#borrowed !== undefined) return this.#borrowed.nameOf(id)
    return nameIn(this.#columns, this.#heap, id)
  }

  addressOf(id: number): bigint {
    this.#check(id)
    return joinAddress(groupOfId(this.#groups, id).half, this.#columns.low[id]!)
  }

  typeOf(id: number): string {
    this.#check(id)
    return typeOf(this.#columns.kind[id]!)
  }

  /**
   * Whether a symbol is text, a function that is: by its type, and in the core kernel by its place between `_stext` and
   * `_etext`, or `_sinittext` and `_einittext`, where the kernel lists those. x86 prints data as `t` and `T` from 6.18 on.
   */
  isText(id: number): boolean {
    this.#check(id)
    return isText(this.#columns, id, ownerOf(this.#columns, id))
  }

  /**
   * Whether what `findMany` answers is all that is meant: nothing else begins between a symbol's start and the address, and no
   * other owner has a part in that memory. A no may be too careful.
   */
  isAlone(id: number, offset: number): boolean {
    this.#check(id)
    count(offset, 'offset')
    const { kind, low } = this.#columns
    if (this.#sized !== undefined || (kind[id]! & UNSURE) !== 0) return false
    const start = low[id]!
    let next = id + 1
    for (const most = next + FEW_ALIASES; next < most && low[next] === start; next++);
    return next < this.size && low[next]! > start + offset
  }

  ownerOf(id: number): string {
    this.#check(id)
    return this.owners[ownerOf(this.#columns, id)]!
  }

  sizeOf(id: number): number {
    this.#check(id)
    if (this.#sized !== undefined) return this.#sized.sizeOf(id)
    const columns = this.#columns
    const { low, kind } = columns
    const group = groupOfId(this.#groups, id)
    const start = low[id]!
    const behind = behindAt(low, group.end, id)
    const first = firstAt(low, group.first, id)
    if (((kind[first]! | kind[behind]!) & UNSURE) === 0) return low[behind]! - start
    if (this.#sizes?.first !== first) {
      const byOwner = new Map<number, number>()
      // Of each owner the likeliest.
      for (const one of candidatesAt(columns, group, start, behind - 1).reverse()) {
        byOwner.set(ownerOf(columns, one.id), low[one.id] === start ? one.size : 0)
      }
      this.#sizes = { first, byOwner }
    }
    return this.#sizes.byOwner.get(ownerOf(columns, id)) ?? 0
  }

  #check(id: number): void {
    if (!(typeof id === 'number' && id >= 0 && id < this.size && Number.isInteger(id))) {
      throw wrong('id', `the id of a symbol, a whole number from 0 to ${this.size - 1}`, id)
    }
  }

  /** Sizes, not symbols: those are what the table is iterated over for. */
  toJSON(): { symbols: number; bytes: number; owners: number } {
    return { symbols: this.size, bytes: this.byteLength, owners: this.owners.length }
  }

  toString(): string {
    return `table of ${counted(this.size, 'symbol')} of ${counted(this.owners.length, 'owner')}`
  }

  /** What `console.log` shows. */
  [INSPECT](depth: number, options: object, inspect: Inspect): string {
    return inspected('SymbolTable', () => this.toJSON(), depth, options, inspect)
  }
}

/** A table of symbols, as an argument. */
export const symbolTable: Check<SymbolTable> = instance(SymbolTable, 'a table of symbols, such as kernel.symbols')
