// Lookups over a loaded kernel, each against what a reader would write, or the pool against one thread.

import type { LookupTask } from './cold/lookup.ts'
import { runCold } from './lib/cold.ts'
import { type Turns, yardstickOf } from './lib/contest.ts'
import type { Input } from './lib/inputs.ts'
import type { Row } from './lib/report.ts'
import { median, summarize } from './lib/stats.ts'

/** Measures an input's lookups in one process, `rounds` times by turns. */
export async function benchLookup(input: Input, rounds: number, seed: number): Promise<Row[]> {
  const measured = await runCold<LookupTask, Turns[]>('lookup', { from: input.from, rounds, seed })
  return measured.map((turns) => {
    const standard = yardstickOf(turns, measured)
    const rates = ratesOf(turns)
    return {
      suite: 'lookup',
      input: input.name,
      what: turns.what,
      by: turns.by,
      unit: 'M/s',
      ...summarize(rates),
      ...(standard !== undefined && {
        yardstick: standard.by,
        ratio: median(ratesOf(standard).map((rate, round) => rates[round]! / rate)),
      }),
    }
  })
}

/** Millions of lookups a second. */
function ratesOf({ count, times }: Turns): number[] {
  return times.map((ms) => count / ms / 1000)
}
