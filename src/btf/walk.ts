// The structural pass over a blob's types: counts them, notes where each begins, hashes names, and makes every later read
// safe: ids, name offsets and lengths are in bounds after it. Works in bounded steps over one reusable state.
import { BadFormatError, UnsupportedError } from '../core/errors.ts'
import {
  ELEMENT_WORDS,
  FIXED_WORDS,
  infoKind,
  infoVlen,
  KIND_ARRAY,
  KIND_COUNT,
  KIND_DATASEC,
  KIND_ENUM,
  KIND_ENUM64,
  KIND_FLOAT,
  KIND_FUNC_PROTO,
  KIND_FWD,
  KIND_INT,
  KIND_STRUCT,
  KIND_UNION,
  type KindLayout,
  kindName,
  TYPE_WORDS,
  typeWords,
} from './format.ts'
import type { BtfHeader } from './header.ts'
import { placeOf } from './index-layout.ts'
import { compareNames, hashBytes } from './names.ts'
import { referencedTypes, referenceName } from './references.ts'

/** A range of bytes in shared memory. */
export interface SharedRange {
  readonly buffer: SharedArrayBuffer
  readonly offset: number
  readonly length: number
}

/** What a walk needs to know of the sets below the one it walks: sums over all of them, and their strings. */
export interface WalkBase {
  /** Ids in use, void included: the first id of a set split on them. */
  readonly typeCount: number
  readonly stringBytes: number
  /** The string sections, lowest set first. Together `stringBytes` long. */
  readonly strings: readonly SharedRange[]
  /** The layout section that a split set without one of its own falls back to. */
  readonly layout?: KindLayout
}

/** The base of a set that is split on nothing. */
export const NO_BASE: WalkBase = { typeCount: 1, stringBytes: 0, strings: [] }

/** What a walk finds, one entry a type; the arrays may be longer. */
export interface WalkOutput {
  /** Position of each type in words from the start of its blob. */
  readonly offsets: Uint32Array
  /** Hash of each type's name; 0 for an anonymous type. */
  readonly hashes: Int32Array
  /** See `placeOf`; nothing that means anything for an anonymous type. */
  readonly places: Int32Array
}

/** What a finished walk found. */
export interface WalkResult {
  readonly count: number
  readonly named: number
  /** Types of each kind; the last entry counts the kinds not known here. */
  readonly kindCounts: Uint32Array
  /** Anonymous types come first and the rest is in strcmp order, as resolve_btfids leaves sets since Linux 7.0. */
  readonly sorted: boolean
}

// The loops over members, parameters and enumerators are functions of their own: they are short and called often, so the
// engine compiles them long before the walk around them.

/** Position of the first name offset at or past the limit, from `from` in strides; -1 if there is none. */
function firstBadName(words: Int32Array, from: number, to: number, stride: number, limit: number): number {
  for (let at = from; at < to; at += stride) {
    const name = words[at]!
    // Without any string there is still the empty name.
    if (name >>> 0 >= limit && name !== 0) return at
  }
  return -1
}

/** The highest of the words from `from` in strides, or `highest` if that is higher. */
function highestOf(words: Int32Array, from: number, to: number, stride: number, highest: number): number {
  let most = highest
  for (let at = from; at < to; at += stride) {
    const ref = words[at]! >>> 0
    if (ref > most) most = ref
  }
  return most
}

/** By kind: where in an element the type it refers to stands; -1 if elements refer to nothing. */
export const ELEMENT_REF = new Int8Array(KIND_COUNT).fill(-1)
for (const kind of [KIND_STRUCT, KIND_UNION, KIND_FUNC_PROTO]) ELEMENT_REF[kind] = 1
ELEMENT_REF[KIND_DATASEC] = 0

/** By kind: 1 if the third word of a record is the id of a type, rather than a size or nothing. */
export const HAS_REF = new Uint8Array(KIND_COUNT).fill(1)
for (const kind of [0, KIND_INT, KIND_ARRAY, KIND_STRUCT, KIND_UNION, KIND_ENUM, KIND_ENUM64, KIND_FWD, KIND_FLOAT]) {
  HAS_REF[kind] = 0
}
HAS_REF[KIND_DATASEC] = 0

/** So many names taken from a base tell for certain whether it is the right one. */
export const ENOUGH_NAMES = 32
const NAMED_ELEMENTS: ReadonlySet<number> = new Set([KIND_STRUCT, KIND_UNION, KIND_ENUM, KIND_ENUM64, KIND_FUNC_PROTO])

/** Bytes that a type takes at least, and less than it takes on average in any kernel (27 in one with all its modules). */
const LEAST_TYPE_BYTES = TYPE_WORDS * 4
const TYPICAL_TYPE_BYTES = 24

function newOutput(types: number): WalkOutput {
  return { offsets: new Uint32Array(types), hashes: new Int32Array(types), places: new Int32Array(types) }
}

/** The same with room for more types. */
function widened({ offsets, hashes, places }: WalkOutput, types: number): WalkOutput {
  const output = newOutput(types)
  output.offsets.set(offsets)
  output.hashes.set(hashes)
  output.places.set(places)
  return output
}

/** The most types that there can be in sections of so many bytes in all. */
export const mostTypes = (bytes: number): number => Math.floor(bytes / LEAST_TYPE_BYTES) + 1

/** Counts the types of a section by their sizes alone; what follows them is not looked at. */
export function countTypes(words: Int32Array, start: number, end: number, layout: KindLayout | undefined): number {
  let count = 0
  let at = start
  while (at + TYPE_WORDS <= end) {
    const info = words[at + 1]!
    const kind = (info >>> 24) & 0x7f
    if (kind > 0 && kind < KIND_COUNT) {
      at += TYPE_WORDS + FIXED_WORDS[kind]! + (info & 0xffffff) * ELEMENT_WORDS[kind]!
    } else {
      const length = typeWords(kind, info & 0xffffff, layout)
      if (length < 0) break
      at += length
    }
    if (at > end) break
    count++
  }
  return count
}

const NO_WORDS = new Int32Array(0)
const NO_OUTPUT: WalkOutput = { offsets: new Uint32Array(0), hashes: NO_WORDS, places: NO_WORDS }
const NO_BYTES = new Uint8Array(0)

/**
 * Walks blobs that are split on the same base, one after the other: `open`, then for each `begin`, `step` until it returns
 * true, `result`. One object for all of them, because code compiled for the first blob then stays right for the others.
 */
export class Walk {
  #base: WalkBase = NO_BASE
  #baseStrings: readonly { bytes: Uint8Array; first: number }[] = []
  #output: WalkOutput = NO_OUTPUT
  readonly #kindCounts = new Uint32Array(KIND_COUNT + 1)
  /** Signed: see `hashBytes`. Names, ids and lengths of sound blobs are below 2^31; others are caught as unsigned. */
  #words: Int32Array = NO_WORDS
  #bytes: Uint8Array = NO_BYTES
  #layout: KindLayout | undefined
  #nameLimit = 0
  /** Adding this to a name offset gives its position in #bytes, for names of this set's own. */
  #ownStrings = 0
  /** Place in the output of the blob's first type. */
  #from = 0
  #at = 0
  #end = 0
  #count = 0
  #named = 0
  #sorted = true
  #highestRef = 0
  /** Names taken from the base, and how many of them do not begin where one of its strings begins. */
  #baseNames = 0
  #baseNamesInside = 0
  #previousBytes: Uint8Array = this.#bytes
  #previousStart = -1

  /** Turns to a batch of blobs on one base, whose type sections have so many bytes in all. `output`: where to write. */
  open(base: WalkBase, typesBytes: number, output?: WalkOutput): void {
    this.#base = base
    // Room for the most types there could be would be twice too much, and make the garbage collector nervous.
    this.#output = output ?? newOutput(Math.ceil(typesBytes / TYPICAL_TYPE_BYTES))
    let first = 0
    this.#baseStrings = base.strings.map((range) => {
      const part = { bytes: new Uint8Array(range.buffer, range.offset, range.length), first }
      first += range.length
      return part
    })
  }

  /** Gives what was found of the whole batch, and lets go of its memory. */
  close(): WalkOutput {
    const output = this.#output
    this.open(NO_BASE, 0)
    this.#words = NO_WORDS
    this.#bytes = NO_BYTES
    this.#previousBytes = NO_BYTES
    return output
  }

  /**
   * Turns to a blob, whose types go into the output from a position on.
   * @throws BadFormatError if the type section is no whole number of words.
   */
  begin(blob: Uint8Array<SharedArrayBuffer>, header: BtfHeader, layout: KindLayout | undefined, from: number): void {
    if (header.typesBytes % 4 !== 0) {
      throw new BadFormatError(`BTF: the type section's length ${header.typesBytes} is not a multiple of 4`, {
        byteOffset: header.typesStart,
      })
    }
    this.#words = new Int32Array(blob.buffer, blob.byteOffset, blob.length >>> 2)
    this.#bytes = blob
    this.#layout = layout ?? this.#base.layout
    this.#nameLimit = this.#base.stringBytes + header.stringsBytes
    this.#ownStrings = header.stringsStart - this.#base.stringBytes
    this.#from = from
    this.#at = header.typesStart >>> 2
    this.#end = (header.typesStart + header.typesBytes) >>> 2
    this.#count = 0
    this.#named = 0
    this.#sorted = true
    this.#highestRef = 0
    this.#baseNames = 0
    this.#baseNamesInside = 0
    this.#previousStart = -1
    this.#kindCounts.fill(0)
  }

  /**
   * Walks on for about `budget` words; true once the end is reached. Three short passes over the same types rather than
   * one long one: the engine compiles each of them within a millisecond, so that a cold process profits as well.
   * @throws BadFormatError for the first type that breaks a rule, UnsupportedError for a kind of unknown size.
   */
  step(budget: number): boolean {
    const before = this.#count
    const stop = Math.min(this.#end, this.#at + budget)
    const most = this.#from + before + Math.ceil(((stop - this.#at) * 4) / LEAST_TYPE_BYTES)
    const room = this.#output.offsets.length
    if (most > room) this.#output = widened(this.#output, Math.max(most, room + (room >>> 1)))
    this.#locate(stop)
    this.#check(before)
    this.#hash(before)
    return this.#at >= this.#end
  }

  /** Finds where the next types begin, up to a position. */
  #locate(stop: number): void {
    const words = this.#words
    const { offsets } = this.#output
    const end = this.#end
    const kindCounts = this.#kindCounts
    let at = this.#at
    let slot = this.#from + this.#count
    while (at < stop) {
      if (at + TYPE_WORDS > end) this.#fail(slot - this.#from, at, 'the record is cut short by the end of the section')
      const info = words[at + 1]!
      const kind = (info >>> 24) & 0x7f
      const vlen = info & 0xffffff
      const known = kind > 0 && kind < KIND_COUNT
      const length = known
        ? TYPE_WORDS + FIXED_WORDS[kind]! + vlen * ELEMENT_WORDS[kind]!
        : this.#unknownLength(slot - this.#from, at)
      offsets[slot++] = at
      at += length
      if (at > end) this.#failLength(slot - 1 - this.#from, at - length, length)
      kindCounts[known ? kind : KIND_COUNT]!++
    }
    this.#at = at
    this.#count = slot - this.#from
  }

  /** Checks the names and ids of the types from a number on. */
  #check(first: number): void {
    const words = this.#words
    const { offsets } = this.#output
    const nameLimit = this.#nameLimit
    const end = this.#from + this.#count
    let highest = this.#highestRef
    for (let slot = this.#from + first; slot < end; slot++) {
      const at = offsets[slot]!
      const info = words[at + 1]!
      const kind = (info >>> 24) & 0x7f
      if (words[at]! >>> 0 >= nameLimit) this.#checkName(slot - this.#from, at)
      if (kind >= KIND_COUNT) continue
      const stride = ELEMENT_WORDS[kind]!
      if (stride > 0) {
        const from = at + TYPE_WORDS
        const to = from + stride * (info & 0xffffff)
        if (kind !== KIND_DATASEC) {
          const bad = firstBadName(words, from, to, stride, nameLimit)
          if (bad >= 0) this.#failName(slot - this.#from, at, bad)
        }
        const refs = ELEMENT_REF[kind]!
        if (refs >= 0) highest = highestOf(words, from + refs, to, stride, highest)
      } else if (kind === KIND_ARRAY) highest = highestOf(words, at + 3, at + 5, 1, highest)
      if (HAS_REF[kind] === 1 && words[at + 2]! >>> 0 > highest) highest = words[at + 2]! >>> 0
    }
    this.#highestRef = highest
  }

  /** Hashes the names of the types from a number on. */
  #hash(first: number): void {
    const words = this.#words
    const bytes = this.#bytes
    const { offsets, hashes, places } = this.#output
    const stringBase = this.#base.stringBytes
    const ownStrings = this.#ownStrings
    const end = this.#from + this.#count
    let named = this.#named
    for (let slot = this.#from + first; slot < end; slot++) {
      const at = offsets[slot]!
      const name = words[at]!
      if (name === 0) {
        hashes[slot] = 0
        if (named > 0) this.#sorted = false
        continue
      }
      named++
      places[slot] = placeOf((words[at + 1]! >>> 24) & 0x7f, name)
      if (name >= stringBase) {
        hashes[slot] = hashBytes(bytes, ownStrings + name)
        if (this.#sorted) this.#checkOrder(bytes, ownStrings + name)
      } else hashes[slot] = this.#hashBaseName(name)
    }
    this.#named = named
  }

  /** Takes over what another walk found of `count` types, from one position of its output to one of this. */
  take({ offsets, hashes, places }: WalkOutput, from: number, to: number, count: number): void {
    const room = this.#output.offsets.length
    if (to + count > room) this.#output = widened(this.#output, Math.max(to + count, room + (room >>> 1)))
    this.#output.offsets.set(offsets.subarray(from, from + count), to)
    this.#output.hashes.set(hashes.subarray(from, from + count), to)
    this.#output.places.set(places.subarray(from, from + count), to)
  }

  /** What the walk found. @throws BadFormatError if a type refers to one that does not exist, or the base is wrong. */
  result(): WalkResult {
    if (this.#highestRef >= this.#base.typeCount + this.#count) this.#failRef()
    if (this.#base.stringBytes > 0 && this.#baseNames < ENOUGH_NAMES) this.#checkElementNames()
    if (this.#baseNamesInside * 2 > this.#baseNames) {
      throw new BadFormatError(
        `BTF: wrong base: ${this.#baseNamesInside} of ${this.#baseNames} names taken from the base begin inside one of its strings. Decode this set on the vmlinux it was built for`,
      )
    }
    return { count: this.#count, named: this.#named, kindCounts: this.#kindCounts.slice(), sorted: this.#sorted }
  }

  /** Keeps #sorted true as long as names arrive in strcmp order. */
  #checkOrder(bytes: Uint8Array, start: number): void {
    const previous = this.#previousStart
    if (previous >= 0 && compareNames(this.#previousBytes, previous, bytes, start) > 0) this.#sorted = false
    this.#previousBytes = bytes
    this.#previousStart = start
  }

  #countBaseName(bytes: Uint8Array, start: number): void {
    this.#baseNames++
    if (start > 0 && bytes[start - 1] !== 0) this.#baseNamesInside++
  }

  #basePart(name: number): { bytes: Uint8Array; first: number } {
    const parts = this.#baseStrings
    let part = parts[0]!
    for (let i = 1; i < parts.length && name >= parts[i]!.first; i++) part = parts[i]!
    return part
  }

  /** When few types have their name from the base: looks at the names of members, parameters and enumerators as well. */
  #checkElementNames(): void {
    const words = this.#words
    for (let i = 0; i < this.#count && this.#baseNames < ENOUGH_NAMES; i++) {
      const at = this.#output.offsets[this.#from + i]!
      const info = words[at + 1]!
      const kind = infoKind(info)
      if (!NAMED_ELEMENTS.has(kind)) continue
      const step = ELEMENT_WORDS[kind]!
      const end = at + TYPE_WORDS + infoVlen(info) * step
      for (let m = at + TYPE_WORDS; m < end; m += step) {
        const name = words[m]!
        if (name === 0 || name >= this.#base.stringBytes) continue
        const part = this.#basePart(name)
        this.#countBaseName(part.bytes, name - part.first)
      }
    }
  }

  /** Hash of a name that lies in a base's strings; also counts names that do not begin where a string begins. */
  #hashBaseName(name: number): number {
    const part = this.#basePart(name)
    const start = name - part.first
    this.#countBaseName(part.bytes, start)
    if (this.#sorted) this.#checkOrder(part.bytes, start)
    return hashBytes(part.bytes, start)
  }

  #fail(count: number, at: number, message: string): never {
    const typeId = this.#base.typeCount + count
    const kind = at + 1 < this.#words.length ? kindName(infoKind(this.#words[at + 1]!)) : 'type'
    throw new BadFormatError(`[${typeId}] ${kind} ${message}`, { byteOffset: at * 4, typeId })
  }

  #failName(count: number, at: number, where: number): never {
    const kind = infoKind(this.#words[at + 1]!)
    if (kind === KIND_FUNC_PROTO) this.#fail(count, at, `Invalid arg#${(where - at - 1) / 2}`)
    const what = kind === KIND_ENUM || kind === KIND_ENUM64 ? 'enumerator' : 'member'
    this.#fail(count, at, `Invalid ${what} name_offset:${this.#words[where]! >>> 0}`)
  }

  #checkName(count: number, at: number): void {
    const name = this.#words[at]! >>> 0
    if (name !== 0) this.#fail(count, at, `Invalid name_offset:${name}`)
  }

  #failLength(count: number, at: number, length: number): never {
    this.#fail(count, at, `needs ${length * 4} bytes, ${(this.#end - at) * 4} are left`)
  }

  #unknownLength(count: number, at: number): number {
    const info = this.#words[at + 1]!
    const kind = infoKind(info)
    const length = typeWords(kind, infoVlen(info), this.#layout)
    if (length >= 0) return length
    const typeId = this.#base.typeCount + count
    const place = { byteOffset: at * 4, typeId }
    if (kind === 0) throw new BadFormatError(`[${typeId}] Invalid kind:0`, place)
    throw new UnsupportedError(
      `[${typeId}] Invalid kind:${kind}: newer than kerndex, and no layout gives its size`,
      place,
    )
  }

  /** Finds the type that made #highestRef too high: the slow way, for the error's text. */
  #failRef(): never {
    const { buffer, byteOffset, length } = this.#words
    const words = new Uint32Array(buffer, byteOffset, length)
    const limit = this.#base.typeCount + this.#count
    for (let i = 0; i < this.#count; i++) {
      const at = this.#output.offsets[this.#from + i]!
      let position = 0
      for (const ref of referencedTypes(words, at)) {
        const what = referenceName(infoKind(words[at + 1]!), position++)
        if (ref >= limit) this.#fail(i, at, `Invalid ${what}: type_id ${ref}, ids end at ${limit - 1}`)
      }
    }
    throw new BadFormatError(`BTF: a type refers to id ${this.#highestRef}; ids end at ${limit - 1}`)
  }
}
