// Fresh memory, made ready beside the calling thread. The first write to a page of memory has the kernel find and clear it,
// which takes microseconds a page: for a table's columns, as long as parsing the text. A read of /dev/zero writes zeros over
// zeros, on one of the threads that Node keeps for files.

import { closeSync, openSync, readv } from 'node:fs'
import { availableParallelism } from 'node:os'

/** Memory below this is touched sooner than asked for. */
const WORTH_WHILE = 1 << 20

/**
 * Has arrays that are still all zeros touched, and resolves when they may be written to: never before, or zeros would take the
 * place of what was written. Where there is no other core or no /dev/zero, nothing is done.
 */
export async function touched(arrays: readonly Uint8Array[]): Promise<void> {
  const bytes = arrays.reduce((sum, { length }) => sum + length, 0)
  if (bytes < WORTH_WHILE || availableParallelism() === 1) return
  let zeros: number
  try {
    zeros = openSync('/dev/zero', 'r')
  } catch {
    return
  }
  // Whatever comes of it, the memory holds zeros afterwards.
  await new Promise<void>((resolve) => readv(zeros, arrays, null, () => resolve()))
  closeSync(zeros)
}
