// The heap of roots while a table is being built: every root is kept once, found again by its hash.

import { LONG_ROOT } from './layout.ts'
import { bytesOf, type Workspace, words } from './workspace.ts'

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
  slots: 1,
  /** Slots less one. */
  mask: 2,
  /** Bytes in the heap, and roots. */
  length: 3,
  count: 4,
  /** The root found last. */
  last: 5,
  words: 6,
} as const

/** More than a root takes on average, so that the heap need not move; memory that is not used costs nothing. */
const BYTES_A_ROOT = 24
/** Room behind the heap's end, so that names can be written there in whole words. */
const SLACK = 16

/** Collects roots; `add` gives the offset of a root in the heap, the same for equal bytes. */
export class RootHeap {
  readonly state: Uint32Array
  /** The heap so far; only the first `length` bytes count. */
  bytes: Uint8Array<SharedArrayBuffer>
  readonly #workspace: Workspace
  /** Open addressing, two words a slot: offset + 1 of the root, 0 where it is empty, and the root's hash. */
  #slots: Uint32Array

  /** `expected`: about how many symbols will come; more is no error. */
  constructor(workspace: Workspace, expected: number) {
    const slots = 2 ** Math.max(10, Math.ceil(Math.log2(expected + 1)))
    this.#workspace = workspace
    this.state = words(workspace, ROOTS.words)
    this.state[ROOTS.mask] = slots - 1
    this.#slots = words(workspace, 2 * slots)
    this.bytes = workspace.allocate(Math.max(4096, expected * BYTES_A_ROOT))
    this.#place()
  }

  get length(): number {
    return this.state[ROOTS.length]!
  }

  /** Distinct roots so far. */
  get count(): number {
    return this.state[ROOTS.count]!
  }

  /** The memory of the heap and of what finds roots in it. */
  get memory(): readonly Uint8Array[] {
    return [this.bytes, bytesOf(this.#slots)]
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
    const slots = this.#slots
    const mask = this.state[ROOTS.mask]!
    let slot = hash & mask
    let known = slots[2 * slot]!
    while (known !== 0) {
      if (slots[2 * slot + 1] === hash && this.equals(known - 1, text, start, size)) return known - 1
      slot = (slot + 1) & mask
      known = slots[2 * slot]!
    }
    const offset = this.#append(text, start, size)
    slots[2 * slot] = offset + 1
    slots[2 * slot + 1] = hash
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
    this.#slots = new Uint32Array(0)
  }

  #growSlots(): void {
    const mask = this.state[ROOTS.mask]! * 2 + 1
    const slots = words(this.#workspace, 2 * (mask + 1))
    this.#workspace.loops.rehash(this.#slots, slots)
    this.state[ROOTS.mask] = mask
    this.#slots = slots
  }

  #place(): void {
    this.state[ROOTS.heap] = this.bytes.byteOffset
    this.state[ROOTS.slots] = this.#slots.byteOffset
  }
}

/** Enters the roots of old slots into more of them, which are empty. */
export function rehash(old: Uint32Array, slots: Uint32Array): void {
  const mask = slots.length / 2 - 1
  for (let i = 0; i < old.length; i += 2) {
    if (old[i] === 0) continue
    let slot = old[i + 1]! & mask
    while (slots[2 * slot] !== 0) slot = (slot + 1) & mask
    slots[2 * slot] = old[i]!
    slots[2 * slot + 1] = old[i + 1]!
  }
}
