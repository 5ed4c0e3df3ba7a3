// The heap of roots while a table is being built: every root is kept once, found again by its hash.

import { LimitError } from '../core/errors.ts'
import { LONG_ROOT, ROOT_MASK } from './layout.ts'

/** Where the bytes of the root at `offset` in a heap begin. Two functions, not one object: this is asked for every name. */
export function rootStart(heap: Uint8Array, offset: number): number {
  return heap[offset] === LONG_ROOT ? offset + 3 : offset + 1
}

/** How many bytes the root at `offset` in a heap has. */
export function rootLength(heap: Uint8Array, offset: number): number {
  const length = heap[offset]!
  return length === LONG_ROOT ? heap[offset + 1]! | (heap[offset + 2]! << 8) : length
}

/** Collects roots; `add` gives the offset of a root in the heap, the same for equal bytes. */
export class RootHeap {
  /** The heap so far; only the first `length` bytes count. */
  bytes: Uint8Array
  length = 0
  /** Distinct roots so far. */
  count = 0
  #mask: number
  /** Open addressing: offset + 1 of the root in each slot, 0 where empty, and its hash beside it. */
  #offsets: Uint32Array
  #hashes: Uint32Array

  /** `expected`: about how many symbols will come; more is no error. */
  constructor(expected: number) {
    const slots = 2 ** Math.max(10, Math.ceil(Math.log2(expected + 1)))
    this.#mask = slots - 1
    this.#offsets = new Uint32Array(slots)
    this.#hashes = new Uint32Array(slots)
    this.bytes = new Uint8Array(Math.max(4096, expected * 14))
  }

  /**
   * The offset of the root text[start, start + size), whose hash the caller knows already.
   * @throws LimitError when the heap would exceed what a name reference can address.
   */
  add(text: Uint8Array, start: number, size: number, hash: number): number {
    const offsets = this.#offsets
    const hashes = this.#hashes
    const mask = this.#mask
    // FNV's low bits are weak for short names; folding the high half in spreads them.
    let slot = (hash ^ (hash >>> 15)) & mask
    let known = offsets[slot]!
    while (known !== 0) {
      if (hashes[slot] === hash && this.equals(known - 1, text, start, size)) return known - 1
      slot = (slot + 1) & mask
      known = offsets[slot]!
    }
    const offset = this.#append(text, start, size)
    offsets[slot] = offset + 1
    hashes[slot] = hash
    if (++this.count * 4 > mask * 3) this.#growTable()
    return offset
  }

  /** Whether the root at `offset` is text[start, start + size). */
  equals(offset: number, text: Uint8Array, start: number, size: number): boolean {
    const bytes = this.bytes
    if (rootLength(bytes, offset) !== size) return false
    const at = rootStart(bytes, offset)
    for (let i = 0; i < size; i++) if (bytes[at + i] !== text[start + i]) return false
    return true
  }

  #append(text: Uint8Array, start: number, size: number): number {
    const offset = this.length
    if (offset > ROOT_MASK) throw new LimitError(`the names need more than ${ROOT_MASK + 1} bytes; load fewer symbols`)
    if (offset + size + 3 > this.bytes.length) this.#growHeap(offset + size + 3)
    const bytes = this.bytes
    let at = offset
    if (size < LONG_ROOT) {
      bytes[at++] = size
    } else {
      bytes[at++] = LONG_ROOT
      bytes[at++] = size & 0xff
      bytes[at++] = size >>> 8
    }
    for (let i = 0; i < size; i++) bytes[at + i] = text[start + i]!
    this.length = at + size
    return offset
  }

  /** Gives back what only `add` needs; the bytes stay. */
  forgetHashes(): void {
    this.#offsets = new Uint32Array(0)
    this.#hashes = new Uint32Array(0)
  }

  #growHeap(least: number): void {
    const bytes = new Uint8Array(Math.max(least, Math.ceil(this.bytes.length * 1.5)))
    bytes.set(this.bytes.subarray(0, this.length))
    this.bytes = bytes
  }

  #growTable(): void {
    const offsets = this.#offsets
    const hashes = this.#hashes
    const mask = this.#mask * 2 + 1
    const newOffsets = new Uint32Array(mask + 1)
    const newHashes = new Uint32Array(mask + 1)
    for (let i = 0; i < offsets.length; i++) {
      if (offsets[i] === 0) continue
      const hash = hashes[i]!
      let slot = (hash ^ (hash >>> 15)) & mask
      while (newOffsets[slot] !== 0) slot = (slot + 1) & mask
      newOffsets[slot] = offsets[i]!
      newHashes[slot] = hash
    }
    this.#mask = mask
    this.#offsets = newOffsets
    this.#hashes = newHashes
  }
}
