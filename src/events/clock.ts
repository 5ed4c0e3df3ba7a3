// Where the clock of a recording was set back. The events of one CPU are printed in the order in which they happened, however late those of
// another come: a CPU whose events go on from an earlier time shows it. One that is merely late is followed by others that are not.

import { setBounded } from '../core/bounded-map.ts'

/** Nanoseconds: what interrupts an event while it is written down has a later time, and stands before it. */
const INTERRUPTED_NS = 1_000_000n
/** Events of the CPU that have to go on from there, and events in all that are held until they do. */
const ENOUGH = 8
const MOST_HELD = 64
/** So many show it where the CPU then goes on as if nothing had happened: they would all be late, and in order. */
const SOME = 3
/** CPUs of which the last time is remembered. */
const MOST_CPUS = 4096

interface Seen<Item> {
  readonly item: Item
  readonly cpu: number | undefined
  readonly ts: bigint | undefined
}

/** Hands items on as they come, and says before which of them the clock was set back. */
export class Clock<Item> {
  readonly #mostNs: bigint
  readonly #handOn: (item: Item, setBack: boolean) => void
  /** The last time of each CPU. */
  readonly #last = new Map<number, { ts: bigint }>()
  /** Items since a CPU went back. */
  #held: Seen<Item>[] = []
  /** That CPU, the time that it went back from, the last since then, and how many events of it there were. */
  #cpu = 0
  #from = 0n
  #newest = 0n
  #count = 0

  /** What goes back by more than `mostNs` is left to who tells recordings and boots apart, by more events than these. */
  constructor(mostNs: bigint, handOn: (item: Item, setBack: boolean) => void) {
    this.#mostNs = mostNs
    this.#handOn = handOn
  }

  push(item: Item, cpu: number | undefined, ts: bigint | undefined): void {
    if (this.#held.length > 0) {
      this.#held.push({ item, cpu, ts })
      this.#judge(cpu, ts)
      return
    }
    if (cpu !== undefined && ts !== undefined) {
      const last = this.#last.get(cpu)
      if (last !== undefined && this.#isBack(ts, last.ts)) {
        this.#held.push({ item, cpu, ts })
        this.#cpu = cpu
        this.#from = last.ts
        this.#newest = ts
        this.#count = 1
        return
      }
      this.#note(cpu, ts)
    }
    this.#handOn(item, false)
  }

  /** What is held is handed on, whether or not it has shown what it is. */
  flush(): void {
    this.#release(this.#count > 1)
  }

  #isBack(ts: bigint, last: bigint): boolean {
    return ts < last - INTERRUPTED_NS && ts >= last - this.#mostNs
  }

  #judge(cpu: number | undefined, ts: bigint | undefined): void {
    if (cpu === this.#cpu && ts !== undefined) {
      const inOrder = ts >= this.#newest - INTERRUPTED_NS
      if (!inOrder || !this.#isBack(ts, this.#from)) {
        // A silence after the clock was set may be longer than it was set by.
        this.#release(inOrder && this.#count >= SOME)
        return
      }
      if (ts > this.#newest) this.#newest = ts
      this.#count++
    }
    if (this.#count >= ENOUGH || this.#held.length >= MOST_HELD) this.#release(this.#count > 1)
  }

  #release(setBack: boolean): void {
    const held = this.#held
    this.#held = []
    // Other CPUs go on with the same clock.
    if (setBack) this.#last.clear()
    held.forEach(({ item, cpu, ts }, i) => {
      if (cpu !== undefined && ts !== undefined) this.#note(cpu, ts)
      this.#handOn(item, setBack && i === 0)
    })
  }

  /** What is late or far off is not the CPU's time. */
  #note(cpu: number, ts: bigint): void {
    const last = this.#last.get(cpu)
    if (last === undefined) setBounded(this.#last, cpu, { ts }, MOST_CPUS)
    else if (ts > last.ts || ts < last.ts - this.#mostNs) last.ts = ts
  }
}
