// A process of its own that measures names to symbols: names that are there and names that are not.

import { type Kernel, openKernel, packNames } from '../../src/index.ts'
import { MessageWorker, ONE_WORKER, type PlainTable, tableOf } from '../lib/baselines.ts'
import { answer, coldTask } from '../lib/cold.ts'
import { type Contender, contest, type Turns } from '../lib/contest.ts'
import { kerndexWith } from '../lib/contestants.ts'
import { checkNames, freshStrings, listNames, missingNames, type NameList, uniqueNames } from '../lib/questions.ts'
import { seededRandom } from '../lib/random.ts'
import type { LookupsTask } from './lookups.ts'

export interface PoolsTask extends LookupsTask {
  /** kerndex with so many threads, once each. */
  readonly pools: readonly number[]
}

const MAP = 'Map'

const task = coldTask<PoolsTask>()
const NAMES = Math.min(200_000, task.questions)
const kernels = await Promise.all(task.pools.map((threads) => openKernel({ from: task.from, threads, types: false })))
const { symbols } = kernels[0]!
const { worker } = await MessageWorker.start(task.kallsyms)
const plain = tableOf([...symbols].map(({ name, address, type, owner }) => ({ name, address, type, owner })))

/** Throws unless every contender finds the same number of symbols for each name. */
async function checkSame(list: NameList, expected: 0 | 1): Promise<void> {
  const names = freshStrings(list)
  checkNames(symbols, names, expected)
  const { counts } = await worker.named(names)
  for (const [i, name] of names.entries()) {
    if ((plain.byName.get(name)?.length ?? 0) !== expected)
      throw new Error(`the Map and kerndex disagree about ${name}`)
    if (counts?.[i] !== expected) throw new Error(`the worker and kerndex disagree about ${name}`)
  }
  for (const kernel of kernels) {
    const { ids } = await kernel.namedMany(names)
    if (ids.length !== expected * names.length) throw new Error('a pool and one thread disagree about names')
  }
}

/** Names as strings that are new in every run, and packed beforehand. */
function contenders(list: NameList, table: PlainTable, what: string): Contender[] {
  const count = list.starts.length - 1
  let strings: string[] = []
  const before = () => {
    strings = freshStrings(list)
  }
  const packed = packNames(freshStrings(list))
  const pool = (kernel: Kernel, threads: number): Contender => ({
    what,
    by: kerndexWith(threads),
    count,
    before,
    run: () => kernel.namedMany(strings),
    yardstick: MAP,
  })
  return [
    {
      what,
      by: MAP,
      count,
      before,
      run() {
        let sum = 0
        for (const name of strings) sum += table.byName.get(name)?.length ?? 0
        return sum
      },
    },
    { what, by: ONE_WORKER, count, before, run: () => worker.named(strings), yardstick: MAP },
    {
      what,
      by: 'kerndex named(string)',
      count,
      before,
      run() {
        let sum = 0
        for (const name of strings) sum += symbols.named(name).length
        return sum
      },
      yardstick: MAP,
    },
    { what, by: 'kerndex namedMany(strings)', count, before, run: () => symbols.namedMany(strings), yardstick: MAP },
    { what, by: 'kerndex namedMany(packed)', count, run: () => symbols.namedMany(packed), yardstick: MAP },
    ...kernels.map((kernel, i) => pool(kernel, task.pools[i]!)),
  ]
}

const random = seededRandom(task.seed)
const hits = listNames(uniqueNames(symbols, random, NAMES))
const misses = listNames(missingNames(symbols, random, freshStrings(hits)))
await checkSame(hits, 1)
await checkSame(misses, 0)
const turns: Turns[] = [
  ...(await contest(contenders(hits, plain, 'names, hits'), task.rounds)),
  ...(await contest(contenders(misses, plain, 'names, misses'), task.rounds)),
]
await Promise.all([worker.close(), ...kernels.map((kernel) => kernel.close())])
answer(turns)
