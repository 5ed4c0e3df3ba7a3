// Threads that loads have one after the other: starting some takes as long as a kernel's symbols do, so those of the last load wait a
// while for the next, whoever's that is. A load has its threads to itself.

import { workerUrl } from '../core/place.ts'
import type { LoaderResult, LoaderTask, LoaderThreads } from './tasks.ts'
import { Threads } from './threads.ts'

/** Lends threads to some work, for as long as it takes. */
export type Lender = <T>(work: (threads: LoaderThreads | undefined) => Promise<T>) => Promise<T>

/** Milliseconds that threads wait for the next load: each holds megabytes, and starts in less time than a kernel is loaded in. */
const PATIENCE_MS = 2000

/** Threads without work. They keep no process alive. */
let idle: { readonly threads: LoaderThreads; readonly timer: NodeJS.Timeout } | undefined

/**
 * Does work with `count` threads, which nobody else has meanwhile; with those that happen to be idle where `count` is undefined. Threads
 * of which one has died, and those of work that failed, are not used again.
 */
export async function lendThreads<T>(
  count: number | undefined,
  work: (threads: LoaderThreads | undefined) => Promise<T>,
): Promise<T> {
  if (idle?.threads.broken === true) endIdle()
  const threads = takeIdle(count) ?? startable(count)
  if (threads === undefined) return work(undefined)
  try {
    const result = await work(threads)
    keep(threads)
    return result
  } catch (error) {
    await threads.close()
    throw error
  }
}

function startable(count = 0): LoaderThreads | undefined {
  return count === 0 ? undefined : new Threads<LoaderTask, LoaderResult>(workerUrl('loader'), count)
}

function takeIdle(count: number | undefined): LoaderThreads | undefined {
  if (idle === undefined || (count !== undefined && idle.threads.count !== count)) return undefined
  const { threads, timer } = idle
  clearTimeout(timer)
  idle = undefined
  return threads
}

/** Has threads wait for the next load. Of two crews that were busy at the same time only the one that was last does. */
function keep(threads: LoaderThreads): void {
  if (!threads.awake) return
  endIdle()
  const timer = setTimeout(endIdle, PATIENCE_MS)
  timer.unref()
  idle = { threads, timer }
}

function endIdle(): void {
  const threads = takeIdle(undefined)
  // Nobody has to wait until threads have ended.
  threads?.close().catch(() => {})
}
