// A host's table out of books and a layout: which of the books' symbols it has, and where; what the books lack is a hole that says so.

import type { FactFile } from '../sources/source.ts'
import { CORE_OWNER } from '../symbols/build.ts'
import { HOLE } from '../symbols/layout.ts'
import type { PlacedPiece, PlacedTable } from '../symbols/placed.ts'
import type { ModuleMemory } from '../symbols/regions.ts'
import type { SymbolTable } from '../symbols/table.ts'
import type { Book, BookEntry, BookSection } from './book.ts'
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

/** What could be placed by a catalogue, and what not. */
export interface Placement {
  /** Modules of whose memory nothing is known: ask for these. */
  readonly missing: readonly MissingModule[]
  /** Modules that were chosen by the kernel's build id and their names alone, as neither side knows more. */
  readonly byName: readonly string[]
  readonly unplaced: readonly UnplacedSymbol[]
}

/** What a host's table is made of, and what is to be said of it. */
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
 * name have to be one, and its memory must not contradict it.
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
  if (identified || named.length > 1 || only === undefined || contradicts(only.entry, module)) return 'other build'
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

/** Whether a module's memory shows that it is another build than an entry: other sizes, or sections at other distances. */
function contradicts(entry: BookEntry, { bytes, sections, state }: LayoutModule): boolean {
  if (state === 'Live' && entry.bytes !== 0 && bytes !== 0 && entry.bytes !== bytes) return true
  if (sections === undefined) return false
  const first = new Map<number, { section: BookSection; address: bigint }>()
  for (const section of entry.sections) {
    const address = sections.get(section.name)
    if (address === undefined) continue
    const known = first.get(section.group)
    if (known === undefined) first.set(section.group, { section, address })
    else if (address - known.address !== section.address - known.section.address) return true
  }
  return false
}

/** The pieces of a table that are vmlinux, wherever it lies; undefined where the books have none. */
function placeKernel(books: readonly Book[], { anchor }: HostLayout): PlacedPiece[] | undefined {
  for (let lender = 0; lender < books.length; lender++) {
    const entry = books[lender]!.entries.get('vmlinux')
    if (entry === undefined) continue
    return entry.sections.map(({ name, address, from, to }) => {
      return { lender, from, to, delta: name === IMAGE ? anchor.address - address : 0n, owner: 0 }
    })
  }
  return undefined
}

/** Where the sections of an entry are on a host: those that the layout gives, and those that keep their distance from one of them. */
function sectionPlaces(entry: BookEntry, { sections, address }: LayoutModule): (bigint | undefined)[] {
  const shifts = new Map<number, bigint>()
  for (const { name, group, address: at } of entry.sections) {
    const given = sections?.get(name)
    if (given !== undefined && !shifts.has(group)) shifts.set(group, given - at)
  }
  // The base is the last that is asked: since 6.4 it tells where the text is, and nothing of the others.
  if (address !== 0n && entry.base !== undefined) {
    const { base } = entry
    const own = entry.sections.findLast((section) => section.address <= base && base - section.address < 1n << 28n)
    if (own !== undefined && !shifts.has(own.group)) shifts.set(own.group, address - base)
  }
  return entry.sections.map(({ name, group, address: at }) => {
    const given = sections?.get(name)
    if (given !== undefined) return given
    const shift = shifts.get(group)
    return shift === undefined ? undefined : at + shift
  })
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
  // All modules share one list of names, whose kinds of memory are found out once.
  const names: string[] = []
  const numbers = new Map<string, number>()
  for (const module of layout.modules) {
    const { name, bytes, address, state, buildId, srcversion } = module
    const owner = owners.push(name) - 1
    const found = findEntry(books, module, layout.buildId)
    const entry = typeof found === 'string' ? undefined : found.entry
    const places = entry === undefined ? [] : sectionPlaces(entry, module)
    const known = new Map<string, bigint>(module.sections)
    entry?.sections.forEach(({ name: section }, i) => {
      const at = places[i]
      if (at !== undefined && section !== BASE) known.set(section, at)
    })
    const noPlace = entry !== undefined && !places.some((at) => at !== undefined)
    if (typeof found === 'string' || noPlace) {
      holes.set(owner, HOLE.unknownModule)
      missing.push({ name, buildId, srcversion, why: typeof found === 'string' ? found : 'no place' })
    } else {
      if (found.byName) named.push(name)
      found.entry.sections.forEach(({ from, to, address: at }, i) => {
        const place = places[i]
        if (from === to) return
        if (place !== undefined) pieces.push({ lender: found.book, from, to, delta: place - at, owner })
        else {
          const { table } = books[found.book]!
          for (let id = from; id < to; id++)
            unplaced.push({ owner: name, name: table.nameOf(id), type: table.typeOf(id) })
        }
      })
      for (const [type, symbol] of found.entry.unplaced) unplaced.push({ owner: name, name: symbol, type })
    }
    ranges.push({
      owner: name,
      start: address,
      end: address === 0n ? 0n : address + BigInt(bytes),
      sections: known.size === 0 ? undefined : startsOf(known, names, numbers),
      loading: state === 'Loading',
      bare: (typeof found === 'string' || noPlace) && known.size === 0,
    })
  }
  const lenders = books.map(({ table }) => table)
  if (dynamic !== undefined) {
    const lender = lenders.push(dynamic) - 1
    pieces.push(...ownedPieces(dynamic, lender, owners))
  }
  return { table: { lenders, pieces, owners, ranges, holes }, placement: { missing, byName: named, unplaced } }
}

function startsOf(sections: ReadonlyMap<string, bigint>, names: string[], numbers: Map<string, number>) {
  const { size } = sections
  const columns = { names, name: new Uint16Array(size), high: new Uint32Array(size), low: new Uint32Array(size) }
  let i = 0
  for (const [name, address] of sections) {
    let number = numbers.get(name)
    if (number === undefined) {
      number = names.push(name) - 1
      numbers.set(name, number)
    }
    columns.name[i] = number
    columns.high[i] = Number(address >> 32n)
    columns.low[i++] = Number(address & 0xffff_ffffn)
  }
  return columns
}

/** The runs of one owner in a table of dynamic lines; their owners come behind those that there are. */
function ownedPieces(table: SymbolTable, lender: number, owners: string[]): PlacedPiece[] {
  const numbers = new Map<string, number>()
  for (const owner of table.owners.slice(1)) numbers.set(owner, owners.push(owner) - 1)
  const pieces: { lender: number; from: number; to: number; delta: bigint; owner: number }[] = []
  for (let id = 0; id < table.size; id++) {
    const owner = numbers.get(table.ownerOf(id)) ?? 0
    const last = pieces[pieces.length - 1]
    if (last !== undefined && last.owner === owner) last.to = id + 1
    else pieces.push({ lender, from: id, to: id + 1, delta: 0n, owner })
  }
  return pieces
}

/** The files of a capture that a layout stands for, as text. */
export function factsOfLayout({ modules, bootId, release }: HostLayout): Partial<Record<FactFile, string>> {
  const identity = ({ name, buildId: id, srcversion, state, taint }: LayoutModule) =>
    `${name} ${[id, srcversion, state, taint].map((word) => word ?? '-').join(' ')}\n`
  return {
    modules: modules.map((m) => `${m.name} ${m.bytes} 0 - ${m.state} 0x${m.address.toString(16)}\n`).join(''),
    module_sections: modules
      .flatMap(({ name, sections = [] }) =>
        Array.from(sections, ([section, at]) => `${name} ${section} 0x${at.toString(16)}\n`),
      )
      .join(''),
    module_identities: modules.map(identity).join(''),
    ...(release !== undefined && { version: `Linux version ${release} ` }),
    ...(bootId !== undefined && { boot_id: bootId }),
  }
}
