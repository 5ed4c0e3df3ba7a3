// A loader thread: parses chunks of kallsyms and indexes BTF blobs, one task at a time.

import { type LoaderResult, type LoaderTask, runLoaderTask } from '../src/load/tasks.ts'
import { type Answer, answer, HELLO } from '../src/load/threads.ts'

export default function loader(task: LoaderTask | typeof HELLO): Promise<Answer<LoaderResult>> | undefined {
  return task === HELLO ? undefined : answer(() => runLoaderTask(task))
}
