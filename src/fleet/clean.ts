// Cleaning up: finished jobs, their results, tables that no job needs any more, and what interrupted puts left.

import { count, flag, type Options, options as optionsOf } from '../core/arguments.ts'
import { buildsOf } from './placed-table.ts'
import { type Queue, queueArgument } from './queue.ts'
import { progressOf } from './results.ts'
import { type Store, storeArgument } from './store.ts'

/** What goes. */
export interface CleanOptions {
  /** Jobs and tables that are older than so many milliseconds. */
  readonly olderThanMs: number
  /** Jobs that are not done, too. Default no. */
  readonly unfinished?: boolean | undefined
}

const CLEAN_OPTIONS: Options<CleanOptions> = {
  olderThanMs: count,
  unfinished: flag,
}

/** The content that was removed. */
export interface Cleaned {
  readonly jobs: string[]
  readonly tables: string[]
  /** Bytes that interrupted puts had left. */
  readonly orphanedBytes: number
}

/** Milliseconds after which content that was put half is taken for given up. */
const ORPHAN_MS = 3_600_000

/** Removes what is older than it may be: jobs that are done, then tables that no job names, and builds that none of those needs. */
export async function cleanFleet(queue: Queue, store: Store, given: CleanOptions): Promise<Cleaned> {
  queueArgument(queue, 'queue')
  storeArgument(store, 'store')
  const { olderThanMs, unfinished = false } = optionsOf(given, 'cleanFleet', CLEAN_OPTIONS)
  count(olderThanMs, 'olderThanMs')
  const isOld = (when: Date) => Date.now() - when.getTime() >= olderThanMs
  const jobs: string[] = []
  const needed = new Set<string>()
  for (const name of await queue.jobs()) {
    const { job, done } = await progressOf(queue, name)
    if ((done || unfinished) && isOld(new Date(job.opened))) {
      await queue.forget(name)
      jobs.push(name)
    } else needed.add(job.table)
  }
  const tables: string[] = []
  const all = (await store.list()) ?? []
  if (all.length > 0) {
    for (const table of [...needed]) {
      const builds = await buildsOf(store, table)
      if (builds !== undefined) needed.add(builds)
    }
  }
  for (const { key, stored } of all) {
    if (needed.has(key) || !isOld(stored)) continue
    await store.remove(key)
    tables.push(key)
  }
  return { jobs, tables, orphanedBytes: await store.sweep(Math.min(ORPHAN_MS, olderThanMs)) }
}
