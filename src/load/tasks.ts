// What a loader thread can be asked to do. The same functions run on the calling thread when there are no others.

import { threadId } from 'node:worker_threads'
import type { TypeSetRecord } from '../btf/index-types.ts'
import type { ErrorRecord } from '../core/errors.ts'
import { ChunkParser, type ParsedChunk } from '../symbols/parse.ts'
import { newWorkspace } from '../symbols/wasm.ts'
import { type Helped, type HelpTask, helpWithFiles } from './shared-files.ts'
import { type AbsoluteSpan, absoluteNow } from './timeline.ts'

/** A task for a loader thread. */
export type LoaderTask =
  | {
      readonly do: 'parse'
      readonly text: Uint8Array<SharedArrayBuffer>
      /** The digest of an earlier load's stretch in this place: equal text is not parsed. */
      readonly known?: string | undefined
    }
  | ({ readonly do: 'help' } & HelpTask)

/** A blob that could not be read or indexed, and why. */
export interface TypeFailure {
  readonly module: string
  readonly error: ErrorRecord
}

export interface IndexedSets {
  readonly records: readonly TypeSetRecord[]
  /** The identities of the files that were read, by module. */
  readonly identities: readonly (readonly [module: string, identity: string])[]
  readonly failures: readonly TypeFailure[]
}

/** What each task gives, with the work it consisted of. */
export type LoaderResult = { readonly spans: readonly AbsoluteSpan[] } & (
  | { readonly did: 'parse'; readonly digest: string; readonly chunk: ParsedChunk | undefined }
  | { readonly did: 'help'; readonly helped: Helped | undefined }
)

const workspace = newWorkspace()
const parser = new ChunkParser(workspace)

/** Does a task on the calling thread, which should be one that may be kept busy. */
export async function runLoaderTask(task: LoaderTask): Promise<LoaderResult> {
  const spans: AbsoluteSpan[] = []
  switch (task.do) {
    case 'parse': {
      const text = workspace.reach('text', task.text)
      const digest = workspace.loops.digest(text)
      if (digest === task.known) return { did: 'parse', spans, digest, chunk: undefined }
      const start = absoluteNow()
      parser.parse(text, 0, text.length)
      const chunk = parser.take()
      spans.push({ work: 'parse', what: 'kallsyms', thread: threadId, start, end: absoluteNow() })
      return { did: 'parse', spans, digest, chunk }
    }
    case 'help': {
      const start = absoluteNow()
      const helped = helpWithFiles(task)
      const what = `${helped?.identities.length ?? 0} modules`
      spans.push({ work: 'index', what, thread: threadId, start, end: absoluteNow() })
      return { did: 'help', spans, helped }
    }
  }
}
