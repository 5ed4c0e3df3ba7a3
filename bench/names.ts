// Names to symbols over a loaded kernel: one at a time, in bulk and on pools, against a Map and a worker.

import type { LookupsTask } from './cold/lookups.ts'
import { runCold } from './lib/cold.ts'
import { rowsOf, type Turns } from './lib/contest.ts'
import type { Input } from './lib/inputs.ts'
import type { Row } from './lib/report.ts'

/** Measures an input's names in one process, `rounds` times by turns. */
export async function benchNames({ name, from, kallsyms }: Input, rounds: number, seed: number): Promise<Row[]> {
  return rowsOf('names', name, await runCold<LookupsTask, Turns[]>('names', { from, kallsyms, rounds, seed }), 'M/s')
}
