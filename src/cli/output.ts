// stdout for a filter: waits when the reader is slow, ends quietly when the reader is gone.

import { setImmediate } from 'node:timers/promises'
import { checkInterrupt } from './interrupt.ts'

/** Thrown to unwind when nobody reads the output any more. */
export class OutputClosed extends Error {}

/** Writes after which the event loop gets a turn. */
const WRITES_A_TURN = 256

let writes = 0
let closed = false
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  closed = true
})

/**
 * Writes to stdout and waits until there is room again.
 * @throws OutputClosed once the reader has gone, AbortedError after Ctrl-C
 */
export async function write(data: string | Uint8Array): Promise<void> {
  if (closed) throw new OutputClosed()
  checkInterrupt()
  if (process.stdout.write(data)) {
    // Only a turn of the event loop brings the news that the reader has gone, or Ctrl-C.
    if (++writes % WRITES_A_TURN === 0) await setImmediate()
    return
  }
  await new Promise<void>((resume) => {
    const go = () => {
      process.stdout.off('drain', go)
      process.stdout.off('close', go)
      process.stdout.off('error', go)
      resume()
    }
    process.stdout.on('drain', go)
    process.stdout.on('close', go)
    process.stdout.on('error', go)
  })
}

/** Writes one object as a line of JSON; an address is expected to be a `0x` string already. */
export function writeJson(value: unknown): Promise<void> {
  return write(`${JSON.stringify(value)}\n`)
}

/** A note to the person at the terminal, on stderr. */
export function note(text: string): void {
  process.stderr.write(`kerndex: ${text}\n`)
}
