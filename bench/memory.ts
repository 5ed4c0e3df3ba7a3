// Memory: what a symbol costs for good, and how much more than that a load needs on its way.

import type { MemoryResult, MemoryTask } from './cold/memory.ts'
import { runCold } from './lib/cold.ts'
import type { Input } from './lib/inputs.ts'
import type { Row } from './lib/report.ts'
import { median, summarize } from './lib/stats.ts'

const MEGABYTE = 1e6

/** Measures the loads of an input, without types, in `processes` cold processes each. */
export async function benchMemory(input: Input, processes: number): Promise<Row[]> {
  const rows: Row[] = []
  for (const threads of [0, 2]) {
    const results: MemoryResult[] = []
    for (let i = 0; i < processes; i++) {
      const task: MemoryTask = { from: input.from, threads, types: false }
      results.push(await runCold<MemoryTask, MemoryResult>('memory', task, ['--expose-gc']))
    }
    rows.push(...rowsOf(input, threads, results))
  }
  return rows
}

function rowsOf(input: Input, threads: number, results: readonly MemoryResult[]): Row[] {
  const by = threads === 0 ? 'kerndex inline' : `kerndex, pool of ${threads}`
  const common = { suite: 'memory', input: input.name, by }
  const size: Row[] =
    threads > 0
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
    ...summarize(results.map((result) => bytes(result) / MEGABYTE)),
    yardstick: 'the finished table',
    ratio: median(results.map((result) => bytes(result) / result.tableBytes)),
  })
  return [
    ...size,
    above('peak of a load above what stays', ({ peak, after }) => peak - after),
    above('peak of a load above before', ({ peak, before }) => peak - before),
    above('resident after a load above before', ({ after, before }) => after - before),
  ]
}
