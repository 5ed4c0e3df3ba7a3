// A file of which only parts are read, each into its own place in a buffer of the file's size: how large executables are
// looked at. Places that are never filled take no memory, because the system gives zeroed pages only when they are touched.

import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'
import { LimitError, NotReadableError } from '../core/errors.ts'
import { readFailure } from './reader.ts'

/** The largest file: what one buffer can hold everywhere. */
const MOST_BYTES = 2 ** 32

/** An open file and those of its bytes that were filled; all others read as zero. */
export class FileParts {
  readonly bytes: Uint8Array
  readonly #path: string
  #descriptor: number | undefined

  /** @throws NoPermissionError, NotReadableError; LimitError if the file is larger than 4 GiB */
  constructor(path: string) {
    this.#path = path
    try {
      this.#descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
      const stat = fstatSync(this.#descriptor)
      if (!stat.isFile()) throw new NotReadableError(`${path} is not a regular file`, { path })
      if (stat.size > MOST_BYTES) throw new LimitError(`${path} has ${stat.size} bytes; the limit is 4 GiB`, { path })
      this.bytes = new Uint8Array(stat.size)
    } catch (error) {
      this.close()
      throw error instanceof NotReadableError || error instanceof LimitError ? error : readFailure(path, error)
    }
  }

  /**
   * Reads [offset, offset + length), which has to lie inside the bytes.
   * @throws NotReadableError if the read fails or the file has become shorter.
   */
  fill(offset: number, length: number): void {
    let at = offset
    const end = offset + length
    while (at < end) {
      let got: number
      try {
        got = readSync(this.#descriptor ?? -1, this.bytes, at, end - at, at)
      } catch (error) {
        throw readFailure(this.#path, error)
      }
      if (got === 0) {
        throw new NotReadableError(`${this.#path} ended at byte ${at}: it was cut while it was read`, {
          path: this.#path,
          byteOffset: at,
        })
      }
      at += got
    }
  }

  close(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor)
    this.#descriptor = undefined
  }
}
