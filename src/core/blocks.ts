// Work on memory block by block, in a process that has just begun: a checksum, and a number added to each word. The loops are compiled for
// it, because V8 has not compiled any by then, and Node's checksums lie in a module behind all of its streams, whose code takes longer
// to read than three megabytes to sum.

/// <reference path="./webassembly.d.ts" />

import { BLOCKS_WASM } from './blocks-wasm.ts'

/** Bytes that are worked on at once. */
const ROOM_BYTES = 65_536
/** The loops take so many bytes a step. */
const STEP_BYTES = 64

interface Loops {
  /** The sum of bytes from an address on. */
  sum(at: number, length: number, seed: number): number
  /** Adds a number to each word of bytes. */
  add(at: number, length: number, by: number): void
}

/** The loops, and the room in which they find bytes. */
interface Workplace extends Loops {
  readonly room: Uint8Array
}

let workplace: Workplace | undefined

/**
 * A checksum of 32 bits that finds damage, not intent: sixteen streams of multiplications, in which a change of any word changes its stream.
 * Words are read in the machine's byte order.
 */
export function checksum(bytes: Uint8Array): number {
  workplace ??= openWorkplace()
  const { room } = workplace
  let sum = 0
  for (let at = 0; at === 0 || at < bytes.length; at += ROOM_BYTES) {
    const block = bytes.subarray(at, at + ROOM_BYTES)
    room.set(block)
    const length = roundedUp(block.length)
    room.fill(0, block.length, length)
    sum = workplace.sum(0, length, sum ^ block.length)
  }
  return sum >>> 0
}

/** Adds a number to each word, modulo 2^32. */
export function addToWords(words: Uint32Array, by: number): void {
  workplace ??= openWorkplace()
  const { room } = workplace
  const some = new Uint32Array(room.buffer, room.byteOffset, ROOM_BYTES / 4)
  for (let at = 0; at < words.length; at += some.length) {
    const block = words.subarray(at, at + some.length)
    some.set(block)
    workplace.add(0, roundedUp(block.byteLength), by)
    block.set(some.subarray(0, block.length))
  }
}

const roundedUp = (bytes: number) => Math.ceil(bytes / STEP_BYTES) * STEP_BYTES

function openWorkplace(): Workplace {
  try {
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true })
    const module = new WebAssembly.Module(Buffer.from(BLOCKS_WASM, 'base64'))
    // What the module exports is known from its source.
    const loops = new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as Loops
    return { room: new Uint8Array(memory.buffer), sum: loops.sum, add: loops.add }
  } catch {
    // No WebAssembly with vectors, or no address space for it.
    return slowWorkplace()
  }
}

const STEP = 0x9e3779b1 | 0

/** The same in plain JavaScript (assembly/blocks.ts says what each does). */
export function slowWorkplace(): Workplace {
  const room = new Uint8Array(ROOM_BYTES)
  const words = new Int32Array(room.buffer)
  const mixed = (sum: number, word: number) => {
    const product = Math.imul(sum ^ word, STEP)
    return product ^ (product >>> 15)
  }
  return {
    room,
    sum(at, length, seed) {
      const lanes = new Int32Array(STEP_BYTES / 4).fill(seed)
      for (let i = at / 4; i < (at + length) / 4; i++) lanes[i & 15] = mixed(lanes[i & 15]!, words[i]!)
      return lanes.reduce(mixed, 0)
    },
    add(at, length, by) {
      for (let i = at / 4; i < (at + length) / 4; i++) words[i] = words[i]! + by
    },
  }
}
