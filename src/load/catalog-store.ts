// The files of a catalogue: a folder for each kernel build, in it an entry for vmlinux and for each build of a module, and a book made of
// them. Nothing in them is secret, so that one directory may serve many; who may write into it decides what they say.

import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readSync,
  type Stats,
  statSync,
} from 'node:fs'
import { mkdir, rm, unlink, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { BOOK_PREAMBLE_BYTES, type Book, bookHeaderLength, bookOf, decodeBook, encodeBook } from '../catalog/book.ts'
import { type BuildEntry, decodeEntry, encodeEntry, entryKey } from '../catalog/entry.ts'
import { BUILD_ID } from '../catalog/json.ts'
import { MOST_ENTRY_BYTES } from '../catalog/limits.ts'
import { setBounded } from '../core/bounded-map.ts'
import { contentOf } from '../core/content.ts'
import { BadFormatError, type KerndexError, LimitError, NotReadableError } from '../core/errors.ts'
import { sharedMemory } from '../core/shared-memory.ts'
import { checkAborted } from '../core/until.ts'
import { identityOf } from '../sources/identity.ts'
import { errorCode, readFailure } from '../sources/reader.ts'
import { createFile, sweep, writeFailure, writeFileSafely } from '../sources/write-file.ts'
import { Workspace } from '../symbols/workspace.ts'
import { carryOn } from './carry-on.ts'

const ENTRY_SUFFIX = '.entry'
const BOOK_NAME = 'book'
/** The most bytes that a book may have. */
const MOST_BOOK_BYTES = 2 ** 30

/** An entry's file. */
export interface StoredEntry {
  readonly kernel: string
  readonly key: string
  readonly path: string
  readonly bytes: number
  readonly used: Date
}

/** Books that this process has read, by path: whoever opens the same catalogue again shares them for as long as anybody has them. */
const booksRead = new Map<
  string,
  { readonly identity: string; readonly trusted: boolean; readonly book: WeakRef<Book> }
>()
/** Paths of books that are remembered. */
const MOST_READ = 64

/** The files in one directory. */
export class CatalogStore {
  readonly directory: string
  readonly #uid: number

  constructor(directory: string, uid: number) {
    this.directory = directory
    this.#uid = uid
  }

  /** The kernel builds there are. A directory that is not there is an empty catalogue. @throws NotReadableError */
  kernels(): string[] {
    const names = this.#names(this.directory)
    if (names.length > 0) this.#owner()
    return names.filter((name) => BUILD_ID.test(name)).sort()
  }

  /** The entries of a kernel build. @throws NotReadableError */
  entries(kernel: string): StoredEntry[] {
    const folder = join(this.directory, kernel)
    return this.keys(kernel).flatMap((key) => {
      const path = join(folder, key + ENTRY_SUFFIX)
      const found = this.#found(path)
      return found === undefined ? [] : [{ kernel, key, path, bytes: found.size, used: found.mtime }]
    })
  }

  /** Their keys. */
  keys(kernel: string): string[] {
    const names = this.#names(join(this.directory, kernel)).filter((name) => name.endsWith(ENTRY_SUFFIX))
    return names.map((name) => name.slice(0, -ENTRY_SUFFIX.length)).sort()
  }

  /** How many bytes a kernel's files have, and when it was last added to or used, in milliseconds. */
  size(kernel: string): { readonly bytes: number; readonly used: number } {
    const folder = join(this.directory, kernel)
    let bytes = 0
    for (const name of this.#names(folder)) bytes += this.#found(join(folder, name))?.size ?? 0
    return { bytes, used: this.#found(folder)?.mtimeMs ?? 0 }
  }

  /** Remembers that a kernel was used now: its folder's time is that of the last use, as it is of the last file that was written. */
  async touch(kernel: string): Promise<void> {
    const now = new Date()
    // Only the order of removal depends on it. A user who may only read the directory leaves it as it is.
    await utimes(join(this.directory, kernel), now, now).catch(() => {})
  }

  #names(folder: string): string[] {
    try {
      return readdirSync(folder)
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return []
      throw this.#failure(folder, error)
    }
  }

  /** What is at a path, if anything is. */
  #found(path: string): Stats | undefined {
    try {
      return lstatSync(path, { throwIfNoEntry: false })
    } catch (error) {
      throw this.#failure(path, error)
    }
  }

  #failure(path: string, error: unknown): KerndexError {
    if (errorCode(error) !== 'ENOTDIR') return readFailure(path, error)
    return new NotReadableError(
      `${this.directory} is no catalogue: that is a directory with a folder for each kernel`,
      {
        path,
      },
    )
  }

  /**
   * The owner of the catalogue: folders and files of others than that and root are not used.
   * @throws NotReadableError if others than its owner may write into it, or into the folder of a kernel
   */
  #owner(kernel?: string): number {
    let owner: number | undefined
    for (const path of kernel === undefined ? [this.directory] : [this.directory, join(this.directory, kernel)]) {
      let found: Stats
      try {
        found = statSync(path)
      } catch (error) {
        throw this.#failure(path, error)
      }
      owner ??= found.uid
      const why = distrustShared(found, owner)
      if (why !== undefined) throw new NotReadableError(`${path} is not used: ${why}`, { path })
    }
    return owner! // There is a directory at least.
  }

  /** Reads a kernel's file with `read`. @throws NotReadableError, and what `read` throws */
  #read<T>(
    kernel: string,
    path: string,
    most: number,
    read: (descriptor: number, found: Stats, trusted: boolean) => T,
  ): T {
    const owner = this.#owner(kernel)
    let descriptor: number
    try {
      descriptor = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    } catch (error) {
      throw readFailure(path, error)
    }
    try {
      const found = fstatSync(descriptor)
      const why = found.isFile() ? distrustShared(found, owner) : 'it is no regular file'
      if (why !== undefined) throw new NotReadableError(`${path} is not used: ${why}`, { path })
      if (found.size > most) throw new LimitError(`${path} has ${found.size} bytes; the limit is ${most}`, { path })
      return read(descriptor, found, owner === this.#uid || owner === 0)
    } finally {
      closeSync(descriptor)
    }
  }

  /** @throws NotReadableError, BadFormatError, UnsupportedError, LimitError */
  readEntry(kernel: string, key: string): BuildEntry {
    const path = join(this.directory, kernel, key + ENTRY_SUFFIX)
    const bytes = this.#read(kernel, path, MOST_ENTRY_BYTES, (descriptor, { size }) => {
      const room = Buffer.alloc(size)
      fill(descriptor, room, 0, path)
      return room
    })
    const entry = contentOf(path, () => decodeEntry(bytes))
    if (entry.kernel !== kernel || entryKey(entry) !== key) {
      throw new BadFormatError(`${path}: it is the entry of ${entryKey(entry)} of kernel ${entry.kernel}`, { path })
    }
    return entry
  }

  /**
   * Writes the files of a kernel's entries, and makes the folders for them. The disk is not waited for, file by file: what is damaged is
   * found out when it is read, and written anew by the next that adds it.
   * @throws NotWritableError if one cannot be written; AbortedError
   */
  async writeEntries(kernel: string, entries: Iterable<BuildEntry>, signal?: AbortSignal): Promise<void> {
    const folder = await this.#makeFolder(kernel)
    await sweep(folder)
    for (const entry of entries) {
      checkAborted(signal, 'the adding')
      const path = join(folder, entryKey(entry) + ENTRY_SUFFIX)
      const how = { secret: false, special: 'refuse', lasting: false, sweep: false } as const
      await writeFileSafely(path, encodeEntry(entry), how)
    }
  }

  /** @throws NotWritableError if it cannot be made */
  async #makeFolder(kernel: string): Promise<string> {
    const folder = join(this.directory, kernel)
    try {
      await mkdir(folder, { recursive: true, mode: 0o755 })
      this.#owner(kernel)
    } catch (error) {
      throw writeFailure(folder, error)
    }
    return folder
  }

  bookPath(kernel: string): string {
    return join(this.directory, kernel, BOOK_NAME)
  }

  /** Tells whether a kernel's book is still the same; undefined where there is none. */
  bookIdentity(kernel: string): string | undefined {
    const found = this.#found(this.bookPath(kernel))
    return found && identityOf(found)
  }

  /** Reads a kernel's book; undefined if there is none. @throws NotReadableError, BadFormatError, UnsupportedError, LimitError */
  readBook(kernel: string): Book | undefined {
    const path = this.bookPath(kernel)
    if (this.#found(path) === undefined) return undefined
    return this.#read(kernel, path, MOST_BOOK_BYTES, (descriptor, found, trusted) => {
      const identity = identityOf(found)
      const known = booksRead.get(path)
      const shared = known?.identity === identity && known.trusted === trusted ? known.book.deref() : undefined
      if (shared !== undefined) return shared
      const length = found.size
      const preamble = Buffer.alloc(Math.min(BOOK_PREAMBLE_BYTES, length))
      fill(descriptor, preamble, 0, path)
      const header = Math.min(length, preamble.length < BOOK_PREAMBLE_BYTES ? length : bookHeaderLength(preamble))
      const block = sharedMemory(header)
      fill(descriptor, new Uint8Array(block), 0, path)
      const table = sharedMemory(length - header, true)
      fill(descriptor, new Uint8Array(table), header, path)
      const book = decodeBook(block, table, trusted)
      if (book.kernel !== kernel) throw new BadFormatError(`${path}: it is the book of kernel ${book.kernel}`, { path })
      setBounded(booksRead, path, { identity, trusted, book: new WeakRef(book) }, MOST_READ)
      return book
    })
  }

  /** Makes a book of entries, here and now. @throws LimitError */
  async makeBook(kernel: string, entries: readonly BuildEntry[], signal?: AbortSignal): Promise<Book> {
    const workspace = Workspace.open()
    try {
      return await carryOn(bookOf(workspace, kernel, entries), workspace, signal)
    } finally {
      workspace.release()
    }
  }

  /** @throws NotWritableError if it cannot be written */
  async writeBook(book: Book): Promise<void> {
    const file = await createFile(this.bookPath(book.kernel), { secret: false, special: 'refuse' })
    try {
      for (const piece of encodeBook(book)) await file.write(piece)
      await file.finish()
    } catch (error) {
      await file.abandon()
      throw error
    }
  }

  /** Removes an entry, or a whole kernel with all of its modules; the book first, so that it never has more than there is. */
  async remove(kernel: string, key?: string): Promise<void> {
    const folder = join(this.directory, kernel)
    try {
      this.#owner()
      await unlink(this.bookPath(kernel)).catch((error: unknown) => {
        if (errorCode(error) !== 'ENOENT') throw error
      })
      if (key === undefined) await rm(folder, { recursive: true })
      else await unlink(join(folder, key + ENTRY_SUFFIX))
    } catch (error) {
      throw writeFailure(folder, error)
    }
  }
}

/**
 * Why a shared directory is not used: it belongs to another user, or others may write to it; undefined if it is. Root may have added to
 * the catalogue of somebody, as only root sees addresses.
 */
function distrustShared({ uid, mode }: Pick<Stats, 'uid' | 'mode'>, owner: number): string | undefined {
  if (uid !== owner && uid !== 0) return `it belongs to user ${uid}, the catalogue to user ${owner}`
  if ((mode & 0o022) !== 0) return `others may write to it (mode ${(mode & 0o777).toString(8)}): chmod go-w it`
  return undefined
}

/** Fills an array from a place in a file. @throws NotReadableError, BadFormatError if the file is shorter by now */
function fill(descriptor: number, into: Uint8Array, at: number, path: string): void {
  for (let filled = 0; filled < into.length; ) {
    let got: number
    try {
      got = readSync(descriptor, into, filled, into.length - filled, at + filled)
    } catch (error) {
      throw readFailure(path, error)
    }
    if (got === 0) throw new BadFormatError(`${path} is cut`, { path })
    filled += got
  }
}
