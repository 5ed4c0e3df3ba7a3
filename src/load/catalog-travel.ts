// Entries that travel: an archive of their files, as they are, which any catalogue takes in.

import { readdirSync, readFileSync, statSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type BuildEntry, type BuildIdentity, decodeEntry, entryKey, gathered } from '../catalog/entry.ts'
import { MOST_ENTRY_BYTES } from '../catalog/limits.ts'
import { contentOf } from '../core/content.ts'
import { KerndexError, LimitError, NotReadableError, UsageError } from '../core/errors.ts'
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
 * The entries of an archive, or of a catalogue's directory: kernel by kernel, so that no more than one's are in memory.
 * @throws NotReadableError if there are none; BadFormatError, UnsupportedError, LimitError if one is damaged
 */
export async function* readEntries(path: string, signal?: AbortSignal): AsyncGenerator<BuildEntry[], void, void> {
  const folders = isArchive(path) ? await archivedEntries(path, signal) : entryFiles(path)
  if (folders.length === 0) throw new NotReadableError(`${path} holds no entries of a catalogue`, { path })
  for (const files of folders) {
    const byKernel = new Map<string, BuildEntry[]>()
    for (const entry of gathered(decoded(files))) {
      const own = byKernel.get(entry.kernel)
      if (own === undefined) byKernel.set(entry.kernel, [entry])
      else own.push(entry)
    }
    yield* byKernel.values()
  }
}

/** A file that is read when it is wanted. */
interface EntryFile {
  readonly path: string
  readonly read: () => Uint8Array
}

/** @throws BadFormatError, UnsupportedError, LimitError that say which file it is */
function* decoded(files: readonly EntryFile[]): Generator<BuildEntry> {
  for (const { path, read } of files) yield contentOf(path, () => decodeEntry(read()))
}

/** The entries' files in an archive, folder by folder. */
async function archivedEntries(path: string, signal: AbortSignal | undefined): Promise<EntryFile[][]> {
  const folders = new Map<string, EntryFile[]>()
  for (const [name, bytes] of await filesOfArchive(path, signal)) {
    if (!name.endsWith(SUFFIX)) continue
    const file = { path: `${path}: ${name}`, read: () => bytes }
    const folder = dirname(name)
    const others = folders.get(folder)
    if (others === undefined) folders.set(folder, [file])
    else others.push(file)
  }
  return [...folders.values()]
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

/** An entry's file itself, or those in a directory and in each of the folders in it. */
function entryFiles(path: string): EntryFile[][] {
  const file = (own: string): EntryFile => ({ path: own, read: () => bytesOf(own) })
  try {
    if (!statSync(path).isDirectory()) return [[file(path)]]
    const folders = [path]
    for (const found of readdirSync(path, { withFileTypes: true })) {
      if (found.isDirectory()) folders.push(join(path, found.name))
    }
    const files = folders.map((folder) => {
      const names = readdirSync(folder).filter((name) => name.endsWith(SUFFIX))
      return names.map((name) => file(join(folder, name)))
    })
    return files.filter(({ length }) => length > 0)
  } catch (error) {
    throw readFailure(path, error)
  }
}
