// What more cores would make of a load: a model of its measured phases, beside the pools that run here.

import type { ModelResult, ModelTask } from './cold/model.ts'
import { runCold } from './lib/cold.ts'
import { kerndexWith } from './lib/contestants.ts'
import type { Input } from './lib/inputs.ts'
import type { Row } from './lib/report.ts'
import { compare, summarize } from './lib/stats.ts'

/** Cores that the model is asked about. */
const CORES: readonly number[] = [2, 4, 8, 16, 32]
const WORK = 'load symbols, warm'

/**
 * Measures an input's loads of symbols inline and with pools, and works out what each inline load would have taken on more cores: its
 * steps shared out evenly, all the rest as it was. Pools that wait for memory or for each other are later than that.
 */
export async function benchModel(input: Input, rounds: number, threads: readonly number[]): Promise<Row[]> {
  const { loads, stepsMs } = await runCold<ModelTask, ModelResult>('model', { from: input.from, rounds, threads })
  const inline = loads.find((load) => load.threads === 0)?.ms ?? []
  const common = { suite: 'model', input: input.name, what: WORK, unit: 'ms' } as const
  const against = (ms: readonly number[]) => ({ ...summarize(ms), ...compare(kerndexWith(0), ms, inline) })
  const serial = inline.map((ms, i) => ms - stepsMs[i]!)
  return [
    ...loads.map(({ threads: count, ms }): Row => ({ ...common, by: kerndexWith(count), ...against(ms) })),
    { ...common, what: `${WORK}: what one thread does`, by: kerndexWith(0), ...against(serial) },
    ...CORES.map((cores): Row => {
      const ms = serial.map((rest, i) => rest + stepsMs[i]! / cores)
      return { ...common, by: `model of ${cores} cores`, ...against(ms), note: 'worked out, not measured' }
    }),
  ]
}
