// Whether a caller may ask: the token in the path or in a header, the Host that a browser thinks it talks to, and the path's prefix.

import { timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { isIP } from 'node:net'
import { HttpError } from './http-error.ts'

/** How callers are known. */
export interface GuardOptions {
  /** undefined: everybody who can connect may ask, as through a Unix socket that only its owner can open. */
  readonly token: string | undefined
  /** Names by which this server may be asked, beside addresses and `localhost`; undefined: no Host is checked. */
  readonly hosts: readonly string[] | undefined
  /** The prefix of every path, without a slash behind it; may be empty. */
  readonly prefix: string
  /** Believe X-Forwarded-Host: a proxy in front of this server sets it. */
  readonly behindProxy: boolean
}

/** Checks requests. */
export class Guard {
  readonly #token: Buffer | undefined
  readonly #hosts: ReadonlySet<string> | undefined
  readonly #options: GuardOptions
  /** The Host that was let in last: callers come again. */
  #lastHost: string | undefined

  constructor(options: GuardOptions) {
    this.#options = options
    this.#token = options.token === undefined ? undefined : Buffer.from(options.token)
    this.#hosts = options.hosts && new Set(['localhost', ...options.hosts.map((name) => name.toLowerCase())])
  }

  /**
   * Refuses a Host that is a name which nobody gave this server: a page that has its own name lead here would else be taken for
   * this server's (DNS rebinding). An address cannot be led anywhere.
   * @throws HttpError 421
   */
  checkHost(request: IncomingMessage): void {
    if (this.#hosts === undefined) return
    const forwarded = this.#options.behindProxy ? request.headers['x-forwarded-host'] : undefined
    const given = (Array.isArray(forwarded) ? forwarded[0] : forwarded?.split(',')[0]) ?? request.headers.host ?? ''
    if (given === this.#lastHost) return
    const name = hostName(given.trim())
    if (name !== undefined && (isIP(name) !== 0 || this.#hosts.has(name))) {
      this.#lastHost = given
      return
    }
    throw new HttpError(421, 'this server does not go by that name: --host NAME allows it')
  }

  /** The path behind the prefix, or undefined where it does not begin with it. */
  withoutPrefix(path: string): string | undefined {
    const { prefix } = this.#options
    if (!path.startsWith(prefix)) return undefined
    const rest = path.slice(prefix.length)
    return rest === '' || rest.startsWith('/') ? rest : undefined
  }

  /** The path behind a token in it, and whether the caller has shown the right one there or in a header. */
  identify(request: IncomingMessage, path: string): { readonly path: string; readonly known: boolean } {
    const [, token, rest] = /^\/t\/([^/]*)(\/.*)?$/.exec(path) ?? []
    const known = this.#token === undefined || this.#is(token) || this.#is(bearerOf(request))
    return { path: token === undefined ? path : (rest ?? ''), known }
  }

  #is(given: string | undefined): boolean {
    if (given === undefined || this.#token === undefined) return false
    const bytes = Buffer.from(given)
    // The time tells the length of the token, which is no secret, and nothing of what is in it.
    return bytes.length === this.#token.length && timingSafeEqual(bytes, this.#token)
  }
}

function bearerOf({ headers: { authorization } }: IncomingMessage): string | undefined {
  return authorization === undefined ? undefined : /^Bearer +(\S+)$/i.exec(authorization)?.[1]
}

/** The name or address in a Host header, without its port and brackets, in small letters. */
function hostName(host: string): string | undefined {
  const [, six, name] = /^(?:\[([0-9a-fA-F:.]{2,45})\]|([A-Za-z0-9._-]{1,253}))(?::\d{1,5})?$/.exec(host) ?? []
  return (six ?? name)?.toLowerCase()
}
