// Ten million addresses at once: pools of every size and one worker with messages, against one thread.

import type { PoolsTask } from './cold/names.ts'
import { runCold } from './lib/cold.ts'
import { rowsOf, type Turns } from './lib/contest.ts'
import type { Input } from './lib/inputs.ts'
import type { Asking } from './lib/options.ts'
import type { Row } from './lib/report.ts'

/** Measures an input's bulk lookups in one process, as many rounds as asked for, by turns. */
export async function benchBulk(
  { name, from, kallsyms }: Input,
  ask: Asking,
  pools: readonly number[],
): Promise<Row[]> {
  return rowsOf('bulk', name, await runCold<PoolsTask, Turns[]>('bulk', { from, kallsyms, ...ask, pools }), 'M/s')
}
