// A process of its own that looks ten million addresses up at once: on one thread, on pools, in one worker with messages.

import { type BulkAnswer, openKernel } from '../../src/index.ts'
import { MessageWorker, ONE_WORKER } from '../lib/baselines.ts'
import { answer, coldTask } from '../lib/cold.ts'
import { type Contender, contest, type Turns } from '../lib/contest.ts'
import { kerndexWith } from '../lib/contestants.ts'
import { checkAddresses, randomAddresses } from '../lib/questions.ts'
import { seededRandom } from '../lib/random.ts'
import type { PoolsTask } from './names.ts'

const ADDRESSES = 10_000_000
/** Addresses a message to the one worker: as many as kerndex gives a thread at a time. */
const MESSAGE = 32_768

const ONE_THREAD = 'kerndex, one thread'

const task = coldTask<PoolsTask>()
const pools = task.pools.filter((threads) => threads > 0)
const kernels = await Promise.all(pools.map((threads) => openKernel({ from: task.from, threads, types: false })))
await using inline = await openKernel({ from: task.from, threads: 0, types: false })
const { symbols } = inline
const { worker } = await MessageWorker.start(task.kallsyms)

/** Throws unless two bulk answers are the same. */
function checkSame(expected: BulkAnswer, given: BulkAnswer): void {
  const same = (a: Uint32Array, b: Uint32Array) => Buffer.compare(Buffer.from(a.buffer), Buffer.from(b.buffer)) === 0
  if (!same(expected.ids, given.ids) || !same(expected.offsets, given.offsets)) {
    throw new Error('the pool and one thread disagree')
  }
}

/** Of all addresses, those about which the worker may answer otherwise: it knows no bounds and no overlaps. */
const OTHERS = 0.05

/** Throws unless the worker finds nearly everywhere what kerndex finds. */
function checkAlike(expected: BulkAnswer, given: BulkAnswer): void {
  let others = 0
  for (let i = 0; i < expected.offsets.length; i++) if (expected.offsets[i] !== given.offsets[i]) others++
  if (others > OTHERS * expected.offsets.length) throw new Error(`the worker answers ${others} addresses otherwise`)
}

/** Every address through messages of a batch each, all on their way at once. */
async function byMessages(addresses: BigUint64Array): Promise<BulkAnswer> {
  const ids = new Uint32Array(addresses.length)
  const offsets = new Uint32Array(addresses.length)
  const batches: Promise<void>[] = []
  for (let start = 0; start < addresses.length; start += MESSAGE) {
    batches.push(
      worker.find(addresses.slice(start, start + MESSAGE)).then((part) => {
        if (part.ids !== undefined) ids.set(part.ids, start)
        if (part.offsets !== undefined) offsets.set(part.offsets, start)
      }),
    )
  }
  await Promise.all(batches)
  return { ids, offsets }
}

/** All with answers in new arrays, whoever gives them. */
function contenders(addresses: BigUint64Array, what: string): Contender[] {
  const count = addresses.length
  return [
    { what, by: ONE_THREAD, count, run: () => symbols.findMany(addresses) },
    ...kernels.map((kernel, i) => ({
      what,
      by: kerndexWith(pools[i]!),
      count,
      run: () => kernel.findMany(addresses),
      yardstick: ONE_THREAD,
    })),
    { what, by: ONE_WORKER, count, run: () => byMessages(addresses), yardstick: ONE_THREAD },
  ]
}

const random = randomAddresses(symbols, seededRandom(task.seed), ADDRESSES)
const sorted = new BigUint64Array(new SharedArrayBuffer(random.byteLength))
sorted.set(random)
sorted.sort()
const turns: Turns[] = []
for (const [addresses, what] of [
  [random, '10 million containing addresses, random'],
  [sorted, '10 million containing addresses, sorted'],
] as const) {
  checkAddresses(symbols, addresses)
  const expected = symbols.findMany(addresses)
  for (const kernel of kernels) checkSame(expected, await kernel.findMany(addresses))
  checkAlike(expected, await byMessages(addresses))
  turns.push(...(await contest(contenders(addresses, what), task.rounds)))
}
await Promise.all([worker.close(), ...kernels.map((kernel) => kernel.close())])
answer(turns)
