// The `kind` byte of a symbol: its type character in six bits, and two marks.

/** The type characters a symbol may have: those of nm(1). A symbol's code is its type's place in this string. */
export const TYPES = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz?-'

/** The bits of `kind` that are the type's code. */
export const TYPE_MASK = 0x3f
/** Set where the symbol never answers an address: it is a mapping symbol or a local label. */
export const LABEL = 0x40
/** Set where the greatest start at or below an address, though no label, is not simply the answer. */
export const SPECIAL = 0x80
/** Either: the plain search's answer needs a second look. */
export const UNSURE = LABEL | SPECIAL

/** Codes by type character; -1 for what is no type. */
export const TYPE_CODE = new Int8Array(256).fill(-1)
for (let code = 0; code < TYPES.length; code++) TYPE_CODE[TYPES.charCodeAt(code)] = code

const TEXT = new Uint8Array(TYPE_MASK + 1)
for (const type of 'tTwWi') TEXT[TYPES.indexOf(type)] = 1

/**
 * Whether a symbol's type is that of text: `t`, `T`; `w`, `W`, as which weak functions appear; `i`, an indirect function of
 * an ELF file. Of a kernel's own symbols that is not enough: see text.ts.
 */
export function isTextType(kind: number): boolean {
  return TEXT[kind & TYPE_MASK] === 1
}

/** The type character of a symbol. */
export function typeOf(kind: number): string {
  return TYPES[kind & TYPE_MASK] ?? '?'
}

const DATA = new Uint8Array(TYPE_MASK + 1)
for (const type of 'bBdDrR') DATA[TYPES.indexOf(type)] = 1

/** Whether a symbol is data in the sense of tracers: `b`, `d`, `r`, any case. Weak objects and absolutes are not. */
export function isData(kind: number): boolean {
  return DATA[kind & TYPE_MASK] === 1
}

/** The kinds of memory that a module's symbols lie in. */
export const PIECE = { any: 0, text: 1, data: 2, readOnly: 3 } as const

const PIECES = new Uint8Array(TYPE_MASK + 1)
for (const type of 'tT') PIECES[TYPES.indexOf(type)] = PIECE.text
for (const type of 'bBdDgGsS') PIECES[TYPES.indexOf(type)] = PIECE.data
for (const type of 'rR') PIECES[TYPES.indexOf(type)] = PIECE.readOnly

/** The kind of memory that a module's symbol lies in, by its type, which the kernel takes from its section; 0 where it may be any. */
export function pieceKind(kind: number): number {
  return PIECES[kind & TYPE_MASK]!
}

const ABSOLUTE = new Uint8Array(TYPE_MASK + 1)
for (const type of 'aA') ABSOLUTE[TYPES.indexOf(type)] = 1

/**
 * Whether a module's symbol is no place in its memory: `a` is what kallsyms prints for absolute values, and for per-cpu
 * variables, whose values are offsets or lie in the core's own per-cpu section.
 */
export function isAbsolute(kind: number): boolean {
  return ABSOLUTE[kind & TYPE_MASK] === 1
}
