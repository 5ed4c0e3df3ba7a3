// Ten million addresses at once: pools of every size and one worker with messages, against one thread.

import type { LookupsTask } from './cold/lookups.ts'
import { runCold } from './lib/cold.ts'
import { rowsOf, type Turns } from './lib/contest.ts'
import type { Input } from './lib/inputs.ts'
import type { Row } from './lib/report.ts'

/** Measures an input's bulk lookups in one process, `rounds` times by turns. */
export async function benchBulk({ name, from, kallsyms }: Input, rounds: number, seed: number): Promise<Row[]> {
  return rowsOf('bulk', name, await runCold<LookupsTask, Turns[]>('bulk', { from, kallsyms, rounds, seed }), 'M/s')
}
