// The header of perf.data: which kernel and which modules a recording is of (tools/perf/Documentation/perf.data-file-format.txt). The
// recording itself is for `perf script` to read.

import { closeSync, openSync, readSync, statSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
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
/** Where a header tells its length, and that of what perf writes into a pipe, where nothing else is known beforehand. */
const [HEADER_SIZE, PIPE_HEADER_BYTES] = [8, 16]
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
 * Reads what a recording says of its kernel: in its header, or where perf wrote into a pipe, in its first events. What is damaged in it is
 * undefined. Newer perf has build ids in mappings alone.
 * @throws NotReadableError
 */
export function readPerfHeader(path: string): Promise<PerfHeader> {
  return inRecording(path, async (file) => {
    const { at, isPiped, parts } = await begin(file)
    const part = (feature: number) => {
      const { at = 0, length = 0 } = parts.get(feature) ?? {}
      return readPart(file, at, length)
    }
    const { release, ids } = isPiped
      ? await toldByEvents(file, at)
      : { release: releaseIn(await part(RELEASE)), ids: await part(BUILD_ID) }
    const { buildId, files } = buildIdsIn(ids)
    if (buildId !== undefined) return { release, buildId, files }
    const mappings = await mappingsOf(file)
    for (const mapping of mappings) if (mapping.buildId !== undefined) files.set(mapping.file, mapping.buildId)
    const image = mappings.find((mapping) => isKernel(mapping.file) && mapping.buildId !== undefined)
    return { release, buildId: image?.buildId, files }
  })
}

async function inRecording<T>(path: string, read: (file: FileHandle) => Promise<T>): Promise<T> {
  try {
    const file = await open(path, 'r')
    try {
      return await read(file)
    } finally {
      await file.close()
    }
  } catch (error) {
    throw readFailure(path, error)
  }
}

async function readPart(file: FileHandle, at: number, length: number): Promise<Buffer> {
  if (!Number.isSafeInteger(at) || length > LONGEST_PART) return Buffer.alloc(0)
  const bytes = Buffer.alloc(length)
  return bytes.subarray(0, (await file.read(bytes, 0, length, at)).bytesRead)
}

/** Where a recording's events are. */
interface Beginning {
  readonly at: number
  readonly end: number
  readonly isPiped: boolean
  readonly parts: ReadonlyMap<number, Part>
}

/** Of a file that is cut there are no events. */
async function begin(file: FileHandle): Promise<Beginning> {
  const head = await readPart(file, 0, HEADER_BYTES)
  const isPiped = head.length >= PIPE_HEADER_BYTES && offset(head, HEADER_SIZE) === PIPE_HEADER_BYTES
  const parts = new Map<number, Part>()
  if (isPiped) return { at: PIPE_HEADER_BYTES, end: (await file.stat()).size, isPiped, parts }
  if (head.length < HEADER_BYTES) return { at: 0, end: 0, isPiped, parts }
  const at = offset(head, DATA)
  const end = at + offset(head, DATA + 8)
  return { at, end, isPiped, parts: await partsOf(head, (from, length) => readPart(file, from, length)) }
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
/** Bytes of events that are looked at. */
const MOST_EVENT_BYTES = 1 << 26
/** More than modules of any kernel, and the longest path (PATH_MAX). */
const MOST_MAPPINGS = 20_000
const LONGEST_NAME = 4096

/** The kernel's image and modules, as perf found them when it began to record. What is damaged ends the list. @throws NotReadableError */
export function readPerfMappings(path: string): Promise<PerfMapping[]> {
  return inRecording(path, mappingsOf)
}

async function mappingsOf(file: FileHandle): Promise<PerfMapping[]> {
  const { at, end } = await begin(file)
  const mappings: PerfMapping[] = []
  await eachEvent(file, at, end, (type, event) => {
    const mapping = mappingIn(type, event)
    if (mapping !== undefined) mappings.push(mapping)
    return mappings.length < MOST_MAPPINGS
  })
  return mappings
}

/** An event's type, flags and length. */
const EVENT_HEAD = 8
/** PERF_RECORD_HEADER_TRACING_DATA, …_BUILD_ID, …_AUXTRACE and …_FEATURE of tools/lib/perf/include/perf/event.h. */
const [TRACING_DATA, BUILD_ID_EVENT, AUXTRACE, FEATURE_EVENT] = [66, 67, 71, 80]
const FEATURE_AT = 16

/** What a recording that perf wrote into a pipe has instead of a header. */
async function toldByEvents(file: FileHandle, at: number) {
  const ids: Buffer[] = []
  let bytes = 0
  let release: string | undefined
  await eachEvent(file, at, at + MOST_EVENT_BYTES, (type, event) => {
    if (type === BUILD_ID_EVENT) bytes += ids.push(Buffer.from(event)) && event.length
    if (type === FEATURE_EVENT && event.length > FEATURE_AT && offset(event, EVENT_HEAD) === RELEASE)
      release = releaseIn(event.subarray(FEATURE_AT))
    return bytes < LONGEST_PART
  })
  return { release, ids: Buffer.concat(ids) }
}

/** Hands out events for as long as `use` wants more: the first ones, as what tells of the kernel stands before the samples. */
async function eachEvent(
  file: FileHandle,
  from: number,
  to: number,
  use: (type: number, event: Buffer) => boolean,
): Promise<void> {
  const piece = Buffer.alloc(PIECE_BYTES)
  const end = Math.min(to, from + MOST_EVENT_BYTES)
  for (let next = from; next + EVENT_HEAD <= end && Number.isSafeInteger(end); ) {
    const { bytesRead } = await file.read(piece, 0, Math.min(piece.length, end - next), next)
    let at = 0
    while (at + EVENT_HEAD <= bytesRead) {
      const length = piece.readUInt16LE(at + 6)
      if (length < EVENT_HEAD || at + length > bytesRead) break
      const type = piece.readUInt32LE(at)
      const event = piece.subarray(at, at + length)
      if (!use(type, event)) return
      at += length + behind(type, event)
    }
    if (at === 0) return
    next += at
  }
}

/** Bytes that follow an event without being part of its length. */
function behind(type: number, event: Buffer): number {
  if (type === TRACING_DATA && event.length >= 12) return Math.ceil(event.readUInt32LE(EVENT_HEAD) / 8) * 8
  return type === AUXTRACE && event.length >= 16 ? offset(event, EVENT_HEAD) : 0
}

/** The mapping that an event tells, if it is one of the kernel's. */
function mappingIn(type: number, event: Buffer): PerfMapping | undefined {
  if (type !== MMAP && type !== MMAP2) return undefined
  const misc = event.readUInt16LE(4)
  const nameAt = type === MMAP ? MMAP_NAME_AT : MMAP2_NAME_AT
  const isNamed = event.length > nameAt && event.length <= nameAt + LONGEST_NAME
  if ((misc & MODE) !== KERNEL_MODE || !isNamed) return undefined
  const [file = ''] = event.toString('latin1', nameAt).split('\0', 1)
  const size = Math.min(event[MMAP2_ID_AT]!, ID_BYTES)
  const id = MMAP2_ID_AT + 4
  return {
    file,
    start: event.readBigUInt64LE(START_AT),
    bytes: offset(event, LENGTH_AT),
    offset: event.readBigUInt64LE(OFFSET_AT),
    buildId: type === MMAP2 && (misc & HAS_BUILD_ID) !== 0 ? event.toString('hex', id, id + size) : undefined,
  }
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

/** Whether a file that perf names is the kernel's image. */
function isKernel(name: string): boolean {
  return /^\[kernel\.kallsyms\]|(?:^|\/)vmlinux[^/]*$/.test(name)
}

function buildIdsIn(bytes: Buffer): { buildId: string | undefined; files: Map<string, string> } {
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
      if (isKernel(name)) buildId ??= id
      else files.set(name, id)
    }
    at = end
  }
  return { buildId, files }
}
