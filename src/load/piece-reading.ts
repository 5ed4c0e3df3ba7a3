// Pieces of a file into memory, each with its checksum. Who can wait has two threads read: most of a read is the first touch of
// its memory, which two cores do in half the time.

import { read, readSync } from 'node:fs'
import { setImmediate as turn } from 'node:timers/promises'
import { promisify } from 'node:util'
import { crc32 } from 'node:zlib'
import { BadFormatError, NotReadableError } from '../core/errors.ts'

const readAsync = promisify(read)

/** A stretch of the file on its way into memory, and its checksum. */
export interface Piece {
  readonly bytes: Uint8Array
  readonly position: number
  readonly crc: number
}

/** Reads pieces on a thread of the system's and on the calling thread, each whichever is next. */
export class PieceReading {
  readonly #descriptor: number
  readonly #pieces: readonly Piece[]
  /** The first piece that nobody has begun. */
  #next = 0
  readonly #other: Promise<unknown>

  constructor(descriptor: number, pieces: readonly Piece[]) {
    this.#descriptor = descriptor
    this.#pieces = pieces
    // Two at a time: one is on its way while this thread has not yet noticed that the other is done.
    this.#other = Promise.all([this.#readOnOtherThread(), this.#readOnOtherThread()])
    // Its failure is that of `finish`.
    this.#other.catch(() => {})
  }

  #take(): Piece | undefined {
    return this.#pieces[this.#next++]
  }

  async #readOnOtherThread(): Promise<void> {
    const begin = (piece: Piece | undefined) =>
      piece && readAsync(this.#descriptor, piece.bytes, 0, piece.bytes.length, piece.position)
    let piece = this.#take()
    let reading = begin(piece)
    while (piece !== undefined && reading !== undefined) {
      const { bytesRead } = await reading
      const { bytes, position } = piece
      if (bytesRead < bytes.length) fill(this.#descriptor, bytes.subarray(bytesRead), position + bytesRead)
      const read = piece
      piece = this.#take()
      reading = begin(piece)
      // Whoever awaits it comes too late for a failure of this check.
      reading?.catch(() => {})
      check(read)
    }
  }

  /** Reads whatever the other thread has not begun. @throws BadFormatError, NotReadableError */
  async finish(): Promise<void> {
    try {
      for (let piece = this.#take(); piece !== undefined; piece = this.#take()) {
        fill(this.#descriptor, piece.bytes, piece.position)
        check(piece)
        // The other thread's next read is begun from here.
        await turn()
      }
    } finally {
      // Nothing may go on behind a failure: the file is about to be closed.
      await this.#other
    }
  }
}

/** Reads pieces on the calling thread alone. @throws BadFormatError, NotReadableError */
export function readPiecesNow(descriptor: number, pieces: readonly Piece[]): void {
  for (const piece of pieces) {
    fill(descriptor, piece.bytes, piece.position)
    check(piece)
  }
}

/** @throws BadFormatError if the bytes have another checksum */
function check({ bytes, crc }: Piece): void {
  if (crc32(bytes) !== crc) throw new BadFormatError('its content is damaged (wrong checksum)')
}

/** Reads until the target is full. @throws NotReadableError if the file ends before */
export function fill(descriptor: number, target: Uint8Array, position: number): void {
  let at = 0
  while (at < target.length) {
    const count = readSync(descriptor, target, at, target.length - at, position + at)
    if (count === 0) throw new NotReadableError('it became shorter while it was read')
    at += count
  }
}
