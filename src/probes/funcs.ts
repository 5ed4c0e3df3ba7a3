// The FUNCs of a type set whose names match a glob, each name once, ready to be looked up in bulk.

import { infoKind, KIND_FUNC } from '../btf/format.ts'
import { byteString, nameEnd } from '../btf/read/names.ts'
import type { TypeSet } from '../btf/read/type-set.ts'
import { compileGlob, globPrefix } from '../core/glob.ts'
import { NameList } from './name-list.ts'

/** FUNCs in ascending order of their ids. */
export interface MatchingFuncs {
  readonly ids: readonly number[]
  readonly names: NameList
  /** Ids of those whose name others have too: nothing says which describes the function. */
  readonly repeated: ReadonlySet<number>
}

/** Bytes of a name, more or less. */
const NAME_BYTES = 24

/** The functions of a set whose whole names match. */
export function funcsMatching(set: TypeSet, glob: string): MatchingFuncs {
  const start = globPrefix(glob)
  const prefix = byteString(start) ?? ''
  // A pattern that ends in its first `*` leaves nothing to match behind the prefix.
  const matches = glob === `${start}*` ? undefined : compileGlob(glob)
  const { words } = set
  const all: number[] = []
  const counts = new OffsetCounts(set.stringBase, set.stringEnd)
  for (let id = set.firstId; id < set.endId; id++) {
    const at = set.position(id)
    if (infoKind(words[at + 1]!) !== KIND_FUNC) continue
    all.push(id)
    counts.add(words[at]!)
  }
  const names = new NameList(all.length * NAME_BYTES, all.length)
  const ids: number[] = []
  const repeated = new Set<number>()
  for (const id of all) {
    const offset = words[set.position(id)]!
    const { bytes, start: begin } = set.locateName(offset)
    if (!startsWith(bytes, begin, prefix)) continue
    if (matches !== undefined && !matches(set.nameAt(offset))) continue
    const count = counts.of(offset)
    if (count === GIVEN) continue
    if (count > 1) {
      repeated.add(id)
      counts.set(offset, GIVEN)
    }
    ids.push(id)
    names.add(bytes, begin, nameEnd(bytes, begin))
  }
  return { ids, names, repeated }
}

/** In place of a count: the name was given already. */
const GIVEN = 3

/**
 * How many FUNCs have each name, up to 2, by the name's offset: a blob holds each name once. A byte for each offset of the
 * set's own strings, a map for the few names of its base.
 */
class OffsetCounts {
  readonly #base: number
  readonly #own: Uint8Array
  readonly #below = new Map<number, number>()

  constructor(base: number, end: number) {
    this.#base = base
    this.#own = new Uint8Array(end - base)
  }

  of(offset: number): number {
    return offset >= this.#base ? this.#own[offset - this.#base]! : (this.#below.get(offset) ?? 0)
  }

  set(offset: number, count: number): void {
    if (offset >= this.#base) this.#own[offset - this.#base] = count
    else this.#below.set(offset, count)
  }

  add(offset: number): void {
    const count = this.of(offset)
    if (count < 2) this.set(offset, count + 1)
  }
}

function startsWith(bytes: Uint8Array, at: number, prefix: string): boolean {
  for (let i = 0; i < prefix.length; i++) if (bytes[at + i] !== prefix.charCodeAt(i)) return false
  return true
}
