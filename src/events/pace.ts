// How fast threads fork and end. A fork of a process copies its memory, and the exit that is a process's last takes it down, before the
// kernel tells of either; a thread's do not, and take a fraction of the time. So where nothing says what a fork made, the time it took is
// held against that of forks and exits of the same recording which are known to be of processes.

import { setBounded } from '../core/bounded-map.ts'

/** CPUs of which the last event is remembered. */
const MOST_CPUS = 4096

/** Since when a CPU has been one thread's alone: how long what it tells of now took at most. */
export class Pace {
  readonly #last = new Map<number, { tid: number; ts: bigint }>()

  /** Notes a thread's event. */
  note(cpu: number | undefined, tid: number, ts: bigint): void {
    if (cpu === undefined) return
    const last = this.#last.get(cpu)
    if (last === undefined) setBounded(this.#last, cpu, { tid, ts }, MOST_CPUS)
    else {
      last.tid = tid
      last.ts = ts
    }
  }

  /**
   * The nanoseconds since a thread's event before, if no other thread's came between them on that CPU: then it was interrupted by nothing
   * that the recording knows of.
   */
  since(cpu: number | undefined, tid: number, ts: bigint): number | undefined {
    const last = cpu === undefined ? undefined : this.#last.get(cpu)
    return last?.tid === tid && ts >= last.ts ? Number(ts - last.ts) : undefined
  }
}

/** The fastest times of processes that are kept; one in so many may be no process's, by chance; and how many it takes to compare with them. */
const FASTEST = 8
const BY_CHANCE = 128
const LEAST_TIMES = 8
/** What is a thread's takes less than this part of a process's. */
const CLEARLY = 0.75

/** The times that something took which is known to be a process's. */
export class Times {
  readonly #fastest: number[] = []
  #count = 0

  add(took: number): void {
    this.#count++
    const fastest = this.#fastest
    let at = fastest.length
    while (at > 0 && fastest[at - 1]! > took) at--
    if (at === FASTEST) return
    fastest.splice(at, 0, took)
    if (fastest.length > FASTEST) fastest.pop()
  }

  /** Whether something was done faster than a process does it. */
  isQuick(took: number | undefined): boolean {
    if (took === undefined || this.#count < LEAST_TIMES) return false
    return took < CLEARLY * this.#fastest[Math.min(Math.floor(this.#count / BY_CHANCE), FASTEST - 1)]!
  }

  /** How many of these were faster, of those that can be compared. */
  judge(times: readonly number[] | undefined): { readonly quick: number; readonly all: number } {
    if (times === undefined || this.#count < LEAST_TIMES) return NOTHING
    return { quick: times.filter((took) => this.isQuick(took)).length, all: times.length }
  }
}

const NOTHING = { quick: 0, all: 0 }

/** Nanoseconds within which who waited for an exit goes on. */
const WOKEN_NS = 10_000_000n

/** Children of one forker whose times are kept. */
const MOST_CHILDREN = 64
/** So large a part of a forker's children has to have been quick, of those whose times are known, for the others to be threads. */
const SOME = 0.25
/** How much the others count; and how much one that was not quick, as that many threads are not. */
const CERTAIN = 100
const SLOW_THREADS = 0.4

/** The children that one thread forked while it had one image: a program does not change its ways from one to the next. */
export class Family {
  /** Children of which something certain was said. */
  threads = 0
  processes = 0
  /** When the forker was last seen at work. */
  actedAt: bigint
  /** The forker had exited, and who forked that went on only when the last of its children had: these were its threads. */
  awaited = false
  /** The children of one of these children, which lived on after that, and when the last of them exited. */
  #waitsFor: { readonly family: Family; readonly ts: bigint } | undefined
  /** What forks and exits took; most families have none of which that is known. */
  #forks: number[] | undefined
  #exits: number[] | undefined

  constructor(ts: bigint) {
    this.actedAt = ts
  }

  /** The forker did something. */
  act(ts: bigint): void {
    this.actedAt = ts
    if (this.#waitsFor === undefined) return
    if (ts - this.#waitsFor.ts <= WOKEN_NS) this.#waitsFor.family.awaited = true
    this.#waitsFor = undefined
  }

  /** One of these children exited first, and now a child of its own did: perhaps the forker has waited for both. */
  await(family: Family, ts: bigint): void {
    this.#waitsFor = { family, ts }
  }

  /** A child was forked; of as many as are kept it is noted how long that took. */
  forked(took: number | undefined): void {
    if (took === undefined) return
    if (this.#forks === undefined) this.#forks = [took]
    else if (this.#forks.length < MOST_CHILDREN) this.#forks.push(took)
  }

  /** A child exited. */
  exited(took: number | undefined): void {
    if (took === undefined) return
    if (this.#exits === undefined) this.#exits = [took]
    else if (this.#exits.length < MOST_CHILDREN) this.#exits.push(took)
  }

  /**
   * How much likelier it is, by what is known of the forker's other children, that one of which nothing is known is a thread: above 1 where
   * those are, below where they are processes, or nothing shows that they are none.
   */
  weight(forks: Times, exits: Times): number {
    if (this.threads > this.processes) return CERTAIN
    const ofForks = forks.judge(this.#forks)
    const ofExits = exits.judge(this.#exits)
    const quick = ofForks.quick + ofExits.quick
    const measured = ofForks.all + ofExits.all
    if (quick > 0 && quick >= SOME * measured) return CERTAIN
    if (this.processes > 0) return 1 / CERTAIN
    return SLOW_THREADS ** Math.min(measured, 2)
  }
}
