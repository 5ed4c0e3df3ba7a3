// pprof profiles (github.com/google/pprof, proto/profile.proto), packed or not: samples whose locations are addresses in
// mappings, or names where somebody looked them up before. The one format that is no lines.

import { gunzipSync } from 'node:zlib'
import { type RawFrame, rawFrame } from '../../stacks/frame.ts'
import { type TraceEvent, traceEvent } from '../event.ts'
import { asText, type InputFormat, type Sink } from '../format.ts'

/** Bytes that a packed profile may unpack to. */
const MOST_UNPACKED = 1 << 28
const GZIP = '\u001f\u008b'
/** Bytes of a message of two numbers that are places in the table of strings. */
const MOST_SAMPLE_TYPE = 22
const KERNEL = /^\[(?:kernel|guest\.kernel)[.\w]*\]|^\[\w+\]$|(?:^|\/)vmlinux/

export const pprof: InputFormat = {
  name: 'pprof',
  what: 'pprof profiles (protobuf, packed or not), as Go, parca and perf_to_profile write them',
  kind: 'binary',
  recognise: ([first = '', second = '']) => {
    const [length, field] = [second.charCodeAt(0), second.charCodeAt(1)]
    // A line end is what field 1 begins with, the first sample type, and that with its own field 1.
    const plain = first === '' && length >= 2 && length <= MOST_SAMPLE_TYPE && field === 8
    return first.startsWith(GZIP) || plain ? Number.MAX_SAFE_INTEGER : 0
  },
  startsRecord: 'the whole',
  decoder: () => ({ line() {}, end() {} }),
  decodeWhole(bytes, sink) {
    try {
      readProfile(unpacked(bytes), sink)
    } catch (error) {
      // Errors of gunzip and of the bounds in `Wire`, both of which say what is wrong.
      sink.bad(0, error instanceof Error ? error.message : String(error))
    }
  },
}

function unpacked(bytes: Uint8Array): Uint8Array {
  return bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipSync(bytes, { maxOutputLength: MOST_UNPACKED }) : bytes
}

/** A field of a protobuf message: whole numbers for wire type 0, bytes for wire type 2. */
interface Field {
  readonly number: number
  readonly value: bigint
  readonly bytes: Uint8Array | undefined
}

/** Reads the wire format of protobuf. Never reads outside of its bytes: what ends too early throws. */
class Wire {
  readonly #bytes: Uint8Array
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  *fields(): Generator<Field> {
    while (this.#at < this.#bytes.length) {
      const key = this.varint()
      const number = Number(key >> 3n)
      const type = Number(key & 7n)
      if (type === 0) yield { number, value: this.varint(), bytes: undefined }
      else if (type === 2) yield { number, value: 0n, bytes: this.#take(Number(this.varint())) }
      else if (type === 1) this.#take(8)
      else if (type === 5) this.#take(4)
      else throw new RangeError(`no pprof profile: a field of wire type ${type}`)
    }
  }

  *varints(): Generator<bigint> {
    while (this.#at < this.#bytes.length) yield this.varint()
  }

  varint(): bigint {
    let value = 0n
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#bytes[this.#at++]
      if (byte === undefined) throw new RangeError('no pprof profile, or one that is cut off')
      value |= BigInt(byte & 127) << shift
      if (byte < 128) return BigInt.asUintN(64, value)
    }
    throw new RangeError('no pprof profile: a number of more than 64 bits')
  }

  #take(length: number): Uint8Array {
    const end = this.#at + length
    if (end > this.#bytes.length) throw new RangeError('no pprof profile, or one that is cut off')
    const bytes = this.#bytes.subarray(this.#at, end)
    this.#at = end
    return bytes
  }
}

/** A message's single numbers by field, and its repeated fields, packed or not. */
function message(bytes: Uint8Array) {
  const numbers = new Map<number, bigint>()
  const lists = new Map<number, bigint[]>()
  const messages = new Map<number, Uint8Array[]>()
  const push = <T>(map: Map<number, T[]>, field: number, value: T) => {
    const list = map.get(field)
    if (list === undefined) map.set(field, [value])
    else list.push(value)
  }
  for (const { number, value, bytes: inner } of new Wire(bytes).fields()) {
    if (inner !== undefined) push(messages, number, inner)
    else {
      numbers.set(number, value)
      push(lists, number, value)
    }
  }
  return {
    number: (field: number) => numbers.get(field) ?? 0n,
    messages: (field: number) => messages.get(field) ?? [],
    /** A repeated number: packed ones are bytes. */
    list: (field: number) => [
      ...(lists.get(field) ?? []),
      ...(messages.get(field) ?? []).flatMap((packed) => [...new Wire(packed).varints()]),
    ],
  }
}

function readProfile(bytes: Uint8Array, sink: Sink): void {
  const profile = message(bytes)
  const strings = profile.messages(6).map((name) => asText(Buffer.from(name).toString('latin1')))
  const text = (index: bigint) => strings[Number(index)] ?? ''
  const files = new Map(
    profile.messages(3).map((mapping) => {
      const { number } = message(mapping)
      return [number(1), text(number(5))]
    }),
  )
  const functions = new Map(
    profile.messages(5).map((one) => {
      const { number } = message(one)
      return [number(1), text(number(2))]
    }),
  )
  const locations = new Map(
    profile.messages(4).map((location) => {
      const { number, messages } = message(location)
      const names = messages(4).map((line) => functions.get(message(line).number(1)) ?? '')
      return [number(1), framesOf(number(3), files.get(number(2)), names)]
    }),
  )
  const types = profile.messages(1).map((type) => text(message(type).number(1)))
  const preferred = types.indexOf(text(profile.number(14)))
  const samples = profile.messages(2)
  if (types.length === 0 && samples.length === 0) throw new RangeError('no pprof profile: it has no samples')
  samples.forEach((sample, line) => {
    const { list, messages } = message(sample)
    const frames: RawFrame[] = []
    for (const id of list(1)) {
      const found = locations.get(id)
      if (found === undefined) sink.bad(line, `a sample at location ${id}, which the profile does not have`)
      else frames.push(...found)
    }
    const values = list(2)
    const weight = BigInt.asIntN(64, values[preferred < 0 ? values.length - 1 : preferred] ?? 1n)
    sink.event(traceEvent({ type: 'sample', line, frames, weight, ...labelsOf(messages(3), text) }))
  })
}

/** The frames at a location: one of an address; of inlined names without an address one each, the innermost first. */
function framesOf(address: bigint, file: string | undefined, names: readonly string[]): RawFrame[] {
  const user = file !== undefined && file !== '' && !KERNEL.test(file)
  const owner = user ? file : undefined
  if (address !== 0n) return [rawFrame({ address, name: names.at(-1) || undefined, owner, user })]
  return names.filter((name) => name !== '').map((name) => rawFrame({ name, owner, user }))
}

/** Who a sample is of, as far as its labels say, and the labels that say something else. */
function labelsOf(labels: readonly Uint8Array[], text: (index: bigint) => string): Partial<TraceEvent> {
  const fields: [string, string][] = []
  const who: { pid?: number; tid?: number; comm?: string } = {}
  for (const label of labels) {
    const { number } = message(label)
    const key = text(number(1))
    const word = text(number(2))
    const value = word === '' ? String(BigInt.asIntN(64, number(3))) : word
    if (key === 'comm') who.comm = value
    else if (key === 'pid' && /^\d{1,7}$/.test(value)) who.pid = Number(value)
    else if ((key === 'tid' || key === 'thread_id') && /^\d{1,7}$/.test(value)) who.tid = Number(value)
    else fields.push([key, value])
  }
  return { ...who, fields }
}
