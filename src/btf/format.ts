// BTF on disk: magic, the numbers of the kinds, the fields of a record (include/uapi/linux/btf.h). kinds.ts says what kinds are.

/** First two bytes of a blob; the order in which they stand tells the byte order of the whole. */
export const BTF_MAGIC = 0xeb9f
/** Length of `struct btf_header` up to and including the string section, as every kernel before 7.1 writes it. */
export const OLD_HEADER_BYTES = 24
/** Length of `struct btf_header` with the layout section. */
export const HEADER_BYTES = 32
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
/**
 * The kind in a type's `info` word. Kernels before 7.2 used five bits and kept the other two zero, so the wide mask
 * reads every blob.
 */
export const infoKind = (info: number): number => (info >>> 24) & 0x7f
/** The number of trailing elements in a type's `info` word: 24 bits since 7.2, the upper eight zero before. */
export const infoVlen = (info: number): number => info & 0xffffff
/** The kind flag in a type's `info` word. */
export const infoFlag = (info: number): boolean => info >>> 31 === 1
