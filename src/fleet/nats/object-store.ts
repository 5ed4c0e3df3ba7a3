// Tables among the broker's objects: in the bucket's own format, so that other tools of NATS read them. A put that was interrupted
// leaves its pieces behind, and of two puts of one name at once one copy stays: the sweep finds both.

import type { JetStreamManager } from '@nats-io/jetstream'
import type { ObjectStore } from '@nats-io/obj'
import { count, bytes as someBytes, whole, wrong } from '../../core/arguments.ts'
import { NotReadableError } from '../../core/errors.ts'
import { contentKey } from '../job.ts'
import { nothingStored, type Store, type Stored } from '../store.ts'
import { MOST_REPLICAS, requestFailure } from './connect.ts'
import { NatsQueue } from './queue.ts'

/** Bytes of a piece of an object: fewer and larger ones than the client's own choice take half the time. */
const CHUNK_BYTES = 1 << 19
/** Milliseconds that an answer of the broker may take. */
const ANSWER_MS = 5_000

/** Tables among the broker's objects. */
export class NatsObjectStore implements Store {
  readonly what: string
  readonly #bucket: string
  readonly #objects: ObjectStore
  readonly #manager: JetStreamManager
  readonly #queue: NatsQueue

  /** Opens the bucket, and makes it where it is missing. @throws NotReadableError, NoPermissionError */
  static async open(queue: NatsQueue, replicas = 1): Promise<NatsObjectStore> {
    if (!(queue instanceof NatsQueue)) throw wrong('queue', 'a queue, as NatsQueue.open() gives it', queue)
    whole(1, MOST_REPLICAS)(replicas, 'replicas')
    const { clients, client, names } = queue
    const objects = new clients.obj.Objm(client)
    try {
      let bucket: ObjectStore
      try {
        bucket = await objects.open(names.tables)
      } catch {
        bucket = await objects.create(names.tables, { description: 'tables of kerndex, by content', replicas })
      }
      return new NatsObjectStore(names.tables, bucket, queue)
    } catch (error) {
      throw requestFailure(`the bucket ${names.tables}`, error)
    }
  }

  private constructor(bucket: string, objects: ObjectStore, queue: NatsQueue) {
    this.what = `the broker's bucket ${bucket}`
    this.#bucket = bucket
    this.#objects = objects
    this.#manager = queue.manager
    this.#queue = queue
  }

  async has(key: string): Promise<boolean> {
    contentKey(key, 'key')
    const info = await this.#try(() => this.#objects.info(key))
    return info !== null && !info.deleted
  }

  async get(key: string): Promise<AsyncIterable<Uint8Array>> {
    contentKey(key, 'key')
    const info = await this.#try(() => this.#objects.info(key))
    if (info === null || info.deleted) throw nothingStored(this.what, key)
    return this.#read(`$O.${this.#bucket}.C.${info.nuid}`, info.chunks)
  }

  async put(key: string, bytes: Uint8Array): Promise<void> {
    contentKey(key, 'key')
    someBytes(bytes, 'bytes')
    const options = { max_chunk_size: Math.min(CHUNK_BYTES, this.#queue.mostBytes) }
    await this.#try(() => this.#objects.putBlob({ name: key, options }, bytes))
  }

  async list(): Promise<Stored[]> {
    const infos = await this.#try(() => this.#objects.list())
    return infos
      .filter(({ deleted }) => !deleted)
      .map(({ name, size, mtime }) => ({ key: name, bytes: size, stored: new Date(mtime) }))
  }

  async remove(key: string): Promise<void> {
    if (await this.has(key)) await this.#try(() => this.#objects.delete(key))
  }

  async sweep(olderThanMs: number): Promise<number> {
    count(olderThanMs, 'olderThanMs')
    const stream = `OBJ_${this.#bucket}`
    const chunks = `$O.${this.#bucket}.C.`
    return this.#try(async () => {
      // What is there is listed before what is used: an object that is completed in between is not taken for left behind.
      const { state } = await this.#manager.streams.info(stream, { subjects_filter: `${chunks}*` })
      const before = state.bytes
      const used = new Set((await this.#objects.list()).map(({ nuid }) => nuid))
      for (const subject of Object.keys(state.subjects ?? {})) {
        if (used.has(subject.slice(chunks.length))) continue
        const last = await this.#manager.streams.getMessage(stream, { last_by_subj: subject })
        if (last === null || Date.now() - last.time.getTime() < olderThanMs) continue
        await this.#manager.streams.purge(stream, { filter: subject })
      }
      return Math.max(0, before - (await this.#manager.streams.info(stream)).state.bytes)
    })
  }

  async close(): Promise<void> {}

  async #try<T>(ask: () => Promise<T>): Promise<T> {
    try {
      return await ask()
    } catch (error) {
      throw requestFailure(this.what, error)
    }
  }

  /**
   * The pieces of an object, each asked for by itself: a consumer, as the client makes one, needs the right to make consumers,
   * and has no time-out for a broker that was killed meanwhile.
   */
  async *#read(subject: string, chunks: number): AsyncGenerator<Uint8Array> {
    const { connection } = this.#queue
    for (let seq = 1, chunk = 0; chunk < chunks; chunk++) {
      const asked = JSON.stringify({ seq, next_by_subj: subject })
      const ask = () => connection.request(`$JS.API.DIRECT.GET.OBJ_${this.#bucket}`, asked, { timeout: ANSWER_MS })
      const { data, headers } = await this.#try(ask)
      if (headers !== undefined && headers.code >= 400)
        throw new NotReadableError(
          `${this.what} lacks piece ${chunk} of ${chunks} of a table: it was removed, or never complete`,
        )
      seq = Number(headers?.get('Nats-Sequence')) + 1
      yield data
    }
  }
}
