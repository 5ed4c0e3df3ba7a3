// Seeded kallsyms text of any size, shaped like that of a real kernel with modules, for seeing how costs grow.
//
// The shares below were measured on Debian's 6.1 with 418 modules loaded (241,116 symbols) and, for the `__pfx_` twins, which
// that kernel does not have, on a 6.18 built with them. test/bench/synthetic.test.ts holds the text to the captures.

import { type Random, seededRandom } from './random.ts'

/** Of all symbols, those of vmlinux. */
const CORE_SHARE = 0.39
/** Symbols a module: the middle of a wide, skewed distribution (8 to 8,000). */
const MODULE_MEDIAN = 190
const MODULE_SPREAD = 1.75
const SMALLEST_MODULE = 8
const LARGEST_MODULE = 8000

const CORE_BASE = 0x81000000
const MODULE_BASE = 0xc0000000
const PAGE = 4096
/** Bytes of padding before a function, where its `__pfx_` twin begins. */
const PADDING = 16

/** Words that kernel names are made of, the most frequent first; made-up ones follow. */
const WORDS =
  'get set init dev show store read write event trace sys put add del free alloc ops lock page state info data table list queue buf reg port net link mode type size key map node file inode skb request update check find create destroy register unregister enable disable start stop open close release handle process send recv tx rx irq work timer clk bus probe remove attr name class id flags mask count cache group entry head next msg cmd ctrl status config param power suspend resume reset sync wait wake notify policy stats filter rule hash tree root path mount user task thread cpu mem vm zone block disk bio sector crypto sock tcp udp ip ipv6 nf xt usb pci acpi drm gpu fb snd hda codec hid input led fw rpc nfs ext4 xfs btrfs scsi ata nvme md dm raid tpm kvm x86 intel amd'.split(
    ' ',
  )
const SYLLABLES =
  'ba ce di fo gu ka le mi no pu ra se ti vo xa yl br cr dr fl gr ph pl pr sc sk sl sp st tr th ch sh an er in on ar al el il or un us ex im re de pro con sub mod bit ack frm idx len cnt ptr val tbl'.split(
    ' ',
  )
/** Distinct words of a kernel; the Zipf-like choice below makes the first ones common. */
const VOCABULARY = 6000

/** What a tracepoint becomes. */
const TRACEPOINT: readonly (readonly [prefix: string, type: string])[] = [
  ['__traceiter_', 't'],
  ['__probestub_', 't'],
  ['__SCT__tp_func_', 't'],
  ['__bpf_trace_', 't'],
  ['trace_event_raw_event_', 't'],
  ['trace_raw_output_', 't'],
  ['__SCK__tp_func_', 'd'],
  ['__tracepoint_', 'd'],
  ['event_', 'd'],
  ['__event_', 'd'],
  ['print_fmt_', 'd'],
  ['trace_event_fields_', 'd'],
  ['trace_event_type_funcs_', 'd'],
  ['__tpstrtab_', 'r'],
]

/** Data that every part of a kernel has, numbered by the compiler: the names that repeat most. */
const NUMBERED: readonly (readonly [stem: string, weight: number, type: string])[] = [
  ['__func__.', 38, 'r'],
  ['_rs.', 9, 'd'],
  ['__compound_literal.', 10, 'd'],
  ['__key.', 8, 'b'],
  ['__already_done.', 8, 'd'],
  ['__msg.', 6, 'r'],
  ['.LC', 12, 'r'],
]

/** Symbols before they have their places: what they are called and where they belong. */
interface Draft {
  readonly text: [name: string, type: string, twin: boolean][]
  readonly data: [name: string, type: string][]
}

/** The text of `symbols` symbols, in pieces of whole lines. The same numbers give the same bytes. */
export function* syntheticKallsyms(symbols: number, seed: number): Generator<string> {
  const random = seededRandom(seed)
  const names = new Names(random)
  const core = Math.round(symbols * CORE_SHARE)
  yield* coreLines(core, random, names)
  let left = symbols - core
  // The newest module comes first in the file and lies highest, so that blocks come in descending order.
  const modules: number[] = []
  while (left > 0) {
    const size = Math.exp(Math.log(MODULE_MEDIAN) + MODULE_SPREAD * gaussian(random))
    modules.push(Math.min(left, Math.max(SMALLEST_MODULE, Math.min(LARGEST_MODULE, Math.round(size)))))
    left -= modules.at(-1)!
  }
  const room = Math.floor((0xff000000 - MODULE_BASE) / PAGE)
  const bytesOf = (size: number) => (size * 256 + 4 * PAGE) & -PAGE
  const needed = modules.reduce((sum, size) => sum + bytesOf(size), 0) / PAGE
  if (needed > room) throw new RangeError(`${symbols} symbols need more memory of modules than a kernel has`)
  let end = MODULE_BASE + needed * PAGE
  for (const [number, size] of modules.entries()) {
    end -= bytesOf(size)
    yield moduleLines(`${names.word()}_${number.toString(36)}`, size, end, random, names)
  }
}

/** vmlinux: per-cpu offsets, then text and data in ascending order between their section markers. */
function* coreLines(count: number, random: Random, names: Names): Generator<string> {
  const perCpu = Math.round(count * 0.004)
  let offset = 0
  let lines = `${line(0, 'A', 'fixed_percpu_data', '', '00000000')}`
  for (let i = 1; i < perCpu; i++) {
    offset += 8 * (1 + random(40))
    lines += line(offset, 'A', names.name(random(3) + 1), '', '00000000')
  }
  const draft = draftOf(count - perCpu - 6, random, names, true)
  let at = CORE_BASE
  lines += line(at, 'T', '_stext', '') + line(at, 'T', '_text', '')
  for (const [name, type, twin] of draft.text) {
    if (twin) lines += line(at, 't', `__pfx_${name}`, '')
    if (twin) at += PADDING
    lines += line(at, type, name, '')
    at += step(random)
    if (lines.length > 1 << 20) {
      yield lines
      lines = ''
    }
  }
  at = (at + PAGE) & -PAGE
  lines += line(at >>> 0, 'T', '_etext', '')
  at = (at + 512 * PAGE) & -PAGE
  lines += line(at >>> 0, 'D', '_sdata', '')
  for (const [name, type] of draft.data) {
    lines += line(at >>> 0, type, name, '')
    if (random(100) > 0) at += 8 * (1 + random(random(8) === 0 ? 64 : 6))
    if (lines.length > 1 << 20) {
      yield lines
      lines = ''
    }
  }
  at = (at + PAGE) & -PAGE
  yield `${lines}${line(at >>> 0, 'D', '_edata', '')}${line(at >>> 0, 'B', '_end', '')}`
}

/** A module: one block of lines, nearly but not quite in the order of addresses, text and data mixed. */
function moduleLines(owner: string, count: number, base: number, random: Random, names: Names): string {
  const draft = draftOf(Math.max(0, count - 4), random, names, false)
  const placed: [key: number, text: string][] = []
  let at = base
  const place = (type: string, name: string) => {
    placed.push([placed.length + 9 * (random(1 << 16) / (1 << 16)), line(at, type, name, owner)])
  }
  for (const [name, type, twin] of draft.text) {
    if (twin) place('t', `__pfx_${name}`)
    if (twin) at += PADDING
    place(type, name)
    at += step(random)
  }
  at = (at + PAGE) & -PAGE
  at >>>= 0
  for (const [name, type] of draft.data) {
    place(type, name)
    if (random(100) > 0) at += 4 * (1 + random(12))
  }
  const fixed: readonly [string, string][] = [
    ['_note_10', 'r'],
    ['_note_9', 'r'],
    ['__this_module', 'd'],
    ['cleanup_module', 't'],
  ]
  for (const [name, type] of fixed.slice(0, Math.min(4, count))) {
    place(type, name)
    at += 24
  }
  return placed
    .sort(([a], [b]) => a - b)
    .map(([, text]) => text)
    .join('')
}

/** Names for exactly `count` symbols, in the shares that real kernels have. */
function draftOf(count: number, random: Random, names: Names, core: boolean): Draft {
  const draft: Draft = { text: [], data: [] }
  const subject = names.subject()
  const globalShare = core ? 48 : 5
  let left = count
  const data = (name: string, type: string) => {
    if (left-- > 0) draft.data.push([name, type])
  }
  while (left > 0) {
    const dice = random(1000)
    if (dice < 600) {
      const twin = left > 1 && random(100) < 98
      const name = names.function(subject, core)
      draft.text.push([name, random(100) < globalShare ? 'T' : 't', twin])
      left -= twin ? 2 : 1
      if (random(1000) < 90 && left > 0) {
        draft.text.push([`${name}.cold`, 't', false])
        left--
      }
      if (random(1000) < 105) {
        data(`__ksymtab_${name}`, 'r')
        if (!core) for (const prefix of ['__kstrtab_', '__kstrtabns_', '__crc_']) data(`${prefix}${name}`, 'r')
      }
    } else if (dice < 608) {
      const name = names.name(2 + random(2))
      for (const [prefix, type] of TRACEPOINT) {
        if (type !== 't') data(`${prefix}${name}`, type)
        else if (left-- > 0) draft.text.push([`${prefix}${name}`, 't', false])
      }
    } else if (dice < 690) {
      data(`__UNIQUE_ID_${names.word()}${100 + random(900)}`, 'r')
    } else if (dice < 850) {
      const [stem, type] = numbered(random)
      data(`${stem}${Math.floor(random(60) ** 2 / 60)}`, type)
    } else {
      const type = 'ddddrrrbD'[random(9)]!
      data(names.name(1 + random(4)), core || type !== 'D' ? type : 'd')
    }
  }
  return draft
}

function numbered(random: Random): readonly [string, string] {
  let dice = random(NUMBERED.reduce((sum, [, weight]) => sum + weight, 0))
  for (const [stem, weight, type] of NUMBERED) {
    dice -= weight
    if (dice < 0) return [stem, type]
  }
  throw new Error('the weights do not add up')
}

/** Bytes of a function: many small ones, a few large, now and then an alias of the next. */
function step(random: Random): number {
  if (random(120) === 0) return 0
  return 16 * (1 + Math.floor(Math.exp((random(1000) / 1000) * 4.6)) + random(4))
}

/** From 12 uniform numbers; near enough to the normal distribution. */
function gaussian(random: Random): number {
  let sum = -6
  for (let i = 0; i < 12; i++) sum += random(1 << 20) / (1 << 20)
  return sum
}

function line(low: number, type: string, name: string, owner: string, high = 'ffffffff'): string {
  return `${high}${low.toString(16).padStart(8, '0')} ${type} ${name}${owner === '' ? '' : `\t[${owner}]`}\n`
}

/** Makes names of words. */
class Names {
  readonly #random: Random
  readonly #words: string[] = [...WORDS]

  constructor(random: Random) {
    this.#random = random
    const seen = new Set(WORDS)
    while (this.#words.length < VOCABULARY) {
      const word = Array.from({ length: 2 + random(2) }, () => SYLLABLES[random(SYLLABLES.length)]!).join('')
      if (seen.has(word)) continue
      seen.add(word)
      this.#words.push(word)
    }
  }

  /** A word; the first ones of the vocabulary are the common ones. */
  word(): string {
    const share = this.#random(1 << 20) / (1 << 20)
    return this.#words[Math.floor(this.#words.length * share ** 2.6)]!
  }

  name(words: number): string {
    return Array.from({ length: words }, () => this.word()).join('_')
  }

  /** The words with which a module's names begin. */
  subject(): string {
    return this.word()
  }

  /** A function's name: mostly its subject first, sometimes with what a compiler appends to a copy. */
  function(subject: string, core: boolean): string {
    const dice = this.#random(1000)
    // A few names are the same in many files: small helpers that stayed out of line.
    if (dice < 6) return `${this.#words[this.#random(40)]}_once`
    const words = 1 + Math.floor(this.#random(64) ** 2 / 1024) + this.#random(2)
    const name = `${dice < 80 ? '__' : ''}${core ? this.word() : subject}_${this.name(words)}`
    if (dice > 985) return `${name}.isra.0`
    if (dice > 975) return `${name}.constprop.0`
    if (dice > 967) return `${name}.part.0`
    return name
  }
}
