// BTF blobs from a source to indexed type sets: vmlinux first, because all others are split on it, then the modules side
// by side. p-limit bounds how many files are open at once.

import pLimit from 'p-limit'
import { CompiledWalk } from '../btf/compiled-walk.ts'
import { type BaseShape, indexTypesSteps, type NamedBlob, readShape, type TypeSetRecord } from '../btf/index-types.ts'
import { errorToRecord, KerndexError } from '../core/errors.ts'
import { type Arena, arenaFor, btfIdentity, readBtf, readBtfNow } from '../sources/blob.ts'
import type { Absence, BtfFile } from '../sources/source.ts'
import type { Pacer } from './pacer.ts'
import type { LoaderThreads } from './symbols.ts'
import type { IndexedSets, LoaderResult, LoaderTask, TypeFailure } from './tasks.ts'
import type { Timeline } from './timeline.ts'

/** Files open at the same time on the calling thread. */
const MOST_OPEN = 8
/** Batches of modules for each thread: some slack so that one slow batch does not hold up the rest. */
const BATCHES_A_THREAD = 2

export interface TypeLoad {
  readonly threads: LoaderThreads | undefined
  readonly pacer: Pacer
  readonly timeline: Timeline
}

/** The indexed sets, vmlinux first, and the blobs that could not be read or indexed. */
export interface LoadedTypes {
  readonly records: readonly TypeSetRecord[]
  /** The identities of the files that the sets come from, by module. */
  readonly identities: ReadonlyMap<string, string>
  readonly absences: readonly Absence[]
}

/** No types at all. */
export const NO_TYPES: LoadedTypes = { records: [], identities: new Map(), absences: [] }

/**
 * Loads and indexes the blobs, of which the first has to be vmlinux. A module's blob that has vanished, may not be read or
 * is damaged becomes an absence; so does vmlinux, and then there are no types at all. Sets of an earlier load whose
 * files are still the same are taken over.
 * @throws WorkerFailedError, AbortedError
 */
export async function loadTypes(
  files: readonly BtfFile[],
  load: TypeLoad,
  earlier: LoadedTypes = NO_TYPES,
): Promise<LoadedTypes> {
  const [base, ...modules] = files
  if (base === undefined) return NO_TYPES
  if (base.module !== 'vmlinux') return NO_BASE
  const known = unchanged(files, earlier)
  const knownBase = known.get(base.module)
  let sets: IndexedSets
  if (knownBase === undefined) {
    known.clear()
    sets = await (load.threads === undefined
      ? loadAllHere(base, modules, load)
      : loadAllInPool(base, modules, load, load.threads))
  } else {
    const fresh = modules.filter(({ module }) => !known.has(module))
    sets = await loadModules(fresh, knownBase, load)
  }
  return inOrder(files, known, earlier, sets)
}

/** What there is without vmlinux. */
const NO_BASE: LoadedTypes = {
  ...NO_TYPES,
  absences: [{ what: 'btf/vmlinux', reason: 'not there, and module BTF means nothing without it' }],
}

/**
 * The same at once, on the calling thread, for a lookup that cannot wait.
 * @throws nothing that `loadTypes` would make an absence
 */
export function loadTypesNow(files: readonly BtfFile[], earlier: LoadedTypes = NO_TYPES): LoadedTypes {
  const [base, ...modules] = files
  if (base === undefined) return NO_TYPES
  if (base.module !== 'vmlinux') return NO_BASE
  const known = unchanged(files, earlier)
  let knownBase = known.get(base.module)
  let first = NOTHING
  if (knownBase === undefined) {
    known.clear()
    first = readAndIndex([base], undefined, CompiledWalk.open())
    knownBase = first.records[0]
  }
  const fresh = modules.filter(({ module }) => !known.has(module))
  const rest = knownBase === undefined || fresh.length === 0 ? NOTHING : readAndIndex(fresh, shapeOf(knownBase))
  return inOrder(files, known, earlier, joined([first, rest]))
}

function readAndIndex(files: readonly BtfFile[], shape: BaseShape | undefined, compiled?: CompiledWalk): IndexedSets {
  const arena = compiled ?? arenaFor(files.length)
  const blobs: NamedBlob[] = []
  const identities: [string, string][] = []
  const failures: TypeFailure[] = []
  for (const file of files) {
    const { module } = file
    try {
      const { bytes, identity } = readBtfNow(file, arena)
      blobs.push({ name: module, bytes })
      identities.push([module, identity])
    } catch (error) {
      failures.push(failureOf(module, error))
    }
  }
  const steps = indexTypesSteps(blobs, shape, compiled)
  let step = steps.next()
  while (step.done !== true) step = steps.next()
  failures.push(...step.value.failures.map(({ name, error }) => failureOf(name, error)))
  return { records: step.value.records, identities, failures }
}

/** The sets that were taken over and those that were loaded, in the order of the files. */
function inOrder(
  files: readonly BtfFile[],
  known: ReadonlyMap<string, TypeSetRecord>,
  earlier: LoadedTypes,
  sets: IndexedSets,
): LoadedTypes {
  const order = new Map(files.map(({ module }, position) => [module, position]))
  const position = (name: string) => order.get(name) ?? 0
  const identities = new Map(sets.identities)
  for (const name of known.keys()) identities.set(name, earlier.identities.get(name) ?? '')
  return {
    records: [...known.values(), ...sets.records].sort((a, b) => position(a.name) - position(b.name)),
    identities,
    absences: [...sets.failures]
      .sort((a, b) => position(a.module) - position(b.module))
      .map(({ module, error }) => ({ what: `btf/${module}`, reason: error.message })),
  }
}

/** What modules have to know of vmlinux. */
function shapeOf({ blob, blobOffset, blobLength }: TypeSetRecord): BaseShape {
  return readShape(new Uint8Array(blob, blobOffset, blobLength))
}

function joined(all: readonly IndexedSets[]): IndexedSets {
  return {
    records: all.flatMap(({ records }) => records),
    identities: all.flatMap(({ identities }) => identities),
    failures: all.flatMap(({ failures }) => failures),
  }
}

const NOTHING: IndexedSets = { records: [], identities: [], failures: [] }

/** Loads modules beside a vmlinux that is loaded already. */
async function loadModules(modules: readonly BtfFile[], base: TypeSetRecord, load: TypeLoad): Promise<IndexedSets> {
  if (modules.length === 0) return NOTHING
  const shape = shapeOf(base)
  return load.threads === undefined
    ? loadModulesHere(modules, shape, load)
    : loadModulesInPool(modules, shape, load, load.threads, [])
}

/** The sets of an earlier load whose files have not been replaced since. */
function unchanged(files: readonly BtfFile[], earlier: LoadedTypes): Map<string, TypeSetRecord> {
  const known = new Map<string, TypeSetRecord>()
  if (earlier.records.length === 0) return known
  const records = new Map(earlier.records.map((record) => [record.name, record]))
  for (const file of files) {
    const record = records.get(file.module)
    if (record === undefined) continue
    const now = btfIdentity(file)
    if (now !== undefined && now === earlier.identities.get(file.module)) known.set(file.module, record)
  }
  return known
}

async function loadAllInPool(
  base: BtfFile,
  modules: readonly BtfFile[],
  load: TypeLoad,
  threads: LoaderThreads,
): Promise<IndexedSets> {
  const { timeline } = load
  let result: LoaderResult
  try {
    result = await threads.run({ do: 'base', file: base })
  } catch (error) {
    return { records: [], identities: [], failures: [failureOf(base.module, error)] }
  }
  if (result.did !== 'base') throw new TypeError('a loader thread answered another task')
  timeline.adopt(result.spans)
  const { blob, shape, identity } = result
  const index: LoaderTask = { do: 'index', blobs: [blob], base: undefined }
  const sets = await loadModulesInPool(modules, shape, load, threads, [index])
  return { ...sets, identities: [[base.module, identity], ...sets.identities] }
}

/** Reads and indexes modules in batches, beside other tasks of the pool. */
async function loadModulesInPool(
  modules: readonly BtfFile[],
  shape: BaseShape,
  { timeline }: TypeLoad,
  threads: LoaderThreads,
  beside: readonly LoaderTask[],
): Promise<IndexedSets> {
  const limit = pLimit(threads.count)
  const batchSize = Math.max(1, Math.ceil(modules.length / (threads.count * BATCHES_A_THREAD)))
  const tasks = [...beside]
  for (let at = 0; at < modules.length; at += batchSize) {
    tasks.push({ do: 'types', files: modules.slice(at, at + batchSize), base: shape })
  }
  const results = await Promise.all(tasks.map((task) => limit(() => threads.run(task))))
  for (const { spans } of results) timeline.adopt(spans)
  return joined(results.flatMap((result) => (result.did === 'index' ? [result.sets] : [])))
}

async function loadAllHere(base: BtfFile, modules: readonly BtfFile[], load: TypeLoad): Promise<IndexedSets> {
  const compiled = CompiledWalk.open()
  const read = await readHere([base], load, compiled)
  const blob = read.blobs[0]
  if (blob === undefined) return { records: [], identities: [], failures: read.failures }
  const first = await indexHere(base.module, [blob], undefined, load, compiled)
  // What modules have to know of vmlinux takes a walk over its types, which nobody needs where there are none.
  const rest = first.records.length === 0 ? NOTHING : await loadModules(modules, first.records[0]!, load)
  return joined([{ ...first, identities: read.identities }, rest])
}

async function loadModulesHere(modules: readonly BtfFile[], shape: BaseShape, load: TypeLoad): Promise<IndexedSets> {
  const { blobs, identities, failures } = await readHere(modules, load)
  if (blobs.length === 0) return { records: [], identities, failures }
  const sets = await indexHere(`${blobs.length} modules`, blobs, shape, load)
  return { records: sets.records, identities, failures: [...failures, ...sets.failures] }
}

/** Reads blobs on the calling thread, a few files at a time. */
async function readHere(
  files: readonly BtfFile[],
  { pacer, timeline }: TypeLoad,
  arena: Arena = arenaFor(files.length),
) {
  const limit = pLimit(MOST_OPEN)
  const failures: TypeFailure[] = []
  const identities: [string, string][] = []
  const breathe = async () => {
    if (pacer.due) await pacer.pause()
  }
  const read = async (file: BtfFile): Promise<NamedBlob[]> => {
    const { module } = file
    const start = timeline.elapsed
    try {
      const { bytes, identity } = await readBtf(file, breathe, arena)
      timeline.record('read', module, start)
      identities.push([module, identity])
      return [{ name: module, bytes }]
    } catch (error) {
      failures.push(failureOf(module, error))
      return []
    }
  }
  const blobs = (await Promise.all(files.map((file) => limit(() => read(file))))).flat()
  return { blobs, identities, failures }
}

async function indexHere(
  what: string,
  blobs: readonly NamedBlob[],
  shape: BaseShape | undefined,
  { pacer, timeline }: TypeLoad,
  compiled?: CompiledWalk,
): Promise<IndexedSets> {
  const start = timeline.elapsed
  const { records, failures } = await pacer.drive(indexTypesSteps(blobs, shape, compiled))
  timeline.record('index', what, start)
  return { records, identities: [], failures: failures.map(({ name, error }) => failureOf(name, error)) }
}

/** A failure that concerns one blob only; what concerns the whole load is thrown on. */
function failureOf(module: string, error: unknown): TypeFailure {
  const code = error instanceof KerndexError ? error.code : undefined
  if (code === undefined || code === 'WORKER_FAILED' || code === 'ABORTED' || code === 'CLOSED') throw error
  return { module, error: errorToRecord(error) }
}
