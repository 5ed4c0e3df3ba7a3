// A file that holds types: raw BTF or ELF (vmlinux, a module, a BPF object), plain or packed with gzip, xz or zstd. It may
// be a pipe. What is neither is refused after its first bytes, however long it goes on.
import { type FileHandle, open, stat } from 'node:fs/promises'
import { extractBtf, type FileBtf } from '../btf/read/blob-file.ts'
import { isBtf } from '../btf/read/header.ts'
import { isElf } from '../core/elf.ts'
import { BadFormatError, KerndexError, LimitError } from '../core/errors.ts'
import { FileParts } from './parts.ts'
import { readFailure } from './reader.ts'
import { PACKING_BYTES, packingOf, unpack } from './unpack.ts'

/** Most bytes of an ELF file that is read as a whole: no vmlinux is larger, with all that debuggers know of it. */
const MOST_ELF_BYTES = 2 ** 31
/** Most bytes of raw BTF; vmlinux has about 6 MB. */
const MOST_BTF_BYTES = 2 ** 27
/** Most bytes of raw BTF that are read without waiting: the kernel gives a page at a time, and each wait costs more than its page. */
const MOST_AT_ONCE = 2 ** 24
/** Bytes that tell raw BTF from ELF. */
const MAGIC_BYTES = 4
const READ_BYTES = 256 * 1024

/** The file is something else: kallsyms text, for example. */
class OtherFileError extends BadFormatError {}

/**
 * The bytes of a file of types, unpacked.
 * @throws BadFormatError if it holds neither BTF nor ELF, or is damaged; LimitError if it is larger than any kernel's;
 * NotReadableError, NoPermissionError; UnsupportedError for a way of packing that is not read.
 */
export function readWhole(path: string): Promise<Uint8Array> {
  return withFile(path, (handle) => collect(path, handle))
}

/** The types in a file. @throws as `readWhole` and `extractBtf`. */
export function readBtfFile(path: string): Promise<FileBtf> {
  return withFile(path, async (handle) => {
    const found = await handle.stat()
    if (found.isFile()) {
      const { buffer } = await handle.read({ buffer: Buffer.alloc(MAGIC_BYTES), position: 0 })
      if (isElf(buffer) || (isBtf(buffer) && found.size <= MOST_AT_ONCE)) return readParts(path)
    }
    return extractBtf(await collect(path, handle))
  })
}

/** The types in a file; `undefined` for a directory, and for a file of something else. @throws as `readBtfFile`. */
export async function findBtfFile(path: string): Promise<FileBtf | undefined> {
  try {
    if ((await stat(path)).isDirectory()) return undefined
  } catch (error) {
    throw readFailure(path, error)
  }
  try {
    return await readBtfFile(path)
  } catch (error) {
    if (error instanceof OtherFileError) return undefined
    throw error
  }
}

/** Opens a file for as long as something is done with it. */
async function withFile<T>(path: string, run: (handle: FileHandle) => Promise<T>): Promise<T> {
  let handle: FileHandle | undefined
  try {
    handle = await open(path)
    return await run(handle)
  } catch (error) {
    throw error instanceof KerndexError ? error : readFailure(path, error)
  } finally {
    await handle?.close()
  }
}

/** Reads of a vmlinux, most of which is code and what debuggers know, no more than the sections with types; raw BTF whole. */
function readParts(path: string): FileBtf {
  const parts = new FileParts(path)
  try {
    return extractBtf(parts.bytes, (offset, length) => parts.fill(offset, length))
  } finally {
    parts.close()
  }
}

/** All bytes of a file, unpacked. Reads no further once they turn out to be something else, or too many. */
async function collect(path: string, handle: FileHandle): Promise<Uint8Array> {
  const collected: Uint8Array[] = []
  let length = 0
  let most = MAGIC_BYTES
  const keep = (piece: Uint8Array): void => {
    collected.push(piece)
    if (length < MAGIC_BYTES) {
      const start = Buffer.concat(collected)
      if (start.length >= MAGIC_BYTES) most = mostBytes(path, start)
    }
    length += piece.length
    if (length > most) throw new LimitError(`${path} has more than ${most} bytes of types`, { path })
  }
  const pieces = read(handle)
  const first = (await pieces.next()).value ?? Buffer.alloc(0)
  const all = (async function* () {
    yield first
    yield* pieces
  })()
  const packing = packingOf(first)
  if (packing) await unpack(path, packing, all, keep, MOST_ELF_BYTES)
  else for await (const piece of all) keep(piece)
  const bytes = Buffer.concat(collected)
  mostBytes(path, bytes)
  return bytes
}

/** How long a file may be that begins with these bytes. @throws OtherFileError if it is neither BTF nor ELF. */
function mostBytes(path: string, start: Uint8Array): number {
  if (isElf(start)) return MOST_ELF_BYTES
  if (isBtf(start)) return MOST_BTF_BYTES
  throw new OtherFileError(`${path} holds neither BTF nor an ELF file`, { path })
}

/** A file's bytes from where it stands, in pieces; the first is long enough to tell how it is packed. */
async function* read(handle: FileHandle): AsyncGenerator<Buffer, undefined> {
  for (let least = PACKING_BYTES; ; least = READ_BYTES) {
    const buffer = Buffer.allocUnsafe(READ_BYTES)
    let length = 0
    let got = 1
    for (; got > 0 && length < least; length += got) {
      got = (await handle.read({ buffer, offset: length, position: null })).bytesRead
    }
    yield buffer.subarray(0, length)
    if (got === 0) return undefined
  }
}
