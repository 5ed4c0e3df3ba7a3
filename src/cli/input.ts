// The questions to a command: its arguments, or stdin, one a line.

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

const NEWLINE = 10

/**
 * The arguments as one line, or where there are none the text of stdin, in pieces of whole lines as they come. A line of more than
 * 1 MiB is cut between two words, or where it has none ends there.
 * @throws as `asked`
 */
export async function* askedText(args: readonly string[]): AsyncGenerator<Buffer> {
  if (args.length > 0) {
    yield Buffer.from(args.join(' '))
    return
  }
  const input = stdin('nothing to look up: give arguments, or lines on stdin')
  addAbortSignal(interrupted, input)
  let open: Buffer = Buffer.alloc(0)
  try {
    for await (const piece of input as AsyncIterable<Buffer>) {
      const end = piece.lastIndexOf(NEWLINE) + 1
      if (end > 0) {
        yield open.length === 0 ? piece.subarray(0, end) : Buffer.concat([open, piece.subarray(0, end)])
        open = piece.subarray(end)
      } else open = Buffer.concat([open, piece])
      if (open.length > LONGEST_LINE) {
        const between = Math.max(open.lastIndexOf(' '), open.lastIndexOf(','))
        if (between >= 0) yield open.subarray(0, between)
        open = between >= 0 ? open.subarray(between) : open.subarray(0, LONGEST_LINE)
      }
    }
    if (open.length > 0) yield open
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
