// Threads that work on stretches of many streams, one after the other and at once, and keep what they know from one to the next.

import { setBounded } from '../core/bounded-map.ts'
import { workerUrl } from '../core/place.ts'
import { Threads } from '../load/threads.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
import type { Stretch } from './cut.ts'
import type { StretchAnswer, StretchPlan } from './stretch-plan.ts'
import type { StretchTask } from './tasks.ts'

let streams = 0

/** The number of a stream that threads have not seen. */
export function nextStream(): number {
  return ++streams
}

/** Kinds of streams that are remembered by their numbers. */
const MOST_KINDS = 64

/** A pool for servers: streams that are read in the same way over the same table share a number, and so the threads' caches. */
export class StretchPool {
  readonly #count: number
  #threads: Threads<StretchTask, StretchAnswer> | undefined
  readonly #numbers = new WeakMap<SharedArrayBuffer, Map<string, number>>()

  /** Nothing is started before the first stretch. */
  constructor(count: number) {
    this.#count = count
  }

  /** Works on a stretch. @throws WorkerFailedError if its thread dies, ClosedError */
  run(snapshot: Snapshot, plan: StretchPlan, { text, length }: Stretch): Promise<StretchAnswer> {
    this.#threads ??= new Threads<StretchTask, StretchAnswer>(workerUrl('events'), this.#count)
    const { buffer: table, names: lent } = snapshot.symbols
    return this.#threads.run({ stream: this.#numberOf(table, plan), plan, table, lent, text, length })
  }

  /** Ends the threads. */
  async close(): Promise<void> {
    await this.#threads?.close()
  }

  #numberOf(table: SharedArrayBuffer, plan: StretchPlan): number {
    let kinds = this.#numbers.get(table)
    if (kinds === undefined) {
      kinds = new Map()
      this.#numbers.set(table, kinds)
    }
    const kind = JSON.stringify(plan, (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value))
    const number = kinds.get(kind) ?? nextStream()
    setBounded(kinds, kind, number, MOST_KINDS)
    return number
  }
}
