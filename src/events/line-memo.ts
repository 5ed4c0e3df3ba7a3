// Frames by the bytes of their lines. A kernel's stacks repeat, so most lines of a trace were met before: they are found
// again by their bytes alone, without a string for each.

import type { RawFrame } from '../stacks/frame.ts'

/** Slots of the hash table; half of them are filled at most. */
const SLOTS = 1 << 17
const MOST_LINES = SLOTS >> 1
/** Bytes kept of all lines, and of the longest. */
const MOST_BYTES = 1 << 23
const LONGEST = 1024
/** An odd constant far from any pattern: 2^32 divided by the golden ratio. */
const GOLDEN = 0x9e3779b1

/**
 * Remembers a bounded number of lines; when there are more, all are forgotten, which bounds memory without bookkeeping.
 * Outlives the stretches.
 */
export class LineMemo {
  /** Number of the line in each slot, plus 1; 0 where none is. */
  readonly #slots = new Uint32Array(SLOTS)
  readonly #hashes = new Uint32Array(MOST_LINES)
  /** Where each line ends in `#heap`; it begins where the one before ends. */
  readonly #ends = new Uint32Array(MOST_LINES + 1)
  #heap = new DataView(new ArrayBuffer(1 << 16))
  readonly #frames: RawFrame[] = []
  #bytes: DataView = new DataView(new ArrayBuffer(0))
  /** The line that was asked for last and not found. */
  #start = 0
  #end = 0
  #hash = 0

  get size(): number {
    return this.#frames.length
  }

  /** Bytes of its tables and of the lines. */
  get bytes(): number {
    return this.#slots.byteLength + this.#hashes.byteLength + this.#ends.byteLength + this.#heap.byteLength
  }

  /** The bytes that lines are places in from now on. */
  over({ buffer, byteOffset, byteLength }: Uint8Array): void {
    this.#bytes = new DataView(buffer, byteOffset, byteLength)
  }

  /** The frame that a line from `start` to `end` was, if it has been added. */
  find(start: number, end: number): RawFrame | undefined {
    const bytes = this.#bytes
    const length = end - start
    if (length < 4 || length > LONGEST) {
      this.#end = 0
      return undefined
    }
    // Four bytes at a time; the last four overlap with those before.
    const last = end - 4
    let hash = length
    for (let at = start; at < last; at += 4) {
      hash = Math.imul(hash ^ bytes.getUint32(at, true), GOLDEN)
      hash ^= hash >>> 15
    }
    hash = Math.imul(hash ^ bytes.getUint32(last, true), GOLDEN)
    hash = (hash ^ (hash >>> 15)) >>> 0
    for (let slot = hash & (SLOTS - 1); ; slot = (slot + 1) & (SLOTS - 1)) {
      const line = this.#slots[slot]!
      if (line === 0) break
      if (this.#hashes[line - 1] === hash && this.#isLine(line - 1, start, length)) return this.#frames[line - 1]
    }
    this.#start = start
    this.#end = end
    this.#hash = hash
    return undefined
  }

  /** Remembers that the line which was not found is this frame. */
  add(frame: RawFrame): void {
    const length = this.#end - this.#start
    if (this.#end === 0) return
    if (this.#frames.length === MOST_LINES || this.#endOf(this.#frames.length) + length > MOST_BYTES) this.#forget()
    const line = this.#frames.length
    const from = this.#endOf(line)
    if (from + length > this.#heap.byteLength) this.#grow(from + length)
    for (let i = 0; i < length; i++) this.#heap.setUint8(from + i, this.#bytes.getUint8(this.#start + i))
    this.#ends[line + 1] = from + length
    this.#hashes[line] = this.#hash
    this.#frames.push(frame)
    let slot = this.#hash & (SLOTS - 1)
    while (this.#slots[slot] !== 0) slot = (slot + 1) & (SLOTS - 1)
    this.#slots[slot] = line + 1
    this.#end = 0
  }

  #endOf(line: number): number {
    return this.#ends[line]!
  }

  #isLine(line: number, start: number, length: number): boolean {
    const from = this.#endOf(line)
    if (this.#endOf(line + 1) - from !== length) return false
    const bytes = this.#bytes
    const heap = this.#heap
    const last = length - 4
    for (let i = 0; i < last; i += 4) {
      if (heap.getUint32(from + i, true) !== bytes.getUint32(start + i, true)) return false
    }
    return heap.getUint32(from + last, true) === bytes.getUint32(start + last, true)
  }

  #grow(needed: number): void {
    const larger = new Uint8Array(needed * 2)
    larger.set(new Uint8Array(this.#heap.buffer))
    this.#heap = new DataView(larger.buffer)
  }

  #forget(): void {
    this.#slots.fill(0)
    this.#frames.length = 0
  }
}
