// A few bytes of the running kernel's memory: /proc/kcore, an ELF core file whose segments are what the kernel has mapped
// (fs/proc/kcore.c). Only root may open it, not every kernel has it, and lockdown "confidentiality" refuses it.

import { closeSync, openSync, readSync } from 'node:fs'
import { type Absence, absenceOf } from './source.ts'

/** Where the running kernel shows its memory. */
export const KERNEL_MEMORY = '/proc/kcore'

const WHAT = "the kernel's memory"
const HEADER_BYTES = 64
const SEGMENT_BYTES = 56
/** Most bytes of one read: the tables that are read have a tenth of it. */
const MOST_BYTES = 2 ** 24
/** `\x7fELF`, 64-bit, little-endian. */
const MAGIC = Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 1])
const PT_LOAD = 1

/**
 * The bytes of a range of addresses, or why they cannot be had. Waits for the system.
 * @param path an ELF core file, such as /proc/kcore
 */
export function readKernelMemory(path: string, address: bigint, length: number): Uint8Array | Absence {
  if (length > MOST_BYTES) return { what: WHAT, reason: `a range of ${length} bytes is none of a table's` }
  let file: number
  try {
    file = openSync(path, 'r')
  } catch (error) {
    return absenceOf(path, error)
  }
  try {
    const header = bytesAt(file, 0n, HEADER_BYTES)
    if (header === undefined || !header.subarray(0, MAGIC.length).equals(MAGIC)) {
      return { what: path, reason: 'it is no core file of a little-endian 64-bit kernel' }
    }
    const count = header.readUInt16LE(56)
    const segments = bytesAt(file, header.readBigUInt64LE(32), count * SEGMENT_BYTES)
    const position = segments && positionOf(segments, address, BigInt(length))
    const bytes = position === undefined ? undefined : bytesAt(file, position, length)
    return bytes ?? { what: path, reason: `it has not the ${length} bytes at 0x${address.toString(16)}` }
  } catch (error) {
    return absenceOf(path, error)
  } finally {
    closeSync(file)
  }
}

/** Where a range of addresses stands in the file, if one segment has all of it. */
function positionOf(segments: Buffer, address: bigint, length: bigint): bigint | undefined {
  for (let at = 0; at + SEGMENT_BYTES <= segments.length; at += SEGMENT_BYTES) {
    if (segments.readUInt32LE(at) !== PT_LOAD) continue
    const start = segments.readBigUInt64LE(at + 16)
    const size = segments.readBigUInt64LE(at + 32)
    if (address >= start && address - start + length <= size) return segments.readBigUInt64LE(at + 8) + address - start
  }
  return undefined
}

/** Bytes of a file, or undefined where it ends before. */
function bytesAt(file: number, position: bigint, length: number): Buffer | undefined {
  const bytes = Buffer.alloc(length)
  let filled = 0
  while (filled < length) {
    const count = readSync(file, bytes, filled, length - filled, position + BigInt(filled))
    if (count === 0) return undefined
    filled += count
  }
  return bytes
}
