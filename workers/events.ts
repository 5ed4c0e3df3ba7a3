// An events thread: decodes and resolves stretches of a stream over the shared symbol table.

import type { StretchAnswer } from '../src/events/stretch.ts'
import { runStretchTask, type StretchTask } from '../src/events/tasks.ts'
import { type Answer, answer, HELLO } from '../src/load/threads.ts'

export default function events(task: StretchTask | typeof HELLO): Promise<Answer<StretchAnswer>> | undefined {
  return task === HELLO ? undefined : answer(() => runStretchTask(task))
}
