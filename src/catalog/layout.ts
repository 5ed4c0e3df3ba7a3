// A layout: where one boot of one host has its kernel and its modules. Together with the catalogue's entries it is that host's table. It
// tells the kernel's slide, which is a secret.

import { joinAddress } from '../core/address.ts'
import { BadFormatError, LimitError } from '../core/errors.ts'
import type { ModuleIdentity, ModuleInfo } from '../sources/facts.ts'
import type { ModuleSections } from '../sources/module-sections.ts'
import { PAGE } from '../symbols/claims.ts'
import { sectionPlace } from '../symbols/section-starts.ts'
import type { Anchor } from './image.ts'
import { ADDRESS, BUILD_ID, Fields, MODULE_NAME, WORD } from './json.ts'
import { MOST_LAYOUT_SECTIONS, MOST_LAYOUT_TEXT, MOST_MODULES } from './limits.ts'
import { pack, unpack } from './packed.ts'
import { isDynamic, parseLine } from './split.ts'

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
  /** The same in nanoseconds since the boot, on the clock that perf and ftrace use by default; undefined where it is not known. */
  readonly monotonic?: bigint | undefined
  /** Counts the layouts of one boot. */
  readonly generation: number
}

/** The input of a layout. */
export interface LayoutTold extends Omit<HostLayout, 'modules'> {
  readonly modules: readonly ModuleInfo[]
  readonly sections: ReadonlyMap<string, ModuleSections>
  readonly identities: ReadonlyMap<string, ModuleIdentity>
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

/** Whether a layout can hold a module of this name. */
export function hasName({ name }: ModuleInfo): boolean {
  return MODULE_NAME.test(name)
}

/** Makes a layout of what a host tells; of each module, the first of its name, only what a catalogue cannot tell by itself. */
export function layoutOf(told: LayoutTold): HostLayout {
  const { sections, identities, modules, ...rest } = told
  const first = new Map<string, ModuleInfo>()
  for (const module of modules) if (hasName(module) && !first.has(module.name)) first.set(module.name, module)
  return {
    ...rest,
    modules: Array.from(first.values(), ({ name, size, state, address }): LayoutModule => {
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

/**
 * The bytes of a layout's file: a line of JSON, and the sections of all modules, one module behind the other, as three columns of
 * little-endian numbers: the section's name (u16), the lower and the upper half (u32) of its distance from the one before it, or from
 * the module's address.
 */
export function encodeLayout(layout: HostLayout): Buffer {
  const { modules, anchor, taken, monotonic, ...head } = layout
  const numbers = new Map<string, number>()
  const columns = new SectionColumns(modules.reduce((sum, { sections }) => sum + (sections?.name.length ?? 0), 0))
  let at = 0
  const rows = modules.map(({ name, buildId, srcversion, state, taint, bytes, address, sections }) => {
    if (sections !== undefined) at = columns.write(sections, address, numbers, at)
    return [
      name,
      buildId ?? 0,
      // A build id says all.
      buildId === undefined ? (srcversion ?? 0) : 0,
      state === 'Live' ? 0 : state,
      taint ?? 0,
      bytes,
      address.toString(16),
      ...(sections === undefined ? [] : [sections.name.length]),
    ]
  })
  const text = JSON.stringify({
    ...head,
    anchor: anchor.name,
    text: anchor.address.toString(16),
    taken: taken.getTime(),
    monotonic: monotonic?.toString(16),
    sections: [...numbers.keys()],
    modules: rows,
  })
  return pack('layout', Buffer.concat([Buffer.from(`${text}\n`, 'latin1'), columns.bytes]))
}

const NEWLINE = 0x0a

/**
 * Reads a layout's file.
 * @throws BadFormatError, UnsupportedError, LimitError for anything that is not what `encodeLayout` writes
 */
export function decodeLayout(bytes: Uint8Array): HostLayout {
  const what = 'layout'
  const text = unpack('layout', bytes, MOST_LAYOUT_TEXT)
  const line = text.indexOf(NEWLINE)
  const head = Fields.parse(what, text.toString('latin1', 0, Math.max(0, line)))
  const anchor = head.text('anchor')
  if (anchor !== '_text' && anchor !== '_stext') throw new BadFormatError(`${what}: it is placed by ${anchor}`)
  const names = head.texts('sections', WORD)
  const rows = head.list('modules')
  if (rows.length > MOST_MODULES) throw new LimitError(`${what}: more than ${MOST_MODULES} modules`)
  const columns = new SectionColumns((text.length - line - 1) / SECTION_BYTES, text.subarray(line + 1))
  const reading = columns.reading()
  let at = 0
  const word = (value: unknown, pattern: RegExp): string | undefined => {
    if (value === 0) return undefined
    if (typeof value !== 'string' || !pattern.test(value)) throw new BadFormatError(`${what}: a module is damaged`)
    return value
  }
  const modules = rows.map((given): LayoutModule => {
    const row: readonly unknown[] = Array.isArray(given) ? given : []
    const [size, count] = [row[5], row[7]]
    const digits = word(row[6], ADDRESS)
    const own = word(row[0], MODULE_NAME)
    if (own === undefined || digits === undefined || !Number.isSafeInteger(size) || Number(size) < 0) {
      throw new BadFormatError(`${what}: a module is damaged`)
    }
    const begin = BigInt(`0x${digits}`)
    let sections: ModuleSections | undefined
    if (count !== undefined) {
      if (typeof count !== 'number' || !(Number.isSafeInteger(count) && count >= 0 && count <= columns.count - at)) {
        throw new BadFormatError(`${what}: a module has sections that are not there`)
      }
      sections = reading.of(begin, names, at, count)
      at += count
    }
    return {
      name: own,
      buildId: word(row[1], BUILD_ID),
      srcversion: word(row[2], MODULE_NAME),
      state: word(row[3], WORD) ?? 'Live',
      taint: word(row[4], WORD),
      bytes: Number(size),
      address: begin,
      sections,
    }
  })
  if (at !== columns.count) throw new BadFormatError(`${what}: it has sections of no module`)
  if (new Set(modules.map(({ name }) => name)).size !== modules.length) {
    throw new BadFormatError(`${what}: two modules have one name`)
  }
  const dynamic = head.texts('dynamic')
  for (const each of dynamic) {
    const { owner = '' } = parseLine(each) ?? {}
    // Symbols of a build are never taken from a layout.
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
    monotonic: head.maybe('monotonic', () => head.address('monotonic')),
    generation: head.whole('generation', 2 ** 32),
  }
}

/** Bytes of a section in a layout, over all columns. */
const SECTION_BYTES = 10

/** The columns of sections in a layout's file. They are most of it, and its opening is waited for: numbers, not text. */
class SectionColumns {
  readonly bytes: Buffer
  readonly count: number
  readonly #view: DataView
  readonly #low: number
  readonly #high: number

  /** @throws BadFormatError, LimitError if it is no whole number of sections, or too many */
  constructor(count: number, bytes?: Buffer) {
    if (!Number.isInteger(count)) throw new BadFormatError('layout: its sections are cut')
    if (count > MOST_LAYOUT_SECTIONS) throw new LimitError(`layout: more than ${MOST_LAYOUT_SECTIONS} sections`)
    this.count = count
    this.bytes = bytes ?? Buffer.alloc(count * SECTION_BYTES)
    this.#view = new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.length)
    this.#low = 2 * count
    this.#high = 6 * count
  }

  /** Writes a module's sections by their addresses, numbering names as they come. Returns where the next module's go. */
  write(
    { names, name, high, low }: ModuleSections,
    address: bigint,
    numbers: Map<string, number>,
    from: number,
  ): number {
    const order = Array.from(name, (_, i) => i).sort((a, b) => high[a]! - high[b]! || low[a]! - low[b]!)
    let before = address
    order.forEach((i, place) => {
      const own = names[name[i]!]!
      let number = numbers.get(own)
      if (number === undefined) {
        number = numbers.size
        numbers.set(own, number)
      }
      const section = joinAddress(high[i]!, low[i]!)
      const distance = BigInt.asUintN(64, section - before)
      before = section
      const at = from + place
      this.#view.setUint16(2 * at, number, true)
      this.#view.setUint32(this.#low + 4 * at, Number(distance & 0xffff_ffffn), true)
      this.#view.setUint32(this.#high + 4 * at, Number(distance >> 32n), true)
    })
    return from + order.length
  }

  /** All sections, to be read module by module. */
  reading(): SectionReading {
    const { bytes, count } = this
    return new SectionReading(
      new Uint16Array(numbers(bytes, 0, 2 * count, 2)),
      new Uint32Array(numbers(bytes, this.#low, 4 * count, 4)),
      new Uint32Array(numbers(bytes, this.#high, 4 * count, 4)),
    )
  }
}

const LITTLE_ENDIAN = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1

/** A copy of little-endian numbers of so many bytes each, in this machine's order. */
function numbers(bytes: Buffer, from: number, length: number, each: 2 | 4): ArrayBuffer {
  const copy = new ArrayBuffer(length)
  const own = Buffer.from(copy)
  bytes.copy(own, 0, from, from + length)
  if (!LITTLE_ENDIAN) each === 2 ? own.swap16() : own.swap32()
  return copy
}

const signed = ({ buffer, byteOffset, length }: Uint32Array) => new Int32Array(buffer, byteOffset, length)

/** The sections of a layout's modules: distances become addresses in place, and each module has its part of the columns. */
class SectionReading {
  readonly #name: Uint16Array
  readonly #low: Uint32Array
  readonly #high: Uint32Array

  constructor(name: Uint16Array, low: Uint32Array, high: Uint32Array) {
    this.#name = name
    this.#low = low
    this.#high = high
  }

  /** @throws BadFormatError if a section has no name */
  of(address: bigint, names: readonly string[], from: number, count: number): ModuleSections {
    const name = this.#name.subarray(from, from + count)
    const low = this.#low.subarray(from, from + count)
    const high = this.#high.subarray(from, from + count)
    // As signed numbers: those beyond 31 bits are objects until V8 has compiled a loop.
    const [lows, highs] = [signed(low), signed(high)]
    let upper = Number(BigInt.asIntN(32, address >> 32n))
    let lower = Number(BigInt.asIntN(32, address))
    for (let i = 0; i < count; i++) {
      if (name[i]! >= names.length) throw new BadFormatError('layout: a section of a module has no name')
      const step = lows[i]!
      const sum = (lower + step) | 0
      const carry = ((lower & step) | ((lower | step) & ~sum)) >>> 31
      upper = (upper + highs[i]! + carry) | 0
      lower = sum
      highs[i] = upper
      lows[i] = lower
    }
    return { names, name, high, low }
  }
}
