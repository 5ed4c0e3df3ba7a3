// How long callers may keep the server waiting. Bodies that are held in memory have to come at a least rate; texts, which may be piped
// as they are made, may take their time until another caller needs the place.

import { HttpError } from './http-error.ts'
import type { Limits } from './limits.ts'

type Times = Pick<Limits, 'bodyMs' | 'bodyRate'>

/**
 * The time that one caller has: it may keep the server waiting for `bodyMs`, and wins time back by each byte at `bodyRate`, never more than
 * that. Time that the server takes for itself does not count. `now` is in milliseconds.
 */
export class Pace {
  readonly #times: Times
  readonly #now: () => number
  #left: number
  #since: number | undefined
  #refuse: ((error: HttpError) => void) | undefined

  constructor(times: Times, now: () => number = () => performance.now()) {
    this.#times = times
    this.#now = now
    this.#left = times.bodyMs
  }

  /** Whether the server is waiting for this caller, whose time is used up. */
  get isLate(): boolean {
    return this.#since !== undefined && this.#now() - this.#since >= this.#left
  }

  /** Waits for the caller; `strictly`: no longer than its time. @throws HttpError 408 if that is over, or the caller gave way */
  async wait<T>(ask: () => Promise<T>, strictly: boolean): Promise<T> {
    const begun = this.#now()
    this.#since = begun
    let timer: NodeJS.Timeout | undefined
    try {
      const given = await new Promise<T>((resolve, reject) => {
        this.#refuse = reject
        if (strictly) timer = setTimeout(() => this.giveWay(), this.#left)
        ask().then(resolve, reject)
      })
      if (strictly && this.#now() - begun >= this.#left) throw tooSlow()
      return given
    } finally {
      clearTimeout(timer)
      this.#left = Math.max(0, this.#left - (this.#now() - begun))
      this.#since = undefined
      this.#refuse = undefined
    }
  }

  /** Counts what the caller sent or took. */
  moved(bytes: number): void {
    const { bodyMs, bodyRate } = this.#times
    this.#left = Math.min(bodyMs, this.#left + (bytes / bodyRate) * 1000)
  }

  /** Ends the waiting. */
  giveWay(): void {
    this.#refuse?.(tooSlow())
  }
}

/** The same pieces, at the caller's pace. @throws HttpError 408 as `Pace.wait` */
export async function* paced<T extends Uint8Array>(
  pieces: AsyncIterable<T>,
  pace: Pace,
  strictly: boolean,
): AsyncGenerator<T> {
  const iterator = pieces[Symbol.asyncIterator]()
  try {
    for (;;) {
      const { done, value } = await pace.wait(() => iterator.next(), strictly)
      if (done === true) return
      pace.moved(value.length)
      yield value
    }
  } finally {
    // It may still wait for a piece that never comes.
    iterator.return?.().catch(() => {})
  }
}

const tooSlow = () => new HttpError(408, 'the body comes too slowly: send it again, faster', { Connection: 'close' })
