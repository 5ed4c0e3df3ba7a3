// A cold process that reads a kernel's files plainly, loads them once, and tells how long each took.

import { threadId } from 'node:worker_threads'
import { answer, coldTask } from '../lib/cold.ts'
import { type Threads, threadsOption } from '../lib/contestants.ts'
import { plainRead } from '../lib/plain-read.ts'
import { mainThreadMs } from '../lib/processor-time.ts'

export interface ColdLoad {
  readonly from: string | undefined
  readonly kallsyms: string
  /** What the plain read reads: the files that the load reads too. */
  readonly files: readonly string[]
  /** Whether the plain read comes before the load or after it. */
  readonly readFirst: boolean
  readonly types: boolean
  /** kerndex with so many threads or as many as it takes by itself (`default`), or a baseline's name. */
  readonly by: Threads | string
}

export interface ColdLoadResult {
  readonly importMs: number
  readonly readMs: number
  readonly loadMs: number
  /** Processor time of the load on all threads, V8's compilers included. */
  readonly cpuMs: number
  /** Of it, the main thread's; undefined where the system does not say. */
  readonly mainMs: number | undefined
  readonly symbols: number
  /** Whether any other thread than the main one had a part in it; undefined for a baseline. */
  readonly pooled?: boolean
}

const task = coldTask<ColdLoad>()

/** Times a load, on the clock and on all processors. */
async function timed<T>(
  load: () => Promise<T>,
): Promise<{ result: T } & Pick<ColdLoadResult, 'loadMs' | 'cpuMs' | 'mainMs'>> {
  const main = mainThreadMs()
  const cpu = process.cpuUsage()
  const start = performance.now()
  const result = await load()
  const loadMs = performance.now() - start
  const { user, system } = process.cpuUsage(cpu)
  const mainAfter = mainThreadMs()
  const mainMs = main === undefined || mainAfter === undefined ? undefined : mainAfter - main
  return { result, loadMs, cpuMs: (user + system) / 1000, mainMs }
}

function timedRead(): number {
  const start = performance.now()
  plainRead(task.files)
  return performance.now() - start
}

async function kerndex(threads: Threads): Promise<Omit<ColdLoadResult, 'readMs'>> {
  const start = performance.now()
  const { openKernel } = await import('../../src/index.ts')
  const importMs = performance.now() - start
  const { result, ...times } = await timed(async () => {
    const kernel = await openKernel({ from: task.from, types: task.types, ...threadsOption(threads) })
    // Whatever the call waits for by itself: what the row says is there.
    await kernel.ready(task.types ? 'types' : 'symbols')
    return kernel
  })
  const pooled = result.timing.spans.some(({ thread }) => thread !== threadId)
  await result.close()
  return { importMs, ...times, symbols: result.symbols.size, pooled }
}

async function baseline(name: string): Promise<Omit<ColdLoadResult, 'readMs'>> {
  const start = performance.now()
  const { BASELINES, MessageWorker, ONE_WORKER } = await import('../lib/baselines.ts')
  const importMs = performance.now() - start
  if (name === ONE_WORKER) {
    const { result, ...times } = await timed(() => MessageWorker.start(task.kallsyms))
    await result.worker.close()
    return { importMs, ...times, symbols: result.symbols }
  }
  const load = BASELINES[name]
  if (load === undefined) throw new RangeError(`no baseline is called ${name}`)
  const { result, ...times } = await timed(() => load(task.kallsyms))
  return { importMs, ...times, symbols: result.byAddress.length }
}

const before = task.readFirst ? timedRead() : undefined
const load = typeof task.by === 'number' || task.by === 'default' ? await kerndex(task.by) : await baseline(task.by)
answer<ColdLoadResult>({ ...load, readMs: before ?? timedRead() })
