// Lets several ways to do the same work take turns inside one process, each turn timed by tinybench.

import { Bench } from 'tinybench'
import type { Row } from './report.ts'
import { compare, summarize } from './stats.ts'
import { stopSignal } from './stop.ts'

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
  readonly note?: string
}

/** A contender's times. */
export interface Turns {
  readonly what: string
  readonly by: string
  readonly count: number
  readonly yardstick: string | undefined
  readonly note: string | undefined
  /** Milliseconds a run, one figure a round. */
  readonly times: readonly number[]
}

/** Timed runs a turn consists of; their median counts. */
const RUNS_A_TURN = 3

/**
 * Runs every contender once a round, another one first each time. A round before the first is not counted: it gets the code
 * compiled.
 */
export async function contest(contenders: readonly Contender[], rounds: number): Promise<Turns[]> {
  const times: number[][] = contenders.map(() => [])
  const stopped = stopSignal()
  for (let round = -1; round < rounds && !stopped.aborted; round++) {
    const bench = new Bench({ iterations: RUNS_A_TURN, time: 0, warmup: false, throws: true })
    for (let turn = 0; turn < contenders.length; turn++) {
      const index = (turn + Math.max(0, round)) % contenders.length
      const { run, before } = contenders[index]!
      // Every run is awaited: for the runs of milliseconds measured here a turn of the queue is nothing.
      bench.add(String(index), run, { async: true, ...(before !== undefined && { beforeEach: () => before() }) })
    }
    await bench.run()
    if (round < 0) continue
    for (const { name, result } of bench.tasks) {
      if (result.state !== 'completed') throw new Error(`a measurement ended as ${result.state}`)
      times[Number(name)]?.push(result.latency.p50)
    }
  }
  return contenders.map(({ what, by, count, yardstick, note }, index) => ({
    what,
    by,
    count,
    yardstick,
    note,
    times: times[index] ?? [],
  }))
}

/**
 * The rows of a contest, of none if it was stopped before its first round: rates of what was counted, in millions a second, or the milliseconds or nanoseconds of one.
 * @throws Error if a contender names a yardstick that took no part
 */
export function rowsOf(suite: string, input: string, turns: readonly Turns[], unit: 'M/s' | 'ms' | 'ns'): Row[] {
  const figuresOf = ({ count, times }: Turns) =>
    times.map((ms) => (unit === 'M/s' ? count / ms / 1000 : unit === 'ns' ? (ms * 1e6) / count : ms))
  return turns.flatMap((one) => {
    if (one.times.length === 0) return []
    const standard = turns.find(({ what, by }) => what === one.what && by === one.yardstick)
    if (one.yardstick !== undefined && standard === undefined) {
      throw new Error(`${one.by} is compared with ${one.yardstick}, which did not do ${one.what}`)
    }
    return {
      suite,
      input,
      what: one.what,
      by: one.by,
      unit,
      ...summarize(figuresOf(one)),
      ...(standard !== undefined && compare(standard.by, figuresOf(one), figuresOf(standard))),
      ...(one.note !== undefined && { note: one.note }),
    }
  })
}
