// C declarations of single types: a type around a name (`int (*name)(void)`), with anonymous structs and enums written out in place. The
// syntax of every detail is that of libbpf's btf_dump; assembly/c-declare.ts writes the same into headers.

import { BadFormatError, LimitError } from '../../core/errors.ts'
import { printable } from '../../core/printable.ts'
import {
  KIND_ARRAY,
  KIND_ENUM,
  KIND_FUNC_PROTO,
  KIND_FWD,
  KIND_PTR,
  KIND_STRUCT,
  KIND_TYPE_TAG,
  KIND_TYPEDEF,
  KIND_UNION,
  KIND_VOID,
} from '../format.ts'
import { isQualifier, isScalar, KINDS, kindName, plainKind } from '../kinds.ts'
import type { TypeSet } from '../read/type-set.ts'
import { MAX_CHAIN, MAX_NESTING } from './c-constants.ts'
import { type Declaring, enumText, structTag, structText, tagged } from './c-define.ts'
import { mostText } from './raw.ts'

/** What stands before a declared name, and what behind it. */
interface Around {
  readonly before: string
  readonly behind: string
}

/** The longest texts that are kept, around names and of names: longer ones are made again when they are asked for again. */
const MOST_KEPT = 48
const MOST_NAME = 64

/** The text that is being written, over all sets: what is left for it, because hostile nesting doubles it with every level. */
interface Text {
  characters: number
  depth: number
  /** Definitions in place that it has: their indentation forbids to keep what has one. */
  definitions: number
}

/** A chain of types from the declared one to the one it is made of, with their kinds. */
interface Chain {
  readonly ids: readonly number[]
  readonly kinds: readonly number[]
}

/** Writes declarations over one set. */
export class Declarations {
  readonly #set: TypeSet
  readonly #base: Declarations | undefined
  readonly #text: Text
  readonly #most: number
  readonly #members: Declaring
  readonly #named = new Map<number, Around>()
  readonly #unnamed = new Map<number, Around>()
  /** By offset, as they are written: parameters of one name are many. */
  readonly #names = new Map<number, string>()

  /** With `base`, declarations of types below the set's own are taken from there. */
  constructor(set: TypeSet, base?: Declarations) {
    this.#set = set
    this.#base = base
    this.#text = base ? base.#text : { characters: 0, depth: 0, definitions: 0 }
    this.#most = mostText(set)
    this.#members = {
      set,
      declare: (id, name, level) => this.#declare(id, this.#nameAt(name), level),
      spend: (length) => this.#spend(length),
    }
  }

  /** The declaration of `name` with a type; without a name, the type alone. */
  declare(id: number, name: string, level = 0): string {
    this.#begin()
    return this.#declare(id, printable(name), level)
  }

  #nameAt(offset: number): string {
    const known = this.#names.get(offset)
    if (known !== undefined) return known
    const name = printable(this.#set.nameAt(offset))
    if (name.length <= MOST_NAME) this.#names.set(offset, name)
    return name
  }

  /** A struct or union with its members, bitfields and the padding that C would not put there by itself. */
  structDefinition(id: number, level: number): string {
    this.#begin()
    return this.#struct(id, level)
  }

  /** An enum with its enumerators; without any, the forward declaration of one. */
  enumDefinition(id: number, level: number): string {
    this.#begin()
    return this.#enum(id, level)
  }

  /** The forward declaration a FWD stands for. */
  forward(id: number): string {
    return `${this.#set.flagOf(id) ? 'union' : 'struct'} ${printable(this.#set.nameOf(id))}`
  }

  /** `typedef … name`. */
  typedef(id: number): string {
    const name = this.#set.nameOf(id)
    const target = this.#set.refOf(id)
    // Old GCC describes this one as a typedef of void, which would not compile.
    if (target === 0 && name === '__gnuc_va_list') return 'typedef __builtin_va_list __gnuc_va_list'
    return `typedef ${this.declare(target, name)}`
  }

  #begin(): void {
    this.#text.characters = this.#most
    this.#text.depth = MAX_NESTING
  }

  #spend(length: number): void {
    this.#text.characters -= length
    if (this.#text.characters < 0) throw new LimitError('the C text grows out of all proportion to the types')
  }

  /** The same with a name that is printable. */
  #declare(id: number, name: string, level: number): string {
    const set = this.#set
    if (id < set.firstId && this.#base) return this.#base.#declare(id, name, level)
    this.#spend(name.length)
    const kept = name === '' ? this.#unnamed : this.#named
    const known = kept.get(id)
    if (known !== undefined) return known.before + name + known.behind
    const { definitions } = this.#text
    const around = this.#around(id, name !== '', level)
    const { before, behind } = around
    // Types past the end are void.
    const isKept = this.#text.definitions === definitions && before.length + behind.length <= MOST_KEPT
    if (isKept && id < set.endId) kept.set(id, around)
    return before + name + behind
  }

  #around(id: number, hasName: boolean, level: number): Around {
    const set = this.#set
    const ids: number[] = []
    const kinds: number[] = []
    for (let at = id; ; ) {
      const kind = set.kindNumberOf(at)
      ids.push(at)
      kinds.push(kind)
      if (ids.length > MAX_CHAIN) {
        throw new LimitError(`[${id}] a chain of more than ${MAX_CHAIN} types: not printable as C`, { typeId: id })
      }
      if (kind === KIND_ARRAY) at = set.word(at, 3)
      else if (kind === KIND_PTR || kind === KIND_FUNC_PROTO || isCarried(kind)) at = set.refOf(at)
      else break
    }
    const chain = { ids, kinds }
    return { before: this.#before(chain, hasName, level), behind: this.#behind(chain, level) }
  }

  /** The types of a chain from its end, which is what C puts first. */
  #before({ ids, kinds }: Chain, hasName: boolean, level: number): string {
    let text = ''
    let afterPointer = true
    for (let link = ids.length - 1; link >= 0; link--) {
      const id = ids[link]!
      const kind = kinds[link]!
      if (kind === KIND_ARRAY || kind === KIND_FUNC_PROTO) {
        // GCC repeats the element's qualifiers on an array, and marks functions that do not return as volatile; C has no place for either.
        while (link > 0 && isCarried(kinds[link - 1]!)) link--
        if (link === 0) break
        if (kind === KIND_FUNC_PROTO) text += ' ('
        else {
          if (hasName && !afterPointer) text += ' '
          if (kinds[link - 1] !== KIND_ARRAY) text += '('
        }
        afterPointer = true
        continue
      }
      if (kind === KIND_PTR) text += afterPointer ? '*' : ' *'
      else if (isQualifier(kind)) text += ` ${qualifier(kind)}`
      else {
        for (; link > 0 && isQualifier(kinds[link - 1]!); link--) text += `${qualifier(kinds[link - 1]!)} `
        text += kind === KIND_TYPE_TAG ? this.#typeTag(id) : this.#innermost(id, kind, level)
      }
      afterPointer = kind === KIND_PTR
    }
    return hasName && !afterPointer ? `${text} ` : text
  }

  #typeTag(id: number): string {
    const tag = printable(this.#set.nameOf(id))
    return this.#set.flagOf(id) ? ` __attribute__((${tag}))` : ` __attribute__((btf_type_tag("${tag}")))`
  }

  /** The type that a chain ends with. */
  #innermost(id: number, kind: number, level: number): string {
    const set = this.#set
    const isNamed = set.word(id, 0) !== 0
    switch (plainKind(kind)) {
      case KIND_VOID:
        return 'void'
      case KIND_STRUCT:
      case KIND_UNION:
        return isNamed ? structTag(set, id) : this.#struct(id, level)
      case KIND_ENUM:
        return isNamed ? tagged('enum', set, id) : this.#enum(id, level)
      case KIND_FWD:
        return this.forward(id)
      case KIND_TYPEDEF:
        return printable(set.nameOf(id))
      default:
        if (isScalar(kind)) return printable(set.nameOf(id))
        throw new BadFormatError(`[${id}] ${kindName(kind)} cannot be part of a declaration`, { typeId: id })
    }
  }

  #enum(id: number, level: number): string {
    this.#text.definitions++
    return enumText(this.#members, id, level)
  }

  #struct(id: number, level: number): string {
    this.#enter(id)
    this.#text.definitions++
    const text = structText(this.#members, id, level)
    this.#text.depth++
    return text
  }

  #enter(id: number): void {
    if (--this.#text.depth < 0) {
      throw new LimitError(`[${id}] nested more than ${MAX_NESTING} levels deep: not printable as C`, { typeId: id })
    }
  }

  /** What arrays and functions of a chain have behind the name, from the name on. */
  #behind({ ids, kinds }: Chain, level: number): string {
    const set = this.#set
    let text = ''
    /** What is nearer to the name, but for what arrays and functions drop. */
    let inner: number | undefined
    for (let link = 0; link < ids.length; link++) {
      const id = ids[link]!
      const kind = kinds[link]!
      if (isCarried(kind)) continue
      if (kind === KIND_ARRAY) {
        if (inner !== undefined && inner !== KIND_ARRAY) text += ')'
        text += `[${set.word(id, 5)}]`
      } else if (kind === KIND_FUNC_PROTO) {
        if (inner !== undefined) text += ')'
        text += `(${this.#params(id, level)})`
      }
      inner = kind
    }
    return text
  }

  #params(id: number, level: number): string {
    const set = this.#set.owner(id)!
    const { words } = set
    const start = set.position(id) + 3
    const vlen = set.vlenOf(id)
    if (vlen === 0 || (vlen === 1 && words[start + 1] === 0)) return 'void'
    this.#enter(id)
    let text = ''
    for (let i = 0; i < vlen; i++) {
      const type = words[start + 2 * i + 1]!
      if (i > 0) text += ', '
      text += type === 0 && i === vlen - 1 ? '...' : this.#declare(type, this.#nameAt(words[start + 2 * i]!), level)
    }
    this.#text.depth++
    this.#spend(text.length)
    return text
  }
}

/** Whether a declaration carries such a type along with the one behind it: a qualifier or a tag. */
const isCarried = (kind: number): boolean => isQualifier(kind) || kind === KIND_TYPE_TAG

/** A qualifier as C writes it: its kind's name in lower case. */
const qualifier = (kind: number): string => QUALIFIERS[kind]!
const QUALIFIERS = KINDS.map(({ name }) => name.toLowerCase())

const plain = new WeakMap<TypeSet, Declarations>()

/** Declarations with names as they stand, kept per set; those of base types are shared by all sets split on it. */
export function plainDeclarations(set: TypeSet): Declarations {
  let declarations = plain.get(set)
  if (!declarations) {
    declarations = new Declarations(set, set.base && plainDeclarations(set.base))
    plain.set(set, declarations)
  }
  return declarations
}
