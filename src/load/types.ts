// BTF blobs from a source to indexed type sets: vmlinux first, because all others are split on it, then the modules side
// by side. p-limit bounds how many files are open at once.

import { availableParallelism } from 'node:os'
import { type BaseShape, indexTypesSteps, type NamedBlob, shapeOfSet } from '../btf/read/index-types.ts'
import { Walk } from '../btf/read/walk.ts'
import { readPLimit } from '../core/packages.ts'
import { type IndexedSets, type LoadedTypes, NO_TYPES, type TypeFailure } from '../snapshot/loaded-types.ts'
import { failureOf, inOrder, joined, NO_BASE, NOTHING, unchanged } from '../snapshot/types-now.ts'
import { type Arena, arenaFor, type Blob, MANY_FILES, readBtf, readBtfAtOnce } from '../sources/blob.ts'
import type { BtfFile } from '../sources/source.ts'
import type { Pacer } from './pacer.ts'
import { blobsOf, FileCounter } from './shared-files.ts'
import type { LoaderResult, LoaderThreads } from './tasks.ts'
import type { Timeline } from './timeline.ts'

/** Files open at the same time on the calling thread. */
const MOST_OPEN = 8

/** Threads that help with modules. */
export type TypeThreads = Pick<LoaderThreads, 'count' | 'run'>

/**
 * Whether a pool has that many blobs ready sooner than the calling thread alone. To start one costs as much processor time as
 * thousands of modules: with 4,024, two cores were ready an eighth later with a pool than without, for a fifth more
 * processor time. Where its threads have cores of their own, starting takes as long as a thousand modules do.
 */
export function poolPays(blobs: number): boolean {
  return blobs > (availableParallelism() > 2 ? 1024 : 8192)
}

export interface TypeLoad {
  readonly threads: TypeThreads | undefined
  readonly pacer: Pacer
  readonly timeline: Timeline
}

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
  const known = await load.pacer.drive(unchanged(files, earlier))
  const knownBase = known.get(base.module)
  let sets: IndexedSets
  if (knownBase === undefined) {
    known.clear()
    sets = await loadAll(base, modules, load)
  } else {
    const fresh = modules.filter(({ module }) => !known.has(module))
    sets = await loadModules(fresh, shapeOfSet(knownBase), load)
  }
  return inOrder(files, known, earlier, sets)
}

async function loadAll(base: BtfFile, modules: readonly BtfFile[], load: TypeLoad): Promise<IndexedSets> {
  const walk = Walk.open()
  const read = await readHere([base], load, walk)
  const blob = read.blobs[0]
  if (blob === undefined) return { records: [], identities: [], failures: read.failures }
  const first = await indexHere(base.module, [blob], undefined, load, walk)
  const record = first.records[0]
  const rest = record === undefined ? NOTHING : await loadModules(modules, shapeOfSet(record), load, walk)
  return joined([{ ...first, identities: read.identities }, rest])
}

async function loadModules(
  modules: readonly BtfFile[],
  shape: BaseShape,
  load: TypeLoad,
  walk = modules.length < MANY_FILES ? undefined : Walk.open(),
): Promise<IndexedSets> {
  if (modules.length === 0) return NOTHING
  const { blobs, identities, failures } = await readHere(modules, load, walk, shape)
  if (blobs.length === 0) return { records: [], identities, failures }
  const sets = await indexHere(`${blobs.length} modules`, blobs, shape, load, walk)
  return { records: sets.records, identities, failures: [...failures, ...sets.failures] }
}

/** Threads that take files from the same counter as the calling thread. */
class Helpers {
  readonly counter: FileCounter
  readonly #answers: Promise<LoaderResult>[]
  readonly #files: number

  /** Asks threads to help. Threads that are still starting may come too late; the load does not wait for them. */
  constructor(files: readonly BtfFile[], base: BaseShape | undefined, threads: TypeThreads | undefined) {
    const count = base === undefined ? 0 : (threads?.count ?? 0)
    this.counter = FileCounter.forHelpers(count)
    this.#files = files.length
    const paths = count === 0 ? [] : files.map(({ path }) => path)
    this.#answers = Array.from({ length: count }, (_, helper) =>
      threads!.run({ do: 'help', paths, base: base!, counter: this.counter.words, helper }),
    )
    for (const answer of this.#answers) answer.catch(() => {})
  }

  /** Lets them end. */
  end(): void {
    this.counter.end(this.#files)
  }

  /** The results of the threads that have begun. @throws WorkerFailedError */
  async answers(): Promise<LoaderResult[]> {
    return Promise.all(this.#answers.filter((_, helper) => this.counter.hasBegun(helper)))
  }
}

/** A blob that was read, and perhaps walked over. */
interface Found {
  readonly blob: NamedBlob
  readonly identity: string
}

/**
 * Reads blobs: at once where that takes no time, together with the threads there are, then the others, a few at a time. What a
 * thread has read it has walked over too.
 */
async function readHere(
  files: readonly BtfFile[],
  { pacer, timeline, threads }: TypeLoad,
  arena: Arena = arenaFor(files.length),
  base?: BaseShape,
) {
  const found: (Found | undefined)[] = new Array(files.length)
  const failures: TypeFailure[] = []
  const failed = new Set<number>()
  const put = (i: number, { bytes, identity }: Blob) => {
    found[i] = { blob: { name: files[i]!.module, bytes }, identity }
  }
  const fail = (i: number, error: unknown) => {
    failures.push(failureOf(files[i]!.module, error))
    failed.add(i)
  }
  if (arena !== undefined) {
    // Bytes that are in memory already need no reading.
    const shared = files[0]?.bytes === undefined
    const helpers = new Helpers(files, base, shared ? threads : undefined)
    try {
      let start = timeline.elapsed
      let read = 0
      const record = () => {
        if (read > 0) timeline.record('read', `${read} modules`, start)
        read = 0
      }
      const next = () => helpers.counter.take(files.length)
      for (let { from, to } = next(); from < to; { from, to } = next()) {
        for (let i = from; i < to; i++) {
          try {
            const blob = readBtfAtOnce(files[i]!, arena)
            if (blob !== undefined) put(i, blob)
            read++
          } catch (error) {
            fail(i, error)
          }
          if (!pacer.due) continue
          record()
          await pacer.pause()
          start = timeline.elapsed
        }
      }
      record()
      for (const answer of await pacer.waitFor(helpers.answers())) {
        timeline.adopt(answer.spans)
        if (answer.did !== 'help' || answer.helped === undefined) continue
        for (const { file, identity, blob } of blobsOf(answer.helped, (i) => files[i]!.module)) {
          found[file] = { blob, identity }
          if (pacer.due) await pacer.pause()
        }
      }
    } finally {
      helpers.end()
    }
  }
  const breathe = async () => {
    if (pacer.due) await pacer.pause()
  }
  const readSlowly = async (i: number): Promise<void> => {
    const start = timeline.elapsed
    try {
      put(i, await readBtf(files[i]!, breathe, arena))
      timeline.record('read', files[i]!.module, start)
    } catch (error) {
      fail(i, error)
    }
  }
  const slow = [...files.keys()].filter((i) => found[i] === undefined && !failed.has(i))
  if (slow.length <= MOST_OPEN) {
    await Promise.all(slow.map(readSlowly))
  } else {
    // Loaded only here: for vmlinux alone, finding and compiling it would take half as long as the read.
    const pLimit = await readPLimit()
    const limit = pLimit(MOST_OPEN)
    await Promise.all(slow.map((i) => limit(readSlowly, i)))
  }
  const present = found.filter((each) => each !== undefined)
  const identities = present.map(({ blob, identity }) => [blob.name, identity] as const)
  return { blobs: present.map(({ blob }) => blob), identities, failures }
}

async function indexHere(
  what: string,
  blobs: readonly NamedBlob[],
  shape: BaseShape | undefined,
  { pacer, timeline }: TypeLoad,
  walk?: Walk,
): Promise<IndexedSets> {
  const start = timeline.elapsed
  const { records, failures } = await pacer.drive(indexTypesSteps(blobs, shape, walk))
  timeline.record('index', what, start)
  return { records, identities: [], failures: failures.map(({ name, error }) => failureOf(name, error)) }
}
