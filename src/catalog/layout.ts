// A layout: where one boot of one host has its kernel and its modules. Together with the catalogue's entries it is that host's table. It
// tells the kernel's slide, which is a secret.

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
  readonly sections: ReadonlyMap<string, bigint> | undefined
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

function placesOf(sections: ModuleSections | undefined): Map<string, bigint> | undefined {
  if (sections === undefined) return undefined
  const { names, name, high, low } = sections
  const places = new Map<string, bigint>()
  for (let i = 0; i < name.length; i++) {
    const own = names[name[i]!]!
    const isPiece = low[i]! % PAGE === 0
    if (places.has(own) || (!isPiece && (WITHOUT_SYMBOLS.has(own) || sectionPlace(own).initial))) continue
    places.set(own, (BigInt(high[i]!) << 32n) | BigInt(low[i]!))
  }
  return places
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
function sectionWords(sections: ReadonlyMap<string, bigint>, address: bigint, numbers: Map<string, number>): string {
  let before = address
  const words: string[] = []
  for (const [name, at] of [...sections].sort((a, b) => (a[1] < b[1] ? -1 : 1))) {
    let number = numbers.get(name)
    if (number === undefined) {
      number = numbers.size
      numbers.set(name, number)
    }
    words.push(`${number}:${(at - before).toString(16)}`)
    before = at
  }
  return words.join(' ')
}

const ADDRESS_MASK = (1n << 64n) - 1n

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
    left -= sections?.size ?? 0
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

function sectionsIn(words: unknown, address: bigint, names: readonly string[]): Map<string, bigint> {
  const sections = new Map<string, bigint>()
  if (typeof words !== 'string') throw new BadFormatError('layout: sections of a module are damaged')
  let before = address
  for (const word of words === '' ? [] : words.split(' ')) {
    const colon = word.indexOf(':')
    const minus = word[colon + 1] === '-' ? 1 : 0
    const digits = word.slice(colon + 1 + minus)
    const name = names[Number(word.slice(0, colon))]
    if (colon < 1 || name === undefined || !/^[0-9a-f]{1,16}$/.test(digits)) {
      throw new BadFormatError('layout: a section of a module is damaged')
    }
    const distance = BigInt(`0x${digits}`)
    before = (minus === 1 ? before - distance : before + distance) & ADDRESS_MASK
    sections.set(name, before)
  }
  return sections
}
