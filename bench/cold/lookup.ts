// A process of its own that measures lookups over one kernel: by address in bulk and singly, and by name.

import { type BulkAnswer, type Kernel, openKernel, packNames } from '../../src/index.ts'
import { type PlainSymbol, type PlainTable, plainFind, plainFindMany, tableOf } from '../lib/baselines.ts'
import { answer, coldTask } from '../lib/cold.ts'
import { type Contender, contest, type Turns } from '../lib/contest.ts'
import {
  checkAddresses,
  checkNames,
  freshStrings,
  listNames,
  missingNames,
  type NameList,
  randomAddresses,
  startsOf,
  uniqueNames,
} from '../lib/questions.ts'
import { seededRandom } from '../lib/random.ts'

export interface LookupTask {
  readonly from: string | undefined
  readonly seed: number
  readonly rounds: number
}

/** Addresses in bulk on one thread, on the pool, one at a time; names. */
const BULK = 1 << 20
const POOLED = 10_000_000
const SINGLE = 1 << 16
const NAMES = 200_000

const BASELINE = 'binary search'
const MAP = 'Map'
const ONE_THREAD = 'kerndex, one thread'

const task = coldTask<LookupTask>()
const random = seededRandom(task.seed)

/** Bulk lookups on this thread, into arrays that are there already. */
function bulk(kernel: Kernel, plain: PlainTable, addresses: BigUint64Array, what: string): Contender[] {
  const into = { ids: new Uint32Array(addresses.length), offsets: new Uint32Array(addresses.length) }
  const count = addresses.length
  return [
    { what, by: BASELINE, count, run: () => plainFindMany(plain.starts, addresses, into.ids, into.offsets) },
    { what, by: ONE_THREAD, count, run: () => kernel.symbols.findMany(addresses, into), yardstick: BASELINE },
  ]
}

/** Addresses where symbols start, and all that start there. */
function exact({ symbols }: Kernel, plain: PlainTable, addresses: BigUint64Array): Contender[] {
  const what = 'all symbols that start at an address'
  const byAddress = new Map<bigint, PlainSymbol[]>()
  for (const symbol of plain.byAddress) {
    const same = byAddress.get(symbol.address)
    if (same === undefined) byAddress.set(symbol.address, [symbol])
    else same.push(symbol)
  }
  const count = addresses.length
  return [
    {
      what,
      by: MAP,
      count,
      run() {
        let sum = 0
        for (const address of addresses) sum += byAddress.get(address)?.length ?? 0
        return sum
      },
    },
    { what, by: ONE_THREAD, count, run: () => symbols.startingAtMany(addresses), yardstick: MAP },
  ]
}

/** One address at a time; what a caller reads of the answer is read. */
function single(kernel: Kernel, plain: PlainTable, addresses: BigUint64Array): Contender[] {
  const what = 'containing address, one at a time'
  const bigints = [...addresses]
  const count = bigints.length
  const { symbols } = kernel
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
  ]
}

/** 10 million addresses on pools of one and of two, with answers in new arrays whoever gives them. */
function shared(one: Kernel, two: Kernel, addresses: BigUint64Array, what: string): Contender[] {
  const count = addresses.length
  return [
    { what, by: ONE_THREAD, count, run: () => one.symbols.findMany(addresses) },
    { what, by: 'kerndex, pool of 1', count, run: () => one.findMany(addresses), yardstick: ONE_THREAD },
    { what, by: 'kerndex, pool of 2', count, run: () => two.findMany(addresses), yardstick: ONE_THREAD },
  ]
}

/** Names as strings that are new in every run, and packed beforehand. */
function names({ symbols }: Kernel, pooled: Kernel, plain: PlainTable, list: NameList, what: string): Contender[] {
  const count = list.starts.length - 1
  let strings: string[] = []
  const before = () => {
    strings = freshStrings(list)
  }
  const packed = packNames(freshStrings(list))
  return [
    {
      what,
      by: MAP,
      count,
      before,
      run() {
        let sum = 0
        for (const name of strings) sum += plain.byName.get(name)?.length ?? 0
        return sum
      },
    },
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
    {
      what,
      by: 'kerndex namedMany(strings)',
      count,
      before,
      run: () => symbols.namedMany(strings),
      yardstick: MAP,
    },
    { what, by: 'kerndex namedMany(packed)', count, run: () => symbols.namedMany(packed), yardstick: MAP },
    { what, by: 'kerndex, pool of 2', count, before, run: () => pooled.namedMany(strings), yardstick: MAP },
  ]
}

/** Throws unless two bulk answers are the same. */
function checkSame(expected: BulkAnswer, given: BulkAnswer): void {
  const same = (a: Uint32Array, b: Uint32Array) => Buffer.compare(Buffer.from(a.buffer), Buffer.from(b.buffer)) === 0
  if (!same(expected.ids, given.ids) || !same(expected.offsets, given.offsets)) {
    throw new Error('the pool and one thread disagree')
  }
}

const kernel = await openKernel({ from: task.from, threads: 1, types: false })
const two = await openKernel({ from: task.from, threads: 2, types: false })
const { symbols } = kernel
const many = randomAddresses(symbols, random, POOLED)
const few = many.slice(0, BULK)
checkAddresses(symbols, few)
const sorted = few.slice().sort()
checkAddresses(symbols, sorted)
const manySorted = new BigUint64Array(new SharedArrayBuffer(many.byteLength))
manySorted.set(many)
manySorted.sort()
for (const addresses of [many, manySorted]) {
  const expected = symbols.findMany(addresses)
  for (const one of [kernel, two]) checkSame(expected, await one.findMany(addresses))
}
const hits = uniqueNames(symbols, random, NAMES)
const misses = missingNames(symbols, random, hits)
checkNames(symbols, hits, 1)
checkNames(symbols, misses, 0)
const plain = tableOf([...symbols].map(({ name, address, type, owner }) => ({ name, address, type, owner })))

const turns: Turns[] = []
for (const contenders of [
  bulk(kernel, plain, few, 'containing addresses, random'),
  bulk(kernel, plain, sorted, 'containing addresses, sorted'),
  single(kernel, plain, few.slice(0, SINGLE)),
  exact(kernel, plain, startsOf(symbols, few)),
  shared(kernel, two, many, '10 million containing addresses, random'),
  shared(kernel, two, manySorted, '10 million containing addresses, sorted'),
  names(kernel, two, plain, listNames(hits), 'names, hits'),
  names(kernel, two, plain, listNames(misses), 'names, misses'),
]) {
  turns.push(...(await contest(contenders, task.rounds)))
}
await Promise.all([kernel.close(), two.close()])
answer(turns)
