// The object that users hold: a kernel that was opened, its current snapshot and its threads.

import { availableParallelism } from 'node:os'
import type { Types } from './btf/types.ts'
import { ClosedError, UsageError } from './core/errors.ts'
import { type LoadProgress, loadKernel } from './load/load.ts'
import { type Handle, type HostFacts, type SkippedLines, Snapshot } from './load/snapshot.ts'
import type { LoaderThreads } from './load/symbols.ts'
import type { LoaderResult, LoaderTask } from './load/tasks.ts'
import { Threads, workerUrl } from './load/threads.ts'
import type { Span } from './load/timeline.ts'
import { type BulkOptions, QueryPool } from './query/pool.ts'
import { openSource } from './sources/open.ts'
import type { BulkAnswer, SymbolTable } from './symbols/table.ts'

export interface OpenOptions {
  /** undefined: the running kernel; else a capture directory or a kallsyms-like file. */
  readonly from?: string | undefined
  /** Loader and query threads; 0 does everything on the calling thread. Default: by the number of cores. */
  readonly threads?: number | undefined
  /** Whether to load types; default true. */
  readonly types?: boolean
  readonly signal?: AbortSignal | undefined
  /** Called while the symbols are read. */
  readonly onProgress?: ((progress: LoadProgress) => void) | undefined
}

/** Most threads that are started unless the caller asks for more. */
const MOST_DEFAULT_THREADS = 4

/** How a load went. */
export interface Timing {
  /** Milliseconds from the call to the finished snapshot. */
  readonly readyMs: number
  readonly threads: number
  /** What was done when, on which thread. */
  readonly spans: readonly Span[]
}

/** An opened kernel. Close it, or let `await using` do so, to end its threads. */
export class Kernel {
  readonly timing: Timing
  #snapshot: Snapshot
  readonly #loader: LoaderThreads | undefined
  readonly #query: QueryPool
  #closed = false

  /** Use `openKernel`. */
  constructor(snapshot: Snapshot, timing: Timing, loader: LoaderThreads | undefined) {
    this.#snapshot = snapshot
    this.timing = timing
    this.#loader = loader
    this.#query = new QueryPool(timing.threads)
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

  get host(): HostFacts {
    return this.#snapshot.host
  }

  /** The lines of the text that are no symbol lines. */
  get skipped(): SkippedLines {
    return this.#snapshot.skipped
  }

  /** Pins the current snapshot: it stays whole and unchanged for as long as it is held. */
  snapshot(): Snapshot {
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
    if (this.#closed) throw new ClosedError('this kernel was closed; open it anew')
    return this.#query.findMany(this.#snapshot.symbols, addresses, options)
  }

  /** Ends the threads. Snapshots and readers stay usable. */
  async close(): Promise<void> {
    this.#closed = true
    await Promise.all([this.#loader?.close(), this.#query.close()])
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
export async function openKernel(options: OpenOptions = {}): Promise<Kernel> {
  const threads = options.threads ?? defaultThreads()
  if (!Number.isInteger(threads) || threads < 0) {
    throw new UsageError(`threads must be a whole number from 0 on, not ${threads}`)
  }
  const source = await openSource(options.from)
  const loader = threads === 0 ? undefined : new Threads<LoaderTask, LoaderResult>(workerUrl('loader'), threads)
  try {
    const { handle, timeline } = await loadKernel(source, 1, {
      threads: loader,
      types: options.types ?? true,
      signal: options.signal,
      onProgress: options.onProgress,
    })
    return new Kernel(new Snapshot(handle), { readyMs: timeline.elapsed, threads, spans: timeline.spans }, loader)
  } catch (error) {
    await loader?.close()
    throw error
  }
}

/**
 * Attaches a handle in any thread: a snapshot with the same lookups, at once and without a copy.
 * @throws UsageError, BadFormatError, UnsupportedError if it is no handle of this version
 */
export function attachKernel(handle: Handle): Snapshot {
  return new Snapshot(handle)
}

function defaultThreads(): number {
  const cores = availableParallelism()
  return cores < 2 ? 0 : Math.min(cores, MOST_DEFAULT_THREADS)
}
