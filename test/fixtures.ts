// The shipped fixtures that belong to no single room: the Debian capture, the edge tables, the kernel's own answers.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import { parseModules } from '../src/sources/facts.ts'
import type { MemoryRange } from '../src/symbols/memory-range.ts'

const root = new URL('../fixtures/', import.meta.url)

/** The path of a fixture. */
export const fixturePath = (name: string): string => fileURLToPath(new URL(name, root))

/** The capture directory that `npm start` falls back to. */
export const CAPTURE = fixturePath('debian-6.1-amd64')

const unpacked = new Map<string, Buffer>()

/** A fixture's bytes, unpacked where it is stored as `.br` or `.gz`: once a process, and a copy for each who asks. */
export function fixtureBytes(name: string): Buffer {
  let bytes = unpacked.get(name)
  if (bytes === undefined) {
    const stored = readFileSync(new URL(name, root))
    bytes = name.endsWith('.br') ? brotliDecompressSync(stored) : name.endsWith('.gz') ? gunzipSync(stored) : stored
    unpacked.set(name, bytes)
  }
  return Buffer.from(bytes)
}

/** What an edge table holds. */
export const edge = (name: string): Buffer => fixtureBytes(`edge/${name}.kallsyms`)

/** The memory of modules as a /proc/modules text gives it. */
export function modulesRanges(text: Buffer): MemoryRange[] {
  return parseModules(text).map(({ name, address, size }) => ({
    owner: name,
    start: address,
    end: address + BigInt(size),
  }))
}
