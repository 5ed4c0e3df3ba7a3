// Text with its addresses put into words, in place: every byte that is no address of a resolved frame stays as it was.

import { encodeName } from '../../core/bytes.ts'
import { type Frame, frameInWords, type RawFrame } from '../../stacks/frame.ts'

/** Rewrites one stretch of text; lines and frames are given in order. */
export class TextRewriter {
  readonly #text: string
  readonly #starts: readonly number[]
  readonly #pieces: string[] = []
  #done = 0

  /** `starts` holds where each line begins, and is filled as the lines are read. */
  constructor(text: string, starts: readonly number[]) {
    this.#text = text
    this.#starts = starts
  }

  /**
   * Puts a frame into words where its address stands. A hidden address (`<0>`) becomes the address that was found, as
   * the words stand beside it; what was not found stays.
   */
  replace(line: number, raw: RawFrame, frame: Frame): void {
    if (raw.length === 0 || frame.user) return
    const words =
      raw.address === undefined ? (frame.address?.toString(16).padStart(16, '0') ?? undefined) : replacement(frame)
    if (words === undefined) return
    const start = this.#starts[line]! + raw.column
    if (start < this.#done) return
    this.#pieces.push(this.#text.slice(this.#done, start), words)
    this.#done = start + raw.length
  }

  /** The bytes of the whole. */
  finish(): Uint8Array {
    this.#pieces.push(this.#text.slice(this.#done))
    return Buffer.from(this.#pieces.join(''), 'latin1')
  }
}

const kept = new WeakMap<Frame, string>()

/** A frame in words, as bytes in latin1 characters. */
function replacement(frame: Frame): string | undefined {
  let words = kept.get(frame)
  if (words === undefined) {
    const text = frameInWords(frame)
    if (text === undefined) return undefined
    words = Buffer.from(encodeName(text)).toString('latin1')
    kept.set(frame, words)
  }
  return words
}
