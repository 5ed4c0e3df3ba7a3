// Text with its frames put into words, in place: every byte that is no part of a resolved frame stays as it was. What is
// written can be read again, and then comes out as it is: words replace an address only where nothing names it yet.

import { encodeName } from '../../core/bytes.ts'
import { type Frame, frameInWords, type RawFrame } from '../../stacks/frame.ts'
import type { InputFormat } from '../format.ts'
import type { ByteWriter } from './byte-writer.ts'

type Words = NonNullable<InputFormat['inWords']>

/** Rewrites one stretch of text. What is replaced comes in any order: stacks of several printers overlap in a log. */
export class TextRewriter {
  readonly #text: Uint8Array
  readonly #starts: readonly number[]
  readonly #out: ByteWriter
  readonly #words: Words
  /** The replacements: where each begins and ends, and its text. */
  #edits: { readonly start: number; readonly end: number; readonly bytes: Uint8Array }[] = []
  #ordered = true

  /** `starts` holds where each line begins, and is filled as the lines are read. */
  constructor(text: Uint8Array, starts: readonly number[], out: ByteWriter, words: Words = kernelWords) {
    this.#text = text
    this.#starts = starts
    this.#out = out
    this.#words = words
  }

  /** Puts a frame into words where its line has room for them. */
  replace(line: number, raw: RawFrame, frame: Frame): void {
    const words = replacement(this.#words, raw, frame)
    if (words.length === 0) return
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

/**
 * An address becomes `symbol+0x10/0x30 [owner]`, a hidden one (`<0>`) the address that was found, as the words stand beside
 * it. What was not found stays, and so does an address that the line names already.
 */
function kernelWords(frame: Frame, raw: RawFrame): string | undefined {
  if (raw.length === 0 || frame.user) return undefined
  if (raw.address === undefined) return frame.address?.toString(16).padStart(16, '0')
  return raw.name === undefined ? frameInWords(frame) : undefined
}

const NO_BYTES: Uint8Array = new Uint8Array(0)
/** Each line's frame is an object of its own, so that its words are made once. */
const kept = new WeakMap<Frame, Uint8Array>()

/** A frame in words, as bytes; none where it stays as it is. */
function replacement(inWords: Words, raw: RawFrame, frame: Frame): Uint8Array {
  let bytes = kept.get(frame)
  if (bytes === undefined) {
    const text = inWords(frame, raw)
    bytes = text === undefined ? NO_BYTES : encodeName(text)
    kept.set(frame, bytes)
  }
  return bytes
}
