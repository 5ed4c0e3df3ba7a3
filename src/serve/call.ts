// One request as the routes see it, and what they answer with.

import type { IncomingMessage, ServerResponse } from 'node:http'
import { gunzipSync } from 'node:zlib'
import { Pace, paced } from './fast-enough.ts'
import { badRequest, HttpError, tooLarge, tooMany } from './http-error.ts'
import type { Limits } from './limits.ts'

/** The answer of a route. */
export interface Reply {
  readonly status?: number
  readonly type?: string
  readonly headers?: Readonly<Record<string, string>>
  /** Whole, or in pieces that are written as fast as they are read. */
  readonly body: string | Uint8Array | AsyncIterable<string | Uint8Array>
}

/** Bytes that are held for callers at the moment, of all requests together. */
export class Held {
  readonly #most: number
  bytes = 0

  constructor(most: number) {
    this.#most = most
  }

  /** @throws HttpError 429 where there is no room */
  take(bytes: number): void {
    if (this.bytes + bytes > this.#most) throw tooMany('too much is being worked on: ask again in a moment')
    this.bytes += bytes
  }

  give(bytes: number): void {
    this.bytes -= bytes
  }
}

/** A request under way. */
export class Call {
  readonly request: IncomingMessage
  /** The path without prefix and token. */
  readonly path: string
  readonly query: URLSearchParams
  readonly params: Readonly<Record<string, string>>
  readonly limits: Limits
  /** The time that the caller has. */
  readonly pace: Pace
  readonly #response: ServerResponse
  readonly #held: Held
  #gone: AbortController | undefined
  #taken = 0

  constructor(
    request: IncomingMessage,
    response: ServerResponse,
    place: {
      readonly path: string
      readonly query: URLSearchParams
      readonly params: Readonly<Record<string, string>>
    },
    limits: Limits,
    held: Held,
  ) {
    this.request = request
    this.#response = response
    this.path = place.path
    this.query = place.query
    this.params = place.params
    this.limits = limits
    this.pace = new Pace(limits)
    this.#held = held
  }

  /** Aborted when the caller is gone before it has its answer. Most requests are answered before anybody asks. */
  get signal(): AbortSignal {
    if (this.#gone === undefined) {
      const gone = new AbortController()
      const response = this.#response
      this.#gone = gone
      const left = () => {
        // Once an answer is whole nothing is left to abort, and making the error of an abort takes longer than most answers.
        if (!response.writableFinished) gone.abort()
      }
      if (response.closed) left()
      else response.once('close', left)
    }
    return this.#gone.signal
  }

  /** A header's value, the first where there are several. */
  header(name: string): string | undefined {
    const value = this.request.headers[name]
    return Array.isArray(value) ? value[0] : value
  }

  /** A whole number of the query between two bounds. @throws HttpError 400 */
  number(name: string, least: number, most: number, byDefault: number): number {
    const text = this.query.get(name)
    if (text === null) return byDefault
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN
    if (!(value >= least && value <= most)) throw badRequest(`${name} is a whole number from ${least} to ${most}`)
    return value
  }

  /** A parameter of the query that has to be there. @throws HttpError 400 */
  required(name: string): string {
    const value = this.query.get(name)
    if (value === null || value === '') throw badRequest(`${name} is missing`)
    return value
  }

  /** Counts bytes that are held for this request until it is done. @throws HttpError 429 */
  hold(bytes: number): void {
    this.#held.take(bytes)
    this.#taken += bytes
  }

  /** Gives up what was held. */
  release(): void {
    this.#held.give(this.#taken)
    this.#taken = 0
  }

  /**
   * The whole body, unpacked where it came as gzip.
   * @throws HttpError 413 beyond `most` bytes, 408 where it comes too slowly, 429 where there is no room for it, 415 for another encoding
   */
  async body(most: number): Promise<Buffer> {
    const body = (await this.#arrived(most)) ?? (await this.#arriving(most))
    const encoding = this.header('content-encoding') ?? 'identity'
    if (encoding === 'identity') return body
    if (encoding !== 'gzip') throw new HttpError(415, `a body may be packed as gzip, not as ${encoding}`)
    try {
      const unpacked = gunzipSync(body, { maxOutputLength: most })
      this.hold(unpacked.length)
      return unpacked
    } catch (error) {
      if (error instanceof HttpError) throw error
      const large = error instanceof RangeError
      throw large ? tooLarge(`the body unpacks to more than ${most} bytes`) : badRequest('the body is no whole gzip')
    }
  }

  /** The body, where all of it came with the head, as most do: reading it costs a tenth of what it costs to wait for pieces. */
  async #arrived(most: number): Promise<Buffer | undefined> {
    const { request } = this
    const length = Number(this.header('content-length'))
    if (!(length > 0 && length <= most)) return undefined
    // What is there is handed over as soon as nothing else is to be done.
    await undefined
    if (request.readableLength !== length) return undefined
    this.hold(length)
    const body: unknown = request.read()
    return Buffer.isBuffer(body) ? body : undefined
  }

  async #arriving(most: number): Promise<Buffer> {
    const pieces: Buffer[] = []
    for await (const piece of paced(this.pieces(most), this.pace, true)) {
      this.hold(piece.length)
      pieces.push(piece)
    }
    return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces)
  }

  /** The body as it arrives, as it was sent. @throws HttpError 413 beyond `most` bytes */
  async *pieces(most: number): AsyncGenerator<Buffer> {
    if (Number(this.header('content-length') ?? 0) > most) throw tooLarge(`a body may have ${most} bytes`)
    let length = 0
    // The rest of a body that is too large is left unread: the answer still has to leave.
    const arriving: AsyncIterable<Buffer> = this.request.iterator({ destroyOnReturn: false })
    for await (const piece of arriving) {
      length += piece.length
      if (length > most) throw tooLarge(`a body may have ${most} bytes`)
      yield piece
    }
  }

  /** The same for what is worked on as it comes: it may come slowly, as long as no other caller needs the place. @throws HttpError 413, 408 */
  patiently(most: number): AsyncGenerator<Buffer> {
    return paced(this.pieces(most), this.pace, false)
  }

  /** The body as JSON. @throws HttpError 400 if it is none, and as `body` */
  async json(): Promise<unknown> {
    const body = await this.body(this.limits.body)
    try {
      return JSON.parse(body.toString())
    } catch (error) {
      throw badRequest(`the body is no JSON: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
}

/** An answer in JSON. */
export function json(value: unknown, status = 200): Reply {
  return { status, type: 'application/json', body: JSON.stringify(value) }
}

/** An answer in plain text. */
export function plain(body: string, status = 200): Reply {
  return { status, type: 'text/plain; charset=utf-8', body }
}
