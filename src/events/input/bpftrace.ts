// bpftrace: maps with stacks as keys, as text and as JSON. Stacks of the modes `kstack` (name+decimal), `kstack(perf)`
// (address name+decimal) and `kstack(raw)` (address). The first frame is a PC.

import { type RawFrame, rawFrame } from '../../stacks/frame.ts'
import { type TraceEvent, traceEvent } from '../event.ts'
import { asText, countLines, type Decoder, type FrameMemo, hexAddress, type InputFormat, type Sink } from '../format.ts'
import { isObject, type Json, type JsonObject, parseJson } from '../json.ts'

/** `@name[` with keys that come before the stack, on a line that does not close it. */
const OPEN = /^(@\w*)\[(.*)$/
/** The end of a map's key and its value: `, python3, 7788]: 1`. */
const CLOSE = /^(.*?)\]: (.*)$/
const FRAME = /^(\s+)(?:(0x)?([0-9a-f]{4,16})(?:\s+|$))?(?:([^\s+\]][^+]*?)\+(\d+))?(?: \(.*\))?\s*$/
const MESSAGE = /^(?:Attaching |WARNING|ERROR|Lost \d|stdin:)/

export const bpftraceText: InputFormat = {
  name: 'bpftrace',
  what: 'bpftrace maps whose keys are stacks, of any stack mode',
  kind: 'text',
  apart: true,
  recognise: (lines) => {
    const maps = countLines(lines, /^@\w*\[/)
    return maps === 0
      ? 0
      : maps + countLines(lines, /^\s+(?:[0-9a-f]{16} )?[\w.]+\+\d+$/) + countLines(lines, /^.*\]: \d+$/)
  },
  startsRecord: (line) => /^@\w*\[/.test(line),
  frameLine: decodeFrame,
  decoder: (sink) => new BpftraceText(sink),
}

class BpftraceText implements Decoder {
  readonly #sink: Sink
  #map: { name: string; keys: string[]; line: number } | undefined
  #frames: RawFrame[] = []
  #lines: number[] = []

  constructor(sink: Sink) {
    this.#sink = sink
  }

  frame(frame: RawFrame, number: number): boolean {
    this.#frames.push(frame)
    this.#lines.push(number)
    return true
  }

  line(text: string, number: number): void {
    const open = text.charCodeAt(0) === AT ? OPEN.exec(text) : null
    if (open !== null) {
      this.#give(number)
      const [, name = '@', rest = ''] = open
      const whole = CLOSE.exec(rest)
      this.#map = { name, keys: keysOf(whole === null ? rest : (whole[1] ?? '')), line: number }
      if (whole !== null) this.#close(whole[2] ?? '')
      return
    }
    const close = CLOSE.exec(text)
    if (this.#map !== undefined) {
      if (close !== null) {
        this.#map.keys.push(...keysOf(close[1] ?? ''))
        this.#close(close[2] ?? '')
      } else if (/^,?\s*$/.test(text)) {
        // Between two stacks of one key.
      } else this.#sink.bad(number, 'neither a frame nor the end of the map')
      return
    }
    if (close !== null && !MESSAGE.test(text) && /^(?:$|,)/.test(close[1] ?? '')) {
      this.#sink.bad(number, 'the end of a map that has no beginning')
    }
    // Anything else is what the program prints. A stack that it prints ends here.
    this.#give(number)
  }

  end(): void {
    if (this.#map !== undefined) this.#sink.bad(this.#map.line, 'a map without end')
    this.#give(this.#map?.line ?? 0)
  }

  #close(value: string): void {
    const map = this.#map
    if (map === undefined) return
    const count = /^\d+/.exec(value)?.[0]
    this.#emit({
      line: map.line,
      name: map.name,
      weight: count === undefined ? 1n : BigInt(count),
      fields: [
        ...map.keys.map((key, i): [string, string] => [`key${i}`, asText(key)]),
        ...(count === value ? [] : [['value', asText(value)] as const]),
      ],
    })
    this.#map = undefined
  }

  /** A stack outside of maps, or one that was never closed. */
  #give(line: number): void {
    this.#map = undefined
    if (this.#frames.length > 0) this.#emit({ line: this.#lines[0] ?? line })
  }

  #emit(given: Partial<TraceEvent> & { line: number }): void {
    this.#sink.event(traceEvent({ type: 'stack', frames: this.#frames, frameLines: this.#lines, ...given }))
    this.#frames = []
    this.#lines = []
  }
}

const AT = 64

function keysOf(text: string): string[] {
  return text
    .split(',')
    .map((key) => key.trim())
    .filter((key) => key !== '')
}

function decodeFrame(text: string): Partial<RawFrame> | undefined {
  const found = FRAME.exec(text)
  if (found === null) return undefined
  const [, indent = '', prefix = '', digits, name, offset] = found
  if (digits === undefined && name === undefined) return undefined
  return {
    address: digits === undefined ? undefined : hexAddress(digits),
    name: name === undefined ? undefined : asText(name),
    offset: offset === undefined ? undefined : Number(offset),
    column: indent.length,
    length: digits === undefined ? 0 : prefix.length + digits.length,
  }
}

export const bpftraceJson: InputFormat = {
  name: 'bpftrace-json',
  what: 'bpftrace -f json: maps whose keys are stacks',
  kind: 'json',
  apart: true,
  recognise: (lines) => 2 * countLines(lines, /^\{"type": ?"(?:attached_probes|map|printf|lost_events)", ?"data":/),
  startsRecord: 'every line',
  decoder: (sink, memo) => ({
    line(text, line) {
      if (text.trim() === '') return
      try {
        const value = parseJson(asText(text))
        if (!isObject(value) || value.type === undefined) sink.bad(line, 'no object of bpftrace')
        else if (value.type === 'map' && isObject(value.data)) {
          for (const [name, map] of Object.entries(value.data)) {
            if (isObject(map)) for (const event of mapEvents(name, map, line, memo)) sink.event(event)
          }
        }
      } catch (error) {
        sink.bad(line, error instanceof Error ? error.message : String(error))
      }
    },
    end() {},
  }),
}

function* mapEvents(name: string, map: JsonObject, line: number, memo: FrameMemo): Generator<TraceEvent> {
  for (const [key, value] of Object.entries(map)) {
    const frames: RawFrame[] = []
    const keys: string[] = []
    for (const piece of key.split('\n')) {
      const found = piece.startsWith(' ') || piece.startsWith('\t') ? memo.get(piece, jsonFrame) : undefined
      if (found !== undefined) frames.push(found)
      else keys.push(...keysOf(piece))
    }
    if (frames.length === 0) continue
    yield traceEvent({
      type: 'stack',
      line,
      name,
      frames,
      weight: countOf(value),
      fields: keys.map((text, i): [string, string] => [`key${i}`, text]),
    })
  }
}

function jsonFrame(text: string): Partial<RawFrame> | undefined {
  const frame = decodeFrame(text)
  return frame && rawFrame({ ...frame, column: 0, length: 0 })
}

function countOf(value: Json): bigint {
  if (typeof value === 'bigint') return value
  return typeof value === 'number' && Number.isSafeInteger(value) ? BigInt(value) : 1n
}
