// A catalogue entry: the symbols of one build of the kernel, or of a module, by where they are within it. It is the same on every host and
// boot, and tells nothing about any of them.

import { BadFormatError, LimitError } from '../core/errors.ts'
import { LONGEST_NAME } from '../symbols/constants.ts'
import { MOST_ABSOLUTE } from './image.ts'
import { BUILD_ID, Fields, MODULE_NAME, WORD } from './json.ts'
import { MOST_ENTRY_HEAD, MOST_KERNEL_NAMES, MOST_SYMBOLS_OF_ENTRY, SYMBOL_COST } from './limits.ts'
import { pack, unpack } from './packed.ts'

/** The identity of a build. */
export interface BuildIdentity {
  readonly kind: 'vmlinux' | 'module'
  /** `vmlinux`, or the module's name. */
  readonly name: string
  /** Its own GNU build id; undefined for a module of which none is known. */
  readonly buildId: string | undefined
  /** A hash of a module's sources, where it has one and no build id is known. */
  readonly srcversion: string | undefined
  /** The build id of the kernel that it was seen with; its own if it is one. */
  readonly kernel: string
}

/** A part of a build whose symbols keep their distances wherever it lies. */
export interface EntrySection {
  /** As the module calls it; IMAGE or ABSOLUTE of a kernel; BASE where only a module's beginning is known. */
  readonly name: string
  /** Another section that it lies behind by so many bytes, always. */
  readonly near?: { readonly section: number; readonly distance: number } | undefined
}

/** The kernel's image, whose offsets are from the anchor; and what stays where it is at every boot. */
export const IMAGE = 'image'
export const ABSOLUTE = 'absolute'
/** A whole module, by its beginning: of captures that do not tell of its sections. */
export const BASE = '(base)'

/** The section of a symbol that has no place: a per-cpu variable of a module. */
export const NOWHERE = 0xffff

/** Symbols as columns, in the order of the kernel's text. */
export interface EntrySymbols {
  readonly section: Uint16Array
  /** Bytes from the section's begin; of an absolute symbol its address. */
  readonly offset: BigUint64Array
  /** Type characters. */
  readonly type: string
  /** One character a byte. */
  readonly names: readonly string[]
}

export interface BuildEntry extends BuildIdentity {
  readonly release: string | undefined
  /** The symbol from which the image's offsets are counted: `_text`, or `_stext` where there is none. Empty for a module. */
  readonly anchor: string
  /** Bytes of a loaded module's memory, as /proc/modules gives them; 0 where that is not known. */
  readonly bytes: number
  readonly sections: readonly EntrySection[]
  /** The section in which the address lies that /proc/modules gives, and how far behind its begin; undefined where not known. */
  readonly base: { readonly section: number; readonly distance: number } | undefined
  readonly symbols: EntrySymbols
}

const MOST_SECTIONS = 4096
/** No section lies further from another of its module than this, and nothing of an image further from its anchor. */
const MOST_DISTANCE = 2 ** 30

/** The name under which an entry is kept: what it is known by, in letters that any file system takes. */
export function entryKey({ kind, name, buildId, srcversion }: BuildIdentity): string {
  if (kind === 'vmlinux') return 'vmlinux'
  return `${name}-${buildId ?? (srcversion === undefined ? 'named' : `src.${srcversion}`)}`
}

/** The bytes of an entry's file. */
export function encodeEntry(entry: BuildEntry): Buffer {
  const { symbols, sections, base, ...head } = entry
  const listed = sections.map(({ name, near }) => (near === undefined ? [name] : [name, near.section, near.distance]))
  const lines = [JSON.stringify({ ...head, base: base && [base.section, base.distance], sections: listed })]
  const { section, offset, type, names } = symbols
  for (let i = 0; i < names.length; i++) {
    const place = section[i] === NOWHERE ? '- 0' : `${section[i]} ${offset[i]!.toString(16)}`
    lines.push(`${place} ${type[i]} ${names[i]}`)
  }
  lines.push('')
  return pack('entry', Buffer.from(lines.join('\n'), 'latin1'))
}

/**
 * Reads an entry's file.
 * @throws BadFormatError, UnsupportedError, LimitError for anything that is not what `encodeEntry` writes
 */
export function decodeEntry(bytes: Uint8Array): BuildEntry {
  const what = 'catalogue entry'
  const text = unpack('entry', bytes).toString('latin1')
  const first = text.indexOf('\n')
  if (first < 0) throw new BadFormatError(`${what}: it has no symbols`)
  if (first > MOST_ENTRY_HEAD) throw new LimitError(`${what}: a first line of more than ${MOST_ENTRY_HEAD} bytes`)
  const head = Fields.parse(what, text.slice(0, first))
  const kind = head.text('kind') === 'vmlinux' ? 'vmlinux' : 'module'
  const listed = head.list('sections')
  if (listed.length > MOST_SECTIONS) throw new LimitError(`${what}: more than ${MOST_SECTIONS} sections`)
  const pair = (value: unknown): { section: number; distance: number } => {
    const [section, distance] = Array.isArray(value) ? value : []
    if (!isWhole(section, listed.length - 1) || !isWhole(distance, MOST_DISTANCE)) {
      throw new BadFormatError(`${what}: a section lies nowhere`)
    }
    return { section, distance }
  }
  const sections = listed.map((value): EntrySection => {
    const [name, ...near] = Array.isArray(value) ? value : []
    if (typeof name !== 'string' || !WORD.test(name)) throw new BadFormatError(`${what}: a section has no name`)
    return near.length === 0 ? { name } : { name, near: pair(near) }
  })
  // One step leads to a section that lies near no other, so that no chain of them is followed.
  if (sections.some(({ near }) => near !== undefined && sections[near.section]!.near !== undefined)) {
    throw new BadFormatError(`${what}: a section lies near one that lies near another`)
  }
  const base = head.maybe('base', pair)
  return {
    kind,
    name: kind === 'vmlinux' ? 'vmlinux' : head.text('name', MODULE_NAME),
    buildId: head.maybeText('buildId', BUILD_ID),
    srcversion: head.maybeText('srcversion', MODULE_NAME),
    kernel: head.text('kernel', BUILD_ID),
    release: head.maybeText('release', WORD),
    anchor: kind === 'vmlinux' ? head.text('anchor', WORD) : '',
    bytes: head.whole('bytes', 2 ** 40),
    sections,
    base,
    symbols: symbolsIn(text, first + 1, sections),
  }
}

function isWhole(value: unknown, most: number): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value <= most
}

/** The lines `SECTION OFFSET TYPE NAME` behind a text's first. */
function symbolsIn(text: string, from: number, sections: readonly EntrySection[]): EntrySymbols {
  const bad = () => new BadFormatError('catalogue entry: a symbol is damaged')
  const section: number[] = []
  const offset: bigint[] = []
  const types: string[] = []
  const names: string[] = []
  for (let at = from; at < text.length; ) {
    const end = text.indexOf('\n', at)
    const one = text.indexOf(' ', at)
    const two = text.indexOf(' ', one + 1)
    if (end < 0 || one < 0 || two < 0 || two + 3 >= end || text[two + 2] !== ' ') throw bad()
    const number = text[at] === '-' && one === at + 1 ? NOWHERE : decimal(text, at, one)
    if (number !== NOWHERE && !(number < sections.length)) throw bad()
    section.push(number)
    const where = hexadecimal(text, one + 1, two)
    const isAbsolute = number !== NOWHERE && sections[number]!.name === ABSOLUTE
    if (where === undefined || where >= BigInt(isAbsolute ? MOST_ABSOLUTE : MOST_DISTANCE)) throw bad()
    offset.push(where)
    types.push(text[two + 1]!)
    if (end - two - 3 > LONGEST_NAME) throw bad()
    names.push(text.slice(two + 3, end))
    if (names.length > MOST_SYMBOLS_OF_ENTRY) {
      throw new LimitError(`catalogue entry: more than ${MOST_SYMBOLS_OF_ENTRY} symbols`)
    }
    at = end + 1
  }
  return { section: Uint16Array.from(section), offset: BigUint64Array.from(offset), type: types.join(''), names }
}

function decimal(text: string, from: number, to: number): number {
  const digits = text.slice(from, Math.min(to, from + 6))
  return /^\d{1,5}$/.test(digits) ? Number(digits) : Number.NaN
}

function hexadecimal(text: string, from: number, to: number): bigint | undefined {
  const digits = text.slice(from, Math.min(to, from + 17))
  return /^[0-9a-f]{1,16}$/.test(digits) ? BigInt(`0x${digits}`) : undefined
}

/** The entries of one kernel, as they come. @throws LimitError if they have more symbols than any kernel's together */
export function gathered(entries: Iterable<BuildEntry>): BuildEntry[] {
  const all: BuildEntry[] = []
  let left = MOST_KERNEL_NAMES
  for (const entry of entries) {
    for (const name of entry.symbols.names) left -= name.length + SYMBOL_COST
    if (left < 0) throw new LimitError('more symbols than any kernel has with all of its modules')
    all.push(entry)
  }
  return all
}

/** The difference of two entries of one identity, in words that name the symbol; undefined if they are the same. */
export function disagreement(one: BuildEntry, other: BuildEntry): string | undefined {
  const byBase = [one, other].some(({ sections }) => sections.some(({ name }) => name === BASE))
  const [a, b] = [one, other].map((entry) => placesOf(entry, byBase)) as [string[], string[]] // Of two, two.
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    if (a[i] === b[i]) continue
    const first = a[i] === undefined || (b[i] !== undefined && b[i]! < a[i]!) ? b[i]! : a[i]!
    const [name, type, section, offset] = first.split('\n')
    const where = section === '-' ? 'without a place' : `at ${section}+0x${BigInt(offset!).toString(16)}`
    return `${name} (${type}), ${where}, is in only one of them`
  }
  return undefined
}

/** Each symbol as a text that sorts; by the module's base where only that is known of one of them. */
function placesOf({ sections, symbols, base }: BuildEntry, byBase: boolean): string[] {
  const { section, offset, type, names } = symbols
  const root = (number: number) => sections[number]?.near?.section ?? number
  const distance = (number: number) => sections[number]?.near?.distance ?? 0
  return Array.from(names, (name, i) => {
    const number = section[i]!
    if (number === NOWHERE) return `${name}\n${type[i]}\n-\n0`
    if (!byBase) return `${name}\n${type[i]}\n${sections[number]!.name}\n${offset[i]}`
    const isNear = base !== undefined && root(number) === root(base.section)
    if (!isNear) return `${name}\n${type[i]}\n-\n0`
    const from = distance(number) - distance(base.section) - base.distance
    return `${name}\n${type[i]}\nbase\n${offset[i]! + BigInt(from)}`
  }).sort()
}
