// Events one by one as their lines come, for programs that read a live stream: the same decoders, without stretches.

import { addAbortSignal, Readable } from 'node:stream'
import split2 from 'split2'
import {
  byteStream,
  callback,
  bytes as checkBytes,
  signal as checkSignal,
  like,
  type Options,
  options as optionsOf,
  text,
} from '../core/arguments.ts'
import { AbortedError } from '../core/errors.ts'
import type { TraceEvent } from './event.ts'
import { FrameMemo, feed, type InputFormat } from './format.ts'

/** Bytes of the longest line that is taken. */
const LONGEST_LINE = 1 << 23
/** Stands behind what is left of a longer one: no byte becomes this character. */
const TOO_LONG = '\uffff'
const NEWLINE = 10

/** How to read live events. */
export interface LiveOptions {
  /** Ends the reading, also while it waits for bytes. */
  readonly signal?: AbortSignal | undefined
}

const LIVE_OPTIONS: Options<LiveOptions> = { signal: checkSignal }

const FORMAT = like<InputFormat>(
  { name: text, decoder: callback },
  "an input format, such as inputFormat('perf-script')",
)

/**
 * The events of a stream of bytes, each as soon as the line after it shows that it is complete. Frames are as printed:
 * `StackResolver` looks them up. `onBad` is told of lines that are not understood, counted from 0, and of those of more than
 * 8 MiB with their beginning; none ends the stream.
 * @throws AbortedError at an abort; what the input throws
 */
export async function* readEvents(
  input: AsyncIterable<Uint8Array>,
  format: InputFormat,
  onBad: (line: number, reason: string, text: string) => void = () => {},
  options?: LiveOptions,
): AsyncGenerator<TraceEvent> {
  byteStream(input, 'input')
  FORMAT(format, 'format')
  callback(onBad, 'onBad')
  const { signal } = optionsOf(options, 'readEvents', LIVE_OPTIONS)
  const source = Readable.from(latin1(input), { objectMode: false })
  const lines = source.pipe(split2())
  // A pipe hands no failures on.
  source.on('error', (error) => lines.destroy(error))
  if (signal !== undefined) addAbortSignal(signal, lines)
  let ready: TraceEvent[] = []
  let text = ''
  const sink = {
    event: (event: TraceEvent) => ready.push(event),
    bad: (line: number, reason: string) => onBad(line, reason, text),
  }
  const memo = new FrameMemo()
  const decoder = format.decoder(sink, memo)
  const taken = () => {
    const events = ready
    ready = []
    return events
  }
  let number = 0
  try {
    for await (const line of lines) {
      text = String(line)
      if (text.endsWith(TOO_LONG)) onBad(number++, `a line of more than ${LONGEST_LINE} bytes`, text.slice(0, -1))
      else feed(format, decoder, memo, text, number++)
      if (ready.length > 0) yield* taken()
    }
  } catch (error) {
    throw signal?.aborted === true ? new AbortedError('the reading was aborted', { cause: signal.reason }) : error
  } finally {
    source.destroy()
  }
  decoder.end()
  yield* taken()
}

/**
 * Bytes as characters, one each: what split2 decodes of them again is the same characters, whatever the bytes are. Of a line
 * that is too long only the beginning is let through, with a mark behind it, so that a line without end takes no memory.
 */
async function* latin1(input: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  /** Bytes of the line that the last piece left open. */
  let open = 0
  for await (const piece of input) {
    const { buffer, byteOffset, byteLength } = checkBytes(piece, 'a piece of the input')
    const bytes = Buffer.from(buffer, byteOffset, byteLength)
    if (open + bytes.length <= LONGEST_LINE) {
      yield bytes.toString('latin1')
      const last = bytes.lastIndexOf(NEWLINE)
      open = last < 0 ? open + bytes.length : bytes.length - last - 1
      continue
    }
    for (let start = 0; start < bytes.length; open = 0) {
      const newline = bytes.indexOf(NEWLINE, start)
      const end = newline < 0 ? bytes.length : newline
      const room = Math.max(0, LONGEST_LINE - open)
      yield bytes.toString('latin1', start, Math.min(end, start + room))
      if (end - start > room && open <= LONGEST_LINE) yield TOO_LONG
      if (newline < 0) {
        open += end - start
        break
      }
      yield '\n'
      start = newline + 1
    }
  }
}
