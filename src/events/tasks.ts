// What an events thread can be asked to do: one stretch of a stream, which lies in shared memory.

import { SymbolTable } from '../symbols/table.ts'
import { type StretchAnswer, type StretchPlan, StretchWorker } from './stretch.ts'

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

let current: { readonly stream: number; readonly worker: StretchWorker } | undefined

export function runStretchTask({ stream, plan, table, lent, text, length }: StretchTask): StretchAnswer {
  if (current?.stream !== stream) current = { stream, worker: new StretchWorker(new SymbolTable(table, lent), plan) }
  return current.worker.run(new Uint8Array(text, 0, length))
}
