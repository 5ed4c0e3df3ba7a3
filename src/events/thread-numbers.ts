// Facts about thread numbers and programs that a recording has shown so far: which numbers were used before, whether the column of
// thread groups is right, and whether a program forks processes or threads. Questions about a fork are answered by it where the
// recording says nothing certain (foresight.ts).

import { setBounded } from '../core/bounded-map.ts'

/** Numbers of which something is remembered. */
export const MOST_NUMBERS = 1 << 17

/** Of so many numbers that are used again one has another group in the column, where that is printed as things happen. */
const LIVE_SHARE = 25

/**
 * Which numbers were used before, and what the column said of them. A column that is filled in when a recording is read out
 * knows one group for each number; one that is printed as things happen knows each user's.
 */
export class Numbers {
  readonly #columns = new Map<number, { column: number | undefined; isNew: boolean; hasExeced: boolean }>()
  #pairs = 0
  #differ = 0

  /** Whether the column is that of each moment, as far as numbers that were used again show. */
  get live(): boolean {
    return this.#differ * LIVE_SHARE > this.#pairs
  }

  /** A number is given out; true if it stood for another thread before. */
  use(tid: number): boolean {
    const known = this.#columns.get(tid)
    if (known === undefined) {
      setBounded(this.#columns, tid, { column: undefined, isNew: true, hasExeced: false }, MOST_NUMBERS)
      return false
    }
    known.isNew = true
    known.hasExeced = false
    return true
  }

  exec(tid: number): void {
    const known = this.#columns.get(tid)
    if (known !== undefined) known.hasExeced = true
  }

  /** Whether a number's user has its image by an exec of its own, or was there before. */
  hasExeced(tid: number): boolean {
    return this.#columns.get(tid)?.hasExeced ?? true
  }

  column(tid: number, column: number): void {
    const known = this.#columns.get(tid)
    if (known === undefined) {
      setBounded(this.#columns, tid, { column, isNew: false, hasExeced: true }, MOST_NUMBERS)
      return
    }
    if (known.isNew && known.column !== undefined) {
      this.#pairs++
      if (known.column !== column) this.#differ++
    }
    known.column = column
    known.isNew = false
  }
}

/** Programs of which is remembered what they fork, how many of their forks count, and how many it takes to tell. */
const MOST_KINDS = 1024
const HABIT = 64
const LEAST_HABIT = 4

/** Whether programs fork processes or threads. */
export class Habits {
  readonly #counts = new Map<string, { threads: number; all: number }>()

  add(kind: string, isThread: boolean): void {
    let counts = this.#counts.get(kind)
    if (counts === undefined) {
      counts = { threads: 0, all: 0 }
      if (this.#counts.size >= MOST_KINDS) this.#counts.clear()
      this.#counts.set(kind, counts)
    }
    if (counts.all === HABIT) {
      counts.all /= 2
      counts.threads /= 2
    }
    counts.all++
    if (isThread) counts.threads++
  }

  /** Whether nearly all that such a program forked were threads. */
  isOfThreads(kind: string): boolean {
    const { threads, all } = this.#counts.get(kind) ?? { threads: 0, all: 0 }
    return all >= LEAST_HABIT && threads > 0.75 * all
  }
}
