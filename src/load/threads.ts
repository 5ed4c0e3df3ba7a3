// A Piscina pool with kerndex's habits: errors keep their class, readiness is known, and a dead thread is a typed error.

import {
  ClosedError,
  type ErrorRecord,
  errorFromRecord,
  errorToRecord,
  KerndexError,
  WorkerFailedError,
} from '../core/errors.ts'
import { readPiscina } from '../core/packages.ts'
import { weigh } from '../core/shared-memory.ts'
import { giveBack, type WasmMemory } from '../core/wasm-memory.ts'

/** The answer of a worker: Piscina would strip an error of its class and code. */
export type Answer<T> = { readonly value: T } | { readonly error: ErrorRecord }

/** Runs a task inside a worker and packs what comes of it. */
export async function answer<T>(task: () => T | Promise<T>): Promise<Answer<T>> {
  try {
    return { value: await task() }
  } catch (error) {
    return { error: errorToRecord(error) }
  }
}

/** The task that every worker answers with `undefined`, to tell that it has started. */
export const HELLO = 'hello'

/** Most threads that may be asked for: each costs megabytes and milliseconds, and no machine gains from more. */
export const MOST_THREADS = 256

/** A pool of threads that answer tasks. They start with the first task, or before. */
export class Threads<Task, Result> {
  readonly count: number
  readonly #worker: URL
  #pool: Promise<import('piscina').Piscina> | undefined
  #started: Promise<void> | undefined
  #ready = 0
  /**
   * What all of the threads work in, and hold until they end. With other memory for each task they would come to hold all of it,
   * since a thread without work never collects.
   */
  #memory: WasmMemory | undefined
  /** The error by which the last idle thread died. */
  #death: unknown
  #broken = false
  #closed = false

  constructor(worker: URL, count: number) {
    this.count = count
    this.#worker = worker
  }

  /** Starts the threads, once; resolves when the first of them answers. */
  start(): Promise<void> {
    this.#started ??= this.#begin()
    return this.#started
  }

  #begin(): Promise<void> {
    // Loaded only here: a load without threads must not pay for it.
    const starting = readPiscina().then((Piscina) => {
      const pool = new Piscina({
        filename: this.#worker.href,
        minThreads: this.count,
        maxThreads: this.count,
        idleTimeout: Number.POSITIVE_INFINITY,
        recordTiming: false,
      })
      // Without a listener the death of an idle thread would be an uncaught exception.
      pool.on('error', (error) => {
        this.#death = error
      })
      pool.on('workerDestroy', () => {
        this.#broken = true
        // Threads that die as they start are not replaced; once none is left, nobody would ever take what still waits.
        queueMicrotask(() => {
          if (!this.#closed && pool.threads.length === 0) void pool.destroy()
        })
      })
      return pool
    })
    this.#pool = starting
    const hellos = Array.from({ length: this.count }, async () => {
      await (await starting).run(HELLO)
      this.#ready++
    })
    const started = Promise.any(hellos).then(() => {})
    // A pool that cannot start fails the tasks given to it; nobody has to wait for its start.
    started.catch(() => {
      this.#broken = true
    })
    return started
  }

  /** How many threads have shown that they run. */
  get ready(): number {
    return this.#ready
  }

  /** Whether the threads have started, or are starting. */
  get awake(): boolean {
    return this.#started !== undefined
  }

  /** Whether one of them has ended that should not have. */
  get broken(): boolean {
    return this.#broken
  }

  /** The memory that the threads have worked in, for one who has tasks for them; undefined where they know none. */
  takeMemory(): WasmMemory | undefined {
    const memory = this.#memory
    this.#memory = undefined
    return memory
  }

  /** Keeps memory that they know for the next tasks; false if there are none that know it. */
  keepMemory(memory: WasmMemory): boolean {
    if (!this.awake || this.#closed) return false
    this.#memory = memory
    return true
  }

  /**
   * Gives a task to the pool.
   * @throws the error that the task threw; WorkerFailedError if its thread died; ClosedError after `close`.
   */
  async run(task: Task): Promise<Result> {
    if (this.#closed) throw new ClosedError('these threads were closed; open the kernel anew')
    let reply: Answer<Result>
    try {
      this.start()
      const pool = await this.#pool!
      reply = (await pool.run(task)) as Answer<Result> // The worker's entry point returns `answer(…)` of this task type.
    } catch (error) {
      if (error instanceof KerndexError) throw error
      if (this.#closed) throw new ClosedError('these threads were closed while they had a task', { cause: error })
      const cause = this.#death ?? error
      const why = cause instanceof Error ? cause.message : String(cause)
      throw new WorkerFailedError(`a thread ended before its task was done: ${why}`, { cause })
    }
    if ('error' in reply) throw errorFromRecord(reply.error)
    return reply.value
  }

  /** Ends all threads. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    const pool = await this.#pool?.catch(() => undefined)
    await pool?.destroy()
    const memory = this.takeMemory()
    if (memory === undefined) return
    // No thread holds it any more; the next load finds it touched, and without one the collector has to notice how much lies about.
    weigh(memory, memory.buffer.byteLength)
    giveBack(memory)
  }
}
