// What a recording has shown of the threads that have numbers so far: which numbers were used before, whether the column of thread groups
// is right, and what each thread did last. Questions about a fork are answered by it where the recording says nothing certain.

import { setBounded } from '../core/bounded-map.ts'
import type { EventType } from './event.ts'
import type { Family } from './pace.ts'

/** Numbers of which something is remembered. */
export const MOST_NUMBERS = 1 << 17

/** Of so many numbers that are used again one has another group in the column, where that is printed as things happen. */
const LIVE_SHARE = 25

/** What is known of the thread that has a number. */
export interface User {
  /** When it was forked, or last called exec; 0 where neither was seen. */
  begunAt: bigint
  /** Whether it is a thread or a process was guessed. */
  guessed: boolean
  column: number | undefined
  isNew: boolean
  /** Whether an exec of its own was seen, and how many forks are between it and the image that it began with. */
  sawExec: boolean
  generation: number
  /** The kinds of its last events since it began, two bits each. */
  steps: number
  /** What it has forked since it has its image. */
  family: Family | undefined
}

/** Kinds of events that a program's steps are told by. */
const STEPS: Partial<Record<EventType, number>> = { fork: 1, exec: 2 }
const OTHER_STEP = 3
/** Bits of so many steps. */
const LAST_STEPS = 0xf

/**
 * The threads that have numbers, and what the column said of them. A column that is filled in when a recording is read out
 * knows one group for each number; one that is printed as things happen knows each user's.
 */
export class Numbers {
  #users = new Map<number, User>()
  /** Any number may have been used before. */
  #begunAnew = false
  #pairs = 0
  #differ = 0

  /** Whether the column is that of each moment, as far as numbers that were used again show. */
  get live(): boolean {
    return this.#differ * LIVE_SHARE > this.#pairs
  }

  /** What is known of the threads may be out of date. */
  beginAnew(): void {
    this.#users = new Map()
    this.#begunAnew = true
  }

  get(tid: number): User | undefined {
    return this.#users.get(tid)
  }

  /** The thread that has a number, which may have been there before. */
  user(tid: number): User {
    let user = this.#users.get(tid)
    if (user === undefined) {
      user = {
        begunAt: 0n,
        guessed: false,
        column: undefined,
        isNew: false,
        sawExec: false,
        generation: 0,
        steps: OTHER_STEP,
        family: undefined,
      }
      setBounded(this.#users, tid, user, MOST_NUMBERS)
    }
    return user
  }

  /** A thread forked another, which has this number; true if it stood for another thread before. */
  use(tid: number, forker: User, ts: bigint): boolean {
    const again = this.#begunAnew || this.#users.has(tid)
    const user = this.user(tid)
    user.begunAt = ts
    user.guessed = false
    user.isNew = true
    user.sawExec = false
    user.generation = forker.generation + 1
    user.steps = 0
    user.family = undefined
    return again
  }

  exec(user: User, ts: bigint): void {
    user.begunAt = ts
    user.guessed = false
    user.sawExec = true
    user.generation = 0
    user.steps = 0
    user.family = undefined
  }

  column(user: User, column: number): void {
    if (user.isNew && user.column !== undefined) {
      this.#pairs++
      if (user.column !== column) this.#differ++
    }
    user.column = column
    user.isNew = false
  }
}

/** Notes that a thread did something. */
export function step(user: User, type: EventType): void {
  user.steps = ((user.steps << 2) | (STEPS[type] ?? OTHER_STEP)) & LAST_STEPS
}
