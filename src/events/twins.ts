// Facts that a recording tells twice: by the recorder's own events, and by the kernel's tracepoints.

import { setBounded } from '../core/bounded-map.ts'
import { type ProcessEvent, together } from './event.ts'
import { MOST_NUMBERS } from './thread-numbers.ts'

/**
 * Nanoseconds within which a recorder's own event and the kernel's tracepoint speak of one fact: between the two the kernel may
 * be interrupted, or emulated. Shorter than any number takes to be used again.
 */
const SAME_FACT_NS = 50_000_000n
/** Nanoseconds that a fact waits for its second telling, in a recording that was not seen to tell twice. */
const FIRST_TWIN_NS = 1_000_000n

interface Telling {
  readonly event: ProcessEvent
  readonly ts: bigint
}

/** Finds the two tellings of a fact. */
export class Twins<Told extends Telling> {
  /** Facts that were told a moment ago, by what they are. */
  readonly #facts = new Map<string, Told>()
  #toldTwice = false

  /** Nanoseconds that a fact waits for its second telling. */
  get patience(): bigint {
    return this.#toldTwice ? SAME_FACT_NS : FIRST_TWIN_NS
  }

  /** What another recorder told of the same fact a moment before. */
  other(told: Told): Told | undefined {
    const { type, tid, life, pid } = told.event
    if (life?.told === undefined || !isLife(told.event)) return undefined
    const key = `${type} ${type === 'fork' ? life.childTid : type === 'exec' ? pid : tid}`
    const other = this.#facts.get(key)
    if (other === undefined || other.event.life?.told === life.told || told.ts - other.ts > SAME_FACT_NS) {
      setBounded(this.#facts, key, told, MOST_NUMBERS)
      return undefined
    }
    this.#facts.delete(key)
    this.#toldTwice = true
    return other
  }

  clear(): void {
    this.#facts.clear()
  }
}

/** An event with what the other telling of the same fact says beside. */
export function withOther(event: ProcessEvent, later: ProcessEvent): ProcessEvent {
  return {
    ...event,
    pid: event.pid ?? later.pid,
    comm: event.comm ?? later.comm,
    life: event.life && later.life && together(event.life, later.life),
  }
}

/** Whether a fact is one that recorders tell of too. */
export function isLife({ type }: ProcessEvent): boolean {
  return type === 'fork' || type === 'exit' || type === 'exec'
}
