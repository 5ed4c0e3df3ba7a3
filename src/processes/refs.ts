// Reference counts and collection of process entries. An entry is held by its process while it lives and by each child
// in the cache. An entry that is not held goes at the second tick after, so that events that come late still find it.

import { Oldest } from '../core/bounded-map.ts'
import type { ProcessCounters } from './counters.ts'

export type Color = 'inUse' | 'deletePending' | 'deleteReady' | 'deleted'

/** The fields of an entry that counting needs. */
export interface Counted {
  refcount: number
  color: Color
  /** Who took and who gave back, for dumps. */
  readonly operations: Operations
}

export type Operations = Record<'process++' | 'process--' | 'parent++' | 'parent--', number>

/** Counts references and finds what may go. */
export class References<Entry extends Counted> {
  readonly #counters: ProcessCounters
  readonly #remove: (entry: Entry) => void
  readonly #queue = new Set<Entry>()
  readonly #oldest = new Oldest(this.#queue)

  /** `remove` is called for each entry whose time is over. */
  constructor(counters: ProcessCounters, remove: (entry: Entry) => void) {
    this.#counters = counters
    this.#remove = remove
  }

  take(entry: Entry, who: 'process' | 'parent'): void {
    entry.refcount++
    entry.operations[`${who}++`]++
  }

  /** Gives a reference back. A count never goes below 0: what would take it there is counted instead. */
  give(entry: Entry, who: 'process' | 'parent'): void {
    entry.operations[`${who}--`]++
    if (entry.refcount === 0) {
      this.#counters.refcountUnderflows[who]++
      return
    }
    entry.refcount--
    if (entry.refcount > 0) return
    if (entry.color === 'deleted') this.#counters.earlyDeletions++
    else {
      entry.color = 'deletePending'
      this.#queue.add(entry)
    }
  }

  /** The entry that has not been held for the longest time. */
  nextToGo(): Entry | undefined {
    return this.#queue.size === 0 ? undefined : this.#oldest.find((entry) => entry.refcount === 0)
  }

  /** One round: held again → in use; a second time unheld → removed. */
  tick(): void {
    for (const entry of this.#queue) {
      if (entry.refcount > 0) {
        entry.color = 'inUse'
        this.#queue.delete(entry)
      } else if (entry.color === 'deletePending') entry.color = 'deleteReady'
      else {
        this.forget(entry)
        this.#counters.collected++
        this.#remove(entry)
      }
    }
  }

  /** The entry is gone, whatever its count. */
  forget(entry: Entry): void {
    entry.color = 'deleted'
    this.#queue.delete(entry)
  }
}
