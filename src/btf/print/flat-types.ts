// The first three words of every type of a set and of its bases, by id: what loops over all types ask again and again, where it is one
// look into an array.

import { infoKind } from '../format.ts'
import type { TypeSet } from '../read/type-set.ts'

/** Ids past the end are void, as everywhere. */
export class FlatTypes {
  /** Where each name is in the strings; 0 for none. */
  readonly names: Uint32Array
  readonly infos: Uint32Array
  /** What each refers to, or its size. */
  readonly refs: Uint32Array

  constructor(set: TypeSet) {
    this.names = new Uint32Array(set.endId)
    this.infos = new Uint32Array(set.endId)
    this.refs = new Uint32Array(set.endId)
    for (let each: TypeSet | undefined = set; each; each = each.base) this.#take(each)
  }

  #take({ words, places, firstId }: TypeSet): void {
    const { names, infos, refs } = this
    const { offsets, firstWord } = places
    for (let i = 0; i < offsets.length; i++) {
      const at = firstWord + offsets[i]!
      names[firstId + i] = words[at]!
      infos[firstId + i] = words[at + 1]!
      refs[firstId + i] = words[at + 2]!
    }
  }

  kind(id: number): number {
    return infoKind(this.infos[id] ?? 0)
  }

  isNamed(id: number): boolean {
    return (this.names[id] ?? 0) !== 0
  }

  ref(id: number): number {
    return this.refs[id] ?? 0
  }
}
