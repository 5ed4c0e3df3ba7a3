// What a reader of the documentation would write: every symbol by name in a Map and by address in a sorted array, on this
// thread or in one worker that is sent messages. Each loader does the same named work as kerndex without types: all fields of
// all lines, findable by name and by containing address.

import { createReadStream, readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { Worker } from 'node:worker_threads'
import split2 from 'split2'
import { benchUrl } from '../../src/core/place.ts'

export interface PlainSymbol {
  readonly name: string
  readonly address: bigint
  readonly type: string
  readonly owner: string
}

export interface PlainTable {
  readonly byName: ReadonlyMap<string, readonly PlainSymbol[]>
  readonly byAddress: readonly PlainSymbol[]
  /** The addresses of `byAddress`. */
  readonly starts: BigUint64Array
}

/** The fastest of the loaders. */
export const SPLIT = "split('\\n') + Map"

/** The loaders by the name their rows carry. */
export const BASELINES: Readonly<Record<string, (path: string) => Promise<PlainTable>>> = {
  'readline + Map': async (path) => {
    const symbols: PlainSymbol[] = []
    for await (const line of createInterface({ input: createReadStream(path) })) addLine(symbols, line)
    return tableOf(symbols)
  },
  'split2 + Map': async (path) => {
    const symbols: PlainSymbol[] = []
    for await (const line of createReadStream(path).pipe(split2())) addLine(symbols, line)
    return tableOf(symbols)
  },
  [SPLIT]: async (path) => {
    const symbols: PlainSymbol[] = []
    for (const line of readFileSync(path, 'latin1').split('\n')) addLine(symbols, line)
    return tableOf(symbols)
  },
}

/** The name of the worker below in the column `by`. */
export const ONE_WORKER = 'one worker with messages'

/** One worker that holds the table of a file, asked by messages; answers come in the order of the questions. */
export class MessageWorker {
  readonly #worker: Worker
  readonly #waiting: { resolve(answer: WorkerAnswer): void; reject(error: unknown): void }[] = []

  private constructor(path: string) {
    this.#worker = new Worker(benchUrl('lib/baseline-worker'), { workerData: path })
    this.#worker.on('message', (answer: WorkerAnswer) => this.#waiting.shift()?.resolve(answer))
    this.#worker.on('error', (error) => {
      for (const { reject } of this.#waiting.splice(0)) reject(error)
    })
  }

  /** Starts the worker and waits until it has loaded the file; gives the symbols it found. */
  static async start(path: string): Promise<{ worker: MessageWorker; symbols: number }> {
    const worker = new MessageWorker(path)
    const ready = await worker.#next()
    return { worker, symbols: ready.counts?.[0] ?? 0 }
  }

  /** The symbols that contain addresses: places in the sorted table and offsets. The addresses are copied, as messages are. */
  find(addresses: BigUint64Array): Promise<WorkerAnswer> {
    this.#worker.postMessage(addresses)
    return this.#next()
  }

  /** How many symbols names have. */
  named(names: readonly string[]): Promise<WorkerAnswer> {
    this.#worker.postMessage(names)
    return this.#next()
  }

  async close(): Promise<void> {
    await this.#worker.terminate()
  }

  #next(): Promise<WorkerAnswer> {
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }))
  }
}

/** What the worker answers: `ids` and `offsets` to addresses, `counts` to names and, once, of its symbols. */
export interface WorkerAnswer {
  readonly ids?: Uint32Array
  readonly offsets?: Uint32Array
  readonly counts?: Uint32Array
}

function addLine(symbols: PlainSymbol[], line: string): void {
  const [address, type, name, owner] = line.split(/\s+/)
  if (address === undefined || type === undefined || name === undefined) return
  symbols.push({ name, address: BigInt(`0x${address}`), type, owner: owner ? owner.slice(1, -1) : 'vmlinux' })
}

/** The table of any symbols, in file order. */
export function tableOf(symbols: readonly PlainSymbol[]): PlainTable {
  const byName = new Map<string, PlainSymbol[]>()
  for (const symbol of symbols) {
    const same = byName.get(symbol.name)
    if (same === undefined) byName.set(symbol.name, [symbol])
    else same.push(symbol)
  }
  const byAddress = [...symbols].sort((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : 0))
  return { byName, byAddress, starts: BigUint64Array.from(byAddress, ({ address }) => address) }
}

/** The last index whose start is at or below an address; -1 if there is none. A plain binary search. */
export function plainFind(starts: BigUint64Array, address: bigint): number {
  let low = 0
  let high = starts.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (starts[middle]! <= address) low = middle + 1
    else high = middle
  }
  return low - 1
}

/** Bulk form: ids and offsets into typed arrays, without bounds, overlaps or second looks. */
export function plainFindMany(
  starts: BigUint64Array,
  addresses: BigUint64Array,
  ids: Uint32Array,
  offsets: Uint32Array,
): void {
  for (let i = 0; i < addresses.length; i++) {
    const id = plainFind(starts, addresses[i]!)
    ids[i] = id
    offsets[i] = id < 0 ? 0 : Number(addresses[i]! - starts[id]!)
  }
}
