// Whose address is it: the kernel's own %pS, printed by the immediate arguments of a probe event with the type `symbol`, and the
// sites that ftrace lists with their addresses. Judged on the host: from a
// snapshot of what was loaded live, from the same boot's capture, and from its kallsyms alone.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { seededRandom } from '../../../bench/lib/random.ts'
import { Definitions, readTracing, takeErrorLog, writeTracing } from '../guest/tracefs.ts'
import { addressOf, type Line, ofLoadedModule, readLines, spread } from '../kallsyms.ts'
import { openKept } from '../snapshots.ts'
import type { Guest, Judging, Suite } from '../suite.ts'
import { type AddressTruth, compareAddress, compareSites, formatTruth, parseTruth } from '../symbol-truth.ts'
import { CAPTURE, LIVE, LIVE_SECTIONS } from './tables.ts'

const TRUTH = 'printed.tsv'
const SITES = 'available_filter_functions_addrs'

type Asked = Omit<AddressTruth, 'printed'>

export const symbols: Suite = {
  name: 'symbols',
  title: "the kernel's own %pS for addresses of every kind, and ftrace's list of sites",

  async record(guest) {
    const lines = readLines(readFileSync('/proc/kallsyms', 'latin1'))
    const asked = chooseAddresses(lines, guest.scale)
    const truth = askKernel(asked, lines, guest)
    guest.say(`${truth.length} addresses answered by the kernel`)
    writeFileSync(join(guest.folder, TRUTH), formatTruth(truth))
  },

  async judge(judging) {
    const truth = parseTruth(readFileSync(join(judging.folder, TRUTH), 'latin1'))
    const capture = join(judging.share, CAPTURE)
    await judgeFrom(judging, join(judging.share, LIVE), 'live', truth)
    await judgeFrom(judging, join(judging.share, LIVE_SECTIONS), 'live with sections', truth)
    await judgeFrom(judging, capture, 'from a capture', truth)
    await judgeFrom(judging, join(capture, 'kallsyms'), 'from kallsyms alone', truth)
  },
}

async function judgeFrom(judging: Judging, from: string, how: string, truth: readonly AddressTruth[]): Promise<void> {
  const kernel = await openKept(from, 0, judging.say)
  if (kernel === undefined) return
  for (const row of truth) judging.note(compareAddress(`%pS, ${how}`, kernel.symbols, row))
  const sites = join(judging.share, CAPTURE, SITES)
  if (existsSync(sites)) {
    const text = readFileSync(sites, 'latin1')
    for (const outcome of compareSites(`sites, ${how}`, kernel.symbols, text)) judging.note(outcome)
  }
  await kernel.close()
}

/** Starts, insides and ends of symbols of every kind, sections, edges and holes of modules, and what is no kernel address. */
function chooseAddresses(lines: readonly Line[], scale: number): Asked[] {
  const from = seededRandom(12_345)
  const below = (bound: bigint) => BigInt(from(Number(bound)))
  const asked: Asked[] = []
  const ask = (kind: string, address: bigint) => {
    if (address >= 0n && address < 1n << 64n) asked.push({ class: kind, address })
  }
  const starts = [...new Set(lines.map(({ address }) => address))].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))
  const rank = new Map(starts.map((address, i) => [address, i]))
  const classOf = (line: Line) => {
    const text = /[tTwW]/.test(line.type) ? 'text' : 'data'
    return line.module === '' ? `core ${text}` : ofLoadedModule(line) ? `module ${text}` : 'made at run time'
  }
  for (const [kind, all] of groups(lines, classOf)) {
    const chosen = spread(all, (kind.startsWith('module') ? 300 : kind.startsWith('core') ? 200 : 80) * scale)
    chosen.forEach(({ address }, i) => {
      const next = starts[rank.get(address)! + 1] ?? address + 16n
      // What lies between two symbols of different pieces is a hole, asked about below.
      const size = next - address > 65_536n ? 65_536n : next - address
      ask(`${kind}: start`, address)
      ask(`${kind}: inside`, address + below(size))
      if (i % 4 === 0) ask(`${kind}: before the next`, next - 1n)
      if (i % 8 === 0) ask(`${kind}: 4 KiB behind the next`, next + 4096n)
    })
  }
  const modules = [...groups(lines.filter(ofLoadedModule), ({ module }) => module)]
  for (const [, own] of modules) {
    const sorted = own.map(({ address }) => address).filter((address) => address > 0xffff_ffffn)
    sorted.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))
    // The pieces of a module: its symbols, cut where more than a page lies between two.
    sorted.forEach((address, i) => {
      const next = sorted[i + 1]
      if (next !== undefined && next - address <= 4096n) return
      const page = (address | 0xfffn) + 1n
      ask('module: last symbol of a piece, inside', address + 1n)
      ask('module: last byte of its page', page - 1n)
      if (from(2) === 0) ask('module: the page behind a piece', page + below(4096n))
      if (next !== undefined && from(10) < 3) ask('module: between its pieces', address + below(next - address))
    })
    const first = sorted[0]
    if (first !== undefined) ask('module: before its first symbol', first - 1n - below(64n))
  }
  for (const { name, address, size } of modulesHere()) {
    for (let i = 0; i < 2 * scale; i++) ask('module: its range of /proc/modules', address + below(size))
    for (const [section, at] of sectionsOf(name)) {
      ask(
        `section ${section.startsWith('.') ? (/^\.[a-z]+/.exec(section)?.[0] ?? '.') : 'of another name'}`,
        at + below(64n),
      )
    }
  }
  const [stext, end] = [addressOf(lines, '_stext'), addressOf(lines, '_end')]
  for (let i = 0; i < 300 * scale; i++) ask('core: anywhere', stext + below(end - stext))
  const kept = [...asked.filter(({ class: kind }) => !kind.startsWith('section '))]
  // Sections are many, and most of them small and alike.
  for (const [, all] of groups(
    asked.filter(({ class: kind }) => kind.startsWith('section ')),
    (each) => each.class,
  )) {
    kept.push(...spread(all, 100 * scale))
  }
  const odd = [0n, 1n, 0x40_0000n, 0x7fff_ffff_ffffn, 1n << 63n, (1n << 64n) - 1n, stext - 1n, end, end + 100n]
  for (const name of ['_etext', '__end_rodata', '_edata', '_einittext', '__bss_stop', '_sdata', '_sinittext']) {
    const at = addressOf(lines, name)
    if (at > 0n) odd.push(at - 1n, at, at + 1n, at + 4096n, at + 70_000n)
  }
  return [...kept, ...odd.map((address) => ({ class: 'edges of the kernel, and user addresses', address }))]
}

function groups<T>(list: readonly T[], keyOf: (each: T) => string): Map<string, T[]> {
  const found = new Map<string, T[]>()
  for (const each of list) {
    const key = keyOf(each)
    const group = found.get(key)
    if (group === undefined) found.set(key, [each])
    else group.push(each)
  }
  return found
}

function modulesHere() {
  return readFileSync('/proc/modules', 'latin1')
    .trimEnd()
    .split('\n')
    .map((line) => line.split(' '))
    .map(([name, size, , , , address]) => ({ name: name!, size: BigInt(size!), address: BigInt(address!) }))
}

function sectionsOf(module: string): [string, bigint][] {
  const folder = `/sys/module/${module}/sections`
  if (!existsSync(folder)) return []
  return readdirSync(folder).map((section) => {
    return [section, BigInt(readFileSync(join(folder, section), 'latin1').trim())]
  })
}

/** Addresses asked by one event: its line of the trace has to fit into a page; and events asked by one system call. */
const PER_EVENT = 40
const EVENTS = 10
const GROUP = 'kerndex'

/** What the kernel prints of each address. */
function askKernel(asked: readonly Asked[], lines: readonly Line[], guest: Guest): AddressTruth[] {
  const target = ['__x64_sys_getppid', 'sys_getppid'].find((name) => addressOf(lines, name) > 0n)
  if (target === undefined) throw new Error('this kernel has no function that getppid enters')
  const events = new Definitions('kprobe_events')
  const define = (name: string, fetched: string) => {
    const refused = events.write(`p:${GROUP}/${name} ${target} ${fetched}`)
    if (refused !== '') throw new Error(`the kernel refuses the event that asks: ${refused} ${takeErrorLog()}`)
  }
  // While it is enabled, further events at its place change no code.
  define('anchor', '')
  writeTracing('tracing_on', '1')
  writeTracing(`events/${GROUP}/anchor/enable`, '1')
  const printed = new Map<Asked, string>()
  const ask = (each: readonly Asked[], perEvent: number) => {
    const parts: Asked[][] = []
    for (let at = 0; at < each.length; at += perEvent) parts.push(each.slice(at, at + perEvent))
    parts.forEach((part, i) => {
      define(`asked${i}`, part.map(({ address }, j) => `a${j}=\\0x${address.toString(16)}:symbol`).join(' '))
    })
    writeTracing('trace', '')
    writeTracing(`events/${GROUP}/enable`, '1')
    // Reading it is the system call.
    void process.ppid
    for (let i = 0; i < parts.length; i++) writeTracing(`events/${GROUP}/asked${i}/enable`, '0')
    for (const line of readTracing('trace').split('\n')) {
      const part = parts[Number(/ asked(\d+): /.exec(line)?.[1])]
      for (const [, j, text] of line.matchAll(/ a(\d+)=(.*?)(?= a\d+=|$)/g)) {
        const one = part?.[Number(j)]
        if (one !== undefined) printed.set(one, text!)
      }
    }
    for (let i = 0; i < parts.length; i++) events.write(`-:${GROUP}/asked${i}`)
  }
  for (let at = 0; at < asked.length; at += PER_EVENT * EVENTS) {
    ask(asked.slice(at, at + PER_EVENT * EVENTS), PER_EVENT)
    if (at % 4000 === 0 && at > 0) guest.say(`${at} of ${asked.length} addresses`)
  }
  // Lines that were too long for the kernel's buffer.
  const left = asked.filter((each) => !printed.has(each))
  for (let at = 0; at < left.length; at += EVENTS) ask(left.slice(at, at + EVENTS), 1)
  writeTracing(`events/${GROUP}/anchor/enable`, '0')
  events.write(`-:${GROUP}/anchor`)
  events.close()
  return asked.map((each) => {
    const text = printed.get(each)
    if (text === undefined) throw new Error(`the kernel printed nothing of ${each.address.toString(16)}`)
    return { ...each, printed: text }
  })
}
