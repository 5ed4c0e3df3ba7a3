// bpftrace: maps with stacks as keys, and stacks that programs print, as text and as JSON. Stacks of the modes `kstack`
// (name+decimal), `kstack(perf)` (address name+decimal (file)) and `kstack(raw)` (address). The first frame is a PC. Values are
// counts and sums, histograms (what their buckets hold together), statistics (their total); anything else is no weight, and is
// told of.

import { type Frame, type RawFrame, rawFrame } from '../../stacks/frame.ts'
import { type TraceEvent, traceEvent } from '../event.ts'
import { asText, type Decoder, type FrameMemo, hexAddress, type InputFormat, type Sink } from '../format.ts'
import { isObject, type Json, type JsonObject, parseJson } from '../json.ts'
import { fileOf, NO_FILE } from './dso.ts'

/** Lines that bpftrace itself prints. */
const MESSAGE = /^(?:Attaching |Attached |WARNING|ERROR|Lost \d|stdin:)/
const ATTACHED = /^Attach(?:ing|ed) \d+ probes?/
/** Bytes before `[` in a line that opens a map. */
const LONGEST_NAME = 256
const AT = 64
const COMMA = 44

export const bpftraceText: InputFormat = {
  name: 'bpftrace',
  what: 'bpftrace maps whose keys are stacks, and stacks that programs print, of any stack mode',
  kind: 'text',
  recognise: (lines) => {
    let score = 0
    let frames = 0
    let run = 0
    for (const line of lines) {
      const offset = isNamedFrame(line)
      run = offset || (run > 0 && decodeFrame(line) !== undefined) ? run + 1 : 0
      // A stack of one frame could be anything.
      if (run > 1) frames++
      if (opening(line) !== undefined || closing(line) !== undefined || ATTACHED.test(line)) score++
    }
    return frames > 0 || score > 1 ? score + frames : lines.some((line) => opening(line) !== undefined) ? score : 0
  },
  startsRecord: (line) => opening(line) !== undefined,
  frameLine: decodeFrame,
  inWords,
  decoder: (sink) => new BpftraceText(sink),
}

/** `    name+123`, as bpftrace alone indents it. */
function isNamedFrame(line: string): boolean {
  return decodeFrame(line)?.offset !== undefined && !line.includes('0x')
}

/** A line that opens a map with keys: its name, and what stands behind the bracket. */
function opening(text: string): { readonly name: string; readonly rest: string } | undefined {
  if (text.charCodeAt(0) !== AT) return undefined
  const open = text.indexOf('[')
  if (open < 0 || open > LONGEST_NAME) return undefined
  const name = text.slice(0, open)
  return /^@\w*$/.test(name) ? { name, rest: text.slice(open + 1) } : undefined
}

/** A line that closes a map's key: the keys behind the stack, and the value. */
function closing(text: string): { readonly keys: string; readonly value: string } | undefined {
  const close = text.indexOf(']: ')
  if (close >= 0) return { keys: text.slice(0, close), value: text.slice(close + 3).trim() }
  return text.endsWith(']:') ? { keys: text.slice(0, -2), value: '' } : undefined
}

/** The weight of a value: a count or a sum, or a statistic's total; undefined for anything else. */
function weightOf(value: string): bigint | undefined {
  if (/^-?\d{1,30}$/.test(value)) return BigInt(value)
  const total = /^count \d{1,20}, average -?\d{1,20}, total (-?\d{1,20})$/.exec(value)
  return total === null ? undefined : BigInt(total[1] ?? '0')
}

/** How many values a line of a histogram holds: `[2, 4)   12 |@@@ |`. */
function bucketOf(text: string): bigint | undefined {
  const found = /^[[(][-\w.]{1,24}(?:, [-\w.]{1,24})?[\])] {1,40}(\d{1,20}) \|[@ ]*\|$/.exec(text.trimEnd())
  return found === null ? undefined : BigInt(found[1] ?? '0')
}

interface OpenMap {
  readonly name: string
  readonly keys: string[]
  readonly line: number
  /** What its histogram holds so far; undefined where the key is not closed yet. */
  buckets: bigint | undefined
}

class BpftraceText implements Decoder {
  readonly #sink: Sink
  #map: OpenMap | undefined
  #frames: RawFrame[] = []
  #lines: number[] = []
  /** The line that was printed right in front of a stack. */
  #before = ''

  constructor(sink: Sink) {
    this.#sink = sink
  }

  frame(frame: RawFrame, number: number): boolean {
    if (this.#map?.buckets !== undefined) this.#give(number)
    this.#frames.push(frame)
    this.#lines.push(number)
    return true
  }

  line(text: string, number: number): void {
    const open = opening(text)
    if (open !== undefined) {
      this.#give(number)
      const whole = closing(open.rest)
      this.#map = { name: open.name, keys: keysOf(whole?.keys ?? open.rest), line: number, buckets: undefined }
      if (whole !== undefined) this.#close(whole.value, number)
      return
    }
    const map = this.#map
    if (map?.buckets !== undefined) {
      const bucket = bucketOf(text)
      if (bucket !== undefined) {
        map.buckets += bucket
        return
      }
      this.#give(number)
    } else if (map !== undefined) {
      const close = closing(text)
      if (close !== undefined) {
        map.keys.push(...keysOf(close.keys))
        this.#close(close.value, number)
        return
      }
      if (text.trim() === '' || text.trim() === ',') return
      // Before 0.9 frames were not indented.
      const frame = decodeFrame(` ${text}`)
      if (frame === undefined) this.#sink.bad(number, 'neither a frame nor the end of the map')
      else this.frame(rawFrame({ ...frame, column: Math.max(0, (frame.column ?? 0) - 1) }), number)
      return
    }
    if (closing(text) !== undefined && !MESSAGE.test(text) && (text.startsWith(']') || text.charCodeAt(0) === COMMA)) {
      this.#sink.bad(number, 'the end of a map that has no beginning')
    }
    // Anything else is what the program prints. A stack that it prints ends here.
    this.#give(number)
    this.#before = MESSAGE.test(text) ? '' : text.trim()
  }

  end(): void {
    const map = this.#map
    if (map !== undefined && map.buckets === undefined) this.#sink.bad(map.line, 'a map without end')
    this.#give(map?.line ?? 0)
  }

  #close(value: string, number: number): void {
    const map = this.#map
    if (map === undefined) return
    if (value === '') {
      map.buckets = 0n
      return
    }
    const weight = weightOf(value)
    if (weight === undefined && this.#frames.length > 0) {
      this.#sink.bad(
        number,
        'a value that is neither a count, a sum, a histogram nor a statistic: its stack weighs nothing',
      )
    }
    this.#emitMap(map, weight ?? 0n, weight === undefined || !/^-?\d+$/.test(value) ? value : undefined)
    this.#map = undefined
  }

  #emitMap({ line, name, keys }: OpenMap, weight: bigint, value: string | undefined): void {
    this.#emit({
      line,
      name,
      weight,
      fields: [
        ...keys.map((key, i): [string, string] => [`key${i}`, asText(key)]),
        ...(value === undefined ? [] : [['value', asText(value)] as const]),
      ],
    })
  }

  /** A map with a histogram, a stack outside of maps, or one that was never closed. */
  #give(line: number): void {
    const map = this.#map
    this.#map = undefined
    if (map?.buckets !== undefined) this.#emitMap(map, map.buckets, undefined)
    else if (this.#frames.length > 0) {
      const fields: [string, string][] = this.#before === '' ? [] : [['printed', asText(this.#before)]]
      this.#emit({ line: this.#lines[0] ?? line, fields })
    }
    this.#before = ''
  }

  #emit(given: Partial<TraceEvent> & { line: number }): void {
    this.#sink.event(traceEvent({ type: 'stack', frames: this.#frames, frameLines: this.#lines, ...given }))
    this.#frames = []
    this.#lines = []
  }
}

function keysOf(text: string): string[] {
  return text
    .split(',')
    .map((key) => key.trim())
    .filter((key) => key !== '')
}

const NAME_AND_OFFSET = /^([^\s+\]][^+]{0,1023})\+(\d{1,12})$/

/**
 * A frame behind blanks: an address, a name with a decimal offset, a file in parentheses, each or not. What is put into words is
 * the address where it stands alone, else nothing but the name beside it.
 */
function decodeFrame(text: string): Partial<RawFrame> | undefined {
  const first = text.charCodeAt(0)
  if (first !== 32 && first !== 9) return undefined
  const end = text.trimEnd().length
  const start = text.length - text.trimStart().length
  if (start >= end || end - start > 4096) return undefined
  let at = start
  if (text.startsWith('0x', at)) at += 2
  const digits = /[0-9a-f]{4,16}(?=\s|$)/y
  digits.lastIndex = at
  const address = digits.exec(text)?.[0]
  const behind = address === undefined ? start : at + address.length
  let words = text.slice(behind, end).trim()
  let file = NO_FILE
  const open = words.endsWith(')') ? words.lastIndexOf(' (') : -1
  if (open > 0) {
    file = fileOf(words.slice(open + 2, -1), address === undefined ? undefined : hexAddress(address))
    words = words.slice(0, open)
  }
  const [, name, offset] = NAME_AND_OFFSET.exec(words) ?? []
  if (name === undefined && (address === undefined || words !== '')) return undefined
  return {
    address: address === undefined ? undefined : hexAddress(address),
    name: name === undefined ? undefined : asText(name),
    offset: offset === undefined ? undefined : Number(offset),
    owner: file.owner,
    user: file.user,
    column: behind,
    length: address === undefined ? 0 : name === undefined ? 0 : text.indexOf(words, behind) + words.length - behind,
  }
}

/** ` name+123` behind the address, in bpftrace's manner. */
function inWords({ symbol, offset, user, printed }: Frame, { address }: RawFrame): string | undefined {
  return address === undefined || symbol === null || user || printed ? undefined : ` ${symbol}+${offset ?? 0}`
}

export const bpftraceJson: InputFormat = {
  name: 'bpftrace-json',
  what: 'bpftrace -f json: maps whose keys are stacks, and stacks that programs print',
  kind: 'json',
  recognise: (lines) => {
    let count = 0
    for (const line of lines) {
      if (/^\{"type": ?"(?:attached_probes|map|hist|stats|value|printf|time|lost_events)", ?"data":/.test(line)) count++
    }
    return 2 * count
  },
  startsRecord: 'every line',
  decoder: (sink, memo) => ({
    line(text, line) {
      if (text.trim() === '') return
      try {
        const value = parseJson(asText(text))
        if (!isObject(value) || value.type === undefined) sink.bad(line, 'no object of bpftrace')
        else readObject(value, line, memo, sink)
      } catch (error) {
        sink.bad(line, error instanceof Error ? error.message : String(error))
      }
    },
    end() {},
  }),
}

function readObject({ data }: JsonObject, line: number, memo: FrameMemo, sink: Sink): void {
  if (typeof data === 'string') {
    const { frames } = stackOf(data, memo)
    if (frames.length > 0) sink.event(traceEvent({ type: 'stack', line, frames }))
    return
  }
  if (!isObject(data)) return
  for (const [name, map] of Object.entries(data)) {
    if (!isObject(map)) continue
    for (const [key, value] of Object.entries(map)) {
      const { frames, keys } = stackOf(key, memo)
      if (frames.length === 0) continue
      const weight = weightOfJson(value)
      if (weight === undefined) {
        sink.bad(
          line,
          `a value of ${name} is neither a count, a sum, a histogram nor a statistic: its stack weighs nothing`,
        )
      }
      const fields = keys.map((text, i): [string, string] => [`key${i}`, text])
      sink.event(traceEvent({ type: 'stack', line, name, frames, weight: weight ?? 0n, fields }))
    }
  }
}

/** The frames and the other keys of a text with line ends. */
function stackOf(text: string, memo: FrameMemo): { frames: RawFrame[]; keys: string[] } {
  const frames: RawFrame[] = []
  const keys: string[] = []
  for (const piece of text.split('\n')) {
    const found = piece.startsWith(' ') || piece.startsWith('\t') ? memo.get(piece, jsonFrame) : undefined
    if (found !== undefined) frames.push(found)
    else keys.push(...keysOf(piece))
  }
  return { frames, keys }
}

function jsonFrame(text: string): Partial<RawFrame> | undefined {
  const frame = decodeFrame(text)
  return frame && rawFrame({ ...frame, column: 0, length: 0 })
}

/** Numbers as they are, histograms by their buckets' counts, statistics by their total. */
function weightOfJson(value: Json): bigint | undefined {
  if (typeof value === 'bigint') return value
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : undefined
  if (Array.isArray(value)) {
    let sum = 0n
    for (const bucket of value) {
      const count = isObject(bucket) ? bucket.count : undefined
      const weight = count === undefined ? undefined : weightOfJson(count)
      if (weight === undefined) return undefined
      sum += weight
    }
    return sum
  }
  return isObject(value) && value.total !== undefined ? weightOfJson(value.total) : undefined
}
