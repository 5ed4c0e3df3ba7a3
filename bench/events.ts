// Streams of text put into words, in one process, each against what a reader would write.

import type { EventsTask } from './cold/events.ts'
import { runCold } from './lib/cold.ts'
import { type Turns, yardstickOf } from './lib/contest.ts'
import type { Input } from './lib/inputs.ts'
import type { Row } from './lib/report.ts'
import { median, summarize } from './lib/stats.ts'

/** A round takes seconds: three runs each of twenty streams. */
const MOST_ROUNDS = 5

/** Measures an input's streams `rounds` times by turns, five times at most. */
export async function benchEvents(input: Input, rounds: number, seed: number): Promise<Row[]> {
  const task = { from: input.from, rounds: Math.min(rounds, MOST_ROUNDS), seed }
  const measured = await runCold<EventsTask, Turns[]>('events', task)
  return measured.map((turns) => {
    const standard = yardstickOf(turns, measured)
    const rates = ratesOf(turns)
    return {
      suite: 'events',
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

/** Millions of lines or bytes a second. */
function ratesOf({ count, times }: Turns): number[] {
  return times.map((ms) => count / ms / 1000)
}
