// A cold process, started with --expose-gc, that loads a kernel once and tells what memory that took at most and for good.
//
// The kernel keeps the most memory a process ever had resident (VmHWM) and forgets it on request, so the peak belongs to the
// load alone: not to Node's own start, nor to anything after it.

import { readFileSync, writeFileSync } from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import { openKernel } from '../../src/index.ts'
import { answer, coldTask } from '../lib/cold.ts'

export interface MemoryTask {
  readonly from: string | undefined
  readonly threads: number
  readonly types: boolean
}

/** In bytes. */
export interface MemoryResult {
  readonly symbols: number
  readonly tableBytes: number
  /** Resident before the load, at most during it, and after it once garbage is gone. */
  readonly before: number
  readonly peak: number
  readonly after: number
}

const task = coldTask<MemoryTask>()

function resident(field: 'VmRSS' | 'VmHWM'): number {
  const kilobytes = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(readFileSync('/proc/self/status', 'latin1'))?.[1]
  if (kilobytes === undefined) throw new Error(`/proc/self/status has no ${field}`)
  return Number(kilobytes) * 1024
}

/** Collects what can be collected; buffers are given back by finalizers, which need a turn of the loop. */
async function collect(): Promise<void> {
  if (globalThis.gc === undefined) throw new Error('start this process with --expose-gc')
  for (let i = 0; i < 4; i++) {
    globalThis.gc()
    await setImmediate()
  }
}

await collect()
const before = resident('VmRSS')
writeFileSync('/proc/self/clear_refs', '5')
const kernel = await openKernel({ from: task.from, threads: task.threads, types: task.types })
const peak = resident('VmHWM')
await collect()
const after = resident('VmRSS')
answer<MemoryResult>({
  symbols: kernel.symbols.size,
  tableBytes: kernel.symbols.byteLength,
  before,
  peak,
  after,
})
await kernel.close()
