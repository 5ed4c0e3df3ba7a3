// A Piscina pool with kerndex's habits: errors keep their class, readiness is known, a dead thread is a typed error.

import {
  ClosedError,
  type ErrorRecord,
  errorFromRecord,
  errorToRecord,
  KerndexError,
  WorkerFailedError,
} from '../core/errors.ts'

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
  readonly #pool: Promise<import('piscina').Piscina>
  #ready = 0
  /** What the last idle thread died of. */
  #death: unknown
  #closed = false
  /** Resolves when the first thread answers. */
  readonly started: Promise<void>

  /** Starts `count` threads; tasks may be given at once. */
  constructor(worker: URL, count: number) {
    this.count = count
    // Loaded only here: a load without threads must not pay for it.
    this.#pool = import('piscina').then(({ Piscina }) => {
      const pool = new Piscina({
        filename: worker.href,
        minThreads: count,
        maxThreads: count,
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
    const hellos = Array.from({ length: count }, async () => {
      const pool = await this.#pool
      await pool.run(HELLO)
      this.#ready++
    })
    this.started = Promise.any(hellos).then(() => {})
    // A pool that cannot start fails the tasks given to it; nobody has to wait for `started`.
    this.started.catch(() => {})
    for (const hello of hellos) hello.catch(() => {})
  }

  /** How many threads have shown that they run: 0 while the pool boots. */
  get ready(): number {
    return this.#ready
  }

  /**
   * Gives a task to the pool.
   * @throws the error that the task threw; WorkerFailedError if its thread died; ClosedError after `close`.
   */
  async run(task: Task): Promise<Result> {
    if (this.#closed) throw new ClosedError('these threads were closed; open the kernel anew')
    let reply: Answer<Result>
    try {
      const pool = await this.#pool
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
    const pool = await this.#pool.catch(() => undefined)
    await pool?.destroy()
  }
}
