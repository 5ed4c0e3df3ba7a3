// BTF on disk: the magic number, the fields of a record, and the kinds of types: the number and the row of each
// (include/uapi/linux/btf.h, kernel/bpf/btf.c). Questions about kinds are answered in kinds.ts.

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

/** A rule that the kernel checks of a record alone; `own` stands for the rules of this kind in verify/check.ts. */
export type RecordRule =
  | 'no vlen'
  | 'no flag'
  | 'no name'
  | 'identifier'
  | 'identifier or none'
  | 'no type'
  | 'a type'
  | 'valid type'
  | 'a size'
  | 'own'

/**
 * What a kind is, for everything that reads, checks or prints types. Words have the names that bpftool prints: one that ends with
 * `type_id` is the id of a type, and `name` is the offset of a name.
 */
export interface KindRow {
  /** As the kernel's documentation spells it. */
  readonly name: string
  /** The third word of the record; without it that word is zero. */
  readonly third?: 'type_id' | 'ret_type_id' | 'size'
  /** The words behind the record, whatever its vlen. Ids of types come first. */
  readonly words?: readonly string[]
  /** The words of each of vlen elements. A name comes first. */
  readonly element?: readonly string[]
  /** How large an object of such a type is: as the record says, as the type it refers to, as a pointer, or no object has it. */
  readonly size: 'own' | 'its type' | 'pointer' | 'elements' | 'none'
  /**
   * For code that treats some kinds alike. `scalar`: C declares it by its name. `qualifier`: C writes the kind's name, in lower case,
   * before or behind the type it refers to. `declaration`: it refers to types, and only declarations refer to it.
   */
  readonly role?: 'scalar' | 'qualifier' | 'modifier' | 'composite' | 'enum' | 'declaration'
  /** The kind by whose rules it goes, of which it is another form. */
  readonly like?: 'ENUM'
  /** The kernel's checks of a record, in their order (the `check_meta` function of the kind, kernel/bpf/btf.c). */
  readonly rules: readonly RecordRule[]
  /** The first Linux that takes it (tools/lib/bpf/features.c, and the kernel's history of include/uapi/linux/btf.h). */
  readonly since: `${number}.${number}`
}

const BARE_REFERENCE = ['no vlen', 'no flag', 'valid type', 'no name'] as const
const QUALIFIER = {
  third: 'type_id',
  size: 'its type',
  role: 'qualifier',
  rules: BARE_REFERENCE,
  since: '4.18',
} as const
const COMPOSITE = {
  third: 'size',
  element: ['name', 'type_id', 'bits_offset'],
  size: 'own',
  role: 'composite',
  rules: ['identifier or none', 'own'],
  since: '4.18',
} as const
const ENUM = { third: 'size', size: 'own', role: 'enum', rules: ['own'] } as const

/** By number. */
export const ROWS = [
  { name: 'VOID', size: 'none', rules: [], since: '4.18' },
  {
    name: 'INT',
    third: 'size',
    words: ['data'],
    size: 'own',
    role: 'scalar',
    rules: ['no vlen', 'no flag', 'own'],
    since: '4.18',
  },
  { name: 'PTR', third: 'type_id', size: 'pointer', rules: BARE_REFERENCE, since: '4.18' },
  {
    name: 'ARRAY',
    words: ['type_id', 'index_type_id', 'nr_elems'],
    size: 'elements',
    rules: ['no name', 'own', 'no vlen', 'no flag'],
    since: '4.18',
  },
  { name: 'STRUCT', ...COMPOSITE },
  { name: 'UNION', ...COMPOSITE },
  { name: 'ENUM', element: ['name', 'val'], ...ENUM, since: '4.18' },
  { name: 'FWD', size: 'none', rules: ['no vlen', 'no type', 'identifier'], since: '4.18' },
  {
    name: 'TYPEDEF',
    third: 'type_id',
    size: 'its type',
    role: 'modifier',
    rules: ['no vlen', 'no flag', 'valid type', 'identifier'],
    since: '4.18',
  },
  { name: 'VOLATILE', ...QUALIFIER },
  { name: 'CONST', ...QUALIFIER },
  { name: 'RESTRICT', ...QUALIFIER },
  { name: 'FUNC', third: 'type_id', size: 'none', rules: ['identifier', 'own', 'no flag'], since: '4.20' },
  {
    name: 'FUNC_PROTO',
    third: 'ret_type_id',
    element: ['name', 'type_id'],
    size: 'none',
    rules: ['no name', 'no flag'],
    since: '4.20',
  },
  {
    name: 'VAR',
    third: 'type_id',
    words: ['linkage'],
    size: 'its type',
    role: 'declaration',
    rules: ['no vlen', 'a type', 'no flag', 'identifier', 'valid type', 'own'],
    since: '5.2',
  },
  {
    name: 'DATASEC',
    third: 'size',
    element: ['type_id', 'offset', 'size'],
    size: 'own',
    role: 'declaration',
    rules: ['a size', 'no flag', 'own'],
    since: '5.2',
  },
  { name: 'FLOAT', third: 'size', size: 'own', role: 'scalar', rules: ['no vlen', 'no flag', 'own'], since: '5.13' },
  {
    name: 'DECL_TAG',
    third: 'type_id',
    words: ['component_idx'],
    size: 'its type',
    role: 'declaration',
    rules: ['own'],
    since: '5.16',
  },
  {
    name: 'TYPE_TAG',
    third: 'type_id',
    size: 'its type',
    role: 'modifier',
    rules: ['no vlen', 'valid type', 'own'],
    since: '5.17',
  },
  { name: 'ENUM64', element: ['name', 'val', 'val_high'], ...ENUM, like: 'ENUM', since: '6.0' },
] as const satisfies readonly KindRow[]

/**
 * The kind in a type's `info` word. Kernels before 7.2 used five bits and kept the other two zero, so the wide mask
 * reads every blob.
 */
export const infoKind = (info: number): number => (info >>> 24) & 0x7f
/** The number of trailing elements in a type's `info` word: 24 bits since 7.2, the upper eight zero before. */
export const infoVlen = (info: number): number => info & 0xffffff
/** The kind flag in a type's `info` word. */
export const infoFlag = (info: number): boolean => info >>> 31 === 1
