// Start-up: a cold process that loads a kernel, against a plain read of the same files in the same process.

import type { ColdLoad, ColdLoadResult } from './cold/load.ts'
import { BASELINES } from './lib/baselines.ts'
import { runCold } from './lib/cold.ts'
import { filesOf, type Input } from './lib/inputs.ts'
import type { Row } from './lib/report.ts'
import { median, summarize } from './lib/stats.ts'

/** A way to load, and what its cold processes gave. */
interface Contender {
  readonly by: string
  readonly types: boolean
  readonly how: ColdLoad['by']
  readonly results: ColdLoadResult[]
}

/** kerndex inline and with pools of these sizes. */
const THREADS = [0, 1, 2]
/** Symbols that may come or go on a running kernel between two loads. */
const DRIFT = 100

/**
 * Measures an input with `processes` cold processes for each way to load it. The ways take turns, and the plain read comes
 * before the load in one process and after it in the next, so that neither always has the warmer machine.
 */
export async function benchLoad(input: Input, processes: number): Promise<Row[]> {
  const contenders: Contender[] = [
    ...(input.btf.length > 0 ? [false, true] : [false]).flatMap((types) =>
      THREADS.map((how) => ({ by: nameOf(how), types, how, results: [] })),
    ),
    ...Object.keys(BASELINES).map((name) => ({ by: name, types: false, how: name, results: [] })),
  ]
  for (let round = 0; round < processes; round++) {
    for (const { how, types, results } of contenders) {
      const { from, kallsyms } = input
      const files = typeof how === 'number' ? filesOf(input, types) : [kallsyms]
      const task: ColdLoad = { from, kallsyms, files, readFirst: round % 2 === 0, types, by: how }
      results.push(await runCold<ColdLoad, ColdLoadResult>('load', task))
    }
  }
  return [
    ...contenders.map((contender) => rowOf(input, contender)),
    ...readRows(input, contenders),
    importRow(input, contenders),
  ]
}

function nameOf(threads: number): string {
  return threads === 0 ? 'kerndex inline' : `kerndex, pool of ${threads}`
}

function rowOf(input: Input, { by, types, results }: Contender): Row {
  for (const { symbols } of results) {
    if (Math.abs(symbols - input.symbols) > DRIFT) {
      throw new Error(`${by} found ${symbols} symbols in ${input.name}, not ${input.symbols}`)
    }
  }
  return {
    suite: 'load',
    input: input.name,
    what: types ? 'load symbols and types, cold' : 'load symbols, cold',
    by,
    unit: 'ms',
    ...summarize(results.map(({ loadMs }) => loadMs)),
    ratio: median(results.map(({ loadMs, readMs }) => loadMs / readMs)),
    yardstick: 'plain read',
    note: `${median(results.map(({ cpuMs }) => cpuMs)).toFixed(0)} ms of processor time`,
  }
}

/** The yardsticks themselves. */
function readRows(input: Input, contenders: readonly Contender[]): Row[] {
  return [false, true].flatMap((types) => {
    const reads = contenders
      .filter((contender) => contender.types === types && typeof contender.how === 'number')
      .flatMap(({ results }) => results.map(({ readMs }) => readMs))
    if (reads.length === 0) return []
    const what = types ? 'read the files of symbols and types' : 'read the files of symbols'
    return [{ suite: 'load', input: input.name, what, by: 'plain read loop', unit: 'ms', ...summarize(reads) }]
  })
}

function importRow(input: Input, contenders: readonly Contender[]): Row {
  const times = contenders.flatMap(({ how, results }) =>
    typeof how === 'number' ? results.map(({ importMs }) => importMs) : [],
  )
  return { suite: 'load', input: input.name, what: 'import', by: 'kerndex', unit: 'ms', ...summarize(times) }
}
