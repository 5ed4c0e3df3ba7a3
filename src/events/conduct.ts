// What a fork made, by the conduct of the child, of who forked it, and of that one's other children, where nothing says it. All of it is
// likelihood, and what is taken from it is a guess: what is known of other forks of the same recording is what it is measured by.

import { setBounded } from '../core/bounded-map.ts'
import { forkerGroup, outlived, type Question } from './child.ts'
import type { EventType } from './event.ts'
import { Habits } from './habits.ts'
import { Pace, Times } from './pace.ts'
import type { User } from './thread-numbers.ts'

/** Nanoseconds within which the threads of a group end that is killed, or whose leader returns from `main`. */
const TOGETHER_NS = 10_000_000n
/** Programs of which is remembered how long forks take. */
const MOST_PROGRAMS = 1024

export class Conduct {
  readonly #pace = new Pace()
  readonly #habits = new Habits()
  /** What forks of processes took, by program, as it takes the longer the more memory there is to copy; and exits that were the last of theirs. */
  readonly #forks = new Map<string, Times>()
  readonly #exits = new Times()

  /** Notes a thread's event; returns how long the fork or exit that it tells of took, as far as that can be told. */
  took(type: EventType, cpu: number | undefined, tid: number, ts: bigint): number | undefined {
    const took = type === 'fork' || type === 'exit' ? this.#pace.since(cpu, tid, ts) : undefined
    this.#pace.note(cpu, tid, ts)
    return took
  }

  /** Notes what a fork made, of which something was said. */
  learn(child: Question, isThread: boolean): void {
    this.#habits.add(programOf(child), stepsOf(child), isThread)
  }

  /** A question has a certain answer. */
  settled(child: Question, isThread: boolean): void {
    const { family, forkTook, ts } = child
    if (isThread) family.threads++
    else family.processes++
    // One whose forker slept until then may have used that one's memory (vfork), which is quick too.
    if (!isThread && forkTook !== undefined && family.actedAt > ts) this.#forksOf(child).add(forkTook)
  }

  /** A thread exits; true if that was too quick for the last of a process. */
  exits(user: User | undefined, child: Question | undefined, hasChildren: boolean, took: number | undefined): boolean {
    // A leader that goes before its threads is quick too.
    if (child !== undefined && !child.exited && !hasChildren) {
      child.exitTook = took
      child.family.exited(took)
    }
    // Who has an image of its own and has forked nothing is alone.
    if (took !== undefined && user?.sawExec === true && user.family === undefined) this.#exits.add(took)
    if (user !== undefined) {
      // It forks no more: what hangs on its children keeps them.
      user.family = undefined
      user.sawExec = false
    }
    return this.#exits.isQuick(took)
  }

  /** A child has exited, and nothing says whether as the last of its group. */
  exited(child: Question, ts: bigint): void {
    const { column, family, forkerWentAt, ofForker } = child
    if (forkerWentAt !== undefined && outlived(child)) {
      // Who forked the leader, and waits for it, goes on when the last of the group has gone.
      const isAwaited = ofForker === undefined || ofForker.family.actedAt < forkerWentAt
      child.wentTogether = isAwaited && !child.actedAlone && ts - forkerWentAt <= TOGETHER_NS
      if (isAwaited) ofForker?.family.await(family, ts)
    }
    if (child.wentTogether || this.#exits.isQuick(child.exitTook) || isForkers(column, child)) this.learn(child, true)
    else if (outlived(child)) this.learn(child, child.forkerWentQuick)
    child.odds = this.#oddsOf(child)
  }

  /** Whether a child is likelier to be a thread than a process. */
  isThread(child: Question): boolean {
    const forks = this.#forksOf(child)
    if (forks.isQuick(child.forkTook) || this.#exits.isQuick(child.exitTook)) return true
    const weight = child.family.weight(forks, this.#exits)
    if (weight > 1) return true
    if (outlived(child)) return child.forkerWentQuick || child.wentTogether || child.family.awaited
    return weight * (child.odds ?? this.#oddsOf(child)) > 1
  }

  #oddsOf(child: Question): number {
    return this.#habits.odds(programOf(child), stepsOf(child))
  }

  #forksOf(child: Question): Times {
    const program = programOf(child)
    let times = this.#forks.get(program)
    if (times === undefined) {
      times = new Times()
      setBounded(this.#forks, program, times, MOST_PROGRAMS)
    }
    return times
  }
}

/** The program that forked a child: its name, and whether it has that by an exec of its own or from who forked it. */
function programOf({ comm, generation }: Question): string {
  return `${generation === 0} ${comm}`
}

/** What that program had done before. */
function stepsOf({ generation, steps }: Question): string {
  return `${generation} ${steps} `
}

/** Whether the column says that a child is of the group which forked it. */
function isForkers(column: number | undefined, child: Question): boolean {
  return column !== undefined && column === forkerGroup(child)
}
