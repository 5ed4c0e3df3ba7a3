// The sets that one name index covers, as far as a lookup by name needs them: everything that thousands of lookups in
// thousands of sets touch lies close together here, because what a lookup costs is the memory that no cache holds.

import { KIND_COUNT } from '../kinds.ts'
import { ENTRY_WORDS, PLACE_FAR, placeKind, placeName } from './index-layout.ts'
import type { IndexView } from './name-index.ts'
import { equalsBytes } from './names.ts'
import type { TypeSet } from './type-set.ts'

/** Numbers that describe a type that was found: the rank of its set (its number in the collection), its id, its kind. */
export const FOUND_NUMBERS = 3

/** Words that are kept of each set. */
const NEAR_WORDS = 4
const NEAR_RANK = 0
/** Adding this to an ordinal gives an id. */
const NEAR_ID = 1
/** Name offsets from here on are the set's own; adding NEAR_STRINGS gives their position in its bytes. */
const NEAR_STRING_BASE = 2
const NEAR_STRINGS = 3
const NO_RANK = -1

/** Answers for the sets of one index that belong to a collection. */
export class SetGroup {
  readonly #view: IndexView
  /** The set of a rank; `undefined` if it is unusable. */
  readonly #attach: (rank: number) => TypeSet | undefined
  /** By number of the set in the index. */
  readonly #near: Int32Array
  /** Likewise; `undefined` as long as nobody asked, and for good if the set is unusable. */
  readonly #bytes: (Uint8Array | undefined)[]
  readonly #hits: number[] = []

  constructor(view: IndexView, attach: (rank: number) => TypeSet | undefined) {
    this.#view = view
    this.#attach = attach
    this.#near = new Int32Array(view.setCount * NEAR_WORDS)
    for (let number = 0; number < view.setCount; number++) this.#near[number * NEAR_WORDS + NEAR_RANK] = NO_RANK
    this.#bytes = new Array<Uint8Array | undefined>(view.setCount).fill(undefined)
  }

  /** Makes the set whose row is at a byte offset of the index part of the collection. */
  add(indexOffset: number, rank: number): void {
    this.#near[this.#view.setAt(indexOffset) * NEAR_WORDS + NEAR_RANK] = rank
  }

  /**
   * Finds every type of a name, by set, then by id: writes FOUND_NUMBERS of each into `found` from a position on and
   * returns the position behind them.
   * @param query the name as a byte string
   * @param hash its hash
   * @param wanted only types of this kind; -1 for all that are not known here; undefined for any
   */
  find(query: string, hash: number, wanted: number | undefined, found: number[], from: number): number {
    const view = this.#view
    if (view.sorted) return this.#findSorted(query, wanted, found, from)
    const hits = this.#hits
    const near = this.#near
    const count = view.candidates(hash, hits)
    let end = from
    for (let i = 0; i < count; i += ENTRY_WORDS) {
      const ordinal = hits[i]!
      const place = hits[i + 1]!
      const number = view.setOf(ordinal)
      const bytes = this.#bytes[number] ?? this.#open(number)
      if (bytes === undefined) continue
      const row = number * NEAR_WORDS
      const rank = near[row + NEAR_RANK]!
      const id = ordinal + near[row + NEAR_ID]!
      const name = placeName(place)
      let kind = placeKind(place)
      if (place === PLACE_FAR || name < near[row + NEAR_STRING_BASE]!) {
        // The place does not tell, or the name is one of the base's.
        const set = this.#attach(rank)!
        if (!set.nameEquals(id, query)) continue
        kind = set.kindNumberOf(id)
      } else if (!equalsBytes(bytes, name + near[row + NEAR_STRINGS]!, query)) continue
      if (isKind(kind, wanted)) end = put(found, end, rank, id, kind)
    }
    return end
  }

  /** Prepares a set for lookups when the first of them comes to it; its bytes if it is usable. */
  #open(number: number): Uint8Array | undefined {
    const row = number * NEAR_WORDS
    const rank = this.#near[row + NEAR_RANK]!
    const set = rank === NO_RANK ? undefined : this.#attach(rank)
    if (!set) return undefined
    this.#near[row + NEAR_ID] = set.firstId - this.#view.firstOrdinal(number)
    this.#near[row + NEAR_STRING_BASE] = set.stringBase
    this.#near[row + NEAR_STRINGS] = set.strings
    this.#bytes[number] = set.bytes
    return set.bytes
  }

  #findSorted(query: string, wanted: number | undefined, found: number[], from: number): number {
    const rank = this.#near[NEAR_RANK]!
    const set = rank === NO_RANK ? undefined : this.#attach(rank)
    let end = from
    if (!set) return end
    for (const id of set.idsInOrder(query)) {
      const kind = set.kindNumberOf(id)
      if (isKind(kind, wanted)) end = put(found, end, rank, id, kind)
    }
    return end
  }
}

function put(found: number[], at: number, rank: number, id: number, kind: number): number {
  found[at] = rank
  found[at + 1] = id
  found[at + 2] = kind
  return at + FOUND_NUMBERS
}

/** Whether a kind's number is the one that is wanted; see `SetGroup.find`. */
export function isKind(kind: number, wanted: number | undefined): boolean {
  return wanted === undefined || (wanted < 0 ? kind >= KIND_COUNT : kind === wanted)
}
