// Entries that travel: an archive of their files, as they are, which any catalogue takes in.

import { readdirSync, readFileSync, statSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type BuildEntry, type BuildIdentity, decodeEntry, entryKey } from '../catalog/entry.ts'
import { MOST_ENTRY_BYTES } from '../catalog/limits.ts'
import { BadFormatError, KerndexError, LimitError, NotReadableError, UsageError } from '../core/errors.ts'
import { filesOfArchive, isArchive } from '../sources/archive.ts'
import { readFailure } from '../sources/reader.ts'
import { type ArchiveFile, writeArchive } from '../sources/write-archive.ts'

/** An entry of a catalogue. */
export interface CatalogEntry extends BuildIdentity {
  readonly path: string
  /** Bytes of its file. */
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
  async function* files(): AsyncGenerator<ArchiveFile> {
    for (const entry of entries) {
      const name = `${entry.kernel}/${entryKey(entry)}${SUFFIX}`
      yield { name, mode: 0o644, mtime: new Date(0), content: await readFile(entry.path) }
    }
  }
  // What is in it is packed already.
  await writeArchive(path, files(), { secret: false, level: 1, replace, signal, what: 'the export' })
}

/**
 * The entries of an archive, or of a catalogue's directory.
 * @throws NotReadableError if there are none; BadFormatError, UnsupportedError, LimitError if one is damaged
 */
export async function readEntries(path: string, signal?: AbortSignal): Promise<BuildEntry[]> {
  const entries: BuildEntry[] = []
  if (isArchive(path)) {
    for (const [name, bytes] of await filesOfArchive(path, signal))
      if (name.endsWith(SUFFIX)) entries.push(entryIn(bytes, `${path}: ${name}`))
  } else {
    for (const file of entryFiles(path)) entries.push(entryIn(bytesOf(file), file))
  }
  if (entries.length === 0) throw new NotReadableError(`${path} holds no entries of a catalogue`, { path })
  return entries
}

/** @throws BadFormatError, UnsupportedError, LimitError that say which file it is */
function entryIn(bytes: Uint8Array, place: string): BuildEntry {
  try {
    return decodeEntry(bytes)
  } catch (error) {
    if (error instanceof BadFormatError) throw new BadFormatError(`${place}: ${error.message}`, {}, { cause: error })
    throw error
  }
}

/** What a file holds that somebody named: a device never ends, and a pipe waits. @throws NotReadableError, NoPermissionError, LimitError */
function bytesOf(path: string): Buffer {
  try {
    const found = statSync(path)
    if (!found.isFile()) throw new NotReadableError(`${path} is not a regular file`, { path })
    const { size } = found
    if (size > MOST_ENTRY_BYTES) {
      throw new LimitError(`${path} has ${size} bytes; the limit is ${MOST_ENTRY_BYTES}`, { path })
    }
    return readFileSync(path)
  } catch (error) {
    throw error instanceof KerndexError ? error : readFailure(path, error)
  }
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
