// A host's table out of books and a layout: which of the books' symbols it has, and where; what the books lack is a hole that says so.

import { joinAddress } from '../core/address.ts'
import { BadFormatError } from '../core/errors.ts'
import { CORE_OWNER } from '../symbols/build.ts'
import { HOLE } from '../symbols/layout.ts'
import type { ModuleMemory } from '../symbols/memory-range.ts'
import type { PlacedPiece, PlacedTable } from '../symbols/placed.ts'
import { type SectionStarts, sectionPlace } from '../symbols/section-starts.ts'
import type { SymbolTable } from '../symbols/table.ts'
import type { Plan, Workspace } from '../symbols/workspace.ts'
import { type Book, type BookEntry, ROW } from './book.ts'
import { entryKey, IMAGE } from './entry.ts'
import type { HostLayout, LayoutModule } from './layout.ts'
import { placeModules } from './sites.ts'

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
  /** Modules that were chosen by the kernel's build id and their names alone, as the layout or the catalogue knows no more. */
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
 * Chooses the entry of a module of a layout: by its own build id, or its sources' version; else by its name, where one side knows no more
 * than that and no other entry has the name. What was built outside of the kernel's tree is not taken by its name alone.
 */
export function findEntry(books: readonly Book[], module: LayoutModule, kernel: string): FoundEntry {
  const { name, buildId, srcversion, taint } = module
  const isNamed = buildId === undefined && srcversion === undefined
  const key = entryKey({
    kind: 'module',
    name,
    buildId,
    srcversion: buildId === undefined ? srcversion : undefined,
    kernel,
  })
  for (let book = 0; book < books.length; book++) {
    const entry = books[book]!.entries.get(key)
    if (entry !== undefined) return { book, entry, byName: isNamed }
  }
  let only: Exclude<FoundEntry, string> | undefined
  let count = 0
  for (let book = 0; book < books.length; book++) {
    for (const entry of entriesNamed(books[book]!.entries, name)) {
      only ??= { book, entry, byName: true }
      count++
    }
  }
  if (only === undefined) return 'unknown'
  const { entry } = only
  const isAnyones = isNamed || (entry.buildId === undefined && entry.srcversion === undefined && !/O/.test(taint ?? ''))
  return isAnyones && count === 1 ? only : 'other build'
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

/** The pieces of a table that are vmlinux, wherever it lies; undefined where the books have none. */
function placeKernel(books: readonly Book[], { anchor }: HostLayout): PlacedPiece[] | undefined {
  for (let lender = 0; lender < books.length; lender++) {
    const { entries, rows, names, table } = books[lender]!
    const entry = entries.get('vmlinux')
    if (entry === undefined) continue
    const pieces: PlacedPiece[] = []
    for (let at = entry.first; at < entry.end; at += ROW.words) {
      const moves = names[rows[at + ROW.name]!] === IMAGE
      const begin = joinAddress(rows[at + ROW.high]!, rows[at + ROW.low]!)
      const placed = moves && anchor.name !== entry.anchor ? placeOf(table, anchor) : begin
      const shift = moves ? BigInt.asUintN(64, anchor.address - placed) : 0n
      const [high, low] = [Number(shift >> 32n), Number(shift & 0xffff_ffffn)]
      pieces.push({ lender, from: rows[at + ROW.from]!, to: rows[at + ROW.to]!, high, low, owner: 0 })
    }
    return pieces
  }
  return undefined
}

/** Where a book has the symbol that a layout places the kernel by. @throws BadFormatError if it does not have it */
function placeOf(table: SymbolTable, { name }: HostLayout['anchor']): bigint {
  const [found] = table.named(name, { owner: CORE_OWNER })
  if (found !== undefined) return found.address
  throw new BadFormatError(`the layout places the kernel by ${name}, which the catalogue's kernel does not have`)
}

/** Whether sections that the module keeps have no certain distance from its beginning: since 6.4 they are allocations by themselves. */
function liesInPieces({ rows, names }: Book, { first, end, base }: BookEntry): boolean {
  if (base === undefined) return false
  for (let at = first; at < end; at += ROW.words) {
    const { initial, elsewhere } = sectionPlace(names[rows[at + ROW.name]!]!)
    if (!initial && !elsewhere && rows[at + ROW.group] !== base.group) return true
  }
  return false
}

/** Whether a module's memory has another size than an entry's. */
function hasOtherSize(entry: BookEntry, { bytes, state }: LayoutModule): boolean {
  return state === 'Live' && entry.bytes !== 0 && bytes !== 0 && entry.bytes !== bytes
}

/**
 * What the table of a layout's host is made of; `dynamic` is the table of its dynamic lines, if there are any. Undefined where the books
 * do not have its kernel.
 */
export function* placeHost(
  workspace: Workspace,
  books: readonly Book[],
  layout: HostLayout,
  dynamic: SymbolTable | undefined,
): Plan<PlacedHost | undefined> {
  const pieces = placeKernel(books, layout)
  if (pieces === undefined) return undefined
  const owners = [CORE_OWNER]
  const ranges: ModuleMemory[] = []
  const holes = new Map<number, number>()
  const missing: MissingModule[] = []
  const named: string[] = []
  const unplaced: UnplacedSymbol[] = []
  const entries = layout.modules.map((module) => findEntry(books, module, layout.buildId))
  const known = layout.modules.flatMap((module, i) => {
    const found = entries[i]!
    return typeof found === 'string' ? [] : [{ module, book: found.book, entry: found.entry }]
  })
  const sites = yield* placeModules(workspace, books, known)
  let site = -1
  layout.modules.forEach((module, i) => {
    const { name, bytes, address, state, buildId, srcversion } = module
    const owner = owners.push(name) - 1
    let found = entries[i]!
    let { sections }: { sections: SectionStarts | undefined } = module
    if (typeof found !== 'string') {
      site++
      const { book, entry, byName } = found
      // Of modules that are known by their names only, all that can be compared is.
      if (byName && (sites.isContradicted(site) || hasOtherSize(entry, module))) found = 'other build'
      else if (sites.isNowhere(site)) found = 'no place'
      else {
        sites.addPieces(site, book, owner, pieces)
        if (byName) named.push(name)
        const { table } = books[book]!
        for (const id of sites.lacking(site))
          unplaced.push({ owner: name, name: table.nameOf(id), type: table.typeOf(id) })
        for (let at = 0; at + 1 < entry.unplaced.length; at += 2) {
          unplaced.push({ owner: name, type: entry.unplaced[at]!, name: entry.unplaced[at + 1]! })
        }
        // An entry that knows of no sections has less to say than the layout.
        sections = sites.sections(site, books[book]!) ?? sections
      }
    }
    // A profile does not tell the size; an entry does.
    const entryBytes = typeof found === 'string' ? 0 : found.entry.bytes
    // Its size is that of all its pieces, and only its text has a place.
    const isTextAlone =
      typeof found !== 'string' && module.sections === undefined && liesInPieces(books[found.book]!, found.entry)
    if (typeof found === 'string') {
      holes.set(owner, HOLE.unknownModule)
      missing.push({ name, buildId, srcversion, why: found })
    }
    ranges.push({
      owner: name,
      start: address,
      end: address === 0n || isTextAlone ? address : address + BigInt(bytes || entryBytes),
      sections,
      loading: state === 'Loading',
      bare: typeof found === 'string' && sections === undefined,
    })
  })
  const lenders = books.map(({ table }) => table)
  if (dynamic !== undefined) {
    const lender = lenders.push(dynamic) - 1
    for (const piece of ownedPieces(dynamic, lender, owners)) pieces.push(piece)
  }
  const claims = books.map((book) => book.claims)
  return { table: { lenders, pieces, claims, owners, ranges, holes }, placement: { missing, byName: named, unplaced } }
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
  let text = ''
  for (const { name, buildId = '-', srcversion = '-', state = '-', taint = '-' } of modules)
    text += `${name} ${buildId} ${srcversion} ${state} ${taint}\n`
  return text
}
