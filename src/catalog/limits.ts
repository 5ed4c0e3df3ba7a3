// Bounds on what a catalogue's files may hold, several times what the largest kernel has. They bound the memory and the time that a file
// costs, whatever is in it.

/** Symbols of one build. */
export const MOST_SYMBOLS_OF_ENTRY = 1 << 20
/** Modules of one kernel or host, and sections of all of them. */
export const MOST_MODULES = 20_000
export const MOST_LAYOUT_SECTIONS = 1 << 20
/** Bytes of a layout's text, and of its dynamic lines. */
export const MOST_LAYOUT_TEXT = 1 << 24
/** Bytes of an entry's first line, which lists its sections. */
export const MOST_ENTRY_HEAD = 1 << 21
/** Characters of the names of all entries of a kernel, and for each symbol what it takes beside its name. */
export const MOST_KERNEL_NAMES = 1 << 28
export const SYMBOL_COST = 64
/** Bytes of an entry's file. */
export const MOST_ENTRY_BYTES = 1 << 26
