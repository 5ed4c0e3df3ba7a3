// A capture in a `.tar` or `.tar.gz` as a source: its files are unpacked into memory, within bounds, and never written to
// disk.

import { posix } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { promisify } from 'node:util'
import { createGunzip, gunzip } from 'node:zlib'
import { LimitError, NotReadableError } from '../core/errors.ts'
import { sharedMemory } from '../core/shared-memory.ts'
import { checkAborted } from '../core/until.ts'
import { type ByteReader, errorCode, readFailure } from './reader.ts'
import { type BtfFile, FACT_FILES, type Source, vmlinuxFirst } from './source.ts'
import { bytesOf } from './stream.ts'

const unpack = promisify(gunzip)

/** Names by which an archive is known. */
const ARCHIVE = /\.(?:tar|tgz|tar\.gz)$/

/**
 * The most bytes that an archive may unpack to: its files together, and those of them that are packed once more. Several
 * times what the largest kernels have.
 */
const MOST_BYTES = 2 ** 28
/** The most that a packed file in it may become; no file of types or symbols is as large. */
const MOST_FILE_BYTES = 2 ** 27
/** The most files: several times as many as the largest kernel has modules. */
const MOST_FILES = 50_000

/** Whether a path is that of an archive. */
export const isArchive = (path: string): boolean => ARCHIVE.test(path)

/**
 * The capture in an archive, at its top or in a directory of it. All is read now: later changes of the archive are not
 * seen.
 * @throws NotReadableError if it is damaged or holds no capture, or two; LimitError if it would take too much memory
 */
export async function archiveSource(path: string, signal?: AbortSignal): Promise<Source> {
  const budget = new Budget(path)
  const files = captureIn(path, await readArchive(path, budget, signal))
  if (files.size === 0) {
    throw new NotReadableError(`${path} is no capture: it has neither kallsyms nor btf/`, { path })
  }
  const unpacked = async (name: string): Promise<Buffer | undefined> => {
    const plain = files.get(name)
    if (plain !== undefined) return plain
    const packed = files.get(`${name}.gz`)
    if (packed === undefined) return undefined
    // gzip's last four bytes say how much it holds, more or less honestly: a bomb that does is not unpacked at all.
    if (packed.length > 4 && packed.readUInt32LE(packed.length - 4) > MOST_FILE_BYTES) throw budget.exceeded()
    try {
      const bytes = await unpack(packed, { maxOutputLength: Math.min(MOST_FILE_BYTES, budget.left) })
      if (budget.take(bytes.length)) return bytes
    } catch (error) {
      if (errorCode(error) === 'ERR_BUFFER_TOO_LARGE') throw budget.exceeded()
      throw new NotReadableError(`${path}: ${name}.gz cannot be unpacked: ${String(error)}`, { path }, { cause: error })
    }
    throw budget.exceeded()
  }
  const blobs = [...files.keys()].filter((name) => /^btf\/[^/]+$/.test(name))
  const modules = [...new Set(blobs.map((name) => name.slice('btf/'.length).replace(/\.gz$/, '')))]
  let known: Promise<readonly BtfFile[]> | undefined
  const listed = async (): Promise<readonly BtfFile[]> => {
    const list: BtfFile[] = []
    for (const module of modules) {
      const bytes = await unpacked(`btf/${module}`)
      if (bytes !== undefined) list.push({ module, path: `${path}:btf/${module}`, bytes: shared(bytes) })
    }
    return vmlinuxFirst(list)
  }
  return {
    kind: 'capture',
    description: path,
    openSymbols() {
      if (!files.has('kallsyms') && !files.has('kallsyms.gz')) {
        throw new NotReadableError(`${path} holds no symbols: it has neither kallsyms nor kallsyms.gz`, { path })
      }
      return readerOf(path, () => unpacked('kallsyms'))
    },
    async btfFiles() {
      if (modules.length === 0) return { what: 'btf', reason: 'not there' }
      known ??= listed()
      return known
    },
    factPaths: () => [],
    async fact(name) {
      return (await unpacked(name)) ?? { what: name, reason: 'not there' }
    },
  }
}

/** Every regular file of an archive, by its path in there. @throws NotReadableError if it is damaged; LimitError */
export function filesOfArchive(path: string, signal?: AbortSignal): Promise<Map<string, Buffer>> {
  return readArchive(path, new Budget(path), signal)
}

/** The bytes that an archive may still unpack to. */
class Budget {
  left = MOST_BYTES
  readonly #path: string

  constructor(path: string) {
    this.#path = path
  }

  /** Whether there were as many bytes left. */
  take(bytes: number): boolean {
    const enough = bytes <= this.left
    if (enough) this.left -= bytes
    return enough
  }

  exceeded(): LimitError {
    const megabytes = MOST_BYTES / 2 ** 20
    return new LimitError(
      `${this.#path} unpacks to more than ${megabytes} MiB or ${MOST_FILES} files, or a file in it to more than half of that`,
      { path: this.#path },
    )
  }
}

/** Hands out bytes that are got when the first of them are wanted. */
function readerOf(path: string, get: () => Promise<Buffer | undefined>): ByteReader {
  let bytes: Buffer | undefined
  let at = 0
  const copy = (from: Buffer, target: Uint8Array): number => {
    const count = from.copy(target, 0, at)
    at += count
    return count
  }
  return {
    sizeHint: 0,
    identity: path,
    read(target) {
      if (bytes !== undefined) return copy(bytes, target)
      return get().then((got) => {
        bytes = got ?? Buffer.alloc(0)
        return copy(bytes, target)
      })
    },
    close() {},
  }
}

function shared(bytes: Buffer): Uint8Array<SharedArrayBuffer> {
  const copy = new Uint8Array(sharedMemory(bytes.length))
  copy.set(bytes)
  return copy
}

/** Every regular file of an archive; links and devices are left out. */
async function readArchive(
  path: string,
  budget: Budget,
  signal: AbortSignal | undefined,
): Promise<Map<string, Buffer>> {
  // Only archives need it.
  const { extract } = await import('tar-stream')
  const files = new Map<string, Buffer>()
  const entries = extract()
  entries.on('entry', (header, stream, next) => {
    const { name, type, size = 0 } = header
    // An archive that ends early ends its entry as well; the pipeline reports it.
    stream.on('error', () => {})
    const clean = cleanPath(name)
    // POSIX lets a directory have a size, of what it may hold; no bytes follow.
    if (type === 'directory') header.size = 0
    if (type !== 'file' || clean === undefined) {
      stream.on('end', next)
      stream.resume()
      return
    }
    if (files.size >= MOST_FILES || size > MOST_FILE_BYTES || !budget.take(size)) {
      next(budget.exceeded())
      return
    }
    const pieces: Buffer[] = []
    stream.on('data', (piece) => {
      if (Buffer.isBuffer(piece)) pieces.push(piece)
    })
    stream.on('end', () => {
      files.set(clean, Buffer.concat(pieces))
      next()
    })
  })
  // Bytes of an archive beside its files, such as endless padding, are bounded as well.
  let seen = 0
  const bounded = async function* (source: AsyncIterable<Uint8Array>) {
    for await (const piece of source) {
      seen += piece.length
      if (seen > 2 * MOST_BYTES) throw budget.exceeded()
      yield piece
    }
  }
  try {
    const file = bytesOf(path, signal)
    if (path.endsWith('.tar')) await pipeline(file, bounded, entries)
    else await pipeline(file, createGunzip(), bounded, entries)
  } catch (error) {
    if (error instanceof LimitError) throw error
    checkAborted(signal, `the reading of ${path}`)
    if (errorCode(error)?.startsWith('E') === true) throw readFailure(path, error)
    throw new NotReadableError(`${path} cannot be unpacked: ${String(error)}`, { path }, { cause: error })
  }
  return files
}

/** A path without leading dots; undefined for one that leads out of the archive. */
function cleanPath(name: string): string | undefined {
  const clean = posix.normalize(name)
  return clean.startsWith('/') || clean.split('/').includes('..') ? undefined : clean
}

const KNOWN: ReadonlySet<string> = new Set(['kallsyms', ...FACT_FILES])

/**
 * The files of an archive's one capture, by their names in it: what has symbols, or where nothing has, types. What lies inside of it is its own.
 * @throws NotReadableError if there are two: which of them is meant is not told
 */
function captureIn(path: string, files: ReadonlyMap<string, Buffer>): Map<string, Buffer> {
  const folders = (pattern: RegExp) => [...files.keys()].flatMap((name) => pattern.exec(name)?.[1] ?? []).sort()
  const withSymbols = folders(/^((?:.*\/)?)kallsyms(?:\.gz)?$/)
  const found = withSymbols.length > 0 ? withSymbols : folders(/^((?:.*\/)?)btf\/vmlinux(?:\.gz)?$/)
  // Sorted, a folder stands before all that are in it.
  const [root] = found
  const other = found.find((folder) => root !== undefined && !folder.startsWith(root))
  if (other !== undefined) {
    const both = `${root} and ${other}`
    throw new NotReadableError(
      `${path} holds more than one capture: in ${both}; unpack it, and name the directory of the one that is meant`,
      { path },
    )
  }
  const capture = new Map<string, Buffer>()
  for (const [name, bytes] of files) {
    if (root === undefined || !name.startsWith(root)) continue
    const own = name.slice(root.length)
    if (own.startsWith('btf/') || KNOWN.has(own.replace(/\.gz$/, ''))) capture.set(own, bytes)
  }
  return capture
}
