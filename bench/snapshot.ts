// Warm start: cold processes that open a kernel from a snapshot file, or from the cache, against a plain read of the files
// that a load would have to read.

import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openKernel, saveSnapshot } from '../src/index.ts'
import type { ColdOpen, ColdOpenResult } from './cold/snapshot.ts'
import { runCold } from './lib/cold.ts'
import { filesOf, type Input } from './lib/inputs.ts'
import { leaveOtherBoot } from './lib/other-boot.ts'
import type { Row } from './lib/report.ts'
import { median, summarize } from './lib/stats.ts'
import { byTurns } from './lib/stop.ts'

interface Contender {
  readonly by: string
  readonly how: ColdOpen['how']
  readonly types: boolean
}

/** Measures an input with `processes` cold processes for each way to open it, which take turns. */
export async function benchSnapshot(input: Input, processes: number): Promise<Row[]> {
  const folder = mkdtempSync(join(tmpdir(), 'kerndex-bench-snapshot-'))
  const [file, cache, other] = [join(folder, 'file.kerndex'), join(folder, 'cache'), join(folder, 'other')]
  try {
    const kernel = await openKernel({ from: input.from, threads: 0 })
    await saveSnapshot(kernel.snapshot(), file)
    await kernel.close()
    // What came since the cache was written would have the checked way load everything.
    if (input.from === undefined) {
      await (await openKernel({ threads: 0, cache: { directory: cache, wait: true } })).close()
      await leaveOtherBoot(cache, other)
    }
    const kinds = input.btf.length > 0 ? [false, true] : [false]
    const contenders: Contender[] = kinds.flatMap((types) => [
      { by: 'snapshot file', how: 'file' as const, types },
      ...(input.from === undefined
        ? [
            { by: 'cache, provisional', how: 'cache' as const, types },
            { by: 'cache, another boot', how: 'cache, another boot' as const, types },
            { by: 'cache, checked', how: 'cache, checked' as const, types },
          ]
        : []),
    ])
    const results = await byTurns(contenders, processes, ({ how, types }, round) => {
      const path =
        how === 'file' ? file : how === 'cache, another boot' ? join(folder, `boot-${types}-${round}`) : cache
      // What is opened is checked, and written as of this boot.
      if (how === 'cache, another boot') cpSync(other, path, { recursive: true })
      const task: ColdOpen = { path, how, types, files: filesOf(input, types), readFirst: round % 2 === 0 }
      return runCold<ColdOpen, ColdOpenResult>('snapshot', task)
    })
    return contenders.flatMap((contender, i) => rowsOf(input, contender, results[i] ?? []))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function rowsOf(input: Input, { by, how, types }: Contender, results: readonly ColdOpenResult[]): Row[] {
  if (results.some(({ fromFile }) => !fromFile)) throw new Error(`${by}: some processes did not open the file`)
  const reads = results.map(({ readMs }) => readMs)
  const row = (what: string, times: readonly number[]): Row => ({
    suite: 'snapshot',
    input: input.name,
    what,
    by,
    unit: 'ms',
    ...summarize([...times]),
    yardstick: 'plain read',
    ratio: median(times.map((ms, i) => ms / reads[i]!)),
    note: `plain read ${median(reads).toFixed(1)} ms`,
  })
  const opens = results.map(({ openMs }) => openMs)
  if (how === 'cache, checked' || !types)
    return [row(types ? 'open symbols and types, cold' : 'open symbols, cold', opens)]
  const answers = results.map(({ answersMs }) => answersMs)
  const wholes = results.map(({ wholeMs }) => wholeMs)
  return [
    row('open symbols and types, cold', opens),
    row('open, and find a symbol, an address and a type, cold', answers),
    row('open, until all types are in memory, cold', wholes),
  ]
}
