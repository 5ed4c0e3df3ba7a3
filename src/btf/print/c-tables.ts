// What the compiled loops of C headers go by: what each kind is to C, and the words that they write.

import {
  KIND_ARRAY as ARRAY_KIND,
  KIND_DATASEC,
  KIND_DECL_TAG,
  KIND_FUNC,
  KIND_FUNC_PROTO,
  KIND_FWD,
  KIND_PTR,
  KIND_STRUCT,
  KIND_TYPE_TAG,
  KIND_TYPEDEF,
  KIND_VAR,
  KIND_VOID,
  type KindRow,
} from '../format.ts'
import { isComposite, isEnum, isQualifier, isScalar, KIND_COUNT, KINDS } from '../kinds.ts'
import {
  ARRAY,
  DECL_TAG,
  ENUM,
  FORWARD,
  KIND_ELEMENT,
  KIND_ELEMENT_TYPE,
  KIND_FIXED,
  KIND_FIXED_TYPES,
  KIND_REFERS,
  KIND_ROLE,
  KIND_SIZE,
  OTHER,
  POINTER,
  PRINTS_NOTHING,
  PROTOTYPE,
  QUALIFIER,
  SCALAR,
  SIZE_NONE,
  SIZE_OF_ELEMENTS,
  SIZE_OF_POINTER,
  SIZE_OF_TYPE,
  SIZE_OWN,
  STRUCT,
  TEXT_ATTRIBUTE,
  TEXT_ATTRIBUTE_END,
  TEXT_BYTE_MODE,
  TEXT_CHAR,
  TEXT_COUNT,
  TEXT_END,
  TEXT_ENUM,
  TEXT_EQUALS,
  TEXT_GNUC_VA_LIST,
  TEXT_GNUC_VA_LIST_TYPEDEF,
  TEXT_INT,
  TEXT_LL,
  TEXT_LONG,
  TEXT_MISSING,
  TEXT_NUMBERED,
  TEXT_PACKED,
  TEXT_SHORT,
  TEXT_STRUCT,
  TEXT_TYPE_TAG,
  TEXT_TYPE_TAG_END,
  TEXT_TYPEDEF,
  TEXT_ULL,
  TEXT_UNION,
  TEXT_VA_LIST,
  TEXT_VOID,
  TEXT_WORD_MODE,
  TYPE_TAG,
  TYPEDEF,
  UNION,
  UNKNOWN,
  VOID,
} from './c-constants.ts'

/** Kinds that are something of their own to C; all others go by their rows. */
const ROLES: ReadonlyMap<number, number> = new Map([
  [KIND_VOID, VOID],
  [KIND_PTR, POINTER],
  [ARRAY_KIND, ARRAY],
  [KIND_FWD, FORWARD],
  [KIND_TYPEDEF, TYPEDEF],
  [KIND_FUNC, PRINTS_NOTHING],
  [KIND_FUNC_PROTO, PROTOTYPE],
  [KIND_VAR, PRINTS_NOTHING],
  [KIND_DATASEC, PRINTS_NOTHING],
  [KIND_DECL_TAG, DECL_TAG],
  [KIND_TYPE_TAG, TYPE_TAG],
])

const SIZES: Readonly<Record<KindRow['size'], number>> = {
  own: SIZE_OWN,
  'its type': SIZE_OF_TYPE,
  pointer: SIZE_OF_POINTER,
  elements: SIZE_OF_ELEMENTS,
  none: SIZE_NONE,
}

function roleOf(kind: number): number {
  if (isEnum(kind)) return ENUM
  if (isScalar(kind)) return SCALAR
  if (isQualifier(kind)) return QUALIFIER
  if (isComposite(kind)) return kind === KIND_STRUCT ? STRUCT : UNION
  return ROLES.get(kind) ?? (kind < KIND_COUNT ? OTHER : UNKNOWN)
}

/** Writes the table of kinds. */
export function writeKinds(table: Uint8Array): void {
  for (let kind = 0; kind < KIND_ROLE + 128; kind++) {
    table[KIND_ROLE + kind] = roleOf(kind)
    const row = KINDS[kind]
    if (row === undefined) continue
    // Declarations have a size, but nothing is laid out as they are.
    table[KIND_SIZE + kind] = row.role === 'declaration' ? SIZE_NONE : SIZES[row.size]
    // A function's result does not count as a use of its type.
    table[KIND_REFERS + kind] = row.refersToType && kind !== KIND_FUNC_PROTO ? 1 : 0
    table[KIND_FIXED_TYPES + kind] = row.fixedTypes
    table[KIND_FIXED + kind] = row.fixed
    table[KIND_ELEMENT + kind] = row.elements?.words ?? 0
    table[KIND_ELEMENT_TYPE + kind] = row.elements?.type === undefined ? 0 : row.elements.type + 1
  }
}

/** By number. Aliases of vector elements are what GCC knows by itself and clang does not. */
const TEXTS: readonly (readonly [number, ...string[]])[] = [
  [TEXT_STRUCT, 'struct'],
  [TEXT_UNION, 'union'],
  [TEXT_ENUM, 'enum'],
  [TEXT_TYPEDEF, 'typedef '],
  [TEXT_VOID, 'void'],
  [TEXT_NUMBERED, '___'],
  [TEXT_END, ';\n\n'],
  [TEXT_PACKED, ' __attribute__((packed))'],
  [TEXT_BYTE_MODE, ' __attribute__((mode(byte)))'],
  [TEXT_WORD_MODE, ' __attribute__((mode(word)))'],
  [TEXT_ATTRIBUTE, ' __attribute__(('],
  [TEXT_ATTRIBUTE_END, '))'],
  [TEXT_TYPE_TAG, ' __attribute__((btf_type_tag("'],
  [TEXT_TYPE_TAG_END, '")))'],
  [TEXT_LL, 'LL'],
  [TEXT_ULL, 'ULL'],
  [TEXT_EQUALS, ' = '],
  [TEXT_LONG, 'long'],
  [TEXT_INT, 'int'],
  [TEXT_SHORT, 'short'],
  [TEXT_CHAR, 'char'],
  [TEXT_VA_LIST, '__builtin_va_list'],
  [TEXT_GNUC_VA_LIST, '__gnuc_va_list'],
  [TEXT_GNUC_VA_LIST_TYPEDEF, 'typedef __builtin_va_list __gnuc_va_list'],
  [TEXT_MISSING, '__Poly8_t', 'unsigned char', '__Poly16_t', 'unsigned short'],
  [TEXT_MISSING + 4, '__Poly64_t', 'unsigned long long', '__Poly128_t', 'unsigned __int128'],
]

/** Texts by number, each with a zero behind it: those of qualifiers are the names of their kinds. */
export function allTexts(): string[] {
  const texts = Array.from({ length: TEXT_COUNT }, (_, i) => `${KINDS[i]?.name.toLowerCase() ?? ''}\0`)
  for (const [first, ...some] of TEXTS) for (const [i, text] of some.entries()) texts[first + i] = `${text}\0`
  return texts
}
