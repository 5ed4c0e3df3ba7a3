// The bytes of a pipe, a device or a file that the kernel makes up, as they come. Waiting for more holds no thread, so that the waiting,
// and the process, can end.

import {
  closeSync,
  constants,
  createReadStream,
  fstatSync,
  openSync,
  read as readOnce,
  type Stats,
  statSync,
} from 'node:fs'
import { Socket } from 'node:net'
import { addAbortSignal } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { checkAborted } from '../core/until.ts'

const read = promisify(readOnce)

/** Bytes read at a time. */
const READ_BYTES = 1 << 16
/** Milliseconds between two looks at a file that has nothing to give. */
const RETRY_MS = 10

/** Whether reading a file may have to wait for a writer: it is no regular file, or one whose size the kernel does not tell. */
export function mayWait(stat: Stats): boolean {
  return !stat.isFile() || stat.size === 0
}

/** Bytes of a regular file that are read at a time. */
const FILE_READ_BYTES = 256 * 1024

/** The bytes of whatever a path names, a pipe too, with a wait that a signal ends. @throws as `openStream` */
export function bytesOf(path: string, signal?: AbortSignal): AsyncIterable<Uint8Array> {
  const waits = mayWait(statSync(path))
  return waits ? openStream(path, signal) : createReadStream(path, { highWaterMark: FILE_READ_BYTES })
}

/**
 * The bytes of a file as they come. Its descriptor is closed when the reader stops, and at an abort.
 * @throws AbortedError; the system's error if it cannot be opened or read
 */
export async function* openStream(path: string, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
  // Without O_NONBLOCK a pipe without a writer would hold a thread of Node's, and with it the end of the process.
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY)
  if (fstatSync(descriptor).isFIFO()) {
    // It closes the descriptor; a pipe that has no writer yet waits for one.
    const socket = new Socket({ fd: descriptor, readable: true, writable: false })
    if (signal !== undefined) addAbortSignal(signal, socket)
    yield* socket as AsyncIterable<Uint8Array>
  } else yield* fileBytes(path, descriptor, signal)
}

async function* fileBytes(
  path: string,
  descriptor: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  try {
    for (;;) {
      const bytes = Buffer.allocUnsafe(READ_BYTES)
      let count: number
      try {
        count = (await read(descriptor, bytes, 0, READ_BYTES, null)).bytesRead
      } catch (error) {
        if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) throw error
        checkAborted(signal, `the reading of ${path}`)
        await sleep(RETRY_MS)
        continue
      }
      if (count === 0) return
      yield bytes.subarray(0, count)
    }
  } finally {
    closeSync(descriptor)
  }
}
