// What a loader thread can be asked to do. The same functions run on the calling thread when there are no others.

import { threadId } from 'node:worker_threads'
import { type BaseShape, indexTypes, type NamedBlob, readShape, type TypeSetRecord } from '../btf/index-types.ts'
import { type ErrorRecord, errorToRecord } from '../core/errors.ts'
import { arenaFor, readBtf } from '../sources/blob.ts'
import type { BtfFile } from '../sources/source.ts'
import { ChunkParser, type ParsedChunk } from '../symbols/parse.ts'
import { newWorkspace } from '../symbols/wasm.ts'
import { type AbsoluteSpan, absoluteNow, type Work } from './timeline.ts'

/** A task for a loader thread. */
export type LoaderTask =
  | {
      readonly do: 'parse'
      readonly text: Uint8Array<SharedArrayBuffer>
      /** The digest of an earlier load's stretch in this place: equal text is not parsed. */
      readonly known?: string | undefined
    }
  | { readonly do: 'base'; readonly file: BtfFile }
  | { readonly do: 'index'; readonly blobs: readonly NamedBlob[]; readonly base: BaseShape | undefined }
  | { readonly do: 'types'; readonly files: readonly BtfFile[]; readonly base: BaseShape | undefined }

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
  | { readonly did: 'base'; readonly blob: NamedBlob; readonly identity: string; readonly shape: BaseShape }
  | { readonly did: 'index'; readonly sets: IndexedSets }
)

const workspace = newWorkspace()
const parser = new ChunkParser(workspace)

/** Does a task on the calling thread, which should be one that may be kept busy. */
export async function runLoaderTask(task: LoaderTask): Promise<LoaderResult> {
  const spans: AbsoluteSpan[] = []
  const timed = <T>(work: Work, what: string, run: () => T): T => {
    const start = absoluteNow()
    const result = run()
    spans.push({ work, what, thread: threadId, start, end: absoluteNow() })
    return result
  }
  switch (task.do) {
    case 'parse': {
      const text = workspace.reach('text', task.text)
      const digest = workspace.loops.digest(text)
      if (digest === task.known) return { did: 'parse', spans, digest, chunk: undefined }
      const chunk = timed('parse', 'kallsyms', () => {
        parser.parse(text, 0, text.length)
        return parser.take()
      })
      return { did: 'parse', spans, digest, chunk }
    }
    case 'base': {
      const { module } = task.file
      const start = absoluteNow()
      const { bytes, identity } = await readBtf(task.file)
      spans.push({ work: 'read', what: module, thread: threadId, start, end: absoluteNow() })
      return { did: 'base', spans, blob: { name: module, bytes }, identity, shape: readShape(bytes) }
    }
    case 'index': {
      const what = task.blobs.length === 1 ? (task.blobs[0]?.name ?? '') : `${task.blobs.length} modules`
      return { did: 'index', spans, sets: timed('index', what, () => indexBlobs(task.blobs, task.base)) }
    }
    case 'types': {
      const blobs: NamedBlob[] = []
      const failures: TypeFailure[] = []
      const identities: [string, string][] = []
      const arena = arenaFor(task.files.length)
      const start = absoluteNow()
      for (const file of task.files) {
        const { module } = file
        try {
          const { bytes, identity } = await readBtf(file, undefined, arena)
          blobs.push({ name: module, bytes })
          identities.push([module, identity])
        } catch (error) {
          failures.push({ module, error: errorToRecord(error) })
        }
      }
      spans.push({ work: 'read', what: `${blobs.length} modules`, thread: threadId, start, end: absoluteNow() })
      const sets = timed('index', `${blobs.length} modules`, () => indexBlobs(blobs, task.base))
      return {
        did: 'index',
        spans,
        sets: { records: sets.records, identities, failures: [...failures, ...sets.failures] },
      }
    }
  }
}

function indexBlobs(blobs: readonly NamedBlob[], base: BaseShape | undefined): IndexedSets {
  const { records, failures } = indexTypes(blobs, base)
  return {
    records,
    identities: [],
    failures: failures.map(({ name, error }) => ({ module: name, error: errorToRecord(error) })),
  }
}
