// The wire format of pprof profiles (github.com/google/pprof, proto/profile.proto), packed or not, within bounds; and the mappings that one has.

import { closeSync, constants, openSync, readFileSync, readSync, statSync } from 'node:fs'
import { gunzipSync, constants as zlib } from 'node:zlib'
import { BadFormatError, LimitError } from '../core/errors.ts'
import type { PerfMapping } from './perf-data.ts'
import { errorCode, readFailure } from './reader.ts'

/** Bytes that a packed profile may unpack to. */
const MOST_UNPACKED = 1 << 27
/** Numbers in a profile: keys, lengths and values. */
const MOST_NUMBERS = 1 << 23
/** What a message, string or list costs of them, as it takes more memory than a number. */
const BYTES_COST = 4
/** Characters that its samples may have when they are written out, every frame and label of each. */
const MOST_EXPANDED = 1 << 27
/** Fields that are looked at to tell a profile. */
const FIELDS_TOLD = 6

/** Wire types of the fields of a Profile: bytes for messages, strings and packed numbers, else numbers. */
const MESSAGES = [1, 2, 3, 4, 5, 6, 11]

/** Whether a sample begins with the fields of a profile, in whatever order; text does not, as it has no such lengths. */
export function isProfile(sample: string): boolean {
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
export class Budget {
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

/** A profile's bytes. @throws LimitError; an Error of gunzip */
export function unpacked(bytes: Uint8Array): Uint8Array {
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
export function message(bytes: Uint8Array, budget: Budget) {
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

/** What a profile tells of the machine that it is of. */
export interface ProfileMappings {
  readonly mappings: readonly PerfMapping[]
  /** Nanoseconds since 1970 when it was begun; 0 where it does not tell. */
  readonly time: bigint
}

/**
 * The mappings of a profile, whose file `path` names; undefined if it is no profile.
 * @throws NotReadableError, BadFormatError, LimitError
 */
export function readProfileMappings(path: string): ProfileMappings | undefined {
  const found = statSync(path, { throwIfNoEntry: false })
  if (found?.isFile() !== true || !isProfile(beginningOf(path))) return undefined
  if (found.size > MOST_UNPACKED)
    throw new LimitError(`${path}: a pprof profile of more than ${MOST_UNPACKED >> 20} MiB`)
  let packed: Uint8Array
  try {
    packed = readFileSync(path)
  } catch (error) {
    throw readFailure(path, error)
  }
  try {
    return mappingsOf(unpacked(packed))
  } catch (error) {
    if (error instanceof LimitError) throw error
    throw new BadFormatError(`${path}: ${error instanceof Error ? error.message : String(error)}`)
  }
}

/** Bytes that tell whether it is a profile. */
const TOLD_BYTES = 1 << 12

/** The beginning of a file, unpacked, a character for a byte; empty where it cannot be read, or not be unpacked. */
function beginningOf(path: string): string {
  const bytes = Buffer.alloc(TOLD_BYTES)
  try {
    const descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
    let start: Buffer
    try {
      start = bytes.subarray(0, readSync(descriptor, bytes, 0, TOLD_BYTES, 0))
    } finally {
      closeSync(descriptor)
    }
    // It ends in the middle of what is packed.
    const told = start[0] === 0x1f ? gunzipSync(start, { finishFlush: zlib.Z_SYNC_FLUSH }) : start
    return told.toString('latin1', 0, TOLD_BYTES)
  } catch {
    // Whoever reads it says why it cannot be read.
    return ''
  }
}

function mappingsOf(bytes: Uint8Array): ProfileMappings {
  const budget = new Budget()
  const profile = message(bytes, budget)
  const strings = profile.messages(6)
  const text = (index: bigint) => {
    const found = strings[Number(index)]
    return found === undefined ? '' : Buffer.from(found.buffer, found.byteOffset, found.length).toString('latin1')
  }
  const mappings = profile.messages(3).map((mapping): PerfMapping => {
    const { number } = message(mapping, budget)
    const start = number(2)
    const buildId = text(number(6))
    return {
      file: text(number(5)),
      start,
      bytes: Number(number(3) - start),
      offset: number(4),
      buildId: buildId || undefined,
    }
  })
  return { mappings, time: BigInt.asIntN(64, profile.number(9)) }
}
