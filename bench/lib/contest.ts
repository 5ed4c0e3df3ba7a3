// Lets several ways to do the same work take turns inside one process, each turn timed by tinybench.

import { Bench } from 'tinybench'

/** One way to do some work. */
export interface Contender {
  readonly what: string
  readonly by: string
  /** How many things one run does: lookups, or 1. */
  readonly count: number
  run(): unknown
  /** Prepares a run; not timed. */
  before?(): void
  /** The `by` of the contender, of the same `what`, that this one is compared with. */
  readonly yardstick?: string
}

/** A contender's times. */
export interface Turns {
  readonly what: string
  readonly by: string
  readonly count: number
  readonly yardstick: string | undefined
  /** Milliseconds a run, one figure a round. */
  readonly times: readonly number[]
}

/** Timed runs a turn consists of; their median counts. */
const RUNS_A_TURN = 3

/** Runs every contender once a round. A round before the first is not counted: it gets the code compiled. */
export async function contest(contenders: readonly Contender[], rounds: number): Promise<Turns[]> {
  const times: number[][] = contenders.map(() => [])
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
      times[index]?.push(result.latency.p50)
    })
  }
  return contenders.map(({ what, by, count, yardstick }, index) => ({
    what,
    by,
    count,
    yardstick,
    times: times[index] ?? [],
  }))
}

/** The yardstick of a contender: the one of the same work that it is to be compared with. */
export function yardstickOf(one: Turns, all: readonly Turns[]): Turns | undefined {
  return all.find(({ what, by }) => what === one.what && by === one.yardstick)
}
