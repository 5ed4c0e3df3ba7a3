// stdout for a filter: waits when the reader is slow, ends quietly when the reader is gone, and says so where it cannot be
// written. Notes for people, on stderr.

import { setImmediate } from 'node:timers/promises'
import { printableJson, printableLines } from '../core/printable.ts'
import { coloured } from './colours.ts'
import { EXIT } from './exit.ts'
import { fittedRows } from './fit.ts'
import { checkInterrupt, interrupted } from './interrupt.ts'
import { writeAtOnce } from './plain-output.ts'
import { columnsOf } from './terminal.ts'

/** Thrown to unwind when the output goes nowhere any more: its reader has gone, or it cannot be written, which was said. */
export class OutputClosed extends Error {}

/** Writes after which the event loop gets a turn. */
const WRITES_A_TURN = 256

let writes = 0
let closed = false
let stream: NodeJS.WriteStream | undefined

/** stdout as a stream, which tells when it fails. */
export function outputStream(): NodeJS.WriteStream {
  stream ??= process.stdout.on('error', outputFailed)
  return stream
}

/** Notes that stdout cannot be written, and says so once, unless its reader has gone. */
export function outputFailed(error: NodeJS.ErrnoException): void {
  if (!closed && error.code !== 'EPIPE') {
    note(`the output cannot be written: ${error.message}`)
    // Whatever the command comes to: its answers have not arrived. The failure may come after the last of them.
    process.on('exit', () => {
      process.exitCode = EXIT.unreadable
    })
  }
  closed = true
}

let notes: NodeJS.WriteStream | undefined

/** stderr, whose failures nobody is told: there is no place left to say it. */
export function noteStream(): NodeJS.WriteStream {
  notes ??= process.stderr.on('error', () => {})
  return notes
}

/** Rows of text for people, cut between words where a terminal shows them; what has no room is set in by `indent`. */
export const fitRows = (rows: string, indent = 8): string => fittedRows(rows, columnsOf('stdout'), indent)

/** Writes text for people. Names are what others made them: what a terminal would act on is escaped. */
export function write(text: string): Promise<void> {
  return writeRaw(printableLines(text, coloured))
}

/**
 * Writes to stdout and waits until there is room again.
 * @throws OutputClosed once the output goes nowhere, AbortedError after Ctrl-C
 */
export async function writeRaw(data: string | Uint8Array): Promise<void> {
  if (closed) throw new OutputClosed()
  checkInterrupt()
  if (stream === undefined ? hasRoomBehind(data) : stream.write(data)) {
    // Only a turn of the event loop brings the news that the reader has gone, or Ctrl-C.
    if (++writes % WRITES_A_TURN === 0) await setImmediate()
    return
  }
  const out = outputStream()
  await new Promise<void>((resume) => {
    const go = () => {
      for (const event of ['drain', 'close', 'error']) out.off(event, go)
      interrupted.removeEventListener('abort', go)
      resume()
    }
    for (const event of ['drain', 'close', 'error']) out.on(event, go)
    interrupted.addEventListener('abort', go)
  })
  checkInterrupt()
}

/** Writes at once what can be, and the rest as a stream; whether there is room for more. @throws OutputClosed */
function hasRoomBehind(data: string | Uint8Array): boolean {
  let rest: Uint8Array
  try {
    rest = writeAtOnce(data)
  } catch (error) {
    outputFailed(error as NodeJS.ErrnoException) // Whatever the system says to a write.
    throw new OutputClosed()
  }
  return rest.length === 0 || outputStream().write(rest)
}

/** Writes one object as a line of JSON; an address is expected to be a `0x` string already, or made one by `replacer`. */
export function writeJson(value: unknown, replacer?: (key: string, value: unknown) => unknown): Promise<void> {
  return writeRaw(`${printableJson(JSON.stringify(value, replacer))}\n`)
}

/** A note to the person at the terminal, on stderr. */
export function note(text: string): void {
  noteStream().write(fittedRows(`kerndex: ${printableLines(text)}\n`, columnsOf('stderr'), 2))
}
