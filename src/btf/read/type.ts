// Decoded types: what a record says, as an immutable object. Made on demand, one type at a time.

import { like, number, text } from '../../core/arguments.ts'
import { NotFoundError } from '../../core/errors.ts'
import { sayingAs } from '../../core/explain.ts'
import {
  infoFlag,
  infoVlen,
  KIND_ARRAY,
  KIND_CONST,
  KIND_DATASEC,
  KIND_DECL_TAG,
  KIND_ENUM,
  KIND_ENUM64,
  KIND_FLOAT,
  KIND_FUNC,
  KIND_FUNC_PROTO,
  KIND_FWD,
  KIND_INT,
  KIND_PTR,
  KIND_RESTRICT,
  KIND_STRUCT,
  KIND_TYPE_TAG,
  KIND_TYPEDEF,
  KIND_UNION,
  KIND_VAR,
  KIND_VOLATILE,
  MAX_DEPTH,
} from '../format.ts'
import { enumeratorValue, enumeratorWords, isModifier, KEYWORD_KINDS, type KindName, typeInWords } from '../kinds.ts'
import { type TypeSet, typeSet } from './type-set.ts'

/** A type as an answer to a lookup: its identity (set and id), kind and name. */
export interface TypeCandidate {
  /** `vmlinux` or the module that defines it. */
  readonly module: string
  readonly id: number
  readonly kind: KindName
  readonly name: string
}

/** What every type has. Two types are the same if `module` and `id` are: ids mean nothing outside their set. */
interface Common<Kind extends KindName> {
  /** The set that holds the type: `vmlinux` or a module. */
  readonly module: string
  readonly id: number
  readonly kind: Kind
  /** Empty for an anonymous type. */
  readonly name: string
}

/** What a function, variable or section entry is visible to. */
export type Linkage = 'static' | 'global' | 'extern' | 'unknown'

export interface VoidType extends Common<'VOID'> {}
export interface IntType extends Common<'INT'> {
  /** Bytes. */
  readonly size: number
  /** Bits used, from `bitOffset` on: fewer than 8 × size only in the bitfields of old compilers. */
  readonly bits: number
  readonly bitOffset: number
  readonly encoding: 'none' | 'signed' | 'char' | 'bool' | 'unknown'
}
/** Pointers, typedefs and qualifiers: types that refer to one other type. */
export interface RefType extends Common<'PTR' | 'TYPEDEF' | 'VOLATILE' | 'CONST' | 'RESTRICT'> {
  readonly type: number
}
export interface ArrayType extends Common<'ARRAY'> {
  readonly type: number
  readonly indexType: number
  readonly count: number
}
/** A member of a struct or union. */
export interface Member {
  /** Empty for an anonymous struct, union or bitfield. */
  readonly name: string
  readonly type: number
  /** Offset from the start of the struct, in bits. */
  readonly bitOffset: number
  /** Width of a bitfield in bits; 0 for an ordinary member. */
  readonly bits: number
}
export interface StructType extends Common<'STRUCT' | 'UNION'> {
  /** Bytes. */
  readonly size: number
  readonly members: readonly Member[]
}
export interface Enumerator {
  readonly name: string
  readonly value: bigint
}
export interface EnumType extends Common<'ENUM' | 'ENUM64'> {
  /** Bytes. */
  readonly size: number
  readonly signed: boolean
  readonly values: readonly Enumerator[]
}
const DECODED = like<{ readonly kind: string }>({ kind: text }, 'a type, as decodeType gives it')

/** Whether a type is an enum of either width. */
export function isEnumType(type: Type): type is EnumType {
  DECODED(type, 'type')
  return KEYWORD_KINDS.enum.has(type.kind)
}

export interface FwdType extends Common<'FWD'> {
  /** What is declared but not defined here. */
  readonly declares: 'struct' | 'union'
}
export interface FuncType extends Common<'FUNC'> {
  /** Its FUNC_PROTO. */
  readonly type: number
  readonly linkage: Linkage
}
export interface Param {
  /** Empty if the prototype does not name it. */
  readonly name: string
  readonly type: number
}
export interface FuncProtoType extends Common<'FUNC_PROTO'> {
  /** 0 for void. */
  readonly returnType: number
  readonly params: readonly Param[]
  /** More arguments may follow (`...`). */
  readonly variadic: boolean
}
export interface VarType extends Common<'VAR'> {
  readonly type: number
  readonly linkage: Linkage
}
export interface DatasecType extends Common<'DATASEC'> {
  /** Bytes. */
  readonly size: number
  /** Its variables by offset, all in bytes. */
  readonly variables: readonly { readonly type: number; readonly offset: number; readonly size: number }[]
}
export interface FloatType extends Common<'FLOAT'> {
  /** Bytes. */
  readonly size: number
}
export interface DeclTagType extends Common<'DECL_TAG'> {
  /** What is tagged; the tag is `name`. */
  readonly type: number
  /** The member or parameter that is tagged; -1 for the whole. */
  readonly component: number
  /** `name` is the text of an attribute rather than a btf_decl_tag. */
  readonly attribute: boolean
}
export interface TypeTagType extends Common<'TYPE_TAG'> {
  /** What is tagged; the tag is `name`. */
  readonly type: number
  /** `name` is the text of an attribute rather than a btf_type_tag. */
  readonly attribute: boolean
}
/** A kind newer than kerndex; only its size in the blob is known. */
export interface UnknownType extends Common<'UNKNOWN'> {
  readonly kindNumber: number
}

/** A decoded type. Types it refers to are ids of the same set. */
export type Type =
  | VoidType
  | IntType
  | RefType
  | ArrayType
  | StructType
  | EnumType
  | FwdType
  | FuncType
  | FuncProtoType
  | VarType
  | DatasecType
  | FloatType
  | DeclTagType
  | TypeTagType
  | UnknownType

const ENCODINGS: Readonly<Record<number, IntType['encoding']>> = { 0: 'none', 1: 'signed', 2: 'char', 4: 'bool' }
const LINKAGES: readonly Linkage[] = ['static', 'global', 'extern']

/** Member `i` of a struct or union. */
export function memberAt(set: TypeSet, id: number, i: number): Member {
  typeSet(set, 'set')
  number(i, 'i')
  const own = set.owner(id) ?? set
  const at = own.position(id)
  return readMember(own, at + 3 + 3 * i, infoFlag(own.words[at + 1]!))
}

function readMember(own: TypeSet, at: number, flag: boolean): Member {
  const { words } = own
  const offset = words[at + 2]!
  return Object.freeze({
    name: own.nameAt(words[at]!),
    type: words[at + 1]!,
    bitOffset: flag ? offset & 0xffffff : offset,
    bits: flag ? offset >>> 24 : 0,
  })
}

/** A type that says what it is; its values, of 64 bits, are text in JSON. */
const telling = sayingAs<Type>(typeInWords, (type) =>
  'values' in type
    ? { ...type, values: type.values.map(({ name, value }) => ({ name, value: String(value) })) }
    : { ...type },
)

/**
 * Decodes a type. The object and what it holds never change.
 * @throws NotFoundError if the set has no such id.
 */
export function decodeType(set: TypeSet, id: number): Type {
  typeSet(set, 'set')
  if (id === 0) return Object.freeze(telling({ module: set.name, id: 0, kind: 'VOID', name: '' }))
  const own = set.owner(id)
  if (!own || id < 0 || !Number.isInteger(id)) {
    throw new NotFoundError(`${set.name} has no type ${id}; its ids end at ${set.endId - 1}`)
  }
  return Object.freeze(telling(readType(own, id)))
}

function readType(own: TypeSet, id: number): Type {
  const { words } = own
  const at = own.position(id)
  const info = words[at + 1]!
  const ref = words[at + 2]!
  const flag = infoFlag(info)
  const common = { module: own.name, id, name: own.nameAt(words[at]!) }
  const each = <T>(step: number, read: (at: number) => T): readonly T[] => {
    const list: T[] = []
    const end = at + 3 + step * infoVlen(info)
    for (let i = at + 3; i < end; i += step) list.push(Object.freeze(read(i)))
    return Object.freeze(list)
  }
  const kind = own.kindNumberOf(id)
  switch (kind) {
    case KIND_INT: {
      const data = words[at + 3]!
      const encoding = ENCODINGS[(data >>> 24) & 0xf] ?? 'unknown'
      return { ...common, kind: 'INT', size: ref, bits: data & 0xff, bitOffset: (data >>> 16) & 0xff, encoding }
    }
    case KIND_PTR:
      return { ...common, kind: 'PTR', type: ref }
    case KIND_TYPEDEF:
      return { ...common, kind: 'TYPEDEF', type: ref }
    case KIND_VOLATILE:
      return { ...common, kind: 'VOLATILE', type: ref }
    case KIND_CONST:
      return { ...common, kind: 'CONST', type: ref }
    case KIND_RESTRICT:
      return { ...common, kind: 'RESTRICT', type: ref }
    case KIND_ARRAY:
      return { ...common, kind: 'ARRAY', type: words[at + 3]!, indexType: words[at + 4]!, count: words[at + 5]! }
    case KIND_STRUCT:
      return { ...common, kind: 'STRUCT', size: ref, members: each(3, (i) => readMember(own, i, flag)) }
    case KIND_UNION:
      return { ...common, kind: 'UNION', size: ref, members: each(3, (i) => readMember(own, i, flag)) }
    case KIND_ENUM:
    case KIND_ENUM64: {
      const step = enumeratorWords(kind)
      const values = each(step, (i) => ({
        name: own.nameAt(words[i]!),
        value: enumeratorValue(words, i, step, flag),
      }))
      return { ...common, kind: kind === KIND_ENUM ? 'ENUM' : 'ENUM64', size: ref, signed: flag, values }
    }
    case KIND_FWD:
      return { ...common, kind: 'FWD', declares: flag ? 'union' : 'struct' }
    case KIND_FUNC:
      return { ...common, kind: 'FUNC', type: ref, linkage: LINKAGES[infoVlen(info)] ?? 'unknown' }
    case KIND_FUNC_PROTO: {
      const params = each(2, (i): Param => ({ name: own.nameAt(words[i]!), type: words[i + 1]! }))
      const variadic = params.length > 0 && params.at(-1)!.type === 0
      return {
        ...common,
        kind: 'FUNC_PROTO',
        returnType: ref,
        params: variadic ? Object.freeze(params.slice(0, -1)) : params,
        variadic,
      }
    }
    case KIND_VAR:
      return { ...common, kind: 'VAR', type: ref, linkage: LINKAGES[words[at + 3]!] ?? 'unknown' }
    case KIND_DATASEC: {
      const variables = each(3, (i) => ({ type: words[i]!, offset: words[i + 1]!, size: words[i + 2]! }))
      return { ...common, kind: 'DATASEC', size: ref, variables }
    }
    case KIND_FLOAT:
      return { ...common, kind: 'FLOAT', size: ref }
    case KIND_DECL_TAG:
      return { ...common, kind: 'DECL_TAG', type: ref, component: words[at + 3]! | 0, attribute: flag }
    case KIND_TYPE_TAG:
      return { ...common, kind: 'TYPE_TAG', type: ref, attribute: flag }
    default:
      return { ...common, kind: 'UNKNOWN', kindNumber: (info >>> 24) & 0x7f }
  }
}

/**
 * The type behind typedefs, qualifiers and type tags. Returns the id it has reached after 32 links: a longer chain is
 * one the kernel refuses.
 */
export function skipModifiers(set: TypeSet, id: number): number {
  typeSet(set, 'set')
  let at = id
  for (let depth = 0; depth < MAX_DEPTH && isModifier(set.kindNumberOf(at)); depth++) at = set.refOf(at)
  return at
}
