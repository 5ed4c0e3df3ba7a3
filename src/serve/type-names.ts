// The names of all types of a table, for searches as somebody types: gathered once, in slices, after the opening.

import { KIND_ENUM, KIND_STRUCT, KIND_TYPEDEF, KIND_UNION } from '../btf/format.ts'
import { plainKind } from '../btf/kinds.ts'
import type { TypeSet } from '../btf/read/type-set.ts'
import type { Types } from '../btf/types.ts'
import { bisect } from '../core/bisect.ts'
import type { TypeRef } from './answers.ts'

/** Kinds that people look for by name. Functions are found among the symbols. */
const KINDS: ReadonlySet<number> = new Set([KIND_STRUCT, KIND_UNION, KIND_ENUM, KIND_TYPEDEF])
/** Types that are looked at in one step. */
const SLICE = 2048
/** Hits that are looked at for one question. */
const MOST_HITS = 4096

/** A name with the first type that has it, and how many others do. */
export interface NamedType {
  readonly ref: TypeRef
  readonly others: number
}

/** An index over the names of types. */
export class TypeNames {
  readonly #rows: { ref: TypeRef; others: number }[] = []
  readonly #starts: number[] = []
  /** All names in small letters, a line end behind each. */
  #text = Buffer.alloc(0)

  /** Gathers all names, in steps. vmlinux comes first, so that its types are the ones that are shown. */
  static *of(types: Types): Generator<void, TypeNames, void> {
    const index = new TypeNames()
    const byName = new Map<string, number>()
    for (const set of types.sets) {
      for (let from = set.firstId; from < set.endId; from += SLICE) {
        for (let id = from; id < Math.min(from + SLICE, set.endId); id++) index.#take(set, id, byName)
        yield
      }
    }
    const pieces: Buffer[] = []
    let length = 0
    for (let from = 0; from < index.#rows.length; from += SLICE) {
      const names = index.#rows.slice(from, from + SLICE).map(({ ref }) => {
        const name = `${ref.name.toLowerCase().replaceAll('\n', ' ')}\n`
        index.#starts.push(length)
        length += Buffer.byteLength(name)
        return name
      })
      pieces.push(Buffer.from(names.join('')))
      yield
    }
    index.#text = Buffer.concat(pieces)
    return index
  }

  #take(set: TypeSet, id: number, byName: Map<string, number>): void {
    if (!KINDS.has(plainKind(set.kindNumberOf(id)))) return
    const name = set.nameOf(id)
    if (name === '') return
    const kind = set.kindOf(id)
    const key = `${kind} ${name}`
    const known = byName.get(key)
    if (known !== undefined) this.#rows[known]!.others++
    else byName.set(key, this.#rows.push({ ref: { module: set.name, id, kind, name }, others: 0 }) - 1)
  }

  get size(): number {
    return this.#rows.length
  }

  /** Types whose names hold a text and that `fits` takes: whole names, beginnings, beginnings of words, the shorter before the longer. */
  find(text: string, most: number, fits: (ref: TypeRef) => boolean = () => true): NamedType[] {
    const needle = Buffer.from(text.toLowerCase())
    const found: { readonly row: NamedType; readonly quality: number }[] = []
    let hits = 0
    for (let at = this.#text.indexOf(needle); at >= 0 && hits < MOST_HITS; ) {
      const number = this.#at(at)
      const start = this.#starts[number]!
      const end = (this.#starts[number + 1] ?? this.#text.length) - 1
      const row = this.#rows[number]!
      if (at + needle.length <= end && fits(row.ref)) {
        hits++
        found.push({ row, quality: this.#quality(at, start, end, needle.length) })
      }
      at = needle.length === 0 ? -1 : this.#text.indexOf(needle, end + 1)
    }
    found.sort((a, b) => a.quality - b.quality)
    return found.slice(0, most).map(({ row }) => row)
  }

  /** Types that a test takes, in the order of their sets. */
  *matching(fits: (name: string) => boolean): Generator<NamedType> {
    for (const row of this.#rows) if (fits(row.ref.name)) yield row
  }

  #quality(at: number, start: number, end: number, length: number): number {
    if (at === start) return at + length === end ? 0 : 1000 + end - start
    const before = this.#text[at - 1]
    return (before === 0x5f ? 2000 : 3000) + end - start
  }

  /** The number of the name that holds a byte. */
  #at(position: number): number {
    return bisect(0, this.#starts.length, (i) => this.#starts[i]! <= position) - 1
  }
}
