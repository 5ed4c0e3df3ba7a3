// The object that users hold: a kernel that was opened, its current snapshot and its threads.

import { channel } from 'node:diagnostics_channel'
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises'
import type { Types } from './btf/types.ts'
import { callback, choice, options as optionsOf } from './core/arguments.ts'
import { ClosedError } from './core/errors.ts'
import { INSPECT, type Inspect, inspected } from './core/explain.ts'
import { until } from './core/until.ts'
import type { CacheReport, KernelLoad } from './load/cached-file.ts'
import type { LoadMemory } from './load/load.ts'
import type { Opening } from './load/opening.ts'
import { type Timeline, type Timing, timingOf } from './load/timeline.ts'
import type { Probes } from './probes/probes.ts'
import { BULK_OPTIONS, type BulkOptions, type MatchOptions, type QueryPool } from './query/pool.ts'
import { Reader } from './reader.ts'
import { Change } from './snapshot/changes.ts'
import type { HostFacts, SkippedLines } from './snapshot/host-facts.ts'
import { PendingTypes } from './snapshot/pending-types.ts'
import type { Handle } from './snapshot/snapshot.ts'
import type { Stacks } from './stacks/stacks.ts'
import type { BulkAnswer, Pattern, StartingAnswer } from './symbols/arguments.ts'
import type { NamedAnswer } from './symbols/lookup-names.ts'
import type { SymbolTable } from './symbols/table.ts'
import { type WatchOptions, watchOptions } from './watch-options.ts'

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

const PART = choice<KernelPart>('symbols', 'types')

const CLOSED = () => new ClosedError('this kernel was closed; open it anew')

/** Every published change is announced here, and every refresh that failed. */
const published = channel('kerndex:refresh')

/** Types that came behind the symbols are announced here, and why they did not. */
const arrived = channel('kerndex:ready')

/** An opened kernel. Close it, or let `await using` do so, to end its threads and what goes on. */
export class Kernel {
  #timing: Timing
  #snapshot: Reader
  /** The loading of the current snapshot's types; undefined where they came with it. */
  #typesLoading: Promise<void> | undefined
  #pending: PendingTypes | undefined
  #memory: LoadMemory | undefined
  #provisional: boolean
  #verified: Promise<Refreshed> | undefined
  #refreshing: Promise<Refreshed> | undefined
  readonly #opening: Opening
  readonly #query: QueryPool
  readonly #listeners = new Set<(change: Change) => void>()
  #control: AbortController | undefined
  #closed = false

  /** Use `openKernel`. `opening` loads the source anew; `loaded` is what it gave the first time. */
  constructor(opening: Opening, loaded: KernelLoad, timing: Timing, query: QueryPool, signal?: AbortSignal) {
    this.#opening = opening
    this.#pending = loaded.rest && new PendingTypes(loaded.rest)
    this.#snapshot = new Reader(loaded.handle, this.#pending, loaded.bringNames)
    this.#memory = loaded.memory
    this.#provisional = loaded.provisional === true
    this.#timing = timing
    this.#query = query
    if (this.#pending !== undefined) {
      this.#typesLoading = this.#loadTypes(this.#pending, loaded.timeline, signal)
      // A failure is thrown by `ready` and by lookups of types, and published on the channel.
      this.#typesLoading.catch(() => {})
    }
  }

  /** Ends what goes on behind the opening. Made when something does: the first of a process takes its time. */
  get #closing(): AbortController {
    this.#control ??= new AbortController()
    return this.#control
  }

  /** Loads the types behind the symbols. */
  async #loadTypes(pending: PendingTypes, timeline: Timeline, signal: AbortSignal | undefined): Promise<void> {
    try {
      // The caller of `openKernel` goes on first.
      await turn()
      const ends = [this.#closing.signal, ...(signal === undefined ? [] : [signal])]
      const types = await pending.load(AbortSignal.any(ends))
      if (this.#memory !== undefined) this.#memory = { ...this.#memory, types }
      this.#timing = timingOf(timeline, this.#timing.readyMs, timeline.elapsed)
      if (arrived.hasSubscribers) arrived.publish({ part: 'types', generation: 1 })
    } catch (error) {
      const closed = this.#closed
      if (arrived.hasSubscribers && !closed) arrived.publish({ part: 'types', generation: 1, error })
      throw closed ? new ClosedError('this kernel was closed before its types were there', { cause: error }) : error
    }
  }

  /**
   * Waits for a part of the current snapshot, or without one for all of it: at once, unless it was opened with `ready`.
   * Without waiting, a lookup that needs types loads them itself.
   * @throws what loading that part throws; AbortedError if the signal aborts the waiting; ClosedError
   */
  async ready(part?: KernelPart, options: BulkOptions = {}): Promise<void> {
    const wanted = part === undefined ? undefined : PART(part, 'part')
    const { signal } = optionsOf(options, 'ready', BULK_OPTIONS)
    this.#checkOpen()
    if (wanted === 'symbols' || this.#pending === undefined || this.#pending.loaded !== undefined) return
    if (this.#typesLoading === undefined) return
    await until(this.#untilClosed(this.#typesLoading), signal, 'the waiting')
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

  /** Looks up many stacks at once over the current snapshot. */
  get stacks(): Stacks {
    return this.#snapshot.stacks
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
   * since it was written, such as a bpf program that was loaded, is not in it; of a file of another boot only the core kernel is:
   * addresses of all else have the reason `not_loaded_yet`.
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

  /** Reports of the cache: files opened, written, or ignored with the reason. Also on the channel `kerndex:cache`. */
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
   * The symbols that start at every address, in order, through the query pool.
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
  async matching(pattern: Pattern, options: MatchOptions = {}): Promise<Uint32Array> {
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
    if (this.#closed) return Promise.reject(CLOSED())
    this.#refreshing ??= this.#refresh().finally(() => {
      this.#refreshing = undefined
    })
    return this.#untilClosed(this.#refreshing)
  }

  async #refresh(): Promise<Refreshed> {
    this.#checkOpen()
    try {
      // One load after the other; what is missing after a failure is loaded by this one.
      await this.#typesLoading?.catch(() => {})
      this.#checkOpen()
      const before = this.#snapshot
      const { signal } = this.#closing
      const { handle, memory, timeline } = await this.#opening.again(before.generation + 1, this.#memory, signal)
      this.#checkOpen()
      const timing = timingOf(timeline)
      this.#memory = memory ?? this.#memory
      this.#provisional = false
      const verified = { changed: handle.generation !== before.generation, generation: handle.generation, timing }
      this.#verified ??= Promise.resolve(verified)
      if (!verified.changed) return verified
      this.#snapshot = new Reader(handle)
      this.#pending = undefined
      const change = new Change(before, this.#snapshot)
      if (published.hasSubscribers) published.publish({ change })
      this.#tell(change)
      return verified
    } catch (error) {
      // A check that ends because the kernel is closed is no failure.
      if (published.hasSubscribers && !this.#closed) published.publish({ error })
      throw error
    }
  }

  /**
   * Calls `listener` with every change that a refresh publishes, until the returned function is called. An error that it
   * throws reaches the caller of `refresh`, once all listeners have been called; of several errors the first.
   */
  subscribe(listener: (change: Change) => void): () => void {
    callback(listener, 'listener')
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Calls every listener, whatever the others do. */
  #tell(change: Change): void {
    const failures: unknown[] = []
    for (const listener of [...this.#listeners]) {
      try {
        listener(change)
      } catch (error) {
        failures.push(error)
      }
    }
    if (failures.length > 0) throw failures[0]
  }

  /** What a promise gives, unless this kernel is closed first. @throws ClosedError */
  #untilClosed<T>(promise: Promise<T>): Promise<T> {
    return until(promise, this.#closing.signal, 'the work', CLOSED)
  }

  /**
   * Refreshes at an interval and yields every change. Ends when the signal aborts, when the kernel is closed, or after
   * `refreshes` of them; never more than one refresh is under way.
   * @throws what `refresh` throws: the watch ends with the first failure, the snapshot stays
   */
  async *watch(options: WatchOptions): AsyncGenerator<Change, void, void> {
    const { intervalMs, signal, refreshes = Number.POSITIVE_INFINITY } = watchOptions(options)
    this.#checkOpen()
    const changes: Change[] = []
    const unsubscribe = this.subscribe((change) => changes.push(change))
    const ends = AbortSignal.any([this.#closing.signal, ...(signal === undefined ? [] : [signal])])
    try {
      for (let i = 0; i < refreshes && !ends.aborted; i++) {
        await sleep(intervalMs, undefined, { signal: ends }).catch(() => {})
        if (ends.aborted) return
        try {
          await until(this.refresh(), ends, 'the watch')
        } catch (error) {
          // It ends, as it was told to; the failure of a refresh is another matter.
          if (ends.aborted) return
          throw error
        }
        yield* changes.splice(0)
      }
    } finally {
      unsubscribe()
    }
  }

  /**
   * Ends the threads of lookups, loads under way and every watch, and waits for a cache file that is being written. Threads of loads wait two
   * seconds for the next one, of any kernel, and keep no process alive. Snapshots and readers stay usable.
   */
  async close(): Promise<void> {
    this.#closed = true
    this.#closing.abort()
    await Promise.all([this.#query.close(), this.#typesLoading?.catch(() => {}), this.#refreshing?.catch(() => {})])
    await this.#opening.close()
  }

  #checkOpen(): void {
    if (this.#closed) throw CLOSED()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** The kernel that the current snapshot is of, and whether it is provisional or the kernel closed. */
  toJSON() {
    return { ...this.#snapshot.toJSON(), provisional: this.#provisional, closed: this.#closed }
  }

  toString(): string {
    return `kernel of ${this.#snapshot}${this.#closed ? ', closed' : ''}`
  }

  /** What `console.log` shows. */
  [INSPECT](depth: number, options: object, inspect: Inspect): string {
    return inspected('Kernel', () => this.toJSON(), depth, options, inspect)
  }
}
