// The FUNCs of a type set whose names match a glob, each name once.

import { infoKind, KIND_FUNC } from '../btf/format.ts'
import { byteString } from '../btf/names.ts'
import type { TypeSet } from '../btf/type-set.ts'
import { compileGlob, globPrefix } from '../core/glob.ts'

/** A name that a set has FUNCs of. */
export interface NamedFunc {
  readonly name: string
  /** The first FUNC of the name. */
  readonly id: number
  /** There are others: nothing says which describes the function. */
  readonly repeated: boolean
}

/** The functions of a set whose whole names match, by ascending id. */
export function* funcsMatching(set: TypeSet, glob: string): Generator<NamedFunc, void, void> {
  const matches = compileGlob(glob)
  const prefix = byteString(globPrefix(glob)) ?? ''
  const repeated = repeatedNames(set)
  for (let id = set.firstId; id < set.endId; id++) {
    const at = set.position(id)
    if (infoKind(set.words[at + 1]!) !== KIND_FUNC || !set.nameStartsWith(id, prefix)) continue
    const name = set.nameOf(id)
    if (!matches(name)) continue
    const first = repeated.get(set.words[at]!)
    if (first === undefined || first === id) yield { name, id, repeated: first !== undefined }
  }
}

/** The first id of each name that several FUNCs have, by the name's offset: a blob holds each name once. */
function repeatedNames(set: TypeSet): ReadonlyMap<number, number> {
  const first = new Map<number, number>()
  const repeated = new Map<number, number>()
  for (let id = set.firstId; id < set.endId; id++) {
    const at = set.position(id)
    if (infoKind(set.words[at + 1]!) !== KIND_FUNC) continue
    const name = set.words[at]!
    const known = first.get(name)
    if (known === undefined) first.set(name, id)
    else if (!repeated.has(name)) repeated.set(name, known)
  }
  return repeated
}
