// The query pool: bulk lookups shared out over threads, answered in order into typed arrays.

import { AbortedError } from '../core/errors.ts'
import { Threads, workerUrl } from '../load/threads.ts'
import type { BulkAnswer, SymbolTable } from '../symbols/table.ts'
import type { QueryTask } from './tasks.ts'

/** Addresses a task: enough to outweigh the 20 µs that a task costs, few enough to share out and to cancel. */
export const BATCH = 32_768
/** Below this many addresses the calling thread has answered before a thread could begin. */
export const SMALL = 16_384
/** Tasks under way for each thread: one at work and one waiting keeps it busy. */
const TASKS_A_THREAD = 2

/** How to run a bulk lookup. */
export interface BulkOptions {
  readonly signal?: AbortSignal | undefined
}

/** Threads that answer bulk lookups over whatever table they are given. Started on first use. */
export class QueryPool {
  readonly #count: number
  #threads: Threads<QueryTask, void> | undefined

  /** `count` threads; 0 answers everything on the calling thread. */
  constructor(count: number) {
    this.#count = count
  }

  /**
   * The symbol and offset of every address, in order. At most a bounded number of batches is under way; an abort
   * ends the call at the next batch and leaves the threads alive.
   * @throws AbortedError, WorkerFailedError, ClosedError
   */
  async findMany(table: SymbolTable, addresses: BigUint64Array, options: BulkOptions = {}): Promise<BulkAnswer> {
    const { signal } = options
    throwIfAborted(signal)
    if (this.#count === 0 || addresses.length < SMALL) return table.findMany(addresses)
    this.#threads ??= new Threads<QueryTask, void>(workerUrl('query'), this.#count)
    const threads = this.#threads
    const shared = sharedAddresses(addresses)
    const answer = {
      ids: new Uint32Array(new SharedArrayBuffer(addresses.length * 4)),
      offsets: new Uint32Array(new SharedArrayBuffer(addresses.length * 4)),
    }
    const cancelled = new SharedArrayBuffer(4)
    const giveUp = () => {
      Atomics.store(new Int32Array(cancelled), 0, 1)
    }
    signal?.addEventListener('abort', giveUp, { once: true })
    let next = 0
    const lane = async () => {
      while (next < addresses.length) {
        throwIfAborted(signal)
        const from = next
        next = Math.min(addresses.length, from + BATCH)
        await threads.run({
          table: table.buffer,
          addresses: shared,
          ids: answer.ids.buffer,
          offsets: answer.offsets.buffer,
          from,
          to: next,
          cancelled,
        })
      }
    }
    try {
      await Promise.all(Array.from({ length: this.#count * TASKS_A_THREAD }, lane))
      throwIfAborted(signal)
      return answer
    } catch (error) {
      giveUp()
      throw error
    } finally {
      signal?.removeEventListener('abort', giveUp)
    }
  }

  async close(): Promise<void> {
    await this.#threads?.close()
  }
}

/** The addresses as a whole shared buffer: their own if they are one, else a copy. */
function sharedAddresses(addresses: BigUint64Array): SharedArrayBuffer {
  const { buffer, byteOffset, byteLength } = addresses
  if (buffer instanceof SharedArrayBuffer && byteOffset === 0) return buffer
  const shared = new SharedArrayBuffer(byteLength)
  new BigUint64Array(shared).set(addresses)
  return shared
}

function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw new AbortedError('the lookup was aborted', { cause: signal.reason })
}
