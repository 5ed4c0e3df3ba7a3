// Shared memory that the garbage collector knows the size of. V8 counts neither SharedArrayBuffers nor WebAssembly memories when
// it decides whether collecting pays: a program that drops one generation of a kernel after the other would keep them all.

/**
 * Stands for shared memory: an ArrayBuffer, which V8 counts and which lives as long as its key. Being resizable it is address space
 * that nothing ever touches.
 */
const weights = new WeakMap<object, ArrayBuffer>()

/**
 * Bytes that are counted for each byte, and how many are enough: V8 begins to collect when 64 MiB have come since the last time,
 * whatever they are. A collection of the few megabytes of objects that a kernel needs costs less than the memory of several
 * generations; beyond 64 MiB there is nothing to gain, and address space may be short.
 */
const COUNTED = 6
const ENOUGH = 64 * 1024 * 1024

/** Buffers below this are not worth a counterpart. */
const LEAST = 64 * 1024

/** The constructor with the option that TypeScript's library of the language version in use lacks. */
const Resizable = ArrayBuffer as new (bytes: number, options: { maxByteLength: number }) => ArrayBuffer

/** Has the collector count so many bytes, or `times` as many, for as long as `holder` lives; once for each holder. */
export function weigh(holder: object, bytes: number, times = COUNTED): void {
  if (bytes < LEAST || weights.has(holder)) return
  const counted = Math.max(bytes, Math.min(times * bytes, ENOUGH))
  try {
    weights.set(holder, new Resizable(counted, { maxByteLength: counted }))
  } catch (error) {
    // Short of address space: the memory itself is there, and what is not counted is freed at the next collection all the same.
    if (!(error instanceof RangeError)) throw error
  }
}

/**
 * Fresh shared memory, all zeros, whose size the collector counts: once, for `lasting` memory, of which a process has one and not one
 * generation after the other. @throws RangeError where there is no room
 */
export function sharedMemory(bytes: number, lasting = false): SharedArrayBuffer {
  const buffer = new SharedArrayBuffer(bytes)
  weigh(buffer, bytes, lasting ? 1 : COUNTED)
  return buffer
}

/** A copy of bytes that every thread can read. */
export function inSharedMemory(bytes: Uint8Array): Uint8Array<SharedArrayBuffer> {
  const copy = new Uint8Array(sharedMemory(bytes.length))
  copy.set(bytes)
  return copy
}
