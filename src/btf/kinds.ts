// Questions about the kinds of BTF, answered from their rows (format.ts): names, groups, sizes, where references stand. A kind's decoded
// form is in read/type.ts; what it has of its own beside that is a case where it is printed (print/raw.ts, print/c-declare.ts,
// print/c-tables.ts) and checked (verify/check.ts).

import { choice, number } from '../core/arguments.ts'
import { printable } from '../core/printable.ts'
import { type KindRow, ROWS } from './format.ts'

/** A kind's row, and where in a record of that kind names and ids of types are. */
export interface Kind extends KindRow {
  /** The third word is the id of a type. */
  readonly refersToType: boolean
  /** Words behind the record, whatever its vlen; how many of them, from the first on, are ids of types. */
  readonly fixed: number
  readonly fixedTypes: number
  readonly elements?: {
    /** Words of each element. */
    readonly words: number
    /** It begins with the offset of a name. */
    readonly named: boolean
    /** The word that is the id of a type. */
    readonly type?: number
  }
}

const isTypeId = (word: string | undefined): boolean => word?.endsWith('type_id') === true

function kindOf(row: KindRow): Kind {
  const { third, words = [], element } = row
  const kind = {
    ...row,
    refersToType: isTypeId(third),
    fixed: words.length,
    fixedTypes: words.filter(isTypeId).length,
  }
  if (element === undefined) return kind
  const type = element.findIndex(isTypeId)
  const elements = { words: element.length, named: element[0] === 'name' }
  return { ...kind, elements: type < 0 ? elements : { ...elements, type } }
}

/** The kinds, by number. */
export const KINDS: readonly Kind[] = ROWS.map(kindOf)
/** Number of kinds known here, void included. */
export const KIND_COUNT = ROWS.length

type KnownKind = (typeof ROWS)[number]['name']
/** A kind by name; `UNKNOWN` is any kind newer than this table, whose size the blob's layout section gives. */
export type KindName = KnownKind | 'UNKNOWN'

const NAMES: readonly KnownKind[] = ROWS.map(({ name }) => name)

/** The name of a kind as an argument, in any case. */
export const kindChoice = choice<KindName>(...NAMES, 'UNKNOWN')

/** The name of a kind. */
export function kindName(kind: number): KindName {
  return NAMES[kind] ?? 'UNKNOWN'
}

/** The number of a kind's name; -1 for `UNKNOWN`, which has none. */
export function kindNumber(name: KindName): number {
  return (NAMES as readonly string[]).indexOf(name)
}

/** `struct sk_buff`, `typedef gfp_t`, `(anonymous) union`. */
export function typeInWords({ kind, name }: { readonly kind: KindName; readonly name: string }): string {
  const keyword = plainKindName(kind).toLowerCase()
  return name === '' ? (kind === 'VOID' ? 'void' : `(anonymous) ${keyword}`) : `${keyword} ${printable(name)}`
}

const PLAIN = Uint8Array.from(KINDS, ({ like }, kind) => (like === undefined ? kind : NAMES.indexOf(like)))

/** The kind by whose rules a kind goes, which most often is itself; ENUM64 is an ENUM of wider values. */
export function plainKind(kind: number): number {
  return PLAIN[kind] ?? kind
}

/** The same by name. */
export function plainKindName(kind: KindName): KindName {
  return kind === 'UNKNOWN' ? kind : kindName(plainKind(kindNumber(kind)))
}

/** The kinds of what C calls `struct`, `union` and `enum`. */
export const KEYWORD_KINDS = {
  struct: kindsLike('STRUCT'),
  union: kindsLike('UNION'),
  enum: kindsLike('ENUM'),
} as const

function kindsLike(name: KnownKind): ReadonlySet<KindName> {
  return new Set(NAMES.filter((each) => plainKindName(each) === name))
}

/** What C puts in front of the name of such a type, if anything. */
export function keywordOf(kind: KindName): keyof typeof KEYWORD_KINDS | undefined {
  const plain = plainKindName(kind)
  return plain === 'STRUCT' ? 'struct' : plain === 'UNION' ? 'union' : plain === 'ENUM' ? 'enum' : undefined
}

/** A column of the table by number, as code that runs over all types wants it. */
const flags = (which: (kind: Kind) => boolean): Uint8Array => Uint8Array.from(KINDS, (kind) => (which(kind) ? 1 : 0))
const MODIFIER = flags(({ role }) => role === 'modifier' || role === 'qualifier')
const QUALIFIER = flags(({ role }) => role === 'qualifier')
const SCALAR = flags(({ role }) => role === 'scalar')
const COMPOSITE = flags(({ role }) => role === 'composite')
const ENUM = flags(({ role }) => role === 'enum')

/** Whether a kind only qualifies or renames the type it refers to: TYPEDEF, the qualifiers and TYPE_TAG. */
export function isModifier(kind: number): boolean {
  if (typeof kind !== 'number') number(kind, 'kind')
  return MODIFIER[kind] === 1
}
/** STRUCT or UNION. */
export const isComposite = (kind: number): boolean => COMPOSITE[kind] === 1
/** ENUM or ENUM64. */
export const isEnum = (kind: number): boolean => ENUM[kind] === 1
/** INT or FLOAT. */
export const isScalar = (kind: number): boolean => SCALAR[kind] === 1
/** VOLATILE, CONST or RESTRICT. */
export const isQualifier = (kind: number): boolean => QUALIFIER[kind] === 1
/** Kinds that refer to others and that nothing may refer to, except each other. */
export const isDeclaration = (kind: number): boolean => KINDS[kind]?.role === 'declaration'
/** Whether the record itself tells the size of an object of that type. */
export const hasSize = (kind: number): boolean => KINDS[kind]?.size === 'own'
/** Whether no object can be of such a type (btf_type_nosize, kernel/bpf/btf.c, to which a DECL_TAG is none either). */
export const hasNoSize = (kind: number): boolean => KINDS[kind]?.size === 'none' || KINDS[kind]?.name === 'DECL_TAG'

/** Whether the kernel follows what such a type refers to before it takes it (btf_type_needs_resolve, kernel/bpf/btf.c). */
export function needsResolving(kind: number): boolean {
  const row = KINDS[kind]
  if (row === undefined || row.name === 'FUNC_PROTO') return false
  return row.refersToType || row.fixedTypes > 0 || row.elements?.type !== undefined
}

/** Sizes of kinds newer than the table, from a blob's layout section: two bytes a kind. */
export interface KindLayout {
  /** Bytes after the record whatever the vlen, by kind. */
  readonly infoBytes: readonly number[]
  /** Bytes for each of vlen elements, by kind. */
  readonly elementBytes: readonly number[]
}

/** Words of a record without what trails it: name, info, size or type. */
export const TYPE_WORDS = 3
const FIXED_WORDS = Uint8Array.from(KINDS, ({ fixed }) => fixed)
const ELEMENT_WORDS = Uint8Array.from(KINDS, ({ elements }) => elements?.words ?? 0)

/** Words behind a record and for each of its elements; undefined if neither the table nor the layout knows the kind. */
export function trailingWords(
  kind: number,
  layout: KindLayout | undefined,
): { readonly fixed: number; readonly element: number } | undefined {
  if (kind <= 0) return undefined
  if (kind < KIND_COUNT) return { fixed: FIXED_WORDS[kind]!, element: ELEMENT_WORDS[kind]! }
  const info = layout?.infoBytes[kind]
  const element = layout?.elementBytes[kind]
  if (info === undefined || element === undefined || info % 4 !== 0 || element % 4 !== 0) return undefined
  return { fixed: info / 4, element: element / 4 }
}

/** Words of an enumerator of a kind: its name, and a value of one word or of two. */
export const enumeratorWords = (kind: number): number => ELEMENT_WORDS[kind]!

/** Value of the enumerator of so many words at a position: of two words the low half comes first in both byte orders. */
export function enumeratorValue(words: Uint32Array, at: number, length: number, signed: boolean): bigint {
  const low = words[at + 1]!
  if (length === 2) return BigInt(signed ? low | 0 : low)
  const value = (BigInt(words[at + 2]!) << 32n) | BigInt(low)
  return signed ? BigInt.asIntN(64, value) : value
}

/** Words that a type of the given kind takes, record included; -1 if neither the table nor the layout knows the kind. */
export function typeWords(kind: number, vlen: number, layout: KindLayout | undefined): number {
  if (kind > 0 && kind < KIND_COUNT) return TYPE_WORDS + FIXED_WORDS[kind]! + vlen * ELEMENT_WORDS[kind]!
  const words = trailingWords(kind, layout)
  return words === undefined ? -1 : TYPE_WORDS + words.fixed + vlen * words.element
}
