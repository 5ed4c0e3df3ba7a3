// Where a table is built: memory for columns, and the loops that run over it. Plain arrays and plain loops, or the same over
// one WebAssembly memory: see loops.ts and wasm.ts.

import type { SymbolLoops } from './loops.ts'

/** Memory and loops that belong together. What is allocated lives as long as the workspace. */
export interface Workspace {
  readonly loops: SymbolLoops
  /** Symbols to work on between two yields: about a millisecond even before the code is compiled. */
  readonly slice: number
  /** Fresh memory, all zeros, on a boundary of 16 bytes. */
  allocate(bytes: number): Uint8Array<SharedArrayBuffer>
  /**
   * The same bytes where the loops can reach them: themselves if they are there, else a copy that lasts until the next call
   * for the same `use`.
   */
  reach(use: string, bytes: Uint8Array): Uint8Array
  /**
   * Has fresh arrays touched beside this thread, because the first write to each page of memory costs microseconds; undefined
   * where that is not worth it.
   */
  readonly touch?: ((fresh: readonly Uint8Array[]) => Touching | undefined) | undefined
}

/** Fresh arrays that are being touched: zeros are written to them. */
export interface Touching {
  /** Fulfilled when they may be used, or have been given up. */
  readonly over: Promise<void>
  /** Whether they have been given up: zeros may still be written to them at any time. */
  readonly givenUp: boolean
}

/** Work that yields between bounded pieces; a promise that it yields has to be fulfilled before it goes on. */
export type Steps<T> = Generator<Promise<void> | void, T, void>

export function words(workspace: Workspace, count: number): Uint32Array<SharedArrayBuffer> {
  const { buffer, byteOffset } = workspace.allocate(count * 4)
  return new Uint32Array(buffer, byteOffset, count)
}

export function halfWords(workspace: Workspace, count: number): Uint16Array<SharedArrayBuffer> {
  const { buffer, byteOffset } = workspace.allocate(count * 2)
  return new Uint16Array(buffer, byteOffset, count)
}

/** The bytes of an array. */
export function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength)
}
