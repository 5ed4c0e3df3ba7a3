// pprof profiles (github.com/google/pprof, proto/profile.proto), packed or not: samples whose locations are addresses in
// mappings, or names where somebody looked them up before. The one format that is no lines.

import { gunzipSync } from 'node:zlib'
import { BadFormatError, LimitError } from '../../core/errors.ts'
import { errorCode } from '../../sources/reader.ts'
import { type RawFrame, rawFrame } from '../../stacks/frame.ts'
import { type TraceEvent, traceEvent } from '../event.ts'
import { asText, type InputFormat, type Sink } from '../format.ts'
import { fileOf } from './dso.ts'

/** Bytes that a packed profile may unpack to. */
const MOST_UNPACKED = 1 << 27
/** Numbers in a profile: keys, lengths and values. */
const MOST_NUMBERS = 1 << 23
/** What a message, string or list costs of them, as it takes more memory than a number. */
const BYTES_COST = 4
/** Characters that its samples may have when they are written out, every frame and label of each. */
const MOST_EXPANDED = 1 << 27
/** The cost of a frame beside its name. */
const FRAME_CHARACTERS = 96
const GZIP = '\u001f\u008b'
/** Fields that are looked at to tell a profile. */
const FIELDS_TOLD = 6

export const pprof: InputFormat = {
  name: 'pprof',
  what: 'pprof profiles (protobuf, packed or not), as Go, parca and perf_to_profile write them',
  kind: 'binary',
  recognise: (_, sample) => (sample.startsWith(GZIP) || isProfile(sample) ? Number.MAX_SAFE_INTEGER : 0),
  startsRecord: 'the whole',
  decoder: () => ({ line() {}, end() {} }),
  decodeWhole(bytes, sink) {
    try {
      readProfile(unpacked(bytes), sink)
    } catch (error) {
      if (error instanceof LimitError) throw error
      // Errors of gunzip and of the bounds in `Wire`, both of which say what is wrong: nothing behind it can be read.
      throw new BadFormatError(error instanceof Error ? error.message : String(error))
    }
  },
}

/** Wire types of the fields of a Profile: bytes for messages, strings and packed numbers, else numbers. */
const MESSAGES = [1, 2, 3, 4, 5, 6, 11]

/** Whether a sample begins with the fields of a profile, in whatever order; text does not, as it has no such lengths. */
function isProfile(sample: string): boolean {
  if (!/[^\t\n\r\x20-\x7e]/.test(sample)) return false
  const bytes = Buffer.from(sample, 'latin1')
  let at = 0
  for (let fields = 0; fields < FIELDS_TOLD; fields++) {
    const key = bytes[at++]
    if (key === undefined) return fields > 1
    const number = key >> 3
    const type = key & 7
    if (key > 127 || number < 1 || number > 15) return false
    if (type !== 2 && (type !== 0 || MESSAGES.includes(number))) return false
    if (type === 2 && !MESSAGES.includes(number) && number !== 13) return false
    let value = 0
    for (let shift = 1; ; shift *= 128) {
      const byte = bytes[at++]
      if (byte === undefined) return fields > 1
      if (shift > 2 ** 62) return false
      value += (byte & 127) * shift
      if (byte < 128) break
    }
    if (type === 2) at += value
    // What is longer than the sample may be the rest of the profile.
    if (at > bytes.length) return fields > 1
  }
  return true
}

/** What is left of what a profile may become: messages hold each other, and samples refer to what is there once. */
class Budget {
  #numbers = MOST_NUMBERS
  #expanded = MOST_EXPANDED

  /** @throws LimitError if the profile has more numbers than may be */
  number(cost = 1): void {
    this.#numbers -= cost
    if (this.#numbers < 0) throw new LimitError(`a pprof profile of more than ${MOST_NUMBERS} numbers`)
  }

  /** @throws LimitError if samples written out have more characters than may be */
  write(characters: number): void {
    this.#expanded -= characters
    if (this.#expanded < 0) {
      throw new LimitError(
        `a pprof profile whose samples, written out, have more than ${MOST_EXPANDED >> 20} MiB: merge or filter it first`,
      )
    }
  }
}

function unpacked(bytes: Uint8Array): Uint8Array {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes
  try {
    return gunzipSync(bytes, { maxOutputLength: MOST_UNPACKED })
  } catch (error) {
    if (errorCode(error) !== 'ERR_BUFFER_TOO_LARGE') throw error
    throw new LimitError(`a pprof profile of more than ${MOST_UNPACKED >> 20} MiB when it is unpacked`)
  }
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
  readonly #budget: Budget
  #at = 0

  constructor(bytes: Uint8Array, budget: Budget) {
    this.#bytes = bytes
    this.#budget = budget
  }

  *fields(): Generator<Field> {
    while (this.#at < this.#bytes.length) {
      const key = this.varint()
      const number = Number(key >> 3n)
      const type = Number(key & 7n)
      if (type === 0) yield { number, value: this.varint(), bytes: undefined }
      else if (type === 2) {
        this.#budget.number(BYTES_COST)
        yield { number, value: 0n, bytes: this.#take(Number(this.varint())) }
      } else if (type === 1) this.#take(8)
      else if (type === 5) this.#take(4)
      else throw new RangeError(`no pprof profile: a field of wire type ${type}`)
    }
  }

  *varints(): Generator<bigint> {
    while (this.#at < this.#bytes.length) yield this.varint()
  }

  varint(): bigint {
    this.#budget.number()
    const first = this.#bytes[this.#at]
    if (first !== undefined && first < 128) {
      this.#at++
      return BigInt(first)
    }
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
function message(bytes: Uint8Array, budget: Budget) {
  const numbers = new Map<number, bigint>()
  const lists = new Map<number, bigint[]>()
  const messages = new Map<number, Uint8Array[]>()
  const push = <T>(map: Map<number, T[]>, field: number, value: T) => {
    const list = map.get(field)
    if (list === undefined) map.set(field, [value])
    else list.push(value)
  }
  for (const { number, value, bytes: inner } of new Wire(bytes, budget).fields()) {
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
      ...(messages.get(field) ?? []).flatMap((packed) => [...new Wire(packed, budget).varints()]),
    ],
  }
}

function readProfile(bytes: Uint8Array, sink: Sink): void {
  const budget = new Budget()
  const profile = message(bytes, budget)
  const strings = profile.messages(6).map((name) => asText(Buffer.from(name).toString('latin1')))
  const text = (index: bigint) => strings[Number(index)] ?? ''
  const files = new Map(
    profile.messages(3).map((mapping) => {
      const { number } = message(mapping, budget)
      return [number(1), text(number(5))]
    }),
  )
  const functions = new Map(
    profile.messages(5).map((one) => {
      const { number } = message(one, budget)
      return [number(1), text(number(2))]
    }),
  )
  const locations = new Map(
    profile.messages(4).map((location) => {
      const { number, messages } = message(location, budget)
      const names = messages(4).map((line) => functions.get(message(line, budget).number(1)) ?? '')
      return [number(1), framesOf(number(3), files.get(number(2)), names)]
    }),
  )
  const types = profile.messages(1).map((type) => {
    const { number } = message(type, budget)
    return { name: text(number(1)), unit: text(number(2)) }
  })
  // The value that the profile prefers, or the last one, which is what pprof shows.
  const wanted = text(profile.number(14))
  const preferred = types.findIndex(({ name }) => name === wanted && name !== '')
  const type = types[preferred < 0 ? types.length - 1 : preferred]
  const samples = profile.messages(2)
  if (types.length === 0 && samples.length === 0) throw new RangeError('no pprof profile: it has no samples')
  samples.forEach((sample, line) => {
    const { list, messages } = message(sample, budget)
    const frames: RawFrame[] = []
    let missing: bigint | undefined
    for (const id of list(1)) {
      const found = locations.get(id)
      if (found === undefined) missing ??= id
      for (const frame of found ?? []) {
        budget.write(FRAME_CHARACTERS + (frame.name?.length ?? 0) + (frame.owner?.length ?? 0))
        frames.push(frame)
      }
    }
    if (missing !== undefined) sink.bad(line, `a sample at location ${missing}, which the profile does not have`)
    const values = list(2)
    const weight = BigInt.asIntN(64, values[preferred < 0 ? values.length - 1 : preferred] ?? 1n)
    sink.event(
      traceEvent({
        type: 'sample',
        name: type?.name || undefined,
        unit: type?.unit || undefined,
        line,
        frames,
        weight,
        ...labelsOf(messages(3), text, budget),
      }),
    )
  })
}

/**
 * The frames at a location: one for each of its lines, the innermost first, of which all but the last were inlined; one of an
 * address alone where there are none. Where the profile names no file, addresses of the lower half are user space's.
 */
function framesOf(address: bigint, file: string | undefined, names: readonly string[]): RawFrame[] {
  const given = address === 0n ? undefined : address
  const known = file !== undefined && file !== ''
  const { owner, user } = known
    ? fileOf(file, given)
    : { owner: undefined, user: address !== 0n && address < 1n << 63n }
  const place = { address: given, owner, user }
  const named = names.filter((name) => name !== '')
  if (named.length === 0) return given === undefined ? [] : [rawFrame(place)]
  return named.map((name, i) => rawFrame({ ...place, name, inlined: i < named.length - 1 }))
}

/** The process of a sample, as far as its labels name it, and the other labels. */
function labelsOf(labels: readonly Uint8Array[], text: (index: bigint) => string, budget: Budget): Partial<TraceEvent> {
  const fields: [string, string][] = []
  const who: { pid?: number; tid?: number; comm?: string } = {}
  for (const label of labels) {
    const { number } = message(label, budget)
    const key = text(number(1))
    const word = text(number(2))
    const value = word === '' ? String(BigInt.asIntN(64, number(3))) : word
    budget.write(key.length + value.length)
    if (key === 'comm') who.comm = value
    else if (key === 'pid' && /^\d{1,7}$/.test(value)) who.pid = Number(value)
    else if ((key === 'tid' || key === 'thread_id') && /^\d{1,7}$/.test(value)) who.tid = Number(value)
    else fields.push([key, value])
  }
  return { ...who, fields }
}
