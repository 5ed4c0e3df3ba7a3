// A server over the shipped capture, on a port of its own, for the tests of this folder.

import { request } from 'node:http'
import { openKernel } from '../../src/open-kernel.ts'
import { type ServeOptions, type Serving, serve } from '../../src/serve/app.ts'
import { DEFAULT_LIMITS, type Limits } from '../../src/serve/limits.ts'
import { CAPTURE } from '../fixtures.ts'

export const TOKEN = 'test-token-of-twenty-letters'

/** Starts a server; `limits` are those that a test needs to meet. */
export function start(
  options: Partial<Omit<ServeOptions, 'limits'>> & { readonly limits?: Partial<Limits> } = {},
): Promise<Serving & { readonly url: string }> {
  const { limits, ...others } = options
  return serve({
    sources: [{ key: 'debian', from: CAPTURE }],
    open: (from) => openKernel({ from, threads: 0, ready: 'symbols' }),
    listen: { host: '127.0.0.1', port: 0 },
    token: TOKEN,
    limits: { ...DEFAULT_LIMITS, ...limits },
    threads: 1,
    ...others,
  }).then(({ url = '', ...serving }) => ({ ...serving, url }))
}

export interface Answer {
  readonly status: number
  readonly headers: NodeJS.Dict<string | string[]>
  readonly body: Buffer
}

/** A request with headers that fetch would not send, such as a Host of choice. */
export function ask(
  url: string,
  options: {
    readonly method?: string
    readonly headers?: Record<string, string>
    readonly body?: string | Uint8Array
    readonly socketPath?: string
  } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { method = 'GET', headers = {}, body, socketPath } = options
    const sent = request(
      url,
      { method, headers, agent: false, ...(socketPath !== undefined && { socketPath }) },
      (response) => {
        const pieces: Buffer[] = []
        response.on('data', (piece: Buffer) => pieces.push(piece))
        response.on('error', reject)
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(pieces) }),
        )
      },
    )
    sent.on('error', reject)
    sent.end(body)
  })
}

/** What was answered as JSON. */
export function parsed<T>({ body }: Answer): T {
  return JSON.parse(body.toString()) as T // Tests say what they expect, and fail where it is something else.
}

/** Posts JSON. */
export async function post<T>(url: string, value: unknown): Promise<T> {
  return parsed<T>(await ask(url, { method: 'POST', body: JSON.stringify(value) }))
}
