// Files of text put into words, each in a process of its own, against what a reader would write.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openKernel } from '../src/index.ts'
import type { EventsResult, EventsTask } from './cold/events.ts'
import { runCold } from './lib/cold.ts'
import type { Input } from './lib/inputs.ts'
import { randomAddresses } from './lib/questions.ts'
import { seededRandom } from './lib/random.ts'
import type { Row } from './lib/report.ts'
import { median, summarize } from './lib/stats.ts'
import { byTurns, inParts } from './lib/stop.ts'
import { addressLines, ftraceText, perfText } from './lib/traces.ts'

const ADDRESSES = 2_000_000
const PERF_BYTES = 96_000_000
const PROCESSES = 50_000
const BASELINE = 'split2 + Map'
/** Each way is a process of seconds. */
const MOST_PROCESSES = 5
const WAYS: readonly (readonly [by: string, threads: number | undefined])[] = [
  [BASELINE, undefined],
  ['kerndex, 0 threads', 0],
  ['kerndex, 1 thread', 1],
  ['kerndex, 2 threads', 2],
]

/** Measures each product of two files by turns, in `processes` processes each, five at most. */
export async function benchEvents(input: Input, processes: number, seed: number): Promise<Row[]> {
  const folder = mkdtempSync(join(tmpdir(), 'kerndex-events-'))
  try {
    const addresses = join(folder, 'addresses.txt')
    const perf = join(folder, 'perf.txt')
    const bytes = await writeTraces(input, seed, addresses, perf)
    const turns = Math.min(processes, MOST_PROCESSES)
    const ofPerf = { input: 'perf-script', file: perf, count: bytes } as const
    const works = [
      { what: 'lines of addresses to text', input: 'addresses', file: addresses, count: ADDRESSES, product: 'text' },
      { what: 'bytes of perf script to text', ...ofPerf, product: 'text' },
      { what: 'bytes of perf script to folded stacks', ...ofPerf, product: 'profile' },
      { what: 'bytes of perf script to NDJSON', ...ofPerf, product: 'ndjson' },
      { what: 'bytes of perf script to events', ...ofPerf, product: 'parts' },
    ] as const
    const ofWork = async ({ what, count, ...work }: (typeof works)[number]): Promise<Row[]> => {
      const rates = await byTurns(WAYS, turns, async ([, threads]) => {
        const task = { from: input.from, ...work, ...(threads !== undefined && { threads }) }
        const { ms } = await runCold<EventsTask, EventsResult>('events', task)
        return count / ms / 1000
      })
      return WAYS.map(([by], way) => {
        const own = rates[way] ?? []
        return {
          ...{ suite: 'events', input: input.name, what, by, unit: 'M/s' },
          ...summarize(own),
          ...(by !== BASELINE && {
            yardstick: BASELINE,
            ratio: median(own.map((rate, turn) => rate / (rates[0]?.[turn] ?? 1))),
          }),
        }
      })
    }
    const parts = works.map((work) => () => ofWork(work))
    return await inParts([...parts, () => ofProcesses(input, folder, turns)])
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** What events of processes cost, where the recording says which forks make threads, and where that has to be found out. */
async function ofProcesses(input: Input, folder: string, turns: number): Promise<Row[]> {
  const kinds = [
    { told: true, words: 'ftrace events of processes, tasks told' },
    { told: false, words: 'ftrace events of processes, without the column' },
  ]
  const works = kinds.map(({ told, words }) => {
    const { text, events } = ftraceText(PROCESSES, told)
    const file = join(folder, `ftrace-${told}.txt`)
    writeFileSync(file, text)
    return { file, events, words }
  })
  const results = await byTurns(works, turns, ({ file }) => {
    const task = { from: input.from, input: 'ftrace', file, product: 'parts', threads: 0 } as const
    return runCold<EventsTask, EventsResult>('events', task)
  })
  const of = { suite: 'events', input: input.name, by: 'kerndex, 0 threads' }
  return works.flatMap(({ events, words }, i): Row[] => {
    const own = results[i] ?? []
    const spent = own.map(({ processorMs }) => processorMs)
    return [
      { ...of, what: words, unit: 'M/s', ...summarize(own.map(({ ms }) => events / ms / 1000)) },
      { ...of, what: `${events} ${words}: processor time`, unit: 'ms', ...summarize(spent) },
    ]
  })
}

/** Writes the two files, and says how many bytes the second has. */
async function writeTraces(input: Input, seed: number, addresses: string, perf: string): Promise<number> {
  const random = seededRandom(seed)
  const kernel = await openKernel({ ...(input.from !== undefined && { from: input.from }), types: false, threads: 0 })
  try {
    const questions = randomAddresses(kernel.symbols, random, ADDRESSES)
    writeFileSync(addresses, addressLines(questions))
    const text = perfText(kernel.symbols, questions, PERF_BYTES, random)
    writeFileSync(perf, text)
    return text.length
  } finally {
    await kernel.close()
  }
}
