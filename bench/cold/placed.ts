// A cold process that opens a host from its layout and a catalogue, or from a snapshot file, and tells what processor time that took.

import { answer, coldTask } from '../lib/cold.ts'
import { median } from '../lib/stats.ts'

export interface ColdPlaced {
  /** The layout or the snapshot file. */
  readonly path: string
  /** The catalogue's directory, for a layout. */
  readonly catalog: string | undefined
}

/** Milliseconds of processor time, of all threads. */
export interface ColdPlacedResult {
  /** From the call to the first answers: a symbol by name, and one by address. */
  readonly callMs: number
  readonly processMs: number
  /** The median of further hosts that this process opens, from the call to the kernel; all stay open. */
  readonly furtherMs: number
  readonly symbols: number
}

/** Further hosts: the first of them still have code compiled. */
const FURTHER = 25
const COMPILING = 5

const { path, catalog } = coldTask<ColdPlaced>()

function processorTime(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

const { openKernel } = await import('../../src/index.ts')
const open = () => openKernel({ from: path, catalog, types: false, threads: 0 })
const start = processorTime()
const kernel = await open()
const { symbols } = kernel
const [symbol] = symbols.named('vfs_read')
if (symbols.at((symbol?.address ?? 0n) + 1n)?.symbol.name === undefined) throw new Error('vfs_read is not found')
const callMs = processorTime() - start
const processMs = processorTime()
const kernels = [kernel]
const times: number[] = []
for (let i = 0; i < FURTHER; i++) {
  const begin = processorTime()
  kernels.push(await open())
  times.push(processorTime() - begin)
}
const furtherMs = median(times.slice(COMPILING))
await Promise.all(kernels.map((each) => each.close()))
answer<ColdPlacedResult>({ callMs, processMs, furtherMs, symbols: symbols.size })
