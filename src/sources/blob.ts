// A whole file in shared memory: how BTF blobs are read.

import { closeSync, constants, fstatSync, openSync, readSync, statSync } from 'node:fs'
import { LimitError } from '../core/errors.ts'
import { sharedMemory } from '../core/shared-memory.ts'
import { identityOf } from './identity.ts'
import { type ByteReader, openReader, openReaderNow, readFailure } from './reader.ts'
import type { BtfFile } from './source.ts'

/** A file's bytes, and what tells whether it is still the same file (see ByteReader). */
export interface Blob {
  readonly bytes: Uint8Array<SharedArrayBuffer>
  readonly identity: string
}

/** The largest file that is read; vmlinux has about 6 MB of BTF, and ids and offsets of the format end long before this. */
const LARGEST = 128 * 1024 * 1024
/** How many times larger a packed file may be than its packing makes one expect: types pack to a third or a tenth. */
const MOST_GROWTH = 12
/** The least room to begin with where the size is not known. */
const LEAST_ROOM = 64 * 1024
/** Bytes of an arena's pieces: what is not used of them takes address space only. */
const ARENA_PIECE = 8 << 20

/** Where the bytes of files go. */
export interface Room {
  /** Room for so many bytes, at a multiple of eight. */
  take(bytes: number): Uint8Array<SharedArrayBuffer>
}

/** A room, or a buffer of its own for every file. */
export type Arena = Room | undefined

/**
 * Shared memory for many small files. A SharedArrayBuffer for each of thousands of modules would cost more than reading
 * them: every one is mapped by itself, and passed to other threads by itself.
 */
export class BlobArena implements Room {
  #piece = new Uint8Array(new SharedArrayBuffer(0))
  #used = 0

  /** Room for so many bytes, at a multiple of eight. */
  take(bytes: number): Uint8Array<SharedArrayBuffer> {
    if (this.#used + bytes > this.#piece.length) {
      this.#piece = new Uint8Array(sharedMemory(Math.max(ARENA_PIECE, bytes)))
      this.#used = 0
    }
    const room = this.#piece.subarray(this.#used, this.#used + bytes)
    this.#used += Math.ceil(bytes / 8) * 8
    return room
  }
}

/** The blob of a listed file: the bytes that came with it, or those at its path. @throws as `readBlob` */
export async function readBtf(file: BtfFile, breathe?: () => Promise<void>, arena?: Arena): Promise<Blob> {
  return file.bytes === undefined ? readBlob(file.path, breathe, arena) : { bytes: file.bytes, identity: file.path }
}

/** The largest file that is read at once: a fraction of a millisecond. */
const LARGEST_AT_ONCE = 1 << 20

/**
 * The same at once, for thousands of small files: nothing is waited for or made but the blob. undefined for what is read in
 * pieces, with `readBtf`: packed and large files, and files whose size is not told or that grow meanwhile.
 * @throws NoPermissionError, NotReadableError
 */
export function readBtfAtOnce({ path, bytes: known }: BtfFile, room: Room): Blob | undefined {
  if (known !== undefined) return { bytes: known, identity: path }
  if (path.endsWith('.gz')) return undefined
  let descriptor: number | undefined
  try {
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
    const stat = fstatSync(descriptor)
    const { size } = stat
    if (size === 0 || size > LARGEST_AT_ONCE || !stat.isFile()) return undefined
    // A byte more than there should be: a read that stops before it has come to the end.
    const bytes = room.take(size + 1)
    let length = 0
    for (let got = -1; got !== 0 && length < size; length += got) {
      got = readSync(descriptor, bytes, length, size + 1 - length, null)
    }
    return length > size ? undefined : { bytes: bytes.subarray(0, length), identity: identityOf(stat) }
  } catch (error) {
    throw readFailure(path, error)
  } finally {
    if (descriptor !== undefined) closeSync(descriptor)
  }
}

/** The identity that `readBtf` would give now; undefined where there is no such file any more. */
export function btfIdentity({ path, bytes }: BtfFile): string | undefined {
  if (bytes !== undefined) return path
  const now = statSync(path, { throwIfNoEntry: false })
  return now && identityOf(now)
}

/** The same as `readBtf`, at once. @throws as `readBtf` */
export function readBtfNow({ path, bytes }: BtfFile, arena?: Arena): Blob {
  if (bytes !== undefined) return { bytes, identity: path }
  const reader = openReaderNow(path, LARGEST + 1)
  try {
    const steps = fillBlob(path, reader, arena)
    let step = steps.next()
    while (step.done !== true) step = steps.next(reader.read(step.value))
    return step.value
  } finally {
    reader.close()
  }
}

/**
 * Reads a file, plain or `.gz`, into a SharedArrayBuffer of its exact size, or into an arena. `breathe` is awaited
 * between reads, so that a caller can bound how long its thread is held.
 * @throws LimitError; NoPermissionError, NotReadableError (its cause has the system's code, such as ENOENT)
 */
export async function readBlob(path: string, breathe?: () => Promise<void>, arena?: Arena): Promise<Blob> {
  const reader = openReader(path)
  try {
    const steps = fillBlob(path, reader, arena)
    let step = steps.next()
    while (step.done !== true) {
      const got = reader.read(step.value)
      const count = typeof got === 'number' ? got : await got
      if (count > 0 && breathe !== undefined) await breathe()
      step = steps.next(count)
    }
    return step.value
  } finally {
    reader.close()
  }
}

/** Gives the room for each read, takes how many bytes came of it, and ends with the blob. */
function* fillBlob(
  path: string,
  { sizeHint, identity }: ByteReader,
  arena: Arena,
): Generator<Uint8Array<SharedArrayBuffer> | Buffer, Blob, number> {
  const room = Math.min(sizeHint || LEAST_ROOM, LARGEST)
  const most = path.endsWith('.gz') ? Math.min(LARGEST, MOST_GROWTH * room + LARGEST_AT_ONCE) : LARGEST
  let bytes = arena?.take(room) ?? new Uint8Array(sharedMemory(room))
  let length = 0
  // From Buffer's pool: thousands of pages of their own would cost more than the reads.
  const probe = Buffer.allocUnsafe(2048)
  for (;;) {
    // A full buffer is probably the whole file; a small probe finds out without growing it.
    const full = length === bytes.length
    const count = yield full ? probe : bytes.subarray(length)
    if (count === 0) break
    if (full) {
      if (length >= most) throw new LimitError(`${path} has more than ${most} bytes of types`, { path })
      const wider = new Uint8Array(sharedMemory(Math.max(LEAST_ROOM, bytes.length * 2)))
      wider.set(bytes)
      wider.set(probe.subarray(0, count), length)
      bytes = wider
    }
    length += count
  }
  if (arena) return { bytes: bytes.subarray(0, length), identity }
  if (length === bytes.length) return { bytes, identity }
  const exact = new Uint8Array(sharedMemory(length))
  exact.set(bytes.subarray(0, length))
  return { bytes: exact, identity }
}

/** Files from which on an arena pays: a refresh that finds one new module should not set a piece aside for it. */
export const MANY_FILES = 16

/** An arena for that many files; `undefined` for few, which get buffers of their own. */
export function arenaFor(files: number): BlobArena | undefined {
  return files < MANY_FILES ? undefined : new BlobArena()
}
