// Writes files as a packed archive (`.tar.gz`), which appears when it is whole.

import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { checkAborted } from '../core/until.ts'
import { createFile, writeFailure } from './write-file.ts'

/** A file of an archive. */
export interface ArchiveFile {
  readonly name: string
  readonly mode: number
  readonly mtime?: Date
  readonly content: Uint8Array
}

/** How an archive is written. */
export interface ArchiveOptions {
  /** Only its owner may read it. */
  readonly secret: boolean
  /** How hard to pack, from 1 to 9. */
  readonly level?: number
  readonly replace?: boolean | undefined
  readonly signal?: AbortSignal | undefined
  /** The work that an abort ends, in the error's words. */
  readonly what: string
}

/** Writes an archive of files. @throws NotReadableError, UsageError, AbortedError */
export async function writeArchive(
  path: string,
  files: Iterable<ArchiveFile> | AsyncIterable<ArchiveFile>,
  { secret, level, replace, signal, what }: ArchiveOptions,
): Promise<void> {
  // Only archives need it.
  const { pack } = await import('tar-stream')
  const file = await createFile(path, { secret, special: 'refuse', replace, signal })
  let failure: unknown
  try {
    const archive = pack()
    const written = pipeline(archive, createGzip({ level }), async (packed: AsyncIterable<Uint8Array>) => {
      for await (const piece of packed) await file.write(piece)
    })
    written.catch((error: unknown) => {
      failure = error
    })
    for await (const { content, ...header } of files) {
      checkAborted(signal, what)
      await new Promise<void>((resolve, reject) => {
        const bytes = Buffer.from(content.buffer, content.byteOffset, content.byteLength)
        archive.entry(header, bytes, (error) => (error ? reject(error) : resolve()))
        written.catch(reject)
      })
    }
    archive.finalize()
    await written
    await file.finish()
  } catch (error) {
    await file.abandon()
    // What is put into an archive whose file failed says only that it is closed.
    throw writeFailure(path, failure ?? error)
  }
}
