// Makes a fixture of what a run of test:vm kept: `node dist/test/vm/fixture.js DIR/RELEASE fixtures/kernels/NAME`. A part of the
// modules, of the core what lies around the addresses that were asked about, and the kernel's answers there.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliCompressSync } from 'node:zlib'
import { countUpTo, type Line, ofLoadedModule, readLines, spread } from './kallsyms.ts'
import { type AddressTruth, formatTruth, parsePrinted, parseTruth } from './symbol-truth.ts'

/** Symbols of modules in a fixture, at most. */
const MODULE_SYMBOLS = 40_000
/** Sites of ftrace in a fixture. */
const SITES = 2_000
/** Symbols of the core that say where sections begin and end. */
const MARKER =
  /^(_?_?(s|e)(init)?text|_(s|e)data|_text|_end|__(start|end)_rodata.*|__init_(begin|end)|__bss_(start|stop)|__brk_.*|__end_of_kernel_reserve|_s?inittext|_einittext|.*_text_(start|end)|__per_cpu_(start|end|load))$/

const [from, to] = process.argv.slice(2) as [string, string]
const capture = (name: string) => readFileSync(join(from, 'capture', name), 'latin1')
const lines = readLines(capture('kallsyms'))
const truth = parseTruth(readFileSync(join(from, 'symbols/printed.tsv'), 'latin1'))

const moduleLines = capture('modules').trimEnd().split('\n')
const sizes = new Map<string, number>()
for (const { module } of lines) sizes.set(module, (sizes.get(module) ?? 0) + 1)
const kept = new Set<string>()
let left = MODULE_SYMBOLS
// From the middle of the list outwards would do as well: neighbours in memory are what matters, and they came one after another.
for (const line of moduleLines) {
  const name = line.split(' ')[0]!
  const size = sizes.get(name) ?? 0
  if (size > left) continue
  kept.add(name)
  left -= size
}

const keptTruth = truth.filter(isKept)
const keptLines = lines.filter(ofModulesKept())
write('kallsyms', keptLines.map(textOf).join(''))
write(
  'modules',
  linesOf(moduleLines, (line) => kept.has(line.split(' ')[0]!)),
)
write(
  'module_sections',
  linesOf(capture('module_sections').trimEnd().split('\n'), (line) => kept.has(line.split(' ')[0]!)),
)
write('version', capture('version'))
write('printed.tsv', formatTruth(keptTruth))
const names = new Set(keptLines.map(({ name, module }) => `${name} ${module}`))
try {
  const sites = capture('available_filter_functions_addrs')
    .trimEnd()
    .split('\n')
    .filter((line) => {
      const [, name, module = ''] = /^\S+ (\S+)(?: \[(.+)\])?$/.exec(line) ?? []
      return module !== '' && names.has(`${name} ${module}`)
    })
  write(
    'sites.txt',
    linesOf(spread(sites, SITES), () => true),
  )
} catch {
  // Kernels before 6.5 have no such list.
}

/** The answers that stay answers in the fixture. */
function isKept({ class: kind, printed }: AddressTruth): boolean {
  const owner = parsePrinted(printed)?.owner
  if (owner === undefined || owner === 'vmlinux') return !kind.startsWith('section') || owner === undefined
  return kept.has(owner) || owner === 'bpf' || owner.startsWith('__builtin__')
}

/** The lines of kept modules, and those of the core that lie next to what was asked. */
function ofModulesKept(): (line: Line) => boolean {
  const core = lines.filter(({ module }) => module === '')
  const starts = [...new Set(core.map(({ address }) => address))].sort((a, b) => (a < b ? -1 : 1))
  const near = new Set<bigint>()
  for (const { address } of keptTruth) {
    const low = countUpTo(starts, address)
    for (const each of starts.slice(Math.max(0, low - 2), low + 2)) near.add(each)
  }
  return (line) => {
    if (line.module !== '') return kept.has(line.module) || !ofLoadedModule(line)
    return near.has(line.address) || MARKER.test(line.name)
  }
}

function textOf({ address, type, name, module }: Line): string {
  return `${address.toString(16).padStart(16, '0')} ${type} ${name}${module === '' ? '' : `\t[${module}]`}\n`
}

function linesOf(all: readonly string[], fits: (line: string) => boolean): string {
  return all
    .filter(fits)
    .map((line) => `${line}\n`)
    .join('')
}

function write(name: string, text: string): void {
  mkdirSync(to, { recursive: true })
  writeFileSync(join(to, `${name}.br`), brotliCompressSync(Buffer.from(text, 'latin1')))
}
