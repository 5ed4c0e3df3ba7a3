// The running kernel by way of the cache: opened from a file where there is one (cached-file.ts), checked against the kernel afterwards,
// and written for the next process.

import { channel } from 'node:diagnostics_channel'
import { setImmediate as turn } from 'node:timers/promises'
import { coreOf } from '../catalog/boot-core.ts'
import { NotReadableError } from '../core/errors.ts'
import type { CacheKey, SnapshotCache } from '../snapshot/cache.ts'
import { cachedContent } from '../snapshot/content.ts'
import { identitiesOf } from '../snapshot/format.ts'
import type { HostFacts } from '../snapshot/host-facts.ts'
import { keepCode } from '../snapshot/keep-code.ts'
import { type LoadedTypes, NO_TYPES } from '../snapshot/loaded-types.ts'
import type { TextDigests } from '../snapshot/meta.ts'
import { allAbsences } from '../snapshot/pending-types.ts'
import type { SnapshotReader } from '../snapshot/read.ts'
import { btfIdentity } from '../sources/blob.ts'
import type { BtfFile, Source } from '../sources/source.ts'
import { SymbolTable } from '../symbols/table.ts'
import { CachedFiles, type CacheReport, type FromFile, type KernelLoad } from './cached-file.ts'
import { hostNow, sameModules } from './host.ts'
import { sameSets } from './later.ts'
import type { Loaded, LoadMemory, LoadOptions } from './load.ts'
import { Pacer } from './pacer.ts'
import { isSameText } from './text-digests.ts'
import { Timeline } from './timeline.ts'

/** The outcome of every use of the cache is published here. */
const used = channel('kerndex:cache')

/** Loads a source with the options that the caller gave and these. */
export type Load = (generation: number, more: Pick<LoadOptions, 'earlier' | 'knownTypes' | 'signal'>) => Promise<Loaded>

/** Loads one kernel again and again, the first time from the cache if it can. */
export class CachedKernel {
  readonly reports: CacheReport[] = []
  readonly #source: Source
  readonly #cache: SnapshotCache
  readonly #options: Pick<LoadOptions, 'types' | 'probes' | 'symbolsFirst'>
  readonly #load: Load
  readonly #files: CachedFiles
  #control: AbortController | undefined
  #fromFile: FromFile | undefined
  #writing: Promise<void> = Promise.resolve()
  /** How this kernel was opened. */
  #way = 'load'

  /** `load` loads the source with the caller's options and a few more. */
  constructor(
    source: Source,
    cache: SnapshotCache,
    options: Pick<LoadOptions, 'types' | 'probes' | 'symbolsFirst'>,
    load: Load,
  ) {
    this.#source = source
    this.#cache = cache
    this.#options = options
    this.#load = load
    this.#files = new CachedFiles(source, cache, options, (report) => this.#report(report))
  }

  /** Ends the check. Made when there is one: the first of a process takes its time, and opening has none. */
  get #closing(): AbortController {
    this.#control ??= new AbortController()
    return this.#control
  }

  #report(report: CacheReport): void {
    this.reports.push(report)
    if (used.hasSubscribers) used.publish(report)
  }

  /** The first load. @throws as `loadKernel` */
  async first(): Promise<KernelLoad> {
    const cache = this.#cache
    const host = hostNow(this.#source)
    const key = keyOf(host)
    let knownTypes: LoadedTypes | undefined
    if (key === undefined) {
      const error = new NotReadableError('no cache: the kernel gives no build id or no boot id to know it by')
      this.#report({ did: 'ignored', path: cache.directory, error })
    } else {
      try {
        const opened = (await this.#files.open(key, host)) ?? (await this.#files.openEarlier(key, host))
        if (opened !== undefined) {
          this.#way = opened.file.text === undefined ? 'another boot' : 'same boot'
          this.#fromFile = opened.file
          return opened.load
        }
        knownTypes = await this.#files.knownTypes(key)
      } catch (error) {
        this.#report({ did: 'ignored', path: cache.pathOf(key), error })
      }
    }
    const loaded = await this.#load(1, { knownTypes })
    const { rest } = loaded
    if (rest === undefined) {
      this.#store(loaded)
      return loaded
    }
    return { ...loaded, rest: { ...rest, loaded: (types) => this.#store(withTypes(loaded, types)) } }
  }

  /** A later load: the check of a snapshot that came from a file, or a load beside an earlier one. @throws as `loadKernel` */
  async again(generation: number, earlier: LoadMemory | undefined, signal: AbortSignal): Promise<KernelLoad> {
    const file = this.#fromFile
    if (file === undefined) return this.#load(generation, { earlier, signal })
    this.#cache.touch(file.path)
    const timeline = new Timeline()
    if ((await this.#hasNames(file)) && (await this.#isCurrent(file, timeline, signal))) {
      this.#keepCode()
      return { handle: file.handle, memory: undefined, timeline }
    }
    const loaded = await this.#load(generation, { knownTypes: file.types, signal })
    this.#fromFile = undefined
    this.#store(loaded)
    return isSame(file, loaded) ? { ...loaded, handle: file.handle } : loaded
  }

  /** Ends a check that is under way, and waits for the file that is being written. */
  async close(): Promise<void> {
    this.#closing.abort()
    if (this.#fromFile !== undefined) await this.#hasNames(this.#fromFile)
    this.#keepCode()
    await this.#writing
  }

  /** By now most of what is compiled in a process has been. */
  #keepCode(): void {
    const way = this.#way
    this.#writing = this.#writing.then(() => keepCode(way))
  }

  /**
   * The types of a load, and those that only the file has which is about to be replaced: a load without types, or with
   * those of vmlinux only, takes none from the next process.
   */
  async #withStoredTypes(key: CacheKey, types: LoadedTypes): Promise<LoadedTypes> {
    const { types: wanted = true } = this.#options
    if (wanted === true) return types
    const loaded = new Set(types.records.map(({ name }) => name))
    let reader: SnapshotReader | undefined
    try {
      reader = this.#cache.open(key)
      if (reader === undefined) return types
      const stored = await reader.read({ symbols: false, groups: () => true, facts: false })
      const others = stored.types.filter(({ name }) => !loaded.has(name))
      return {
        ...types,
        records: [...types.records, ...others],
        identities: new Map([...identitiesOf(reader.plan.meta), ...types.identities]),
      }
    } catch {
      // It was reported when it was opened.
      return types
    } finally {
      reader?.close()
    }
  }

  /** Reads the names that the opening left in the file; whether it has them. They are for whoever holds the table, whatever the check says. */
  async #hasNames({ names, path }: FromFile): Promise<boolean> {
    try {
      for (const _ of names.bring()) await turn()
      return true
    } catch (error) {
      this.#report({ did: 'ignored', path, error })
      return false
    }
  }

  /** Whether the kernel still is what the file said. */
  async #isCurrent(
    { handle, types, files, text }: FromFile,
    timeline: Timeline,
    signal: AbortSignal,
  ): Promise<boolean> {
    if (types === undefined || text === undefined) return false
    const host = hostNow(this.#source)
    if (!sameModules(host.modules, handle.host.modules)) return false
    const names = (listed: readonly BtfFile[]) => listed.map(({ module }) => module).join()
    if (names((await this.#files.wantedTypes(host)).files) !== names(files)) return false
    const loaded = new Set(types.records.map(({ name }) => name))
    const replaced = files.some(
      (file) => loaded.has(file.module) && btfIdentity(file) !== types.identities.get(file.module),
    )
    if (replaced) return false
    const start = timeline.elapsed
    const same = await isSameText(this.#source.openSymbols(), text, new Pacer(signal))
    timeline.record('read', 'kallsyms', start)
    return same
  }

  /** Begins to write a load to the cache; nobody waits for it but `close`. */
  #store({ handle, memory }: Loaded): void {
    // Types may be loaded later than that, by a lookup in a snapshot that is still held.
    if (this.#closing.signal.aborted) return
    const cache = this.#cache
    const key = keyOf(handle.host)
    if (key === undefined) return
    this.#writing = this.#writing.then(async () => {
      try {
        const { records, identities } = await this.#withStoredTypes(key, memory.types)
        const core = await new Pacer().drive(coreOf(new SymbolTable(handle.symbols)))
        const content = cachedContent({ ...handle, types: records }, identities, digestsOf(memory), core)
        await cache.store(key, content)
        this.#report({ did: 'stored', path: cache.pathOf(key) })
      } catch (error) {
        this.#report({ did: 'ignored', path: cache.pathOf(key), error })
      }
    })
    this.#keepCode()
  }
}

/** The key of a kernel; undefined where the kernel does not tell it. */
function keyOf({ buildId, bootId }: HostFacts): CacheKey | undefined {
  return buildId === undefined || bootId === undefined ? undefined : { buildId, bootId }
}

/** A load whose types came later, as one that waited for them. */
function withTypes(loaded: Loaded, types: LoadedTypes): Loaded {
  const { host } = loaded.handle
  const absences = allAbsences(host.absences, types.absences)
  const handle = { ...loaded.handle, types: types.records, host: { ...host, absences } }
  return { ...loaded, handle, memory: { ...loaded.memory, types }, rest: undefined }
}

/** Whether a load found nothing but what the file had. */
function isSame({ handle, types }: FromFile, loaded: Loaded): boolean {
  if (types === undefined) return false
  const before = Buffer.from(handle.symbols)
  return (
    before.equals(Buffer.from(loaded.handle.symbols)) &&
    sameModules(handle.host.modules, loaded.handle.host.modules) &&
    sameSets(types, { ...NO_TYPES, records: loaded.handle.types })
  )
}

/** How the text of a load is recognised. */
function digestsOf({ text }: LoadMemory): TextDigests {
  return { chunkBytes: text.chunkBytes, digests: text.digests }
}
