// Events one by one as their lines come, for programs that read a live stream: the same decoders, without stretches.

import { Readable } from 'node:stream'
import split2 from 'split2'
import type { TraceEvent } from './event.ts'
import { FrameMemo, type InputFormat } from './format.ts'

/** The longest line that is taken; what is longer is left out. */
const SPLITTING = { maxLength: 1 << 23, skipOverflow: true }

/**
 * The events of a stream of bytes, each as soon as the line after it shows that it is complete. Frames are as printed:
 * `StackResolver` looks them up. `onBad` is told of lines that are not understood, counted from 0; none ends the stream.
 */
export async function* readEvents(
  input: AsyncIterable<Uint8Array>,
  format: InputFormat,
  onBad: (line: number, reason: string, text: string) => void = () => {},
): AsyncGenerator<TraceEvent> {
  const lines = Readable.from(latin1(input), { objectMode: false }).pipe(split2(SPLITTING))
  let ready: TraceEvent[] = []
  let text = ''
  const sink = {
    event: (event: TraceEvent) => ready.push(event),
    bad: (line: number, reason: string) => onBad(line, reason, text),
  }
  const decoder = format.decoder(sink, new FrameMemo())
  const taken = () => {
    const events = ready
    ready = []
    return events
  }
  let number = 0
  for await (const line of lines) {
    text = String(line)
    decoder.line(text, number++)
    if (ready.length > 0) yield* taken()
  }
  decoder.end()
  yield* taken()
}

/** Bytes as characters, one each: what split2 decodes of them again is the same characters, whatever the bytes are. */
async function* latin1(input: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  for await (const { buffer, byteOffset, byteLength } of input) {
    yield Buffer.from(buffer, byteOffset, byteLength).toString('latin1')
  }
}
