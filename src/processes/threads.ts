// Threads as they came and went: of which group each number was at which time, what the thread was called, when it began and
// when it ended. A number that is used again is another thread.

import { setBounded } from '../core/bounded-map.ts'
import type { Names } from './names.ts'

/** Numbers of which threads are remembered; of more the one that was learnt longest ago is forgotten. */
export const MOST_THREADS = 1 << 17
/** Threads kept of one number: those that ended before are forgotten. */
const MOST_OF_ONE = 4

/** A thread, as lookups give it. */
export interface ThreadView {
  readonly tid: number
  /** Its thread group. */
  readonly pid: number
  readonly comm: string | undefined
  /** Nanoseconds; undefined where it was not seen to start. */
  readonly startTs: bigint | undefined
  /** undefined while it lives. */
  readonly endTs: bigint | undefined
}

interface Thread {
  readonly tid: number
  readonly pid: number
  comm: string | undefined
  startTs: bigint | undefined
  endTs: bigint | undefined
  ended: boolean
  /** Nothing said for certain that it is a thread, and of this group. */
  guessed: boolean
  /** The thread that had the number before: a list of its own for each number would take twice as much memory as the thread. */
  before: Thread | undefined
}

/** The threads of a cache's processes that are not leaders. */
export class ThreadTable {
  /** The last that had each number. */
  readonly #byTid = new Map<number, Thread>()
  readonly #names: Names

  constructor(names: Names) {
    this.#names = names
  }

  /** The group of a number's living thread; undefined if it is none that is known. */
  groupOf(tid: number): number | undefined {
    const thread = this.#byTid.get(tid)
    return thread === undefined || thread.ended ? undefined : thread.pid
  }

  /** A thread is of a group, from `startTs` on if that was seen. Returns the number that was forgotten for it, and its group. */
  learn(
    tid: number,
    pid: number,
    startTs: bigint | undefined,
    name: string | undefined,
    guessed = false,
  ): readonly [number, number] | undefined {
    const last = this.#byTid.get(tid)
    const comm = this.#names.keep(name)
    if (last !== undefined && !last.ended && last.pid === pid) {
      last.startTs ??= startTs
      last.comm ??= comm
      last.guessed &&= guessed
      return undefined
    }
    if (last !== undefined && !last.ended) end(last, startTs)
    forgetBefore(last)
    const thread = { tid, pid, comm, startTs, endTs: undefined, ended: false, guessed, before: last }
    const gone = setBounded(this.#byTid, tid, thread, MOST_THREADS)?.[1]
    return gone === undefined || gone.ended ? undefined : [gone.tid, gone.pid]
  }

  /** Whether the thread that has a number, or whose end is told at this time, was only taken for one of its group. */
  isGuessed(tid: number, ts: bigint | undefined): boolean {
    const thread = this.#byTid.get(tid)
    return thread?.guessed === true && (!thread.ended || thread.endTs === ts)
  }

  rename(tid: number, comm: string): void {
    const thread = this.#byTid.get(tid)
    if (thread !== undefined && !thread.ended) thread.comm = this.#names.keep(comm)
  }

  /** A thread ended; what the number is after that is another. */
  end(tid: number, ts: bigint | undefined): void {
    const thread = this.#byTid.get(tid)
    if (thread !== undefined && !thread.ended) end(thread, ts)
  }

  /** The thread that had a number at a time; without one, the last. */
  find(tid: number, ts: bigint | undefined): ThreadView | undefined {
    const last = this.#byTid.get(tid)
    if (last === undefined || ts === undefined) return last && view(last)
    for (let thread: Thread | undefined = last; thread !== undefined; thread = thread.before) {
      const { startTs, endTs, ended } = thread
      if ((startTs === undefined || startTs <= ts) && (!ended || endTs === undefined || ts <= endTs))
        return view(thread)
    }
    return undefined
  }

  /** All threads by their groups. */
  byGroup(): Map<number, ThreadView[]> {
    const groups = new Map<number, ThreadView[]>()
    for (const last of this.#byTid.values())
      for (const thread of oldestFirst(last)) {
        const group = groups.get(thread.pid)
        const one = view(thread)
        if (group === undefined) groups.set(thread.pid, [one])
        else group.push(one)
      }
    return groups
  }

  clear(): void {
    this.#byTid.clear()
  }
}

function view(thread: Thread): ThreadView {
  const { tid, pid, comm, startTs, endTs } = thread
  return { tid, pid, comm, startTs, endTs }
}

function oldestFirst(last: Thread): Thread[] {
  const threads = [last]
  for (let { before } = last; before !== undefined; before = before.before) threads.unshift(before)
  return threads
}

/** Lets go of what is too much of one number's, when another comes. */
function forgetBefore(last: Thread | undefined): void {
  let thread = last
  for (let kept = 2; thread !== undefined && kept < MOST_OF_ONE; kept++) thread = thread.before
  if (thread !== undefined) thread.before = undefined
}

function end(thread: Thread, ts: bigint | undefined): void {
  thread.ended = true
  thread.endTs = ts
}
