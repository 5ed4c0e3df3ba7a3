// The tables of a worker: fetched once by the key of their content into files that only it may read, checked, and kept open as
// long as there is room. What goes first is what was not asked for longest.

import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, open, readdir, readFile, rename, rm, stat, utimes } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { callback, count, type Options, options as optionsOf, path, whole } from '../core/arguments.ts'
import { setBounded } from '../core/bounded-map.ts'
import { BadFormatError, KerndexError, NotReadableError } from '../core/errors.ts'
import type { Kernel } from '../kernel.ts'
import { parseLayout } from '../load/layout-file.ts'
import { type Catalog, openCatalog } from '../open-catalog.ts'
import { openKernel } from '../open-kernel.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
import { readFailure } from '../sources/reader.ts'
import { createFile } from '../sources/write-file.ts'
import { contentKey } from './job.ts'
import { decodePlaced, isPlaced, type PlacedTable } from './placed-table.ts'
import { type Store, storeArgument } from './store.ts'

/** How many tables a worker keeps. */
export interface TableOptions {
  /** Where their files are. Default: a folder of its own among the temporary files, which goes with it. */
  readonly directory?: string | undefined
  /** Tables that are open at once. Default 16. */
  readonly open?: number | undefined
  /** Bytes of their files. Default: 4 GiB. */
  readonly bytes?: number | undefined
  /** Milliseconds without a byte after which a fetch is given up, and tried again later. Default: 15,000. */
  readonly stallMs?: number | undefined
}

/** The longest that a timer of Node waits. */
const MOST_MS = 2 ** 31 - 1

const TABLE_OPTIONS: Options<TableOptions> = {
  directory: path,
  open: whole(1, Number.MAX_SAFE_INTEGER),
  bytes: count,
  stallMs: whole(1, MOST_MS),
}

const DEFAULT_OPEN = 16
const DEFAULT_BYTES = 2 ** 32
const DEFAULT_STALL_MS = 15_000

/** Counts of the work with tables. */
export interface TableCounts {
  fetched: number
  fetchedBytes: number
  opened: number
  closed: number
  damaged: number
}

/** Codes that say nothing of a table: it is not there, or there is no place for it. */
const NOT_THE_TABLE: ReadonlySet<string> = new Set(['NOT_READABLE', 'NOT_WRITABLE', 'NOT_FOUND'])

/** A worker's tables. */
export class Tables {
  readonly counts: TableCounts = { fetched: 0, fetchedBytes: 0, opened: 0, closed: 0, damaged: 0 }
  readonly #store: Store
  readonly #open: number
  readonly #bytes: number
  readonly #stallMs: number
  readonly #given: string | undefined
  #directory: Promise<string> | undefined
  readonly #kernels = new Map<string, Kernel>()
  /** By the key of their builds: hosts share what is read of them. */
  readonly #catalogs = new Map<string, Catalog>()
  #forgotten: (snapshot: Snapshot) => void = () => {}

  constructor(store: Store, given?: TableOptions) {
    const options = optionsOf(given, 'Tables', TABLE_OPTIONS)
    this.#store = storeArgument(store, 'store')
    this.#given = options.directory
    this.#open = options.open ?? DEFAULT_OPEN
    this.#bytes = options.bytes ?? DEFAULT_BYTES
    this.#stallMs = options.stallMs ?? DEFAULT_STALL_MS
  }

  /** Called with each table that is closed: what was made for it can go. */
  onClose(forgotten: (snapshot: Snapshot) => void): void {
    this.#forgotten = callback(forgotten, 'forgotten')
  }

  isOpen(key: string): boolean {
    return this.#kernels.has(contentKey(key, 'key'))
  }

  /**
   * The table of a key, which is open until as many others were asked for.
   * @throws NotFoundError if the store has none; BadFormatError if what it has is damaged, twice; NotReadableError
   */
  async table(key: string): Promise<Snapshot> {
    const known = this.#kernels.get(key)
    if (known !== undefined) {
      // The newest is last.
      this.#kernels.delete(key)
      this.#kernels.set(key, known)
      return known.snapshot()
    }
    const kernel = await this.#opened(await this.#file(contentKey(key, 'key')))
    this.counts.opened++
    this.#kernels.set(key, kernel)
    for (const [other, oldest] of this.#kernels) {
      if (this.#kernels.size <= this.#open) break
      this.#kernels.delete(other)
      this.#forgotten(oldest.snapshot())
      await oldest.close()
      this.counts.closed++
    }
    return kernel.snapshot()
  }

  async close(): Promise<void> {
    for (const kernel of this.#kernels.values()) await kernel.close()
    this.#kernels.clear()
    this.#catalogs.clear()
    if (this.#given === undefined && this.#directory !== undefined)
      await rm(await this.#directory, { recursive: true, force: true })
  }

  async #opened(file: string): Promise<Kernel> {
    try {
      const placed = await placedIn(file)
      if (placed === undefined) return await openKernel({ from: file, threads: 0, types: false })
      const catalog = await this.#catalog(placed.builds)
      return await openKernel({ layout: parseLayout(placed.layout), catalog, threads: 0, types: false })
    } catch (error) {
      // Its digest is right: it was never a table, or is of another version.
      if (error instanceof KerndexError && !NOT_THE_TABLE.has(error.code)) throw new BadFormatError(error.message)
      throw error
    }
  }

  /**
   * The catalogue of an archive of builds. Each archive has one of its own, so that its builds name frames of its own hosts alone; hosts of
   * one archive share the catalogue and its names.
   */
  async #catalog(builds: string): Promise<Catalog> {
    const folder = join(await this.#place(), `${BUILDS}${builds}`)
    if (!(await isUsed(folder))) {
      const archive = await this.#file(builds)
      const fresh = await mkdtemp(`${folder}.`)
      try {
        const named = join(fresh, 'builds.tar.gz')
        await rename(archive, named)
        await (await openCatalog({ directory: fresh })).import(named)
        await rm(named)
        // Another worker of this folder may have been faster.
        await rename(fresh, folder).catch(async (error: unknown) => {
          if (!(await isUsed(folder))) throw readFailure(folder, error)
        })
      } finally {
        await rm(fresh, { recursive: true, force: true })
      }
      this.#catalogs.delete(builds)
      await this.#makeRoom(await this.#place(), `${BUILDS}${builds}`)
    }
    const catalog = this.#catalogs.get(builds) ?? (await openCatalog({ directory: folder }))
    setBounded(this.#catalogs, builds, catalog, this.#open)
    return catalog
  }

  #place(): Promise<string> {
    this.#directory ??= this.#made()
    return this.#directory
  }

  /** The file of a table, fetched where it is not there. */
  async #file(key: string): Promise<string> {
    const directory = await this.#place()
    const file = join(directory, key)
    if (await isUsed(file)) return file
    if (!(await this.#fetch(key, file))) {
      this.counts.damaged++
      if (!(await this.#fetch(key, file)))
        throw new BadFormatError(`what ${this.#store.what} has under ${key} has another digest: it is damaged`)
    }
    await this.#makeRoom(directory, key)
    return file
  }

  /** Streams a table to its file, and says whether its digest is right; else nothing is left of it. */
  async #fetch(key: string, file: string): Promise<boolean> {
    const bytes = await this.#store.get(key)
    const hash = createHash('sha256')
    // One that goes with the worker outlives no loss of power.
    const lasting = this.#given !== undefined
    const writer = await createFile(file, { secret: true, special: 'refuse', lasting })
    try {
      for await (const piece of unlessStalled(bytes, this.#stallMs, this.#store.what)) {
        hash.update(piece)
        this.counts.fetchedBytes += piece.length
        await writer.write(piece)
      }
    } catch (error) {
      await writer.abandon()
      throw error
    }
    this.counts.fetched++
    if (hash.digest('hex') !== key) {
      await writer.abandon()
      return false
    }
    await writer.finish()
    return true
  }

  /** Removes the files and catalogues that were not used longest, as long as all are too large. */
  async #makeRoom(directory: string, but: string): Promise<void> {
    const names = (await readdir(directory)).filter((name) => OURS.test(name))
    const found = await Promise.all(
      names.map(async (name) => {
        const there = await stat(join(directory, name)).catch(() => undefined)
        const size = there?.isDirectory() === true ? await sizeOf(join(directory, name)) : there?.size
        return { name, size: size ?? 0, used: there?.mtimeMs ?? 0 }
      }),
    )
    let total = found.reduce((sum, { size }) => sum + size, 0)
    for (const { name, size } of found.sort((a, b) => a.used - b.used)) {
      if (total <= this.#bytes) return
      if (name === but) continue
      await rm(join(directory, name), { recursive: true, force: true })
      total -= size
    }
  }

  async #made(): Promise<string> {
    if (this.#given === undefined) return mkdtemp(join(tmpdir(), 'kerndex-tables-'))
    try {
      await mkdir(this.#given, { recursive: true, mode: 0o700 })
    } catch (error) {
      throw readFailure(this.#given, error)
    }
    return this.#given
  }
}

/** Names of what is kept: tables by their key, and the catalogues of builds, unfinished ones too. */
const BUILDS = 'builds-'
const OURS = /^(?:[0-9a-f]{64}|builds-[0-9a-f]{64}(?:\.\w+)?)$/
/** Bytes that the record of a placed table may have: a layout's most, in base64. */
const MOST_PLACED_BYTES = 1 << 25

/** Whether there is such a file or folder, which then is the one that was used last. */
async function isUsed(path: string): Promise<boolean> {
  const now = new Date()
  try {
    await utimes(path, now, now)
    return true
  } catch {
    return false
  }
}

/** The pieces of a host's table, as a file names them; undefined where the file is a table itself. @throws BadFormatError, NotReadableError */
async function placedIn(path: string): Promise<PlacedTable | undefined> {
  const file = await open(path).catch((error: unknown) => {
    throw readFailure(path, error)
  })
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(64), 0, 64, 0)
    if (!isPlaced(buffer.subarray(0, bytesRead))) return undefined
    if ((await file.stat()).size > MOST_PLACED_BYTES)
      throw new BadFormatError('the record of a placed table is too large')
  } finally {
    await file.close()
  }
  return decodePlaced(await readFile(path))
}

/** Bytes of the files in a folder and its folders. */
async function sizeOf(folder: string): Promise<number> {
  const inside = await readdir(folder, { recursive: true }).catch(() => [])
  const found = await Promise.all(inside.map((name) => stat(join(folder, name)).catch(() => undefined)))
  return found.reduce((sum, one) => sum + (one?.isFile() === true ? one.size : 0), 0)
}

/** The same pieces, as long as they come: who lost a connection may wait for ever. @throws NotReadableError */
async function* unlessStalled(
  pieces: AsyncIterable<Uint8Array>,
  stallMs: number,
  what: string,
): AsyncGenerator<Uint8Array> {
  const iterator = pieces[Symbol.asyncIterator]()
  for (;;) {
    const next = iterator.next()
    // It may fail when no request waits for it any more.
    next.catch(() => {})
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new NotReadableError(`${what} has sent nothing for ${stallMs} ms`)), stallMs)
    })
    try {
      const { done, value } = await Promise.race([next, late])
      if (done === true) return
      yield value
    } finally {
      clearTimeout(timer)
    }
  }
}
