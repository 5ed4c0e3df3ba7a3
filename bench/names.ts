// Names to symbols over a loaded kernel: one at a time, in bulk and on pools, against a Map and a worker.

import type { PoolsTask } from './cold/names.ts'
import { runCold } from './lib/cold.ts'
import { rowsOf, type Turns } from './lib/contest.ts'
import type { Input } from './lib/inputs.ts'
import type { Row } from './lib/report.ts'

/** Measures an input's names in one process, `rounds` times by turns. */
export async function benchNames(input: Input, rounds: number, seed: number, pools: readonly number[]): Promise<Row[]> {
  const { name, from, kallsyms } = input
  return rowsOf(
    'names',
    name,
    await runCold<PoolsTask, Turns[]>('names', { from, kallsyms, rounds, seed, pools }),
    'M/s',
  )
}
