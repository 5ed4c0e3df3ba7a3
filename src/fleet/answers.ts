// The answer to a piece, as bytes: ids and offsets of addresses, with names where they are asked for, or a part of a profile.

import { bytes as someBytes } from '../core/arguments.ts'
import { BadFormatError } from '../core/errors.ts'
import { type CodeKind, type ProfileFrame, type ProfilePart, profileParts } from '../stacks/profile.ts'
import { NO_SYMBOL } from '../symbols/search.ts'
import type { SymbolTable } from '../symbols/table.ts'

/** The facts that all addresses of one symbol share. */
export interface SymbolWords {
  readonly symbol: string
  readonly owner: string
  readonly size: number
  /** `0x…` */
  readonly address: string
}

/** The answer to addresses. */
export interface AddressAnswer {
  /** For each address its symbol's number, or NO_SYMBOL: of the table, or where there are `names` the place in those. */
  readonly ids: Uint32Array
  readonly offsets: Uint32Array
  /** The addresses that have no symbol, in order. */
  readonly unknown: BigUint64Array
  readonly names: readonly SymbolWords[] | undefined
}

/** The head of an answer, which tells the sizes of the parts behind it: five words. */
const HEAD_WORDS = 5
/** Words of addresses that have no symbol, and of those whose offset takes more bits than are left beside an id. */
const UNKNOWN = 0xffff_ffff
const FAR = 0xffff_fffe
const WORD_BYTES = 4
const NO_BYTES = new Uint8Array(0)

/** Writes answers to addresses, over and over in the same memory. */
export class AddressAnswers {
  #ids = new Uint32Array(0)
  #offsets = new Uint32Array(0)
  #head = new Uint32Array(HEAD_WORDS)

  /**
   * What a piece's addresses are, with words of their symbols or without, and how many have none. Little-endian: a word for each
   * address, its id above its offset; id and offset of those for which that is too narrow; the addresses without a symbol; words as JSON.
   */
  encode(
    addresses: BigUint64Array,
    symbols: SymbolTable,
    names: boolean,
  ): { readonly bytes: Uint8Array; readonly missing: number } {
    const count = addresses.length
    if (this.#ids.length < count) {
      this.#ids = new Uint32Array(count)
      this.#offsets = new Uint32Array(count)
      this.#head = new Uint32Array(HEAD_WORDS + count)
    }
    const into = { ids: this.#ids.subarray(0, count), offsets: this.#offsets.subarray(0, count) }
    const { ids, offsets } = symbols.findMany(addresses, into)
    const dictionary = names ? dictionaryOf(ids, symbols) : undefined
    // No id fills its bits, so that none is taken for UNKNOWN or FAR.
    const shift = Math.clz32((dictionary?.length ?? symbols.size) + 1)
    // A shift, not a power: V8 moves a power into the loop and works it out for each address.
    const limit = (1 << shift) >>> 0
    const far: number[] = []
    const unknown: bigint[] = []
    // An answer is handed out once, in memory of its size: what is made on the way is what V8 collects for.
    const head = this.#head
    for (let i = 0; i < count; i++) {
      const id = ids[i]!
      const offset = offsets[i]!
      if (id === NO_SYMBOL) {
        head[HEAD_WORDS + i] = UNKNOWN
        unknown.push(addresses[i]!)
      } else if (offset >= limit) {
        head[HEAD_WORDS + i] = FAR
        far.push(id, offset)
      } else head[HEAD_WORDS + i] = (id << shift) | offset
    }
    const words = dictionary === undefined ? NO_BYTES : Buffer.from(JSON.stringify(dictionary))
    head.set([count, shift, far.length / 2, unknown.length, words.length])
    const parts = [
      bytesOf(head.subarray(0, HEAD_WORDS + count)),
      ...[Uint32Array.from(far), BigUint64Array.from(unknown)].map(bytesOf),
    ]
    return { bytes: Buffer.concat([...parts, words]), missing: unknown.length }
  }
}

/** The words of the symbols that there are, of which each id then is the number. */
function dictionaryOf(ids: Uint32Array, symbols: SymbolTable): SymbolWords[] {
  const numbers = new Map<number, number>()
  const words: SymbolWords[] = []
  for (let i = 0; i < ids.length; i++) {
    const id = ids[i]!
    if (id === NO_SYMBOL) continue
    let number = numbers.get(id)
    if (number === undefined) {
      number = words.push(wordsOf(symbols, id)) - 1
      numbers.set(id, number)
    }
    ids[i] = number
  }
  return words
}

/** The words for a symbol of the table. */
export function wordsOf(symbols: SymbolTable, id: number): SymbolWords {
  const address = symbols.addressOf(id)
  const match = symbols.at(address)
  const size = match?.symbol.id === id ? match.size : symbols.sizeOf(id)
  return { symbol: symbols.nameOf(id), owner: symbols.ownerOf(id), size, address: `0x${address.toString(16)}` }
}

/** @throws BadFormatError if the bytes are no answer to addresses */
export function decodeAddresses(bytes: Uint8Array): AddressAnswer {
  someBytes(bytes, 'bytes')
  if (bytes.length < HEAD_WORDS * WORD_BYTES) throw new BadFormatError('an answer to addresses is cut short')
  // What a message holds lies anywhere in memory, and a Buffer is no copy where it is sliced.
  const own = new Uint8Array(bytes)
  const [count = 0, shift = 0, far = 0, missing = 0, wordBytes = 0] = new Uint32Array(own.buffer, 0, HEAD_WORDS)
  const tail = (HEAD_WORDS + count + far * 2) * WORD_BYTES
  if (tail + missing * 8 + wordBytes !== own.length || shift > 31)
    throw new BadFormatError('an answer to addresses is not as long as it says')
  const words = new Uint32Array(own.buffer, HEAD_WORDS * WORD_BYTES, count + far * 2)
  const ids = new Uint32Array(count)
  const offsets = new Uint32Array(count)
  const mask = ((1 << shift) >>> 0) - 1
  let nextFar = count
  let unknown = 0
  for (let i = 0; i < count; i++) {
    const word = words[i]!
    if (word === UNKNOWN) {
      ids[i] = NO_SYMBOL
      unknown++
    } else if (word === FAR) {
      ids[i] = words[nextFar++] ?? 0
      offsets[i] = words[nextFar++] ?? 0
    } else {
      ids[i] = word >>> shift
      offsets[i] = word & mask
    }
  }
  if (unknown !== missing || nextFar !== words.length)
    throw new BadFormatError('an answer to addresses has not what it says')
  const text = own.subarray(tail + missing * 8)
  return {
    ids,
    offsets,
    unknown: new BigUint64Array(own.buffer.slice(tail, tail + missing * 8)),
    names: text.length === 0 ? undefined : (jsonOf(text) as readonly SymbolWords[]),
  }
}

function bytesOf({ buffer, byteOffset, byteLength }: Uint32Array | BigUint64Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength)
}

/** The parts of a profile as JSON: numbers of 64 bits as text. */
export function encodeProfile(parts: readonly ProfilePart[]): Uint8Array {
  profileParts(parts, 'parts')
  const written = parts.map(({ event, unit, frames, parents, nodes, weights, counts, time }) => ({
    event,
    unit,
    frames: frames.map(({ name, kind, owner, address }) => [
      name,
      kind,
      owner ?? null,
      address === undefined ? null : `0x${address.toString(16)}`,
    ]),
    parents,
    nodes,
    // Most are short, and short ones are read twice as fast as text.
    weights: weights.map((weight) => (weight <= LARGEST_EXACT ? Number(weight) : String(weight))),
    counts,
    time: time?.map(String),
  }))
  return Buffer.from(JSON.stringify(written))
}

const LARGEST_EXACT = BigInt(Number.MAX_SAFE_INTEGER)
const KINDS: readonly CodeKind[] = ['kernel', 'module', 'user', 'unknown', 'process']

/** @throws BadFormatError if the bytes are no parts of a profile */
export function decodeProfile(bytes: Uint8Array): ProfilePart[] {
  const parts = jsonOf(someBytes(bytes, 'bytes'))
  if (!Array.isArray(parts)) throw damaged()
  return parts.map(partOf)
}

function partOf(given: unknown): ProfilePart {
  if (typeof given !== 'object' || given === null) throw damaged()
  const part = given as Readonly<Record<string, unknown>>
  const columns = ['parents', 'nodes', 'weights', 'counts'].map((name) => listIn(part, name))
  const [parents = [], nodes = [], weights = [], counts = []] = columns
  const frames = listIn(part, 'frames').map(frameOf)
  if (columns.some((column) => column.length !== parents.length)) throw damaged()
  const time = part.time === undefined ? [] : listIn(part, 'time').map(weightOf)
  const [first, last] = time
  return {
    event: textIn(part, 'event'),
    unit: textIn(part, 'unit'),
    frames,
    parents: parents.map((parent, i) => numberBelow(parent, i + 1)),
    nodes: nodes.map((frame) => numberBelow(frame, frames.length)),
    weights: weights.map(weightOf),
    counts: counts.map((count) => numberBelow(count, Number.MAX_SAFE_INTEGER)),
    time: first === undefined || last === undefined ? undefined : [first, last],
    samples: undefined,
  }
}

function frameOf(given: unknown): ProfileFrame {
  if (!Array.isArray(given)) throw damaged()
  const [name, kind, owner, address]: readonly unknown[] = given
  const known = KINDS.find((one) => one === kind)
  if (typeof name !== 'string' || known === undefined) throw damaged()
  return {
    name,
    kind: known,
    owner: typeof owner === 'string' ? owner : undefined,
    address: address === null ? undefined : weightOf(address),
  }
}

function weightOf(given: unknown): bigint {
  if (typeof given === 'number' && Number.isSafeInteger(given)) return BigInt(given)
  if (typeof given !== 'string' || !/^(?:-?\d{1,40}|0x[0-9a-f]{1,16})$/.test(given)) throw damaged()
  return BigInt(given)
}

function numberBelow(given: unknown, limit: number): number {
  if (typeof given !== 'number' || !Number.isInteger(given) || given < 0 || given >= limit) throw damaged()
  return given
}

function listIn(part: Readonly<Record<string, unknown>>, name: string): readonly unknown[] {
  const list = part[name]
  if (!Array.isArray(list)) throw damaged()
  return list
}

function textIn(part: Readonly<Record<string, unknown>>, name: string): string | undefined {
  const given = part[name]
  return typeof given === 'string' ? given : undefined
}

function damaged(): BadFormatError {
  return new BadFormatError('an answer is no part of a profile')
}

function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString())
  } catch {
    throw new BadFormatError('an answer is no JSON')
  }
}
