// Lookups over a loaded kernel, each against what a reader would write, or the pool against one thread.

import type { LookupTask } from './cold/lookup.ts'
import { runCold } from './lib/cold.ts'
import type { Rates } from './lib/contest.ts'
import type { Input } from './lib/inputs.ts'
import type { Row } from './lib/report.ts'
import { median, summarize } from './lib/stats.ts'

/** Measures an input's lookups in one process, `rounds` times by turns. */
export async function benchLookup(input: Input, rounds: number, seed: number): Promise<Row[]> {
  const measured = await runCold<LookupTask, Rates[]>('lookup', { from: input.from, rounds, seed })
  return measured.map(({ what, by, rates, yardstick }) => {
    const standard = measured.find((other) => other.what === what && other.by === yardstick)
    return {
      suite: 'lookup',
      input: input.name,
      what,
      by,
      unit: 'M/s',
      ...summarize(rates),
      ...(standard !== undefined && {
        yardstick: standard.by,
        ratio: median(rates.map((rate, round) => rate / standard.rates[round]!)),
      }),
    }
  })
}
