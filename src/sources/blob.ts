// A whole file in shared memory: how BTF blobs are read.

import { openReader } from './reader.ts'

/** A file's bytes, and what tells whether it is still the same file (see ByteReader). */
export interface Blob {
  readonly bytes: Uint8Array<SharedArrayBuffer>
  readonly identity: string
}

/** The least room to begin with where the size is not known. */
const LEAST_ROOM = 64 * 1024

/**
 * Reads a file, plain or `.gz`, into a SharedArrayBuffer of its exact size. `breathe` is awaited between reads, so that
 * a caller can bound how long its thread is held.
 * @throws NoPermissionError, NotReadableError (its cause has the system's code, such as ENOENT)
 */
export async function readBlob(path: string, breathe?: () => Promise<void>): Promise<Blob> {
  const reader = openReader(path)
  try {
    let bytes = new Uint8Array(new SharedArrayBuffer(reader.sizeHint || LEAST_ROOM))
    let length = 0
    const probe = new Uint8Array(4096)
    for (;;) {
      // A full buffer is probably the whole file; a small probe finds out without growing it.
      const full = length === bytes.length
      const got = reader.read(full ? probe : bytes.subarray(length))
      const count = typeof got === 'number' ? got : await got
      if (count === 0) break
      if (full) {
        const wider = new Uint8Array(new SharedArrayBuffer(Math.max(LEAST_ROOM, bytes.length * 2)))
        wider.set(bytes)
        wider.set(probe.subarray(0, count), length)
        bytes = wider
      }
      length += count
      if (breathe !== undefined) await breathe()
    }
    const { identity } = reader
    if (length === bytes.length) return { bytes, identity }
    const exact = new Uint8Array(new SharedArrayBuffer(length))
    exact.set(bytes.subarray(0, length))
    return { bytes: exact, identity }
  } finally {
    reader.close()
  }
}
