// What may be wrong with a line of kallsyms text; assembly/scan.ts reads it.

export { LISTED_BAD_LINES, LONGEST_NAME } from './constants.ts'

/** Why a line could not be read. */
export type BadLineReason = 'blank' | 'address' | 'type' | 'name' | 'owner'

export interface BadLine {
  /** 1-based. */
  readonly line: number
  readonly reason: BadLineReason
}

/** The reasons as the loops number them. */
export const BAD_LINE_REASONS: readonly BadLineReason[] = ['blank', 'address', 'type', 'name', 'owner']
