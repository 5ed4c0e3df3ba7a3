// Where the kernel takes kprobes, kretprobes and fprobes: definitions of every class of place are written to its tracing files, a
// part of them is enabled, and the lines that plans print are tried as they stand.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openKernel } from 'kerndex'
import { seededRandom } from '../../../bench/lib/random.ts'
import { Definitions, hasTracing, readTracing, refusalOf, takeErrorLog, writeTracing } from '../guest/tracefs.ts'
import { addressOf, type Line, ofLoadedModule, readLines, spread } from '../kallsyms.ts'
import { type AttemptTruth, compareAttempt, compareLine, type LineTruth } from '../probe-truth.ts'
import type { Guest, Suite } from '../suite.ts'
import { CAPTURE } from './tables.ts'

const ATTEMPTS = 'attempts.ndjson'
const LINES = 'lines.ndjson'

type Attempt = Pick<AttemptTruth, 'class' | 'target'> & { readonly kind: 'kprobe' | 'kretprobe' | 'fprobe' }

export const probes: Suite = {
  name: 'probes',
  title: 'kprobes, kretprobes and fprobes of every class against the plans, and the lines that plans print',

  async record(guest) {
    const attempts = chooseAttempts(guest.scale)
    const lines = await planLines(attempts)
    guest.say(`${attempts.length} attempts, ${lines.length} printed lines`)
    const kernel = new Definer()
    const rows = kernel.tryAll(attempts, guest)
    writeRows(join(guest.folder, ATTEMPTS), rows)
    await compareLive(rows, guest)
    writeRows(join(guest.folder, LINES), kernel.tryLines(lines, guest))
    kernel.close()
  },

  async judge(judging) {
    const kernel = await openKernel({ from: join(judging.share, CAPTURE), types: 'lazy', probes: true })
    for (const row of readRows<AttemptTruth>(join(judging.folder, ATTEMPTS))) {
      judging.note(compareAttempt('verdicts', kernel.probes, row))
    }
    for (const row of readRows<LineTruth>(join(judging.folder, LINES))) judging.note(compareLine('printed lines', row))
    const names = new Map<string, number>()
    for (const { attach } of kernel.probes.plan('kprobe:*')) {
      const name = /^p:(\S+) /.exec(attach?.kprobeEvents ?? '')?.[1]
      if (name !== undefined) names.set(name, (names.get(name) ?? 0) + 1)
    }
    for (const [name, count] of names) {
      const repeats = count > 1
      const kerndex = repeats ? 'gives it again' : 'gives it once'
      const subject = `kprobe:* has the event ${name} ${count} times`
      judging.note({ check: 'event names', class: 'one plan', kernel: 'wants one', kerndex, wrong: repeats, subject })
    }
    await kernel.close()
  },
}

export function writeRows(file: string, rows: readonly object[]): void {
  writeFileSync(file, rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
}

export function readRows<T>(file: string): T[] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as T)
}

/** Functions, and what looks like one, of every class that the kernel's rules tell apart. */
function chooseAttempts(scale: number): Attempt[] {
  const lines = readLines(readFileSync('/proc/kallsyms', 'latin1'))
  const listed = new Set(
    readTracing('available_filter_functions')
      .trimEnd()
      .split('\n')
      .map((line) => line.replace(/^0x\w+ /, '')),
  )
  const blacklisted = new Set(
    readFileSync('/sys/kernel/debug/kprobes/blacklist', 'latin1')
      .trimEnd()
      .split('\n')
      .map((line) => line.split('\t')[1]?.trim()),
  )
  const bounds = (from: string, to: string) => {
    const [first, end] = [addressOf(lines, from), addressOf(lines, to)]
    return ({ module, address }: Line) => module === '' && address >= first && address < end
  }
  const core = bounds('_stext', '_etext')
  const init = bounds('_sinittext', '_einittext')
  const counts = new Map<string, number>()
  for (const { name } of lines) counts.set(name, (counts.get(name) ?? 0) + 1)
  const letter = ({ type }: Line) => /[tTwW]/.test(type)
  const once = ({ name }: Line) => counts.get(name) === 1
  const traced = ({ name, module }: Line) => listed.has(module === '' ? name : `${name} [${module}]`)
  const dotted = ({ name }: Line) => name.includes('.')
  const padding = ({ name }: Line) => /^__(pfx|cfi)_/.test(name)
  const plain = (line: Line) => !dotted(line) && !padding(line)
  const black = ({ name }: Line) => blacklisted.has(name)
  const suffixed = (pattern: RegExp) => (line: Line) => letter(line) && pattern.test(line.name)

  const bare: Readonly<Record<string, readonly [number, (line: Line) => boolean]>> = {
    'core function': [250, (line) => core(line) && letter(line) && once(line) && plain(line) && traced(line)],
    'weak function': [50, (line) => core(line) && /[wW]/.test(line.type)],
    blacklisted: [150, (line) => core(line) && letter(line) && black(line)],
    'not traced': [200, (line) => core(line) && letter(line) && plain(line) && !traced(line) && !black(line)],
    __init: [60, (line) => init(line) && letter(line)],
    'code outside of the text': [60, (line) => line.module === '' && letter(line) && !core(line) && !init(line)],
    'clone (.isra, .constprop)': [
      100,
      (line) => suffixed(/\.(isra|constprop)/)(line) && !/\.(cold|part)/.test(line.name),
    ],
    '.part': [60, (line) => suffixed(/\.part/)(line) && !line.name.includes('.cold')],
    '.cold': [60, suffixed(/\.cold/)],
    'another suffix': [30, (line) => suffixed(/\./)(line) && !/\.(isra|constprop|part|cold)/.test(line.name)],
    padding: [40, padding],
    'name of several': [200, (line) => letter(line) && !once(line) && !padding(line)],
    data: [60, (line) => !letter(line)],
    absolute: [20, ({ type }) => /[aA]/.test(type)],
    'made at run time': [20, (line) => line.module !== '' && !ofLoadedModule(line)],
    "module's function, without its module": [
      80,
      (line) => ofLoadedModule(line) && letter(line) && once(line) && plain(line),
    ],
  }
  const ofModule: typeof bare = {
    "module's function": [200, (line) => letter(line) && traced(line) && !padding(line)],
    "module's, not traced": [120, (line) => letter(line) && !traced(line) && plain(line)],
    "module's, with a suffix": [60, (line) => letter(line) && dotted(line)],
    "module's, name of several": [80, (line) => letter(line) && !once(line) && !padding(line)],
    "module's data": [30, (line) => !letter(line)],
  }

  const attempts = new Map<string, Attempt>()
  const add = (kind: Attempt['kind'], name: string, target: string) => {
    attempts.set(`${kind} ${target}`, { class: name, kind, target })
  }
  const addKinds = (name: string, target: string, i: number) => {
    add('kprobe', name, target)
    if (i % 3 === 0) add('kretprobe', name, target)
    // The kernel goes through all of its sites for each of these.
    if (i % 40 === 1) add('fprobe', name, target)
  }
  for (const [name, [count, fits]] of Object.entries(bare)) {
    spread(lines.filter(fits), count * scale).forEach((line, i) => {
      addKinds(name, line.name, i)
    })
  }
  const inModules = lines.filter(ofLoadedModule)
  for (const [name, [count, fits]] of Object.entries(ofModule)) {
    spread(inModules.filter(fits), count * scale).forEach((line, i) => {
      addKinds(name, `${line.module}:${line.name}`, i)
    })
  }
  const tracedCore = lines.filter((line) => core(line) && traced(line) && once(line))
  for (const { name } of spread(tracedCore, 50 * scale)) {
    for (const offset of [1, 4, 5, 8, 9, 16, 1_048_576]) add('kprobe', `offset ${offset}`, `${name}+${offset}`)
    add('kretprobe', 'offset 4', `${name}+4`)
  }
  const hex = (address: bigint) => `0x${address.toString(16)}`
  for (const { address } of spread(tracedCore, 60 * scale)) {
    for (const kind of ['kprobe', 'kretprobe'] as const) add(kind, 'address', hex(address))
    for (const offset of [1n, 4n]) add('kprobe', `address + ${offset}`, hex(address + offset))
  }
  for (const { address } of spread(inModules.filter(traced), 40 * scale)) {
    for (const kind of ['kprobe', 'kretprobe'] as const) add(kind, "address in a module's text", hex(address))
  }
  const untraced = lines.filter((line) => core(line) && letter(line) && !traced(line))
  for (const { address } of spread(untraced, 40 * scale)) add('kprobe', 'address, not traced', hex(address))
  const data = lines.filter((line) => line.module === '' && !letter(line) && line.address > 1n << 63n)
  for (const { address } of spread(data, 20 * scale)) add('kprobe', 'address of data', hex(address))
  const odd = [
    'no_such_fn',
    'nosuchmod:vfs_read',
    'vmlinux:vfs_read',
    'nf_tables:vfs_read',
    'nf_tables:no_such',
    'vfs_read+0',
  ]
  for (const target of [...odd, '_stext', '_etext', '_text', '_end', 'vfs_read.cold']) {
    for (const kind of ['kprobe', 'kretprobe'] as const) add(kind, 'odd', target)
  }
  // Mixed, so that a run that is cut short has tried some of each.
  const below = seededRandom(7)
  return [...attempts.values()]
    .map((each) => [below(2 ** 32), each] as const)
    .sort(([a], [b]) => a - b)
    .map(([, each]) => each)
}

/** The lines that plans print for a part of what is attempted, where they say that it can be done. */
async function planLines(attempts: readonly Attempt[]): Promise<string[]> {
  const kernel = await openKernel({ types: 'lazy', probes: true })
  const lines = attempts
    .filter(({ kind }, i) => kind !== 'fprobe' && i % 3 === 0)
    .flatMap(({ kind, target }) => {
      const [first] = kernel.probes.plan(`${kind}:${target}`).targets
      return first?.verdict === 'ok' ? (first.attach?.kprobeEvents ?? []) : []
    })
  await kernel.close()
  return [...new Set(lines)]
}

/** Compares plans of the running kernel where its memory tells what no capture has: which instructions it reserves. */
async function compareLive(rows: readonly AttemptTruth[], guest: Guest): Promise<void> {
  const kernel = await openKernel({ types: false, probes: true })
  for (const row of rows.filter((each) => each.class.startsWith('offset ') || each.class === '.cold')) {
    if (row.kind !== 'fprobe') guest.note(compareAttempt('verdicts live', kernel.probes, row))
  }
  await kernel.close()
}

const PREFIX: Readonly<Record<Attempt['kind'], string>> = { kprobe: 'p', kretprobe: 'r', fprobe: 'f' }

/** Definitions are taken back so many at a time: each waits for all processors once. */
const AT_ONCE = 64

/** Writes definitions to the kernel's tracing files, and takes them back. */
class Definer {
  readonly #kprobes = new Definitions('kprobe_events')
  readonly #dynamic = new Definitions('dynamic_events')
  /** Whether definitions of fprobes are known: since Linux 6.5. */
  readonly #hasFprobes = /\bf\[/.test(readTracing('README'))
  /** Events that are there now. */
  #defined: string[] = []

  tryAll(attempts: readonly Attempt[], guest: Guest): AttemptTruth[] {
    const tried = attempts.filter(({ kind }) => kind !== 'fprobe' || this.#hasFprobes)
    return tried.map((attempt, i) => {
      const event = `kerndex/t${i}`
      const to = attempt.kind === 'fprobe' ? this.#dynamic : this.#kprobes
      // The kernel takes no module with an fprobe's function.
      const target = attempt.kind === 'fprobe' ? attempt.target.replace(/^.*:/, '') : attempt.target
      const refused = to.write(`${PREFIX[attempt.kind]}:${event} ${target}`)
      const said = refused === '' ? '' : takeErrorLog()
      if (refused === '') this.#defined.push(event)
      const enabling = refused === '' && i % 8 === 0 ? this.#enable(event) : undefined
      this.#takeBack(AT_ONCE)
      if (i % 500 === 499) guest.say(`${i + 1} of ${tried.length}`)
      return { ...attempt, refused, said, ...(enabling !== undefined && { enabling }) }
    })
  }

  tryLines(lines: readonly string[], guest: Guest): LineTruth[] {
    return lines.map((line, i) => {
      const refused = this.#kprobes.write(line)
      const event = /^\w+:(\S+)/.exec(line)?.[1]
      if (refused === '' && event !== undefined) this.#defined.push(event)
      this.#takeBack(1)
      if (i % 500 === 499) guest.say(`${i + 1} of ${lines.length} printed lines`)
      return { line, refused, said: refused === '' ? '' : takeErrorLog() }
    })
  }

  close(): void {
    this.#takeBack(0)
    this.#kprobes.close()
    this.#dynamic.close()
  }

  /** Enables an event for a moment. */
  #enable(event: string): string {
    const file = `events/${event}/enable`
    if (!hasTracing(file)) return 'ENOENT'
    const refused = refusalOf(() => writeTracing(file, '1'))
    if (refused === '') writeTracing(file, '0')
    return refused
  }

  #takeBack(from: number): void {
    if (this.#defined.length < from) return
    for (const event of this.#defined) {
      const refused = this.#dynamic.write(`-:${event}`)
      if (refused !== '') throw new Error(`the kernel does not take back ${event}: ${refused}`)
    }
    this.#defined = []
  }
}
