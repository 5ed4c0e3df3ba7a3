// The table of a job: named by its key, or by what it is made of, and then put into the store where it is not there yet.

import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isContentKey } from '../fleet/job.ts'
import { keyOf, nothingStored, type Store } from '../fleet/store.ts'
import { saveSnapshot } from '../load/save.ts'
import { isSnapshotFile } from '../snapshot/read.ts'
import { readFailure } from '../sources/reader.ts'
import { withKernel } from './open.ts'

/**
 * The key of a table that is in the store then. A snapshot file goes there as it is, so that its key is its SHA-256; anything
 * else becomes a snapshot of its symbols.
 */
export async function storedTable(table: string, store: Store): Promise<string> {
  if (isContentKey(table)) {
    if (!(await store.has(table))) throw nothingStored(store.what, table)
    return table
  }
  const bytes = await bytesOf(table)
  const key = keyOf(bytes)
  if (!(await store.has(key))) await store.put(key, bytes)
  return key
}

async function bytesOf(table: string): Promise<Uint8Array> {
  if (isSnapshotFile(table)) {
    return readFile(table).catch((error: unknown) => {
      throw readFailure(table, error)
    })
  }
  const folder = await mkdtemp(join(tmpdir(), 'kerndex-table-'))
  try {
    const file = join(folder, 'snapshot')
    await withKernel({ from: table, types: false }, (kernel) => saveSnapshot(kernel.snapshot(), file))
    return await readFile(file)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
