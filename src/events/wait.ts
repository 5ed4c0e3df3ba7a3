// A bounded wait: events are handed on in the order of their times, though they come in another, and their results leave
// in the order in which the events came. How long one waits is measured in event time and in events, never by a clock, so
// that the same stream gives the same result each time.

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

/** Orders items by time, and gives their results in the order in which they came. */
export class OrderedWait<Item, Result> {
  readonly #limits: WaitLimits
  readonly #apply: (item: Item, late: boolean) => Result
  /** By time, the earliest first. */
  readonly #waiting = new Line<Waiting<Item>>()
  /** In the order of the items; undefined where one still waits. */
  readonly #results = new Line<Result | undefined>()
  /** The number of the item whose result is first in `#results`. */
  #first = 0
  #count = 0
  #newest: bigint | undefined
  #applied: bigint | undefined

  constructor(limits: WaitLimits, apply: (item: Item, late: boolean) => Result) {
    this.#limits = limits
    this.#apply = apply
  }

  /** How many items wait, or stand behind one that does. */
  get held(): number {
    return this.#results.length
  }

  /** Takes an item; one without a time is as old as the newest before it. Returns the results that are complete. */
  push(item: Item, ts: bigint | undefined): Result[] {
    const time = ts ?? this.#newest ?? 0n
    if (this.#newest === undefined || time > this.#newest) this.#newest = time
    const number = this.#count++
    this.#results.push(undefined)
    if (this.#applied !== undefined && time < this.#applied) {
      this.#results.set(number - this.#first, this.#apply(item, true))
      return this.#takeBounded()
    }
    const waiting = this.#waiting
    // Streams are nearly in order, so that its place is nearly always at the end.
    let at = waiting.length
    while (at > 0 && waiting.at(at - 1).ts > time) at--
    waiting.insert(at, { item, ts: time, number })
    const until = this.#newest - this.#limits.waitNs
    while (waiting.length > 0 && waiting.at(0).ts <= until) this.#applyEarliest()
    return this.#takeBounded()
  }

  /** No more items: all that wait are applied. */
  end(): Result[] {
    while (this.#waiting.length > 0) this.#applyEarliest()
    return this.#take()
  }

  /**
   * What is complete. Late items do not wait, but stand behind those that do: a stream whose time went back and stays
   * there would pile them up.
   */
  #takeBounded(): Result[] {
    const complete = this.#take()
    while (this.#results.length > this.#limits.most && this.#waiting.length > 0) {
      this.#applyEarliest()
      complete.push(...this.#take())
    }
    return complete
  }

  #applyEarliest(): void {
    const { item, ts, number } = this.#waiting.shift()
    this.#applied = ts
    this.#results.set(number - this.#first, this.#apply(item, false))
  }

  #take(): Result[] {
    const results = this.#results
    const complete: Result[] = []
    while (results.length > 0) {
      const result = results.at(0)
      if (result === undefined) break
      complete.push(result)
      results.shift()
      this.#first++
    }
    return complete
  }
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
