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
