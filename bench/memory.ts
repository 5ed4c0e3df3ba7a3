// Memory: what a symbol costs for good, and how much more than that a load needs on its way.

import type { MemoryResult, MemoryTask } from './cold/memory.ts'
import { runCold } from './lib/cold.ts'
import { kerndexWith } from './lib/contestants.ts'
import type { Input } from './lib/inputs.ts'
import type { Row } from './lib/report.ts'
import { compare, summarize } from './lib/stats.ts'
import { byTurns } from './lib/stop.ts'

const MEGABYTE = 1e6

/** Measures the loads of an input, without types, in `processes` cold processes each. */
export async function benchMemory(input: Input, processes: number, pools: readonly number[]): Promise<Row[]> {
  const results = await byTurns(pools, processes, (threads) => {
    const task: MemoryTask = { from: input.from, threads, types: false }
    return runCold<MemoryTask, MemoryResult>('memory', task, ['--expose-gc'])
  })
  return pools.flatMap((threads, i) => rowsOf(input, threads, pools, results[i] ?? []))
}

function rowsOf(input: Input, threads: number, pools: readonly number[], results: readonly MemoryResult[]): Row[] {
  const by = kerndexWith(threads)
  const common = { suite: 'memory', input: input.name, by }
  const size: Row[] =
    threads !== pools[0]
      ? []
      : [
          {
            ...common,
            what: 'a symbol with name, type, owner and name index',
            unit: 'bytes',
            ...summarize(results.map(({ tableBytes, symbols }) => tableBytes / symbols)),
          },
          {
            ...common,
            what: 'the finished table',
            unit: 'MB',
            ...summarize(results.map(({ tableBytes }) => tableBytes / MEGABYTE)),
          },
        ]
  const above = (what: string, bytes: (result: MemoryResult) => number): Row => ({
    ...common,
    what,
    unit: 'MB',
    // What is resident can shrink by pages that the system takes back meanwhile.
    ...summarize(results.map((result) => Math.max(0, bytes(result)) / MEGABYTE)),
    ...compare(
      'the finished table',
      results.map((result) => Math.max(0, bytes(result))),
      results.map(({ tableBytes }) => tableBytes),
    ),
  })
  return [
    ...size,
    above('peak of a load above what stays', ({ peak, after }) => peak - after),
    above('peak of a load above before', ({ peak, before }) => peak - before),
    above('resident after a load above before', ({ after, before }) => after - before),
  ]
}
