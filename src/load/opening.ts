// How a kernel is loaded the first time and every time after, by what was named: the running kernel with or without the
// cache, a capture, a file of text, a snapshot file.

import { statSync } from 'node:fs'
import { NotReadableError, NotWritableError } from '../core/errors.ts'
import { type CacheUser, openCache, type SnapshotCache, type SnapshotCacheOptions } from '../snapshot/cache.ts'
import type { Handle } from '../snapshot/snapshot.ts'
import { identityOf } from '../sources/identity.ts'
import type { Source } from '../sources/source.ts'
import { CachedKernel, type Load } from './cached.ts'
import type { CacheReport, KernelLoad } from './cached-file.ts'
import type { LoadMemory, LoadOptions } from './load.ts'
import { readSnapshotFile, type TypesIn } from './snapshot-load.ts'
import { Timeline } from './timeline.ts'

/** The loads of one kernel, one after the other. */
export interface Opening {
  first(): Promise<KernelLoad>
  /** A load beside an earlier one. A handle of the earlier generation says that nothing has changed. */
  again(generation: number, earlier: LoadMemory | undefined, signal: AbortSignal): Promise<KernelLoad>
  /** Ends what is under way and waits for what must not be cut. */
  close(): Promise<void>
  /** Reports of the uses of the cache, if one was asked for. */
  readonly reports: readonly CacheReport[]
}

/** Loads a source every time. */
export function plainOpening(load: Load, reports: readonly CacheReport[] = []): Opening {
  return {
    first: () => load(1, {}),
    again: (generation, earlier, signal) => load(generation, { earlier, signal }),
    close: async () => {},
    reports,
  }
}

/** Loads the running kernel by way of the cache; without it where there can be none. */
export async function cachedOpening(
  source: Source,
  user: CacheUser,
  cache: SnapshotCacheOptions,
  options: Pick<LoadOptions, 'types' | 'probes' | 'symbolsFirst'>,
  load: Load,
): Promise<Opening> {
  let files: SnapshotCache
  try {
    const { directory, maxBytes } = cache
    files = await openCache({ directory, maxBytes }, user)
  } catch (error) {
    if (!(error instanceof NotReadableError || error instanceof NotWritableError)) throw error
    return plainOpening(load, [{ did: 'ignored', path: '', error }])
  }
  return new CachedKernel(source, files, options, load)
}

/**
 * Opens a snapshot file; later loads read it again if it is another file by then. Types may come later, the first time.
 */
export function snapshotOpening(path: string, types: TypesIn): Opening {
  let known: { readonly handle: Handle; readonly identity: string | undefined } | undefined
  const identity = () => {
    const now = statSync(path, { throwIfNoEntry: false })
    return now && identityOf(now)
  }
  const read = async (generation: number): Promise<KernelLoad> => {
    const before = identity()
    if (known !== undefined && before !== undefined && before === known.identity) {
      return { handle: known.handle, memory: undefined, timeline: new Timeline() }
    }
    const loaded = await readSnapshotFile(path, generation, generation > 1 ? types !== false : types)
    known = { handle: loaded.handle, identity: before }
    return loaded
  }
  return { first: () => read(1), again: read, close: async () => {}, reports: [] }
}
