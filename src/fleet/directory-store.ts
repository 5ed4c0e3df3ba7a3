// Tables in a directory that producers and workers share: a file for each, named by its key.

import { createReadStream } from 'node:fs'
import { mkdir, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { count, path as pathOf, bytes as someBytes } from '../core/arguments.ts'
import { errorCode, readFailure } from '../sources/reader.ts'
import { writeFileSafely } from '../sources/write-file.ts'
import { contentKey, isContentKey } from './job.ts'
import { nothingStored, type Store, type Stored } from './store.ts'

/** Tables in a directory. Files appear whole, and only their owner may read them. */
export class DirectoryStore implements Store {
  readonly what: string
  readonly #directory: string

  constructor(directory: string) {
    this.#directory = pathOf(directory, 'directory')
    this.what = `the directory ${this.#directory}`
  }

  #path(key: string): string {
    return join(this.#directory, contentKey(key, 'key'))
  }

  async has(key: string): Promise<boolean> {
    return (await this.#stat(key)) !== undefined
  }

  async get(key: string): Promise<AsyncIterable<Uint8Array>> {
    if ((await this.#stat(key)) === undefined) throw nothingStored(this.what, key)
    const file = createReadStream(this.#path(key), { highWaterMark: 1 << 18 })
    return readFile(this.#path(key), file)
  }

  async put(key: string, bytes: Uint8Array): Promise<void> {
    contentKey(key, 'key')
    someBytes(bytes, 'bytes')
    try {
      await mkdir(this.#directory, { recursive: true, mode: 0o700 })
    } catch (error) {
      throw readFailure(this.#directory, error)
    }
    await writeFileSafely(this.#path(key), bytes, { secret: true, special: 'refuse' })
  }

  async list(): Promise<Stored[]> {
    const names = await readdir(this.#directory).catch((error: unknown) => {
      if (errorCode(error) === 'ENOENT') return []
      throw readFailure(this.#directory, error)
    })
    const found = await Promise.all(
      names.filter(isContentKey).map(async (key) => {
        const there = await this.#stat(key)
        return there === undefined ? [] : [{ key, bytes: there.size, stored: there.mtime }]
      }),
    )
    return found.flat()
  }

  async remove(key: string): Promise<void> {
    await rm(this.#path(key), { force: true })
  }

  /** Writers remove what others left that were killed; what is left then is that of the last. */
  async sweep(olderThanMs: number): Promise<number> {
    count(olderThanMs, 'olderThanMs')
    let bytes = 0
    for (const name of await readdir(this.#directory).catch(() => [])) {
      if (isContentKey(name) || !name.startsWith('.kerndex')) continue
      const path = join(this.#directory, name)
      const there = await stat(path).catch(() => undefined)
      if (there === undefined || Date.now() - there.mtimeMs < olderThanMs) continue
      bytes += there.size
      await rm(path, { force: true })
    }
    return bytes
  }

  async close(): Promise<void> {}

  async #stat(key: string) {
    try {
      const there = await stat(this.#path(key))
      // What was put is a regular file; a pipe would be waited for.
      return there.isFile() ? there : undefined
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return undefined
      throw readFailure(this.#path(key), error)
    }
  }
}

async function* readFile(path: string, file: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* file
  } catch (error) {
    throw readFailure(path, error)
  }
}
