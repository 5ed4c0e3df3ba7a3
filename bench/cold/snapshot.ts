// A cold process that opens a kernel from a snapshot file or the cache, reads the kernel's own files plainly, and tells how
// long each took.

import { answer, coldTask } from '../lib/cold.ts'
import { plainRead } from '../lib/plain-read.ts'

export interface ColdOpen {
  /** The snapshot file, or the directory of the cache. */
  readonly path: string
  readonly how: 'file' | 'cache' | 'cache, another boot' | 'cache, checked'
  readonly types: boolean
  /** What the plain read reads: what a load would have to. */
  readonly files: readonly string[]
  /** Whether the plain read comes before or after. */
  readonly readFirst: boolean
}

export interface ColdOpenResult {
  readonly readMs: number
  /** From the call to the kernel that answers. */
  readonly openMs: number
  /** From the call to the first answers: a symbol by name, one by address, a type by name. */
  readonly answersMs: number
  /** From the call until everything is in memory. */
  readonly wholeMs: number
  readonly symbols: number
  readonly sets: number
  /** Whether it came from the file; a cache can turn out not to fit. */
  readonly fromFile: boolean
}

const { path, how, types, files, readFirst } = coldTask<ColdOpen>()

/** Milliseconds. `performance` has to be loaded first, and the harness must not do that for what it measures. */
const now = () => Number(process.hrtime.bigint()) / 1e6

function timedRead(): number {
  const start = now()
  plainRead(files)
  return now() - start
}

const { openKernel } = await import('../../src/index.ts')
const before = readFirst ? timedRead() : undefined
const start = now()
const kernel = await openKernel(
  how === 'file'
    ? { from: path, types, threads: 0 }
    : { cache: { directory: path, wait: how === 'cache, checked' }, types, threads: 0 },
)
const { symbols, types: sets } = kernel
const openMs = now() - start
const [symbol] = symbols.named('vfs_read')
if (symbols.at((symbol?.address ?? 0n) + 1n)?.symbol.name === undefined) throw new Error('vfs_read is not found')
if (types && sets.find('task_struct').length === 0) throw new Error('task_struct is not found')
const answersMs = now() - start
await kernel.ready()
const wholeMs = now() - start
const fromFile = how === 'file' || kernel.cacheReports.some(({ did }) => did === 'opened')
const result = { openMs, answersMs, wholeMs, symbols: symbols.size, sets: sets.records.length, fromFile }
await kernel.close()
answer<ColdOpenResult>({ ...result, readMs: before ?? timedRead() })
