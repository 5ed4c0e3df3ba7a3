// What a command is asked about: its arguments, or stdin, one a line.

import { fstatSync } from 'node:fs'
import { addAbortSignal } from 'node:stream'
import split2 from 'split2'
import { NotReadableError, UsageError } from '../core/errors.ts'
import { readFailure } from '../sources/reader.ts'
import { checkInterrupt, interrupted } from './interrupt.ts'

/** The longest line that is taken from stdin. */
const LONGEST_LINE = 1 << 20

/**
 * The arguments, or where there are none the lines of stdin, without blank ones.
 * @throws UsageError if there are no arguments and stdin is a terminal; AbortedError after Ctrl-C;
 * NotReadableError if stdin cannot be read
 */
export async function* asked(args: readonly string[]): AsyncGenerator<string> {
  if (args.length > 0) {
    yield* args
    return
  }
  const input = stdin('nothing to look up: give arguments, or lines on stdin')
  const lines = input.pipe(split2({ maxLength: LONGEST_LINE }))
  input.on('error', (error) => lines.destroy(error))
  addAbortSignal(interrupted, lines)
  try {
    for await (const line of lines) {
      const text = String(line).trim()
      if (text !== '') yield text
    }
  } catch (error) {
    checkInterrupt()
    throw readFailure('stdin', error)
  } finally {
    input.destroy()
  }
}

/** stdin, to be read. @throws UsageError with `otherwise` if it is a terminal; NotReadableError if it is a directory */
export function stdin(otherwise: string): NodeJS.ReadStream {
  // Node takes a directory for an empty file.
  if (fstatSync(0).isDirectory()) throw new NotReadableError('stdin is a directory, not a file')
  if (process.stdin.isTTY) throw new UsageError(otherwise)
  return process.stdin
}
