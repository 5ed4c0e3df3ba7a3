// Writes files, in the one way that all of kerndex writes them: a regular file appears whole or not at all, beside the old one
// until then; a device or a pipe is written into or refused, never replaced; what killed writers left is removed by the next one.

import { constants, lstatSync, readFileSync, readlinkSync, type Stats } from 'node:fs'
import { type FileHandle, lstat, mkdir, open, readdir, realpath, rename, rm, stat, unlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { KerndexError, NotWritableError, UsageError } from '../core/errors.ts'
import { checkAborted } from '../core/until.ts'
import { errorCode, whyFailed } from './reader.ts'

/** How a file is to be written. */
export interface FileOptions {
  /** It holds kernel addresses: only its owner may read it, whatever the mode of the file that it replaces. */
  readonly secret: boolean
  /** What to do where the path is no regular file: write into a device or a pipe, and through a link; or refuse it. */
  readonly special: 'write into' | 'refuse'
  /** Whether a file that is there may be replaced. Default true. */
  readonly replace?: boolean | undefined
  /** Whether to wait until the disk has it. Default true; without, a file may be empty after the power was lost. */
  readonly lasting?: boolean | undefined
  /** Whether to look first for what killed writers left in the directory. Default true; many files are written after one look. */
  readonly sweep?: boolean | undefined
  /** Ends the writing, also the wait for the reader of a pipe. */
  readonly signal?: AbortSignal | undefined
}

/** A file that is being written. */
export interface FileWriter {
  /** @throws NotWritableError if it cannot be written; AbortedError */
  write(data: string | Uint8Array): Promise<void>
  /** Has everything on the disk, still under another name. */
  flush(): Promise<void>
  /** The file is complete: now it has its name. @throws as `write` */
  finish(): Promise<void>
  /** It will not be: nothing is left of it. */
  abandon(): Promise<void>
}

/** Bytes that are gathered before they are written. */
const BUFFER_BYTES = 1 << 16
/** Milliseconds between two tries to write into a pipe that is full or has no reader yet. */
const RETRY_MS = 5
/** Milliseconds after which a file whose writer cannot be looked for is taken for left behind. */
const STALE_MS = 24 * 3_600_000

/**
 * Opens a file for writing.
 * @throws UsageError if it is there and must not be replaced, or is of a kind that is not written; NotWritableError if it
 * cannot be written; AbortedError
 */
export async function createFile(path: string, options: FileOptions): Promise<FileWriter> {
  try {
    const there = await lstat(path).catch(absent)
    if (there === undefined || there.isFile()) {
      checkReplace(path, there, options)
      return await beside(path, path, there, options)
    }
    if (there.isDirectory()) throw new UsageError(`${path} is a directory, not a file`)
    if (options.special === 'refuse') throw new UsageError(`${path} is ${kindOf(there)}: it is not replaced; remove it`)
    const target = await stat(path).catch(absent)
    if (target === undefined) throw new UsageError(`${path} is a link to nothing: remove it`)
    if (target.isFile()) return await beside(path, await realpath(path), target, options)
    if (!target.isFIFO() && !target.isCharacterDevice()) {
      throw new UsageError(`${path} is ${kindOf(target)}: kerndex writes to files, pipes and character devices`)
    }
    return await into(path, options)
  } catch (error) {
    throw writeFailure(path, error)
  }
}

/** Writes a whole file. @throws as `createFile` */
export async function writeFileSafely(path: string, data: string | Uint8Array, options: FileOptions): Promise<void> {
  const file = await createFile(path, options)
  try {
    await file.write(data)
    await file.finish()
  } catch (error) {
    await file.abandon()
    throw error
  }
}

/** A failed write as a kerndex error. */
export function writeFailure(path: string, cause: unknown): KerndexError {
  if (cause instanceof KerndexError) return cause
  return new NotWritableError(`${path} cannot be written: ${whyFailed(cause)}`, { path }, { cause })
}

/** @throws UsageError if what is at a path must not be replaced */
function checkReplace(path: string, there: Stats | undefined, { replace = true }: FileOptions): void {
  if (there !== undefined && !replace) {
    throw new UsageError(`${path} exists: it is not replaced without --force (in the library: replace)`)
  }
}

function absent(error: unknown): undefined {
  if (errorCode(error) !== 'ENOENT') throw error
}

function kindOf(found: Stats): string {
  if (found.isSymbolicLink()) return 'a link'
  if (found.isFIFO()) return 'a pipe'
  if (found.isSocket()) return 'a socket'
  return found.isDirectory() ? 'a directory' : 'a device'
}

/** Writes a new file beside the one that it will replace. */
async function beside(
  path: string,
  target: string,
  there: Stats | undefined,
  options: FileOptions,
): Promise<FileWriter> {
  const directory = dirname(target)
  if (options.sweep !== false) await sweep(directory)
  const temporary = join(directory, temporaryName())
  const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants
  const mode = options.secret ? 0o600 : 0o666
  let file: FileHandle | undefined = await open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode)
  const output = new Output(path, file, options.signal)
  const close = async () => {
    const closing = file
    file = undefined
    await closing?.close()
  }
  const guarded = async (work: () => Promise<void>) => {
    try {
      await work()
    } catch (error) {
      throw writeFailure(path, error)
    }
  }
  const flush = async () => {
    if (file === undefined) return
    await output.end()
    if (there !== undefined && !options.secret) await file.chmod(there.mode & 0o777)
    if (options.lasting !== false) await file.sync()
    await close()
  }
  return {
    write: (data) => guarded(() => output.write(data)),
    flush: () => guarded(flush),
    finish: () =>
      guarded(async () => {
        await flush()
        checkAborted(options.signal, `the writing of ${path}`)
        checkReplace(path, lstatSync(target, { throwIfNoEntry: false }), options)
        await rename(temporary, target)
        if (options.lasting !== false) await syncDirectory(directory)
      }),
    async abandon() {
      await close().catch(() => {})
      await unlink(temporary).catch(() => {})
    },
  }
}

/** Writes into what is there: a pipe, as soon as it has a reader, or a device. */
async function into(path: string, { signal }: FileOptions): Promise<FileWriter> {
  const { O_WRONLY, O_NONBLOCK, O_NOCTTY } = constants
  let file: FileHandle | undefined
  while (file === undefined) {
    try {
      // Without O_NONBLOCK a pipe without a reader would hold a thread, and the end of the process, for ever.
      file = await open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY)
    } catch (error) {
      if (errorCode(error) !== 'ENXIO') throw error
      await pause(signal)
    }
  }
  const output = new Output(path, file, signal)
  const close = async () => {
    const closing = file
    file = undefined
    await closing?.close()
  }
  const end = async () => {
    try {
      await output.end()
      await close()
    } catch (error) {
      throw writeFailure(path, error)
    }
  }
  return {
    write: (data) => output.write(data).catch((error: unknown) => Promise.reject(writeFailure(path, error))),
    flush: end,
    finish: async () => (file === undefined ? undefined : end()),
    abandon: () => close().catch(() => {}),
  }
}

/** Gathers small pieces and writes them whole, whatever the descriptor takes at a time. */
class Output {
  readonly #path: string
  readonly #file: FileHandle
  readonly #signal: AbortSignal | undefined
  readonly #gathered: Uint8Array[] = []
  #bytes = 0

  constructor(path: string, file: FileHandle, signal: AbortSignal | undefined) {
    this.#path = path
    this.#file = file
    this.#signal = signal
  }

  async write(data: string | Uint8Array): Promise<void> {
    const bytes = typeof data === 'string' ? Buffer.from(data) : data
    if (bytes.length >= BUFFER_BYTES) {
      await this.end()
      await this.#writeOut(bytes)
      return
    }
    // The caller may use its buffer again.
    this.#gathered.push(typeof data === 'string' ? bytes : Buffer.from(bytes))
    this.#bytes += bytes.length
    if (this.#bytes >= BUFFER_BYTES) await this.end()
  }

  /** Writes what is gathered. */
  async end(): Promise<void> {
    if (this.#bytes === 0) return
    const bytes = Buffer.concat(this.#gathered)
    this.#gathered.length = 0
    this.#bytes = 0
    await this.#writeOut(bytes)
  }

  async #writeOut(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      checkAborted(this.#signal, `the writing of ${this.#path}`)
      try {
        at += (await this.#file.write(bytes, at, bytes.length - at)).bytesWritten
      } catch (error) {
        if (errorCode(error) !== 'EAGAIN') throw error
        await pause(this.#signal)
      }
    }
  }
}

async function pause(signal: AbortSignal | undefined): Promise<void> {
  await sleep(RETRY_MS)
  checkAborted(signal, 'the writing')
}

/** Makes a rename in a directory last; a file system that cannot do that has done what it can. */
async function syncDirectory(directory: string): Promise<void> {
  const file = await open(directory, constants.O_RDONLY | constants.O_DIRECTORY).catch(() => undefined)
  await file?.sync().catch(() => {})
  await file?.close()
}

/** The names of what is being written: who writes it, in which boot and which process namespace. */
const TEMPORARY = /^\.kerndex-([0-9a-f]{1,24})-(\d{1,10})-(\d{1,20})-[0-9a-f]{8}\.tmp$/

/** Whether a name is that of a file or a folder that is being written, or that a killed writer left. */
export function isTemporary(name: string): boolean {
  return TEMPORARY.test(name)
}

/** A new name for what is being written, in the directory where it will be. It tells others whether its writer still runs. */
function temporaryName(): string {
  return `.kerndex-${world()}-${process.pid}-${startOf('self')}-${crypto.randomUUID().slice(0, 8)}.tmp`
}

/** Where process numbers can be compared: one boot, and one namespace of processes. */
function world(): string {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').slice(0, 8)
    const namespace = Number(/\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0])
    return `${boot}${namespace.toString(16)}`
  } catch {
    return '0'
  }
}

/** When a process began, in the kernel's ticks (field 22 of /proc/PID/stat, see proc_pid_stat(5)); 0 if there is none. */
function startOf(pid: string): string {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1')
    // The name of a process may hold blanks and brackets.
    return text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? '0'
  } catch {
    return '0'
  }
}

/** Removes from a directory what writers left there that were killed; never fails. */
export async function sweep(directory: string): Promise<void> {
  const names = await readdir(directory).catch(() => [])
  const here = world()
  for (const name of names) {
    const [, where, pid = '', start] = TEMPORARY.exec(name) ?? []
    if (where === undefined) continue
    const path = join(directory, name)
    const found = await lstat(path).catch(() => undefined)
    if (found === undefined || found.uid !== process.geteuid?.()) continue
    const known = where === here && here !== '0'
    const stale = known ? startOf(pid) !== start : Date.now() - found.mtimeMs > STALE_MS
    if (stale) await discard(path).catch(() => {})
  }
}

/** In a folder that is being written: what will stand in its place, and what stood there before. */
const AFTER = 'after'
const BEFORE = 'before'

/**
 * Writes a folder with `fill`, which is given the path of an empty one that only its owner may look into. It takes the place
 * of the folder that is at the path, which stays until then.
 * @throws what `fill` throws; NotWritableError if the folder cannot be written
 */
export async function writeFolder(path: string, fill: (folder: string) => Promise<void>): Promise<void> {
  const directory = dirname(path)
  await sweep(directory)
  const temporary = join(directory, temporaryName())
  try {
    await mkdir(join(temporary, AFTER), { recursive: true, mode: 0o700 })
    await fill(join(temporary, AFTER))
    if ((await lstat(path).catch(absent)) !== undefined) {
      await mkdir(join(temporary, BEFORE), { mode: 0o700 })
      await rename(path, join(temporary, BEFORE, basename(path)))
    }
    await rename(join(temporary, AFTER), path)
  } catch (error) {
    throw writeFailure(path, error)
  } finally {
    await discard(temporary).catch(() => {})
  }
}

/** Removes what is left of a file or folder; a folder that was moved away for it goes back if nothing took its place. */
async function discard(path: string): Promise<void> {
  for (const name of await readdir(join(path, BEFORE)).catch(() => [])) {
    const target = join(dirname(path), name)
    if ((await lstat(target).catch(absent)) === undefined) await rename(join(path, BEFORE, name), target)
  }
  await rm(path, { recursive: true, force: true })
}
