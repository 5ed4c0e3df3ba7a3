// Keeps the caller's event loop alive during a load: work goes in short slices, with a turn of the loop between them.

import { checkAborted, until } from '../core/until.ts'
import { absoluteNow } from './timeline.ts'

/** Milliseconds of work after which the loop gets a turn; a single slice may overrun it by about as much again. */
const SLICE_MS = 4

/** Gives the event loop its turns, and notices an abort there. */
export class Pacer {
  readonly #signal: AbortSignal | undefined
  #sliceEnd = absoluteNow() + SLICE_MS
  /** The end of the queue of works that pause: each goes on in a turn of its own. */
  #queue: Promise<void> = Promise.resolve()

  constructor(signal?: AbortSignal) {
    this.#signal = signal
  }

  /** Whether it is time to `pause`. */
  get due(): boolean {
    return absoluteNow() >= this.#sliceEnd
  }

  /**
   * Lets everything else on this thread run once.
   * @throws AbortedError once the signal is aborted.
   */
  async pause(): Promise<void> {
    this.check()
    // Symbols and types are loaded side by side; if both went on in the same turn they would hold it twice as long.
    this.#queue = this.#queue.then(() => new Promise((resume) => setImmediate(resume)))
    await this.#queue
    this.check()
    this.#sliceEnd = absoluteNow() + SLICE_MS
  }

  /** Waits for something that others decide, such as the next bytes of a pipe. @throws AbortedError at once */
  waitFor<T>(promise: Promise<T>): Promise<T> {
    return until(promise, this.#signal, 'the load')
  }

  /** Throws if the work was aborted. */
  check(): void {
    checkAborted(this.#signal, 'the load')
  }

  /** Runs work that goes step by step, pausing whenever it is due. */
  async drive<T>(steps: Generator<void, T, void>): Promise<T> {
    for (;;) {
      const step = steps.next()
      if (step.done === true) return step.value
      if (this.due) await this.pause()
    }
  }
}
