// A part of a snapshot file in shared memory, of which every block is read once, when it is needed or with all others, and
// is used only when its checksum is right. Blocks that have not been read cost address space alone.

import { readSync } from 'node:fs'
import { checksum } from '../core/blocks.ts'
import { BadFormatError, NotReadableError } from '../core/errors.ts'
import { sharedMemory } from '../core/shared-memory.ts'
import type { StoredBytes } from '../core/stored-bytes.ts'
import { BLOCK_BYTES, type Part } from './format.ts'

/** Blocks that are read at once at most: about a millisecond. */
const MOST_BLOCKS = 24

/** Neighbouring blocks on their way into memory. */
export interface MissingRange {
  readonly bytes: Uint8Array
  readonly position: number
  /** Takes them for read. @throws BadFormatError if one of them has another checksum */
  check(): void
}

export class PartMemory implements StoredBytes {
  readonly buffer: SharedArrayBuffer
  readonly #descriptor: number
  readonly #part: Part
  /** By block: whether it is there. */
  readonly #there: Uint8Array
  readonly #placed: (error: unknown) => unknown

  /** Of an open file. `placed` adds the file's path to an error. */
  constructor(descriptor: number, part: Part, placed: (error: unknown) => unknown) {
    this.buffer = sharedMemory(part.length)
    this.#descriptor = descriptor
    this.#part = part
    this.#there = new Uint8Array(part.sums.length)
    this.#placed = placed
  }

  /** The blocks with bytes of [from, to) that are not there, in ranges of about the same length. */
  *missing(from = 0, to = this.buffer.byteLength): Generator<MissingRange, void, void> {
    const there = this.#there
    const behind = Math.min(Math.ceil(to / BLOCK_BYTES), there.length)
    for (let first = Math.floor(from / BLOCK_BYTES), end = first; first < behind; first = end) {
      end = first + 1
      if (there[first] === 1) continue
      while (end < behind && there[end] === 0) end++
      for (let left = Math.ceil((end - first) / MOST_BLOCKS); left > 0; left--) {
        const until = first + Math.ceil((end - first) / left)
        yield this.#range(first, until)
        first = until
      }
    }
  }

  #range(first: number, end: number): MissingRange {
    const { offset, length, sums } = this.#part
    const from = first * BLOCK_BYTES
    const bytes = new Uint8Array(this.buffer, from, Math.min(end * BLOCK_BYTES, length) - from)
    const check = () => {
      for (let block = first; block < end; block++) {
        const at = block * BLOCK_BYTES - from
        if (checksum(bytes.subarray(at, at + BLOCK_BYTES)) !== sums[block]) {
          throw new BadFormatError('its content is damaged (wrong checksum)')
        }
        this.#there[block] = 1
      }
    }
    return { bytes, position: offset + from, check }
  }

  /** Reads what is not there of [from, to), in pieces of about a millisecond. @throws BadFormatError, NotReadableError */
  *bring(from?: number, to?: number): Generator<void, void, void> {
    for (const { bytes, position, check } of this.missing(from, to)) {
      try {
        fill(this.#descriptor, bytes, position)
        check()
      } catch (error) {
        throw this.#placed(error)
      }
      yield
    }
  }

  /** @throws as `bring` */
  need(from: number, to: number): void {
    const end = Math.min(Math.ceil(to / BLOCK_BYTES), this.#there.length)
    for (let block = Math.floor(from / BLOCK_BYTES); block < end; block++) {
      // Nearly always they are there: every question asks for several ranges.
      if (this.#there[block] === 1) continue
      for (const _ of this.bring(from, to));
      return
    }
  }
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
