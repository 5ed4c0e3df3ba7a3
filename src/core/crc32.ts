// The CRC-32 of gzip. Node has it in a module behind all of its streams, whose code takes longer to read than half a megabyte to sum: for
// so few bytes, in a process that reads nothing else, there is a loop of its own.

/// <reference path="./webassembly.d.ts" />

import { crc32 } from 'node:zlib'
import { CRC32_WASM } from './crc32-wasm.ts'

/** A page for the tables, and room for what is summed at once. */
const TABLES_BYTES = 65_536
const ROOM_BYTES = 65_536

interface Exports {
  makeTables(): void
  crc32(at: number, length: number): number
}

interface Loop {
  readonly room: Uint8Array
  readonly sum: Exports['crc32']
}

/** Null where this engine cannot run it. */
let loop: Loop | null | undefined

/** The same sum of at most 64 KiB. */
export function crc32OfFew(bytes: Uint8Array): number {
  if (loop === undefined) loop = openLoop()
  if (loop === null || bytes.length > ROOM_BYTES) return crc32(bytes)
  loop.room.set(bytes)
  return loop.sum(TABLES_BYTES, bytes.length) >>> 0
}

function openLoop(): Loop | null {
  try {
    const pages = (TABLES_BYTES + ROOM_BYTES) / 65_536
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true })
    // What the module exports is known from its source.
    const module = new WebAssembly.Module(Buffer.from(CRC32_WASM, 'base64'))
    const { makeTables, crc32: sum } = new WebAssembly.Instance(module, { env: { memory } }).exports as Exports
    makeTables()
    return { room: new Uint8Array(memory.buffer, TABLES_BYTES), sum }
  } catch {
    // No WebAssembly, or no address space for it.
    return null
  }
}
