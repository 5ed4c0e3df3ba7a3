// An events thread: decodes and resolves stretches of a stream over the shared symbol table.

import { move, transferableSymbol, valueSymbol } from 'piscina'
import { runStretchTask, type StretchTask } from '../src/events/tasks.ts'
import { answer, HELLO } from '../src/load/threads.ts'

export default async function events(task: StretchTask | typeof HELLO): Promise<unknown> {
  if (task === HELLO) return undefined
  const reply = await answer(() => runStretchTask(task))
  // What was written changes hands; copying it would take about as long as writing it.
  const written = 'value' in reply ? (reply.value.bytes ?? reply.value.parts?.stacks) : undefined
  // Small buffers may share their memory with others.
  if (written === undefined || written.length === 0 || written.length !== written.buffer.byteLength) return reply
  return move({ [transferableSymbol]: [written.buffer], [valueSymbol]: reply })
}
