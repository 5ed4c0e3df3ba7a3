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

/** A fixture's bytes, unpacked where it is stored as `.br` or `.gz`. */
export function fixtureBytes(name: string): Buffer {
  const bytes = readFileSync(new URL(name, root))
  if (name.endsWith('.br')) return brotliDecompressSync(bytes)
  return name.endsWith('.gz') ? gunzipSync(bytes) : bytes
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
