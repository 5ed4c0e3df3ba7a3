// Tables on an HTTP server: GET, HEAD and PUT of URL/KEY, as web servers with a folder to write into and gateways of object stores
// have it. Credentials come in the URL, or as a token that is sent as a bearer's.

import { bytes as someBytes, text } from '../core/arguments.ts'
import { type KerndexError, NoPermissionError, NotReadableError, UsageError } from '../core/errors.ts'
import { contentKey } from './job.ts'
import { nothingStored, type Store, type Stored } from './store.ts'

/** Tables on an HTTP server. What it holds cannot be listed: cleaning up is the server's part. */
export class HttpStore implements Store {
  readonly what: string
  readonly #base: string
  readonly #headers: Record<string, string> = {}

  /** @throws UsageError if it is no URL of HTTP */
  constructor(url: string, token?: string) {
    text(url, 'url')
    if (token !== undefined) text(token, 'token')
    let parsed: URL
    try {
      parsed = new URL(url)
    } catch {
      throw new UsageError('the store is no URL: give one that begins with http:// or https://, or a directory')
    }
    if (parsed.protocol !== 'http:' && parsed.protocol !== 'https:')
      throw new UsageError(`the store is no URL of HTTP, but of ${parsed.protocol}`)
    const { username, password } = parsed
    if (token !== undefined) this.#headers.authorization = `Bearer ${token}`
    else if (username !== '') {
      const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
      this.#headers.authorization = `Basic ${Buffer.from(credentials).toString('base64')}`
    }
    parsed.username = ''
    parsed.password = ''
    this.what = `the store ${parsed.href}`
    this.#base = parsed.href.endsWith('/') ? parsed.href : `${parsed.href}/`
  }

  async has(key: string): Promise<boolean> {
    const { status } = await this.#ask('HEAD', key)
    if (status === 404) return false
    if (status < 300) return true
    throw this.#refused(status)
  }

  async get(key: string): Promise<AsyncIterable<Uint8Array>> {
    const { status, body } = await this.#ask('GET', key)
    if (status === 404) throw nothingStored(this.what, key)
    if (status >= 300 || body === null) throw this.#refused(status)
    return this.#read(body)
  }

  async put(key: string, bytes: Uint8Array): Promise<void> {
    const { status } = await this.#ask('PUT', key, someBytes(bytes, 'bytes'))
    if (status >= 300) throw this.#refused(status)
  }

  async list(): Promise<Stored[] | undefined> {
    return undefined
  }

  async remove(key: string): Promise<void> {
    const { status } = await this.#ask('DELETE', key)
    if (status >= 300 && status !== 404) throw this.#refused(status)
  }

  async sweep(): Promise<number> {
    return 0
  }

  async close(): Promise<void> {}

  async #ask(method: string, key: string, body?: Uint8Array): Promise<Response> {
    const url = this.#base + contentKey(key, 'key')
    try {
      const given = body === undefined ? {} : { body: Buffer.from(body) }
      return await fetch(url, { method, headers: this.#headers, redirect: 'error', ...given })
    } catch (cause) {
      throw this.#unreachable(cause)
    }
  }

  async *#read(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    try {
      yield* body
    } catch (cause) {
      throw this.#unreachable(cause)
    }
  }

  #unreachable(cause: unknown): NotReadableError {
    const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause
    const why = inner instanceof Error ? inner.message : String(inner)
    return new NotReadableError(`${this.what} cannot be reached: ${why}`, {}, { cause })
  }

  #refused(status: number): KerndexError {
    const message = `${this.what} answers with ${status}`
    return status === 401 || status === 403
      ? new NoPermissionError(`${message}: give its token or credentials`)
      : new NotReadableError(message)
  }
}
