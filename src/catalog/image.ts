// Which symbols of a kernel move with its image from boot to boot, and which stay: told by addresses, because kernels differ in how they call
// symbols that do not move.

/** Symbols with which a kernel's image begins; the first that there is places it. */
export const ANCHORS = ['_text', '_stext'] as const

/** Where the kernel's image begins: the symbol, and its address. */
export interface Anchor {
  readonly name: (typeof ANCHORS)[number]
  readonly address: bigint
}

/** Nothing of the image lies further behind its anchor. */
export const MOST_IMAGE = 2 ** 30
/** Symbols that stay where they are have small values, such as offsets of per-cpu variables. */
export const MOST_ABSOLUTE = 2 ** 40
