// Makes a fixture of boots of one kernel: `node dist/test/vm/two-boots.js OUT NAME=CAPTURE…`, each a capture directory with plain files. All
// modules with their sections and a part of their symbols, and of the core's symbols a part: the same part of every capture. Of
// a capture that is called `later` only what a layout needs. The environment's NAMES is a file of more symbols to keep, a line each.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliCompressSync, constants } from 'node:zlib'
import { addressOf, type Line, ofLoadedModule, readLines } from './kallsyms.ts'

/** Symbols kept of each module, beside its per-cpu ones, and of the core, beside those that say where something begins or ends. */
const OF_MODULE = 24
const OF_CORE = 3_000
/** Symbols of the core that tables are made by, and in which stacks end. */
const NEEDED =
  /^(_text|_stext|_etext|_end|_?_?(s|e)(init)?text|_(s|e)data|__(start|end)_rodata.*|__init_(begin|end)|__bss_(start|stop)|__brk_.*|_s?inittext|_einittext|.*_text_(start|end)|__per_cpu_(start|end|load)|entry_SYSCALL_64.*|ret_from_fork.*|asm_[a-z_0-9]+|(secondary|common)_startup_64.*|do_syscall_64|kthread|vfs_read|el[01]h?t?_.*(sync|irq)|__(primary|secondary)_switched)$/

const ANCHOR = /^_s?text$/
/** Bytes behind the core's per-cpu variables in which modules have theirs (PERCPU_MODULE_RESERVE). */
const PER_CPU_OF_MODULES = 0x2000n

const [to, ...captures] = process.argv.slice(2) as [string, ...string[]]

/** The symbols of a stack are kept, so that its frames are named as the whole table names them. */
const named = new Set(
  process.env.NAMES === undefined ? [] : readFileSync(process.env.NAMES, 'latin1').trim().split('\n'),
)

for (const capture of captures) {
  const [name = '', from = ''] = capture.split('=')
  const own = join(to, name)
  mkdirSync(own, { recursive: true })
  const write = (name: string, bytes: Uint8Array) =>
    writeFileSync(
      join(own, `${name}.br`),
      brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_LGWIN]: 24 } }),
    )
  for (const name of ['modules', 'module_sections', 'module_identities', 'notes', 'version', 'boot_id', 'taken']) {
    if (existsSync(join(from, name))) write(name, readFileSync(join(from, name)))
  }
  const byOwner = new Map<string, Line[]>()
  const all = readLines(readFileSync(join(from, 'kallsyms'), 'latin1'))
  const perCpuEnd = addressOf(all, '__per_cpu_end')
  const isPerCpu = ({ type, address }: Line) =>
    /a/i.test(type) || (address >= perCpuEnd && address < perCpuEnd + PER_CPU_OF_MODULES)
  for (const line of all) {
    const lines = byOwner.get(line.module)
    if (lines === undefined) byOwner.set(line.module, [line])
    else lines.push(line)
  }
  const text = Array.from(byOwner, ([owner, lines]) =>
    part(owner, lines, isPerCpu, name === 'later')
      .map(textOf)
      .join(''),
  ).join('')
  write('kallsyms', Buffer.from(text, 'latin1'))
}

/** Chosen by their places in an owner's list, which is the same at every boot. */
function part(owner: string, lines: readonly Line[], isPerCpu: (line: Line) => boolean, placesOnly: boolean): Line[] {
  if (placesOnly) return lines.filter((line) => (owner === '' ? ANCHOR.test(line.name) : !ofLoadedModule(line)))
  const step = Math.max(1, Math.ceil(lines.length / (owner === '' ? OF_CORE : OF_MODULE)))
  const needed = owner === '' ? (line: Line) => NEEDED.test(line.name) : isPerCpu
  return lines.filter((line, i) => i % step === 0 || needed(line) || named.has(line.name))
}

function textOf({ address, type, name, module }: Line): string {
  return `${address.toString(16).padStart(16, '0')} ${type} ${name}${module === '' ? '' : `\t[${module}]`}\n`
}
