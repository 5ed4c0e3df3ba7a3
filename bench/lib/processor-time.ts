// Processor time of the main thread: what a program waits for of a call, while other threads compile, read and collect beside it.

import { readFileSync } from 'node:fs'

/** Milliseconds that the main thread has spent on a processor, of the system's own account; undefined where it keeps none. */
export function mainThreadMs(): number | undefined {
  try {
    const [onProcessor] = readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'latin1').split(' ')
    // A kernel without such accounts gives zeros.
    return Number(onProcessor) > 0 ? Number(onProcessor) / 1e6 : undefined
  } catch {
    return undefined
  }
}
