// The suites of the harness by name: what both of its commands list, and what it has to have.

/** The suites, and what each measures. `scale` runs only where it is named. */
export const SUITE_HELP = {
  load: 'start-up: a cold process that loads a kernel',
  lookups: 'addresses to symbols, one by one',
  names: 'names to symbols, and globs',
  bulk: 'many addresses at once, through pools',
  types: 'types: read, indexed, looked up, printed',
  memory: 'what a load needs, and what stays of it',
  probes: 'the first plan, and plans of globs',
  model: 'what more cores would make of a load',
  refresh: 'reading a kernel again',
  snapshot: 'snapshot files and the cache',
  placed: 'a host opened from its layout and a catalogue',
  events: 'streams of stacks, in each format',
  serve: 'answers over HTTP',
  tools: 'the same work by perf, bpftool, pahole and bpftrace, where they are installed',
  scale: 'synthetic tables of growing size',
} as const

export type SuiteName = keyof typeof SUITE_HELP

/** The suites in the order in which they run. */
export const SUITE_NAMES: readonly SuiteName[] = Object.keys(SUITE_HELP) as SuiteName[] // Its own keys.
