// The object that users hold: a kernel that was opened, its current snapshot and its threads.

import { channel } from 'node:diagnostics_channel'
import { availableParallelism } from 'node:os'
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises'
import type { Types } from './btf/types.ts'
import { AbortedError, ClosedError, UsageError } from './core/errors.ts'
import { workerUrl } from './core/place.ts'
import { type CacheUser, type SnapshotCacheOptions, thisUser } from './load/cache.ts'
import type { CacheReport, KernelLoad, Load } from './load/cached.ts'
import { Change } from './load/changes.ts'
import { type LoadMemory, type LoadProgress, loadKernel } from './load/load.ts'
import { cachedOpening, type Opening, plainOpening, snapshotOpening } from './load/opening.ts'
import { PendingTypes } from './load/pending-types.ts'
import type { Handle, HostFacts, SkippedLines } from './load/snapshot.ts'
import { isSnapshotFile, readSnapshotFile, snapshotSource } from './load/snapshot-source.ts'
import type { LoaderThreads } from './load/symbols.ts'
import type { LoaderResult, LoaderTask } from './load/tasks.ts'
import { Threads } from './load/threads.ts'
import type { Span, Timeline } from './load/timeline.ts'
import { poolPays } from './load/types.ts'
import type { Probes } from './probes/probes.ts'
import { type BulkOptions, QueryPool } from './query/pool.ts'
import { Reader } from './reader.ts'
import { liveSource } from './sources/live.ts'
import { openSource } from './sources/open.ts'
import { isAbsence, type Source } from './sources/source.ts'
import type { Keep } from './symbols/build.ts'
import type { NamedAnswer } from './symbols/lookup-names.ts'
import type { BulkAnswer, Pattern, StartingAnswer, SymbolTable } from './symbols/table.ts'

export interface OpenOptions {
  /** undefined: the running kernel; else a capture directory or archive, a snapshot file, or a kallsyms-like file. */
  readonly from?: string | undefined
  /**
   * Whether to open the running kernel from a file that an earlier process left, and to leave one for the next. What comes
   * from a file is provisional until it has been checked: see `kernel.provisional` and `kernel.verified`. The cache is for
   * loads of all symbols; with the options `symbols` or `modules` it is not used. Default false.
   */
  readonly cache?: boolean | KernelCacheOptions | undefined
  /**
   * Loader and query threads; 0 does everything on the calling thread. Default: by the number of cores, and for the load
   * none where the input is so small that threads would start too late to help.
   */
  readonly threads?: number | undefined
  /**
   * Which symbols to keep: all (the default), or with `{ text: true, data }` everything but data symbols, and of those
   * (types b, d, r) the named ones only. It holds for every refresh; names cannot be added later.
   */
  readonly symbols?: 'all' | { readonly text: true; readonly data: readonly string[] } | undefined
  /** Symbols and types of these modules and of vmlinux only; default all. */
  readonly modules?: readonly string[] | undefined
  /** Whether to load types; 'lazy': those of vmlinux now, a module's when first asked for. Default true. */
  readonly types?: boolean | 'lazy' | undefined
  /**
   * What to wait for: everything (the default), or the symbols only. Types are then loaded behind them, `kernel.ready`
   * waits for them, and a lookup that comes too early loads them itself, holding its thread meanwhile.
   */
  readonly ready?: 'all' | 'symbols' | undefined
  /** Read at once what plans of probes need of the host's files. Default false: the first plan reads them itself. */
  readonly probes?: boolean | undefined
  /** Ends the load, also what of it goes on behind the symbols. */
  readonly signal?: AbortSignal | undefined
  /** Called while the symbols are read. */
  readonly onProgress?: ((progress: LoadProgress) => void) | undefined
}

/** How `openKernel` uses the cache. */
export interface KernelCacheOptions extends SnapshotCacheOptions {
  /** Open only once what came from a file has been checked. Default false. */
  readonly wait?: boolean | undefined
}

/** How to watch for changes. */
export interface WatchOptions {
  /** Milliseconds between the end of a refresh and the next; at least 10. */
  readonly intervalMs: number
  /** Ends the watch. */
  readonly signal?: AbortSignal | undefined
  /** Ends the watch after so many refreshes; default never. */
  readonly refreshes?: number | undefined
}

/** The outcome of a refresh. */
export interface Refreshed {
  /** Whether a new generation was published. */
  readonly changed: boolean
  readonly generation: number
  /** How the load went. */
  readonly timing: Timing
}

/** The parts of a kernel that can be waited for. */
export type KernelPart = 'symbols' | 'types'

/** The shortest interval of a watch: a refresh reads the whole symbol file, which costs the kernel tens of milliseconds. */
const SHORTEST_INTERVAL_MS = 10

/** Every published change is announced here, and every refresh that failed. */
const published = channel('kerndex:refresh')

/** Types that came behind the symbols are announced here, and why they did not. */
const arrived = channel('kerndex:ready')

/** Most threads that may be asked for: each costs megabytes and milliseconds, and no machine gains from more. */
const MOST_THREADS = 256
/** Most threads that are started unless the caller asks for more. */
const MOST_DEFAULT_THREADS = 4

/** How a load went. */
export interface Timing {
  /** Milliseconds from the call to the finished snapshot, or to what of it `ready` asked to wait for. */
  readonly readyMs: number
  /** Milliseconds from the call to the types, where they came behind the symbols and are there. */
  readonly typesMs?: number | undefined
  /** Loader threads that there could be; `spans` tells what they did. */
  readonly threads: number
  /** What was done when, on which thread. */
  readonly spans: readonly Span[]
}

/** An opened kernel. Close it, or let `await using` do so, to end its threads. */
export class Kernel {
  #timing: Timing
  #snapshot: Reader
  /** What waits for the current snapshot's types; undefined where they came with it. */
  #typesLoading: Promise<void> | undefined
  #pending: PendingTypes | undefined
  #memory: LoadMemory | undefined
  #provisional: boolean
  #verified: Promise<Refreshed> | undefined
  #refreshing: Promise<Refreshed> | undefined
  readonly #opening: Opening
  readonly #loader: () => LoaderThreads | undefined
  readonly #query: QueryPool
  readonly #listeners = new Set<(change: Change) => void>()
  readonly #closing = new AbortController()

  /** Use `openKernel`. `opening` loads the source anew; `loaded` is what it gave the first time. */
  constructor(
    opening: Opening,
    loaded: KernelLoad,
    timing: Timing,
    loader: () => LoaderThreads | undefined,
    query: QueryPool,
    signal?: AbortSignal,
  ) {
    this.#opening = opening
    this.#pending = loaded.rest && new PendingTypes(loaded.rest)
    this.#snapshot = new Reader(loaded.handle, this.#pending)
    this.#memory = loaded.memory
    this.#provisional = loaded.provisional === true
    this.#timing = timing
    this.#loader = loader
    this.#query = query
    if (this.#pending !== undefined) {
      this.#typesLoading = this.#loadTypes(this.#pending, loaded.timeline, signal)
      // Whoever asks for the types is told of their failure; so is the channel.
      this.#typesLoading.catch(() => {})
    }
  }

  /** Loads the types behind the symbols. */
  async #loadTypes(pending: PendingTypes, timeline: Timeline, signal: AbortSignal | undefined): Promise<void> {
    try {
      // Whoever opened the kernel goes first.
      await turn()
      const ends = [this.#closing.signal, ...(signal === undefined ? [] : [signal])]
      const types = await pending.load(AbortSignal.any(ends))
      if (this.#memory !== undefined) this.#memory = { ...this.#memory, types }
      this.#timing = { ...this.#timing, typesMs: timeline.elapsed, spans: timeline.spans }
      if (arrived.hasSubscribers) arrived.publish({ part: 'types', generation: 1 })
    } catch (error) {
      const closed = this.#closing.signal.aborted
      if (arrived.hasSubscribers && !closed) arrived.publish({ part: 'types', generation: 1, error })
      throw closed ? new ClosedError('this kernel was closed before its types were there', { cause: error }) : error
    }
  }

  /**
   * Waits for a part of the current snapshot, or without one for all of it: at once, unless it was opened with `ready`.
   * Without waiting, a lookup that needs types loads them itself.
   * @throws what loading that part throws; AbortedError if the signal aborts the waiting; ClosedError
   */
  async ready(part?: KernelPart, options: { readonly signal?: AbortSignal | undefined } = {}): Promise<void> {
    this.#checkOpen()
    if (part === 'symbols' || this.#pending === undefined || this.#pending.loaded !== undefined) return
    await until(this.#typesLoading, options.signal)
  }

  /** How the first load went. */
  get timing(): Timing {
    return this.#timing
  }

  /** The number of the current snapshot. */
  get generation(): number {
    return this.#snapshot.generation
  }

  /** The current snapshot's symbols. */
  get symbols(): SymbolTable {
    return this.#snapshot.symbols
  }

  /** The current snapshot's types. */
  get types(): Types {
    return this.#snapshot.types
  }

  /** Plans probes over the current snapshot. */
  get probes(): Probes {
    return this.#snapshot.probes
  }

  get host(): HostFacts {
    return this.#snapshot.host
  }

  /**
   * Whether the current snapshot came from the cache and has not been checked against the kernel yet. What has happened
   * since it was written, such as a bpf program that was loaded, is not in it.
   */
  get provisional(): boolean {
    return this.#provisional
  }

  /**
   * Waits for the check of a snapshot that came from the cache, and tells whether it had to be replaced; at once for any
   * other. A check that failed is made again by the next call.
   * @throws what `openKernel` throws; the snapshot stays provisional then
   */
  verified(): Promise<Refreshed> {
    if (this.#provisional) return this.refresh()
    const { generation } = this
    this.#verified ??= Promise.resolve({ changed: false, generation, timing: this.timing })
    return this.#verified
  }

  /** What became of the cache: files opened, written, or ignored with the reason. Also on the channel `kerndex:cache`. */
  get cacheReports(): readonly CacheReport[] {
    return this.#opening.reports
  }

  /** The lines of the text that are no symbol lines. */
  get skipped(): SkippedLines {
    return this.#snapshot.skipped
  }

  /** Pins the current snapshot: it stays whole and unchanged for as long as it is held. */
  snapshot(): Reader {
    return this.#snapshot
  }

  /** The structured-cloneable reference that `attachKernel` takes in any thread. */
  handle(): Handle {
    return this.#snapshot.handle()
  }

  /**
   * The symbol and offset of every address, in order, through the query pool; on this thread where they are few.
   * @throws ClosedError, AbortedError, WorkerFailedError
   */
  async findMany(addresses: BigUint64Array, options: BulkOptions = {}): Promise<BulkAnswer> {
    this.#checkOpen()
    return this.#query.findMany(this.#snapshot.symbols, addresses, options)
  }

  /**
   * What starts at every address, in order, through the query pool.
   * @throws ClosedError, AbortedError, WorkerFailedError
   */
  async startingAtMany(addresses: BigUint64Array, options: BulkOptions = {}): Promise<StartingAnswer> {
    this.#checkOpen()
    return this.#query.startingAtMany(this.#snapshot.symbols, addresses, options)
  }

  /**
   * The symbols of every name, in order, through the query pool.
   * @throws ClosedError, AbortedError, WorkerFailedError
   */
  async namedMany(names: readonly string[], options: BulkOptions = {}): Promise<NamedAnswer> {
    this.#checkOpen()
    return this.#query.namedMany(this.#snapshot.symbols, names, options)
  }

  /**
   * The ids of the symbols whose names match a pattern, in table order, through the query pool.
   * @throws ClosedError, AbortedError, WorkerFailedError
   */
  async matching(
    pattern: Pattern,
    options: BulkOptions & { readonly owner?: Pattern | undefined } = {},
  ): Promise<Uint32Array> {
    this.#checkOpen()
    return this.#query.matching(this.#snapshot.symbols, pattern, options)
  }

  /**
   * Reads the source again, beside the current snapshot, and publishes what it finds in one step as the next generation.
   * Content that is the same publishes nothing. Calls made while one is under way join it. After a failure the current
   * snapshot stays.
   * @throws what `openKernel` throws; ClosedError
   */
  refresh(): Promise<Refreshed> {
    this.#refreshing ??= this.#refresh().finally(() => {
      this.#refreshing = undefined
    })
    return this.#refreshing
  }

  async #refresh(): Promise<Refreshed> {
    this.#checkOpen()
    try {
      // One load after the other; what is missing after a failure is loaded by this one.
      await this.#typesLoading?.catch(() => {})
      this.#checkOpen()
      const before = this.#snapshot
      const { handle, memory, timeline } = await this.#opening.again(before.generation + 1, this.#memory)
      this.#checkOpen()
      const timing = { readyMs: timeline.elapsed, threads: this.timing.threads, spans: timeline.spans }
      this.#memory = memory ?? this.#memory
      this.#provisional = false
      const verified = { changed: handle.generation !== before.generation, generation: handle.generation, timing }
      this.#verified ??= Promise.resolve(verified)
      if (!verified.changed) return verified
      this.#snapshot = new Reader(handle)
      this.#pending = undefined
      const change = new Change(before, this.#snapshot)
      if (published.hasSubscribers) published.publish({ change })
      for (const listener of [...this.#listeners]) listener(change)
      return verified
    } catch (error) {
      // A check that ends because the kernel is closed is nobody's failure.
      if (published.hasSubscribers && !this.#closing.signal.aborted) published.publish({ error })
      throw error
    }
  }

  /**
   * Calls `listener` with every change that a refresh publishes, until the returned function is called. An error that it
   * throws reaches the caller of `refresh`.
   */
  subscribe(listener: (change: Change) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /**
   * Refreshes at an interval and yields every change. Ends when the signal aborts, when the kernel is closed, or after
   * `refreshes` of them; never more than one refresh is under way.
   * @throws what `refresh` throws: the watch ends with the first failure, the snapshot stays
   */
  async *watch(options: WatchOptions): AsyncGenerator<Change, void, void> {
    const { intervalMs, signal, refreshes = Number.POSITIVE_INFINITY } = options
    if (!(intervalMs >= SHORTEST_INTERVAL_MS)) {
      throw new UsageError(`intervalMs must be at least ${SHORTEST_INTERVAL_MS}, not ${intervalMs}`)
    }
    this.#checkOpen()
    const changes: Change[] = []
    const unsubscribe = this.subscribe((change) => changes.push(change))
    const ends = AbortSignal.any([this.#closing.signal, ...(signal === undefined ? [] : [signal])])
    try {
      for (let i = 0; i < refreshes && !ends.aborted; i++) {
        await sleep(intervalMs, undefined, { signal: ends }).catch(() => {})
        if (ends.aborted) return
        await this.refresh()
        yield* changes.splice(0)
      }
    } finally {
      unsubscribe()
    }
  }

  /** Ends the threads and every watch, and waits for a cache file that is being written. Snapshots and readers stay usable. */
  async close(): Promise<void> {
    this.#closing.abort()
    await Promise.all([this.#loader()?.close(), this.#query.close(), this.#typesLoading?.catch(() => {})])
    await this.#opening.close()
  }

  #checkOpen(): void {
    if (this.#closing.signal.aborted) throw new ClosedError('this kernel was closed; open it anew')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}

/**
 * Loads a kernel's symbols and types.
 * @throws NoPermissionError if the addresses are hidden or the file may not be read; NotReadableError if there is nothing
 * to read; WorkerFailedError, AbortedError, LimitError; UsageError for a wrong option
 */
export function openKernel(options: OpenOptions = {}): Promise<Kernel> {
  return openKernelOn(RUNNING, options)
}

/** What stands for the running kernel, and who uses the cache. */
export interface Machine {
  readonly live: () => Source
  readonly user: CacheUser
}

const RUNNING: Machine = { live: liveSource, user: thisUser() }

/** The same on another machine than this one; for tests. @throws as `openKernel` */
export async function openKernelOn(machine: Machine, options: OpenOptions = {}): Promise<Kernel> {
  const threads = options.threads ?? defaultThreads()
  if (!Number.isInteger(threads) || threads < 0 || threads > MOST_THREADS) {
    throw new UsageError(`threads must be a whole number from 0 to ${MOST_THREADS}, not ${threads}`)
  }
  const keep = keepOf(options)
  const modules = options.modules === undefined ? undefined : new Set(options.modules)
  const all = modules === undefined && keep.data === undefined
  const types = options.types ?? true
  const symbolsFirst = isSymbolsFirst(options)
  // A thread that reads ahead costs as much as it saves, unless there is more to do meanwhile than the symbols.
  const ahead = threads === 0 || types === false || symbolsFirst ? undefined : workerUrl('reader')
  let loader: LoaderThreads | undefined
  let loaderThreads = 0
  const loading = (source: Source): Load => {
    return async (generation, more) => {
      const first = generation === 1 ? { signal: options.signal, onProgress: options.onProgress } : {}
      if (loader === undefined) {
        loaderThreads = types !== true || (await isSmall(source)) ? 0 : threads
        if (loaderThreads > 0) loader = new Threads<LoaderTask, LoaderResult>(workerUrl('loader'), loaderThreads)
      }
      return loadKernel(source, generation, {
        threads: loader,
        ahead: generation === 1 ? ahead : undefined,
        types,
        probes: options.probes,
        keep,
        modules,
        ...first,
        ...more,
        symbolsFirst: symbolsFirst && generation === 1,
      })
    }
  }
  const opening = await openingOf(machine, options, all, loading)
  try {
    const loaded = await opening.first()
    const allowed = options.threads ?? loaderThreads
    const timing = { readyMs: loaded.timeline.elapsed, threads: allowed, spans: loaded.timeline.spans }
    const kernel = new Kernel(opening, loaded, timing, () => loader, new QueryPool(threads), options.signal)
    if (options.probes === true) kernel.probes.prepare()
    if (loaded.provisional === true) {
      const check = kernel.verified()
      if (typeof options.cache === 'object' && options.cache.wait === true) await check
      // Whoever asks for the check is told of its failure; so is the channel.
      else check.catch(() => {})
    }
    return kernel
  } catch (error) {
    await Promise.all([opening.close(), loader?.close()])
    throw error
  }
}

/** How the options have a kernel opened. */
async function openingOf(
  machine: Machine,
  options: OpenOptions,
  all: boolean,
  loading: (source: Source) => Load,
): Promise<Opening> {
  const { from, cache = false, types = true, probes } = options
  const symbolsFirst = isSymbolsFirst(options)
  if (from !== undefined && isSnapshotFile(from)) {
    if (all) return snapshotOpening(from, types !== false && symbolsFirst ? 'later' : types !== false)
    const { handle } = await readSnapshotFile(from, 1, types !== false)
    return plainOpening(loading(snapshotSource(new Reader(handle))))
  }
  const source = from === undefined ? machine.live() : await openSource(from)
  const load = loading(source)
  if (cache === false || source.kind !== 'live' || !all) return plainOpening(load)
  return cachedOpening(source, machine.user, cache === true ? {} : cache, { types, probes, symbolsFirst }, load)
}

/** @throws UsageError */
function isSymbolsFirst({ ready = 'all' }: OpenOptions): boolean {
  if (ready !== 'all' && ready !== 'symbols') throw new UsageError(`ready must be 'all' or 'symbols', not ${ready}`)
  return ready === 'symbols'
}

/** What a promise gives, unless the signal aborts first. @throws AbortedError */
async function until(promise: Promise<void> | undefined, signal: AbortSignal | undefined): Promise<void> {
  if (signal === undefined) return promise
  let abort = () => {}
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(new AbortedError('the waiting was aborted', { cause: signal.reason }))
  })
  if (signal.aborted) abort()
  else signal.addEventListener('abort', abort)
  try {
    await Promise.race([promise, aborted])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

/** What the options leave in the table. @throws UsageError */
function keepOf({ symbols = 'all', modules }: OpenOptions): Keep {
  const owners = modules && new Set(modules)
  if (symbols === 'all') return { owners }
  if (symbols?.text !== true || !Array.isArray(symbols.data)) {
    throw new UsageError("symbols must be 'all' or { text: true, data: [names of data symbols to keep] }")
  }
  return { owners, data: new Set(symbols.data) }
}

/**
 * Attaches a handle in any thread: a snapshot with the same lookups, at once and without a copy.
 * @throws UsageError, BadFormatError, UnsupportedError if it is no handle of this version
 */
export function attachKernel(handle: Handle): Reader {
  return new Reader(handle)
}

/**
 * Whether a load is done sooner without threads. A cold pool costs as much processor time as a whole kernel's symbols and
 * types, because every thread compiles the same code; it pays where there are very many module blobs.
 */
async function isSmall(source: Source): Promise<boolean> {
  const files = await source.btfFiles()
  return isAbsence(files) || !poolPays(files.length)
}

function defaultThreads(): number {
  const cores = availableParallelism()
  return cores < 2 ? 0 : Math.min(cores, MOST_DEFAULT_THREADS)
}
