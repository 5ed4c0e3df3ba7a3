// Exit codes, and which error ends in which.

import { KerndexError } from '../core/errors.ts'

export const EXIT = { ok: 0, notFound: 1, usage: 2, unreadable: 3, interrupted: 130 } as const

/** The exit code for anything thrown. */
export function exitCodeOf(error: unknown): number {
  if (!(error instanceof KerndexError)) return EXIT.unreadable
  switch (error.code) {
    case 'USAGE':
      return EXIT.usage
    case 'NOT_FOUND':
    case 'AMBIGUOUS':
      return EXIT.notFound
    case 'ABORTED':
      return EXIT.interrupted
    default:
      return EXIT.unreadable
  }
}
