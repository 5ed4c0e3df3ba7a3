// A process of its own, warm after its first rounds, that looks types up by name and prints them.

import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { Declarations } from '../../src/btf/print/c-declare.ts'
import { indexTypes } from '../../src/btf/read/index-types.ts'
import type { TypeSet } from '../../src/btf/read/type-set.ts'
import { Types as OwnTypes } from '../../src/btf/types.ts'
import { dumpC, dumpRaw } from '../../src/btf.ts'
import { openTypes, Types } from '../../src/index.ts'
import { answer, coldTask } from '../lib/cold.ts'
import type { Turns } from '../lib/contest.ts'
import { type Contender, contest } from '../lib/contest.ts'
import { plainRead } from '../lib/plain-read.ts'
import { freshStrings, listNames, type NameList } from '../lib/questions.ts'
import { seededRandom } from '../lib/random.ts'

/** What the warm process answers. */
export interface WarmResult {
  readonly lookups: readonly Turns[]
  readonly works: readonly Turns[]
  readonly bytesPerType: number
  readonly types: number
}

export interface WarmTypes {
  readonly from: string | undefined
  readonly vmlinux: string
  readonly rounds: number
  readonly seed: number
}

const NAMES = 20_000
/** Names that more sets than these repeat are left out: their answers are long. */
const MOST_ANSWERS = 3
const FUNC = 12
const MAP = 'Map'
const READ = 'plain read'

const { from, vmlinux, rounds, seed } = coldTask<WarmTypes>()

/** A file in shared memory, as the loader reads it. */
function readShared(path: string): Uint8Array<SharedArrayBuffer> {
  const descriptor = openSync(path, 'r')
  const bytes = new Uint8Array(new SharedArrayBuffer(fstatSync(descriptor).size))
  for (let at = 0, got = 1; got > 0; at += got) got = readSync(descriptor, bytes, at, bytes.length - at, null)
  closeSync(descriptor)
  return bytes
}

const { types } = await openTypes({ from, threads: 0 })
const base = types.sets[0]
if (base === undefined) throw new Error('there are no types')

/** Every name with its types in every set, in the order of the sets: what a reader would write. */
function mapOf(all: Types): Map<string, { set: number; id: number }[]> {
  const map = new Map<string, { set: number; id: number }[]>()
  all.sets.forEach((set, number) => {
    for (let id = set.firstId; id < set.endId; id++) {
      const name = set.nameOf(id)
      if (name === '') continue
      const same = map.get(name)
      if (same === undefined) map.set(name, [{ set: number, id }])
      else same.push({ set: number, id })
    }
  })
  return map
}

const map = mapOf(types)
const random = seededRandom(seed)
const known = [...map.keys()].filter((name) => (map.get(name)?.length ?? 0) <= MOST_ANSWERS)
const hits = Array.from({ length: NAMES }, () => known[random(known.length)]!)
const misses = hits.map((name) => `${name}_`).filter((name) => !map.has(name))
for (const name of [...hits, ...misses]) {
  const expected = map.get(name)?.length ?? 0
  const found = types.find(name).length
  if (found !== expected) throw new Error(`${name} has ${expected} types, and ${found} were found`)
}

function lookups(list: NameList, what: string): Contender[] {
  let strings: string[] = []
  const before = () => {
    strings = freshStrings(list)
  }
  const count = list.starts.length - 1
  const sum = (lengthOf: (name: string) => number) => () => {
    let total = 0
    for (const name of strings) total += lengthOf(name)
    return total
  }
  return [
    { what, by: MAP, count, before, run: sum((name) => map.get(name)?.length ?? 0) },
    { what, by: 'kerndex find', count, before, run: sum((name) => types.find(name).length), yardstick: MAP },
  ]
}

/** All prototypes of some sets; declarations are made anew each time, so that nothing is kept from the run before. */
function prototypes(sets: readonly TypeSet[], bottom: TypeSet): number {
  let count = 0
  const shared = new Declarations(bottom)
  for (const set of sets) {
    const declarations = set === bottom ? shared : new Declarations(set, shared)
    for (let id = set.firstId; id < set.endId; id++) {
      if (set.kindNumberOf(id) !== FUNC) continue
      declarations.declare(set.refOf(id), set.nameOf(id))
      count++
    }
  }
  return count
}

function drain(pieces: Iterable<string>): number {
  let length = 0
  for (const piece of pieces) length += Buffer.byteLength(piece)
  return length
}

const ready = 'vmlinux ready, one name found, warm'
// What is no part of the package's interface is bundled with this file, and takes sets of its own kind only.
const own = new OwnTypes(types.records)
const modules = own.sets.filter((set) => set.base)
const alone = (what: string, run: () => unknown, note = ''): Contender[] => [
  { what, by: 'kerndex', count: 1, run, ...(note !== '' && { note }) },
]
function declarations(what: string, sets: readonly TypeSet[]): Contender[] {
  const bottom = own.sets[0]!
  return alone(what, () => prototypes(sets, bottom), `${prototypes(sets, bottom)} functions`)
}

const works = [
  [
    { what: ready, by: READ, count: 1, run: () => plainRead([vmlinux]) },
    {
      what: ready,
      by: 'kerndex inline',
      count: 1,
      run: () => {
        const { records } = indexTypes([{ name: 'vmlinux', bytes: readShared(vmlinux) }])
        return new Types(records).find('task_struct')
      },
      yardstick: READ,
    },
  ],
  declarations('prototypes of vmlinux as C, nothing kept, warm', [own.sets[0]!]),
  ...(modules.length > 0 ? [declarations('prototypes of modules as C, nothing kept, warm', modules)] : []),
  alone('C header of vmlinux, ids in order, warm', () => drain(dumpC(base, { order: 'ids' }))),
  alone('C header of vmlinux, sorted, warm', () => drain(dumpC(base))),
  alone('raw dump of vmlinux, warm', () => drain(dumpRaw(base))),
]

const indexes = new Set(types.records.map((record) => record.index))
const result: { lookups: WarmResult['lookups'][number][]; works: WarmResult['works'][number][] } = {
  lookups: [],
  works: [],
}
for (const contenders of works) result.works.push(...(await contest(contenders, rounds)))
for (const [names, what] of [
  [hits, 'name to types, hits'],
  [misses, 'name to types, misses'],
] as const) {
  result.lookups.push(...(await contest(lookups(listNames(names), what), rounds)))
}
answer<WarmResult>({
  ...result,
  bytesPerType: [...indexes].reduce((sum, buffer) => sum + buffer.byteLength, 0) / types.size,
  types: types.size,
})
