// Names to symbols over a loaded kernel: one at a time, in bulk and on pools, against a Map and a worker.

import type { PoolsTask } from './cold/names.ts'
import { runCold } from './lib/cold.ts'
import { rowsOf, type Turns } from './lib/contest.ts'
import type { Input } from './lib/inputs.ts'
import type { Asking } from './lib/options.ts'
import type { Row } from './lib/report.ts'

/** Measures an input's names in one process, as many rounds as asked for, by turns. */
export async function benchNames(
  { name, from, kallsyms }: Input,
  ask: Asking,
  pools: readonly number[],
): Promise<Row[]> {
  return rowsOf('names', name, await runCold<PoolsTask, Turns[]>('names', { from, kallsyms, ...ask, pools }), 'M/s')
}
