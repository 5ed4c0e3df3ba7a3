// Text with its addresses put into words, in place: every byte that is no address of a resolved frame stays as it was.

import { encodeName } from '../../core/bytes.ts'
import { type Frame, frameInWords, type RawFrame } from '../../stacks/frame.ts'
import type { ByteWriter } from './byte-writer.ts'

/** Rewrites one stretch of text. What is replaced comes in any order: stacks of several printers overlap in a log. */
export class TextRewriter {
  readonly #text: Uint8Array
  readonly #starts: readonly number[]
  readonly #out: ByteWriter
  /** What is replaced: where it begins and ends, and by what. */
  #edits: { readonly start: number; readonly end: number; readonly bytes: Uint8Array }[] = []
  #ordered = true

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
    this.put(start, start + raw.length, words)
  }

  /** Puts other bytes in place of those from `start` to `end`. */
  put(start: number, end: number, bytes: Uint8Array): void {
    const last = this.#edits.at(-1)
    if (last !== undefined && start < last.end) this.#ordered = false
    this.#edits.push({ start, end, bytes })
  }

  /** The bytes of the whole. */
  finish(): Uint8Array {
    if (!this.#ordered) this.#edits.sort((one, other) => one.start - other.start)
    let done = 0
    for (const { start, end, bytes } of this.#edits) {
      // Several events may tell of one address.
      if (start < done) continue
      this.#out.copy(this.#text, done, start)
      this.#out.copy(bytes, 0, bytes.length)
      done = end
    }
    this.#out.copy(this.#text, done, this.#text.length)
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
