// The server: connections, who is let in, which route answers, and the order in which it ends.

import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { KerndexError } from '../core/errors.ts'
import { Call, type Held, type Reply } from './call.ts'
import type { Listeners } from './events.ts'
import { Guard, type GuardOptions } from './guard.ts'
import { HttpError, notFound, tooMany, unavailable } from './http-error.ts'
import type { Limits } from './limits.ts'
import type { Metrics } from './metrics.ts'
import { type Route, Router } from './router.ts'

/** Where a server listens. */
export type ListenPlace = { readonly host: string; readonly port: number } | { readonly socket: string }

export interface HttpServerOptions extends GuardOptions {
  readonly routes: readonly Route[]
  /** Origins whose pages may read the answers of routes that allow it. */
  readonly origins: readonly string[]
  readonly limits: Limits
  readonly metrics: Metrics
  readonly held: Held
  readonly listeners: Listeners
  /** Told of what went wrong inside. */
  readonly onFailure: (error: unknown) => void
}

/** How long what is still sent of a refused request is taken and dropped. */
const LINGER_MS = 2000

/** Headers of every answer: nothing may run, be framed, guessed at or kept. */
const SAFE: Readonly<Record<string, string>> = {
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Cache-Control': 'no-store',
}

/** The headers of an answer, as they come together. */
type Head = Record<string, string>

/** An HTTP server over a table of routes. */
export class HttpServer {
  readonly #options: HttpServerOptions
  readonly #guard: Guard
  readonly #router: Router
  readonly #server: Server
  readonly #ending = new AbortController()
  readonly #sockets = new Set<Socket>()
  /** Requests under way: in all, and those that work on much. */
  #running = 0
  readonly #streaming = new Set<Call>()
  #idle: (() => void) | undefined

  constructor(options: HttpServerOptions) {
    const { limits } = options
    this.#options = options
    this.#guard = new Guard(options)
    this.#router = new Router(options.routes)
    this.#server = createServer(
      {
        headersTimeout: limits.headMs,
        requestTimeout: limits.requestMs,
        connectionsCheckingInterval: Math.min(1000, limits.headMs),
        keepAliveTimeout: Math.min(5000, limits.idleMs),
        maxHeaderSize: 1 << 14,
      },
      (request, response) => void this.#handle(request, response),
    )
    this.#server.maxConnections = limits.connections
    this.#server.setTimeout(limits.idleMs)
    this.#server.on('drop', () => options.metrics.refused('connections'))
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket)
      socket.on('close', () => this.#sockets.delete(socket))
    })
  }

  get now() {
    return { requests: this.#running, listeners: this.#options.listeners.size, connections: this.#sockets.size }
  }

  get isEnding(): boolean {
    return this.#ending.signal.aborted
  }

  /** Begins to listen; where, for people and programs. @throws what listening throws */
  async listen(place: ListenPlace): Promise<{ readonly port: number | undefined }> {
    this.#server.listen(
      'socket' in place ? { path: place.socket } : { host: place.host, port: place.port, backlog: 1024 },
    )
    await once(this.#server, 'listening')
    const address = this.#server.address()
    return { port: typeof address === 'object' ? address?.port : undefined }
  }

  /** Takes no more, lets what is running finish, for as long as the limits say, and ends. */
  async close(): Promise<void> {
    if (this.isEnding) return
    const closed = once(this.#server, 'close')
    this.#server.close()
    this.#options.listeners.close()
    this.#server.closeIdleConnections()
    let patience: NodeJS.Timeout | undefined
    const enough = new Promise<void>((resume) => {
      patience = setTimeout(resume, this.#options.limits.drainMs)
      this.#idle = resume
      if (this.#running === 0) resume()
    })
    this.#ending.abort()
    await enough
    clearTimeout(patience)
    // Answers that are written still have to leave.
    const gone = this.#running === 0 ? 100 : 0
    await Promise.race([closed, new Promise((resume) => setTimeout(resume, gone))])
    this.#server.closeAllConnections()
    await closed
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const begun = performance.now()
    const { metrics, listeners, limits, held } = this.#options
    const head: Head = { ...SAFE }
    let name = 'none'
    let counted: Route['load'] | 'plain' | undefined
    let call: Call | undefined
    try {
      const { route, path, query, params } = this.#routeOf(request, head)
      name = route.path
      if (route.load === 'listen') {
        if (this.isEnding) throw unavailable('the server is ending')
        if (listeners.size >= limits.listeners) throw unavailable('as many listen as may')
        return listeners.add(response, head)
      }
      call = new Call(request, response, { path, query, params }, limits, held)
      this.#admit(route, call)
      counted = route.load ?? 'plain'
      const reply = await route.run(call)
      await this.#write(request, response, head, reply, call)
    } catch (error) {
      this.#fail(request, response, head, error)
    } finally {
      call?.release()
      if (counted !== undefined) {
        this.#running--
        if (call !== undefined) this.#streaming.delete(call)
        if (this.#running === 0) this.#idle?.()
      }
      metrics.request(name, response.statusCode, (performance.now() - begun) / 1000)
    }
  }

  /** The route that a request may have. @throws HttpError */
  #routeOf(request: IncomingMessage, head: Head) {
    this.#guard.checkHost(request)
    const { url = '' } = request
    const end = url.indexOf('?')
    const whole = end < 0 ? url : url.slice(0, end)
    const search = end < 0 ? '' : url.slice(end)
    const path = this.#guard.withoutPrefix(whole)
    if (path === undefined) throw notFound('there is nothing here')
    const { path: asked, known } = this.#guard.identify(request, path)
    const { method = '' } = request
    const found = asked === '' ? undefined : this.#router.find(method, asked)
    const match = found !== undefined && 'route' in found ? found : undefined
    if (!known && match?.route.open !== true) {
      // Browsers ask what they may before they show who they are.
      if (method === 'OPTIONS' && this.#allowOrigin(request, head)) throw new HttpError(204, '')
      throw new HttpError(401, 'a token is needed: as Authorization: Bearer, or in the path as /t/TOKEN/', {
        'WWW-Authenticate': 'Bearer realm="kerndex"',
      })
    }
    // A page's relative links need the slash.
    if (asked === '')
      throw new HttpError(308, '', {
        Location: `${whole.slice(whole.lastIndexOf('/') + 1)}/${search}`,
      })
    if (method === 'OPTIONS' && found !== undefined) {
      this.#allowOrigin(request, head)
      throw new HttpError(204, '')
    }
    if (match === undefined) {
      if (found === undefined) throw notFound('there is nothing here')
      const allowed = 'allowed' in found ? found.allowed : []
      throw new HttpError(405, `it takes ${allowed.join(', ')}`, { Allow: allowed.join(', ') })
    }
    if (match.route.crossOrigin === true) this.#allowOrigin(request, head)
    return { ...match, path: asked, query: new URLSearchParams(search) }
  }

  /** Lets a page of another origin read the answer, if it was named. */
  #allowOrigin(request: IncomingMessage, head: Head): boolean {
    const { origin } = request.headers
    head.Vary = 'Origin'
    if (origin === undefined || !this.#options.origins.includes(origin)) return false
    head['Access-Control-Allow-Origin'] = origin
    head['Cross-Origin-Resource-Policy'] = 'cross-origin'
    if (request.method === 'OPTIONS') {
      head['Access-Control-Allow-Methods'] = 'GET, POST'
      head['Access-Control-Allow-Headers'] = 'Authorization, Content-Type'
      head['Access-Control-Max-Age'] = '600'
    }
    return true
  }

  /** @throws HttpError 429, 503 */
  #admit({ load }: Route, call: Call): void {
    const { limits } = this.#options
    if (load !== 'none') {
      if (this.isEnding) throw unavailable('the server is ending')
      if (this.#running >= limits.requests) throw unavailable('too many requests are being answered')
      if (load === 'stream' && this.#streaming.size >= limits.streams) {
        // A text that waits for its caller gives its place to the next caller.
        const late = [...this.#streaming].find(({ pace }) => pace.isLate)
        if (late === undefined) throw tooMany('too many texts are being worked on')
        this.#streaming.delete(late)
        late.pace.giveWay()
      }
    }
    this.#running++
    if (load === 'stream') this.#streaming.add(call)
  }

  async #write(
    request: IncomingMessage,
    response: ServerResponse,
    head: Head,
    reply: Reply,
    call: Call,
  ): Promise<void> {
    const { status = 200, type, headers, body } = reply
    // If it fails, what goes out instead is no answer of this kind.
    const whole: Head = { ...head, ...headers }
    if (type !== undefined) whole['Content-Type'] = type
    if (typeof body === 'string' || body instanceof Uint8Array) {
      const length = Buffer.byteLength(body)
      call.hold(length)
      if (status !== 204) whole['Content-Length'] = String(length)
      response.writeHead(status, whole)
      // A text leaves together with its head.
      response.end(request.method === 'HEAD' || status === 204 ? undefined : body)
      // It is held until the caller has it; one that does not read is let go after a while.
      if (length > 1 << 16) await Promise.race([once(response, 'finish'), once(response, 'close')])
      return
    }
    response.writeHead(status, whole)
    for await (const piece of body) {
      if (response.destroyed) return
      if (!response.write(piece))
        await call.pace.wait(() => Promise.race([once(response, 'drain'), once(response, 'close')]), false)
      call.pace.moved(piece.length)
    }
    response.end()
  }

  #fail(request: IncomingMessage, response: ServerResponse, head: Head, error: unknown): void {
    // A caller that has gone needs no answer, and that it went is no failure.
    if (response.destroyed || (request.destroyed && !request.complete)) return
    const failure = this.#asHttp(error)
    const { status } = failure
    if ([401, 408, 413, 421, 429, 503].includes(status)) this.#options.metrics.refused(String(status))
    if (response.headersSent || response.destroyed) {
      // Half an answer cannot be taken back: it ends without its end, which every client notices.
      response.destroy()
      return
    }
    Object.assign(head, failure.headers)
    // The unread rest of the request would be taken for the next one.
    const unread = !request.complete && request.method !== 'GET' && request.method !== 'HEAD'
    if (unread) head.Connection = 'close'
    if (status === 204) {
      response.writeHead(204, head).end()
      return
    }
    const text = JSON.stringify({ error: failure.message, ...(error instanceof KerndexError && { code: error.code }) })
    head['Content-Type'] = 'application/json'
    response.writeHead(status, head).end(request.method === 'HEAD' ? undefined : `${text}\n`)
    if (!unread) return
    // The caller reads the answer once it has sent its body, or finds the connection closed: what it sends is dropped for a moment.
    request.resume()
    const patience = setTimeout(() => request.socket.destroy(), LINGER_MS)
    request.on('close', () => clearTimeout(patience))
  }

  #asHttp(error: unknown): HttpError {
    if (error instanceof HttpError) return error
    if (error instanceof KerndexError) {
      const status = STATUS[error.code]
      if (status !== undefined) return new HttpError(status, error.message)
    }
    this.#options.onFailure(error)
    return new HttpError(500, 'something went wrong in the server: its log says more')
  }
}

/** The HTTP status for each code of kerndex's errors. */
const STATUS: Readonly<Partial<Record<KerndexError['code'], number>>> = {
  USAGE: 400,
  NOT_FOUND: 404,
  AMBIGUOUS: 409,
  LIMIT: 413,
  UNSUPPORTED: 422,
  BAD_FORMAT: 422,
  ABORTED: 503,
  CLOSED: 503,
}
