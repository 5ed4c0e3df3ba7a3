// A book: the entries of one kernel build, of vmlinux and its modules, as one table that lends its names to every host of that build. Its
// symbols lie at made-up addresses, each build's at the distances that they have everywhere. Built from entries once, and kept in a
// file beside them so that opening is reading; the entries are what counts.
//
// | piece of the file | holds |
// |---|---|
// | header | a block of sections (core/sections.ts): `seal`, the header's own checksum; `sum`, that of the table; `meta`, JSON;
//   `sections`, rows of six words, see ROW; `claims`, what the table's symbols tell of memory (symbols/lent-claims.ts) |
// | table | the symbol table, as it is in memory (symbols/layout.ts) |

import { crc32 } from 'node:zlib'
import { BadFormatError, LimitError } from '../core/errors.ts'
import { allocateSections, type Layout, readSections } from '../core/sections.ts'
import { TableBuilder } from '../symbols/build.ts'
import { checkSymbolTable } from '../symbols/check-table.ts'
import { openSymbolColumns } from '../symbols/layout.ts'
import { areSoundClaims, lentClaims } from '../symbols/lent-claims.ts'
import type { ModuleMemory } from '../symbols/memory-range.ts'
import { SymbolTable } from '../symbols/table.ts'
import type { Plan, Workspace } from '../symbols/workspace.ts'
import { ABSOLUTE, type BuildEntry, type BuildIdentity, entryKey, NOWHERE } from './entry.ts'
import { ADDRESS, BUILD_ID, Fields, MODULE_NAME, WORD } from './json.ts'
import { MOST_LAYOUT_SECTIONS, MOST_MODULES } from './limits.ts'

export const BOOK_LAYOUT = {
  what: 'book of a kernel',
  magic: 0x4b424b44,
  version: 3,
  sections: ['seal', 'sum', 'meta', 'sections', 'claims'],
} as const satisfies Layout<string>

/**
 * The words of a row of `rows`: a section of an entry. Those of one entry follow each other, ascending by their addresses in the book.
 * Sections of an entry with equal group numbers keep their distances everywhere. `from` and `to` are ids in the book's table.
 */
export const ROW = { name: 0, group: 1, high: 2, low: 3, from: 4, to: 5, words: 6 } as const

/** A build in a book. */
export interface BookEntry extends BuildIdentity {
  readonly anchor: string
  readonly release: string | undefined
  readonly bytes: number
  /** Its rows: where the first begins, and where those of the next entry do, in words. */
  readonly first: number
  readonly end: number
  /** Where in the book the address lies that /proc/modules would give, and in which group; undefined where not known. */
  readonly base: { readonly address: bigint; readonly group: number } | undefined
  /** Types and names of symbols that have no place, one after the other. */
  readonly unplaced: readonly string[]
}

export interface Book {
  /** The kernel's build id. */
  readonly kernel: string
  readonly table: SymbolTable
  /** The names of sections by number, and the sections of all entries: see ROW. */
  readonly names: readonly string[]
  readonly rows: Uint32Array
  /** What the table's symbols tell of memory, as `lentClaims` gives it. */
  readonly claims: Uint32Array
  /** By `entryKey`; vmlinux is the first, where it is in the book. */
  readonly entries: ReadonlyMap<string, BookEntry>
}

/** Where the image's anchor lies in a book; and where modules begin, each of them behind the one before it. */
const IMAGE_AT = 0xffff_ffff_8000_0000n
const MODULES_AT = 0xffff_ff00_0000_0000n
const MODULES_END = 0xffff_fff0_0000_0000n
/** Sections without a known distance from others begin on such a boundary. */
const PIECE_BYTES = 0x1000n
/** So much at least lies between two modules, and between two pieces, in the book. */
const GAP = 0x10000n
/** Bytes of text scanned at once: they hold no more symbols than a stretch may have. */
const TEXT_BYTES = 1 << 18

/** A section's place in the book, before the table is made. */
interface Laid {
  readonly name: string
  readonly address: bigint
  readonly group: number
}

/** Makes a book of entries, of which no two have the same key. @throws LimitError */
export function* bookOf(workspace: Workspace, kernel: string, given: readonly BuildEntry[]): Plan<Book> {
  if (given.length > MOST_MODULES) throw new LimitError(`more than ${MOST_MODULES} entries of one kernel`)
  const entries = [...given].sort((a, b) => rank(a) - rank(b) || (entryKey(a) < entryKey(b) ? -1 : 1))
  const builder = new TableBuilder(workspace)
  let next = MODULES_AT
  const laid: Laid[][] = []
  const ranges: ModuleMemory[] = []
  for (const entry of entries) {
    const { sections, end } = lay(entry, next)
    if (entry.kind === 'module') next = end
    if (next > MODULES_END) throw new LimitError('the modules of one kernel are too large')
    laid.push(sections)
    if (entry.kind === 'module') ranges.push(memoryOf(entry, sections))
    for (const text of textOf(entry, sections)) {
      const room = workspace.bytes(workspace.room(text.length + 1), text.length)
      room.set(text)
      const number = builder.addText(room)
      yield { step: 'scan', from: number, to: number + 1 }
      builder.trim(number)
    }
  }
  const { buffer, remembered } = yield* builder.finish({ ranges })
  const table = new SymbolTable(buffer)
  const names = new Map<string, number>()
  const rows: number[] = []
  const listed = entries.map((entry, i) => [entryKey(entry), entryIn(table, entry, laid[i]!, names, rows)] as const)
  return {
    kernel,
    table,
    names: [...names.keys()],
    rows: Uint32Array.from(rows),
    claims: lentClaims(table, remembered.regions?.groups ?? []),
    entries: new Map(listed),
  }
}

function rank({ kind }: BuildIdentity): number {
  return kind === 'vmlinux' ? 0 : 1
}

/** Gives an entry's sections their places, a module's from `from` on. */
function lay({ kind, sections, symbols }: BuildEntry, from: bigint): { sections: Laid[]; end: bigint } {
  if (kind === 'vmlinux') {
    return {
      sections: sections.map(({ name }, i) => ({ name, address: name === ABSOLUTE ? 0n : IMAGE_AT, group: i })),
      end: from,
    }
  }
  // How far each group reaches.
  const reach = new Map<number, bigint>()
  const groups = sections.map(({ near }, i) => near?.section ?? i)
  const reached = (section: number, offset: bigint) => {
    const group = groups[section]!
    const end = BigInt(sections[section]!.near?.distance ?? 0) + offset
    if (end >= (reach.get(group) ?? 0n)) reach.set(group, end + 1n)
  }
  for (let i = 0; i < sections.length; i++) reached(i, 0n)
  symbols.section.forEach((section, i) => {
    if (section !== NOWHERE) reached(section, symbols.offset[i]!)
  })
  let end = from
  const starts = new Map<number, bigint>()
  for (const group of new Set(groups)) {
    const bytes = reach.get(group)!
    // No group crosses an upper half, so that lower halves tell its distances.
    if (end >> 32n !== (end + bytes) >> 32n) end = ((end >> 32n) + 1n) << 32n
    starts.set(group, end)
    end = roundUp(end + bytes + GAP, PIECE_BYTES)
  }
  return {
    sections: sections.map(({ name, near }, i) => {
      const group = groups[i]!
      return { name, address: starts.get(group)! + BigInt(near?.distance ?? 0), group }
    }),
    end,
  }
}

const roundUp = (value: bigint, to: bigint): bigint => ((value + to - 1n) / to) * to

/** A module's memory in the book. */
function memoryOf(entry: BuildEntry, sections: readonly Laid[]): ModuleMemory {
  const own = sections.filter(({ name }) => !name.startsWith('.data..percpu'))
  const starts = {
    names: own.map(({ name }) => name),
    name: Uint16Array.from(own, (_, i) => i),
    high: Uint32Array.from(own, ({ address }) => Number(address >> 32n)),
    low: Uint32Array.from(own, ({ address }) => Number(address & 0xffff_ffffn)),
  }
  return { owner: entryKey(entry), start: 0n, end: 0n, sections: starts, loading: true }
}

/** An entry's symbols as kallsyms text, in pieces of whole lines. */
function* textOf(entry: BuildEntry, sections: readonly Laid[]): Generator<Buffer, void, void> {
  const { section, offset, type, names } = entry.symbols
  const owner = entry.kind === 'vmlinux' ? '' : `\t[${entryKey(entry)}]`
  let lines: string[] = []
  let length = 0
  for (let i = 0; i < names.length; i++) {
    if (section[i] === NOWHERE) continue
    const address = BigInt.asUintN(64, sections[section[i]!]!.address + offset[i]!)
    const line = `${address.toString(16).padStart(16, '0')} ${type[i]} ${names[i]}${owner}\n`
    lines.push(line)
    length += line.length
    if (length < TEXT_BYTES) continue
    yield Buffer.from(lines.join(''), 'latin1')
    lines = []
    length = 0
  }
  if (length > 0) yield Buffer.from(lines.join(''), 'latin1')
}

/** The book's record of an entry whose symbols are in its table; its sections are added to the rows. */
function entryIn(
  table: SymbolTable,
  entry: BuildEntry,
  laid: readonly Laid[],
  names: Map<string, number>,
  rows: number[],
): BookEntry {
  const { symbols, sections: _, base, ...known } = entry
  const order = laid.map((_, i) => i).sort((a, b) => (laid[a]!.address < laid[b]!.address ? -1 : 1))
  const first = rows.length
  order.forEach((section, i) => {
    const { name, address, group } = laid[section]!
    const after = order[i + 1]
    const end = after === undefined || laid[after]!.group !== group ? undefined : laid[after]!.address
    const from = table.lowerBound(address).id
    // Behind its group nothing lies for a while.
    const to = end === undefined ? lastOf(entry, laid, section, table) : table.lowerBound(end).id
    let number = names.get(name)
    if (number === undefined) {
      number = names.size
      names.set(name, number)
    }
    rows.push(number, group, Number(address >> 32n), Number(address & 0xffff_ffffn), from, Math.max(from, to))
  })
  return {
    ...known,
    first,
    end: rows.length,
    base: base && {
      address: laid[base.section]!.address + BigInt(base.distance),
      group: laid[base.section]!.group,
    },
    unplaced: symbols.names.flatMap((own, i) => (symbols.section[i] === NOWHERE ? [symbols.type[i]!, own] : [])),
  }
}

/** Behind the last symbol of a section that no other of its group follows. */
function lastOf({ symbols }: BuildEntry, laid: readonly Laid[], section: number, table: SymbolTable): number {
  let last = -1n
  symbols.section.forEach((own, i) => {
    if (own === section && symbols.offset[i]! > last) last = symbols.offset[i]!
  })
  if (last < 0n) return 0
  const end = BigInt.asUintN(64, laid[section]!.address + last)
  return end === 0xffff_ffff_ffff_ffffn ? table.size : table.lowerBound(end + 1n).id
}

/** Groups are numbered by their first sections. */
export const MOST_GROUP = 4096
/** The most bytes that a book's description may have. */
const MOST_META_BYTES = 1 << 24
/** The most bytes a book's header may have. */
const MOST_HEADER_BYTES = 1 << 27
/** Bytes at the start of a book that tell the header's length. */
export const BOOK_PREAMBLE_BYTES = 20

/** The pieces of a book's file. */
export function encodeBook({ kernel, table, names, rows, claims, entries }: Book): [Uint8Array, Uint8Array] {
  // Lists, not objects: there are hundreds, and a host's opening waits for each of their fields.
  const listed = Array.from(entries.values(), (entry) => [
    entry.kind === 'vmlinux' ? 0 : entry.name,
    entry.buildId ?? 0,
    entry.srcversion ?? 0,
    entry.release ?? 0,
    entry.anchor,
    entry.bytes,
    entry.first,
    entry.end,
    entry.base?.address.toString(16) ?? 0,
    entry.base?.group ?? 0,
    ...(entry.unplaced.length === 0 ? [] : [entry.unplaced]),
  ])
  const bytes = new Uint8Array(table.buffer)
  const meta = Buffer.from(JSON.stringify({ kernel, names, entries: listed }), 'latin1')
  const { buffer, sections } = allocateSections(BOOK_LAYOUT, {
    seal: 4,
    sum: 8,
    meta: meta.length,
    sections: rows.length * 4,
    claims: claims.length * 4,
  })
  const header = new Uint8Array(buffer)
  header.set(meta, sections.meta.offset)
  new Uint32Array(buffer, sections.sections.offset, rows.length).set(rows)
  new Uint32Array(buffer, sections.claims.offset, claims.length).set(claims)
  new Uint32Array(buffer, sections.sum.offset, 2).set([crc32(bytes), bytes.length])
  new Uint32Array(buffer, sections.seal.offset, 1)[0] = crc32(header)
  return [header, bytes]
}

/** The length of a book's header, from its first bytes; what is no book is told apart by `decodeBook`. */
export function bookHeaderLength(preamble: Uint8Array): number {
  const words = new Uint32Array(preamble.slice(0, BOOK_PREAMBLE_BYTES).buffer)
  const length = words[4] ?? 0
  return words[0] === BOOK_LAYOUT.magic && length % 8 === 0 && length <= MOST_HEADER_BYTES ? Math.max(length, 64) : 64
}

/** Whether rows name sections, groups and ids that there are. */
function areSound(rows: Uint32Array, names: number, size: number): boolean {
  for (let at = 0; at < rows.length; at += ROW.words) {
    const from = rows[at + ROW.from]!
    const to = rows[at + ROW.to]!
    if (rows[at + ROW.name]! >= names || rows[at + ROW.group]! > MOST_GROUP || from > to || to > size) return false
  }
  return true
}

/**
 * Reads a book's header and its table. What is not trusted is checked.
 * @throws BadFormatError, UnsupportedError, LimitError
 */
export function decodeBook(block: SharedArrayBuffer, buffer: SharedArrayBuffer, trusted: boolean): Book {
  const what = BOOK_LAYOUT.what
  const places = readSections(BOOK_LAYOUT, block)
  const bad = (why: string) => new BadFormatError(`${what}: ${why}`)
  if (places.seal.length !== 4 || places.sum.length !== 8) throw bad('it has no seal')
  const header = new Uint8Array(block)
  const seal = new Uint32Array(block, places.seal.offset, 1)
  const sealed = seal[0]
  seal[0] = 0
  if (crc32(header) !== sealed) throw bad('its header is damaged (wrong checksum)')
  const [sum, length] = new Uint32Array(block, places.sum.offset, 2)
  if (length !== buffer.byteLength || crc32(new Uint8Array(buffer)) !== sum)
    throw bad('its table is damaged (wrong checksum)')
  if (!trusted) checkSymbolTable(buffer)
  const table = new SymbolTable(buffer)
  const { offset, length: metaBytes } = places.meta
  if (metaBytes > MOST_META_BYTES) throw new LimitError(`${what}: a description of ${metaBytes} bytes`)
  const head = Fields.parse(what, Buffer.from(block, offset, metaBytes).toString('latin1'))
  const kernel = head.text('kernel', BUILD_ID)
  const names = head.texts('names', WORD)
  const listed = head.list('entries')
  if (listed.length > MOST_MODULES) throw new LimitError(`${what}: more than ${MOST_MODULES} entries`)
  const rows = new Uint32Array(block, places.sections.offset, places.sections.length >>> 2)
  if (rows.length % ROW.words !== 0) throw bad('a section is cut')
  if (rows.length / ROW.words > MOST_LAYOUT_SECTIONS) throw new LimitError(`${what}: too many sections`)
  const claims = new Uint32Array(block, places.claims.offset, places.claims.length >>> 2)
  if (!trusted && !areSound(rows, names.length, table.size)) throw bad('a section lies outside of it')
  if (!trusted && !areSoundClaims(claims, openSymbolColumns(buffer))) throw bad('its claims are of other symbols')
  const word = (value: unknown, pattern: RegExp): string | undefined => {
    if (value === 0) return undefined
    if (typeof value !== 'string' || !pattern.test(value)) throw bad('an entry is damaged')
    return value
  }
  const whole = (value: unknown, most: number): number => {
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value <= most) return value
    throw bad('an entry is damaged')
  }
  const entries = new Map<string, BookEntry>()
  for (const given of listed) {
    const row: readonly unknown[] = Array.isArray(given) ? given : []
    const name = word(row[0], MODULE_NAME)
    const end = whole(row[7], rows.length)
    const first = whole(row[6], end)
    if (first % ROW.words !== 0 || end % ROW.words !== 0) throw bad('a section is cut')
    const digits = word(row[8], ADDRESS)
    const entry: BookEntry = {
      kind: name === undefined ? 'vmlinux' : 'module',
      name: name ?? 'vmlinux',
      buildId: word(row[1], BUILD_ID),
      srcversion: word(row[2], MODULE_NAME),
      kernel,
      anchor: row[4] === '' ? '' : (word(row[4], WORD) ?? ''),
      release: word(row[3], WORD),
      bytes: whole(row[5], Number.MAX_SAFE_INTEGER),
      first,
      end,
      base: digits === undefined ? undefined : { address: BigInt(`0x${digits}`), group: whole(row[9], MOST_GROUP) },
      unplaced: row[10] === undefined ? NONE : texts(row[10], bad),
    }
    entries.set(entryKey(entry), entry)
  }
  return { kernel, table, names, rows, claims, entries }
}

const NONE: readonly string[] = []

function texts(value: unknown, bad: (why: string) => BadFormatError): readonly string[] {
  if (!Array.isArray(value) || !value.every((each) => typeof each === 'string')) throw bad('a symbol has no name')
  return value
}
