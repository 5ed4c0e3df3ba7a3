// Snapshot files onto disk, so that a reader sees the old file or the new one, never a piece of either.

import { setImmediate as turn } from 'node:timers/promises'
import { createFile } from '../sources/write-file.ts'
import { encodeSnapshot, type SnapshotContent } from './format.ts'

/** How to write a snapshot file. */
export interface WriteOptions {
  /** Whether a file that is there may be replaced. Default true. */
  readonly replace?: boolean | undefined
  readonly signal?: AbortSignal | undefined
  /** Called before each buffer is written, before all are flushed and before the file gets its name: a test ends the process there. */
  readonly onWrite?: ((number: number) => void) | undefined
}

/**
 * Writes a snapshot to a file that only its owner may read. Returns its length in bytes.
 * @throws UsageError if what is there must not be replaced; NotWritableError if it cannot be written; LimitError; AbortedError
 */
export async function writeSnapshot(
  path: string,
  content: SnapshotContent,
  { replace, signal, onWrite }: WriteOptions = {},
): Promise<number> {
  const encoding = encodeSnapshot(content)
  let step = encoding.next()
  while (step.done !== true) {
    await turn()
    step = encoding.next()
  }
  const buffers = step.value
  const file = await createFile(path, { secret: true, special: 'refuse', replace, signal })
  try {
    for (const [number, buffer] of buffers.entries()) {
      onWrite?.(number)
      await file.write(buffer)
    }
    onWrite?.(buffers.length)
    await file.flush()
    onWrite?.(buffers.length + 1)
    await file.finish()
  } catch (error) {
    await file.abandon()
    throw error
  }
  return buffers.reduce((sum, { length }) => sum + length, 0)
}
