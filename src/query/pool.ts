// The query pool: bulk lookups shared out over threads, their answers put together in order.

import { setImmediate as turn } from 'node:timers/promises'
import { type Options, options as optionsOf, signal } from '../core/arguments.ts'
import { WorkerFailedError } from '../core/errors.ts'
import { workerUrl } from '../core/place.ts'
import { sharedMemory } from '../core/shared-memory.ts'
import { checkAborted, until } from '../core/until.ts'
import { Threads } from '../load/threads.ts'
import type { BulkAnswer, Pattern, StartingAnswer } from '../symbols/arguments.ts'
import { checkAddresses, checkNames, pattern } from '../symbols/arguments.ts'
import { type NamedAnswer, packNames } from '../symbols/lookup-names.ts'
import type { SymbolTable } from '../symbols/table.ts'
import { type QueryResult, type QueryTask, runQueryTask } from './tasks.ts'

/** Addresses a task at the least: enough to outweigh the 20 µs that a task costs, few enough to share out and to cancel. */
export const BATCH = 32_768
/** And at the most, where there are so many that the calling thread would be busy with handing them out. */
const LARGEST_BATCH = 4 * BATCH
/** Batches that each thread should get before they grow. */
const BATCHES_A_THREAD = 16
/** Below this many addresses the calling thread has answered before a thread could begin: half a batch of anything. */
export const SMALL = BATCH / 2
/** Names a task: each costs about ten times an address. */
export const NAMES_BATCH = 8_192
/** Symbols a task when a pattern is matched. */
export const MATCH_BATCH = 32_768
/** Tasks under way for each thread: one at work and one waiting keeps it busy, and bounds what is queued. */
const TASKS_A_THREAD = 2

/** How to run a bulk lookup. */
export interface BulkOptions {
  readonly signal?: AbortSignal | undefined
}

/** How to match a pattern in bulk. */
export interface MatchOptions extends BulkOptions {
  /** Only owners that match. */
  readonly owner?: Pattern | undefined
}

/** The options of every bulk lookup. */
export const BULK_OPTIONS: Options<BulkOptions> = { signal }

/** The options of `matching`. */
const MATCH_OPTIONS: Options<MatchOptions> = { signal, owner: pattern }

/** Threads that answer bulk lookups over whatever table they are given. Started on first use. */
export class QueryPool {
  readonly #count: () => number
  #threads: Threads<QueryTask, QueryResult> | undefined

  /** `count` says how many threads, when they are needed; 0 answers everything on the calling thread. */
  constructor(count: () => number) {
    this.#count = count
  }

  /**
   * The symbol that contains each address, in order: `SymbolTable.findMany` on the pool; on this thread where they are few.
   * @throws AbortedError, WorkerFailedError, ClosedError
   */
  async findMany(table: SymbolTable, addresses: BigUint64Array, options: BulkOptions = {}): Promise<BulkAnswer> {
    const { signal } = optionsOf(options, 'findMany', BULK_OPTIONS)
    checkAddresses(addresses)
    checkAborted(signal, 'the lookup')
    if (this.#isSmall(addresses.length, BATCH)) return table.findMany(addresses)
    const { ids, numbers } = await this.#fill('contain', table, addresses, signal)
    return { ids, offsets: numbers }
  }

  /**
   * The symbols that start at each address, in order: `SymbolTable.startingAtMany` on the pool.
   * @throws AbortedError, WorkerFailedError, ClosedError
   */
  async startingAtMany(
    table: SymbolTable,
    addresses: BigUint64Array,
    options: BulkOptions = {},
  ): Promise<StartingAnswer> {
    const { signal } = optionsOf(options, 'startingAtMany', BULK_OPTIONS)
    checkAddresses(addresses)
    checkAborted(signal, 'the lookup')
    if (this.#isSmall(addresses.length, BATCH)) return table.startingAtMany(addresses)
    const { ids, numbers } = await this.#fill('start', table, addresses, signal)
    return { ids, counts: numbers }
  }

  /**
   * The symbols of each name, in order: `SymbolTable.namedMany` on the pool.
   * @throws AbortedError, WorkerFailedError, ClosedError
   */
  async namedMany(table: SymbolTable, names: readonly string[], options: BulkOptions = {}): Promise<NamedAnswer> {
    const { signal } = optionsOf(options, 'namedMany', BULK_OPTIONS)
    checkNames(names)
    checkAborted(signal, 'the lookup')
    if (this.#isSmall(names.length, NAMES_BATCH)) return table.namedMany(names)
    const packed = packNames(names)
    const pieces: NamedAnswer[] = []
    await this.#run(names.length, NAMES_BATCH, signal, async (range) => {
      const result = await this.#answer({
        do: 'name',
        table: table.buffer,
        lent: table.names,
        names: packed,
        ...range,
      })
      if (result.did === 'name') pieces[range.from / NAMES_BATCH] = result.answer
    })
    const starts = new Uint32Array(names.length + 1)
    const ids = new Uint32Array(pieces.reduce((sum, piece) => sum + piece.ids.length, 0))
    let at = 0
    pieces.forEach((piece, p) => {
      ids.set(piece.ids, at)
      for (let i = 1; i < piece.starts.length; i++) starts[p * NAMES_BATCH + i] = at + piece.starts[i]!
      at += piece.ids.length
    })
    return { starts, ids }
  }

  /**
   * The ids of the symbols whose names, and whose owners if asked, match a pattern, in table order.
   * @throws AbortedError, WorkerFailedError, ClosedError
   */
  async matching(table: SymbolTable, asked: Pattern, options: MatchOptions = {}): Promise<Uint32Array> {
    const { owner, signal } = optionsOf(options, 'matching', MATCH_OPTIONS)
    const wanted = pattern(asked, 'pattern')
    checkAborted(signal, 'the lookup')
    if (this.#isSmall(table.size, MATCH_BATCH)) {
      return Uint32Array.from(table.idsMatching(wanted, owner, 0, table.size))
    }
    const pieces: Uint32Array[] = []
    await this.#run(table.size, MATCH_BATCH, signal, async (range) => {
      const result = await this.#answer({
        do: 'match',
        table: table.buffer,
        lent: table.names,
        pattern: wanted,
        owner,
        ...range,
      })
      if (result.did === 'match') pieces[range.from / MATCH_BATCH] = result.ids
    })
    const ids = new Uint32Array(pieces.reduce((sum, piece) => sum + piece.length, 0))
    let at = 0
    for (const piece of pieces) {
      ids.set(piece, at)
      at += piece.length
    }
    return ids
  }

  async close(): Promise<void> {
    await this.#threads?.close()
  }

  /**
   * Gives a task to the pool; to the calling thread where a thread of the pool cannot start, as where no more files may be
   * opened.
   */
  async #answer(task: QueryTask): Promise<QueryResult> {
    this.#threads ??= new Threads<QueryTask, QueryResult>(workerUrl('query'), this.#count())
    const threads = this.#threads
    try {
      return await threads.run(task)
    } catch (error) {
      if (!(error instanceof WorkerFailedError) || threads.ready === this.#count()) throw error
      await turn()
      return runQueryTask(task)
    }
  }

  /** Whether the calling thread would be done before a thread could begin. */
  #isSmall(count: number, batch: number): boolean {
    return this.#count() === 0 || count * 2 < batch
  }

  /** Has the threads fill an id and a number for every address. */
  async #fill(
    what: 'contain' | 'start',
    table: SymbolTable,
    addresses: BigUint64Array,
    signal: AbortSignal | undefined,
  ) {
    const shared = sharedAddresses(addresses)
    const ids = new Uint32Array(sharedMemory(addresses.length * 4))
    const numbers = new Uint32Array(sharedMemory(addresses.length * 4))
    const common = {
      table: table.buffer,
      lent: table.names,
      addresses: shared,
      ids: ids.buffer,
      numbers: numbers.buffer,
    }
    const share = Math.ceil(addresses.length / (this.#count() * BATCHES_A_THREAD))
    const batch = Math.min(LARGEST_BATCH, Math.max(BATCH, share))
    await this.#run(addresses.length, batch, signal, async (range) => {
      await this.#answer({ do: what, ...common, ...range })
    })
    return { ids, numbers }
  }

  /**
   * Cuts `count` things into ranges and has them done, a bounded number at a time. An abort ends the call at the next
   * range and leaves the threads alive: a signal on a running task would kill its thread and all its compiled code.
   */
  async #run(
    count: number,
    batch: number,
    signal: AbortSignal | undefined,
    work: (range: { from: number; to: number; cancelled: SharedArrayBuffer }) => Promise<void>,
  ): Promise<void> {
    const cancelled = new SharedArrayBuffer(4)
    const giveUp = () => {
      Atomics.store(new Int32Array(cancelled), 0, 1)
    }
    signal?.addEventListener('abort', giveUp, { once: true })
    let next = 0
    const lane = async () => {
      while (next < count) {
        checkAborted(signal, 'the lookup')
        const from = next
        next = Math.min(count, from + batch)
        await work({ from, to: next, cancelled })
      }
    }
    try {
      const lanes = Promise.all(Array.from({ length: this.#count() * TASKS_A_THREAD }, lane))
      // Threads may still be starting: a caller that has aborted does not wait for them.
      await until(lanes, signal, 'the lookup')
      checkAborted(signal, 'the lookup')
    } finally {
      // Whatever ended the call, ranges that are still queued need not be done.
      giveUp()
      signal?.removeEventListener('abort', giveUp)
    }
  }
}

/** The addresses as a whole shared buffer: their own if they are one, else a copy. */
function sharedAddresses(addresses: BigUint64Array): SharedArrayBuffer {
  const { buffer, byteOffset, byteLength } = addresses
  if (buffer instanceof SharedArrayBuffer && byteOffset === 0) return buffer
  const shared = sharedMemory(byteLength)
  new BigUint64Array(shared).set(addresses)
  return shared
}
