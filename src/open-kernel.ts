// How a kernel is opened: from which source, with which threads, by a load, a snapshot file or the cache.

import { existsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import type { HostLayout } from './catalog/layout.ts'
import { threadsThatFit } from './core/address-space.ts'
import {
  anyOf,
  callback,
  choice,
  exactly,
  flag,
  listOf,
  nameText,
  nested,
  type Options,
  options as optionsOf,
  path,
  signal,
  whole,
  wrong,
} from './core/arguments.ts'
import { NotReadableError, UsageError } from './core/errors.ts'
import { until } from './core/until.ts'
import { Kernel } from './kernel.ts'
import type { Load } from './load/cached.ts'
import { isLayoutFile, readLayout } from './load/layout-file.ts'
import { type Lender, lendThreads } from './load/lent-threads.ts'
import { type LoadProgress, loadKernel } from './load/load.ts'
import { cachedOpening, type Opening, plainOpening, snapshotOpening } from './load/opening.ts'
import { refuseOwn } from './load/own-files.ts'
import { layoutOpening } from './load/place-layout.ts'
import { readSnapshotFile } from './load/snapshot-load.ts'
import { MOST_THREADS } from './load/threads.ts'
import { timingOf } from './load/timeline.ts'
import { poolPays } from './load/types.ts'
import { Catalog, filesOf, layoutArgument, openCatalog } from './open-catalog.ts'
import { QueryPool } from './query/pool.ts'
import { Reader } from './reader.ts'
import { type CacheUser, SNAPSHOT_CACHE_OPTIONS, type SnapshotCacheOptions, thisUser } from './snapshot/cache.ts'
import { isSnapshotFile } from './snapshot/read.ts'
import type { Handle } from './snapshot/snapshot.ts'
import { snapshotSource } from './snapshot/source.ts'
import { liveSource } from './sources/live.ts'
import { openSource } from './sources/open.ts'
import { isAbsence, type Source } from './sources/source.ts'
import type { Keep } from './symbols/build.ts'

export interface OpenOptions {
  /** undefined: the running kernel; else a capture directory or archive, a snapshot file, or a kallsyms-like file: a path, or its URL. */
  readonly from?: string | URL | undefined
  /** A layout, instead of the path of one. */
  readonly layout?: HostLayout | undefined
  /**
   * With `from` a layout file, or with `layout`: the catalogue that has its kernel, an open one or its directory. Default: the user's own, as
   * `openCatalog` has it.
   */
  readonly catalog?: string | URL | Catalog | undefined
  /**
   * Whether to open the running kernel from a file that an earlier process left, and to leave one for the next. What comes
   * from a file, of this boot or of another of the same build, is provisional until it has been checked: see `kernel.provisional` and
   * `kernel.verified`. The cache is for
   * loads of all symbols; with the options `symbols` or `modules` it is not used. Default false.
   */
  readonly cache?: boolean | KernelCacheOptions | undefined
  /**
   * Loader and query threads; 0 does everything on the calling thread. Default: by the number of cores, and for the load
   * those that wait since an earlier one, or none where the input is so small that threads would start too late to help.
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
   * waits for them, and a lookup that comes too early loads them itself, holding its thread meanwhile. From a snapshot file
   * and the cache everything is waited for in the sense that all of it can be asked: types are found by name and id in the
   * file, and what more is asked of them is read then, or right behind the opening; a handle always has them.
   */
  readonly ready?: 'all' | 'symbols' | undefined
  /** Read at once what plans of probes need of the host's files. Default false: the first plan reads them itself. */
  readonly probes?: boolean | undefined
  /**
   * Read where the sections of modules begin from the running kernel too, as root: then the pieces of a module's memory end exactly
   * where they do. About thirty files a module, which together take longer than kallsyms. Captures and snapshots have
   * them at hand, and are always asked. The cache is not used with it. Default false.
   */
  readonly sections?: boolean | undefined
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

/** Most threads that are started unless the caller asks for more. */
const MOST_DEFAULT_THREADS = 4

/**
 * Loads a kernel's symbols and types. A path alone, or its URL, stands for `{ from }`.
 * @throws NoPermissionError if the addresses are hidden or the file may not be read; NotReadableError if there is nothing
 * to read; WorkerFailedError, AbortedError, LimitError; UsageError for a wrong option
 */
export function openKernel(options: OpenOptions | string | URL = {}): Promise<Kernel> {
  return openKernelOn({ live: () => liveSource(), user: thisUser() }, options)
}

/** Both have to be said. */
function textAndData(value: unknown, name: string): { readonly text: true; readonly data: readonly string[] } {
  const given = nested<{ text?: true; data?: readonly string[] }>(TEXT_AND_DATA)(value, name)
  const { text, data } = given
  if (text === undefined || data === undefined)
    throw wrong(name, '{ text: true, data: [names of data symbols to keep] }', value)
  return { text, data }
}

const TEXT_AND_DATA: Options<{ text?: true; data?: readonly string[] }> = {
  text: exactly<true>(true),
  data: listOf(nameText, 'names'),
}

const CACHE_OPTIONS: Options<KernelCacheOptions> = { ...SNAPSHOT_CACHE_OPTIONS, wait: flag }

/** A catalogue, or the directory of one. */
function catalogArgument(value: unknown, name: string): string | Catalog {
  if (value instanceof Catalog) return value
  if (typeof value === 'string' || value instanceof URL) return path(value, name)
  throw wrong(name, 'a directory, or what openCatalog gave', value)
}

/** The options of `openKernel`, with their checks. */
const OPEN_OPTIONS: Options<OpenOptions> = {
  from: path,
  // Asked for only where a layout is given: the catalogue is a part of its own.
  layout: (value, name) => layoutArgument(value, name),
  catalog: catalogArgument,
  cache: anyOf<boolean | KernelCacheOptions>(
    'true, false or { directory, maxBytes, wait }',
    [true, false],
    nested(CACHE_OPTIONS),
  ),
  threads: whole(0, MOST_THREADS),
  symbols: anyOf<NonNullable<OpenOptions['symbols']>>(
    "'all' or { text: true, data: [names of data symbols to keep] }",
    ['all'],
    choice('all'),
    textAndData,
  ),
  modules: listOf(nameText, 'names'),
  types: anyOf<boolean | 'lazy'>("true, false or 'lazy'", [true, false, 'lazy'], choice('lazy')),
  ready: choice('all', 'symbols'),
  probes: flag,
  sections: flag,
  signal,
  onProgress: callback,
}

/** The options as they are used from here on. */
interface Opened extends OpenOptions {
  readonly from?: string | undefined
}

/** @throws UsageError */
function checked(given: OpenOptions | string | URL): Opened {
  const whole = typeof given === 'string' || given instanceof URL ? { from: given } : given
  // The check of `from` makes a path of a URL.
  return optionsOf(whole, 'openKernel', OPEN_OPTIONS) as Opened
}

/** What stands for the running kernel, and who uses the cache. */
export interface Machine {
  readonly live: () => Source
  readonly user: CacheUser
}

/** The same on another machine than this one; for tests. @throws as `openKernel` */
export async function openKernelOn(machine: Machine, given: OpenOptions | string | URL = {}): Promise<Kernel> {
  const options = checked(given)
  const opening = open(machine, options)
  try {
    return await until(opening, options.signal, 'the load')
  } catch (error) {
    // One that is opened nevertheless has no owner any more.
    if (options.signal?.aborted === true) opening.then((kernel) => kernel.close()).catch(() => {})
    throw error
  }
}

async function open(machine: Machine, options: Opened): Promise<Kernel> {
  let fitting: number | undefined
  // Asked for when threads are: a kernel that comes from a file needs none to be ready.
  const threads = () => (fitting ??= threadsThatFit(options.threads ?? defaultThreads()))
  const keep = keepOf(options)
  const modules = options.modules === undefined ? undefined : new Set(options.modules)
  const all = modules === undefined && keep.data === undefined
  const types = options.types ?? true
  const symbolsFirst = isSymbolsFirst(options)
  let small: boolean | undefined
  const loading = (source: Source): Load => {
    return async (generation, more) => {
      const first = generation === 1 ? { signal: options.signal, onProgress: options.onProgress } : {}
      // Decided once: thousands of modules do not come between two loads.
      small ??= options.threads === undefined && (types !== true || (await isSmall(source)))
      // Who asks for threads gets them; where they would not pay for their start, those that have started already are taken.
      const count = small ? undefined : threads()
      const lend: Lender = (work) => lendThreads(count, work)
      const settings = { lend, types, probes: options.probes, sections: options.sections, keep, modules }
      return lend((lent) =>
        loadKernel(source, generation, {
          ...settings,
          threads: lent,
          ...first,
          ...more,
          symbolsFirst: symbolsFirst && generation === 1,
        }),
      )
    }
  }
  const opening = await openingOf(machine, options, all, loading)
  try {
    const loaded = await opening.first()
    const timing = timingOf(loaded.timeline)
    const kernel = new Kernel(opening, loaded, timing, new QueryPool(threads), options.signal)
    if (options.probes === true) kernel.probes.prepare()
    if (loaded.provisional !== true) return kernel
    if (typeof options.cache === 'object' && options.cache.wait === true) {
      // Closing the kernel ends the check.
      await until(kernel.verified(), options.signal, 'the check').catch(async (error: unknown) => {
        await kernel.close()
        throw error
      })
    } else {
      // The caller goes on first. A failure is thrown by `verified`, and published on the channel.
      process.nextTick(() => kernel.verified().catch(() => {}))
    }
    return kernel
  } catch (error) {
    await opening.close()
    throw error
  }
}

/** How the options have a kernel opened. */
async function openingOf(
  machine: Machine,
  options: Opened,
  all: boolean,
  loading: (source: Source) => Load,
): Promise<Opening> {
  const { from, cache = false, types = true, probes } = options
  const symbolsFirst = isSymbolsFirst(options)
  if (from !== undefined && isSnapshotFile(from)) {
    if (all) return snapshotOpening(from, types === false ? false : symbolsFirst ? 'behind' : 'named')
    const { handle } = await readSnapshotFile(from, 1, types !== false)
    return plainOpening(loading(snapshotSource(new Reader(handle))))
  }
  const { catalog, layout: given } = options
  if (given !== undefined && from !== undefined)
    throw new UsageError('from and layout exclude each other: give one of them')
  if (given !== undefined || (from !== undefined && isLayoutFile(from))) {
    const files = filesOf(
      catalog instanceof Catalog ? catalog : await openCatalog({ directory: catalog }, machine.user),
    )
    const read = given === undefined ? () => readLayout(from!) : () => given // One of them is there.
    const source = from ?? 'a layout'
    if (all) return layoutOpening(read, source, from, files, options.signal)
    const handle = await files.place(read(), source, 1, options.signal)
    return plainOpening(loading(snapshotSource(new Reader(handle))))
  }
  if (from !== undefined) refuseOwn(from)
  if (catalog !== undefined) {
    if (from !== undefined && !existsSync(from))
      throw new NotReadableError(`${from} cannot be read: there is no such file`)
    throw new UsageError('catalog goes with a layout: give `from` the path of one, as kerndex layout writes it')
  }
  const source = from === undefined ? machine.live() : await openSource(from, options.signal)
  const load = loading(source)
  if (cache === false || source.kind !== 'live' || !all || options.sections === true) return plainOpening(load)
  return cachedOpening(source, machine.user, cache === true ? {} : cache, { types, probes, symbolsFirst }, load)
}

function isSymbolsFirst({ ready }: OpenOptions): boolean {
  return ready === 'symbols'
}

/** What the options leave in the table. */
function keepOf({ symbols = 'all', modules }: OpenOptions): Keep {
  const owners = modules && new Set(modules)
  return symbols === 'all' ? { owners } : { owners, data: new Set(symbols.data) }
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
