// Entries that travel: an archive of their files, as they are, which any catalogue takes in.

import { readdirSync, readFileSync, statSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { type BuildEntry, type BuildIdentity, decodeEntry, entryKey } from '../catalog/entry.ts'
import { AbortedError, NotReadableError, UsageError } from '../core/errors.ts'
import { filesOfArchive, isArchive } from '../sources/archive.ts'
import { readFailure } from '../sources/reader.ts'
import { createFile, writeFailure } from '../sources/write-file.ts'

/** An entry of a catalogue. */
export interface CatalogEntry extends BuildIdentity {
  readonly path: string
  /** Of its file. */
  readonly bytes: number
  readonly written: Date
}

const SUFFIX = '.entry'

/** Writes the files of entries as an archive, `KERNEL/ENTRY.entry` each. @throws UsageError, NotReadableError, AbortedError */
export async function writeEntries(
  path: string,
  entries: readonly CatalogEntry[],
  { replace, signal }: { readonly replace: boolean; readonly signal: AbortSignal | undefined },
): Promise<void> {
  if (!isArchive(path) || path.endsWith('.tar'))
    throw new UsageError(`${path}: archives are written packed; name it .tar.gz`)
  // Only archives need it.
  const { pack } = await import('tar-stream')
  const file = await createFile(path, { secret: false, special: 'refuse', replace, signal })
  try {
    const archive = pack()
    // What is in it is packed already.
    const written = pipeline(archive, createGzip({ level: 1 }), async (packed: AsyncIterable<Uint8Array>) => {
      for await (const piece of packed) await file.write(piece)
    })
    for (const entry of entries) {
      if (signal?.aborted === true) throw new AbortedError('the export was aborted', { cause: signal.reason })
      const name = `${entry.kernel}/${entryKey(entry)}${SUFFIX}`
      const content = await readFile(entry.path)
      await new Promise<void>((resolve, reject) => {
        archive.entry({ name, mode: 0o644, mtime: new Date(0) }, content, (error) =>
          error ? reject(error) : resolve(),
        )
        written.catch(reject)
      })
    }
    archive.finalize()
    await written
    await file.finish()
  } catch (error) {
    await file.abandon()
    throw writeFailure(path, error)
  }
}

/**
 * The entries of an archive, or of a catalogue's directory.
 * @throws NotReadableError if there are none; BadFormatError, UnsupportedError, LimitError if one is damaged
 */
export async function readEntries(path: string): Promise<BuildEntry[]> {
  const entries: BuildEntry[] = []
  if (isArchive(path)) {
    for (const [name, bytes] of await filesOfArchive(path)) if (name.endsWith(SUFFIX)) entries.push(decodeEntry(bytes))
  } else {
    for (const file of entryFiles(path)) entries.push(decodeEntry(readFileSync(file)))
  }
  if (entries.length === 0) throw new NotReadableError(`${path} holds no entries of a catalogue`, { path })
  return entries
}

/** An entry's file itself, or those in a directory and the folders in it. */
function entryFiles(path: string): string[] {
  try {
    if (!statSync(path).isDirectory()) return [path]
    return readdirSync(path, { withFileTypes: true }).flatMap((found) => {
      const own = join(path, found.name)
      if (found.isDirectory())
        return readdirSync(own).flatMap((name) => (name.endsWith(SUFFIX) ? [join(own, name)] : []))
      return found.isFile() && found.name.endsWith(SUFFIX) ? [own] : []
    })
  } catch (error) {
    throw readFailure(path, error)
  }
}
