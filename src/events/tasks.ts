// The task of an events thread: one stretch of a stream, which lies in shared memory.

import { setBounded } from '../core/bounded-map.ts'
import { SymbolTable } from '../symbols/table.ts'
import { StretchWorker } from './stretch.ts'
import type { StretchAnswer, StretchPlan } from './stretch-plan.ts'

/** A stretch, and what to make of it. */
export interface StretchTask {
  /** Number of the stream in its process: a thread keeps its caches for as long as it works on one stream. */
  readonly stream: number
  readonly plan: StretchPlan
  /** The symbol table's buffer. */
  readonly table: SharedArrayBuffer
  /** The buffers that its names are in, if it has none itself. */
  readonly lent: readonly SharedArrayBuffer[] | undefined
  readonly text: SharedArrayBuffer
  readonly length: number
}

/** Streams whose caches are kept at once, and bytes that one may remember, about: then it begins anew. */
const MOST_STREAMS = 4
const MOST_MEMORY = 1 << 26

const workers = new Map<number, StretchWorker>()

export function runStretchTask({ stream, plan, table, lent, text, length }: StretchTask): StretchAnswer {
  const worker = workers.get(stream) ?? new StretchWorker(new SymbolTable(table, lent), plan)
  setBounded(workers, stream, worker, MOST_STREAMS)
  const answer = worker.run(new Uint8Array(text, 0, length))
  if (worker.memory > MOST_MEMORY) workers.delete(stream)
  return answer
}
