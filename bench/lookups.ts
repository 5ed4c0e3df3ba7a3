// Lookups by address over a loaded kernel on one thread, each against what a reader would write.

import type { LookupsTask } from './cold/lookups.ts'
import { runCold } from './lib/cold.ts'
import { rowsOf, type Turns } from './lib/contest.ts'
import type { Input } from './lib/inputs.ts'
import type { Asking } from './lib/options.ts'
import type { Row } from './lib/report.ts'

/** Measures an input's lookups in one process, as many rounds as asked for, by turns. */
export async function benchLookups({ name, from, kallsyms }: Input, ask: Asking): Promise<Row[]> {
  return rowsOf('lookups', name, await runCold<LookupsTask, Turns[]>('lookups', { from, kallsyms, ...ask }), 'M/s')
}
