// `kerndex serve`: a page to look at kernels, and answers for programs that ask over HTTP.

import { chmodSync, lstatSync, unlinkSync } from 'node:fs'
import { createConnection } from 'node:net'
import { availableParallelism } from 'node:os'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { KerndexError, NotReadableError, UsageError } from '../core/errors.ts'
import { isLayoutFile } from '../load/layout-file.ts'
import { openCatalog } from '../open-catalog.ts'
import { openKernel } from '../open-kernel.ts'
import { serve } from '../serve/app.ts'
import type { ListenPlace } from '../serve/server.ts'
import { tableSources } from '../serve/tables.ts'
import { tokenFrom, tokenPath } from '../serve/token.ts'
import { EXIT } from './exit.ts'
import { interrupted } from './interrupt.ts'
import { note, write } from './output.ts'

interface ServeCommandOptions {
  readonly from?: readonly string[]
  readonly catalog?: string
  readonly listen: ListenPlace
  readonly tokenFile?: string
  readonly host?: readonly string[]
  readonly origin?: readonly string[]
  readonly prefix: string
  readonly behindProxy?: boolean
  readonly watch: number
  readonly tables: number
  readonly maxBody: number
  readonly maxRequests: number
  readonly threads?: number
  readonly cache?: boolean
}

/** Threads for long texts, unless more are asked for. */
const MOST_DEFAULT_THREADS = 4

export function addServeCommand(program: Command): void {
  program
    .command('serve')
    .description('a page to look at kernels, and HTTP answers for programs: addresses, stacks, types, profiles')
    .addOption(
      new Option(
        '--from <source...>',
        'captures, snapshot files or kallsyms-like files, or live for the running kernel; KEY=SOURCE names one',
      ).helpGroup('Common options:'),
    )
    .addOption(
      new Option(
        '--catalog <directory>',
        'a catalogue of builds: for layouts, and for requests that name a build',
      ).helpGroup('Common options:'),
    )
    .addOption(
      new Option('--listen <place>', 'HOST:PORT, where port 0 picks one, or the path of a Unix socket')
        .argParser(listenPlace)
        .default({ host: '127.0.0.1', port: 0 }, '127.0.0.1:0'),
    )
    .option('--token-file <file>', 'where the token is kept; default in $XDG_STATE_HOME or ~/.local/state')
    .option('--host <name...>', 'names by which browsers may ask for it, beside addresses and localhost')
    .option(
      '--origin <origin...>',
      'origins whose pages may read symbols from it, such as https://profiler.firefox.com',
    )
    .addOption(new Option('--prefix <path>', 'what stands in front of every path').argParser(pathPrefix).default(''))
    .option('--behind-proxy', 'believe X-Forwarded-Host')
    .addOption(
      new Option('--watch <seconds>', 'look for news of the running kernel so often; 0: never')
        .argParser(seconds)
        .default(5),
    )
    .addOption(new Option('--tables <n>', 'tables that are open at once').argParser(whole(1, 1000)).default(8))
    .addOption(new Option('--max-body <MB>', 'most megabytes of a text').argParser(whole(1, 4096)).default(256))
    .addOption(new Option('--max-requests <n>', 'requests at once').argParser(whole(1, 100_000)).default(256))
    .addOption(new Option('--threads <n>', 'threads for loads and long texts').argParser(whole(0, 256)))
    .option('--cache', 'begin with the snapshot that an earlier run left, check it, and leave one')
    .addHelpText(
      'after',
      `
Prints one line first: the page's address with a token in it, which stays the same after a restart if the port does. Whoever has the
token sees kernel addresses. Programs send it as "Authorization: Bearer TOKEN", or keep it in the path. Through a Unix socket, which
only its owner can open, no token is needed.

SIGTERM lets what is running finish and ends with 0.

Exit codes: 0 ended by SIGTERM, 2 wrong usage, 3 the kernel's data cannot be read or the place cannot be listened at, 130 interrupted.

Examples:
  $ sudo kerndex serve
  $ kerndex serve --from capture/ --listen 127.0.0.1:7000
  $ kerndex serve --from before=a.kerndex after=b.kerndex
  $ kerndex serve --catalog builds/ --from host.layout
  $ sudo kerndex serve --listen /run/kerndex.sock
  $ curl -s --data '{"addresses":["0xffffffff81000018"]}' http://127.0.0.1:7000/t/TOKEN/v1/resolve
  $ go tool pprof -symbolize=remote -top http://127.0.0.1:7000/t/TOKEN/p/NAME/debug/pprof/profile`,
    )
    .action(async (options: ServeCommandOptions) => {
      process.exitCode = await run(options)
    })
}

async function run(options: ServeCommandOptions): Promise<number> {
  const { listen, host, origin, prefix, behindProxy, threads } = options
  const socket = 'socket' in listen ? listen.socket : undefined
  const token = socket === undefined ? await tokenFrom(options.tokenFile ?? tokenPath(process.env)) : undefined
  const catalog = options.catalog === undefined ? undefined : await openCatalog({ directory: options.catalog })
  const ended = endSignal()
  if (socket !== undefined) await makeRoomFor(socket)
  const mask = process.umask(socket === undefined ? process.umask() : 0o177)
  const serving = await serve({
    ...{ listen, token, hosts: host, origins: origin, prefix, behindProxy },
    // A catalogue alone answers too.
    sources: options.from === undefined && catalog !== undefined ? [] : tableSources(options.from ?? []),
    catalog,
    // Nothing is answered from what has not been checked.
    open: (from) =>
      openKernel({
        from,
        catalog: from !== undefined && isLayoutFile(from) ? catalog : undefined,
        threads,
        ready: 'symbols',
        cache: options.cache === true && { wait: true },
        signal: interrupted,
      }),
    limits: { tables: options.tables, stream: options.maxBody * 1_000_000, requests: options.maxRequests },
    watchMs: options.watch * 1000,
    threads: threads ?? Math.max(1, Math.min(availableParallelism(), MOST_DEFAULT_THREADS)),
    onFailure: (error) => note(error instanceof Error ? (error.stack ?? error.message) : String(error)),
  }).catch((error: unknown) => {
    throw asListenFailure(error, listen)
  })
  process.umask(mask)
  if (socket !== undefined) chmodSync(socket, 0o600)
  try {
    await write(`${serving.url ?? `unix:${socket}`}\n`)
    await ended
  } finally {
    await serving.close()
  }
  return interrupted.aborted ? EXIT.interrupted : EXIT.ok
}

/** Resolves when the process is told to end. */
function endSignal(): Promise<void> {
  return new Promise((resolve) => {
    process.once('SIGTERM', () => resolve())
    interrupted.addEventListener('abort', () => resolve())
  })
}

function asListenFailure(error: unknown, listen: ListenPlace): unknown {
  if (error instanceof KerndexError) return error
  const place = 'socket' in listen ? listen.socket : `${listen.host}:${listen.port}`
  const { code, syscall } = error as NodeJS.ErrnoException
  if (syscall !== 'listen' && syscall !== 'getaddrinfo')
    return error instanceof Error ? new NotReadableError(error.message) : error
  const why = code === 'EADDRINUSE' ? 'something listens there already' : (error as Error).message
  return new NotReadableError(`${place} cannot be listened at: ${why}`, {}, { cause: error })
}

/** Removes a socket at which no process listens any more. @throws UsageError if something else is there, or a process listens */
async function makeRoomFor(path: string): Promise<void> {
  const there = lstatSync(path, { throwIfNoEntry: false })
  if (there === undefined) return
  if (!there.isSocket()) throw new UsageError(`${path} is there and no socket: it is not replaced`)
  const inUse = await new Promise<boolean>((resolve) => {
    const socket = createConnection(path, () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })
  if (inUse) throw new UsageError(`somebody listens at ${path} already`)
  unlinkSync(path)
}

function listenPlace(text: string): ListenPlace {
  if (text.includes('/')) return { socket: text.replace(/^unix:/, '') }
  const [, six, name, port] = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text) ?? []
  const host = six ?? name
  if (host === undefined || Number(port) > 65_535) {
    throw new InvalidArgumentError('HOST:PORT is needed, as 127.0.0.1:7000 or [::1]:0, or a path with a slash in it.')
  }
  return { host, port: Number(port) }
}

function pathPrefix(text: string): string {
  const trimmed = text.replace(/\/$/, '')
  if (!/^(?:\/[A-Za-z0-9._~-]+)*$/.test(trimmed)) throw new InvalidArgumentError('a path such as /kernel is needed.')
  return trimmed
}

function seconds(text: string): number {
  if (!/^\d{1,6}(?:\.\d{1,3})?$/.test(text)) throw new InvalidArgumentError('a number of seconds is needed.')
  const value = Number(text)
  if (value !== 0 && value < 0.1) throw new InvalidArgumentError('at least 0.1 seconds, or 0, are needed.')
  return value
}

function whole(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN
    if (!(value >= least && value <= most))
      throw new InvalidArgumentError(`a whole number from ${least} to ${most} is needed.`)
    return value
  }
}
