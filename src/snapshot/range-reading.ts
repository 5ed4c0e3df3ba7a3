// Ranges of a file into memory. A caller that can wait has two threads read: most of a read is the first touch of its memory, which
// two cores do in half the time.

import { read } from 'node:fs'
import { setImmediate as turn } from 'node:timers/promises'
import { fill, type MissingRange } from './part-memory.ts'

/** So few bytes are read by the calling thread alone: the other one takes as long to start, in a process that has none yet. */
const FEW_BYTES = 1 << 22

/** Reads ranges on the calling thread, from the first one on, and on a thread of the system's, from the last one on. */
export class RangeReading {
  readonly #descriptor: number
  readonly #ranges: readonly MissingRange[]
  /** The ranges [next, end) have not been begun. */
  #next = 0
  #end: number
  readonly #alone: boolean
  readonly #other: Promise<unknown>

  constructor(descriptor: number, ranges: readonly MissingRange[]) {
    this.#descriptor = descriptor
    this.#ranges = ranges
    this.#end = ranges.length
    const bytes = ranges.reduce((sum, range) => sum + range.bytes.length, 0)
    this.#alone = bytes <= FEW_BYTES
    // Two at a time: one is on its way while this thread has not yet noticed that the other is done.
    const others = this.#alone ? [] : [this.#readOnOtherThread(), this.#readOnOtherThread()]
    this.#other = Promise.all(others)
    // `finish` awaits it and throws its failure.
    this.#other.catch(() => {})
  }

  async #readOnOtherThread(): Promise<void> {
    const begin = () => {
      if (this.#next >= this.#end - 1) return undefined
      const range = this.#ranges[--this.#end]!
      const count = readElsewhere(this.#descriptor, range)
      // The count is awaited after the check of the range before. If that check throws, this rejection would otherwise be unhandled.
      count.catch(() => {})
      return { range, count }
    }
    for (let under = begin(); under !== undefined; ) {
      const { range, count } = under
      const { bytes, position } = range
      const got = await count
      if (got < bytes.length) fill(this.#descriptor, bytes.subarray(got), position + got)
      under = begin()
      range.check()
    }
  }

  /** Reads whatever the other thread has not begun. @throws BadFormatError, NotReadableError */
  async finish(): Promise<void> {
    try {
      while (this.#next < this.#end) {
        const { bytes, position, check } = this.#ranges[this.#next++]!
        fill(this.#descriptor, bytes, position)
        check()
        // The other thread's next read is begun from here.
        if (!this.#alone) await turn()
      }
    } finally {
      // Nothing may go on behind a failure: the file is about to be closed.
      await this.#other
    }
  }
}

/** Begins to read a range on a thread of the system's; how many bytes it gave. */
function readElsewhere(descriptor: number, { bytes, position }: MissingRange): Promise<number> {
  return new Promise((resolve, reject) => {
    read(descriptor, bytes, 0, bytes.length, position, (error, count) => (error ? reject(error) : resolve(count)))
  })
}

/** Reads ranges on the calling thread alone. @throws BadFormatError, NotReadableError */
export function readNow(descriptor: number, ranges: readonly MissingRange[]): void {
  for (const { bytes, position, check } of ranges) {
    fill(descriptor, bytes, position)
    check()
  }
}
