// Who takes part: kerndex without threads, with pools of these sizes, and as it comes.

/** Threads as an option of `openKernel`: `default` leaves the choice to kerndex. */
export type Threads = number | 'default'

/** Pools of 1 to 4, and 0 for everything inline. */
export const POOLS: readonly number[] = [0, 1, 2, 3, 4]

/** The name in the column `by`. */
export function kerndexWith(threads: Threads): string {
  if (threads === 'default') return 'kerndex, default'
  return threads === 0 ? 'kerndex inline' : `kerndex, pool of ${threads}`
}

/** The option for `openKernel`. */
export function threadsOption(threads: Threads): { threads?: number } {
  return threads === 'default' ? {} : { threads }
}
