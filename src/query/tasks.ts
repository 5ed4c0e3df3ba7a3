// The tasks of query threads over a shared table: answer a range of addresses or names, or match a pattern.

import type { Pattern } from '../symbols/arguments.ts'
import type { NamedAnswer, PackedNames } from '../symbols/lookup-names.ts'
import { SymbolTable } from '../symbols/table.ts'

/** The members of every task. */
interface Common {
  /** The symbol table's buffer. */
  readonly table: SharedArrayBuffer
  /** The buffers that its names are in, if it has none itself. */
  readonly lent?: readonly SharedArrayBuffer[] | undefined
  /** The range: addresses or names by position, or symbols by id. */
  readonly from: number
  readonly to: number
  /** One i32: not 0 once the caller has given up. */
  readonly cancelled: SharedArrayBuffer
}

/** A task for a query thread. Addresses and their answers are shared; answers of unknown length come back as arrays. */
export type QueryTask = Common &
  (
    | {
        /** `contain`: ids and offsets of what contains each address; `start`: first ids and counts of what starts there. */
        readonly do: 'contain' | 'start'
        readonly addresses: SharedArrayBuffer
        readonly ids: SharedArrayBuffer
        readonly numbers: SharedArrayBuffer
      }
    | { readonly do: 'name'; readonly names: PackedNames }
    | { readonly do: 'match'; readonly pattern: Pattern; readonly owner: Pattern | undefined }
  )

/** The answers of tasks. */
export type QueryResult =
  | { readonly did: 'fill' }
  | { readonly did: 'name'; readonly answer: NamedAnswer }
  | { readonly did: 'match'; readonly ids: Uint32Array }

/** Tables by buffer: a generation is attached once a thread, not once a task, and forgotten with its buffer. */
const attached = new WeakMap<SharedArrayBuffer, SymbolTable>()

/** Does a task; one whose caller has given up is not begun. */
export function runQueryTask(task: QueryTask): QueryResult {
  if (Atomics.load(new Int32Array(task.cancelled), 0) !== 0) return { did: 'fill' }
  let table = attached.get(task.table)
  if (table === undefined) {
    table = new SymbolTable(task.table, task.lent)
    attached.set(task.table, table)
  }
  const { from, to } = task
  const count = to - from
  switch (task.do) {
    case 'contain':
    case 'start': {
      const addresses = new BigUint64Array(task.addresses, from * 8, count)
      const ids = new Uint32Array(task.ids, from * 4, count)
      const numbers = new Uint32Array(task.numbers, from * 4, count)
      if (task.do === 'contain') table.findMany(addresses, { ids, offsets: numbers })
      else table.startingAtMany(addresses, { ids, counts: numbers })
      return { did: 'fill' }
    }
    case 'name':
      return { did: 'name', answer: table.namedMany(task.names, from, to) }
    case 'match':
      return { did: 'match', ids: Uint32Array.from(table.idsMatching(task.pattern, task.owner, from, to)) }
  }
}
