// A host's table out of books and a layout: which of the books' symbols it has, and where; what the books lack is a hole that says so.

import { joinAddress } from '../core/address.ts'
import { CORE_OWNER } from '../symbols/build.ts'
import { PAGE } from '../symbols/claims.ts'
import { HOLE } from '../symbols/layout.ts'
import type { ModuleMemory } from '../symbols/memory-range.ts'
import type { PlacedPiece, PlacedTable } from '../symbols/placed.ts'
import { type SectionStarts, sectionPlace } from '../symbols/section-starts.ts'
import type { SymbolTable } from '../symbols/table.ts'
import { type Book, type BookEntry, MOST_GROUP, ROW } from './book.ts'
import { BASE, entryKey, IMAGE } from './entry.ts'
import type { HostLayout, LayoutModule } from './layout.ts'

/** A module of a host that a catalogue cannot give. */
export interface MissingModule {
  readonly name: string
  readonly buildId: string | undefined
  readonly srcversion: string | undefined
  /** `unknown`: the catalogue has no such module; `other build`: it has another build of it; `no place`: nothing tells where it lies. */
  readonly why: 'unknown' | 'other build' | 'no place'
}

/** A symbol that a host has, at an address that nothing tells: a per-cpu variable of a module. */
export interface UnplacedSymbol {
  readonly owner: string
  readonly name: string
  readonly type: string
}

/** Which owners could be placed by a catalogue, and which not. */
export interface Placement {
  /** Modules of whose memory nothing is known: ask for these. */
  readonly missing: readonly MissingModule[]
  /** Modules that were chosen by the kernel's build id and their names alone, as neither side knows more. */
  readonly byName: readonly string[]
  readonly unplaced: readonly UnplacedSymbol[]
}

/** The pieces that a host's table is made of, and the report on them. */
export interface PlacedHost {
  readonly table: PlacedTable
  readonly placement: Placement
}

/** The entry of a module, or why there is none. */
export type FoundEntry =
  | { readonly book: number; readonly entry: BookEntry; readonly byName: boolean }
  | MissingModule['why']

/**
 * Chooses the entry of a module of a layout. By its own build id, or its sources' version, if it has one; else the entries of that
 * name have to be one.
 */
export function findEntry(books: readonly Book[], module: LayoutModule, kernel: string): FoundEntry {
  const { name, buildId, srcversion } = module
  const identified = buildId !== undefined || srcversion !== undefined
  if (identified) {
    const key = entryKey({
      kind: 'module',
      name,
      buildId,
      srcversion: buildId === undefined ? srcversion : undefined,
      kernel,
    })
    for (let book = 0; book < books.length; book++) {
      const entry = books[book]!.entries.get(key)
      if (entry !== undefined) return { book, entry, byName: false }
    }
  }
  const named = books.flatMap(({ entries }, book) =>
    entriesNamed(entries, name).map((entry) => ({ book, entry, byName: true })),
  )
  if (named.length === 0) return 'unknown'
  const [only] = named
  if (identified || named.length > 1 || only === undefined) return 'other build'
  return only
}

const byName = new WeakMap<ReadonlyMap<string, BookEntry>, Map<string, BookEntry[]>>()

/** The module entries of a name. */
function entriesNamed(entries: ReadonlyMap<string, BookEntry>, name: string): readonly BookEntry[] {
  let names = byName.get(entries)
  if (names === undefined) {
    names = new Map()
    for (const entry of entries.values()) {
      if (entry.kind !== 'module') continue
      const others = names.get(entry.name)
      if (others === undefined) names.set(entry.name, [entry])
      else others.push(entry)
    }
    byName.set(entries, names)
  }
  return names.get(name) ?? []
}

const HALF = 2 ** 32

/** Where sections are, by their numbers in a book: of the module that was looked at last. */
class Places {
  readonly high: Uint32Array
  readonly low: Uint32Array
  /** The distance by which each group of the module's entry has to be moved. */
  readonly groupHigh = new Uint32Array(MOST_GROUP + 1)
  readonly groupLow = new Uint32Array(MOST_GROUP + 1)
  /** Whether the sections of the module keep the distances that they have in its entry. */
  agree = true
  /** By row: 1 if it begins a page or memory of another kind, or another entry. */
  readonly #begins: Uint8Array
  readonly #book: Book
  readonly #given: Uint32Array
  readonly #shifted = new Uint32Array(MOST_GROUP + 1)
  /** The book's numbers by a layout's, for the list of names that was seen last. */
  #numbers = new Int32Array(0)
  #names: readonly string[] | undefined
  #turn = 0

  constructor(book: Book) {
    this.#book = book
    this.#begins = beginningsOf(book)
    this.high = new Uint32Array(book.names.length)
    this.low = new Uint32Array(book.names.length)
    this.#given = new Uint32Array(book.names.length)
  }

  /** Takes a module's sections, and of its entry what they tell of groups. Returns whether any two contradict each other. */
  take({ sections, address }: LayoutModule, { first, end, base }: BookEntry): boolean {
    const turn = ++this.#turn
    // Thousands of sections are looked at in code that is not compiled yet, in which a variable is found soonest.
    const { high: highs, low: lows, groupHigh, groupLow } = this
    const given = this.#given
    const shifted = this.#shifted
    if (sections !== undefined) {
      const numbers = this.#numbersOf(sections.names)
      const { name, high, low } = sections
      for (let i = 0; i < name.length; i++) {
        const number = numbers[name[i]!]!
        if (number < 0) continue
        given[number] = turn
        highs[number] = high[i]!
        lows[number] = low[i]!
      }
    }
    let contradicted = false
    const { rows } = this.#book
    for (let at = first; at < end; at += ROW.words) {
      const number = rows[at + ROW.name]!
      if (given[number] !== turn) continue
      const group = rows[at + ROW.group]!
      const low = lows[number]! - rows[at + ROW.low]!
      const high = (highs[number]! - rows[at + ROW.high]! - (low < 0 ? 1 : 0)) >>> 0
      if (shifted[group] !== turn) this.#shift(group, high, low >>> 0)
      else if (groupHigh[group] !== high || groupLow[group] !== low >>> 0) contradicted = true
    }
    // The base is the last that is asked: since 6.4 it tells where the text is, and nothing of the others.
    if (address !== 0n && base !== undefined && this.#shifted[base.group] !== turn) {
      const shift = BigInt.asUintN(64, address - base.address)
      this.#shift(base.group, Number(shift >> 32n), Number(shift & 0xffff_ffffn))
    }
    this.agree = !contradicted
    return contradicted
  }

  /** Whether a row tells where memory begins or ends: it begins it, or comes last before what does. */
  tells(at: number): boolean {
    const row = at / ROW.words
    return this.#begins[row] === 1 || this.#begins[row + 1] !== 0
  }

  isShifted(group: number): boolean {
    return this.#shifted[group] === this.#turn
  }

  #shift(group: number, high: number, low: number): void {
    this.#shifted[group] = this.#turn
    this.groupHigh[group] = high
    this.groupLow[group] = low
  }

  /** Whether it is known where the section of a row is. */
  knows(at: number): boolean {
    const { rows } = this.#book
    return this.isGiven(rows[at + ROW.name]!) || this.#shifted[rows[at + ROW.group]!] === this.#turn
  }

  /** Whether the layout itself has a section. */
  isGiven(number: number): boolean {
    return this.#given[number] === this.#turn
  }

  #numbersOf(names: readonly string[]): Int32Array {
    if (this.#names !== names) {
      const own = new Map(this.#book.names.map((name, number) => [name, number]))
      this.#numbers = Int32Array.from(names, (name) => own.get(name) ?? -1)
      this.#names = names
    }
    return this.#numbers
  }
}

/** What each row of a book begins: see `Places`. An entry's first section begins a page. */
function beginningsOf({ names, rows }: Book): Uint8Array {
  const kinds = Int8Array.from(names, (name) => {
    const { kind, initial, elsewhere } = sectionPlace(name)
    return elsewhere ? -1 : 2 * kind + Number(initial)
  })
  const begins = new Uint8Array(rows.length / ROW.words)
  let group = -1
  let kind = -1
  for (let at = 0, row = 0; at < rows.length; at += ROW.words, row++) {
    const own = kinds[rows[at + ROW.name]!]!
    if (rows[at + ROW.low]! % PAGE === 0 || rows[at + ROW.group] !== group || own !== kind) begins[row] = 1
    group = rows[at + ROW.group]!
    kind = own
  }
  return begins
}

/** The pieces of a table that are vmlinux, wherever it lies; undefined where the books have none. */
function placeKernel(books: readonly Book[], { anchor }: HostLayout): PlacedPiece[] | undefined {
  for (let lender = 0; lender < books.length; lender++) {
    const { entries, rows, names } = books[lender]!
    const entry = entries.get('vmlinux')
    if (entry === undefined) continue
    const pieces: PlacedPiece[] = []
    for (let at = entry.first; at < entry.end; at += ROW.words) {
      const moves = names[rows[at + ROW.name]!] === IMAGE
      const shift = moves
        ? BigInt.asUintN(64, anchor.address - joinAddress(rows[at + ROW.high]!, rows[at + ROW.low]!))
        : 0n
      const [high, low] = [Number(shift >> 32n), Number(shift & 0xffff_ffffn)]
      pieces.push({ lender, from: rows[at + ROW.from]!, to: rows[at + ROW.to]!, high, low, owner: 0 })
    }
    return pieces
  }
  return undefined
}

/** Whether a module's memory has another size than an entry's. */
function hasOtherSize(entry: BookEntry, { bytes, state }: LayoutModule): boolean {
  return state === 'Live' && entry.bytes !== 0 && bytes !== 0 && entry.bytes !== bytes
}

/**
 * What the table of a layout's host is made of; `dynamic` is the table of its dynamic lines, if there are any. Undefined where the books
 * do not have its kernel.
 */
export function placeHost(
  books: readonly Book[],
  layout: HostLayout,
  dynamic: SymbolTable | undefined,
): PlacedHost | undefined {
  const pieces = placeKernel(books, layout)
  if (pieces === undefined) return undefined
  const owners = [CORE_OWNER]
  const ranges: ModuleMemory[] = []
  const holes = new Map<number, number>()
  const missing: MissingModule[] = []
  const named: string[] = []
  const unplaced: UnplacedSymbol[] = []
  const places = books.map((book) => new Places(book))
  for (const module of layout.modules) {
    const { name, bytes, address, state, buildId, srcversion } = module
    const owner = owners.push(name) - 1
    let found = findEntry(books, module, layout.buildId)
    let sections: SectionStarts | undefined = module.sections
    if (typeof found !== 'string') {
      const own = places[found.book]!
      const contradicted = own.take(module, found.entry)
      // Of modules that are known by their names only, all that can be compared is.
      if (found.byName && (contradicted || hasOtherSize(found.entry, module))) found = 'other build'
      else {
        const { book, entry, byName } = found
        const lacking = placeModule(books[book]!, entry, own, { lender: book, owner }, pieces)
        if (lacking === 'all') found = 'no place'
        else {
          if (byName) named.push(name)
          const { table } = books[book]!
          for (const id of lacking) unplaced.push({ owner: name, name: table.nameOf(id), type: table.typeOf(id) })
          for (let i = 0; i + 1 < entry.unplaced.length; i += 2) {
            unplaced.push({ owner: name, type: entry.unplaced[i]!, name: entry.unplaced[i + 1]! })
          }
          sections = sectionsOf(books[book]!, entry, own, module.sections)
        }
      }
    }
    if (typeof found === 'string') {
      holes.set(owner, HOLE.unknownModule)
      missing.push({ name, buildId, srcversion, why: found })
    }
    ranges.push({
      owner: name,
      start: address,
      end: address === 0n ? 0n : address + BigInt(bytes),
      sections,
      loading: state === 'Loading',
      bare: typeof found === 'string' && sections === undefined,
    })
  }
  const lenders = books.map(({ table }) => table)
  if (dynamic !== undefined) {
    const lender = lenders.push(dynamic) - 1
    for (const piece of ownedPieces(dynamic, lender, owners)) pieces.push(piece)
  }
  return { table: { lenders, pieces, owners, ranges, holes }, placement: { missing, byName: named, unplaced } }
}

/** Adds a module's pieces to the others. Returns the ids in the book that cannot be placed, or that none can. */
function placeModule(
  { rows }: Book,
  { first, end }: BookEntry,
  places: Places,
  { lender, owner }: { readonly lender: number; readonly owner: number },
  pieces: PlacedPiece[],
): readonly number[] | 'all' {
  const lacking: number[] = []
  let any = first === end
  let last: { lender: number; from: number; to: number; high: number; low: number; owner: number } | undefined
  for (let at = first, next = first; at < end; at = next) {
    next = at + ROW.words
    const group = rows[at + ROW.group]!
    // Symbols that keep their distances are one piece.
    const isOne = places.agree && places.isShifted(group)
    while (isOne && next < end && rows[next + ROW.group] === group) next += ROW.words
    const from = rows[at + ROW.from]!
    const to = rows[next - ROW.words + ROW.to]!
    if (!isOne && !places.knows(at)) {
      for (let id = from; id < to; id++) lacking.push(id)
      continue
    }
    any = true
    if (from >= to) continue
    const number = rows[at + ROW.name]!
    let high = places.groupHigh[group]!
    let low = places.groupLow[group]!
    if (!isOne && places.isGiven(number)) {
      const distance = places.low[number]! - rows[at + ROW.low]!
      low = distance >>> 0
      high = (places.high[number]! - rows[at + ROW.high]! - (distance < 0 ? 1 : 0)) >>> 0
    }
    // Symbols that lie side by side in the book, and are moved alike, are one piece.
    if (last !== undefined && last.to === from && last.high === high && last.low === low) last.to = to
    else {
      last = { lender, from, to, high, low, owner }
      pieces.push(last)
    }
  }
  return any ? lacking : 'all'
}

/**
 * Where those of a module's sections are that tell where its memory begins and ends: the layout's, and those that its entry tells of.
 */
function sectionsOf(
  { rows, names }: Book,
  { first, end }: BookEntry,
  places: Places,
  given: SectionStarts | undefined,
): SectionStarts | undefined {
  const name: number[] = []
  const high: number[] = []
  const low: number[] = []
  for (let at = first; at < end; at += ROW.words) {
    if (!places.tells(at)) continue
    const number = rows[at + ROW.name]!
    if (!places.knows(at) || names[number] === BASE) continue
    name.push(number)
    if (places.isGiven(number)) {
      high.push(places.high[number]!)
      low.push(places.low[number]!)
    } else {
      const group = rows[at + ROW.group]!
      const sum = rows[at + ROW.low]! + places.groupLow[group]!
      high.push(rows[at + ROW.high]! + places.groupHigh[group]! + (sum >= HALF ? 1 : 0))
      low.push(sum)
    }
  }
  // An entry that knows of no sections has less to say than the layout.
  if (name.length === 0) return given
  return { names, name: Uint16Array.from(name), high: Uint32Array.from(high), low: Uint32Array.from(low) }
}

/** The runs of one owner in a table of dynamic lines; their owners come behind those that there are. */
function ownedPieces(table: SymbolTable, lender: number, owners: string[]): PlacedPiece[] {
  const numbers = new Map<string, number>()
  for (const owner of table.owners.slice(1)) numbers.set(owner, owners.push(owner) - 1)
  const pieces: { lender: number; from: number; to: number; high: number; low: number; owner: number }[] = []
  for (let id = 0; id < table.size; id++) {
    const owner = numbers.get(table.ownerOf(id)) ?? 0
    const last = pieces[pieces.length - 1]
    if (last !== undefined && last.owner === owner) last.to = id + 1
    else pieces.push({ lender, from: id, to: id + 1, high: 0, low: 0, owner })
  }
  return pieces
}

/** The identities of a layout's modules, as captures have them. */
export function identitiesText({ modules }: HostLayout): string {
  const lines = modules.map(({ name, buildId, srcversion, state, taint }) => {
    return `${name} ${[buildId, srcversion, state, taint].map((word) => word ?? '-').join(' ')}\n`
  })
  return lines.join('')
}
