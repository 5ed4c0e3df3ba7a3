// Types: cold processes that read and index them, against a plain read; and lookups and printing once they are there.

import type { ColdAsked, ColdAskedResult } from './cold/asked.ts'
import type { ColdTypes, ColdTypesResult } from './cold/types.ts'
import type { WarmResult, WarmTypes } from './cold/warm-types.ts'
import { runCold } from './lib/cold.ts'
import { rowsOf } from './lib/contest.ts'
import { kerndexWith } from './lib/contestants.ts'
import { type Input, vmlinuxOf } from './lib/inputs.ts'
import type { Row } from './lib/report.ts'
import { compare, summarize } from './lib/stats.ts'
import { byTurns, inParts } from './lib/stop.ts'

interface Contender {
  readonly what: string
  readonly by: string
  readonly task: Omit<ColdTypes, 'readFirst'>
}

/** Measures an input's types; nothing if it has none. */
export async function benchTypes(
  input: Input,
  processes: number,
  rounds: number,
  seed: number,
  pools: readonly number[],
): Promise<Row[]> {
  const vmlinux = vmlinuxOf(input)
  if (vmlinux === undefined) return []
  const { from, btf } = input
  const cold = (what: string, files: readonly string[], threads: number): Contender => ({
    what,
    by: kerndexWith(threads),
    task: { from, files, threads, vmlinuxOnly: files.length === 1 },
  })
  const contenders = [cold('vmlinux ready, one name found, cold', [vmlinux], 0)]
  if (btf.length > 1) {
    const what = 'vmlinux and all modules ready, one name found, cold'
    contenders.push(...pools.map((threads) => cold(what, btf, threads)))
  }
  return inParts([
    () => ofLoads(input, contenders, processes),
    () => asked(input, processes),
    () => ofReadySet(input, vmlinux, rounds, seed),
  ])
}

async function ofLoads(input: Input, contenders: readonly Contender[], processes: number): Promise<Row[]> {
  const all = await byTurns(contenders, processes, ({ task }, round) =>
    runCold<ColdTypes, ColdTypesResult>('types', { ...task, readFirst: round % 2 === 0 }),
  )
  return contenders.map(({ what, by }, i): Row => {
    const results = all[i] ?? []
    const loads = results.map(({ loadMs }) => loadMs)
    const reads = results.map(({ readMs }) => readMs)
    const { absent = 0, files = 0 } = results[0] ?? {}
    return {
      suite: 'types',
      input: input.name,
      what,
      by,
      unit: 'ms',
      ...summarize(loads),
      ...compare('plain read', loads, reads),
      note: `${files} ${files === 1 ? 'file' : 'files'}${absent > 0 ? `, ${absent} of them could not be used` : ''}`,
    }
  })
}

/** Lookups and printing in one process, once the types are there. */
async function ofReadySet(input: Input, vmlinux: string, rounds: number, seed: number): Promise<Row[]> {
  const task: WarmTypes = { from: input.from, vmlinux, rounds, seed }
  const { lookups, works, bytesPerType, types } = await runCold<WarmTypes, WarmResult>('warm-types', task)
  return [
    ...rowsOf('types', input.name, works, 'ms'),
    ...rowsOf('types', input.name, lookups, 'ns'),
    {
      suite: 'types',
      input: input.name,
      what: 'memory beside the blobs, a type',
      by: 'kerndex',
      unit: 'bytes',
      ...summarize([bytesPerType]),
      note: `${types} types`,
    },
  ]
}

/** Questions by type, each in a process that was asked nothing before but what stands in front of it. */
async function asked({ name, from }: Input, processes: number): Promise<Row[]> {
  const [results = []] = await byTurns(['kerndex inline'], processes, () =>
    runCold<ColdAsked, ColdAskedResult>('asked', { from }),
  )
  return Object.entries(results[0] ?? {}).map(([what, { functions }]) => ({
    ...{ suite: 'types', input: name, what, by: 'kerndex inline', unit: 'ms' },
    ...summarize(results.flatMap((result) => result[what]?.ms ?? [])),
    note: `${functions} functions`,
  }))
}
