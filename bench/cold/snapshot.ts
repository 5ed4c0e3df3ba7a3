// A cold process that opens a kernel from a snapshot file or the cache, reads the kernel's own files plainly, and tells how
// long each took.

import { answer, coldTask } from '../lib/cold.ts'
import { plainRead } from '../lib/plain-read.ts'

export interface ColdOpen {
  /** The snapshot file, or the directory of the cache. */
  readonly path: string
  readonly how: 'file' | 'cache' | 'cache, checked'
  readonly types: boolean
  /** What the plain read reads: what a load would have to. */
  readonly files: readonly string[]
  /** Whether the plain read comes before or after. */
  readonly readFirst: boolean
}

export interface ColdOpenResult {
  readonly readMs: number
  readonly openMs: number
  readonly symbols: number
  readonly sets: number
  /** Whether it came from the file; a cache can turn out not to fit. */
  readonly fromFile: boolean
}

const { path, how, types, files, readFirst } = coldTask<ColdOpen>()

function timedRead(): number {
  const start = performance.now()
  plainRead(files)
  return performance.now() - start
}

const { openKernel } = await import('../../src/index.ts')
const before = readFirst ? timedRead() : undefined
const start = performance.now()
const kernel = await openKernel(
  how === 'file'
    ? { from: path, types, threads: 0 }
    : { cache: { directory: path, wait: how !== 'cache' }, types, threads: 0 },
)
const { symbols, types: sets } = kernel
const openMs = performance.now() - start
const fromFile = how === 'file' || kernel.cacheReports.some(({ did }) => did === 'opened')
const result = { openMs, symbols: symbols.size, sets: sets.records.length, fromFile }
await kernel.close()
answer<ColdOpenResult>({ ...result, readMs: before ?? timedRead() })
