// The tasks of loader threads. The same functions run on the calling thread when there are no others.

import { threadId } from 'node:worker_threads'
import { type JoinTask, join } from './crew-thread.ts'
import { type Helped, type HelpTask, helpWithFiles } from './shared-files.ts'
import type { Threads } from './threads.ts'
import { type AbsoluteSpan, absoluteNow } from './timeline.ts'

/** A task for a loader thread. */
export type LoaderTask = ({ readonly do: 'join' } & JoinTask) | ({ readonly do: 'help' } & HelpTask)

/** The result of each task, with the work it consisted of. */
export type LoaderResult = { readonly spans: readonly AbsoluteSpan[] } & (
  | { readonly did: 'join' }
  | { readonly did: 'help'; readonly helped: Helped | undefined }
)

/** The loader pool. */
export type LoaderThreads = Threads<LoaderTask, LoaderResult>

/** Does a task on the calling thread, which should be one that may be kept busy. */
export async function runLoaderTask(task: LoaderTask): Promise<LoaderResult> {
  const spans: AbsoluteSpan[] = []
  switch (task.do) {
    case 'join':
      return { did: 'join', spans: join(task) }
    case 'help': {
      const start = absoluteNow()
      const helped = helpWithFiles(task)
      const what = `${helped?.identities.length ?? 0} modules`
      spans.push({ work: 'index', what, thread: threadId, start, end: absoluteNow() })
      return { did: 'help', spans, helped }
    }
  }
}
