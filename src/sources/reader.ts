// Files as streams of bytes: plain ones with synchronous reads of bounded length, `.gz` ones unpacked on zlib's threads.

import {
  closeSync,
  constants,
  createReadStream,
  fstatSync,
  openSync,
  readFileSync,
  readSync,
  type Stats,
  statSync,
} from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { createGunzip, gunzipSync } from 'node:zlib'
import { KerndexError, NoPermissionError, NotReadableError } from '../core/errors.ts'
import { identityOf } from './identity.ts'
import { openStream } from './stream.ts'

/** Hands out a file's bytes in order. */
export interface ByteReader {
  /** The file's size in bytes if the file system tells one; /proc says 0 for files it makes up as they are read. */
  readonly sizeHint: number
  /** Tells whether a file of this name is still the same one: its inode, size and time of change. */
  readonly identity: string
  /**
   * Puts the next bytes at the start of `target` and says how many; 0 at the end. A number comes from a read that was
   * cheap enough to do at once, a promise from one that has to be waited for.
   * @throws NotReadableError if the read fails.
   */
  read(target: Uint8Array): number | Promise<number>
  close(): void
}

/** An open file's failure as a kerndex error: permission apart from everything else. */
export function readFailure(path: string, cause: unknown): NoPermissionError | NotReadableError {
  const code = errorCode(cause)
  if (code === 'EACCES' || code === 'EPERM') {
    const advice = /^\/(?:proc|sys)\//.test(path)
      ? 'run as root or with CAP_SYSLOG'
      : 'run as a user who may, or have its mode changed'
    return new NoPermissionError(`${path} may not be read by this user; ${advice}`, { path }, { cause })
  }
  return new NotReadableError(`${path} cannot be read: ${whyFailed(cause)}`, { path }, { cause })
}

/** What the system says of a failed call, without the call and its path, which Node adds. */
export function whyFailed(cause: unknown): string {
  const message = cause instanceof Error ? cause.message : String(cause)
  const call = cause instanceof Error && 'syscall' in cause ? message.lastIndexOf(`, ${String(cause.syscall)} '`) : -1
  return call < 0 ? message : message.slice(0, call)
}

/** The `code` of a system error, such as ENOENT. */
export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

/** A pipe gives its bytes when somebody writes them: it is waited for. */
function pipeReader(path: string, stat: Stats): ByteReader {
  const closing = new AbortController()
  const failure = (error: unknown) => (error instanceof KerndexError ? error : readFailure(path, error))
  return pieceReader(stat, 0, openStream(path, closing.signal), failure, () => closing.abort())
}

/** Opens a file for reading; a name that ends in `.gz` is unpacked on the way. @throws NoPermissionError, NotReadableError */
export function openReader(path: string): ByteReader {
  const found = statSync(path, { throwIfNoEntry: false })
  if (found?.isFIFO() === true) return pipeReader(path, found)
  return opened(path, (descriptor, stat) => {
    return path.endsWith('.gz') ? gzipReader(path, descriptor, stat) : plainReader(path, descriptor, stat)
  })
}

/** A reader that never has to be waited for: the thread is held instead. */
export interface ReaderNow extends ByteReader {
  read(target: Uint8Array): number
}

/** The same as `openReader`, at once; a packed file is unpacked here, to at most `most` bytes. @throws as `openReader` */
export function openReaderNow(path: string, most: number): ReaderNow {
  return opened(path, (descriptor, stat) => {
    return path.endsWith('.gz') ? unpackedReader(path, descriptor, stat, most) : plainReader(path, descriptor, stat)
  })
}

function opened<T>(path: string, use: (descriptor: number, stat: Stats) => T): T {
  let descriptor: number
  try {
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch (error) {
    throw readFailure(path, error)
  }
  try {
    const stat = fstatSync(descriptor)
    if (stat.isDirectory()) throw new NotReadableError(`${path} is a directory, not a file`, { path })
    return use(descriptor, stat)
  } catch (error) {
    closeSync(descriptor)
    throw error
  }
}

/** Bytes for which a file that gives a page at a time is read on: half a millisecond's worth of kallsyms. */
const AT_ONCE = 64 * 1024

function plainReader(path: string, descriptor: number, stat: Stats): ReaderNow {
  let open = true
  return {
    sizeHint: stat.size,
    identity: identityOf(stat),
    read(target) {
      const wanted = Math.min(target.length, AT_ONCE)
      try {
        let count = 0
        for (let got = -1; got !== 0 && count < wanted; count += got) {
          got = readSync(descriptor, target, count, target.length - count, null)
        }
        return count
      } catch (error) {
        throw readFailure(path, error)
      }
    },
    close() {
      if (open) closeSync(descriptor)
      open = false
    },
  }
}

/** How much larger kallsyms text and BTF blobs are than their gzip, for a guess at the size. */
const TYPICAL_GZIP_RATIO = 6

/** Bytes in a gzip file's end that say how long its content is (RFC 1952, ISIZE), for files of one member and below 4 GiB. */
const ISIZE_BYTES = 4

/** How long the content of a gzip file is, as its end says where that can be; else a guess. */
function unpackedSize(descriptor: number, { size }: Stats): number {
  const end = Buffer.alloc(ISIZE_BYTES)
  try {
    readSync(descriptor, end, 0, ISIZE_BYTES, Math.max(0, size - ISIZE_BYTES))
  } catch {
    // The reading of it will say why.
  }
  const told = end.readUInt32LE(0)
  // No content is packed a thousand times smaller (deflate's most is 1,032).
  return told >= size && told < 1_032 * size ? told : size * TYPICAL_GZIP_RATIO
}

function gzipReader(path: string, descriptor: number, stat: Stats): ByteReader {
  const sizeHint = unpackedSize(descriptor, stat)
  const file = createReadStream(path, { fd: descriptor })
  const unpacked = createGunzip({ chunkSize: 256 * 1024 })
  // The pipeline's failure surfaces through the iterator; this only keeps it from being unhandled as well.
  pipeline(file, unpacked).catch(() => {})
  const close = () => {
    unpacked.destroy()
    file.destroy()
  }
  return pieceReader(stat, sizeHint, unpacked, (error) => unpackFailure(path, error), close)
}

/** Hands out bytes that come in pieces of any length. */
function pieceReader(
  stat: Stats,
  sizeHint: number,
  from: AsyncIterable<Uint8Array>,
  failure: (error: unknown) => Error,
  close: () => void,
): ByteReader {
  const pieces = from[Symbol.asyncIterator]()
  let rest: Uint8Array = new Uint8Array(0)
  return {
    sizeHint,
    identity: identityOf(stat),
    async read(target) {
      if (rest.length === 0) {
        try {
          const { value, done } = await pieces.next()
          if (done === true) return 0
          rest = value
        } catch (error) {
          throw failure(error)
        }
      }
      const count = Math.min(rest.length, target.length)
      target.set(rest.subarray(0, count))
      rest = rest.subarray(count)
      return count
    },
    close() {
      close()
      pieces.return?.()?.catch(() => {})
    },
  }
}

function unpackedReader(path: string, descriptor: number, stat: Stats, most: number): ReaderNow {
  let rest: Uint8Array
  try {
    rest = gunzipSync(readFileSync(descriptor), { maxOutputLength: most })
  } catch (error) {
    throw unpackFailure(path, error)
  }
  let open = true
  return {
    sizeHint: rest.length,
    identity: identityOf(stat),
    read(target) {
      const count = Math.min(rest.length, target.length)
      target.set(rest.subarray(0, count))
      rest = rest.subarray(count)
      return count
    },
    close() {
      if (open) closeSync(descriptor)
      open = false
    },
  }
}

function unpackFailure(path: string, cause: unknown): NotReadableError {
  return new NotReadableError(`${path} cannot be unpacked: ${String(cause)}`, { path }, { cause })
}
