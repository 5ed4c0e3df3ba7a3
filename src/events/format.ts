// An input format, and what the decoders of all formats share. Lines are latin1 text: one character a byte, so that nothing is
// lost on the way and positions are positions in the input.

import { decodeName } from '../core/bytes.ts'
import { type Frame, type RawFrame, rawFrame } from '../stacks/frame.ts'
import type { TraceEvent } from './event.ts'

/** Takes what a decoder finds. */
export interface Sink {
  /** `stack` is what the event's frames were given as, where they were given as a whole; they then have no `frameLines`. */
  event(event: TraceEvent, stack?: LineStack): void
  /** An address outside of stacks: text puts it into words, and nothing else is made of it. Lines come in order. */
  mention?(frame: RawFrame, line: number): void
  /** The header of a recording that was read out as a whole: what follows is at hand to its end. */
  header?(): void
  /** A line that is none of the format's; `line` counts from 0 in the stretch. */
  bad(line: number, reason: string): void
}

/** The frames of lines that follow each other, one a line. */
export interface LineStack {
  readonly frames: readonly RawFrame[]
}

/** Decodes a stretch of lines that begins where a record may begin. */
export interface Decoder {
  /** The next line, without its line end. */
  line(text: string, number: number): void
  /** Takes a line that `frameLine` has read, or says false where no frame may stand: then `line` gets its text. */
  frame?(frame: RawFrame, number: number): boolean
  /** Takes several such lines at once, of which the first has this number, or says false: then they come one by one. */
  stack?(stack: LineStack, number: number): boolean
  /** No more lines: what is open is complete. */
  end(): void
}

/** An input format. */
export interface InputFormat {
  readonly name: string
  /** In words, for `--help`. */
  readonly what: string
  /** false: addresses that stand by themselves, of which no profile can be made. */
  readonly stacks?: false
  /** `text` can be resymbolized in place; the others cannot. */
  readonly kind: 'text' | 'json' | 'binary'
  /**
   * How many of the sample's lines only this format has: 0 for none at all. The highest wins. `sample` is what the lines were
   * cut from, one byte a character.
   */
  readonly recognise: (lines: readonly string[], sample: string) => number
  /** The release of the kernel that the stream's beginning says it is of. */
  readonly releaseOf?: (lines: readonly string[]) => string | undefined
  /** Whether a record begins with this line, whatever stood before: a stream may be cut in front of it. */
  readonly startsRecord: 'every line' | 'the whole' | ((line: string) => boolean)
  /** Reads a line that is a frame, whatever stands around it; formats without such lines have no such function. */
  readonly frameLine?: (text: string) => Partial<RawFrame> | undefined
  /**
   * What to put in place of a frame's part that is put into words (`RawFrame.column`), so that the text stays one of this
   * format; undefined to leave it. Formats without it have their addresses replaced by words in the kernel's manner.
   */
  readonly inWords?: (frame: Frame, raw: RawFrame) => string | undefined
  /** The byte that the lines of a stack begin with, and no line around it: they can be taken as a whole by `Decoder.stack`. */
  readonly stackMark?: number
  /** Events of different names measure different things (`measureOf`), so that a profile is of one of them. */
  readonly apart?: boolean
  readonly decoder: (sink: Sink, memo: FrameMemo) => Decoder
  /** Decodes a stream that is one record and has no lines. */
  readonly decodeWhole?: (bytes: Uint8Array, sink: Sink) => void
}

/** Gives a decoder its next line, through `frameLine` where the format has it. */
export function feed(format: InputFormat, decoder: Decoder, memo: FrameMemo, text: string, number: number): void {
  const frame = format.frameLine && memo.get(text, format.frameLine)
  if (frame === undefined || decoder.frame?.(frame, number) !== true) decoder.line(text, number)
}

/** Frames kept by their text; when there are more, all are forgotten. */
const MEMO_LIMIT = 1 << 16
/** The longest text that is kept. */
const MEMO_LONGEST = 1024

/**
 * Frames by the text they were decoded from. A kernel's stacks repeat: 22,366 frames of a profile held 899 addresses, so
 * that most cost one look into a map. Outlives the stretches, in each thread.
 */
export class FrameMemo {
  readonly #frames = new Map<string, RawFrame>()

  /** How many texts are kept. */
  get size(): number {
    return this.#frames.size
  }

  /** The frame that `text` stands for, decoded by `decode` if it is new; undefined if it is none. */
  get(text: string, decode: (text: string) => Partial<RawFrame> | undefined): RawFrame | undefined {
    const known = this.#frames.get(text)
    if (known !== undefined) return known
    const own = detached(text)
    const decoded = decode(own)
    if (decoded === undefined) return undefined
    const frame = rawFrame(decoded)
    if (own.length > MEMO_LONGEST) return frame
    if (this.#frames.size >= MEMO_LIMIT) this.#frames.clear()
    this.#frames.set(own, frame)
    return frame
  }
}

/** The same text in memory of its own: a slice would keep all that it was cut from alive. */
export function detached(latin1: string): string {
  return Buffer.from(latin1, 'latin1').toString('latin1')
}

/** Lines of the sample that match. */
export function countLines(lines: readonly string[], pattern: RegExp): number {
  let count = 0
  for (const line of lines) if (pattern.test(line)) count++
  return count
}

/** The text that latin1 characters stand for as bytes: UTF-8, or the bytes as lone surrogates (see `decodeName`). */
export function asText(latin1: string): string {
  for (let i = 0; i < latin1.length; i++) {
    if (latin1.charCodeAt(i) > 0x7f) {
      const bytes = Buffer.from(latin1, 'latin1')
      return decodeName(bytes, 0, bytes.length)
    }
  }
  return latin1
}

/** Nanoseconds of `SECONDS.FRACTION` as the tools print times: 6 or 9 digits after the point. */
export function nanoseconds(seconds: string, fraction: string): bigint {
  return BigInt(seconds + fraction.slice(0, 9).padEnd(9, '0'))
}

/** The address in up to 16 hexadecimal digits that are known to be such. */
export function hexAddress(digits: string): bigint {
  return BigInt(`0x${digits}`)
}
