// Keeps what V8 has compiled of the package for the next process (core/code-cache.ts), in the cache and within a bound. Nobody needs it:
// where it cannot be written, all goes on as without.

import { lstat, mkdir, readdir, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { compiledParts } from '../core/code-cache.ts'
import { writeFileSafely } from '../sources/write-file.ts'

/** Bytes of all files together: one version of kerndex and Node has some two million. */
const MOST_BYTES = 1 << 25

/** Writes what has been compiled on a way that nothing is kept by yet, and removes what was written longest ago beyond the bound. Never fails. */
export async function keepCode(way: string): Promise<void> {
  let folder: string | undefined
  try {
    for (const { directory, name, bytes } of compiledParts(way)) {
      if (folder === undefined) await mkdir(directory, { recursive: true, mode: 0o700 })
      folder = directory
      await writeFileSafely(join(directory, name), bytes, { secret: true, special: 'refuse', lasting: false })
      await turn()
    }
    if (folder !== undefined) await removeOldest(folder)
  } catch {
    // A full disk, a file system that is read-only, another user's folder: the next process compiles again.
  }
}

async function removeOldest(folder: string): Promise<void> {
  const paths = (await readdir(folder)).map((name) => join(folder, name))
  const files = await Promise.all(paths.map(async (path) => ({ path, found: await lstat(path) })))
  let left = MOST_BYTES
  for (const { path, found } of files.sort((a, b) => b.found.mtimeMs - a.found.mtimeMs)) {
    left -= found.size
    if (left < 0) await unlink(path)
  }
}
