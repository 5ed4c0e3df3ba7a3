// The bytes of files that are read as a whole, such as a host's facts. Most have to be regular files: a pipe without a writer would hold
// the thread that opens it, and with it the end of the process, and a device gives bytes for ever.

import { closeSync, constants, fstatSync, openSync, readFileSync, type Stats } from 'node:fs'
import { open } from 'node:fs/promises'
import { KerndexError, LimitError, NotReadableError } from '../core/errors.ts'
import { checkAborted } from '../core/until.ts'
import { readFailure } from './reader.ts'
import { bytesOf } from './stream.ts'

/** Without O_NONBLOCK even the opening of a pipe waits. */
const FLAGS = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY
/** The most that is read: files of a host that are read as a whole have a few megabytes. */
const MOST_BYTES = 2 ** 28

/** The bytes of a regular file. @throws NotReadableError if it is another one; LimitError; the system's error */
export async function readRegularFile(path: string, most = MOST_BYTES): Promise<Buffer> {
  const file = await open(path, FLAGS)
  try {
    checkRegular(path, await file.stat(), most)
    return await file.readFile()
  } finally {
    await file.close()
  }
}

/** The same at once. @throws as `readRegularFile` */
export function readRegularFileNow(path: string, most = MOST_BYTES): Buffer {
  const descriptor = openSync(path, FLAGS)
  try {
    checkRegular(path, fstatSync(descriptor), most)
    return readFileSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

function checkRegular(path: string, stat: Stats, most: number): void {
  if (!stat.isFile()) throw new NotReadableError(`${path} is not a regular file`, { path })
  if (stat.size > most) throw new LimitError(`${path} has ${stat.size} bytes; the limit is ${most}`, { path })
}

/** The most bytes of a secret: keys and certificates have a few thousand. */
const MOST_SECRET = 2 ** 20

/** A secret, which may come through a pipe from a program that keeps it. @throws NotReadableError, NoPermissionError, LimitError, AbortedError */
export async function readSecret(path: string, signal?: AbortSignal): Promise<Buffer> {
  const pieces: Uint8Array[] = []
  let length = 0
  try {
    for await (const piece of bytesOf(path, signal)) {
      pieces.push(piece)
      length += piece.length
      if (length > MOST_SECRET) throw new LimitError(`${path} has more than ${MOST_SECRET} bytes`, { path })
    }
  } catch (error) {
    checkAborted(signal, `the reading of ${path}`)
    throw error instanceof KerndexError ? error : readFailure(path, error)
  }
  return Buffer.concat(pieces)
}
