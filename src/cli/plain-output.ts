// stdout where it is a file or a pipe, written by the system's own call: to read the code of Node's streams takes as long as to read all
// that a command needs of kerndex. Nothing here waits: what a pipe has no room for is left to a stream, which does.

import { constants, fstatSync, openSync, writeSync } from 'node:fs'
import { isPlainDevice } from './terminal.ts'

const STDOUT = 1

/** Null where a stream has to write: to a terminal or a socket, and once a pipe had no room, behind what waits there. */
let descriptor: number | null | undefined

/** Writes what can be written at once, and gives what is left for a stream. @throws the system's error */
export function writeAtOnce(data: string | Uint8Array): Uint8Array {
  const bytes = typeof data === 'string' ? Buffer.from(data) : data
  if (descriptor === undefined) descriptor = plainDescriptor()
  if (descriptor === null) return bytes
  let at = 0
  try {
    while (at < bytes.length) at += writeSync(descriptor, bytes, at)
  } catch (error) {
    descriptor = null
    if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error // Whatever `writeSync` throws.
  }
  return bytes.subarray(at)
}

function plainDescriptor(): number | null {
  try {
    const found = fstatSync(STDOUT)
    if (found.isFile() || isPlainDevice(found)) return STDOUT
    // Opened anew, because others who write to this pipe would find theirs changed.
    if (found.isFIFO()) return openSync(`/proc/self/fd/${STDOUT}`, constants.O_WRONLY | constants.O_NONBLOCK)
  } catch {
    // Whatever is wrong with it, the stream says so.
  }
  return null
}
