// The header of perf.data: which kernel and which modules a recording is of (tools/perf/Documentation/perf.data-file-format.txt). The
// recording itself is for `perf script` to read.

import { closeSync, openSync, readSync, statSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { readFailure } from './reader.ts'

/** A recording's kernel, as its header describes it. */
export interface PerfHeader {
  readonly release: string | undefined
  /** The kernel's, in hexadecimal digits. */
  readonly buildId: string | undefined
  /** Build ids of the modules that samples hit, by the file that perf names. */
  readonly files: ReadonlyMap<string, string>
}

const MAGIC = 'PERFILE2'
/** Behind magic, sizes and attributes: where the data lie, and which features follow them. */
const DATA = 40
const FEATURES = 72
const HEADER_BYTES = 104
/** HEADER_BUILD_ID and HEADER_OSRELEASE of tools/perf/util/header.h. */
const [BUILD_ID, RELEASE] = [2, 4]
/** PERF_RECORD_MISC_CPUMODE_MASK, …_KERNEL and …_BUILD_ID_SIZE of include/uapi/linux/perf_event.h. */
const [MODE, KERNEL_MODE, HAS_SIZE] = [7, 1, 1 << 15]
/** A record of a build id: its head, a pid, 20 bytes and their number, and a file's name. */
const [ID_AT, ID_BYTES, NAME_AT] = [12, 20, 36]
/** The longest part that is read. */
const LONGEST_PART = 1 << 24

/** Whether a file that begins so is perf.data, as perf writes it into a file of a little-endian machine. */
export function isPerfData(beginning: Uint8Array): boolean {
  return Buffer.from(beginning.buffer, beginning.byteOffset, MAGIC.length).toString('latin1') === MAGIC
}

/** Whether a path is a file that begins as perf.data does. Waits for the system. */
export function isRecording(path: string): boolean {
  if (statSync(path, { throwIfNoEntry: false })?.isFile() !== true) return false
  try {
    const descriptor = openSync(path, 'r')
    try {
      const start = Buffer.alloc(8)
      return readSync(descriptor, start, 0, start.length, 0) === start.length && isPerfData(start)
    } finally {
      closeSync(descriptor)
    }
  } catch {
    // Whoever reads it says why it cannot be read.
    return false
  }
}

/**
 * Reads the header of a file. What is damaged in it is undefined, as is everything of what perf wrote into a pipe.
 * @throws NotReadableError
 */
export async function readPerfHeader(path: string): Promise<PerfHeader> {
  try {
    const file = await open(path, 'r')
    try {
      const read = async (at: number, length: number): Promise<Buffer> => {
        if (!Number.isSafeInteger(at) || length > LONGEST_PART) return Buffer.alloc(0)
        const bytes = Buffer.alloc(length)
        return bytes.subarray(0, (await file.read(bytes, 0, length, at)).bytesRead)
      }
      const head = await read(0, HEADER_BYTES)
      const parts = head.length < HEADER_BYTES ? new Map<number, Part>() : await partsOf(head, read)
      const part = (feature: number) => {
        const { at = 0, length = 0 } = parts.get(feature) ?? {}
        return read(at, length)
      }
      return { release: releaseIn(await part(RELEASE)), ...buildIdsIn(await part(BUILD_ID)) }
    } finally {
      await file.close()
    }
  } catch (error) {
    throw readFailure(path, error)
  }
}

/** A range of kernel memory that a recording names. */
export interface PerfMapping {
  /** `[kernel.kallsyms]` and a symbol that places the image, or a module's file or `[name]`. */
  readonly file: string
  readonly start: bigint
  readonly bytes: number
  /** The address of the image's symbol. */
  readonly offset: bigint
  readonly buildId: string | undefined
}

/** PERF_RECORD_MMAP, PERF_RECORD_MMAP2 and PERF_RECORD_MISC_MMAP_BUILD_ID of include/uapi/linux/perf_event.h. */
const [MMAP, MMAP2, HAS_BUILD_ID] = [1, 10, 1 << 14]
/** In both a start, a length and an offset; then the file's name, in MMAP2 behind what tells the file: a build id's length and the id. */
const [START_AT, LENGTH_AT, OFFSET_AT, MMAP_NAME_AT] = [16, 24, 32, 40]
const [MMAP2_ID_AT, MMAP2_NAME_AT] = [40, 72]
/** Bytes of events that are read at once; none of them is longer. */
const PIECE_BYTES = 1 << 20
/** More than modules of any kernel, and the longest path (PATH_MAX). */
const MOST_MAPPINGS = 20_000
const LONGEST_NAME = 4096

/** The kernel's image and modules, as perf found them when it began to record. What is damaged ends the list. @throws NotReadableError */
export async function readPerfMappings(path: string): Promise<PerfMapping[]> {
  const mappings: PerfMapping[] = []
  try {
    const file = await open(path, 'r')
    try {
      const head = Buffer.alloc(HEADER_BYTES)
      if ((await file.read(head, 0, HEADER_BYTES, 0)).bytesRead < HEADER_BYTES) return []
      const end = offset(head, DATA) + offset(head, DATA + 8)
      const piece = Buffer.alloc(PIECE_BYTES)
      let at = offset(head, DATA)
      while (at + EVENT_HEAD <= end && Number.isSafeInteger(end)) {
        const { bytesRead } = await file.read(piece, 0, Math.min(piece.length, end - at), at)
        const used = mappingsIn(piece.subarray(0, bytesRead), mappings)
        if (used === 0 || mappings.length >= MOST_MAPPINGS) break
        at += used
      }
    } finally {
      await file.close()
    }
  } catch (error) {
    throw readFailure(path, error)
  }
  return mappings
}

/** An event's type, flags and length. */
const EVENT_HEAD = 8

/** Lists the kernel's mappings among whole events. Returns how many bytes those have. */
function mappingsIn(bytes: Buffer, mappings: PerfMapping[]): number {
  let at = 0
  while (at + EVENT_HEAD <= bytes.length) {
    const type = bytes.readUInt32LE(at)
    const misc = bytes.readUInt16LE(at + 4)
    const length = bytes.readUInt16LE(at + 6)
    if (length < EVENT_HEAD || at + length > bytes.length) break
    const nameAt = type === MMAP ? MMAP_NAME_AT : MMAP2_NAME_AT
    const isNamed = length > nameAt && length <= nameAt + LONGEST_NAME && mappings.length < MOST_MAPPINGS
    if ((type === MMAP || type === MMAP2) && (misc & MODE) === KERNEL_MODE && isNamed) {
      const [file = ''] = bytes.toString('latin1', at + nameAt, at + length).split('\0', 1)
      const size = Math.min(bytes[at + MMAP2_ID_AT]!, ID_BYTES)
      const id = at + MMAP2_ID_AT + 4
      mappings.push({
        file,
        start: bytes.readBigUInt64LE(at + START_AT),
        bytes: offset(bytes, at + LENGTH_AT),
        offset: bytes.readBigUInt64LE(at + OFFSET_AT),
        buildId: type === MMAP2 && (misc & HAS_BUILD_ID) !== 0 ? bytes.toString('hex', id, id + size) : undefined,
      })
    }
    at += length
  }
  return at
}

/** Where a feature's bytes lie. */
interface Part {
  readonly at: number
  readonly length: number
}

/** The features of a file, by their numbers: behind the data stands for each that there is where it lies. */
async function partsOf(
  head: Buffer,
  read: (at: number, length: number) => Promise<Buffer>,
): Promise<Map<number, Part>> {
  const numbers: number[] = []
  for (let feature = 0; feature < 8 * (HEADER_BYTES - FEATURES); feature++)
    if ((head[FEATURES + (feature >> 3)]! & (1 << (feature & 7))) !== 0) numbers.push(feature)
  const table = await read(offset(head, DATA) + offset(head, DATA + 8), numbers.length * 16)
  const parts = new Map<number, Part>()
  for (const [i, feature] of numbers.entries()) {
    if ((i + 1) * 16 > table.length) break
    parts.set(feature, { at: offset(table, i * 16), length: offset(table, i * 16 + 8) })
  }
  return parts
}

/** A place in a file: beyond 2^53 there is none. */
function offset(bytes: Buffer, at: number): number {
  return Number(bytes.readBigUInt64LE(at))
}

function releaseIn(bytes: Buffer): string | undefined {
  if (bytes.length < 4) return undefined
  const text = bytes.toString('latin1', 4, 4 + Math.min(bytes.readUInt32LE(0), bytes.length - 4))
  const end = text.indexOf('\0')
  const release = end < 0 ? text : text.slice(0, end)
  return release === '' ? undefined : release
}

function buildIdsIn(bytes: Buffer): Pick<PerfHeader, 'buildId' | 'files'> {
  const files = new Map<string, string>()
  let buildId: string | undefined
  for (let at = 0; at + NAME_AT <= bytes.length; ) {
    const misc = bytes.readUInt16LE(at + 4)
    const end = at + bytes.readUInt16LE(at + 6)
    if (end < at + NAME_AT || end > bytes.length) break
    const size = (misc & HAS_SIZE) === 0 ? ID_BYTES : Math.min(bytes[at + ID_AT + ID_BYTES]!, ID_BYTES)
    const id = bytes.toString('hex', at + ID_AT, at + ID_AT + size)
    const [name = ''] = bytes.toString('latin1', at + NAME_AT, end).split('\0', 1)
    if ((misc & MODE) === KERNEL_MODE) {
      if (/^\[kernel\.kallsyms\]|(?:^|\/)vmlinux[^/]*$/.test(name)) buildId ??= id
      else files.set(name, id)
    }
    at = end
  }
  return { buildId, files }
}
