// What a query thread can be asked to do: answer a stretch of addresses that lies in shared memory, in place.

import { SymbolTable } from '../symbols/table.ts'

/** A stretch of addresses, and where the answers go. All four buffers are shared; nothing is copied. */
export interface QueryTask {
  /** The symbol table's buffer. */
  readonly table: SharedArrayBuffer
  readonly addresses: SharedArrayBuffer
  readonly ids: SharedArrayBuffer
  readonly offsets: SharedArrayBuffer
  readonly from: number
  readonly to: number
  /** One i32: not 0 once the caller has given up. */
  readonly cancelled: SharedArrayBuffer
}

/** Tables by buffer: a generation is attached once a thread, not once a task, and forgotten with its buffer. */
const attached = new WeakMap<SharedArrayBuffer, SymbolTable>()

/** Answers a stretch; a caller that has given up is noticed before the work begins. */
export function runQueryTask(task: QueryTask): void {
  if (Atomics.load(new Int32Array(task.cancelled), 0) !== 0) return
  let table = attached.get(task.table)
  if (table === undefined) {
    table = new SymbolTable(task.table)
    attached.set(task.table, table)
  }
  const count = task.to - task.from
  table.findMany(new BigUint64Array(task.addresses, task.from * 8, count), {
    ids: new Uint32Array(task.ids, task.from * 4, count),
    offsets: new Uint32Array(task.offsets, task.from * 4, count),
  })
}
