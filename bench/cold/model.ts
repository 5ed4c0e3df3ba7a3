// A process of its own, warm after its first rounds, that loads symbols inline and with pools that have been started before, and tells
// how much of each inline load was in steps that any number of threads share.

import { workerUrl } from '../../src/core/place.ts'
import { STEP_NAMES } from '../../src/load/crew-thread.ts'
import { loadKernel } from '../../src/load/load.ts'
import type { LoaderResult, LoaderTask, LoaderThreads } from '../../src/load/tasks.ts'
import { Threads } from '../../src/load/threads.ts'
import { liveSource } from '../../src/sources/live.ts'
import { openSource } from '../../src/sources/open.ts'
import { answer, coldTask } from '../lib/cold.ts'

export interface ModelTask {
  readonly from: string | undefined
  readonly rounds: number
  /** The pools that load too; 0 is inline. */
  readonly threads: readonly number[]
}

/** The loads by the number of threads, in milliseconds, and of those inline what was in steps. */
export interface ModelResult {
  readonly loads: readonly { readonly threads: number; readonly ms: readonly number[] }[]
  readonly stepsMs: readonly number[]
}

/** Rounds after which V8 has compiled what it compiles. */
const WARM = 3

const task = coldTask<ModelTask>()
const source = task.from === undefined ? liveSource() : await openSource(task.from)
const steps: ReadonlySet<string> = new Set(STEP_NAMES)
const stepsMs: number[] = []
const loads = [...new Set([0, ...task.threads])].map((count) => {
  const pool: LoaderThreads | undefined =
    count === 0 ? undefined : new Threads<LoaderTask, LoaderResult>(workerUrl('loader'), count)
  return { threads: count, pool, ms: [] as number[] }
})
await Promise.all(loads.map(({ pool }) => pool?.start()))
for (let round = -WARM; round < task.rounds; round++) {
  for (const { threads, pool, ms } of loads) {
    const start = performance.now()
    const { timeline } = await loadKernel(source, 1, { threads: pool, types: false })
    const elapsed = performance.now() - start
    if (round < 0) continue
    ms.push(elapsed)
    if (threads > 0) continue
    const shared = timeline.spans.filter(({ what }) => steps.has(what))
    stepsMs.push(shared.reduce((sum, span) => sum + span.end - span.start, 0))
  }
}
await Promise.all(loads.map(({ pool }) => pool?.close()))
answer<ModelResult>({ loads: loads.map(({ threads, ms }) => ({ threads, ms })), stepsMs })
