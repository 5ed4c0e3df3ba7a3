// The users of a type: for each type of all sets the types that name it, as one block of shared memory. BTF says what a type
// refers to; this is the same turned round (users-build.ts), so that a question such as "what takes a struct sk_buff *" costs its
// answer.
import { type Layout, readSections } from '../../core/sections.ts'
import type { TypeSet } from '../read/type-set.ts'

/**
 * Types have ordinals: 0 is void, then come those of the first set by id, then those of the next. Sections:
 * - `sets`: u32, the number of types of each set.
 * - `kinds`: a byte a type, its kind.
 * - `starts`: u32, one a type and one more: where its users begin.
 * - `users`: u32, ordinals, each once for each type: ascending, then those of prototypes, descending, which say above USER_BITS what
 *   they do with the type. Void has 20,000 prototypes that return it, and four other users, which are found without going over those.
 */
export const USERS_LAYOUT: Layout<'sets' | 'kinds' | 'starts' | 'users'> = {
  what: 'index of the users of types',
  magic: 0x4b555345,
  version: 2,
  sections: ['sets', 'kinds', 'starts', 'users'],
}

/** Void, as the ordinal that it has. */
export const VOID = 0

/** The first ordinal of each set, and one past the last of all. */
export function firstOrdinals(sets: readonly TypeSet[]): Uint32Array {
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
  /** The types that refer to each: ordinals, behind them those of prototypes, with TAKES and RETURNS. */
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

  /** One past the last ordinal of a set. */
  endIn(rank: number): number {
    return this.#firsts[rank + 1]!
  }

  /** The id that an ordinal of a set stands for. */
  idIn(rank: number, ordinal: number): number {
    return ordinal - this.#firsts[rank]! + this.sets[rank]!.firstId
  }
}
