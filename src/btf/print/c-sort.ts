// The order in which bpftool puts types of a C header by default: by rank of kind, name, and a hash of the contents.

import { LimitError } from '../../core/errors.ts'
import {
  infoKind,
  infoVlen,
  KIND_ARRAY,
  KIND_DATASEC,
  KIND_DECL_TAG,
  KIND_ENUM,
  KIND_FUNC,
  KIND_FUNC_PROTO,
  KIND_PTR,
  KIND_VAR,
} from '../format.ts'
import { isComposite, isEnum, isModifier, isScalar } from '../kinds.ts'
import { compareNames, nameEnd } from '../read/names.ts'
import type { TypeSet } from '../read/type-set.ts'
import { FlatTypes } from './flat-types.ts'
import { mostText } from './raw.ts'

const LAST_RANK = 10
/** Longest chain of references that is followed. */
const MAX_CHAIN = 256

/**
 * All ids in the order of bpftool's sorted header but functions, variables and sections, which print nothing and need nothing. Like
 * bpftool, which counts from 1 in a list that starts at 0, the first type in the order is left out unless another one needs it; that is
 * none of these, because void comes before them.
 * @throws LimitError for names out of all proportion
 */
export function sortForC(set: TypeSet): Uint32Array {
  const types = new FlatTypes(set)
  const ids = new Uint32Array(set.endId)
  let count = 0
  for (let id = 0; id < set.endId; id++) if (!printsNothing(types.kind(id))) ids[count++] = id
  const names = new NameOrder(set)
  const ownNames = new Uint32Array(set.endId)
  const sortNames = new Uint32Array(set.endId)
  for (let i = 0; i < count; i++) {
    const id = ids[i]!
    ownNames[id] = names.add(types.names[id]!)
    sortNames[id] = names.add(sortName(set, types, id))
  }
  const { places, most } = names.places()
  const ranks = new Uint8Array(set.endId)
  for (let i = 0; i < count; i++) ranks[ids[i]!] = rank(set, types, ids[i]!)
  // By rank of kind, then by name: what counts least first, since each pass leaves equals as they are.
  let order = countedBy(ids.subarray(0, count), most, (id) => places[ownNames[id]!]!)
  order = countedBy(order, most, (id) => places[sortNames[id]!]!)
  order = countedBy(order, LAST_RANK, (id) => ranks[id]!)
  const hashes = new ContentHashes(set)
  const isLike = (a: number, b: number) =>
    ranks[a] === ranks[b] &&
    places[sortNames[a]!] === places[sortNames[b]!] &&
    places[ownNames[a]!] === places[ownNames[b]!]
  const compare = (a: number, b: number) => hashes.compare(a, b) || a - b
  for (let start = 0, end = 1; start < count; start = end++) {
    let isOrdered = true
    for (; end < count && isLike(order[start]!, order[end]!); end++)
      isOrdered &&= compare(order[end - 1]!, order[end]!) < 0
    if (!isOrdered) order.subarray(start, end).sort(compare)
  }
  return order.subarray(1)
}

function printsNothing(kind: number): boolean {
  return kind === KIND_FUNC || kind === KIND_VAR || kind === KIND_DATASEC
}

/** Ids in the order of a number that each has, from 0 to `most`; those of one number stay in theirs. */
function countedBy(ids: Uint32Array, most: number, numberOf: (id: number) => number): Uint32Array {
  const starts = new Uint32Array(most + 2)
  for (const id of ids) starts[numberOf(id) + 1]!++
  for (let i = 1; i < starts.length; i++) starts[i]! += starts[i - 1]!
  const sorted = new Uint32Array(ids.length)
  for (const id of ids) {
    const number = numberOf(id)
    sorted[starts[number]!] = id
    starts[number]!++
  }
  return sorted
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

  /** By number: the name's place among all that were added; equal names have one place. And the last place. */
  places(): { readonly places: Uint32Array; readonly most: number } {
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
    return { places, most: place }
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

function rank(set: TypeSet, types: FlatTypes, id: number): number {
  let named = false
  let at = id
  for (let depth = 0; depth < MAX_CHAIN; depth++) {
    const kind = types.kind(at)
    if (types.isNamed(at)) named = true
    if (isEnum(kind)) return named ? 1 : 0
    if (isScalar(kind)) return 2
    if (!named) return LAST_RANK
    if (isComposite(kind)) return 3
    if (kind === KIND_FUNC_PROTO) return 4
    if (kind === KIND_ARRAY) at = set.word(at, 3)
    else if (isReference(kind)) at = types.ref(at)
    else return LAST_RANK
  }
  return LAST_RANK
}

/** Where the name is that a type is sorted by. */
function sortName(set: TypeSet, types: FlatTypes, id: number): number {
  let at = id
  for (let depth = 0; depth < MAX_CHAIN; depth++) {
    const kind = types.kind(at)
    if (kind === KIND_ARRAY) at = set.word(at, 3)
    else if (isReference(kind)) at = types.ref(at)
    else if (isEnum(kind) && at === id && !types.isNamed(id)) {
      // An anonymous enum is known by its first enumerator.
      return set.vlenOf(id) > 0 ? set.word(id, 3) : 0
    } else return types.names[at] ?? 0
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

  /** hash = hash × 31 + value, modulo 2^64. Halves are taken off products by shifts: a remainder is a call of the C library. */
  #add(high: number, low: number): void {
    const product = this.#low * 31 + low
    this.#low = product >>> 0
    this.#high = (Math.imul(this.#high, 31) + high + (product - this.#low) * 2 ** -32) >>> 0
  }

  #addName(offset: number): void {
    if (offset === 0) return
    const { bytes, start } = this.#set.locateName(offset)
    let high = 0
    let low = 0
    for (let i = start; bytes[i] !== 0; i++) {
      // The bytes are C chars, which are signed.
      const product = low * 31 + ((bytes[i]! << 24) >> 24)
      low = product >>> 0
      high = (Math.imul(high, 31) + (product - low) * 2 ** -32) >>> 0
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
