// A layout: where one boot of one host has its kernel and its modules. Together with the catalogue's entries it is that host's table. It
// tells the kernel's slide, which is a secret.

import { joinAddress } from '../core/address.ts'
import { BadFormatError, LimitError } from '../core/errors.ts'
import type { ModuleIdentity, ModuleInfo, ModuleSections } from '../sources/facts.ts'
import { PAGE } from '../symbols/claims.ts'
import { sectionPlace } from '../symbols/pieces.ts'
import { BUILD_ID, Fields, MODULE_NAME, WORD } from './json.ts'
import { MOST_LAYOUT_SECTIONS, MOST_LAYOUT_TEXT, MOST_MODULES } from './limits.ts'
import { pack, unpack } from './packed.ts'
import { type Anchor, isDynamic, parseLine } from './split.ts'

/** A module as a layout has it. */
export interface LayoutModule {
  readonly name: string
  readonly buildId: string | undefined
  readonly srcversion: string | undefined
  /** `Live`, `Loading` or `Unloading`. */
  readonly state: string
  readonly taint: string | undefined
  /** Bytes of its memory, and the address of its first piece, as /proc/modules gives them. */
  readonly bytes: number
  readonly address: bigint
  /** Where its sections begin; undefined where that could not be read. */
  readonly sections: ModuleSections | undefined
}

/** Where one boot of a host has everything. */
export interface HostLayout {
  /** The GNU build id of vmlinux. */
  readonly buildId: string
  readonly bootId: string | undefined
  readonly release: string | undefined
  readonly architecture: string | undefined
  /** The symbol that the kernel's image is placed by, and its address. */
  readonly anchor: Anchor
  /** As /proc/modules lists them, newest first: the order of their symbols in kallsyms. */
  readonly modules: readonly LayoutModule[]
  /** Lines of kallsyms of what the kernel made as it ran: bpf programs, ftrace trampolines, kprobe slots. */
  readonly dynamic: readonly string[]
  /** When it was read. */
  readonly taken: Date
  /** Counts the layouts of one boot. */
  readonly generation: number
}

/** What a layout is made of. */
export interface LayoutTold {
  readonly buildId: string
  readonly bootId: string | undefined
  readonly release: string | undefined
  readonly architecture: string | undefined
  readonly anchor: Anchor
  readonly modules: readonly ModuleInfo[]
  readonly sections: ReadonlyMap<string, ModuleSections>
  readonly identities: ReadonlyMap<string, ModuleIdentity>
  readonly dynamic: readonly string[]
  readonly taken: Date
  readonly generation: number
}

/** Sections in which no kernel has symbols. What begins a page is kept all the same: a piece of memory begins there. */
const WITHOUT_SYMBOLS: ReadonlySet<string> = new Set([
  '.symtab',
  '.strtab',
  '.orc_unwind',
  '.orc_unwind_ip',
  '.return_sites',
  '.retpoline_sites',
  '.call_sites',
  '.ibt_endbr_seal',
  '.smp_locks',
  '.static_call_sites',
  '.altinstructions',
  '.altinstr_replacement',
  '.altinstr_aux',
  '.parainstructions',
  '.note.gnu.build-id',
  '.note.gnu.property',
  '__jump_table',
  '__bug_table',
  '__ex_table',
  '__tracepoints_ptrs',
])

/** Makes a layout of what a host tells; of each module only what a catalogue cannot tell by itself. */
export function layoutOf(told: LayoutTold): HostLayout {
  const { sections, identities, modules, ...rest } = told
  return {
    ...rest,
    modules: modules.map(({ name, size, state, address }): LayoutModule => {
      const { buildId, srcversion, taint } = identities.get(name) ?? {}
      return { name, buildId, srcversion, state, taint, bytes: size, address, sections: placesOf(sections.get(name)) }
    }),
  }
}

function placesOf(sections: ModuleSections | undefined): ModuleSections | undefined {
  if (sections === undefined) return undefined
  const { names, name, high, low } = sections
  const seen = new Set<number>()
  const kept = Array.from(name, (_, i) => i).filter((i) => {
    const own = names[name[i]!]!
    const isPiece = low[i]! % PAGE === 0
    if (seen.has(name[i]!) || (!isPiece && (WITHOUT_SYMBOLS.has(own) || sectionPlace(own).initial))) return false
    seen.add(name[i]!)
    return true
  })
  return {
    names,
    name: Uint16Array.from(kept, (i) => name[i]!),
    high: Uint32Array.from(kept, (i) => high[i]!),
    low: Uint32Array.from(kept, (i) => low[i]!),
  }
}

/** The bytes of a layout's file. */
export function encodeLayout(layout: HostLayout): Buffer {
  const { modules, anchor, taken, ...head } = layout
  const numbers = new Map<string, number>()
  const rows = modules.map(({ name, buildId, srcversion, state, taint, bytes, address, sections }) => [
    name,
    buildId ?? 0,
    // A build id says all.
    buildId === undefined ? (srcversion ?? 0) : 0,
    state === 'Live' ? 0 : state,
    taint ?? 0,
    bytes,
    address.toString(16),
    ...(sections === undefined ? [] : [sectionWords(sections, address, numbers)]),
  ])
  const text = JSON.stringify({
    ...head,
    anchor: anchor.name,
    text: anchor.address.toString(16),
    taken: taken.getTime(),
    sections: [...numbers.keys()],
    modules: rows,
  })
  return pack('layout', Buffer.from(text, 'latin1'))
}

/** Sections by their numbers, each with its distance from the one before it, which is mostly small. */
function sectionWords(
  { names, name, high, low }: ModuleSections,
  address: bigint,
  numbers: Map<string, number>,
): string {
  let before = address
  const words: string[] = []
  const order = Array.from(name, (_, i) => i).sort((a, b) => high[a]! - high[b]! || low[a]! - low[b]!)
  for (const i of order) {
    const own = names[name[i]!]!
    let number = numbers.get(own)
    if (number === undefined) {
      number = numbers.size
      numbers.set(own, number)
    }
    const at = joinAddress(high[i]!, low[i]!)
    words.push(`${number}:${(at - before).toString(16)}`)
    before = at
  }
  return words.join(' ')
}

/**
 * Reads a layout's file.
 * @throws BadFormatError, UnsupportedError, LimitError for anything that is not what `encodeLayout` writes
 */
export function decodeLayout(bytes: Uint8Array): HostLayout {
  const what = 'layout'
  const head = Fields.parse(what, unpack('layout', bytes, MOST_LAYOUT_TEXT).toString('latin1'))
  const anchor = head.text('anchor')
  if (anchor !== '_text' && anchor !== '_stext') throw new BadFormatError(`${what}: it is placed by ${anchor}`)
  const names = head.texts('sections', WORD)
  const rows = head.list('modules')
  if (rows.length > MOST_MODULES) throw new LimitError(`${what}: more than ${MOST_MODULES} modules`)
  let left = MOST_LAYOUT_SECTIONS
  const modules = rows.map((row): LayoutModule => {
    const [name, buildId, srcversion, state, taint, size, address, words] = Array.isArray(row) ? row : []
    const text = (value: unknown, pattern: RegExp): string | undefined => {
      if (value === 0) return undefined
      if (typeof value !== 'string' || !pattern.test(value)) throw new BadFormatError(`${what}: a module is damaged`)
      return value
    }
    const digits = text(address, /^[0-9a-f]{1,16}$/)
    const own = text(name, MODULE_NAME)
    if (own === undefined || digits === undefined || !Number.isSafeInteger(size) || Number(size) < 0) {
      throw new BadFormatError(`${what}: a module is damaged`)
    }
    const begin = BigInt(`0x${digits}`)
    const sections = words === undefined ? undefined : sectionsIn(words, begin, names)
    left -= sections?.name.length ?? 0
    if (left < 0) throw new LimitError(`${what}: more than ${MOST_LAYOUT_SECTIONS} sections`)
    return {
      name: own,
      buildId: text(buildId, BUILD_ID),
      srcversion: text(srcversion, MODULE_NAME),
      state: text(state, WORD) ?? 'Live',
      taint: text(taint, WORD),
      bytes: Number(size),
      address: begin,
      sections,
    }
  })
  if (new Set(modules.map(({ name }) => name)).size !== modules.length) {
    throw new BadFormatError(`${what}: two modules have one name`)
  }
  const dynamic = head.texts('dynamic')
  for (const line of dynamic) {
    const { owner = '' } = parseLine(line) ?? {}
    // What belongs to a build is never taken from a layout.
    if (!isDynamic(owner)) throw new BadFormatError(`${what}: a dynamic line is none`)
  }
  return {
    buildId: head.text('buildId', BUILD_ID),
    bootId: head.maybeText('bootId', WORD),
    release: head.maybeText('release', WORD),
    architecture: head.maybeText('architecture', WORD),
    anchor: { name: anchor, address: head.address('text') },
    modules,
    dynamic,
    taken: new Date(head.whole('taken', 8.64e15)),
    generation: head.whole('generation', 2 ** 32),
  }
}

const BLANK = 0x20
const COLON = 0x3a
const MINUS = 0x2d

/** Sections as columns, read letter by letter: they are most of a layout, and its opening is waited for. */
function sectionsIn(words: unknown, address: bigint, names: readonly string[]): ModuleSections {
  const bad = () => new BadFormatError('layout: a section of a module is damaged')
  if (typeof words !== 'string') throw bad()
  let count = words === '' ? 0 : 1
  for (let i = 0; i < words.length; i++) if (words.charCodeAt(i) === BLANK) count++
  const columns = { names, name: new Uint16Array(count), high: new Uint32Array(count), low: new Uint32Array(count) }
  let high = Number(address >> 32n)
  let low = Number(address & 0xffff_ffffn)
  let at = 0
  for (let i = 0; i < count; i++) {
    let number = 0
    const first = at
    for (; at < words.length && words.charCodeAt(at) !== COLON; at++)
      number = number * 10 + digit(words.charCodeAt(at), 10)
    const minus = words.charCodeAt(++at) === MINUS
    if (minus) at++
    const begin = at
    let upper = 0
    let lower = 0
    for (; at < words.length && words.charCodeAt(at) !== BLANK; at++) {
      upper = upper * 16 + Math.floor(lower / 0x1000_0000)
      lower = (lower % 0x1000_0000) * 16 + digit(words.charCodeAt(at), 16)
    }
    const digits = at++ - begin
    // What is no digit makes all of it no number.
    if (!(number < names.length) || first === begin || digits < 1 || digits > 16 || Number.isNaN(upper + lower))
      throw bad()
    const sum = minus ? low - lower : low + lower
    const carry = sum < 0 ? -1 : sum >= HALF ? 1 : 0
    high = (minus ? high - upper : high + upper) + carry
    high = ((high % HALF) + HALF) % HALF
    low = sum - carry * HALF
    columns.name[i] = number
    columns.high[i] = high
    columns.low[i] = low
  }
  return columns
}

const HALF = 2 ** 32

/** The value of a digit, or NaN. */
function digit(code: number, base: number): number {
  const value = code >= 0x61 ? code - 0x57 : code - 0x30
  return value >= 0 && value < base && (code < 0x3a || code >= 0x61) ? value : Number.NaN
}
