// A Piscina pool with kerndex's habits: errors keep their class, readiness is known, a dead thread is a typed error, and threads
// that nobody needs for a while end.

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

/** What a worker sends back: Piscina would strip an error of its class and code. */
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

/** A pool of threads that answer tasks. */
export class Threads<Task, Result> {
  readonly count: number
  readonly #worker: URL
  /** Milliseconds without a task after which the threads end. */
  readonly #restAfter: number
  /** undefined while the threads rest. */
  #pool: Promise<import('piscina').Piscina> | undefined
  #ready = 0
  /** Tasks under way, those among them by which threads tell that they have started. */
  #tasks = 0
  #timer: NodeJS.Timeout | undefined
  /** The ends of threads that went to rest. */
  #ending: Promise<void> = Promise.resolve()
  /**
   * What all of the threads work in, and hold until they end. With other memory for each task they would come to hold all of it,
   * since a thread without work never collects.
   */
  #memory: WasmMemory | undefined
  /** What the last idle thread died of. */
  #death: unknown
  #closed = false
  /** Resolves when the first thread answers. */
  readonly started: Promise<void>

  /** Starts `count` threads; tasks may be given at once. Threads that ended for want of tasks start again with the next. */
  constructor(worker: URL, count: number, restAfter = Number.POSITIVE_INFINITY) {
    this.count = count
    this.#worker = worker
    this.#restAfter = restAfter
    const hellos = this.#start()
    this.started = Promise.any(hellos).then(() => {})
    // A pool that cannot start fails the tasks given to it; nobody has to wait for `started`.
    this.started.catch(() => {})
  }

  #start(): Promise<void>[] {
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
      // Threads that die as they start are not replaced; once none is left, nobody would ever take what still waits.
      pool.on('workerDestroy', () =>
        queueMicrotask(() => {
          if (!this.#closed && pool.threads.length === 0) void pool.destroy()
        }),
      )
      return pool
    })
    this.#pool = starting
    const hellos = Array.from({ length: this.count }, async () => {
      await this.#give(HELLO)
      this.#ready++
    })
    for (const hello of hellos) hello.catch(() => {})
    return hellos
  }

  /** Has a thread do a task. While there is one under way none goes to rest. */
  async #give(task: Task | typeof HELLO): Promise<unknown> {
    clearTimeout(this.#timer)
    this.#tasks++
    try {
      if (this.#pool === undefined) this.#start()
      const pool = await this.#pool!
      return await pool.run(task)
    } finally {
      this.#tasks--
      if (this.#tasks === 0 && !this.#closed && Number.isFinite(this.#restAfter)) {
        this.#timer = setTimeout(() => this.#rest(), this.#restAfter)
        this.#timer.unref()
      }
    }
  }

  /** Ends the threads until there is a task again. */
  #rest(): void {
    const pool = this.#pool
    this.#pool = undefined
    this.#ready = 0
    // The collector would not notice how much of it lies about.
    if (this.#memory !== undefined) weigh(this.#memory, this.#memory.buffer.byteLength)
    this.#memory = undefined
    this.#ending = Promise.all([this.#ending, pool?.then((it) => it.destroy()).catch(() => {})]).then(() => {})
  }

  /** How many threads have shown that they run: 0 while the pool boots, or rests. */
  get ready(): number {
    return this.#ready
  }

  /** The memory that the threads have worked in, for one who has tasks for them; undefined where they know none. */
  takeMemory(): WasmMemory | undefined {
    const memory = this.#memory
    this.#memory = undefined
    return memory
  }

  /** Keeps memory that they know for the next tasks; false if they rest, and hold none. */
  keepMemory(memory: WasmMemory): boolean {
    if (this.#pool === undefined || this.#closed) return false
    this.#memory = memory
    return true
  }

  /** Whether its threads have started, or are starting. */
  get awake(): boolean {
    return this.#pool !== undefined
  }

  /**
   * Gives a task to the pool.
   * @throws the error that the task threw; WorkerFailedError if its thread died; ClosedError after `close`.
   */
  async run(task: Task): Promise<Result> {
    if (this.#closed) throw new ClosedError('these threads were closed; open the kernel anew')
    let reply: Answer<Result>
    try {
      reply = (await this.#give(task)) as Answer<Result> // The worker's entry point returns `answer(…)` of this task type.
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
    clearTimeout(this.#timer)
    const pool = await this.#pool?.catch(() => undefined)
    await Promise.all([pool?.destroy(), this.#ending])
    // No thread holds it any more; the next kernel's load finds it touched.
    if (this.#memory !== undefined) giveBack(this.#memory)
    this.#memory = undefined
  }
}
