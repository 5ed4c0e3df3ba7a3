// Work on a catalogue's files: captures are split into them, books are made of them and remembered, layouts placed.

import { join } from 'node:path'
import type { Book } from '../catalog/book.ts'
import { BuildSymbols } from '../catalog/build-symbols.ts'
import { type BuildEntry, type BuildIdentity, disagreement, entryKey, gathered } from '../catalog/entry.ts'
import type { HostLayout } from '../catalog/layout.ts'
import { splitHost } from '../catalog/split.ts'
import { setBounded } from '../core/bounded-map.ts'
import { cacheFolder } from '../core/cache-folder.ts'
import { BadFormatError, KerndexError, NotFoundError, NotReadableError } from '../core/errors.ts'
import type { CacheUser } from '../snapshot/cache.ts'
import type { Handle } from '../snapshot/snapshot.ts'
import { CatalogStore, type StoredEntry } from './catalog-store.ts'
import { type CatalogEntry, readEntries, writeEntries } from './catalog-travel.ts'
import { anySource, readHost, readText } from './host-reading.ts'
import { placeLayout } from './place-layout.ts'

/** The entries that a capture gave. */
export interface CatalogAdded {
  /** The kernel's build id. */
  readonly buildId: string
  readonly release: string | undefined
  /** Entries that are new, or now know where sections lie. */
  readonly added: readonly BuildIdentity[]
  /** How many the catalogue had already. */
  readonly known: number
  /** Modules of which no entry was made, and why. */
  readonly skipped: readonly { readonly module: string; readonly reason: string }[]
}

/** Which of several entries were new. */
export type Merged = Pick<CatalogAdded, 'added' | 'known'>

/** The directory of a user's catalogue: beside the cache, which is secret. @throws NotReadableError if there is none */
export async function catalogDirectory(user: CacheUser): Promise<string> {
  const found = cacheFolder(user)
  if ('directory' in found) return join(found.directory, '..', 'kerndex-catalog')
  throw new NotReadableError(`no catalogue of this user: ${found.reason}; name its directory (--catalog)`)
}

/** The most bytes that a catalogue may have, unless told. */
const DEFAULT_MAX_BYTES = 2 ** 30

/** How often a book is made anew because others add to the same kernel. What is in no book is read from its entry. */
const ATTEMPTS = 4

/** Kernels whose books are held, whether or not a host needs them. */
const MOST_KERNELS = 16

/** A book, and the file that it came from. */
interface KnownBooks {
  readonly identity: string | undefined
  readonly books: Promise<readonly Book[]>
}

/** One directory of entries. */
export class CatalogFiles {
  readonly store: CatalogStore
  readonly #maxBytes: number
  /** By kernel: the books that hosts of one build share. */
  readonly #books = new Map<string, KnownBooks>()

  constructor(directory: string, user: CacheUser, maxBytes = DEFAULT_MAX_BYTES) {
    this.#maxBytes = maxBytes
    this.store = new CatalogStore(directory, user.uid)
  }

  /**
   * Splits a host's symbols into entries and writes those that are new.
   * @throws BadFormatError if an entry of the same build says something else, naming the symbol: nothing is written then
   */
  async add(from: string | undefined, signal?: AbortSignal): Promise<CatalogAdded> {
    const source = await anySource(from, signal)
    const { told } = await readHost(source)
    const { vmlinux, modules, skipped } = splitHost(await readText(source, signal), told)
    const { added, known } = await this.#merge([vmlinux, ...modules], source.description, signal)
    await this.prune(this.#maxBytes, told.kernel)
    return { buildId: told.kernel, release: told.release, added, known, skipped }
  }

  /** Writes those of one kernel's entries that are new, once none of them contradicts what is there. */
  async #merge(all: readonly BuildEntry[], from: string, signal?: AbortSignal): Promise<Merged> {
    const kernel = all[0]!.kernel
    const there = new Set(this.store.keys(kernel))
    const added: BuildEntry[] = []
    for (const entry of all) {
      const key = entryKey(entry)
      const before = there.has(key) ? this.#soundEntry(kernel, key) : undefined
      const why = before && disagreement(before, entry)
      if (why !== undefined) {
        throw new BadFormatError(
          `${from} disagrees with the catalogue about ${entry.name}, build id ${entry.buildId ?? 'unknown'}: ` +
            `${why}. One of the two captures is damaged, or two builds share one identity; nothing was added`,
        )
      }
      if (before === undefined || knowsMore(entry, before)) added.push(entry)
    }
    if (added.length > 0 || this.#soundBook(kernel) === undefined) await this.#write(kernel, added, signal)
    const identity = ({ kind, name, buildId, srcversion }: BuildEntry) => ({ kind, name, buildId, srcversion, kernel })
    return { added: added.map(identity), known: all.length - added.length }
  }

  /** Writes entries, and the book that has them and those that are there. */
  async #write(kernel: string, added: readonly BuildEntry[], signal?: AbortSignal): Promise<void> {
    const own = new Set(added.map(entryKey))
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const others = this.store.keys(kernel).filter((key) => !own.has(key))
      // Before anything is written: what no book can hold is not added.
      const entries = gathered(chain(added, this.#soundEntries(kernel, others)))
      const book = await this.store.makeBook(kernel, entries, signal)
      if (attempt === 0) await this.store.writeEntries(kernel, added, signal)
      await this.store.writeBook(book)
      // Who adds others meanwhile may have written a book without these, or this one is without those.
      const there = new Set([...own, ...others])
      if (this.store.keys(kernel).every((key) => there.has(key))) return
    }
  }

  /**
   * Writes an archive with the entries of these builds, or of all: of a kernel with all its modules.
   * @throws NotFoundError if the catalogue lacks one of them; UsageError if there is such a file and `replace` is not set
   */
  async exportTo(
    path: string,
    buildIds: readonly string[] | undefined,
    replace: boolean,
    signal?: AbortSignal,
  ): Promise<CatalogEntry[]> {
    const all = this.list()
    for (const id of buildIds ?? []) if (!all.some((entry) => isMeant(entry, id))) throw this.#unknown(id)
    const chosen = buildIds === undefined ? all : all.filter((entry) => buildIds.some((id) => isMeant(entry, id)))
    if (chosen.length === 0) throw new NotFoundError(`the catalogue ${this.store.directory} has no entries to export`)
    await writeEntries(path, chosen, { replace, signal })
    return chosen
  }

  /** Adds the entries of an archive, or of another catalogue's directory. @throws as `add` */
  async importFrom(path: string, signal?: AbortSignal): Promise<Merged> {
    const added: BuildIdentity[] = []
    let known = 0
    for await (const entries of readEntries(path, signal)) {
      const merged = await this.#merge(entries, path, signal)
      for (const one of merged.added) added.push(one)
      known += merged.known
    }
    return { added, known }
  }

  /** Removes a kernel with all of its modules, or one module. @throws NotFoundError if there is no such build */
  async remove(buildId: string): Promise<CatalogEntry[]> {
    const found = this.list().filter((entry) => isMeant(entry, buildId))
    if (found.length === 0) throw this.#unknown(buildId)
    const isKernel = this.store.kernels().includes(buildId)
    if (isKernel) await this.store.remove(buildId)
    else for (const entry of found) await this.store.remove(entry.kernel, entryKey(entry))
    return found
  }

  /** Removes the kernels that were used longest ago until the rest fits into so many bytes; `kept` stays. Returns those removed. */
  async prune(maxBytes: number, kept?: string): Promise<string[]> {
    const kernels = this.store.kernels().map((kernel) => ({ kernel, ...this.store.size(kernel) }))
    kernels.sort((a, b) => b.used - a.used)
    const removed: string[] = []
    let left = maxBytes
    for (const { kernel, bytes } of kernels) {
      left -= bytes
      if (left >= 0 || kernel === kept) continue
      await this.store.remove(kernel)
      removed.push(kernel)
    }
    return removed
  }

  #unknown(buildId: string): NotFoundError {
    return new NotFoundError(`the catalogue ${this.store.directory} has no build ${buildId}`)
  }

  /** The book; undefined where there is none, or one that is damaged or of another version: it is made of the entries, which are still there. */
  #soundBook(kernel: string): Book | undefined {
    try {
      return this.store.readBook(kernel)
    } catch (error) {
      if (!(error instanceof KerndexError) || error instanceof NotReadableError) throw error
      return undefined
    }
  }

  /** An entry; undefined where its file is damaged, as after the power was lost. */
  #soundEntry(kernel: string, key: string): BuildEntry | undefined {
    try {
      return this.store.readEntry(kernel, key)
    } catch (error) {
      if (error instanceof BadFormatError) return undefined
      throw error
    }
  }

  *#soundEntries(kernel: string, keys: readonly string[]): Generator<BuildEntry> {
    for (const key of keys) {
      const entry = this.#soundEntry(kernel, key)
      if (entry !== undefined) yield entry
    }
  }

  /** Every entry, by kernel, vmlinux first. @throws NotReadableError */
  list(): CatalogEntry[] {
    return this.store.kernels().flatMap((kernel) => this.store.entries(kernel).map(describe).sort(byKind))
  }

  /** The books of a kernel build: the one that is kept, and one of entries that are not in it. @throws NotFoundError if there are none */
  async books(kernel: string, signal?: AbortSignal): Promise<readonly Book[]> {
    const identity = this.store.bookIdentity(kernel)
    const known = this.#books.get(kernel)
    if (known !== undefined && known.identity === identity) return known.books
    const books = this.#readBooks(kernel, signal)
    setBounded(this.#books, kernel, { identity, books }, MOST_KERNELS)
    books.catch(() => this.#books.delete(kernel))
    return books
  }

  async #readBooks(kernel: string, signal: AbortSignal | undefined): Promise<readonly Book[]> {
    const keys = this.store.keys(kernel)
    if (keys.length === 0) {
      throw new NotFoundError(
        `the catalogue ${this.store.directory} has no kernel with the build id ${kernel}: add a capture of it (kerndex catalog add), or name another catalogue (--catalog)`,
      )
    }
    await this.store.touch(kernel)
    const book = this.#soundBook(kernel)
    const others = keys.filter((key) => book?.entries.has(key) !== true)
    if (others.length === 0) return book === undefined ? [] : [book]
    const entries = gathered(this.#soundEntries(kernel, others))
    if (entries.length === 0) return book === undefined ? [] : [book]
    const more = await this.store.makeBook(kernel, entries, signal)
    return book === undefined ? [more] : [book, more]
  }

  /** The symbols of one build, of a kernel or a module; undefined where the catalogue does not have it. */
  async build(buildId: string, signal?: AbortSignal): Promise<BuildSymbols | undefined> {
    const kernels = this.store.kernels()
    const isKernel = kernels.includes(buildId)
    const kernel = isKernel ? buildId : kernels.find((own) => this.store.keys(own).some((key) => isOf(key, buildId)))
    if (kernel === undefined) return undefined
    for (const book of await this.books(kernel, signal)) {
      for (const entry of isKernel ? [book.entries.get('vmlinux')] : book.entries.values()) {
        if (entry?.buildId === buildId) return new BuildSymbols(book, entry)
      }
    }
    return undefined
  }

  /** The table of a layout's host. @throws NotFoundError if the catalogue does not have its kernel */
  async place(layout: HostLayout, source: string, generation: number, signal?: AbortSignal): Promise<Handle> {
    const books = await this.books(layout.buildId, signal)
    const handle = await placeLayout(books, layout, source, generation, signal)
    if (handle === undefined) {
      throw new NotFoundError(
        `the catalogue ${this.store.directory} has modules of the kernel ${layout.buildId}, but not the kernel itself`,
      )
    }
    return handle
  }
}

function* chain<T>(...lists: readonly Iterable<T>[]): Generator<T> {
  for (const list of lists) yield* list
}

/** Whether an entry is of a build, or of a kernel of that build id. */
function isMeant({ buildId, kernel }: CatalogEntry, wanted: string): boolean {
  return buildId === wanted || kernel === wanted
}

/** Whether a key is of a module with a build id. */
function isOf(key: string, buildId: string): boolean {
  return key.endsWith(`-${buildId}`)
}

/** Whether an entry has sections where another knows only where the module begins. */
function knowsMore(entry: BuildEntry, before: BuildEntry): boolean {
  return before.sections.length === 1 && entry.sections.length > 1
}

function describe({ kernel, key, path, bytes, used }: StoredEntry): CatalogEntry {
  if (key === 'vmlinux') {
    return {
      kind: 'vmlinux',
      name: 'vmlinux',
      buildId: kernel,
      srcversion: undefined,
      kernel,
      path,
      bytes,
      written: used,
    }
  }
  const dash = key.lastIndexOf('-')
  const id = key.slice(dash + 1)
  const srcversion = id.startsWith('src.') ? id.slice(4) : undefined
  const buildId = srcversion === undefined && id !== 'named' ? id : undefined
  return { kind: 'module', name: key.slice(0, dash), buildId, srcversion, kernel, path, bytes, written: used }
}

function byKind(a: CatalogEntry, b: CatalogEntry): number {
  if (a.kind !== b.kind) return a.kind === 'vmlinux' ? -1 : 1
  return a.name < b.name ? -1 : 1
}
