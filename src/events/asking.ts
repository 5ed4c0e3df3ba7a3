// Which numbers a live stream's events name of which nothing is known, so that the system can be asked of them: once each, and
// again only after the number was forked anew.

import { setBounded } from '../core/bounded-map.ts'
import type { ProcessCache } from '../processes/cache.ts'
import type { ProcessEvent } from './event.ts'

/** Numbers of which it is remembered. */
const MOST_NUMBERS = 1 << 17

/** Asks of unknown processes. */
export class Asking {
  readonly #cache: ProcessCache
  readonly #ask: (tid: number) => void
  /** Numbers whose fork has come, or was applied, or that were asked of since. */
  readonly #numbers = new Map<number, 'coming' | 'forked' | 'asked'>()

  constructor(cache: ProcessCache, ask: (tid: number) => void) {
    this.#cache = cache
    this.#ask = ask
  }

  /** An event has come: while it waits its process may end. A number whose fork is still to be applied is none to ask of. */
  arrived(event: ProcessEvent): void {
    this.#askOf(event, false)
    const child = childOf(event)
    if (child !== undefined) setBounded(this.#numbers, child, 'coming', MOST_NUMBERS)
  }

  /** An event is about to be applied, and all before it are. */
  due(event: ProcessEvent): void {
    this.#askOf(event, true)
    const child = childOf(event)
    if (child !== undefined) setBounded(this.#numbers, child, 'forked', MOST_NUMBERS)
  }

  #askOf({ tid, pid }: ProcessEvent, isDue: boolean): void {
    const number = tid ?? pid
    if (number === undefined || number === 0) return
    const state = this.#numbers.get(number)
    if (state === 'asked' || state === 'coming' || (state === 'forked' && !isDue)) return
    if (this.#cache.knows(this.#cache.groupOf(number))) return
    setBounded(this.#numbers, number, 'asked', MOST_NUMBERS)
    this.#cache.counters.asked++
    this.#ask(number)
  }
}

function childOf({ type, life }: ProcessEvent): number | undefined {
  return type === 'fork' ? (life?.childTid ?? life?.childPid) : undefined
}
