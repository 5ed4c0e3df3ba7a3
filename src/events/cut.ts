// Cuts a stream of bytes into stretches that end where a record ends, whatever pieces the bytes arrive in.

import { LimitError } from '../core/errors.ts'
import type { InputFormat } from './format.ts'

/** Bytes after which a stretch is cut: work enough for a thread to be worth the handing over. */
export const STRETCH_BYTES = 1 << 19
/** The longest record; one that is longer is cut at a line end, or if need be within a line. */
const LONGEST_RECORD = 1 << 23
/** The longest stream that has to be read as a whole. */
const LONGEST_WHOLE = 1 << 28
const NEWLINE = 10

/** A stretch's bytes, in shared memory that is the taker's until `release`. */
export interface Stretch {
  readonly text: SharedArrayBuffer
  readonly length: number
}

/**
 * Gathers bytes and cuts them. Buffers are used again once they are given back, so that a long stream needs a few only.
 */
export class Cutter {
  readonly #format: InputFormat
  readonly #stretch: number
  readonly #spare: SharedArrayBuffer[] = []
  #buffer: SharedArrayBuffer
  #bytes: Buffer
  #length = 0
  /** Where the last search for a record's start ended: nothing below it is looked at twice. */
  #target: number

  /** `bytes`: after how many a stretch is cut. */
  constructor(format: InputFormat, bytes = STRETCH_BYTES) {
    this.#format = format
    this.#stretch = bytes
    this.#target = bytes
    this.#buffer = new SharedArrayBuffer(bytes)
    this.#bytes = Buffer.from(this.#buffer)
  }

  /**
   * Takes bytes; hands out a stretch each time that enough are there.
   * @throws LimitError if a stream that has to be read as a whole is too long for that
   */
  *push(piece: Uint8Array): Generator<Stretch> {
    let taken = 0
    while (taken < piece.length) {
      const room = Math.min(piece.length - taken, this.#target - this.#length)
      this.#bytes.set(piece.subarray(taken, taken + room), this.#length)
      this.#length += room
      taken += room
      if (this.#length < this.#target) continue
      const end = this.#lastRecord()
      if (end > 0) yield this.#take(end)
      else this.#grow()
    }
  }

  /** The complete records that are there, for a stream that pauses. */
  pause(): Stretch | undefined {
    const end = this.#lastRecord()
    return end > 0 ? this.#take(end) : undefined
  }

  /** The rest at the end, with a torn last line. */
  end(): Stretch | undefined {
    return this.#length > 0 ? this.#take(this.#length) : undefined
  }

  /** Gives a stretch's memory back. */
  release({ text }: Stretch): void {
    if (text.byteLength === this.#stretch) this.#spare.push(text)
  }

  /** Where the last record begins that is not the first; 0 if there is none. */
  #lastRecord(): number {
    // The last line may be torn; only what ends in a line end can be told for what it is.
    if (this.#format.startsRecord === 'the whole') return 0
    let end = this.#bytes.lastIndexOf(NEWLINE, this.#length - 1)
    if (end >= this.#length) end = -1
    const whole = end + 1
    const { startsRecord } = this.#format
    if (startsRecord === 'every line') return whole > 0 ? whole : this.#tooLong(whole)
    while (end > 0) {
      const start = this.#bytes.lastIndexOf(NEWLINE, end - 1) + 1
      if (start === 0) break
      const stop = this.#bytes[end - 1] === 13 ? end - 1 : end
      if (startsRecord(this.#bytes.toString('latin1', start, stop))) return start
      end = start - 1
    }
    return this.#tooLong(whole)
  }

  /** Where a record that is longer than any may be is cut: at its last line end, `whole`, or where the bytes end. */
  #tooLong(whole: number): number {
    return this.#length >= LONGEST_RECORD ? whole || this.#length : 0
  }

  #take(end: number): Stretch {
    const stretch = { text: this.#buffer, length: end }
    const rest = Buffer.from(this.#bytes.subarray(end, this.#length))
    this.#target = this.#stretch
    while (this.#target <= rest.length) this.#target *= 2
    this.#buffer =
      this.#target === this.#stretch
        ? (this.#spare.pop() ?? new SharedArrayBuffer(this.#stretch))
        : new SharedArrayBuffer(this.#target)
    this.#bytes = Buffer.from(this.#buffer)
    this.#bytes.set(rest)
    this.#length = rest.length
    return stretch
  }

  #grow(): void {
    if (this.#target >= LONGEST_WHOLE) {
      throw new LimitError(`${this.#format.name} is read as a whole, and this one has more than ${LONGEST_WHOLE} bytes`)
    }
    this.#target *= 2
    const old = this.#bytes
    this.#buffer = new SharedArrayBuffer(this.#target)
    this.#bytes = Buffer.from(this.#buffer)
    this.#bytes.set(old.subarray(0, this.#length))
  }
}
