// BTF blobs from a source to indexed type sets: vmlinux first, because all others are split on it, then the modules side
// by side. p-limit bounds how many files are open at once.

import pLimit from 'p-limit'
import { type BaseShape, indexTypesSteps, type NamedBlob, readShape, type TypeSetRecord } from '../btf/index-types.ts'
import { type ErrorRecord, errorFromRecord, errorToRecord, KerndexError } from '../core/errors.ts'
import { readBlob } from '../sources/blob.ts'
import type { Absence, BtfFile } from '../sources/source.ts'
import type { Pacer } from './pacer.ts'
import type { LoaderThreads } from './symbols.ts'
import type { IndexedSets, LoaderTask, TypeFailure } from './tasks.ts'
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
  readonly absences: readonly Absence[]
}

/**
 * Loads and indexes the blobs, of which the first has to be vmlinux. A module's blob that has vanished, may not be read or
 * is damaged becomes an absence; so does vmlinux, and then there are no types at all.
 * @throws WorkerFailedError, AbortedError
 */
export async function loadTypes(files: readonly BtfFile[], load: TypeLoad): Promise<LoadedTypes> {
  const [base, ...modules] = files
  if (base === undefined) return { records: [], absences: [] }
  if (base.module !== 'vmlinux') {
    return {
      records: [],
      absences: [{ what: 'btf/vmlinux', reason: 'not there, and module BTF means nothing without it' }],
    }
  }
  const sets = await (load.threads === undefined
    ? loadHere(base, modules, load)
    : loadInPool(base, modules, load, load.threads))
  const order = new Map(files.map(({ module }, position) => [module, position]))
  const position = (name: string) => order.get(name) ?? 0
  return {
    records: [...sets.records].sort((a, b) => position(a.name) - position(b.name)),
    absences: [...sets.failures]
      .sort((a, b) => position(a.module) - position(b.module))
      .map(({ module, error }) => ({ what: `btf/${module}`, reason: error.message })),
  }
}

async function loadInPool(
  base: BtfFile,
  modules: readonly BtfFile[],
  { timeline }: TypeLoad,
  threads: LoaderThreads,
): Promise<IndexedSets> {
  const run = async (task: LoaderTask) => {
    const result = await threads.run(task)
    timeline.adopt(result.spans)
    return result
  }
  let blob: NamedBlob
  let shape: BaseShape
  try {
    const result = await run({ do: 'base', file: base })
    if (result.did !== 'base') throw new TypeError('a loader thread answered another task')
    ;({ blob, shape } = result)
  } catch (error) {
    return { records: [], failures: [failureOf(base.module, error)] }
  }
  const limit = pLimit(threads.count)
  const batchSize = Math.max(1, Math.ceil(modules.length / (threads.count * BATCHES_A_THREAD)))
  const tasks: LoaderTask[] = [{ do: 'index', blobs: [blob], base: undefined }]
  for (let at = 0; at < modules.length; at += batchSize) {
    tasks.push({ do: 'types', files: modules.slice(at, at + batchSize), base: shape })
  }
  const results = await Promise.all(tasks.map((task) => limit(() => run(task))))
  const sets = results.flatMap((result) => (result.did === 'index' ? [result.sets] : []))
  return {
    records: sets.flatMap(({ records }) => records),
    failures: sets.flatMap(({ failures }) => failures),
  }
}

async function loadHere(base: BtfFile, modules: readonly BtfFile[], load: TypeLoad): Promise<IndexedSets> {
  const { pacer, timeline } = load
  const limit = pLimit(MOST_OPEN)
  const failures: TypeFailure[] = []
  const breathe = async () => {
    if (pacer.due) await pacer.pause()
  }
  const read = async ({ module, path }: BtfFile): Promise<NamedBlob | undefined> => {
    const start = timeline.elapsed
    try {
      const bytes = await readBlob(path, breathe)
      timeline.record('read', module, start)
      return { name: module, bytes }
    } catch (error) {
      failures.push(failureOf(module, error))
      return undefined
    }
  }
  const index = async (what: string, blobs: readonly NamedBlob[], shape: BaseShape | undefined) => {
    const start = timeline.elapsed
    const { records, failures: damaged } = await pacer.drive(indexTypesSteps(blobs, shape))
    timeline.record('index', what, start)
    failures.push(...damaged.map(({ name, error }) => failureOf(name, error)))
    return records
  }
  const blob = await read(base)
  if (blob === undefined) return { records: [], failures }
  let shape: BaseShape
  try {
    shape = readShape(blob.bytes)
  } catch (error) {
    return { records: [], failures: [failureOf(base.module, error)] }
  }
  const records = await index(base.module, [blob], undefined)
  const blobs = (await Promise.all(modules.map((file) => limit(() => read(file))))).filter((b) => b !== undefined)
  if (blobs.length > 0) records.push(...(await index(`${blobs.length} modules`, blobs, shape)))
  return { records, failures }
}

/** A failure that concerns one blob only; what concerns the whole load is thrown on. */
function failureOf(module: string, error: unknown): TypeFailure {
  const code = error instanceof KerndexError ? error.code : undefined
  if (code === undefined || code === 'WORKER_FAILED' || code === 'ABORTED' || code === 'CLOSED') throw error
  const record: ErrorRecord = errorToRecord(errorFromRecord(errorToRecord(error)))
  return { module, error: record }
}
