// The file of a kernel in the cache, opened: of this boot, or of another boot of the same build. What it says has not been checked yet.

import type { EarlyTypes } from '../btf/read/set-list.ts'
import { moveCore } from '../catalog/next-boot.ts'
import { KerndexError } from '../core/errors.ts'
import type { CacheKey, SnapshotCache } from '../snapshot/cache.ts'
import { identitiesOf } from '../snapshot/format.ts'
import type { HostFacts } from '../snapshot/host-facts.ts'
import type { LateNames } from '../snapshot/late-names.ts'
import { type LoadedTypes, NO_TYPES } from '../snapshot/loaded-types.ts'
import type { TextDigests } from '../snapshot/meta.ts'
import { allAbsences, type TypesLater, typesLaterInFile } from '../snapshot/pending-types.ts'
import type { SnapshotReader } from '../snapshot/read.ts'
import type { Handle } from '../snapshot/snapshot.ts'
import { btfIdentity } from '../sources/blob.ts'
import { type BtfFile, isAbsence, type Source } from '../sources/source.ts'
import { bringPlaces } from '../symbols/stored-answers.ts'
import { firstAnchor, showsAddresses } from './first-lines.ts'
import { sameModules } from './host.ts'
import { inLoadOrder, laterFacts, restOf } from './later.ts'
import type { Loaded, LoadMemory, LoadOptions } from './load.ts'
import { Timeline } from './timeline.ts'

/** A message of the channel `kerndex:cache`, and an element of `kernel.cacheReports`. */
export interface CacheReport {
  /** `opened`: the snapshot came from the file; `stored`: it was written; `ignored`: it was not used, `error` says why. */
  readonly did: 'opened' | 'stored' | 'ignored'
  /** The file, or the directory. */
  readonly path: string
  readonly error?: unknown
}

/** A load that may have come from a file. */
export interface KernelLoad extends Omit<Loaded, 'memory'> {
  /** Undefined where nothing was parsed. */
  readonly memory: LoadMemory | undefined
  /** It came from a file and has not been checked against the kernel. */
  readonly provisional?: boolean
  /** Brings the names of the symbols, where they are still in the file. @throws BadFormatError, NotReadableError if that is damaged */
  readonly bringNames?: (() => void) | undefined
}

/** The facts by which a snapshot from a file is checked. */
export interface FromFile {
  readonly path: string
  readonly handle: Handle
  /** The names of the handle's symbols. */
  readonly names: LateNames
  /** The types that have been loaded; undefined if those of the file turned out to be damaged. */
  types: LoadedTypes | undefined
  readonly files: readonly BtfFile[]
  /** How the kernel's text is known again; undefined where the file is of another boot, whose text was another. */
  readonly text: TextDigests | undefined
}

/** A load from a file, and what it is checked by. */
export interface OpenedFile {
  readonly load: KernelLoad
  readonly file: FromFile
}

/** Opens the cache's files of one source. */
export class CachedFiles {
  readonly #source: Source
  readonly #cache: SnapshotCache
  readonly #options: Pick<LoadOptions, 'types' | 'probes' | 'symbolsFirst'>
  readonly #report: (report: CacheReport) => void

  constructor(
    source: Source,
    cache: SnapshotCache,
    options: Pick<LoadOptions, 'types' | 'probes' | 'symbolsFirst'>,
    report: (report: CacheReport) => void,
  ) {
    this.#source = source
    this.#cache = cache
    this.#options = options
    this.#report = report
  }

  /** The load from the file of a key, if there is one and it is of the kernel's present state. */
  async open(key: CacheKey, host: HostFacts): Promise<OpenedFile | undefined> {
    const timeline = new Timeline()
    const cache = this.#cache
    const options = this.#options
    const reader = cache.open(key)
    if (reader === undefined) return undefined
    const start = timeline.elapsed
    const { meta } = reader.plan
    const groups = meta.groups.map((sets) => this.#mayWant(sets.map(({ name }) => name)))
    // The types of a file can be asked for by name before they are read.
    const later = (options.symbolsFirst === true || options.types !== 'lazy') && groups.includes(true)
    const finish = reader.begin({ groups: (i) => !later && groups[i] === true })
    let rest: TypesLater | undefined
    try {
      const same =
        meta.host.buildId === key.buildId &&
        meta.host.bootId === key.bootId &&
        meta.host.release === host.release &&
        sameModules(meta.host.modules, host.modules)
      const wanted = await this.wantedTypes(host)
      const known = new Set(meta.groups.flat().map(({ name }) => name))
      const absent = new Set(meta.host.absences.map(({ what }) => what))
      const covered = [...wanted.now].every((name) => known.has(name) || absent.has(`btf/${name}`))
      cache.check()
      // A user who may not see addresses is not given them by a file either.
      const shown = await showsAddresses(this.#source.openSymbols())
      const facts = await laterFacts(this.#source, options.probes === true)
      const { types } = await finish()
      if (!same || !covered || !shown || meta.text === undefined) return undefined
      const { symbols, names } = reader.symbolsWithoutNames('symbols', bringPlaces)
      const records = types.filter(({ name }) => wanted.now.has(name))
      const handle: Handle = {
        kerndex: 1,
        generation: 1,
        symbols,
        types: records,
        host: { ...host, absences: options.types === false ? host.absences : meta.host.absences },
        skipped: meta.skipped,
        later: { facts, types: wanted.later, memory: this.#source.memoryPath },
      }
      const identities = this.#identities(reader, wanted.files)
      const loaded = { records, identities, absences: [] }
      const file: FromFile = { path: reader.path, handle, names, types: loaded, files: wanted.files, text: meta.text }
      timeline.record('read', 'snapshot', start)
      this.#report({ did: 'opened', path: reader.path })
      if (later) rest = this.#typesLater(reader, file, loaded, wanted.now, timeline)
      return { load: { handle, memory: undefined, timeline, provisional: true, rest, bringNames: names.now }, file }
    } finally {
      await finish().catch(() => {})
      if (rest === undefined) reader.close()
    }
  }

  /** The load of what a file of another boot makes certain for this one: everything else comes with the check. */
  async openEarlier(key: CacheKey, host: HostFacts): Promise<OpenedFile | undefined> {
    const timeline = new Timeline()
    const cache = this.#cache
    const options = this.#options
    const reader = cache.earlier(key)
    if (reader === undefined) return undefined
    const start = timeline.elapsed
    const { meta } = reader.plan
    const { buildId, bootId, release } = meta.host
    const isNamed = buildId === key.buildId && reader.path === cache.pathOf({ buildId, bootId: bootId ?? '' })
    if (!isNamed || meta.anchors.length === 0 || bootId === key.bootId || release !== host.release) {
      reader.close()
      return undefined
    }
    let rest: TypesLater | undefined
    try {
      const { files, now, later, absences } = await this.wantedTypes(host)
      cache.check()
      // A user who may not see addresses is not given them by a file either.
      const anchor = await firstAnchor(this.#source.openSymbols())
      const facts = await laterFacts(this.#source, options.probes === true)
      if (anchor === undefined) return undefined
      const { symbols, names } = reader.symbolsWithoutNames('core', bringPlaces)
      if (!moveCore({ symbols, anchors: meta.anchors }, anchor)) {
        names.close()
        return undefined
      }
      const handle: Handle = {
        kerndex: 1,
        generation: 1,
        symbols,
        types: [],
        host: { ...host, absences: allAbsences(host.absences, absences) },
        skipped: { count: 0, lines: [], leftOut: { data: 0, owners: 0 } },
        later: { facts, types: later },
      }
      const none: LoadedTypes = { ...NO_TYPES, identities: this.#identities(reader, files) }
      const file: FromFile = { path: reader.path, handle, names, types: none, files, text: undefined }
      timeline.record('read', 'snapshot', start)
      this.#report({ did: 'opened', path: reader.path })
      const inFile = meta.groups.some((sets) => sets.some(({ name }) => name === 'vmlinux'))
      // Modules' types may be others at another boot.
      if (now.size === 1 && now.has('vmlinux') && inFile) rest = this.#typesLater(reader, file, none, now, timeline)
      const types = rest ?? (now.size === 0 ? undefined : this.#liveTypes(key, file, now, timeline))
      return {
        load: { handle, memory: undefined, timeline, provisional: true, rest: types, bringNames: names.now },
        file,
      }
    } finally {
      if (rest === undefined) reader.close()
    }
  }

  /** The kernel's own types, to be loaded behind its symbols; those of vmlinux are taken from the file of another boot. */
  #liveTypes(key: CacheKey, file: FromFile, names: ReadonlySet<string>, timeline: Timeline): TypesLater {
    const files = file.files.filter(({ module }) => names.has(module))
    file.types = undefined
    return {
      ...restOf(files, undefined, timeline),
      promised: this.#options.symbolsFirst !== true,
      load: async (signal) => {
        const known = await this.knownTypes(key).catch((error: unknown) => {
          this.#report({ did: 'ignored', path: file.path, error })
          return undefined
        })
        return restOf(files, undefined, timeline, known).load(signal)
      },
      loaded(types) {
        file.types = types
      },
    }
  }

  /** The types of a file that was opened for its symbols; those of the kernel itself if the file's are damaged. */
  #typesLater(
    reader: SnapshotReader,
    file: FromFile,
    { identities }: LoadedTypes,
    names: ReadonlySet<string>,
    timeline: Timeline,
  ): TypesLater {
    const promised = this.#options.symbolsFirst !== true
    const inFile = typesLaterInFile(reader, promised, (name) => names.has(name))
    const files = file.files.filter(({ module }) => names.has(module))
    const live = restOf(files, undefined, timeline)
    const wanted = ({ records }: LoadedTypes): LoadedTypes => {
      return { records: records.filter(({ name }) => names.has(name)), identities, absences: [] }
    }
    let isDamaged = false
    const damaged = (error: unknown) => {
      if (!(error instanceof KerndexError) || error.code === 'ABORTED') throw error
      if (!isDamaged) this.#report({ did: 'ignored', path: reader.path, error })
      isDamaged = true
    }
    const early = <T>(ask: (types: EarlyTypes) => T): T | undefined => {
      try {
        return isDamaged || inFile.early === undefined ? undefined : ask(inFile.early)
      } catch (error) {
        damaged(error)
        return undefined
      }
    }
    file.types = undefined
    return {
      // Whatever becomes of the file, other threads find them there.
      place: live.place,
      promised,
      early: {
        find: (query, hash) => early((types) => types.find(query, hash)),
        get: (module, id) => early((types) => types.get(module, id)),
      },
      async load(signal) {
        const start = timeline.elapsed
        try {
          const loaded = wanted(await inFile.load(signal))
          timeline.record('read', 'snapshot', start)
          return loaded
        } catch (error) {
          damaged(error)
          return live.load(signal)
        }
      },
      now() {
        try {
          return wanted(inFile.now())
        } catch (error) {
          damaged(error)
          return live.now()
        }
      },
      loaded(types) {
        if (!isDamaged) file.types = types
      },
    }
  }

  /** Whether a group with these sets may be wanted. */
  #mayWant(names: readonly string[]): boolean {
    const { types = true } = this.#options
    return types !== false && (types !== 'lazy' || names.includes('vmlinux'))
  }

  /** The type files there are now, and which of their sets to load at once. */
  async wantedTypes(host: HostFacts) {
    const { types = true } = this.#options
    const listed = types === false ? [] : await this.#source.btfFiles()
    const files = isAbsence(listed) ? [] : inLoadOrder(listed, host.modules ?? [])
    const isNow = ({ module }: BtfFile) => types !== 'lazy' || module === 'vmlinux'
    return {
      files,
      now: new Set(files.filter(isNow).map(({ module }) => module)),
      later: files.filter((file) => !isNow(file)),
      absences: isAbsence(listed) ? [listed] : [],
    }
  }

  /** The types of a build id never change: those of vmlinux count as those of the file that is there now. */
  #identities(reader: SnapshotReader, files: readonly BtfFile[]): Map<string, string> {
    const identities = identitiesOf(reader.plan.meta)
    const vmlinux = files.find(({ module }) => module === 'vmlinux')
    const now = vmlinux && btfIdentity(vmlinux)
    if (now !== undefined) identities.set('vmlinux', now)
    return identities
  }

  /** The types that a file of another boot, or of another state of the modules, can give. */
  async knownTypes(key: CacheKey): Promise<LoadedTypes | undefined> {
    const cache = this.#cache
    if (this.#options.types === false) return undefined
    const reader = cache.earlier(key)
    if (reader === undefined) return undefined
    try {
      cache.check()
      const sameBoot = reader.plan.meta.host.bootId === key.bootId
      const { types } = await reader.read({
        symbols: false,
        groups: (i) => sameBoot || reader.plan.meta.groups[i]?.some(({ name }) => name === 'vmlinux') === true,
        facts: false,
      })
      const records = types.filter(({ name }) => sameBoot || name === 'vmlinux')
      if (records[0]?.name !== 'vmlinux') return undefined
      const files = await this.#source.btfFiles()
      return { records, identities: this.#identities(reader, isAbsence(files) ? [] : files), absences: [] }
    } finally {
      reader.close()
    }
  }
}
