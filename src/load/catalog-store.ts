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
import { BadFormatError, LimitError, NotReadableError } from '../core/errors.ts'
import { sharedMemory } from '../core/shared-memory.ts'
import { identityOf } from '../sources/identity.ts'
import { errorCode, readFailure } from '../sources/reader.ts'
import { createFile, writeFailure, writeFileSafely } from '../sources/write-file.ts'
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
      const found = lstatSync(path, { throwIfNoEntry: false })
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
    for (const name of this.#names(folder)) bytes += lstatSync(join(folder, name), { throwIfNoEntry: false })?.size ?? 0
    return { bytes, used: lstatSync(folder, { throwIfNoEntry: false })?.mtimeMs ?? 0 }
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
      throw readFailure(folder, error)
    }
  }

  /**
   * The owner of the catalogue: files of other users are not used.
   * @throws NotReadableError if others than its owner may write into it
   */
  #owner(): number {
    const found = statSync(this.directory)
    const why = distrustShared(found, found.uid)
    if (why !== undefined) throw new NotReadableError(`${this.directory} is not used: ${why}`, { path: this.directory })
    return found.uid
  }

  /** Reads a file of the catalogue with `read`. @throws NotReadableError, and what `read` throws */
  #read<T>(path: string, most: number, read: (descriptor: number, found: Stats, trusted: boolean) => T): T {
    const owner = this.#owner()
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
    const bytes = this.#read(path, MOST_ENTRY_BYTES, (descriptor, { size }) => {
      const room = Buffer.alloc(size)
      fill(descriptor, room, 0, path)
      return room
    })
    const entry = decodeEntry(bytes)
    if (entry.kernel !== kernel || entryKey(entry) !== key) {
      throw new BadFormatError(`${path}: it is the entry of ${entryKey(entry)} of kernel ${entry.kernel}`, { path })
    }
    return entry
  }

  /**
   * Writes an entry's file, and makes the folders for it. The disk is not waited for, file by file: what is damaged is found out when it
   * is read, and written anew by the next that adds it.
   * @throws NotWritableError if it cannot be written */
  async writeEntry(entry: BuildEntry, bytes = encodeEntry(entry)): Promise<void> {
    const folder = await this.makeFolder(entry.kernel)
    const path = join(folder, entryKey(entry) + ENTRY_SUFFIX)
    await writeFileSafely(path, bytes, { secret: false, special: 'refuse', lasting: false })
  }

  /** @throws NotReadableError if it cannot be made */
  async makeFolder(kernel: string): Promise<string> {
    const folder = join(this.directory, kernel)
    try {
      await mkdir(folder, { recursive: true, mode: 0o755 })
      this.#owner()
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
    const found = lstatSync(this.bookPath(kernel), { throwIfNoEntry: false })
    return found && identityOf(found)
  }

  /** Reads a kernel's book; undefined if there is none. @throws NotReadableError, BadFormatError, UnsupportedError, LimitError */
  readBook(kernel: string): Book | undefined {
    const path = this.bookPath(kernel)
    if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return undefined
    return this.#read(path, MOST_BOOK_BYTES, (descriptor, found, trusted) => {
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

/** Why a shared directory is not used: it belongs to another user, or others may write to it; undefined if it is. */
function distrustShared({ uid, mode }: Pick<Stats, 'uid' | 'mode'>, owner: number): string | undefined {
  if (uid !== owner) return `it belongs to user ${uid}, the catalogue to user ${owner}`
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
