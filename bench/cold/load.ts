// A cold process that reads a kernel's files plainly, loads them once, and tells how long each took.

import { answer, coldTask } from '../lib/cold.ts'
import { plainRead } from '../lib/plain-read.ts'

export interface ColdLoad {
  readonly from: string | undefined
  readonly kallsyms: string
  /** What the plain read reads: the files that the load reads too. */
  readonly files: readonly string[]
  /** Whether the plain read comes before the load or after it. */
  readonly readFirst: boolean
  readonly types: boolean
  /** kerndex with so many threads, or a baseline's name. */
  readonly by: number | string
}

export interface ColdLoadResult {
  readonly importMs: number
  readonly readMs: number
  readonly loadMs: number
  readonly symbols: number
}

const task = coldTask<ColdLoad>()

function timedRead(): number {
  const start = performance.now()
  plainRead(task.files)
  return performance.now() - start
}

async function kerndex(threads: number): Promise<Omit<ColdLoadResult, 'readMs'>> {
  const start = performance.now()
  const { openKernel } = await import('../../src/index.ts')
  const imported = performance.now()
  const kernel = await openKernel({ from: task.from, threads, types: task.types })
  const loaded = performance.now()
  await kernel.close()
  return { importMs: imported - start, loadMs: loaded - imported, symbols: kernel.symbols.size }
}

async function baseline(name: string): Promise<Omit<ColdLoadResult, 'readMs'>> {
  const start = performance.now()
  const { BASELINES } = await import('../lib/baselines.ts')
  const imported = performance.now()
  const table = await BASELINES[name]?.(task.kallsyms)
  const loaded = performance.now()
  if (table === undefined) throw new RangeError(`no baseline is called ${name}`)
  return { importMs: imported - start, loadMs: loaded - imported, symbols: table.byAddress.length }
}

const before = task.readFirst ? timedRead() : undefined
const load = typeof task.by === 'number' ? await kerndex(task.by) : await baseline(task.by)
answer<ColdLoadResult>({ ...load, readMs: before ?? timedRead() })
