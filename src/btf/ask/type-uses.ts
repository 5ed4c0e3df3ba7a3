// Members and variables of some type or name, in words: in which struct, along which path, at which bit.

import { sayingAs } from '../../core/explain.ts'
import { printable } from '../../core/printable.ts'
import {
  infoFlag,
  infoVlen,
  KIND_ARRAY,
  KIND_STRUCT,
  KIND_TYPEDEF,
  KIND_UNION,
  KIND_VAR,
  MAX_DEPTH,
} from '../format.ts'
import { isComposite, isModifier, type KindName, kindNumber } from '../kinds.ts'
import { plainDeclarations } from '../print/c-declare.ts'
import { byteString } from '../read/names.ts'
import type { TypeSet } from '../read/type-set.ts'
import { USER } from './users-constants.ts'
import type { UsersIndex } from './users-index.ts'

/** A member, or a variable. */
export interface TypeUse {
  /** The set that defines what has the member: the first of `modules`. */
  readonly module: string
  /** All sets in which it is defined so. */
  readonly modules: readonly string[]
  readonly id: number
  /** A struct or union, or the typedef of one without a name; `VAR` for a variable. */
  readonly kind: KindName
  /** Empty where nothing with a name holds it. */
  readonly name: string
  /** The path to the member through those without a name and those of structs without one; empty for a variable. */
  readonly member: string
  /** The member's type in C. */
  readonly type: string
  /** Bits from the start. */
  readonly bitOffset: number
  /** Width of a bitfield in bits; 0 for any other member. */
  readonly bits: number
}

/** What is used as what: `struct virtio_chan.vq`, or a variable. */
export function useInWords({ kind, name, member }: Pick<TypeUse, 'kind' | 'name' | 'member'>): string {
  const outer = isComposite(kindNumber(kind)) ? `${kind.toLowerCase()} ${name === '' ? '(anonymous)' : name}` : name
  return printable(member === '' ? outer : `${outer}.${member}`)
}

/** `struct virtio_chan.vq: struct virtqueue *, offset 24 [9pnet_virtio]`. */
const telling = sayingAs<TypeUse & { modules: string[] }>((use) => {
  const { kind, type, bitOffset, bits, module } = use
  const within = bits > 0 ? ` bits ${bitOffset % 8}+${bits}` : ''
  const place = kind === 'VAR' ? '' : `, offset ${Math.floor(bitOffset / 8)}${within}`
  return `${useInWords(use)}: ${type}${place}${module === 'vmlinux' ? '' : ` [${printable(module)}]`}`
})

/** Something with a name, and the way from it to what is within. */
interface Place {
  readonly ordinal: number
  readonly path: string
  readonly bitOffset: number
}

/** Places of one struct without a name that are told, and steps to all of them that are taken: sets may nest them beyond measure. */
const MOST_PLACES = 64
const MOST_STEPS = 1 << 20

/** Puts members into words, over the sets of an index. */
export class UseFinder {
  readonly #index: UsersIndex
  readonly #places = new Map<number, readonly Place[]>()
  readonly #uses = new Map<string, TypeUse & { readonly modules: string[] }>()
  #steps = 0
  #rank = 0

  constructor(index: UsersIndex) {
    this.#index = index
  }

  /** The members of these structs, unions and variables, ascending, whose type is one of some. */
  of(holders: Int32Array, isOf: (ordinal: number) => boolean, module: string | undefined): TypeUse[] {
    const { kinds } = this.#index
    for (const ordinal of holders) {
      const set = this.#setOf(ordinal)
      if (module !== undefined && set.name !== module) continue
      if (kinds[ordinal] === KIND_VAR)
        this.#put({ ordinal, path: '', bitOffset: 0 }, set, set.refOf(this.#idOf(ordinal)), 0)
      else {
        const rank = this.#rank
        this.#members(set, ordinal, (name, type, bitOffset, bits) => {
          if (isOf(this.#index.ordinalIn(rank, type))) this.#within(ordinal, set, name, type, bitOffset, bits)
        })
      }
    }
    return [...this.#uses.values()]
  }

  /** The members of that name, in every struct and union; where one is asked for, of a type that is one of some. */
  named(name: string, isOf: ((ordinal: number) => boolean) | undefined, module: string | undefined): TypeUse[] {
    const query = byteString(name)
    const { sets, kinds } = this.#index
    if (query === undefined || query === '') return []
    for (const [rank, set] of sets.entries()) {
      if (module !== undefined && set.name !== module) continue
      const shift = this.#index.ordinalIn(rank, set.firstId) - set.firstId
      for (let id = set.firstId; id < set.endId; id++) {
        if (kinds[id + shift] !== KIND_STRUCT && kinds[id + shift] !== KIND_UNION) continue
        const at = set.position(id)
        const { words } = set
        const end = at + 3 + 3 * infoVlen(words[at + 1]!)
        for (let member = at + 3; member < end; member += 3) {
          if (!set.nameAtEquals(words[member]!, query)) continue
          const type = words[member + 1]!
          if (isOf !== undefined && !isOf(this.#index.ordinalIn(rank, type))) continue
          const { bitOffset, bits } = placeOf(set, at, member)
          this.#within(id + shift, set, name, type, bitOffset, bits)
        }
      }
    }
    return [...this.#uses.values()]
  }

  #members(
    set: TypeSet,
    ordinal: number,
    each: (name: string, type: number, bitOffset: number, bits: number) => void,
  ): void {
    const at = set.position(this.#idOf(ordinal))
    const { words } = set
    const end = at + 3 + 3 * infoVlen(words[at + 1]!)
    for (let member = at + 3; member < end; member += 3) {
      const { bitOffset, bits } = placeOf(set, at, member)
      each(set.nameAt(words[member]!), words[member + 1]!, bitOffset, bits)
    }
  }

  /** Tells a member of a struct from wherever that has a name. */
  #within(struct: number, set: TypeSet, name: string, type: number, bitOffset: number, bits: number): void {
    for (const place of this.#placesOf(struct, 0)) {
      const within = { ordinal: place.ordinal, path: joined(place.path, name), bitOffset: place.bitOffset + bitOffset }
      this.#put(within, set, type, bits)
    }
  }

  /** Where a struct or union begins: itself if it has a name, or all that hold it. */
  #placesOf(ordinal: number, depth: number): readonly Place[] {
    const known = this.#places.get(ordinal)
    if (known !== undefined) return known
    const own: Place = { ordinal, path: '', bitOffset: 0 }
    const set = this.#setOf(ordinal)
    const isNamed = set.nameOf(this.#idOf(ordinal)) !== ''
    const holding = isNamed || depth > MAX_DEPTH ? [] : this.#holding(ordinal, '', depth + 1)
    const places = holding.length > 0 ? holding : [own]
    this.#places.set(ordinal, places)
    return places
  }

  /** The types with a name that hold a type without one, through arrays and qualifiers. */
  #holding(ordinal: number, suffix: string, depth: number): Place[] {
    const { starts, users, kinds } = this.#index
    const places: Place[] = []
    if (depth > MAX_DEPTH) return places
    for (let at = starts[ordinal]!, end = starts[ordinal + 1]!; at < end; at++) {
      if (places.length >= MOST_PLACES || ++this.#steps > MOST_STEPS) break
      const user = users[at]! & USER
      const kind = kinds[user]!
      if (kind === KIND_TYPEDEF || kind === KIND_VAR) places.push({ ordinal: user, path: suffix, bitOffset: 0 })
      else if (kind === KIND_ARRAY) places.push(...this.#holding(user, `${suffix}[]`, depth + 1))
      else if (isModifier(kind)) places.push(...this.#holding(user, suffix, depth + 1))
      else if (kind === KIND_STRUCT || kind === KIND_UNION) {
        const outer = this.#placesOf(user, depth + 1)
        const set = this.#setOf(user)
        const rank = this.#rank
        this.#members(set, user, (name, type, bitOffset) => {
          if (this.#index.ordinalIn(rank, type) !== ordinal) return
          for (const { ordinal, path, bitOffset: start } of outer) {
            places.push({ ordinal, path: joined(path, name) + suffix, bitOffset: start + bitOffset })
          }
        })
      }
    }
    return places.slice(0, MOST_PLACES)
  }

  /** Keeps a use; the same one of another module is no other. */
  #put({ ordinal, path: member, bitOffset }: Place, typeSet: TypeSet, typeId: number, bits: number): void {
    const set = this.#setOf(ordinal)
    const id = this.#idOf(ordinal)
    const [kind, name] = [set.kindOf(id), set.nameOf(id)]
    const type = plainDeclarations(typeSet).declare(typeId, '').replace(/\s+/g, ' ')
    const key = `${kind} ${name} ${member} ${bitOffset} ${bits} ${type}`
    const known = this.#uses.get(key)
    if (known === undefined) {
      const modules = [set.name]
      this.#uses.set(key, telling({ module: set.name, modules, id, kind, name, member, type, bitOffset, bits }))
    } else if (known.modules.at(-1) !== set.name) known.modules.push(set.name)
  }

  #setOf(ordinal: number): TypeSet {
    this.#rank = this.#index.rankOf(ordinal, this.#rank)
    return this.#index.sets[this.#rank]!
  }

  #idOf(ordinal: number): number {
    return this.#index.idIn(this.#index.rankOf(ordinal, this.#rank), ordinal)
  }
}

function joined(path: string, name: string): string {
  return path === '' || name === '' ? path + name : `${path}.${name}`
}

/** Where a member lies that stands at `member` of the struct whose record is at `at`. */
function placeOf({ words }: TypeSet, at: number, member: number): { bitOffset: number; bits: number } {
  const offset = words[member + 2]!
  return infoFlag(words[at + 1]!)
    ? { bitOffset: offset & 0xffffff, bits: offset >>> 24 }
    : { bitOffset: offset, bits: 0 }
}
