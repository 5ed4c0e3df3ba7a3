// The directory of cached snapshots: where it is, who may use it, one file for each kernel and boot, and how much room all
// of them may take. The files hold kernel addresses, which are secrets: nothing is used that another user could have
// written or may read.

import { constants, futimesSync, lstatSync, readdirSync, readFileSync, type Stats } from 'node:fs'
import { lstat, mkdir, open, readdir, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { number, type Options, options as optionsOf, path, wrong } from '../core/arguments.ts'
import { CODE_FILE, CODE_FOLDER, cacheFolder, distrust, type FolderUser } from '../core/cache-folder.ts'
import { KerndexError, NotReadableError } from '../core/errors.ts'
import { errorCode, readFailure } from '../sources/reader.ts'
import { isTemporary, writeFailure } from '../sources/write-file.ts'
import type { SnapshotContent } from './format.ts'
import { SnapshotReader } from './read.ts'
import { type WriteOptions, writeSnapshot } from './write.ts'

/** Where cached snapshots are kept, and how many. */
export interface SnapshotCacheOptions {
  /** Default `$XDG_CACHE_HOME/kerndex`, or `~/.cache/kerndex`. */
  readonly directory?: string | URL | undefined
  /** The most bytes that all files together may have; what was used longest ago is removed. Default 256 MiB. */
  readonly maxBytes?: number | undefined
}

/** The facts of the process that uses the cache. */
export interface CacheUser extends FolderUser {
  /** Why this process must not write what it sees where all processes of its user can read it; undefined if it may. */
  readonly secret: () => string | undefined
}

/** The key that tells one state of a kernel from every other that a file could hold. */
export interface CacheKey {
  /** The GNU build id of vmlinux, in hexadecimal. */
  readonly buildId: string
  readonly bootId: string
}

/** A file of the cache. */
export interface CacheEntry {
  readonly path: string
  readonly bytes: number
  /** When it was last opened or written. */
  readonly used: Date
  readonly release: string | undefined
  readonly buildId: string
  readonly bootId: string
  /** How many sets of types it holds. */
  readonly sets: number
  /** Why it cannot be used; undefined if it can. */
  readonly problem: string | undefined
}

/** The options of `openCache`. */
export const SNAPSHOT_CACHE_OPTIONS: Options<SnapshotCacheOptions> = {
  directory: path,
  maxBytes(value, name) {
    if (!(number(value, name) >= 0)) throw wrong(name, 'a number of bytes', value)
    return value as number // It is a number.
  },
}

const DEFAULT_MAX_BYTES = 256 * 1024 * 1024
const SUFFIX = '.kerndex'
const NAME = /^([0-9a-f]{8,128})-([0-9a-f-]{32,36})\.kerndex$/

/** This process. */
export function thisUser(): CacheUser {
  return { uid: process.geteuid?.() ?? -1, env: process.env, secret: seenByCapability }
}

/**
 * Whether the kernel shows addresses to this process by a capability, rather than to its user (kallsyms_show_value,
 * kernel/ksyms_common.c): then other processes of the user may not see them.
 */
function seenByCapability(): string | undefined {
  if (process.geteuid?.() === 0) return undefined
  const setting = (name: string): number => {
    try {
      return Number(readFileSync(`/proc/sys/kernel/${name}`, 'latin1'))
    } catch {
      return Number.NaN
    }
  }
  if (setting('kptr_restrict') === 0 && setting('perf_event_paranoid') <= 1) return undefined
  return 'this process sees kernel addresses by a capability that other processes of its user do not have'
}

/**
 * The directory that a user's snapshots are kept in.
 * @throws NotReadableError if there is none: no HOME, or one that belongs to somebody else, as under `sudo -E`
 */
export function cacheDirectory(user: FolderUser): string {
  const found = cacheFolder(user)
  if ('directory' in found) return found.directory
  throw new NotReadableError(`no cache: ${found.reason}; name a directory`)
}

/** The cache of a user, or the one in a directory. @throws NotReadableError as `cacheDirectory` */
export async function openCache(
  options: SnapshotCacheOptions = {},
  user: CacheUser = thisUser(),
): Promise<SnapshotCache> {
  const { directory, maxBytes } = optionsOf(options, 'openCache', SNAPSHOT_CACHE_OPTIONS)
  return new SnapshotCache(
    directory === undefined ? cacheDirectory(user) : path(directory, 'directory'),
    { maxBytes },
    user,
  )
}

/** The snapshots in one directory. */
export class SnapshotCache {
  readonly directory: string
  readonly #maxBytes: number
  readonly #user: CacheUser

  constructor(directory: string, { maxBytes = DEFAULT_MAX_BYTES }: SnapshotCacheOptions, user: CacheUser) {
    this.directory = directory
    this.#maxBytes = maxBytes
    this.#user = user
  }

  /** The path of the file for a key. */
  pathOf({ buildId, bootId }: CacheKey): string {
    return join(this.directory, `${buildId}-${bootId}${SUFFIX}`)
  }

  /**
   * Opens the file of a key; undefined if there is none.
   * @throws NotReadableError, BadFormatError, UnsupportedError saying why it is not used
   */
  open(key: CacheKey): SnapshotReader | undefined {
    return this.#open(this.pathOf(key))
  }

  #open(path: string): SnapshotReader | undefined {
    try {
      return new SnapshotReader(path, (stat) => distrust(stat, this.#user.uid, 'file'))
    } catch (error) {
      if (errorCode(error instanceof Error ? error.cause : undefined) === 'ENOENT') return undefined
      throw error
    }
  }

  /** Remembers that a file was used now. */
  touch(path: string): void {
    // Only the order of removal hangs on it.
    open(path, constants.O_RDONLY | constants.O_NOFOLLOW)
      .then((file) => {
        const now = new Date()
        futimesSync(file.fd, now, now)
        return file.close()
      })
      .catch(() => {})
  }

  /** A file of the same kernel's earlier boot or state, the latest first; for what does not change with those. Waits for the system. */
  earlier({ buildId }: CacheKey): SnapshotReader | undefined {
    const files = namesIn(this.directory)
      .filter((name) => name.startsWith(`${buildId}-`))
      .map((name) => {
        const path = join(this.directory, name)
        return { path, used: lstatSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0 }
      })
    for (const { path } of files.sort((a, b) => b.used - a.used)) {
      try {
        return this.#open(path)
      } catch (error) {
        if (!(error instanceof KerndexError)) throw error
      }
    }
    return undefined
  }

  /**
   * Writes the file of a key and removes what is beyond the bound. Returns its length.
   * @throws NotReadableError, NoPermissionError if that cannot be done
   */
  async store(key: CacheKey, content: SnapshotContent, options: WriteOptions = {}): Promise<number> {
    if (!NAME.test(`${key.buildId}-${key.bootId}${SUFFIX}`)) {
      throw new NotReadableError(`no cache: ${key.buildId}-${key.bootId} cannot be the name of a file`)
    }
    const reason = this.#user.secret()
    if (reason !== undefined) throw new NotReadableError(`nothing is cached: ${reason}`)
    await this.#makeDirectory()
    const path = this.pathOf(key)
    // The directory is kerndex's own: a link of that name, which is not followed either, makes room.
    if ((await lstat(path).catch(() => undefined))?.isSymbolicLink() === true) await unlink(path)
    const bytes = await writeSnapshot(path, content, options)
    await this.#prune(path)
    return bytes
  }

  async #makeDirectory(): Promise<void> {
    const { directory } = this
    try {
      await mkdir(directory, { recursive: true, mode: 0o700 })
      this.check()
    } catch (error) {
      throw writeFailure(directory, error)
    }
  }

  /** @throws NotReadableError if the directory is a link, is another user's, or others may use it */
  check(): void {
    const { directory } = this
    let found: Stats
    try {
      found = lstatSync(directory)
    } catch (error) {
      throw readFailure(directory, error)
    }
    const problem = found.isDirectory() ? distrust(found, this.#user.uid, 'directory') : 'it is no directory'
    if (problem !== undefined) throw new NotReadableError(`${directory} is not used: ${problem}`, { path: directory })
  }

  async #files(directory = this.directory) {
    const names = await readdir(directory).catch(() => [])
    const files = await Promise.all(
      names.map(async (name) => {
        const path = join(directory, name)
        const found = await lstat(path).catch(() => undefined)
        return found === undefined ? [] : [{ name, path, bytes: found.size, used: found.mtimeMs }]
      }),
    )
    return files.flat()
  }

  async #prune(kept: string): Promise<void> {
    let left = this.#maxBytes
    for (const { name, path, bytes } of (await this.#files()).sort((a, b) => b.used - a.used)) {
      if (!NAME.test(name)) continue
      left -= bytes
      // The file just written goes as well if it alone is too large.
      if (left < 0 && (path !== kept || bytes > this.#maxBytes)) await unlink(path).catch(() => {})
    }
  }

  /** All files, the last used first. A directory that is not there is an empty cache. */
  async list(): Promise<CacheEntry[]> {
    const files = await this.#files()
    const entries = files.flatMap(({ name, path, bytes, used }) => {
      const [, buildId = '', bootId = ''] = NAME.exec(name) ?? []
      if (buildId === '') return []
      let reader: SnapshotReader | undefined
      let problem: string | undefined
      try {
        reader = this.#open(path)
      } catch (error) {
        problem = error instanceof Error ? error.message : String(error)
      }
      const meta = reader?.plan.meta
      reader?.close()
      const sets = meta?.groups.flat().length ?? 0
      return [{ path, bytes, used: new Date(used), release: meta?.host.release, buildId, bootId, sets, problem }]
    })
    return entries.sort((a, b) => b.used.getTime() - a.used.getTime())
  }

  /**
   * Removes every file of the cache, compiled code, and what crashed processes left; other files stay. Returns those removed.
   * @throws NotReadableError, NoPermissionError if one cannot be removed
   */
  async clear(): Promise<string[]> {
    const removed: string[] = []
    const files = [...(await this.#files()), ...(await this.#files(join(this.directory, CODE_FOLDER)))]
    for (const { name, path } of files) {
      if (!NAME.test(name) && !CODE_FILE.test(name) && !isTemporary(name)) continue
      await unlink(path).catch((error: unknown) => {
        throw writeFailure(path, error)
      })
      removed.push(path)
    }
    return removed
  }
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory)
  } catch {
    return []
  }
}
