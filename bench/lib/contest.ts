// Lets several ways to do the same work take turns inside one process, each turn timed by tinybench.

import { Bench } from 'tinybench'

/** One way to do some work. */
export interface Contender {
  readonly what: string
  readonly by: string
  /** Lookups that one run answers. */
  readonly lookups: number
  run(): unknown
  /** Prepares a run; not timed. */
  before?(): void
  /** The `by` of the contender, of the same `what`, that this one is compared with. */
  readonly yardstick?: string
}

/** A contender's rate in each round. */
export interface Rates {
  readonly what: string
  readonly by: string
  /** Millions of lookups a second, a round each. */
  readonly rates: readonly number[]
  readonly yardstick: string | undefined
}

/** Timed runs a turn consists of; its median counts. */
const RUNS_A_TURN = 3

/** Runs every contender once a round. A round before the first is not counted: it gets the code compiled. */
export async function contest(contenders: readonly Contender[], rounds: number): Promise<Rates[]> {
  const results = contenders.map(({ what, by, yardstick }) => ({ what, by, yardstick, rates: [] as number[] }))
  for (let round = -1; round < rounds; round++) {
    const bench = new Bench({ iterations: RUNS_A_TURN, time: 0, warmup: false, throws: true })
    contenders.forEach(({ run, before }, index) => {
      // Every run is awaited: for the runs of milliseconds measured here a turn of the queue is nothing.
      bench.add(String(index), run, { async: true, ...(before !== undefined && { beforeEach: () => before() }) })
    })
    await bench.run()
    if (round < 0) continue
    bench.tasks.forEach(({ result }, index) => {
      if (result.state !== 'completed') throw new Error(`a measurement ended as ${result.state}`)
      results[index]?.rates.push(contenders[index]!.lookups / result.latency.p50 / 1000)
    })
  }
  return results
}
