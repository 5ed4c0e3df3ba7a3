// A cold process that opens a kernel from a snapshot file or the cache, reads the kernel's own files plainly, and tells how
// long each took.

import { answer, coldTask } from '../lib/cold.ts'
import { plainRead } from '../lib/plain-read.ts'

export interface ColdOpen {
  /** The snapshot file, or the directory of the cache. */
  readonly path: string
  readonly how: 'file' | 'cache' | 'cache, checked'
  readonly types: boolean
  /** Whether only the symbols are waited for. */
  readonly symbolsFirst: boolean
  /** What the plain read reads: what a load would have to. */
  readonly files: readonly string[]
  /** Whether the plain read comes before or after. */
  readonly readFirst: boolean
}

export interface ColdOpenResult {
  readonly readMs: number
  readonly openMs: number
  /** From the call to the types, where only the symbols were waited for. */
  readonly typesMs: number | undefined
  readonly symbols: number
  readonly sets: number
  /** Whether it came from the file; a cache can turn out not to fit. */
  readonly fromFile: boolean
}

const { path, how, types, symbolsFirst, files, readFirst } = coldTask<ColdOpen>()

function timedRead(): number {
  const start = performance.now()
  plainRead(files)
  return performance.now() - start
}

const { openKernel } = await import('../../src/index.ts')
const before = readFirst ? timedRead() : undefined
const start = performance.now()
const ready = symbolsFirst ? 'symbols' : 'all'
const kernel = await openKernel(
  how === 'file'
    ? { from: path, types, ready, threads: 0 }
    : { cache: { directory: path, wait: how !== 'cache' }, types, ready, threads: 0 },
)
const { symbols } = kernel
let openMs = performance.now() - start
let typesMs: number | undefined
if (symbolsFirst) {
  await kernel.ready('types')
  typesMs = performance.now() - start
}
const { types: sets } = kernel
if (!symbolsFirst) openMs = performance.now() - start
const fromFile = how === 'file' || kernel.cacheReports.some(({ did }) => did === 'opened')
const result = { openMs, typesMs, symbols: symbols.size, sets: sets.records.length, fromFile }
await kernel.close()
answer<ColdOpenResult>({ ...result, readMs: before ?? timedRead() })
