// Numbers on which the compiled sort of types and its caller agree: compiled by both, TypeScript and AssemblyScript, so each stands once.

/** What a kind is to the order: a byte for each of 128. */
export const OTHER = 0
export const IS_ENUM = 1
export const IS_SCALAR = 2
export const IS_COMPOSITE = 3
export const IS_PROTOTYPE = 4
export const IS_ARRAY = 5
/** It takes its place from the type it refers to. */
export const IS_REFERENCE = 6
/** It prints nothing, needs nothing, and is left out. */
export const PRINTS_NOTHING = 7
/** Behind them, words of an enumerator: a byte for each of 128. */
export const STEPS = 128
export const KINDS_BYTES = 256

/** A record with nothing in it stands for void: words that are looked at. */
export const VOID_WORDS = 8
