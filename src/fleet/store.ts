// Where tables are kept on their way to the workers: bytes by the key of their content. Implementations for the broker's
// objects, a directory and HTTP stand beside this one in memory.

import { createHash } from 'node:crypto'
import { type Check, callback, like, type Options, bytes as someBytes, text } from '../core/arguments.ts'
import { NotFoundError } from '../core/errors.ts'
import { contentKey } from './job.ts'

/** Something that is stored. */
export interface Stored {
  readonly key: string
  readonly bytes: number
  readonly stored: Date
}

/** Bytes by the key of their content. What is under a key never changes, so that all that can go wrong is to have none. */
export interface Store {
  /** In words, for people. */
  readonly what: string
  /** Whether a key has bytes. */
  has(key: string): Promise<boolean>
  /**
   * The bytes of a key, piece by piece. The caller checks their digest.
   * @throws NotFoundError if there are none; NotReadableError if the store cannot be reached
   */
  get(key: string): Promise<AsyncIterable<Uint8Array>>
  /** Keeps bytes under the key of their content, which the caller has made sure of; once it returns they are there. */
  put(key: string, bytes: Uint8Array): Promise<void>
  /** All that is stored; undefined where the store cannot tell. */
  list(): Promise<Stored[] | undefined>
  remove(key: string): Promise<void>
  /** Removes what interrupted puts left that are older than so many milliseconds; how many bytes that were. */
  sweep(olderThanMs: number): Promise<number>
  close(): Promise<void>
}

const STORE: Options<Store> = {
  what: text,
  has: callback,
  get: callback,
  put: callback,
  list: callback,
  remove: callback,
  sweep: callback,
  close: callback,
}

/** A store, as an argument. */
export const storeArgument: Check<Store> = like(STORE, 'a store, such as new DirectoryStore(path)')

/** The key of content. */
export function keyOf(bytes: Uint8Array): string {
  return createHash('sha256').update(someBytes(bytes, 'bytes')).digest('hex')
}

/** The error for a key that a store has nothing under. */
export function nothingStored(what: string, key: string): NotFoundError {
  return new NotFoundError(
    `${what} has nothing under ${key}: submit the job again with the table's file, or put it there`,
  )
}

/** A store in memory, for tests and for programs that are their own workers. */
export class MemoryStore implements Store {
  readonly what = 'the store in memory'
  readonly #stored = new Map<string, { readonly bytes: Uint8Array; readonly stored: Date }>()

  async has(key: string): Promise<boolean> {
    return this.#stored.has(contentKey(key, 'key'))
  }

  async get(key: string): Promise<AsyncIterable<Uint8Array>> {
    const found = this.#stored.get(contentKey(key, 'key'))
    if (found === undefined) throw nothingStored(this.what, key)
    return (async function* () {
      yield found.bytes
    })()
  }

  async put(key: string, bytes: Uint8Array): Promise<void> {
    this.#stored.set(contentKey(key, 'key'), { bytes: new Uint8Array(someBytes(bytes, 'bytes')), stored: new Date() })
  }

  async list(): Promise<Stored[]> {
    return Array.from(this.#stored, ([key, { bytes, stored }]) => ({ key, bytes: bytes.length, stored }))
  }

  async remove(key: string): Promise<void> {
    this.#stored.delete(contentKey(key, 'key'))
  }

  async sweep(): Promise<number> {
    return 0
  }

  async close(): Promise<void> {}
}
