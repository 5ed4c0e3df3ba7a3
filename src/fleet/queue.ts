// The queue: jobs, their pieces on the way to a worker, and what came of them. Two implementations, on NATS JetStream and in
// memory, are held to the same tests.

import { randomUUID } from 'node:crypto'
import {
  type Check,
  callback,
  count,
  like,
  type Options,
  options as optionsOf,
  bytes as someBytes,
  text,
  whole,
} from '../core/arguments.ts'
import {
  type Job,
  type JobTotals,
  jobArgument,
  jobName,
  PARTITIONS,
  partitionOf,
  sameJob,
  totalsArgument,
} from './job.ts'

/** A piece of a job. */
export interface Piece {
  readonly job: string
  /** From 0. */
  readonly number: number
  readonly bytes: Uint8Array
}

/** The answer to a piece. */
export interface Answer {
  readonly job: string
  readonly number: number
  readonly bytes: Uint8Array
  /** Counted on the way, as whole numbers by name. */
  readonly counts: Readonly<Record<string, number>>
}

/** A piece that was given up. */
export interface DeadLetter {
  readonly job: string
  readonly number: number
  readonly bytes: Uint8Array
  readonly reason: string
  /** Times that it had been taken. */
  readonly attempts: number
  readonly buried: Date
}

/** A piece that was taken: it comes back to others unless it is done or its time is extended. */
export interface Taken extends Piece {
  /** How often it has been taken, this time included. */
  readonly attempt: number
  /** Begins the time anew after which the piece comes back. */
  extend(): void
  /** The piece is done: its result is kept. */
  done(): Promise<void>
  /** Gives the piece back: it can be taken again after so many milliseconds. */
  again(delayMs: number): void
}

/** What a store did with content that was put: it is new, was there before, or there is no room. */
export type Kept = 'new' | 'there' | 'full'

/** A partition's pieces. */
export interface Waiting {
  readonly partition: number
  /** Pieces that no worker has taken. */
  readonly waiting: number
  /** Pieces that a worker works on. */
  readonly taken: number
}

/** Jobs and their pieces. Every method throws NotReadableError where the broker does not answer: asking again is safe. */
export interface Queue {
  /** In words, for people. */
  readonly what: string
  /** The most bytes that a piece may have. */
  readonly mostBytes: number
  /** Milliseconds after which a piece that was taken comes back. */
  readonly takenMs: number
  /** Enters a job; the one that has its name already, if there is one. */
  openJob(job: Job): Promise<Job>
  /** Says that all pieces of a job have been sent. */
  closeJob(job: Job, sent: JobTotals): Promise<void>
  job(name: string): Promise<Job | undefined>
  jobs(): Promise<string[]>
  /** Adds a piece, of which there is one of each number; once it returns, it is kept. */
  submit(piece: Piece, table: string): Promise<Kept>
  /** Partitions that have pieces. */
  waiting(): Promise<Waiting[]>
  /** Takes a piece of a partition; undefined if none waits, nor came within so many milliseconds where the queue can wait for one. */
  take(partition: number, waitMs?: number): Promise<Taken | undefined>
  /** Keeps the result of a piece: the first one, whichever worker brings it. */
  answer(answer: Answer): Promise<Kept>
  /** Keeps a piece that was given up, with the reason. */
  bury(letter: Omit<DeadLetter, 'buried'>): Promise<Kept>
  /** The numbers of the pieces of a job that have an answer. */
  answered(job: string): Promise<Set<number>>
  /** The numbers of the pieces of a job that were given up. */
  buried(job: string): Promise<Set<number>>
  /** The answer to a piece, if there is one. */
  answerOf(job: string, number: number): Promise<Answer | undefined>
  letterOf(job: string, number: number): Promise<DeadLetter | undefined>
  /** Removes a job with all that belongs to it. */
  forget(job: string): Promise<void>
  /** Ends what it needs; pieces that were taken come back. */
  close(): Promise<void>
}

const QUEUE: Options<Queue> = {
  what: text,
  mostBytes: count,
  takenMs: count,
  openJob: callback,
  closeJob: callback,
  job: callback,
  jobs: callback,
  submit: callback,
  waiting: callback,
  take: callback,
  answer: callback,
  bury: callback,
  answered: callback,
  buried: callback,
  answerOf: callback,
  letterOf: callback,
  forget: callback,
  close: callback,
}

/** Checks of the arguments of queues and of their users. */
export const queueArgument: Check<Queue> = like(QUEUE, 'a queue, such as NatsQueue.open() gives')
export const partitionArgument: Check<number> = whole(0, PARTITIONS - 1)
export const pieceArgument: Check<Piece> = like<Piece>(
  { job: jobName, number: count, bytes: someBytes },
  '{ job, number, bytes }',
)
export const answerArgument: Check<Answer> = like<Answer>(
  { job: jobName, number: count, bytes: someBytes, counts: like({}, 'numbers by name') },
  '{ job, number, bytes, counts }',
)
export const letterArgument: Check<Omit<DeadLetter, 'buried'>> = like<Omit<DeadLetter, 'buried'>>(
  { job: jobName, number: count, bytes: someBytes, reason: text, attempts: count },
  '{ job, number, bytes, reason, attempts }',
)

interface Waited extends Piece {
  attempts: number
  /** The worker that has it, and until when. */
  holder: string | undefined
  until: number
}

/** How a queue in memory is limited. */
export interface MemoryQueueOptions {
  readonly mostBytes?: number
  /** Bytes of pieces that may wait. */
  readonly room?: number
  readonly takenMs?: number
  /** Milliseconds, for tests that move time. */
  readonly now?: () => number
}

const MEMORY_QUEUE_OPTIONS: Options<MemoryQueueOptions> = {
  mostBytes: count,
  room: (value, name) => (value === Number.POSITIVE_INFINITY ? value : count(value, name)),
  takenMs: count,
  now: callback,
}

/** A queue in memory, for tests and for programs that are their own workers. */
export class MemoryQueue implements Queue {
  readonly what = 'the queue in memory'
  readonly mostBytes: number
  readonly takenMs: number
  readonly #room: number
  readonly #now: () => number
  readonly #jobs = new Map<string, Job>()
  readonly #partitions: Map<string, Waited>[] = Array.from({ length: PARTITIONS }, () => new Map())
  readonly #answers = new Map<string, Map<number, Answer>>()
  readonly #letters = new Map<string, Map<number, DeadLetter>>()
  #bytes = 0

  constructor(given?: MemoryQueueOptions) {
    const options = optionsOf(given, 'MemoryQueue', MEMORY_QUEUE_OPTIONS)
    this.mostBytes = options.mostBytes ?? 1 << 20
    this.takenMs = options.takenMs ?? 60_000
    this.#room = options.room ?? Number.POSITIVE_INFINITY
    this.#now = options.now ?? Date.now
  }

  async openJob(job: Job): Promise<Job> {
    const there = this.#jobs.get(jobArgument(job, 'job').name)
    if (there === undefined) this.#jobs.set(job.name, job)
    return there ?? job
  }

  async closeJob(job: Job, sent: JobTotals): Promise<void> {
    jobArgument(job, 'job')
    totalsArgument(sent, 'sent')
    if (!sameJob(this.#jobs.get(job.name) ?? job, job)) return
    this.#jobs.set(job.name, { ...job, sent })
  }

  async job(name: string): Promise<Job | undefined> {
    return this.#jobs.get(jobName(name, 'name'))
  }

  async jobs(): Promise<string[]> {
    return [...this.#jobs.keys()]
  }

  async submit(piece: Piece, table: string): Promise<Kept> {
    const { job, number, bytes } = pieceArgument(piece, 'piece')
    const partition = this.#partitions[partitionOf(table)]!
    const key = `${job}.${number}`
    if (partition.has(key)) return 'there'
    if (this.#bytes + bytes.length > this.#room) return 'full'
    this.#bytes += bytes.length
    partition.set(key, { job, number, bytes: new Uint8Array(bytes), attempts: 0, holder: undefined, until: 0 })
    return 'new'
  }

  async waiting(): Promise<Waiting[]> {
    return this.#partitions.flatMap((pieces, partition) => {
      const taken = [...pieces.values()].filter((piece) => this.#isTaken(piece)).length
      return pieces.size === 0 ? [] : [{ partition, waiting: pieces.size - taken, taken }]
    })
  }

  async take(partition: number): Promise<Taken | undefined> {
    const pieces = this.#partitions[partitionArgument(partition, 'partition')]!
    for (const [key, piece] of pieces) {
      if (this.#isTaken(piece)) continue
      const holder = randomUUID()
      const { job, number, bytes } = piece
      const attempt = ++piece.attempts
      const until = (ms: number) => {
        if (piece.holder === holder) piece.until = this.#now() + ms
      }
      piece.holder = holder
      until(this.takenMs)
      const done = async () => {
        if (pieces.delete(key)) this.#bytes -= bytes.length
      }
      return { job, number, bytes, attempt, extend: () => until(this.takenMs), done, again: until }
    }
    return undefined
  }

  #isTaken({ until }: Waited): boolean {
    return until > this.#now()
  }

  async answer(answer: Answer): Promise<Kept> {
    return keep(this.#answers, answerArgument(answer, 'answer'))
  }

  async bury(letter: Omit<DeadLetter, 'buried'>): Promise<Kept> {
    return keep(this.#letters, { ...letterArgument(letter, 'letter'), buried: new Date(this.#now()) })
  }

  async answered(job: string): Promise<Set<number>> {
    return new Set(this.#answers.get(jobName(job, 'job'))?.keys())
  }

  async buried(job: string): Promise<Set<number>> {
    return new Set(this.#letters.get(jobName(job, 'job'))?.keys())
  }

  async answerOf(job: string, number: number): Promise<Answer | undefined> {
    jobName(job, 'job')
    count(number, 'number')
    return this.#answers.get(job)?.get(number)
  }

  async letterOf(job: string, number: number): Promise<DeadLetter | undefined> {
    jobName(job, 'job')
    count(number, 'number')
    return this.#letters.get(job)?.get(number)
  }

  async forget(job: string): Promise<void> {
    this.#jobs.delete(jobName(job, 'job'))
    this.#answers.delete(job)
    this.#letters.delete(job)
    for (const pieces of this.#partitions) {
      for (const [key, piece] of pieces) {
        if (piece.job !== job) continue
        pieces.delete(key)
        this.#bytes -= piece.bytes.length
      }
    }
  }

  async close(): Promise<void> {}
}

function keep<T extends { readonly job: string; readonly number: number }>(
  all: Map<string, Map<number, T>>,
  one: T,
): Kept {
  let ofJob = all.get(one.job)
  if (ofJob === undefined) {
    ofJob = new Map()
    all.set(one.job, ofJob)
  }
  if (ofJob.has(one.number)) return 'there'
  ofJob.set(one.number, one)
  return 'new'
}
