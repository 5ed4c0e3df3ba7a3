// What a command is asked about: its arguments, or stdin, one a line.

import { addAbortSignal } from 'node:stream'
import split2 from 'split2'
import { UsageError } from '../core/errors.ts'
import { checkInterrupt, interrupted } from './interrupt.ts'

/** The longest line that is taken from stdin. */
const LONGEST_LINE = 1 << 20

/**
 * The arguments, or where there are none the lines of stdin, without blank ones.
 * @throws UsageError if there are no arguments and stdin is a terminal; AbortedError after Ctrl-C
 */
export async function* asked(args: readonly string[]): AsyncGenerator<string> {
  if (args.length > 0) {
    yield* args
    return
  }
  if (process.stdin.isTTY) throw new UsageError('nothing to look up: give arguments, or lines on stdin')
  const lines = process.stdin.pipe(split2({ maxLength: LONGEST_LINE }))
  process.stdin.on('error', (error) => lines.destroy(error))
  addAbortSignal(interrupted, lines)
  try {
    for await (const line of lines) {
      const text = String(line).trim()
      if (text !== '') yield text
    }
  } catch (error) {
    checkInterrupt()
    throw error
  } finally {
    process.stdin.destroy()
  }
}
