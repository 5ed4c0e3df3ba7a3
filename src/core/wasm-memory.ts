// One WebAssembly memory from which arrays are cut, and modules that run over it. Memory that a load works in is used again by the
// next one: it is touched already, and V8 would not notice how much of it lies about.

/// <reference path="./webassembly.d.ts" />

import { addressSpace } from './address-space.ts'
import { UnsupportedError } from './errors.ts'
import { weigh } from './shared-memory.ts'

const PAGE = 65_536
/** The most that a WebAssembly memory can have: 4 GiB. */
const MOST_PAGES = 65_536
/**
 * The part of limited address space that one memory may take: there are three during a load, and V8 ends the process where it finds
 * no room for its own.
 */
const SHARE = 1 / 16
/** Pages by which the memory grows at least: address space costs nothing until it is used. */
const GROWTH = 256
const ALIGNMENT = 16
/** Bytes behind the last ones in use that loops may read, because they read whole vectors. */
const OVERREAD = 64

/** The members of a `WebAssembly.Memory` that are used here: programs that compile against kerndex may have no type of that name. */
export interface SharedMemory {
  readonly buffer: SharedArrayBuffer
  /** Pages of 64 KiB. @throws RangeError beyond the maximum, or where there is no room. */
  grow(pages: number): number
}

const modules = new Map<string, WebAssembly.Module | null>()

/** A module, compiled once a thread; null where this engine has no threads or vectors in WebAssembly. */
function compiledModule(base64: string): WebAssembly.Module | null {
  let module = modules.get(base64)
  if (module === undefined) {
    try {
      module = new WebAssembly.Module(Buffer.from(base64, 'base64'))
    } catch {
      module = null
    }
    modules.set(base64, module)
  }
  return module
}

/** Functions that a module calls, by the names of its files. */
export type WasmCalls = Readonly<Record<string, Readonly<Record<string, (...numbers: number[]) => void>>>>

/** The functions of a module over a memory, perhaps another thread's. @throws TypeError where this engine cannot run it */
export function runWasm(base64: string, memory: SharedMemory, calls?: WasmCalls): object {
  const module = compiledModule(base64)
  if (module === null) throw new TypeError('no module that this engine can run')
  return new WebAssembly.Instance(module, { ...calls, env: { memory } }).exports
}

/** A memory with a module's functions over it. */
export interface OpenWasm {
  readonly memory: WasmMemory
  readonly exports: object
}

/** What is said where there is no such memory. */
export const noWasm = (): UnsupportedError =>
  new UnsupportedError(
    'kerndex works in a shared WebAssembly memory, which there is not: this engine has no threads and vectors in WebAssembly or was ' +
      'told not to use it (--jitless), or there is too little address space (ulimit -v): Node reserves 10 GB for any such memory, ' +
      'and far less where NODE_OPTIONS has --disable-wasm-trap-handler',
  )

/** A memory with a module's functions over it; undefined where there is no WebAssembly of that kind, or no room for it. */
export function openWasm(base64: string, memory?: WasmMemory, calls?: WasmCalls): OpenWasm | undefined {
  if (compiledModule(base64) === null) return undefined
  try {
    const over = memory ?? new WasmMemory()
    return { memory: over, exports: over.run(base64, calls) }
  } catch (error) {
    // No address space for a memory of this kind, as under a limit of it.
    if (error instanceof RangeError) return undefined
    throw error
  }
}

/**
 * Memory that is not in use at the moment, for as long as the collector has no reason to free it. Two loads may go on side by side all
 * the time, symbols and types; memory beyond that goes.
 */
const idle: WeakRef<WasmMemory>[] = []
const MOST_IDLE = 2

/** `openWasm` with memory that has been given back, where there is some; rather with memory that is named. */
export function borrowWasm(base64: string, memory?: WasmMemory, calls?: WasmCalls): OpenWasm | undefined {
  if (memory !== undefined) return openWasm(base64, memory, calls)
  for (let known = idle.pop(); known !== undefined; known = idle.pop()) {
    const memory = known.deref()
    if (memory !== undefined) return openWasm(base64, memory, calls)
  }
  return openWasm(base64, undefined, calls)
}

/** Gives memory back. Nothing that was cut from it may be used any more, by any thread. */
export function giveBack(memory: WasmMemory): void {
  memory.reset()
  if (idle.length < MOST_IDLE) idle.push(new WeakRef(memory))
}

/** @throws RangeError where there is no address space */
function largestMemory(): { memory: SharedMemory; pages: number } {
  const pages = Math.max(GROWTH, Math.min(MOST_PAGES, Math.floor((addressSpace() * SHARE) / PAGE)))
  return { memory: new WebAssembly.Memory({ initial: GROWTH, maximum: pages, shared: true }), pages }
}

let memories = 0

/** Shared memory that grows as arrays are cut from it. What is cut lasts until `reset`. */
export class WasmMemory {
  /** By which other threads know it: what they are given of it is a new object each time. */
  readonly id = memories++
  readonly #memory: SharedMemory
  readonly #mostPages: number
  /** Every buffer object that the memory has had, with the bytes cut from it: there is a new one when it grows. */
  readonly #buffers = new Map<ArrayBufferLike, number>()
  #used = ALIGNMENT
  /** Where memory begins that has never been used. */
  #fresh = ALIGNMENT

  /** @throws RangeError where there is no address space */
  constructor() {
    const { memory, pages } = largestMemory()
    this.#memory = memory
    this.#mostPages = pages
    this.#buffers.set(memory.buffer, 0)
  }

  /** The functions of a module that imports a memory, and perhaps what it calls. @throws TypeError where this engine cannot run it */
  run(base64: string, calls?: WasmCalls): object {
    return runWasm(base64, this.#memory, calls)
  }

  /** What other threads are given to run modules over this memory. */
  get shared(): SharedMemory {
    return this.#memory
  }

  /** Memory on a boundary of 16 bytes, all zeros. @throws RangeError beyond 4 GiB */
  allocate(bytes: number): Uint8Array<SharedArrayBuffer> {
    const known = this.#fresh - this.#used
    const array = this.room(bytes)
    return known > 0 ? array.fill(0, 0, known) : array
  }

  /** The same with anything in it, for what is written before it is read. @throws RangeError beyond 4 GiB */
  room(bytes: number): Uint8Array<SharedArrayBuffer> {
    const start = this.#used
    const end = start + Math.ceil(bytes / ALIGNMENT) * ALIGNMENT
    const missing = Math.ceil((end + OVERREAD) / PAGE) - this.#memory.buffer.byteLength / PAGE
    if (missing > 0) {
      const room = this.#mostPages - this.#memory.buffer.byteLength / PAGE
      this.#memory.grow(Math.max(missing, Math.min(GROWTH, room)))
    }
    const { buffer } = this.#memory
    this.#buffers.set(buffer, (this.#buffers.get(buffer) ?? 0) + end - start)
    this.#used = end
    this.#fresh = Math.max(this.#fresh, end)
    return new Uint8Array(buffer, start, bytes)
  }

  /** The buffer of the whole memory: another one when it has grown. */
  get buffer(): SharedArrayBuffer {
    return this.#memory.buffer
  }

  /** Takes back what was cut behind an address. */
  trim(address: number): void {
    const end = Math.ceil(address / ALIGNMENT) * ALIGNMENT
    if (end < this.#used) this.#used = end
  }

  /** Whether bytes are a part of this memory. */
  has(bytes: Uint8Array): boolean {
    return this.#buffers.has(bytes.buffer)
  }

  /** Takes back all that was cut. */
  reset(): void {
    this.#used = ALIGNMENT
    const { buffer } = this.#memory
    this.#buffers.clear()
    this.#buffers.set(buffer, 0)
  }

  /** Has the collector count what was cut, for as long as anybody holds it: see `weigh`. */
  weigh(): void {
    for (const [buffer, bytes] of this.#buffers) weigh(buffer, bytes)
  }
}
