// All of `kerndex serve` put together: tables, routes, server, and the order in which they begin and end.

import { StretchPool } from '../events/stretch-pool.ts'
import type { Kernel } from '../kernel.ts'
import type { Catalog } from '../open-catalog.ts'
import { Builds } from './builds.ts'
import { type Call, Held, plain, type Reply } from './call.ts'
import { Listeners } from './events.ts'
import { unavailable } from './http-error.ts'
import { DEFAULT_LIMITS, type Limits } from './limits.ts'
import { Metrics } from './metrics.ts'
import { PageFiles } from './page-files.ts'
import { PutProfiles } from './profiles.ts'
import { Resolve } from './resolve.ts'
import type { Route } from './router.ts'
import { HttpServer, type ListenPlace } from './server.ts'
import { Streams } from './streams.ts'
import { Symbolicate } from './symbolicate.ts'
import { type TableSource, Tables } from './tables.ts'
import { Views } from './views.ts'

/** The options of a server. */
export interface ServeOptions {
  readonly sources: readonly TableSource[]
  readonly open: (from: string | undefined) => Promise<Kernel>
  /** Where builds are known that no table is of. */
  readonly catalog?: Catalog | undefined
  readonly listen: ListenPlace
  /** undefined: whoever can connect may ask. */
  readonly token: string | undefined
  /** Names by which it may be asked. */
  readonly hosts?: readonly string[] | undefined
  readonly origins?: readonly string[] | undefined
  readonly prefix?: string
  readonly behindProxy?: boolean | undefined
  readonly limits?: Partial<Limits>
  /** Milliseconds between two looks at the running kernel; 0: none. */
  readonly watchMs?: number
  /** Threads for long texts. */
  readonly threads?: number
  readonly onFailure?: (error: unknown) => void
}

/** A server that answers. */
export interface Serving {
  /** The page's address, token included; undefined for a Unix socket. */
  readonly url: string | undefined
  readonly tables: Tables
  /** Lets what is running finish, and ends. */
  close(): Promise<void>
}

/** Opens the first table, listens, and opens the others behind that. @throws what opening or listening throws */
export async function serve(options: ServeOptions): Promise<Serving> {
  const limits: Limits = { ...DEFAULT_LIMITS, ...options.limits }
  const metrics = new Metrics()
  const held = new Held(limits.held)
  const listeners = new Listeners()
  const tables = new Tables({
    ...{ sources: options.sources, open: options.open, most: limits.tables, watchMs: options.watchMs ?? 0 },
    onOpened: (key, ms) => metrics.opened(key, ms),
    onNews: (news) => listeners.tell(news),
  })
  const pool = new StretchPool(options.threads ?? 1)
  const streams = new Streams(pool, metrics.frames)
  const profiles = new PutProfiles(tables, streams, metrics.frames)
  const builds = new Builds(options.catalog)
  const resolve = new Resolve(tables, builds, metrics.frames)
  const symbolicate = new Symbolicate(tables, builds, metrics.frames)
  const views = new Views(tables)
  const text = async (call: Call): Promise<Reply> => {
    const { snapshot } = await tables.use(call.query.get('table'))
    const length = call.header('content-length')
    const size = length === undefined ? Number.POSITIVE_INFINITY : Number(length)
    return streams.reply(call, snapshot, call.patiently(limits.stream), size, call.query.get('title') ?? 'pasted')
  }
  const elf = async ({ params }: Call): Promise<Reply> => ({
    type: 'application/octet-stream',
    body: await builds.elf(params.buildId ?? ''),
  })
  const routes: Route[] = [
    { method: 'GET', path: '/healthz', open: true, load: 'none', run: () => plain('ok\n') },
    {
      ...{ method: 'GET', path: '/readyz', open: true, load: 'none' },
      run() {
        if (http.isEnding) throw unavailable('the server is ending')
        const states = tables.list()
        if (states.length > 0 && !states.some(({ open }) => open)) throw unavailable('no table is open')
        return plain('ready\n')
      },
    },
    {
      ...{ method: 'GET', path: '/metrics', load: 'none' },
      run: async () => ({
        type: 'text/plain; version=0.0.4; charset=utf-8',
        body: await metrics.text(tables, held, http.now),
      }),
    },
    ...new PageFiles(() => views.tablesAnswer()).routes(),
    { method: 'GET', path: '/v1/tables', run: () => views.tables() },
    { method: 'GET', path: '/v1/events', load: 'listen', run: () => plain('') },
    { method: 'POST', path: '/v1/resolve', crossOrigin: true, run: (call) => resolve.run(call) },
    { method: 'POST', path: '/v1/names', crossOrigin: true, run: (call) => resolve.names(call) },
    { method: 'POST', path: '/v1/text', load: 'stream', run: text },
    { method: 'POST', path: '/symbolicate/v5', crossOrigin: true, run: (call) => symbolicate.run(call) },
    { method: 'GET', path: '/buildid/:buildId/debuginfo', run: elf },
    { method: 'GET', path: '/buildid/:buildId/executable', run: elf },
    { method: 'GET', path: '/symbol', run: () => profiles.hasSymbols() },
    { method: 'POST', path: '/symbol', run: (call) => profiles.symbols(call) },
    { method: 'GET', path: '/debug/pprof/symbol', run: () => profiles.hasSymbols() },
    { method: 'POST', path: '/debug/pprof/symbol', run: (call) => profiles.symbols(call) },
    { method: 'GET', path: '/v1/profiles', run: () => profiles.list() },
    { method: 'GET', path: '/p/:name', run: (call) => profiles.about(call) },
    { method: 'PUT', path: '/p/:name', load: 'stream', run: (call) => profiles.put(call) },
    { method: 'DELETE', path: '/p/:name', run: (call) => profiles.drop(call) },
    { method: 'GET', path: '/p/:name/original', run: (call) => profiles.original(call) },
    { method: 'GET', path: '/p/:name/output', load: 'stream', run: (call) => profiles.output(call) },
    { method: 'GET', path: '/p/:name/debug/pprof/profile', load: 'stream', run: (call) => profiles.pprof(call) },
    { method: 'GET', path: '/p/:name/debug/pprof/symbol', run: () => profiles.hasSymbols() },
    { method: 'POST', path: '/p/:name/debug/pprof/symbol', run: (call) => profiles.symbols(call) },
    ...views.routes(),
  ]
  const { token, hosts = [], origins = [], prefix = '', behindProxy = false } = options
  const overSocket = 'socket' in options.listen
  const http = new HttpServer({
    ...{ token, prefix, behindProxy, routes, origins, limits, metrics, held, listeners },
    // Nobody's name leads to a file.
    hosts: overSocket ? undefined : hosts,
    onFailure: options.onFailure ?? (() => {}),
  })
  const end = async () => {
    await http.close()
    await Promise.all([tables.close(), pool.close()])
  }
  try {
    // It answers in the time of a load, and tells at once if there is nothing to answer from.
    if (options.sources.length > 0) await tables.use()
    const { port } = await http.listen(options.listen)
    void tables.openAll()
    if (options.sources.length > 0) void views.prepare()
    const url = port === undefined ? undefined : urlOf(options.listen, port, prefix, token)
    return { url, tables, close: end }
  } catch (error) {
    await Promise.all([tables.close(), pool.close()])
    throw error
  }
}

function urlOf(place: ListenPlace, port: number, prefix: string, token: string | undefined): string {
  const host = 'host' in place ? place.host : ''
  // What listens on all addresses is asked at one of them.
  const shown = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '[::1]' : host.includes(':') ? `[${host}]` : host
  return `http://${shown}:${port}${prefix}${token === undefined ? '' : `/t/${token}`}/`
}
