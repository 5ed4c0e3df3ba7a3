// How a kernel is watched for changes, and the checks of what a caller says of it.

import { type Options, options as optionsOf, signal, whole, wrong } from './core/arguments.ts'

/** How to watch for changes. */
export interface WatchOptions {
  /** Milliseconds between the end of a refresh and the next; at least 10. */
  readonly intervalMs: number
  /** Ends the watch. */
  readonly signal?: AbortSignal | undefined
  /** Ends the watch after so many refreshes; default never. */
  readonly refreshes?: number | undefined
}

/** The shortest interval of a watch: a refresh reads the whole symbol file, which costs the kernel tens of milliseconds. */
const SHORTEST_INTERVAL_MS = 10
/** The longest that a timer of Node can wait. */
const MOST_INTERVAL_MS = 2 ** 31 - 1

const INTERVAL = `a number of milliseconds, at least ${SHORTEST_INTERVAL_MS}`

const WATCH_OPTIONS: Options<WatchOptions> = {
  intervalMs(value, name) {
    if (typeof value !== 'number' || !(value >= SHORTEST_INTERVAL_MS && value <= MOST_INTERVAL_MS)) {
      throw wrong(name, INTERVAL, value)
    }
    return value
  },
  signal,
  refreshes: (value, name) =>
    value === Number.POSITIVE_INFINITY ? value : whole(0, Number.MAX_SAFE_INTEGER)(value, name),
}

/** The options of a caller of `watch`, checked. @throws UsageError */
export function watchOptions(given: WatchOptions): WatchOptions {
  const { intervalMs, ...others } = optionsOf(given, 'watch', WATCH_OPTIONS)
  if (intervalMs === undefined) throw wrong('intervalMs', INTERVAL, undefined)
  return { intervalMs, ...others }
}
