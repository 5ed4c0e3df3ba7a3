// BTF on disk: magic, kinds and the fields of a type record (include/uapi/linux/btf.h). No reading, only numbers and names.

import { choice } from '../core/arguments.ts'

/** First two bytes of a blob; the order in which they stand tells the byte order of the whole. */
export const BTF_MAGIC = 0xeb9f
/** Length of `struct btf_header` up to and including the string section, as every kernel before 7.1 writes it. */
export const OLD_HEADER_BYTES = 24
/** Length of `struct btf_header` with the layout section. */
export const HEADER_BYTES = 32
/** Length of a type record without what trails it: name, info, size or type. */
export const TYPE_WORDS = 3
/** Deepest chain of modifiers, nesting or pointers that any walk follows, as in the kernel (MAX_RESOLVE_DEPTH). */
export const MAX_DEPTH = 32

export const KIND_VOID = 0
export const KIND_INT = 1
export const KIND_PTR = 2
export const KIND_ARRAY = 3
export const KIND_STRUCT = 4
export const KIND_UNION = 5
export const KIND_ENUM = 6
export const KIND_FWD = 7
export const KIND_TYPEDEF = 8
export const KIND_VOLATILE = 9
export const KIND_CONST = 10
export const KIND_RESTRICT = 11
export const KIND_FUNC = 12
export const KIND_FUNC_PROTO = 13
export const KIND_VAR = 14
export const KIND_DATASEC = 15
export const KIND_FLOAT = 16
export const KIND_DECL_TAG = 17
export const KIND_TYPE_TAG = 18
export const KIND_ENUM64 = 19
/** Number of kinds known here, void included. */
export const KIND_COUNT = 20

/** Names of the kinds, by number, spelled as the kernel's documentation spells them. */
export const KIND_NAMES = [
  'VOID',
  'INT',
  'PTR',
  'ARRAY',
  'STRUCT',
  'UNION',
  'ENUM',
  'FWD',
  'TYPEDEF',
  'VOLATILE',
  'CONST',
  'RESTRICT',
  'FUNC',
  'FUNC_PROTO',
  'VAR',
  'DATASEC',
  'FLOAT',
  'DECL_TAG',
  'TYPE_TAG',
  'ENUM64',
] as const

/** A kind by name; `UNKNOWN` is any kind newer than this table, whose size the blob's layout section gives. */
export type KindName = (typeof KIND_NAMES)[number] | 'UNKNOWN'

/** The name of a kind as an argument, in any case. */
export const kindChoice = choice<KindName>(...KIND_NAMES, 'UNKNOWN')

/** The name of a kind. */
export function kindName(kind: number): KindName {
  return KIND_NAMES[kind] ?? 'UNKNOWN'
}

/** The number of a kind's name; -1 for `UNKNOWN`, which has none. */
export function kindNumber(name: KindName): number {
  return (KIND_NAMES as readonly string[]).indexOf(name)
}

/**
 * The kind in a type's `info` word. Kernels before 7.2 used five bits and kept the other two zero, so the wide mask
 * reads every blob.
 */
export const infoKind = (info: number): number => (info >>> 24) & 0x7f
/** The number of trailing elements in a type's `info` word: 24 bits since 7.2, the upper eight zero before. */
export const infoVlen = (info: number): number => info & 0xffffff
/** The kind flag in a type's `info` word. */
export const infoFlag = (info: number): boolean => info >>> 31 === 1

/** Words that follow the record of each known kind, whatever its vlen. */
export const FIXED_WORDS: Readonly<Uint8Array> = Uint8Array.of(
  0,
  1,
  0,
  3,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  1,
  0,
  0,
  1,
  0,
  0,
)
/** Words that follow the record of each known kind for every one of its vlen elements. */
export const ELEMENT_WORDS: Readonly<Uint8Array> = Uint8Array.of(
  0,
  0,
  0,
  0,
  3,
  3,
  2,
  0,
  0,
  0,
  0,
  0,
  0,
  2,
  0,
  3,
  0,
  0,
  0,
  3,
)

/** Sizes of kinds newer than the table above, from a blob's layout section: two bytes a kind. */
export interface KindLayout {
  /** Bytes after the record whatever the vlen, by kind. */
  readonly infoBytes: readonly number[]
  /** Bytes for each of vlen elements, by kind. */
  readonly elementBytes: readonly number[]
}

/** Words that a type of the given kind takes, record included; -1 if neither the table nor the layout knows the kind. */
export function typeWords(kind: number, vlen: number, layout: KindLayout | undefined): number {
  if (kind > 0 && kind < KIND_COUNT) return TYPE_WORDS + FIXED_WORDS[kind]! + vlen * ELEMENT_WORDS[kind]!
  const info = layout?.infoBytes[kind]
  const element = layout?.elementBytes[kind]
  if (info === undefined || element === undefined || info % 4 !== 0 || element % 4 !== 0) return -1
  return TYPE_WORDS + info / 4 + (vlen * element) / 4
}
