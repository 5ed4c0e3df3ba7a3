// Start-up: a cold process that loads a kernel, against a plain read of the same files in the same process.

import type { ColdLoad, ColdLoadResult } from './cold/load.ts'
import { BASELINES, ONE_WORKER } from './lib/baselines.ts'
import { runCold } from './lib/cold.ts'
import { kerndexWith, type Threads } from './lib/contestants.ts'
import { filesOf, type Input } from './lib/inputs.ts'
import type { Row } from './lib/report.ts'
import { compare, median, summarize } from './lib/stats.ts'
import { byTurns } from './lib/stop.ts'

/** A way to load. */
interface Way {
  readonly by: string
  readonly types: boolean
  /** kerndex with so many threads, or a baseline's name. */
  readonly how: ColdLoad['by']
}

/** What its cold processes gave, one a round. */
interface Contender extends Way {
  readonly results: readonly ColdLoadResult[]
}

/** Which ways take part. */
export interface LoadContest {
  readonly threads: readonly Threads[]
  readonly baselines: readonly string[]
}

/** kerndex as it comes and with these threads, and every baseline. */
export function everybody(threads: readonly number[]): LoadContest {
  return { threads: ['default', ...threads], baselines: [...Object.keys(BASELINES), ONE_WORKER] }
}

/** Symbols that may come or go on a running kernel between two loads. */
const DRIFT = 100

/** What kerndex inline and its pools are compared by, besides the plain read. */
const INLINE = kerndexWith(0)

/**
 * Measures an input with `processes` cold processes for each way to load it. The ways take turns, and the plain read comes
 * before the load in one process and after it in the next, so that neither always has the warmer machine.
 */
export async function benchLoad(input: Input, processes: number, contest: LoadContest): Promise<Row[]> {
  const ways: Way[] = [
    ...(input.btf.length > 0 ? [false, true] : [false]).flatMap((types) =>
      contest.threads.map((how) => ({ by: kerndexWith(how), types, how })),
    ),
    ...contest.baselines.map((name) => ({ by: name, types: false, how: name })),
  ]
  const results = await byTurns(ways, processes, ({ how, types }, round) => {
    const { from, kallsyms } = input
    const files = isKerndex(how) ? filesOf(input, types) : [kallsyms]
    const task: ColdLoad = { from, kallsyms, files, readFirst: round % 2 === 0, types, by: how }
    return runCold<ColdLoad, ColdLoadResult>('load', task)
  })
  const contenders = ways.map((way, i): Contender => ({ ...way, results: results[i] ?? [] }))
  return [
    ...contenders.map((contender) => loadRow(input, contender)),
    ...againstInline(input, contenders),
    ...readRows(input, contenders),
    importRow(input, contenders),
  ]
}

function isKerndex(how: ColdLoad['by']): boolean {
  return typeof how === 'number' || how === 'default'
}

function workOf(types: boolean): string {
  return types ? 'load symbols and types, cold' : 'load symbols, cold'
}

function loadRow(input: Input, { by, types, how, results }: Contender): Row {
  for (const { symbols } of results) {
    if (Math.abs(symbols - input.symbols) > (input.from === undefined ? DRIFT : 0)) {
      throw new Error(`${by} found ${symbols} symbols in ${input.name}, not ${input.symbols}`)
    }
  }
  const reads = results.map(({ readMs }) => readMs)
  const loads = results.map(({ loadMs }) => loadMs)
  return {
    suite: 'load',
    input: input.name,
    what: workOf(types),
    by,
    unit: 'ms',
    ...summarize(loads),
    ...compare('plain read', loads, reads),
    note: [processorTime(results), ...(how === 0 ? [] : inlineAfterAll(results))].join('; '),
  }
}

/** Says so where no thread of a pool had a part: kerndex begins none where it would come too late. */
function inlineAfterAll(results: readonly ColdLoadResult[]): string[] {
  const loads = results.filter(({ pooled }) => pooled !== undefined)
  const inline = loads.filter(({ pooled }) => pooled === false).length
  if (inline === 0 || loads.length === 0) return []
  return [inline === loads.length ? 'inline: no thread of a pool had a part' : `inline in ${inline} of ${loads.length}`]
}

/** Processor time of loads in words: of all threads, and of the one that waits. */
function processorTime(results: readonly ColdLoadResult[]): string {
  const all = `${median(results.map(({ cpuMs }) => cpuMs)).toFixed(0)} ms of processor time`
  const main = results.flatMap(({ mainMs }) => mainMs ?? [])
  return main.length === 0 ? all : `${all}, ${median(main).toFixed(0)} of it on the main thread`
}

/** What a pool gains or costs: each pool's loads against the inline loads of the same rounds. */
function againstInline(input: Input, contenders: readonly Contender[]): Row[] {
  return contenders.flatMap(({ by, types, how, results }) => {
    const inline = contenders.find((other) => other.types === types && other.how === 0)
    if (inline === undefined || !isKerndex(how) || how === 0) return []
    const times = (list: readonly ColdLoadResult[]) => list.map(({ loadMs }) => loadMs)
    return [
      {
        suite: 'load',
        input: input.name,
        what: `${workOf(types)}, against inline`,
        by,
        unit: 'ms',
        ...summarize(times(results)),
        ...compare(INLINE, times(results), times(inline.results)),
      },
    ]
  })
}

/** The yardsticks themselves. */
function readRows(input: Input, contenders: readonly Contender[]): Row[] {
  return [false, true].flatMap((types) => {
    const reads = contenders
      .filter((contender) => contender.types === types && isKerndex(contender.how))
      .flatMap(({ results }) => results.map(({ readMs }) => readMs))
    if (reads.length === 0) return []
    const what = types ? 'read the files of symbols and types' : 'read the files of symbols'
    return [{ suite: 'load', input: input.name, what, by: 'plain read loop', unit: 'ms', ...summarize(reads) }]
  })
}

function importRow(input: Input, contenders: readonly Contender[]): Row {
  const times = contenders.flatMap(({ how, results }) =>
    isKerndex(how) ? results.map(({ importMs }) => importMs) : [],
  )
  return { suite: 'load', input: input.name, what: 'import', by: 'kerndex', unit: 'ms', ...summarize(times) }
}
