// The heap of roots while a table is being built: every root is kept once, found again by its hash.

import { LONG_ROOT } from './layout.ts'
import { type Workspace, words } from './workspace.ts'

/** Where the bytes of the root at `offset` in a heap begin. Two functions, not one object: this is asked for every name. */
export function rootStart(heap: Uint8Array, offset: number): number {
  return heap[offset] === LONG_ROOT ? offset + 3 : offset + 1
}

/** How many bytes the root at `offset` in a heap has. */
export function rootLength(heap: Uint8Array, offset: number): number {
  const length = heap[offset]!
  return length === LONG_ROOT ? heap[offset + 1]! | (heap[offset + 2]! << 8) : length
}

/** The words of a heap's state, which the second implementation of the loops reads and writes as well. */
export const ROOTS = {
  /** Where the heap and the slots are, as byte offsets in their memory. */
  heap: 0,
  offsets: 1,
  hashes: 2,
  /** Slots less one. */
  mask: 3,
  /** Bytes in the heap, and roots. */
  length: 4,
  count: 5,
  /** The root found last. */
  last: 6,
  words: 7,
} as const

/** Room behind the heap's end, so that names can be written there in whole words. */
const SLACK = 16

/** Collects roots; `add` gives the offset of a root in the heap, the same for equal bytes. */
export class RootHeap {
  readonly state: Uint32Array
  /** The heap so far; only the first `length` bytes count. */
  bytes: Uint8Array<SharedArrayBuffer>
  readonly #workspace: Workspace
  /** Open addressing: offset + 1 of the root in each slot, 0 where empty, and its hash beside it. */
  #offsets: Uint32Array
  #hashes: Uint32Array

  /** `expected`: about how many symbols will come; more is no error. */
  constructor(workspace: Workspace, expected: number) {
    const slots = 2 ** Math.max(10, Math.ceil(Math.log2(expected + 1)))
    this.#workspace = workspace
    this.state = words(workspace, ROOTS.words)
    this.state[ROOTS.mask] = slots - 1
    this.#offsets = words(workspace, slots)
    this.#hashes = words(workspace, slots)
    this.bytes = workspace.allocate(Math.max(4096, expected * 14))
    this.#place()
  }

  get length(): number {
    return this.state[ROOTS.length]!
  }

  /** Distinct roots so far. */
  get count(): number {
    return this.state[ROOTS.count]!
  }

  /**
   * Makes room for `roots` more roots of `bytes` in all.
   * @throws LimitError if the heap would exceed what a name reference can address.
   */
  reserve(roots: number, bytes: number): void {
    const needed = this.length + bytes + 3 * roots + SLACK
    if (needed > this.bytes.length) {
      const wider = this.#workspace.allocate(Math.max(needed, Math.ceil(this.bytes.length * 1.5)))
      wider.set(this.bytes.subarray(0, this.length))
      this.bytes = wider
    }
    while ((this.count + roots) * 4 > this.state[ROOTS.mask]! * 3) this.#growSlots()
    this.#place()
  }

  /** The offset of the root text[start, start + size), whose hash the caller knows already. There has to be room for it. */
  add(text: Uint8Array, start: number, size: number, hash: number): number {
    const offsets = this.#offsets
    const hashes = this.#hashes
    const mask = this.state[ROOTS.mask]!
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
    this.state[ROOTS.count]!++
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
    this.state[ROOTS.length] = at + size
    return offset
  }

  /** Gives back what only `add` needs; the bytes stay. */
  forgetHashes(): void {
    this.#offsets = new Uint32Array(0)
    this.#hashes = new Uint32Array(0)
  }

  #growSlots(): void {
    const mask = this.state[ROOTS.mask]! * 2 + 1
    const offsets = words(this.#workspace, mask + 1)
    const hashes = words(this.#workspace, mask + 1)
    this.#workspace.loops.rehash(this.#offsets, this.#hashes, offsets, hashes)
    this.state[ROOTS.mask] = mask
    this.#offsets = offsets
    this.#hashes = hashes
  }

  #place(): void {
    this.state[ROOTS.heap] = this.bytes.byteOffset
    this.state[ROOTS.offsets] = this.#offsets.byteOffset
    this.state[ROOTS.hashes] = this.#hashes.byteOffset
  }
}

/** Enters the roots of old slots into more of them, which are empty. */
export function rehash(
  oldOffsets: Uint32Array,
  oldHashes: Uint32Array,
  offsets: Uint32Array,
  hashes: Uint32Array,
): void {
  const mask = offsets.length - 1
  for (let i = 0; i < oldOffsets.length; i++) {
    if (oldOffsets[i] === 0) continue
    const hash = oldHashes[i]!
    let slot = (hash ^ (hash >>> 15)) & mask
    while (offsets[slot] !== 0) slot = (slot + 1) & mask
    offsets[slot] = oldOffsets[i]!
    hashes[slot] = hash
  }
}
