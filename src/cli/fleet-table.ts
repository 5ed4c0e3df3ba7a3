// The table of a job: named by its key, or by what it is made of, and then put into the store where it is not there yet. That of a
// layout is the layout and, once for all hosts that run them, the builds of a catalogue.

import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { KerndexError } from '../core/errors.ts'
import { isContentKey } from '../fleet/job.ts'
import { encodePlaced } from '../fleet/placed-table.ts'
import { keyOf, nothingStored, type Store } from '../fleet/store.ts'
import { readLayout } from '../load/layout-file.ts'
import { saveSnapshot } from '../load/save.ts'
import { type Catalog, openCatalog } from '../open-catalog.ts'
import { isSnapshotFile } from '../snapshot/read.ts'
import { readFailure } from '../sources/reader.ts'
import { readRegularFile } from '../sources/whole-file.ts'
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
  return putNew(store, await bytesOf(table))
}

/**
 * The key of the table of a layout's host, which is in the store then with the builds that it needs: from a catalogue, or those that are
 * there already under the key that `catalog` is.
 */
export async function storedLayout(layout: string, catalog: string | undefined, store: Store): Promise<string> {
  const { buildId } = readLayout(layout)
  let builds: string
  if (catalog !== undefined && isContentKey(catalog)) {
    if (!(await store.has(catalog))) throw nothingStored(store.what, catalog)
    builds = catalog
  } else {
    builds = await putNew(store, await archiveOf(await openCatalog({ directory: catalog }), buildId))
  }
  return putNew(store, encodePlaced({ builds, layout: await read(layout) }))
}

/** The archive of a kernel's builds: of the same entries the same bytes. @throws NotFoundError if the catalogue lacks the kernel */
async function archiveOf(catalog: Catalog, buildId: string): Promise<Uint8Array> {
  const folder = await mkdtemp(join(tmpdir(), 'kerndex-builds-'))
  try {
    const file = join(folder, 'builds.tar.gz')
    await catalog.export(file, { buildIds: [buildId] })
    return await readFile(file)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function putNew(store: Store, bytes: Uint8Array): Promise<string> {
  const key = keyOf(bytes)
  if (!(await store.has(key))) await store.put(key, bytes)
  return key
}

function read(path: string): Promise<Uint8Array> {
  return readRegularFile(path).catch((error: unknown) => {
    throw error instanceof KerndexError ? error : readFailure(path, error)
  })
}

async function bytesOf(table: string): Promise<Uint8Array> {
  if (isSnapshotFile(table)) return read(table)
  const folder = await mkdtemp(join(tmpdir(), 'kerndex-table-'))
  try {
    const file = join(folder, 'snapshot')
    await withKernel({ from: table, types: false }, (kernel) => saveSnapshot(kernel.snapshot(), file))
    return await readFile(file)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
