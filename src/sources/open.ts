// Chooses the source that a path names.

import { stat } from 'node:fs/promises'
import { archiveSource, isArchive } from './archive.ts'
import { captureSource } from './capture.ts'
import { fileSource } from './file.ts'
import { liveSource } from './live.ts'
import { readFailure } from './reader.ts'
import type { Source } from './source.ts'

/**
 * The source that `from` names: undefined is the running kernel, a directory is a capture, an archive holds one, any other
 * file is kallsyms text.
 * @throws NotReadableError, NoPermissionError if there is nothing at that path, or nothing usable in an archive; LimitError; AbortedError
 */
export async function openSource(from: string | undefined, signal?: AbortSignal): Promise<Source> {
  if (from === undefined) return liveSource()
  let isDirectory: boolean
  try {
    isDirectory = (await stat(from)).isDirectory()
  } catch (error) {
    throw readFailure(from, error)
  }
  if (isDirectory) return captureSource(from)
  return isArchive(from) ? archiveSource(from, signal) : fileSource(from)
}
