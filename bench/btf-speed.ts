// How fast types are read, looked up and printed: cold processes and warm code, side by side in one run. Needs a capture
// directory with btf/vmlinux and, for the rows about modules, btf/MODULE files.
//
//   npm run bench:btf -- CAPTURE [ROUNDS]
import { execFileSync } from 'node:child_process'
import { closeSync, fstatSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Declarations } from '../src/btf/c-declare.ts'
import { dumpC } from '../src/btf/c-dump.ts'
import { plainNames } from '../src/btf/c-names.ts'
import { indexTypes, readShape, type TypeSetRecord } from '../src/btf/index-types.ts'
import { dumpRaw } from '../src/btf/raw.ts'
import { TypeSet } from '../src/btf/type-set.ts'
import { Types } from '../src/btf/types.ts'

const capture = process.argv[2]
if (capture === undefined) throw new Error('usage: btf-speed CAPTURE [ROUNDS]')
const rounds = Number(process.argv[3] ?? 15)
const directory = join(capture, 'btf')
const cold = fileURLToPath(new URL('btf-cold.js', import.meta.url))

interface Row {
  readonly name: string
  readonly median: number
  readonly least: number
  readonly most: number
  readonly unit: string
}

const rows: Row[] = []

function report(name: string, unit: string, samples: number[]): void {
  samples.sort((a, b) => a - b)
  rows.push({ name, unit, median: samples[samples.length >> 1]!, least: samples[0]!, most: samples.at(-1)! })
}

/** Milliseconds of a run, `rounds` times after two for warming up. */
function measure(run: () => unknown, times = rounds): number[] {
  run()
  run()
  return Array.from({ length: times }, () => {
    const start = performance.now()
    run()
    return performance.now() - start
  })
}

function coldProcess(args: readonly string[]): number[] {
  return Array.from({ length: rounds }, () =>
    Number(execFileSync(process.execPath, [cold, ...args], { encoding: 'utf8' })),
  )
}

function read(name: string): Uint8Array<SharedArrayBuffer> {
  const fd = openSync(join(directory, name), 'r')
  const bytes = new Uint8Array(new SharedArrayBuffer(fstatSync(fd).size))
  for (let at = 0, got = 1; got > 0; at += got) got = readSync(fd, bytes, at, bytes.length - at, null)
  closeSync(fd)
  return bytes
}

const modules = readdirSync(directory).filter((name) => name !== 'vmlinux')
const vmlinux = read('vmlinux')
const index = (): TypeSetRecord => indexTypes([{ name: 'vmlinux', bytes: vmlinux }]).records[0]!

report('vmlinux: read, index, find; cold process', 'ms', coldProcess(['vmlinux', join(directory, 'vmlinux')]))
report(
  'vmlinux: read, index, find; warm',
  'ms',
  measure(() => {
    const record = indexTypes([{ name: 'vmlinux', bytes: read('vmlinux') }]).records
    return new Types(record).find('task_struct')
  }),
)
report('vmlinux: index alone; warm', 'ms', measure(index))

const base = new TypeSet(index())
// As the loader does: the blobs of a batch lie in one arena.
const files = modules.map((name) => readFileSync(join(directory, name)))
const arena = new Uint8Array(new SharedArrayBuffer(files.reduce((sum, file) => sum + ((file.length + 7) & ~7), 0)))
let filled = 0
const blobs = files.map((file, i) => {
  const bytes = arena.subarray(filled, filled + file.length)
  bytes.set(file)
  filled += (file.length + 7) & ~7
  return { name: modules[i]!, bytes }
})
const types = new Types([base.record, ...indexTypes(blobs, readShape(vmlinux)).records])
if (modules.length > 0) {
  for (const threads of ['0', '2']) {
    report(
      `vmlinux and ${modules.length} modules, ${threads} threads; cold process`,
      'ms',
      coldProcess(['all', capture, threads]),
    )
  }
  report(
    `${modules.length} modules: index alone, one thread; warm`,
    'ms',
    measure(() => indexTypes(blobs, readShape(vmlinux))),
  )
}

// Names spread evenly over everything; those that hundreds of modules repeat are left out, as their answers are long.
const every = Math.max(1, Math.floor(types.size / 40_000))
const names: string[] = []
for (const set of types.sets) {
  for (let id = set.firstId; id < set.endId; id += every) {
    const name = set.nameOf(id)
    if (name !== '' && types.find(name).length < 4) names.push(name)
  }
}
const few = names.filter((_, i) => i % Math.ceil(names.length / 4096) === 0)
const perName = (list: readonly string[]) =>
  measure(() => {
    for (const name of list) types.find(name)
  }).map((ms) => (ms * 1e6) / list.length)
report(`name to type, ${few.length} names over ${types.sets.length} sets`, 'ns', perName(few))
report(`name to type, ${names.length} names over ${types.sets.length} sets`, 'ns', perName(names))
const absent = few.map((name) => `${name}_`)
report(`name that does not exist, over ${types.sets.length} sets`, 'ns', perName(absent))

/** All prototypes of some sets; declarations are made anew each time, so that nothing is kept from the run before. */
function prototypes(sets: readonly TypeSet[]): number {
  let count = 0
  const shared = new Declarations(base, plainNames(base))
  for (const set of sets) {
    const declarations = set === base ? shared : new Declarations(set, plainNames(set), shared)
    for (let id = set.firstId; id < set.endId; id++) {
      if (set.kindNumberOf(id) !== 12) continue
      declarations.declare(set.refOf(id), set.nameOf(id))
      count++
    }
  }
  return count
}

const functions = prototypes([base])
report(
  `${functions} prototypes of vmlinux as C, nothing kept; warm`,
  'ms',
  measure(() => prototypes([base])),
)
if (modules.length > 0) {
  const others = types.sets.filter((set) => set.base)
  const count = prototypes(others)
  report(
    `${count} prototypes of modules as C, nothing kept; warm`,
    'ms',
    measure(() => prototypes(others), 5),
  )
}
const drain = (pieces: Iterable<string>): number => {
  let length = 0
  for (const piece of pieces) length += Buffer.byteLength(piece)
  return length
}
report(
  'C header of vmlinux, ids in order; warm',
  'ms',
  measure(() => drain(dumpC(base, { order: 'ids' }))),
)
report(
  'C header of vmlinux, sorted; warm',
  'ms',
  measure(() => drain(dumpC(base))),
)
report(
  'raw dump of vmlinux; warm',
  'ms',
  measure(() => drain(dumpRaw(base))),
)

const indexes = new Set(types.records.map((record) => record.index))
const bytes = [...indexes].reduce((sum, buffer) => sum + buffer.byteLength, 0)
report(`memory beside the blobs, ${types.size} types`, 'bytes a type', [bytes / types.size])

for (const { name, unit, median, least, most } of rows) {
  const figures = [median, least, most].map((each) => each.toFixed(each < 100 ? 1 : 0).padStart(8)).join('')
  process.stdout.write(`${name.padEnd(74)}${figures}  ${unit}\n`)
}
process.stdout.write(`${''.padEnd(74)}  median   least    most  of ${rounds} rounds\n`)
