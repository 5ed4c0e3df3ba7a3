// `perf data convert --to-json`: one document whose `samples` stand one after another. It is read as it is written, line
// by line, so that its size does not matter; a document on one line, and samples as lines, are read too.

import type { RawFrame } from '../../stacks/frame.ts'
import { asText, countLines, type Decoder, type FrameMemo, type InputFormat, type Sink } from '../format.ts'
import { isObject, type JsonObject, parseJson, smallInteger, stringOf, wholeNumber } from '../json.ts'
import { fileOf, NO_FILE } from './dso.ts'
import { giveObject, type Reading } from './json-lines.ts'

/** The indentation at which perf opens and closes a sample, and the ones that JSON tools change it to. */
const OPEN = /^(\t\t| {4}| {8})\{$/
const INLINE = /^\s*(\{.*\}),?$/

export const perfJson: InputFormat = {
  name: 'perf-json',
  what: 'perf data convert --to-json, or its samples as lines',
  kind: 'json',
  apart: true,
  recognise: (lines) =>
    10 * countLines(lines, /"linux-perf-json-version"/) +
    2 *
      countLines(
        lines.filter((line) => /"callchain"\s*:/.test(line)),
        /^\s*\{.*"timestamp"\s*:/,
      ),
  releaseOf: (lines) => {
    for (const line of lines) {
      const found = /^\s*"os-release"\s*:\s*"([^"\\]{1,256})",?$/.exec(line)
      if (found !== null) return found[1]
    }
    return undefined
  },
  startsRecord: (line) => OPEN.test(line) || INLINE.test(line),
  decoder: (sink, memo) => new PerfJson(sink, memo),
}

class PerfJson implements Decoder {
  readonly #sink: Sink
  readonly #memo: FrameMemo
  #open: { readonly close: RegExp; readonly line: number; readonly text: string[] } | undefined

  constructor(sink: Sink, memo: FrameMemo) {
    this.#sink = sink
    this.#memo = memo
  }

  line(text: string, number: number): void {
    if (this.#open !== undefined) {
      if (OPEN.test(text) && OPEN.exec(text)?.[1] === this.#open.text[0]?.slice(0, -1)) {
        this.#sink.bad(this.#open.line, 'a sample that does not end')
        this.#open = undefined
      } else {
        this.#open.text.push(text)
        if (this.#open.close.test(text)) this.#give()
        return
      }
    }
    const open = OPEN.exec(text)
    if (open !== null) {
      this.#open = { close: new RegExp(`^${open[1]}\\},?$`), line: number, text: [text] }
      return
    }
    const inline = INLINE.exec(text)?.[1]
    if (inline !== undefined) this.#whole(inline, number)
    // Else the document's frame and its headers.
  }

  end(): void {
    if (this.#open !== undefined) this.#sink.bad(this.#open.line, 'a sample that does not end')
    this.#open = undefined
  }

  #give(): void {
    if (this.#open === undefined) return
    const { text, line } = this.#open
    // One line, as the events that it becomes.
    const object = text
      .map((piece) => piece.trim())
      .join('')
      .replace(/,$/, '')
    giveObject(this.#sink, this.#memo, asText(object), line, readSample)
    this.#open = undefined
  }

  #whole(text: string, line: number): void {
    if (!/"samples"\s*:/.test(text)) {
      giveObject(this.#sink, this.#memo, asText(text), line, readSample)
      return
    }
    try {
      const document = parseJson(asText(text))
      if (!isObject(document) || !Array.isArray(document.samples)) return
      for (const sample of document.samples) {
        const json = JSON.stringify(sample, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value))
        giveObject(this.#sink, this.#memo, json, line, readSample)
      }
    } catch (error) {
      this.#sink.bad(line, error instanceof Error ? error.message : String(error))
    }
  }
}

function readSample(object: JsonObject, memo: FrameMemo): Reading | string {
  const ts = wholeNumber(object.timestamp)
  if (ts === undefined) return 'a sample without a timestamp'
  const frames: RawFrame[] = []
  for (const entry of Array.isArray(object.callchain) ? object.callchain : []) {
    const frame = isObject(entry) ? frameOf(entry, memo) : undefined
    if (frame === undefined) return 'a call chain entry without an address'
    frames.push(frame)
  }
  const period = wholeNumber(object.period)
  return {
    type: 'sample',
    name: stringOf(object.event),
    pid: smallInteger(object.pid),
    tid: smallInteger(object.tid),
    ts,
    cpu: smallInteger(object.cpu),
    comm: stringOf(object.comm),
    weight: period ?? 1n,
    frames,
  }
}

function frameOf(entry: JsonObject, memo: FrameMemo): RawFrame | undefined {
  const address = wholeNumber(entry.ip)
  if (address === undefined || address < 0n) return undefined
  const name = stringOf(entry.symbol)
  const dso = stringOf(entry.dso)
  return memo.get(`${address} ${name} ${dso}`, () => ({
    address,
    name: name === '[unknown]' ? undefined : name,
    ...(dso === undefined ? NO_FILE : fileOf(dso, address)),
  }))
}
