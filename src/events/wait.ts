// A bounded wait: events are handed on in the order of their times, though they come in another, and their results leave
// in the order in which the events came. How long one waits is measured in event time and in events, never by a clock, so
// that the same stream gives the same result each time.

import { bisect } from '../core/bisect.ts'

interface Waiting<Item> {
  readonly item: Item
  readonly ts: bigint
  readonly number: number
}

/** How long events wait for others that are older. */
export interface WaitLimits {
  /** Nanoseconds of event time that the stream has to go on by. */
  readonly waitNs: bigint
  /** Most events that are held at once: those that wait, and those that stand behind them. */
  readonly most: number
}

/**
 * A clock that goes back by this many waits was set anew: what follows is another recording, or another boot. What is merely
 * late comes nowhere near.
 */
const RESET_WAITS = 5n
const LEAST_RESET_NS = 10_000_000_000n

/** Nanoseconds by which a clock goes back that was set anew. */
export function resetNs({ waitNs }: WaitLimits): bigint {
  const ns = RESET_WAITS * waitNs
  return ns > LEAST_RESET_NS ? ns : LEAST_RESET_NS
}
/** Items in a row that have to say so: a single time may be wrong. */
const RESET_ITEMS = 64

/** The functions that take the items of a wait. */
export interface WaitWork<Item> {
  /** Takes the next item in the order of the times; `settle` is told what came of it, then or later. */
  readonly apply: (item: Item, number: number, late: boolean) => void
  /** Settles an item that was applied and not settled yet. Called where too many are held. */
  readonly hurry?: () => void
  /** The clock was set back: items go on at this time. All before have been applied. */
  readonly restart?: (ts: bigint) => void
}

/** Hands items on in the order of their times, and gives their results in the order in which they came. */
export class OrderedWait<Item, Result> {
  readonly #limits: WaitLimits
  readonly #work: WaitWork<Item>
  readonly #resetNs: bigint
  /** The last items, one after another, that are so old that the clock may have been set anew. */
  #behind: Waiting<Item>[] = []
  /** By time, the earliest first. */
  readonly #waiting = new Line<Waiting<Item>>()
  /** In the order of the items; undefined where one still waits, null where nothing came of it. */
  readonly #results = new Line<Result | null | undefined>()
  /** The number of the item whose result is first in `#results`. */
  #first = 0
  #count = 0
  #newest: bigint | undefined
  /** Items that are kept until the caller says that their order is known; undefined where none are. */
  #kept: Waiting<Item>[] | undefined
  #applied: bigint | undefined

  constructor(limits: WaitLimits, work: WaitWork<Item>) {
    this.#limits = limits
    this.#work = work
    this.#resetNs = resetNs(limits)
  }

  /** How many items wait, or stand behind one that does. */
  get held(): number {
    return this.#results.length
  }

  /** Takes an item; one without a time is as old as the newest before it. Returns the results that are complete. */
  push(item: Item, ts: bigint | undefined): Result[] {
    const time = ts ?? this.#kept?.at(-1)?.ts ?? this.#behind.at(-1)?.ts ?? this.#newest ?? 0n
    const waiting = { item, ts: time, number: this.#count++ }
    this.#results.push(undefined)
    if (this.#kept !== undefined) {
      this.#kept.push(waiting)
      return []
    }
    this.#come(waiting)
    return this.#takeBounded()
  }

  /** Keeps what comes from now on, whatever its times are. */
  keep(): void {
    this.#kept ??= []
  }

  /** Puts what was kept into the order of its times, and goes on as ever. Returns the results that are complete. */
  letGo(): Result[] {
    this.#release()
    return this.#take()
  }

  #release(): void {
    const kept = this.#kept ?? []
    this.#kept = undefined
    // Equal times stay as they came.
    kept.sort((a, b) => (a.ts < b.ts ? -1 : a.ts > b.ts ? 1 : a.number - b.number))
    // They are held already, so that letting them wait for each other takes no more room.
    for (const waiting of kept) this.#come(waiting)
  }

  #come(waiting: Waiting<Item>): void {
    const time = waiting.ts
    if (this.#newest !== undefined && time < this.#newest - this.#resetNs) {
      this.#behind.push(waiting)
      if (this.#behind.length >= RESET_ITEMS) this.#reset()
    } else {
      this.#applyLate(this.#behind)
      this.#behind = []
      this.#place(waiting)
    }
  }

  /** Sets the result of an item that was applied; null if nothing is to be written of it. */
  settle(number: number, result: Result | null): void {
    this.#results.set(number - this.#first, result)
  }

  /** Applies all that wait: no more items come. */
  applyAll(): void {
    this.#release()
    if (this.#behind.length > 0) this.#reset()
    while (this.#waiting.length > 0) this.#applyEarliest()
  }

  /** The clock was set back a little: all that came is applied, and what comes is later, whatever its time. */
  setBack(): void {
    this.#release()
    this.#applyLate(this.#behind)
    this.#behind = []
    while (this.#waiting.length > 0) this.#applyEarliest()
    this.#newest = undefined
    this.#applied = undefined
  }

  /** The results that are complete. */
  take(): Result[] {
    return this.#take()
  }

  /**
   * What is complete. Late items do not wait, but stand behind those that do: a stream whose time went back and stays
   * there would pile them up.
   */
  #takeBounded(): Result[] {
    const complete = this.#take()
    while (this.#results.length > this.#limits.most) {
      if (this.#waiting.length > 0) this.#applyEarliest()
      const before = this.#results.length
      this.#work.hurry?.()
      complete.push(...this.#take())
      if (this.#waiting.length === 0 && this.#results.length === before) break
    }
    return complete
  }

  /** Lets an item wait, or applies it if older ones have been applied that should have come after it. */
  #place(item: Waiting<Item>): void {
    if (this.#applied !== undefined && item.ts < this.#applied) {
      this.#applyLate([item])
      return
    }
    if (this.#newest === undefined || item.ts > this.#newest) this.#newest = item.ts
    const waiting = this.#waiting
    waiting.insert(placeOf(item.ts, waiting), item)
    const until = this.#newest - this.#limits.waitNs
    while (waiting.length > 0 && waiting.at(0).ts <= until) this.#applyEarliest()
  }

  #applyLate(items: readonly Waiting<Item>[]): void {
    for (const { item, number } of items) this.#work.apply(item, number, true)
  }

  /** The clock was set back: nothing older will come, and what came since begins anew. */
  #reset(): void {
    while (this.#waiting.length > 0) this.#applyEarliest()
    const items = this.#behind
    this.#behind = []
    this.#newest = undefined
    this.#applied = undefined
    this.#work.restart?.(items[0]?.ts ?? 0n)
    for (const item of items) this.#place(item)
  }

  #applyEarliest(): void {
    const { item, ts, number } = this.#waiting.shift()
    this.#applied = ts
    this.#work.apply(item, number, false)
  }

  #take(): Result[] {
    const results = this.#results
    const complete: Result[] = []
    while (results.length > 0) {
      const result = results.at(0)
      if (result === undefined) break
      if (result !== null) complete.push(result)
      results.shift()
      this.#first++
    }
    return complete
  }
}

/** Where a time belongs among those that wait. Streams are nearly in order, so that it is nearly always at the end. */
function placeOf(ts: bigint, waiting: Line<Waiting<unknown>>): number {
  const end = waiting.length
  if (end === 0 || waiting.at(end - 1).ts <= ts) return end
  return bisect(0, end, (i) => waiting.at(i).ts <= ts)
}

/** Spent places at the front of a line before they are given up. */
const SPENT = 1024

/** An array that is cheap to take from at the front. */
class Line<T> {
  readonly #items: T[] = []
  #head = 0

  get length(): number {
    return this.#items.length - this.#head
  }

  at(index: number): T {
    return this.#items[this.#head + index]!
  }

  set(index: number, item: T): void {
    this.#items[this.#head + index] = item
  }

  push(item: T): void {
    this.#items.push(item)
  }

  insert(index: number, item: T): void {
    if (index === this.length) this.#items.push(item)
    else this.#items.splice(this.#head + index, 0, item)
  }

  shift(): T {
    const item = this.#items[this.#head]!
    this.#head++
    if (this.#head >= SPENT && this.#head * 2 >= this.#items.length) {
      this.#items.splice(0, this.#head)
      this.#head = 0
    }
    return item
  }
}
