// Ten million addresses at once: pools of every size and one worker with messages, against one thread.

import type { PoolsTask } from './cold/names.ts'
import { runCold } from './lib/cold.ts'
import { rowsOf, type Turns } from './lib/contest.ts'
import type { Input } from './lib/inputs.ts'
import type { Row } from './lib/report.ts'

/** Measures an input's bulk lookups in one process, `rounds` times by turns. */
export async function benchBulk(input: Input, rounds: number, seed: number, pools: readonly number[]): Promise<Row[]> {
  const { name, from, kallsyms } = input
  return rowsOf('bulk', name, await runCold<PoolsTask, Turns[]>('bulk', { from, kallsyms, rounds, seed, pools }), 'M/s')
}
