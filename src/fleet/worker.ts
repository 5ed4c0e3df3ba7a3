// A worker: takes pieces of its partitions, looks them up, has the result kept, and only then lets go of the piece. If it ends in between,
// the piece comes back to another worker, and a second result of it is not kept.

import { createHash, randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { callback, count, instance, type Options, options as optionsOf, signal as signalOf } from '../core/arguments.ts'
import { setBounded } from '../core/bounded-map.ts'
import { KerndexError, NotFoundError } from '../core/errors.ts'
import { until } from '../core/until.ts'
import { type Job, PARTITIONS } from './job.ts'
import { type Kept, type Queue, queueArgument, type Taken, type Waiting } from './queue.ts'
import { Resolving } from './resolving.ts'
import { type TableCounts, Tables } from './tables.ts'

/** How a worker works. */
export interface WorkerOptions {
  /** Ends it: it finishes the piece that it works on, and hands back the others. */
  readonly signal?: AbortSignal | undefined
  /** Ends by itself once nothing has waited for so many milliseconds. Default: never. */
  readonly idleMs?: number | undefined
  /** Times that a piece is taken before it is given up for want of its table or its job, or of any other reason. Default 5 and 20. */
  readonly tableAttempts?: number | undefined
  readonly attempts?: number | undefined
  /** Milliseconds before a piece that failed comes back the first time; then twice as many each time. Default 1,000. */
  readonly delayMs?: number | undefined
  /** Told of each piece that failed: why, and whether it was given up or comes back. */
  readonly onFailure?: ((failure: PieceFailure) => void) | undefined
}

/** A piece that failed. */
export interface PieceFailure {
  readonly job: string
  readonly number: number
  readonly attempt: number
  readonly reason: string
  readonly givenUp: boolean
}

const WORKER_OPTIONS: Options<WorkerOptions> = {
  signal: signalOf,
  idleMs: count,
  tableAttempts: count,
  attempts: count,
  delayMs: count,
  onFailure: callback,
}

/** Counts of a worker's work. */
export interface WorkerCounts {
  pieces: number
  /** Addresses, frames and events by what became of them. */
  readonly answered: Map<string, number>
  /** Pieces that had been taken before. */
  redelivered: number
  /** Results that were not kept because there was one. */
  suppressed: number
  buried: number
  /** Pieces that were handed back to be tried again. */
  delayed: number
  /** Seconds of waiting for pieces, of tables, of looking up, of having results kept. */
  readonly seconds: Record<'idle' | 'table' | 'resolve' | 'answer', number>
  tables: TableCounts
}

/** Failures that no other try mends: the piece itself is what it is. */
const OF_ITSELF: readonly string[] = ['BAD_FORMAT', 'UNSUPPORTED', 'LIMIT', 'USAGE', 'AMBIGUOUS']
const LONGEST_DELAY_MS = 60_000
/** Milliseconds between two looks at an empty queue: at first, and at most. */
const FIRST_IDLE_MS = 20
const LONGEST_IDLE_MS = 2_000
/** Milliseconds after which a worker looks whether partitions are waiting that no worker serves. */
const TURN_MS = 20_000
const MOST_JOBS = 1024
/** Partitions without a piece that waits, into which it looks at once. */
const MOST_OVERDUE = 4
/** Milliseconds that it waits for the next piece where two came one behind the other: asking which partitions wait costs more. */
const LINGER_MS = 50
/** How many times in the waiting time it is extended. */
const EXTENSIONS = 3

/** Takes pieces until it is told to stop. */
export class Worker {
  readonly counts: WorkerCounts
  readonly #queue: Queue
  readonly #tables: Tables
  readonly #resolving = new Resolving()
  readonly #jobs = new Map<string, Job>()
  readonly #held = new Set<Taken>()
  readonly #id = randomUUID()
  /** The tables that a partition's pieces needed: those that are open make it this worker's own. */
  readonly #tablesOf = new Map<number, Set<string>>()
  readonly #options: WorkerOptions
  #looks = 0

  constructor(queue: Queue, tables: Tables, given?: WorkerOptions) {
    this.#queue = queueArgument(queue, 'queue')
    this.#tables = instance(Tables, 'the tables of a worker, as new Tables(store) makes them')(tables, 'tables')
    this.#options = optionsOf(given, 'Worker', WORKER_OPTIONS)
    tables.onClose((snapshot) => this.#resolving.forget(snapshot))
    this.counts = {
      pieces: 0,
      answered: new Map(),
      redelivered: 0,
      suppressed: 0,
      buried: 0,
      delayed: 0,
      seconds: { idle: 0, table: 0, resolve: 0, answer: 0 },
      tables: tables.counts,
    }
  }

  /** Works until its signal, or until nothing waited for `idleMs`. What goes wrong with pieces ends nothing. */
  async run(): Promise<void> {
    const { signal, idleMs } = this.#options
    // What is prefetched, and what waits for its table, is held as well as what is being worked on.
    const extending = setInterval(() => {
      for (const taken of this.#held) taken.extend()
    }, this.#queue.takenMs / EXTENSIONS)
    try {
      let pause = FIRST_IDLE_MS
      let idle = 0
      let last: number | undefined
      while (signal?.aborted !== true) {
        let did = 0
        for (const partition of await this.#choose(last)) {
          did = await this.#drain(partition)
          last = partition
          if (did > 0) break
        }
        if (did > 0) {
          pause = FIRST_IDLE_MS
          idle = 0
          continue
        }
        if (idleMs !== undefined && idle >= idleMs) return
        const begun = performance.now()
        await until(sleep(pause), signal, 'the worker').catch(() => {})
        const waited = performance.now() - begun
        idle += waited
        this.counts.seconds.idle += waited / 1000
        pause = Math.min(pause * 2, LONGEST_IDLE_MS)
      }
    } finally {
      clearInterval(extending)
      for (const taken of this.#held) taken.again(0)
      this.#held.clear()
    }
  }

  /**
   * The partitions to look into next, of which the first that has a piece is worked on: one whose tables are open here, then one
   * that no worker works on, then any. Some that others work on come last: pieces that were not done in time wait there, and the queue
   * does not count them among those that wait.
   */
  async #choose(last: number | undefined): Promise<number[]> {
    let partitions: readonly Waiting[]
    try {
      partitions = await this.#queue.waiting()
    } catch (error) {
      // The broker is away: it is asked again after the pause.
      if (error instanceof KerndexError) return []
      throw error
    }
    const rank = ({ partition, taken }: Waiting) => {
      // The partition of the last turn comes last, so that no other waits for ever behind one that never empties.
      if (partition === last) return 3
      if (this.#isOwn(partition)) return 0
      return taken === 0 ? 1 : 2
    }
    const order = partitions
      .filter(({ waiting }) => waiting > 0)
      .map((waiting) => ({ waiting, rank: rank(waiting), place: this.#place(waiting.partition) }))
      .sort((a, b) => a.rank - b.rank || a.place - b.place)
      .map(({ waiting }) => waiting.partition)
    if (order.length > 0) return order
    const overdue = partitions.map(({ partition }) => partition)
    // Everybody looks into a few, each time into others.
    const first = this.#looks++ * MOST_OVERDUE
    return Array.from(
      { length: Math.min(MOST_OVERDUE, overdue.length) },
      (_, i) => overdue[(first + i) % overdue.length]!,
    )
  }

  #isOwn(partition: number): boolean {
    for (const table of this.#tablesOf.get(partition) ?? []) if (this.#tables.isOpen(table)) return true
    return false
  }

  /** Where a partition stands in this worker's order, which is another one for each worker. */
  #place(partition: number): number {
    return createHash('sha256')
      .update(`${this.#id} ${partition % PARTITIONS}`)
      .digest()
      .readUInt32LE(0)
  }

  /** Works on a partition's pieces until none waits or its turn is over; how many there were. */
  async #drain(partition: number): Promise<number> {
    const { signal } = this.#options
    const end = performance.now() + TURN_MS
    let done = 0
    let next = this.#take(partition)
    for (;;) {
      const taken = await next
      if (taken === undefined) return done
      const isLast = signal?.aborted === true || performance.now() > end
      // One is on its way while one is worked on.
      next = isLast ? Promise.resolve(undefined) : this.#take(partition, done > 0 ? LINGER_MS : 0)
      if (signal?.aborted === true && done > 0) {
        this.#release(taken)
        taken.again(0)
        continue
      }
      await this.#work(taken, partition)
      done++
    }
  }

  async #take(partition: number, waitMs?: number): Promise<Taken | undefined> {
    try {
      const taken = await this.#queue.take(partition, waitMs)
      if (taken !== undefined) this.#held.add(taken)
      return taken
    } catch (error) {
      if (error instanceof KerndexError) return undefined
      throw error
    }
  }

  #release(taken: Taken): void {
    this.#held.delete(taken)
  }

  async #work(taken: Taken, partition: number): Promise<void> {
    const { counts } = this
    if (taken.attempt > 1) counts.redelivered++
    const { attempts = 20, tableAttempts = 5 } = this.#options
    let stage: 'table' | 'resolve' | 'answer' = 'table'
    try {
      const { job, snapshot } = await this.#timed('table', async () => {
        const found = await this.#job(taken.job)
        setBounded(this.#tablesOf, partition, (this.#tablesOf.get(partition) ?? new Set()).add(found.table), PARTITIONS)
        return { job: found, snapshot: await this.#tables.table(found.table) }
      })
      if (taken.attempt > attempts) {
        throw new NotFoundError(`taken ${taken.attempt} times, and no worker came to an end of it`)
      }
      stage = 'resolve'
      const { bytes, counts: found } = await this.#timed('resolve', async () =>
        this.#resolving.resolve(job, taken, snapshot),
      )
      stage = 'answer'
      const { job: name, number } = taken
      const kept = await this.#timed('answer', () => this.#queue.answer({ job: name, number, bytes, counts: found }))
      if (kept === 'full') return this.#later(taken, 'there is no room for its result')
      if (kept === 'there') counts.suppressed++
      else for (const [what, many] of Object.entries(found)) add(counts.answered, what, many)
      counts.pieces++
      await taken.done()
    } catch (error) {
      const ofItself = error instanceof KerndexError && OF_ITSELF.includes(error.code)
      const lost = error instanceof NotFoundError || (stage === 'table' && ofItself)
      const most = lost ? tableAttempts : attempts
      if ((stage === 'resolve' && ofItself) || taken.attempt >= most) await this.#bury(taken, error)
      else this.#later(taken, reasonOf(error))
    } finally {
      this.#release(taken)
    }
  }

  /** The record of a job. @throws NotFoundError if there is none */
  async #job(name: string): Promise<Job> {
    const known = this.#jobs.get(name)
    if (known !== undefined) return known
    const job = await this.#queue.job(name)
    if (job === undefined) throw new NotFoundError(`there is no job ${name}: its pieces cannot be looked up`)
    setBounded(this.#jobs, name, job, MOST_JOBS)
    return job
  }

  /** Hands a piece back, to come again later each time. */
  #later(taken: Taken, reason: string): void {
    const { delayMs = 1_000, onFailure } = this.#options
    const { job, number, attempt } = taken
    onFailure?.({ job, number, attempt, reason, givenUp: false })
    this.counts.delayed++
    taken.again(Math.min(delayMs * 2 ** (taken.attempt - 1), LONGEST_DELAY_MS))
  }

  /** Gives a piece up: it is kept with the reason, and only then does the queue let go of it. */
  async #bury(taken: Taken, error: unknown): Promise<void> {
    const { job, number, bytes, attempt } = taken
    const reason = reasonOf(error)
    let kept: Kept
    try {
      kept = await this.#queue.bury({ job, number, bytes, reason, attempts: attempt })
    } catch {
      kept = 'full'
    }
    if (kept === 'full') return this.#later(taken, reason)
    this.#options.onFailure?.({ job, number, attempt, reason, givenUp: true })
    this.counts.buried++
    await taken.done()
  }

  async #timed<T>(phase: 'table' | 'resolve' | 'answer', work: () => Promise<T>): Promise<T> {
    const begun = performance.now()
    try {
      return await work()
    } finally {
      this.counts.seconds[phase] += (performance.now() - begun) / 1000
    }
  }
}

function reasonOf(error: unknown): string {
  return error instanceof KerndexError ? `${error.message} (${error.code})` : String(error)
}

function add(sums: Map<string, number>, name: string, many: number): void {
  sums.set(name, (sums.get(name) ?? 0) + many)
}
