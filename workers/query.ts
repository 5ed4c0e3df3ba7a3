// A query thread: answers stretches of addresses over the shared symbol table.

import { type Answer, answer, HELLO } from '../src/load/threads.ts'
import { type QueryResult, type QueryTask, runQueryTask } from '../src/query/tasks.ts'

export default function query(task: QueryTask | typeof HELLO): Promise<Answer<QueryResult>> | undefined {
  return task === HELLO ? undefined : answer(() => runQueryTask(task))
}
