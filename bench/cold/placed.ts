// A cold process that opens a host from its layout and a catalogue, or from a snapshot file, and tells what processor time that took.

import { answer, coldTask } from '../lib/cold.ts'

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
  readonly symbols: number
}

const { path, catalog } = coldTask<ColdPlaced>()

function processorTime(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

const { openKernel } = await import('../../src/index.ts')
const start = processorTime()
const kernel = await openKernel({ from: path, catalog, types: false, threads: 0 })
const { symbols } = kernel
const [symbol] = symbols.named('vfs_read')
if (symbols.at((symbol?.address ?? 0n) + 1n)?.symbol.name === undefined) throw new Error('vfs_read is not found')
const callMs = processorTime() - start
await kernel.close()
answer<ColdPlacedResult>({ callMs, processMs: processorTime(), symbols: symbols.size })
