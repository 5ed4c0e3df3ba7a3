// Reading a kernel again in a process that has done so before: refreshes that find nothing changed, and whole loads.

import type { RefreshResult, RefreshTask } from './cold/refresh.ts'
import { runCold } from './lib/cold.ts'
import { yardstickOf } from './lib/contest.ts'
import { filesOf, type Input } from './lib/inputs.ts'
import type { Row } from './lib/report.ts'
import { median, summarize } from './lib/stats.ts'

/** Measures an input's refreshes in one process, `rounds` times by turns with the plain read. */
export async function benchRefresh(input: Input, rounds: number): Promise<Row[]> {
  const { turns, changes } = await runCold<RefreshTask, RefreshResult>('refresh', {
    from: input.from,
    files: filesOf(input, false),
    types: input.btf.length > 0,
    rounds,
  })
  if (changes > 0 && input.from !== undefined) throw new Error(`${input.name} changed while it was measured`)
  return turns.map((turn) => {
    const standard = yardstickOf(turn, turns)
    return {
      suite: 'refresh',
      input: input.name,
      what: turn.what,
      by: turn.by,
      unit: 'ms',
      ...summarize(turn.times),
      ...(standard !== undefined && {
        yardstick: 'plain read',
        ratio: median(turn.times.map((ms, round) => ms / standard.times[round]!)),
      }),
      ...(changes > 0 && { note: `${changes} changes were found` }),
    }
  })
}
