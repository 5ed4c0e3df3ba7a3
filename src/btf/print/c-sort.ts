// The order in which bpftool puts types of a C header by default: by rank of kind, name, and a hash of the contents.

import { LimitError } from '../../core/errors.ts'
import { infoKind, infoVlen, KIND_ARRAY, KIND_DECL_TAG, KIND_ENUM, KIND_FUNC_PROTO, KIND_PTR } from '../format.ts'
import { isComposite, isEnum, isModifier, isScalar } from '../kinds.ts'
import { compareNames, nameEnd } from '../read/names.ts'
import type { TypeSet } from '../read/type-set.ts'
import { mostText } from './raw.ts'

const LAST_RANK = 10
/** Longest chain of references that is followed. */
const MAX_CHAIN = 256

/**
 * All ids in the order of bpftool's sorted header. Like bpftool, which counts from 1 in a list that starts at 0, the
 * first type in the order is left out unless another one needs it.
 * @throws LimitError for names out of all proportion
 */
export function sortForC(set: TypeSet): Uint32Array {
  const count = set.endId
  const names = new NameOrder(set)
  const ownNames = new Uint32Array(count)
  const sortNames = new Uint32Array(count)
  for (let id = 0; id < count; id++) {
    ownNames[id] = names.add(set.word(id, 0))
    sortNames[id] = names.add(sortName(set, id))
  }
  const places = names.places()
  // By rank of kind and then by name, as one number: there are fewer than 2^32 names, and ranks below 16.
  const keys = Float64Array.from(sortNames, (name, id) => rank(set, id) * 2 ** 32 + places[name]!)
  const hashes = new ContentHashes(set)
  const ids = Uint32Array.from({ length: count }, (_, id) => id)
  ids.sort((a, b) => {
    return keys[a]! - keys[b]! || places[ownNames[a]!]! - places[ownNames[b]!]! || hashes.compare(a, b) || a - b
  })
  return ids.subarray(1)
}

/** Names by their places in the order of strcmp, so that each is compared with others once, and its number after that. */
class NameOrder {
  readonly #set: TypeSet
  /** By offset: one more than the name's number. */
  readonly #numbers: Uint32Array
  /** By number, where the names are. */
  readonly #bytes: Uint8Array[] = []
  readonly #starts: number[] = []
  readonly #lengths: number[] = []
  #left: number

  constructor(set: TypeSet) {
    this.#set = set
    this.#numbers = new Uint32Array(set.stringEnd)
    this.#left = mostText(set)
  }

  /** The number of the name at an offset. @throws LimitError for names out of all proportion */
  add(offset: number): number {
    // What is past the end is the empty name.
    const at = offset < this.#numbers.length ? offset : 0
    if (this.#numbers[at] === 0) {
      const { bytes, start } = at === 0 ? NO_NAME : this.#set.locateName(at)
      this.#bytes.push(bytes)
      this.#lengths.push(nameEnd(bytes, start) - start)
      this.#numbers[at] = this.#starts.push(start)
    }
    const number = this.#numbers[at]! - 1
    // However many types share a name, each would be printed.
    this.#left -= this.#lengths[number]!
    if (this.#left < 0) throw new LimitError('the names of the types grow out of all proportion to them')
    return number
  }

  /** By number: the name's place among all that were added; equal names have one place. */
  places(): Uint32Array {
    const [bytes, starts] = [this.#bytes, this.#starts]
    const heads = Float64Array.from(starts, (start, number) => headOf(bytes[number]!, start))
    const compare = (a: number, b: number): number => {
      const difference = heads[a]! - heads[b]!
      if (difference !== 0 || heads[a]! % 0x100 === 0) return difference
      return compareNames(bytes[a]!, starts[a]! + HEAD_BYTES, bytes[b]!, starts[b]! + HEAD_BYTES)
    }
    const order = Uint32Array.from(starts, (_, number) => number).sort(compare)
    const places = new Uint32Array(order.length)
    let place = 0
    for (let i = 1; i < order.length; i++) {
      if (compare(order[i - 1]!, order[i]!) !== 0) place++
      places[order[i]!] = place
    }
    return places
  }
}

const NO_NAME = { bytes: Buffer.from([0]), start: 0 }

/** Bytes of a name that fit a number; where the last of them is zero, they are the whole name. */
const HEAD_BYTES = 6

/** The first bytes of a name as a number that has their order; zeros behind its end. */
function headOf(bytes: Uint8Array, start: number): number {
  let head = 0
  let ended = false
  for (let i = 0; i < HEAD_BYTES; i++) {
    const byte: number = ended ? 0 : bytes[start + i]!
    ended ||= byte === 0
    head = head * 0x100 + byte
  }
  return head
}

/** Whether a kind takes its place in the order from the type it refers to. */
function isReference(kind: number): boolean {
  return isModifier(kind) || kind === KIND_PTR || kind === KIND_DECL_TAG
}

function rank(set: TypeSet, id: number): number {
  let named = false
  let at = id
  for (let depth = 0; depth < MAX_CHAIN; depth++) {
    const kind = set.kindNumberOf(at)
    if (set.word(at, 0) !== 0) named = true
    if (isEnum(kind)) return named ? 1 : 0
    if (isScalar(kind)) return 2
    if (!named) return LAST_RANK
    if (isComposite(kind)) return 3
    if (kind === KIND_FUNC_PROTO) return 4
    if (kind === KIND_ARRAY) at = set.word(at, 3)
    else if (isReference(kind)) at = set.refOf(at)
    else return LAST_RANK
  }
  return LAST_RANK
}

/** Where the name is that a type is sorted by. */
function sortName(set: TypeSet, id: number): number {
  let at = id
  for (let depth = 0; depth < MAX_CHAIN; depth++) {
    const kind = set.kindNumberOf(at)
    if (kind === KIND_ARRAY) at = set.word(at, 3)
    else if (isReference(kind)) at = set.refOf(at)
    else if (isEnum(kind) && at === id && set.word(id, 0) === 0) {
      // An anonymous enum is known by its first enumerator.
      return set.vlenOf(id) > 0 ? set.word(id, 3) : 0
    } else return set.word(at, 0)
  }
  return 0
}

/** 64-bit hashes of what types contain, in two halves, worked out only for types that need telling apart. */
class ContentHashes {
  readonly #set: TypeSet
  /** Kept hashes by 2 × id, + 1 where members count: high half × 2^32 would not fit a number. */
  readonly #highs: Uint32Array
  readonly #lows: Uint32Array
  readonly #isKept: Uint8Array
  #high = 0
  #low = 0

  constructor(set: TypeSet) {
    this.#set = set
    this.#highs = new Uint32Array(2 * set.endId)
    this.#lows = new Uint32Array(2 * set.endId)
    this.#isKept = new Uint8Array(2 * set.endId)
  }

  compare(a: number, b: number): number {
    const x = this.#kept(a, true, 0)
    const y = this.#kept(b, true, 0)
    return this.#highs[x]! - this.#highs[y]! || this.#lows[x]! - this.#lows[y]!
  }

  /** Where the hash of a type is kept. */
  #kept(id: number, withMembers: boolean, depth: number): number {
    const key = 2 * id + (withMembers ? 1 : 0)
    if (this.#isKept[key] === 1) return key
    const [high, low] = [this.#high, this.#low]
    this.#high = 0
    this.#low = 0
    if (depth < MAX_CHAIN && id !== 0) this.#contents(id, withMembers, depth)
    this.#highs[key] = this.#high
    this.#lows[key] = this.#low
    this.#isKept[key] = 1
    this.#high = high
    this.#low = low
    return key
  }

  /** hash = hash × 31 + value, modulo 2^64. */
  #add(high: number, low: number): void {
    const product = this.#low * 31 + low
    const carry = Math.floor(product / 0x100000000)
    this.#low = product % 0x100000000
    this.#high = (this.#high * 31 + high + carry) % 0x100000000
  }

  #addName(offset: number): void {
    if (offset === 0) return
    const { bytes, start } = this.#set.locateName(offset)
    let high = 0
    let low = 0
    for (let i = start; bytes[i] !== 0; i++) {
      // The bytes are C chars, which are signed.
      const byte = (bytes[i]! << 24) >> 24
      const product = low * 31 + byte
      const carry = Math.floor(product / 0x100000000)
      low = product - carry * 0x100000000
      high = (high * 31 + carry) % 0x100000000
      if (high < 0) high += 0x100000000
    }
    this.#add(high, low)
  }

  #addType(id: number, withMembers: boolean, depth: number): void {
    const key = this.#kept(id, withMembers, depth + 1)
    this.#add(this.#highs[key]!, this.#lows[key]!)
  }

  #contents(id: number, withMembers: boolean, depth: number): void {
    const own = this.#set.owner(id)!
    const { words } = own
    const at = own.position(id)
    const info = words[at + 1]!
    const kind = infoKind(info)
    this.#addName(words[at]!)
    if (isEnum(kind)) {
      const step = kind === KIND_ENUM ? 2 : 3
      for (let i = 0; i < infoVlen(info); i++) this.#addName(words[at + 3 + step * i]!)
    } else if (isComposite(kind)) {
      if (!withMembers) return
      for (let i = 0; i < infoVlen(info); i++) {
        this.#addName(words[at + 3 + 3 * i]!)
        this.#addType(words[at + 4 + 3 * i]!, false, depth)
      }
    } else if (kind === KIND_ARRAY) {
      this.#add(0, words[at + 5]!)
      this.#addType(words[at + 3]!, withMembers, depth)
    } else if (isReference(kind)) this.#addType(words[at + 2]!, withMembers, depth)
  }
}
