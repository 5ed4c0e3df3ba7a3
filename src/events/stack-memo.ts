// Whole stacks by the bytes of their lines. Stacks repeat even more than their frames cost: one that was met before is found
// by one hash over all of its lines, and with it what was made of it, ready to be written.

import type { RawFrame } from '../stacks/frame.ts'

/** Bytes kept of all stacks, and of the longest. What is made of them takes a few times as much. */
const MOST_BYTES = 1 << 23
const LONGEST = 1 << 16
/** Bytes that a stack takes, with its frames and its text, for each byte of its lines. */
const MADE = 4
/** Hashes of stacks that were met once. */
const SEEN = 1 << 14
const GOLDEN = 0x9e3779b1
const NEWLINES = 0x0a0a0a0a

/** A stack that was met before: what its lines are, and what the present stream makes of it. */
export interface KnownStack<Made> {
  /** Its lines, with their line ends. */
  readonly bytes: Uint8Array
  /** One frame for each line. */
  readonly frames: readonly RawFrame[]
  /** Where each line begins, in `bytes`. */
  readonly starts: readonly number[]
  made: Made | undefined
}

/** Lines that all begin with the same byte. */
export interface Run {
  readonly start: number
  readonly end: number
  readonly lines: number
  /** Bytes of the same hash have been met before: it may be worth being kept. */
  readonly again: boolean
}

/**
 * Remembers stacks that are met a second time, a bounded number of bytes of them: when there are more, all are forgotten. A
 * stream whose stacks never repeat costs a hash. Outlives the stretches.
 */
export class StackMemo<Made> {
  readonly #mark: number
  readonly #stacks = new Map<number, KnownStack<Made>>()
  readonly #seen = new Int32Array(SEEN)
  #kept = 0
  #bytes: Buffer = Buffer.alloc(0)
  #view: DataView = new DataView(new ArrayBuffer(0))
  #hash = 0
  #start = 0
  #end = 0
  #lines = 0

  /** `mark` is the byte that each line of a stack begins with, and the line after it does not. */
  constructor(mark: number) {
    this.#mark = mark
  }

  /** Bytes of the stacks that are kept, and, about, of what is made of them. */
  get bytes(): number {
    return this.#seen.byteLength + this.#kept * MADE
  }

  /** The bytes that stacks are places in from now on. */
  over({ buffer, byteOffset, byteLength }: Uint8Array): void {
    this.#bytes = Buffer.from(buffer, byteOffset, byteLength)
    this.#view = new DataView(buffer, byteOffset, byteLength)
  }

  /**
   * The lines from `start` on that begin with the mark; undefined if they are too long, or go on to the end of the bytes,
   * where the last may be torn.
   */
  run(start: number): Run | undefined {
    this.#end = 0
    if (!this.#measure(start)) return undefined
    const slot = this.#hash & (SEEN - 1)
    const again = this.#seen[slot] === this.#hash
    this.#seen[slot] = this.#hash
    return { start, end: this.#end, lines: this.#lines, again }
  }

  /** The stack that the last run is, if it has been added. */
  known(): KnownStack<Made> | undefined {
    const stack = this.#stacks.get(this.#hash)
    if (stack === undefined || stack.bytes.length !== this.#end - this.#start) return undefined
    return this.#bytes.compare(stack.bytes, 0, stack.bytes.length, this.#start, this.#end) === 0 ? stack : undefined
  }

  /** Remembers what the last run's lines are. Of stacks of one hash, which are rare, the first is kept. */
  add(frames: readonly RawFrame[], starts: readonly number[]): KnownStack<Made> {
    const bytes = new Uint8Array(this.#bytes.subarray(this.#start, this.#end))
    const stack = { bytes, frames, starts, made: undefined }
    if (this.#kept + stack.bytes.length > MOST_BYTES) {
      this.#stacks.clear()
      this.#kept = 0
    }
    if (!this.#stacks.has(this.#hash)) {
      this.#stacks.set(this.#hash, stack)
      this.#kept += stack.bytes.length
    }
    return stack
  }

  /** Finds the end, the lines and the hash of a run: four bytes at a time, anew at each line. */
  #measure(start: number): boolean {
    const view = this.#view
    const stop = Math.min(view.byteLength, start + LONGEST) - 4
    let hash = 0
    let lines = 0
    for (let at = start; at <= stop; ) {
      const word = view.getUint32(at, true)
      const others = word ^ NEWLINES
      // The lowest bit that is set is of the first byte that is a line end.
      const found = (others - 0x01010101) & ~others & 0x80808080
      if (found === 0) {
        hash = Math.imul(hash ^ word, GOLDEN)
        hash ^= hash >>> 15
        at += 4
        continue
      }
      const bits = 32 - Math.clz32(found & -found)
      hash = Math.imul(hash ^ (word & (0xffff_ffff >>> (32 - bits))), GOLDEN)
      hash ^= hash >>> 15
      at += bits >> 3
      lines++
      if (at >= view.byteLength) return false
      if (view.getUint8(at) === this.#mark) continue
      this.#start = start
      this.#end = at
      this.#lines = lines
      this.#hash = hash | 0
      return true
    }
    return false
  }
}
