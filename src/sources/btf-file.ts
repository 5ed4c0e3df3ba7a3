// A file that holds types: raw BTF or ELF (vmlinux, a module, a BPF object), plain or packed with gzip, xz or zstd. It may
// be a pipe. What is neither is refused after its first bytes, however long it goes on.
import type { Stats } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { extractBtf, type FileBtf } from '../btf/read/blob-file.ts'
import { isBtf } from '../btf/read/header.ts'
import { isElf } from '../core/elf.ts'
import { BadFormatError, KerndexError, LimitError } from '../core/errors.ts'
import { checkAborted } from '../core/until.ts'
import { FileParts } from './parts.ts'
import { readFailure } from './reader.ts'
import { bytesOf } from './stream.ts'
import { PACKING_BYTES, packingOf, unpack } from './unpack.ts'

/** Most bytes of an ELF file that is read as a whole: no vmlinux is larger, with all that debuggers know of it. */
const MOST_ELF_BYTES = 2 ** 31
/** Most bytes of raw BTF; vmlinux has about 6 MB. */
const MOST_BTF_BYTES = 2 ** 27
/** Most bytes of raw BTF that are read without waiting: the kernel gives a page at a time, and each wait costs more than its page. */
const MOST_AT_ONCE = 2 ** 24
/** Bytes that tell raw BTF from ELF. */
const MAGIC_BYTES = 4

/** The file is something else: kallsyms text, for example. */
class OtherFileError extends BadFormatError {}

/**
 * The bytes of a file of types, unpacked.
 * @throws BadFormatError if it holds neither BTF nor ELF, or is damaged; LimitError if it is larger than any kernel's;
 * NotReadableError, NoPermissionError; UnsupportedError for a way of packing that is not read; AbortedError.
 */
export function readWhole(path: string, signal?: AbortSignal): Promise<Uint8Array> {
  return withStat(path, signal, () => collect(path, signal))
}

/** The types in a file. @throws as `readWhole` and `extractBtf`. */
export function readBtfFile(path: string, signal?: AbortSignal): Promise<FileBtf> {
  return withStat(path, signal, async (found) => {
    if (found.isFile()) {
      const magic = await magicOf(path)
      if (isElf(magic) || (isBtf(magic) && found.size <= MOST_AT_ONCE)) return readParts(path)
    }
    return extractBtf(await collect(path, signal))
  })
}

/** The types in a file; `undefined` for a directory, and for a file of something else. @throws as `readBtfFile`. */
export async function findBtfFile(path: string, signal?: AbortSignal): Promise<FileBtf | undefined> {
  try {
    if ((await stat(path)).isDirectory()) return undefined
  } catch (error) {
    throw readFailure(path, error)
  }
  try {
    return await readBtfFile(path, signal)
  } catch (error) {
    if (error instanceof OtherFileError) return undefined
    throw error
  }
}

/** Does something with a file; what the system says of it becomes a typed error. */
async function withStat<T>(
  path: string,
  signal: AbortSignal | undefined,
  run: (found: Stats) => Promise<T>,
): Promise<T> {
  try {
    return await run(await stat(path))
  } catch (error) {
    checkAborted(signal, `the reading of ${path}`)
    throw error instanceof KerndexError ? error : readFailure(path, error)
  }
}

/** The first bytes of a regular file. */
async function magicOf(path: string): Promise<Buffer> {
  const handle = await open(path)
  try {
    return (await handle.read({ buffer: Buffer.alloc(MAGIC_BYTES), position: 0 })).buffer
  } finally {
    await handle.close()
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
async function collect(path: string, signal: AbortSignal | undefined): Promise<Uint8Array> {
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
  const pieces = bytesOf(path, signal)[Symbol.asyncIterator]()
  try {
    // A pipe may give its first bytes one by one.
    let first: Uint8Array = new Uint8Array(0)
    let next = await pieces.next()
    for (; next.done !== true && first.length < PACKING_BYTES; next = await pieces.next()) {
      first = Buffer.concat([first, next.value])
    }
    const all = (async function* () {
      yield first
      for (; next.done !== true; next = await pieces.next()) yield next.value
    })()
    const packing = packingOf(first)
    if (packing) await unpack(path, packing, all, keep, MOST_ELF_BYTES)
    else for await (const piece of all) keep(piece)
  } finally {
    await pieces.return?.()
  }
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
