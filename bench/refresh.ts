// Reading a kernel again in a process that has done so before: refreshes that find nothing changed, and whole loads.

import type { RefreshResult, RefreshTask } from './cold/refresh.ts'
import { runCold } from './lib/cold.ts'
import { rowsOf } from './lib/contest.ts'
import { filesOf, type Input } from './lib/inputs.ts'
import type { Row } from './lib/report.ts'

/** Measures an input's refreshes in one process, `rounds` times by turns with the plain read. */
export async function benchRefresh(input: Input, rounds: number, threads: readonly number[]): Promise<Row[]> {
  const { turns, changes } = await runCold<RefreshTask, RefreshResult>('refresh', {
    from: input.from,
    files: filesOf(input, false),
    allFiles: input.btf.length > 0 ? filesOf(input, true) : undefined,
    rounds,
    threads,
  })
  if (changes > 0 && input.from !== undefined) throw new Error(`${input.name} changed while it was measured`)
  const rows = rowsOf('refresh', input.name, turns, 'ms')
  return changes === 0 ? rows : rows.map((row) => ({ ...row, note: `${changes} changes were found` }))
}
