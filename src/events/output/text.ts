// Text with its addresses put into words, in place: every byte that is no address of a resolved frame stays as it was.

import { encodeName } from '../../core/bytes.ts'
import { type Frame, frameInWords, type RawFrame } from '../../stacks/frame.ts'
import type { ByteWriter } from './byte-writer.ts'

/** Rewrites one stretch of text; lines and frames are given in order. */
export class TextRewriter {
  readonly #text: Uint8Array
  readonly #starts: readonly number[]
  readonly #out: ByteWriter
  #done = 0

  /** `starts` holds where each line begins, and is filled as the lines are read. */
  constructor(text: Uint8Array, starts: readonly number[], out: ByteWriter) {
    this.#text = text
    this.#starts = starts
    this.#out = out
  }

  /**
   * Puts a frame into words where its address stands. A hidden address (`<0>`) becomes the address that was found, as
   * the words stand beside it; what was not found stays.
   */
  replace(line: number, raw: RawFrame, frame: Frame): void {
    if (raw.length === 0 || frame.user) return
    const words = raw.address === undefined ? hidden(frame) : replacement(frame)
    if (words === undefined) return
    const start = this.#starts[line]! + raw.column
    if (start < this.#done) return
    this.put(start, start + raw.length, words)
  }

  /** Puts other bytes in place of those from `start` to `end`. */
  put(start: number, end: number, bytes: Uint8Array): void {
    this.#out.copy(this.#text, this.#done, start)
    this.#out.copy(bytes, 0, bytes.length)
    this.#done = end
  }

  /** The bytes of the whole. */
  finish(): Uint8Array {
    this.#out.copy(this.#text, this.#done, this.#text.length)
    return this.#out.take()
  }
}

function hidden({ address }: Frame): Uint8Array | undefined {
  return address === undefined ? undefined : Buffer.from(address.toString(16).padStart(16, '0'), 'latin1')
}

const kept = new WeakMap<Frame, Uint8Array>()

/** A frame in words, as bytes. */
function replacement(frame: Frame): Uint8Array | undefined {
  let words = kept.get(frame)
  if (words === undefined) {
    const text = frameInWords(frame)
    if (text === undefined) return undefined
    words = encodeName(text)
    kept.set(frame, words)
  }
  return words
}
