// Names as C output needs them: plain, or made unique within one header as libbpf does (`name___2` for the second).
import { printable } from '../../core/printable.ts'
import { infoKind, KIND_ENUM, KIND_FWD } from '../format.ts'
import type { TypeSet } from '../read/type-set.ts'

/** How C output names things. */
export interface CNames {
  /** Name of a struct, union or enum: the tag name space. */
  tag(id: number): string
  /** Name of a typedef, which shares a name space with enumerators. */
  typedef(id: number): string
  enumerator(name: string): string
}

/** The names as they stand in the set. */
export function plainNames(set: TypeSet): CNames {
  return {
    tag: (id) => printable(set.nameOf(id)),
    typedef: (id) => printable(set.nameOf(id)),
    enumerator: printable,
  }
}

/** Names that do not clash within one header: a later type of the same name space and name gets a number. */
export class UniqueNames implements CNames {
  readonly #set: TypeSet
  readonly #tags: Map<string, number>
  readonly #idents: Map<string, number>
  readonly #given: Map<number, string>

  /** With `base`, a set split on the one whose names those are goes on where they end. */
  constructor(set: TypeSet, base?: UniqueNames) {
    this.#set = set
    this.#tags = base ? new Map(base.#tags) : new Map()
    this.#idents = base ? new Map(base.#idents) : new Map()
    this.#given = base ? new Map(base.#given) : new Map()
  }

  /** Gives a type the name that the same type of another set has got. */
  assign(id: number, name: string): void {
    this.#given.set(id, name)
  }

  tag(id: number): string {
    return this.#name(id, this.#tags)
  }

  typedef(id: number): string {
    return this.#name(id, this.#idents)
  }

  enumerator(name: string): string {
    return numbered(printable(name), this.#idents)
  }

  #name(id: number, space: Map<string, number>): string {
    const given = this.#given.get(id)
    if (given !== undefined) return given
    const original = printable(this.#set.nameOf(id))
    const info = this.#set.word(id, 1)
    const kind = infoKind(info)
    // A forward declaration, of an enum too, is meant to have the name of its definition.
    const forward = kind === KIND_FWD || (kind === KIND_ENUM && (info & 0xffffff) === 0)
    const name = original === '' || forward ? original : numbered(original, space)
    this.#given.set(id, name)
    return name
  }
}

function numbered(name: string, space: Map<string, number>): string {
  const count = (space.get(name) ?? 0) + 1
  space.set(name, count)
  return count === 1 ? name : `${name}___${count}`
}
