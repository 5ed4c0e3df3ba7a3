// Frames asked for over HTTP: a thousand requests a second of a hundred addresses each, and as many as go one after the other.

import type { ServeResult, ServeTask } from './cold/serve.ts'
import { runCold } from './lib/cold.ts'
import type { Input } from './lib/inputs.ts'
import type { Row } from './lib/report.ts'
import { summarize } from './lib/stats.ts'
import { byTurns } from './lib/stop.ts'

/** Each turn starts a server and asks it for some seconds. */
const MOST_TURNS = 5

/** Measures a server of its own, in `processes` turns, five at most. */
export async function benchServe(input: Input, processes: number, seed: number): Promise<Row[]> {
  const [results = []] = await byTurns(['kerndex serve'], Math.min(processes, MOST_TURNS), (_, round) =>
    runCold<ServeTask, ServeResult>('serve', { from: input.from, seed: seed + round }),
  )
  const row = (what: string, by: string, of: (result: ServeResult) => number): Row => ({
    ...{ suite: 'serve', input: input.name, what, by, unit: 'ms' },
    ...summarize(results.map(of)),
  })
  const steady = '100 frames at 1,000 requests a second'
  return [
    row(`${steady}, half of the answers within`, 'kerndex serve', ({ steady: { p50 } }) => p50),
    row(`${steady}, 99 % of the answers within`, 'kerndex serve', ({ steady: { p99 } }) => p99),
    row(`${steady}, processor time a request`, 'kerndex serve', ({ steady: { cpu } }) => cpu),
    row('a million packed addresses', 'kerndex serve', ({ packed }) => packed),
  ]
}
