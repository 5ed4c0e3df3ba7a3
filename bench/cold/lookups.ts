// A process of its own that measures lookups by address on one thread: in bulk, singly, and every symbol at an address.

import { openKernel, type SymbolTable } from '../../src/index.ts'
import { MessageWorker, ONE_WORKER, type PlainTable, plainFind, plainFindMany, tableOf } from '../lib/baselines.ts'
import { answer, coldTask } from '../lib/cold.ts'
import { type Contender, contest, type Turns } from '../lib/contest.ts'
import { checkAddresses, checkPlain, randomAddresses, startsOf } from '../lib/questions.ts'
import { seededRandom } from '../lib/random.ts'

export interface LookupsTask {
  readonly from: string | undefined
  readonly kallsyms: string
  readonly seed: number
  readonly rounds: number
  /** Addresses or names a run asks, at most. */
  readonly questions: number
}

const task = coldTask<LookupsTask>()

/** Addresses in bulk, one at a time, and one at a time by messages. */
const BULK = Math.min(1 << 20, task.questions)
const SINGLE = Math.min(1 << 16, task.questions)
const MESSAGES = Math.min(1 << 12, task.questions)

const BASELINE = 'binary search'
const MAP = 'Map'
const KERNDEX = 'kerndex, one thread'

/** Bulk lookups on this thread, into arrays that are there already. */
function bulk(symbols: SymbolTable, plain: PlainTable, addresses: BigUint64Array, what: string): Contender[] {
  const into = { ids: new Uint32Array(addresses.length), offsets: new Uint32Array(addresses.length) }
  const count = addresses.length
  const note = checkPlain(symbols, plain, addresses)
  return [
    { what, by: BASELINE, count, run: () => plainFindMany(plain.starts, addresses, into.ids, into.offsets), note },
    { what, by: KERNDEX, count, run: () => symbols.findMany(addresses, into), yardstick: BASELINE },
  ]
}

/** One address at a time; what a caller reads of the answer is read. */
function single(
  symbols: SymbolTable,
  plain: PlainTable,
  worker: MessageWorker,
  addresses: BigUint64Array,
): Contender[] {
  const what = 'containing address, one at a time'
  const bigints = [...addresses]
  const count = bigints.length
  return [
    {
      what,
      by: BASELINE,
      count,
      run() {
        let sum = 0
        for (const address of bigints) {
          const symbol = plain.byAddress[plainFind(plain.starts, address)]
          if (symbol !== undefined) sum += Number(address - symbol.address)
        }
        return sum
      },
    },
    {
      what,
      by: 'kerndex at(bigint)',
      count,
      run() {
        let sum = 0
        for (const address of bigints) {
          const match = symbols.at(address)
          if (match !== undefined) sum += match.offset + match.symbol.id
        }
        return sum
      },
      yardstick: BASELINE,
    },
    {
      what,
      by: ONE_WORKER,
      count: MESSAGES,
      async run() {
        let sum = 0
        for (let i = 0; i < MESSAGES; i++)
          sum += (await worker.find(addresses.subarray(i, i + 1).slice())).offsets?.[0] ?? 0
        return sum
      },
      yardstick: BASELINE,
    },
  ]
}

/** Addresses where symbols start, and all that start there. */
function exact(symbols: SymbolTable, plain: PlainTable, addresses: BigUint64Array): Contender[] {
  const what = 'all symbols that start at an address'
  const byAddress = new Map<bigint, number>()
  for (const address of plain.starts) byAddress.set(address, (byAddress.get(address) ?? 0) + 1)
  const { counts } = symbols.startingAtMany(addresses)
  addresses.forEach((address, i) => {
    if (byAddress.get(address) !== counts[i]) throw new Error(`the Map and kerndex disagree at ${address.toString(16)}`)
  })
  const count = addresses.length
  return [
    {
      what,
      by: MAP,
      count,
      run() {
        let sum = 0
        for (const address of addresses) sum += byAddress.get(address) ?? 0
        return sum
      },
    },
    { what, by: KERNDEX, count, run: () => symbols.startingAtMany(addresses), yardstick: MAP },
  ]
}

await using kernel = await openKernel({ from: task.from, threads: 0, types: false })
const { symbols } = kernel
const { worker } = await MessageWorker.start(task.kallsyms)
const plain = tableOf([...symbols].map(({ name, address, type, owner }) => ({ name, address, type, owner })))
const random = randomAddresses(symbols, seededRandom(task.seed), BULK)
checkAddresses(symbols, random)
const sorted = random.slice().sort()
checkAddresses(symbols, sorted)

const turns: Turns[] = []
for (const contenders of [
  bulk(symbols, plain, random, 'containing addresses, random'),
  bulk(symbols, plain, sorted, 'containing addresses, sorted'),
  single(symbols, plain, worker, random.slice(0, SINGLE)),
  exact(symbols, plain, startsOf(symbols, random)),
]) {
  turns.push(...(await contest(contenders, task.rounds)))
}
await worker.close()
answer(turns)
