// How costs grow: loads, lookups and memory over synthetic tables of growing size.

import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SPLIT } from './lib/baselines.ts'
import type { Input } from './lib/inputs.ts'
import type { Asking } from './lib/options.ts'
import type { Row } from './lib/report.ts'
import { inParts } from './lib/stop.ts'
import { syntheticKallsyms } from './lib/synthetic.ts'
import { benchLoad } from './load.ts'
import { benchLookups } from './lookups.ts'
import { benchMemory } from './memory.ts'

/** The suite's name. It makes its own inputs. */
export const SCALE = 'scale'

/** Who loads: kerndex inline and with a pool, and the fastest baseline. */
const CONTEST = { threads: [0, 2], baselines: [SPLIT] } as const

/** What is plotted over the number of symbols; the rest of the suites says nothing about growth. */
const GROWING = [
  'load symbols, cold',
  'containing addresses, random',
  'containing address, one at a time',
  'a symbol with name, type, owner and name index',
  'the finished table',
  'peak of a load above before',
]

/** Measures synthetic tables of these sizes; each is a file of its own for as long as it is measured. */
export async function benchScale(
  sizes: readonly number[],
  processes: number,
  ask: Asking,
  add: (rows: readonly Row[]) => void,
): Promise<void> {
  for (const symbols of sizes) {
    const folder = mkdtempSync(join(tmpdir(), 'kerndex-scale-'))
    try {
      const input = writeTable(folder, symbols, ask.seed)
      const measured = await inParts([
        () => benchLoad(input, processes, CONTEST),
        () => benchLookups(input, ask),
        () => benchMemory(input, processes, CONTEST.threads),
      ])
      add(measured.filter(({ what }) => GROWING.includes(what)).map((row) => ({ ...row, suite: SCALE, symbols })))
    } finally {
      rmSync(folder, { recursive: true })
    }
  }
}

/** A capture that has nothing but a synthetic kallsyms. */
function writeTable(folder: string, symbols: number, seed: number): Input {
  const name = `synthetic-${symbols}`
  const from = join(folder, name)
  mkdirSync(from)
  const kallsyms = join(from, 'kallsyms')
  const descriptor = openSync(kallsyms, 'w')
  for (const piece of syntheticKallsyms(symbols, seed)) writeSync(descriptor, piece)
  closeSync(descriptor)
  return { name, from, kallsyms, btf: [], facts: [], symbols }
}
