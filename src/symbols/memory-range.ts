// What is told of memory, beside what symbols show: the ranges of owners, and of modules.

import type { SectionStarts } from './section-starts.ts'

/** A stretch of memory that is known to be an owner's: [start, end). */
export interface MemoryRange {
  readonly owner: string
  readonly start: bigint
  readonly end: bigint
}

/**
 * A module's memory as the kernel tells it: the range of /proc/modules, which since 6.4 is the address of its text with the size of
 * all its pieces, and where its sections begin.
 */
export interface ModuleMemory extends MemoryRange {
  readonly sections?: SectionStarts | undefined
  /** It is being loaded: its initialisation sections are still memory of its own. */
  readonly loading?: boolean
  /** No symbol of it is known: its range is all that there is, and counts where nothing else is known. */
  readonly bare?: boolean | undefined
}
