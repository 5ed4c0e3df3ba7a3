// Who refers to a type: for each type of all sets the types that name it, as one block of shared memory. BTF says what a type
// refers to; this is the same turned round, so that a question such as "what takes a struct sk_buff *" costs its answer.
import { LimitError } from '../../core/errors.ts'
import { allocateSections, type Layout, readSections } from '../../core/sections.ts'
import { KIND_DATASEC, KIND_DECL_TAG, KIND_FUNC_PROTO } from '../format.ts'
import { KINDS, TYPE_WORDS } from '../kinds.ts'
import type { TypeSet } from '../read/type-set.ts'

/**
 * Types have ordinals: 0 is void, then come those of the first set by id, then those of the next. Sections:
 * - `sets`: u32, the number of types of each set.
 * - `kinds`: a byte a type, its kind.
 * - `starts`: u32, one a type and one more: where its users begin.
 * - `users`: u32, ordinals, each once and ascending for each type; a prototype's says above USER_BITS what it does with the type.
 */
const USERS_LAYOUT: Layout<'sets' | 'kinds' | 'starts' | 'users'> = {
  what: 'index of the users of types',
  magic: 0x4b555345,
  version: 1,
  sections: ['sets', 'kinds', 'starts', 'users'],
}

/** Void, as the ordinal that it has. */
export const VOID = 0

const USER_BITS = 28
/** The part of a user that is its ordinal. */
export const USER = (1 << USER_BITS) - 1
/** It is a prototype that has a parameter of the type. */
export const TAKES = 1 << USER_BITS
/** It is a prototype that returns the type. */
export const RETURNS = 2 << USER_BITS

/** Types that are looked at in one call: code is compiled soonest if it is called often. */
const PIECE = 512

/** References of all types in the order in which they stand. Signed words, because code that is not compiled yet allocates others. */
class References {
  readonly kinds: Uint8Array
  /** By ordinal: where what it refers to ends in `targets`. */
  readonly ends: Int32Array
  readonly targets: Int32Array
  /** By reference: TAKES and RETURNS. */
  readonly roles: Int32Array
  /** By ordinal: how many refer to it. */
  readonly counts: Int32Array
  length = 0
  /** By ordinal: the last reference to it, so that a struct with ten members of a type counts once. */
  readonly #last: Int32Array

  /** A reference takes two words at least, so there are no more than half as many as words. */
  constructor(types: number, words: number) {
    const most = (words >>> 1) + 1
    this.kinds = new Uint8Array(types)
    this.ends = new Int32Array(types)
    this.targets = new Int32Array(most)
    this.roles = new Int32Array(most)
    this.counts = new Int32Array(types)
    this.#last = new Int32Array(types).fill(-1)
  }

  /** Takes in the types of a set, the first of which has this ordinal; `below` has the ordinals of the ids below its own. */
  add(set: TypeSet, first: number, below: Int32Array | undefined): void {
    const words = new Int32Array(set.words.buffer, 0, set.words.length)
    const { offsets, firstWord } = set.places
    for (let from = 0; from < set.size; from += PIECE) {
      const to = Math.min(from + PIECE, set.size)
      this.#piece(words, offsets, firstWord, from, to, first, set.firstId, below)
    }
  }

  #piece(
    words: Int32Array,
    offsets: Uint32Array,
    firstWord: number,
    from: number,
    to: number,
    first: number,
    firstId: number,
    below: Int32Array | undefined,
  ): void {
    const { kinds, ends, targets, roles, counts } = this
    const last = this.#last
    const shift = first - firstId
    let end = this.length
    for (let i = from; i < to; i++) {
      const at = firstWord + offsets[i]!
      const info = words[at + 1]!
      const kind = (info >>> 24) & 0x7f
      kinds[first + i] = kind
      const begin = end
      // Where the ids stand that it refers to.
      const step = STEP[kind]!
      let word = at + FIRST[kind]!
      const stop = word + (ONE[kind] === 1 ? 1 : 0) + step * (info & 0xffffff)
      let role = kind === KIND_FUNC_PROTO ? RETURNS : 0
      for (; word < stop; word += step === 0 ? 1 : step) {
        const id = words[word]!
        // A parameter that is void is how `...` is written.
        if (role === TAKES && id === 0) continue
        const target = id >= firstId ? id + shift : below === undefined ? id : below[id]!
        const known = last[target]!
        if (known >= begin) roles[known]! |= role
        else {
          targets[end] = target
          roles[end] = role
          last[target] = end++
          counts[target]!++
        }
        if (role === RETURNS) role = TAKES
      }
      ends[first + i] = end
    }
    this.length = end
  }
}

/**
 * By kind: in which word of a record the first id stands, how far the next is, and whether there is one besides its elements. Tags of
 * declarations and sections use nothing. What a prototype returns stands as far before its parameters as these stand apart.
 */
const FIRST = new Uint8Array(128)
const STEP = new Uint8Array(128)
const ONE = new Uint8Array(128)
for (const [kind, { refersToType, fixedTypes, elements }] of KINDS.entries()) {
  if (kind === KIND_DECL_TAG || kind === KIND_DATASEC) continue
  ONE[kind] = refersToType || fixedTypes > 0 ? 1 : 0
  if (elements?.type !== undefined) STEP[kind] = elements.words
  FIRST[kind] = refersToType ? 2 : TYPE_WORDS + (elements?.type ?? 0)
}

/** Who refers to whom in these sets, of which each stands behind its base. @throws LimitError */
export function buildUsers(sets: readonly TypeSet[]): SharedArrayBuffer {
  const firsts = firstOrdinals(sets)
  const types = firsts.at(-1)!
  if (types > USER) throw new LimitError(`${types} types are too many to be asked by type; the limit is ${USER}`)
  const words = sets.reduce((sum, set) => sum + (set.size === 0 ? 0 : set.typesEnd - set.position(set.firstId)), 0)
  const references = new References(types, words)
  for (const [rank, set] of sets.entries()) references.add(set, firsts[rank]!, ordinalsBelow(set, sets, firsts))
  const { buffer, sections } = allocateSections(USERS_LAYOUT, {
    sets: 4 * sets.length,
    kinds: types,
    starts: 4 * (types + 1),
    users: 4 * references.length,
  })
  new Uint32Array(buffer, sections.sets.offset, sets.length).set(sets.map(({ size }) => size))
  new Uint8Array(buffer, sections.kinds.offset, types).set(references.kinds)
  const starts = new Int32Array(buffer, sections.starts.offset, types + 1)
  turnRound(references, starts, new Int32Array(buffer, sections.users.offset, references.length))
  return buffer
}

/** The ordinals of the ids below a set's own; undefined where they are the ids, as in the first set. */
function ordinalsBelow(
  { base, firstId }: TypeSet,
  sets: readonly TypeSet[],
  firsts: Uint32Array,
): Int32Array | undefined {
  if (base === undefined || base === sets[0]) return undefined
  return Int32Array.from({ length: firstId }, (_, id) => {
    const owner = base.owner(id)
    return owner === undefined ? VOID : id - owner.firstId + firsts[sets.indexOf(owner)]!
  })
}

/** Sorts references by what they refer to; they stay in order among equals. */
function turnRound({ ends, targets, roles, counts }: References, starts: Int32Array, users: Int32Array): void {
  const types = ends.length
  let sum = 0
  for (let ordinal = 0; ordinal < types; ordinal++) {
    starts[ordinal] = sum
    sum += counts[ordinal]!
    // From here on: where its next user goes.
    counts[ordinal] = starts[ordinal]!
  }
  starts[types] = sum
  for (let from = 0; from < types; from += PIECE) {
    placeUsers(ends, targets, roles, counts, users, from, Math.min(from + PIECE, types))
  }
}

function placeUsers(
  ends: Int32Array,
  targets: Int32Array,
  roles: Int32Array,
  next: Int32Array,
  users: Int32Array,
  from: number,
  to: number,
): void {
  let at = from === 0 ? 0 : ends[from - 1]!
  for (let source = from; source < to; source++) {
    for (const end = ends[source]!; at < end; at++) users[next[targets[at]!]!++] = source | roles[at]!
  }
}

/** The first ordinal of each set, and one past the last of all. */
function firstOrdinals(sets: readonly TypeSet[]): Uint32Array {
  const firsts = new Uint32Array(sets.length + 1)
  let next = VOID + 1
  sets.forEach((set, rank) => {
    firsts[rank] = next
    next += set.size
  })
  firsts[sets.length] = next
  return firsts
}

/** The users of the types of some sets, read from shared memory. */
export class UsersIndex {
  readonly sets: readonly TypeSet[]
  /** Number of types, void included. */
  readonly size: number
  readonly kinds: Uint8Array
  readonly #firsts: Uint32Array
  /** By ordinal, where its users begin in `users`; they end where the next one's begin. */
  readonly starts: Int32Array
  /** The types that refer to each, ascending: ordinals, with TAKES and RETURNS where they are prototypes. */
  readonly users: Int32Array
  readonly #ranks = new Map<string, number>()

  /** @throws BadFormatError, UnsupportedError if the buffer holds something else */
  constructor(buffer: SharedArrayBuffer, sets: readonly TypeSet[]) {
    const sections = readSections(USERS_LAYOUT, buffer)
    this.sets = sets
    this.#firsts = firstOrdinals(sets)
    this.size = this.#firsts.at(-1)!
    this.kinds = new Uint8Array(buffer, sections.kinds.offset, sections.kinds.length)
    this.starts = new Int32Array(buffer, sections.starts.offset, sections.starts.length >>> 2)
    this.users = new Int32Array(buffer, sections.users.offset, sections.users.length >>> 2)
    for (const [rank, { name }] of sets.entries()) this.#ranks.set(name, rank)
  }

  /** Whether a buffer was made of such sets. */
  static fits(buffer: SharedArrayBuffer, sets: readonly TypeSet[]): boolean {
    const { offset, length } = readSections(USERS_LAYOUT, buffer).sets
    const sizes = new Uint32Array(buffer, offset, length >>> 2)
    return sizes.length === sets.length && sets.every(({ size }, rank) => size === sizes[rank])
  }

  /** The ordinal of a type of a set, which may be one below the set's own; undefined where there is no such set. */
  ordinalOf(module: string, id: number): number | undefined {
    const rank = this.#ranks.get(module)
    return rank === undefined ? undefined : this.ordinalIn(rank, id)
  }

  /** The same by the set's rank. */
  ordinalIn(rank: number, id: number): number {
    const set = this.sets[rank]!
    if (id >= set.firstId) return id - set.firstId + this.#firsts[rank]!
    const owner = set.owner(id)
    return owner === undefined ? VOID : id - owner.firstId + this.#firsts[this.#ranks.get(owner.name)!]!
  }

  /** The rank of the set that has an ordinal, looked for from `near` on, which ascending questions keep short. */
  rankOf(ordinal: number, near = 0): number {
    const firsts = this.#firsts
    let low = near
    if (firsts[near + 1]! > ordinal && firsts[near]! <= ordinal) return near
    if (firsts[near]! > ordinal) low = 0
    let high = this.sets.length
    while (low + 1 < high) {
      const middle = (low + high) >>> 1
      if (firsts[middle]! <= ordinal) low = middle
      else high = middle
    }
    return low
  }

  /** The id that an ordinal of a set stands for. */
  idIn(rank: number, ordinal: number): number {
    return ordinal - this.#firsts[rank]! + this.sets[rank]!.firstId
  }
}
