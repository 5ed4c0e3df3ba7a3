// One WebAssembly memory from which arrays are cut, and modules that run over it.

/// <reference path="./webassembly.d.ts" />

const PAGE = 65_536
/** The most that a WebAssembly memory can have: 4 GiB. */
const MOST_PAGES = 65_536
/** Pages by which the memory grows at least: address space costs nothing until it is used. */
const GROWTH = 256
const ALIGNMENT = 16
/** Bytes behind the last ones in use that loops may read, because they read whole vectors. */
const OVERREAD = 64

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

/** A memory with a module's functions over it; undefined where there is no WebAssembly of that kind, or no room for it. */
export function openWasm(base64: string): { memory: WasmMemory; exports: object } | undefined {
  if (compiledModule(base64) === null) return undefined
  try {
    const memory = new WasmMemory()
    return { memory, exports: memory.run(base64) }
  } catch (error) {
    // No address space for a memory of this kind, as under a limit of it.
    if (error instanceof RangeError) return undefined
    throw error
  }
}

/** Shared memory that grows as arrays are cut from it. What is cut lasts as long as the memory. */
export class WasmMemory {
  readonly #memory = new WebAssembly.Memory({ initial: GROWTH, maximum: MOST_PAGES, shared: true })
  /** Every buffer object that the memory has had: it gets a new one when it grows. */
  readonly #buffers = new WeakSet<ArrayBufferLike>([this.#memory.buffer])
  #used = ALIGNMENT

  /** The functions of a module, whose only import is a memory. @throws TypeError where this engine cannot run it */
  run(base64: string): object {
    const module = compiledModule(base64)
    if (module === null) throw new TypeError('no module that this engine can run')
    return new WebAssembly.Instance(module, { env: { memory: this.#memory } }).exports
  }

  /** Fresh memory, all zeros, on a boundary of 16 bytes. @throws RangeError beyond 4 GiB */
  allocate(bytes: number): Uint8Array<SharedArrayBuffer> {
    const start = this.#used
    const end = start + Math.ceil(bytes / ALIGNMENT) * ALIGNMENT
    const missing = Math.ceil((end + OVERREAD) / PAGE) - this.#memory.buffer.byteLength / PAGE
    if (missing > 0) {
      const room = MOST_PAGES - this.#memory.buffer.byteLength / PAGE
      this.#memory.grow(Math.max(missing, Math.min(GROWTH, room)))
      this.#buffers.add(this.#memory.buffer)
    }
    this.#used = end
    return new Uint8Array(this.#memory.buffer, start, bytes)
  }

  /** Whether bytes are a part of this memory. */
  has(bytes: Uint8Array): boolean {
    return this.#buffers.has(bytes.buffer)
  }
}
