// The first Ctrl-C ends a command in order, with exit code 130; a second one ends the process at once.

import { AbortedError } from '../core/errors.ts'

const interrupt = new AbortController()

/** Aborted by the first Ctrl-C. */
export const interrupted: AbortSignal = interrupt.signal

process.once('SIGINT', () => interrupt.abort(new Error('interrupted')))

/** @throws AbortedError once Ctrl-C was pressed */
export function checkInterrupt(): void {
  if (interrupted.aborted) throw new AbortedError('interrupted', { cause: interrupted.reason })
}
