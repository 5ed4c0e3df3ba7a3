// The connection to a NATS server: the optional clients, read when they are needed; credentials; and what failures mean.

import { connect } from 'node:net'
import type { NatsConnection, NodeConnectionOptions } from '@nats-io/transport-node'
import {
  type Check,
  listOf,
  type Options,
  options as optionsOf,
  path,
  signal,
  text,
  whole,
  wrong,
} from '../../core/arguments.ts'
import { KerndexError, NoPermissionError, NotReadableError, UnsupportedError } from '../../core/errors.ts'
import { readFailure } from '../../sources/reader.ts'
import { readRegularFileNow, readSecret } from '../../sources/whole-file.ts'
import { readNatsPackages } from './packages.ts'

/** How to reach a server. Secrets are named by the file that they are in. */
export interface NatsOptions {
  /** One URL or several of one cluster. Default: nats://127.0.0.1:4222. */
  readonly servers?: readonly string[] | undefined
  readonly user?: string | undefined
  readonly passwordFile?: string | undefined
  readonly tokenFile?: string | undefined
  /** The seed of an NKey. */
  readonly nkeyFile?: string | undefined
  /** Credentials as `nsc` writes them: a JWT and its seed. */
  readonly credsFile?: string | undefined
  /** Authorities that the server's certificate is held to. */
  readonly tlsCa?: string | undefined
  readonly tlsCert?: string | undefined
  readonly tlsKey?: string | undefined
  /** The beginning of the names of streams and subjects. Default: kerndex. */
  readonly prefix?: string | undefined
  /** Copies that a cluster keeps of streams that are made. Default 1. */
  readonly replicas?: number | undefined
  /** Bytes of pieces that may wait, and of results that are kept. Default: 1 GiB and 2 GiB. */
  readonly queueBytes?: number | undefined
  readonly resultBytes?: number | undefined
  /** Milliseconds after which what is left of jobs goes by itself. Default: 30 days. */
  readonly keepMs?: number | undefined
  /** Milliseconds after which a piece comes back that its worker does not extend; 30,000 at least. Default: 60,000. */
  readonly takenMs?: number | undefined
  /** Ends the reading of secrets, whose files may be pipes. */
  readonly signal?: AbortSignal | undefined
}

/** Copies that JetStream keeps of a stream at most. */
export const MOST_REPLICAS = 5

const prefixText: Check<string> = (value, name) => {
  if (typeof value !== 'string' || !/^[A-Za-z0-9_-]{1,32}$/.test(value))
    throw wrong(name, 'at most 32 letters, digits, - and _', value)
  return value
}

const NATS_OPTIONS: Options<NatsOptions> = {
  servers: listOf(text, 'URLs of servers'),
  user: text,
  passwordFile: path,
  tokenFile: path,
  nkeyFile: path,
  credsFile: path,
  tlsCa: path,
  tlsCert: path,
  tlsKey: path,
  prefix: prefixText,
  replicas: whole(1, MOST_REPLICAS),
  queueBytes: whole(1 << 16, Number.MAX_SAFE_INTEGER),
  resultBytes: whole(1 << 16, Number.MAX_SAFE_INTEGER),
  keepMs: whole(60_000, Number.MAX_SAFE_INTEGER),
  takenMs: whole(30_000, 86_400_000),
  signal,
}

export const natsOptions = (given: NatsOptions | undefined): NatsOptions =>
  optionsOf(given, 'NatsQueue.open', NATS_OPTIONS)

const DEFAULT_SERVER = 'nats://127.0.0.1:4222'
/** Milliseconds for a connection, and for an answer of the server. */
const CONNECT_MS = 5_000

/** The clients, which are optional peers of this package. */
export interface NatsClients {
  readonly transport: typeof import('@nats-io/transport-node')
  readonly jetstream: typeof import('@nats-io/jetstream')
  readonly obj: typeof import('@nats-io/obj')
}

/** @throws UnsupportedError if they are not installed */
export async function natsClients(): Promise<NatsClients> {
  try {
    const [transport, jetstream, obj] = await readNatsPackages()
    // Digests in plain JavaScript take four times as long as all the rest of storing a table.
    obj.setSha256Backend('native')
    return { transport, jetstream, obj }
  } catch (cause) {
    throw new UnsupportedError(
      'fleet mode needs the clients of NATS: npm install @nats-io/transport-node @nats-io/jetstream @nats-io/obj',
      { path: cause instanceof Error ? cause.message : '' },
    )
  }
}

/**
 * Connects. A connection that is lost is made again, however long that takes.
 * @throws NotReadableError, NoPermissionError, saying what to do
 */
export async function connectNats({ transport }: NatsClients, options: NatsOptions): Promise<NatsConnection> {
  const servers = [...(options.servers ?? [DEFAULT_SERVER])]
  const { tlsCa, tlsCert, tlsKey, signal } = options
  const secret = async (file: string): Promise<string> => (await readSecret(file, signal)).toString().trim()
  const authenticators = [
    ...(options.nkeyFile === undefined
      ? []
      : [transport.nkeyAuthenticator(await readSecret(options.nkeyFile, signal))]),
    ...(options.credsFile === undefined
      ? []
      : [transport.credsAuthenticator(await readSecret(options.credsFile, signal))]),
  ]
  const tls = {
    ...(tlsCa === undefined ? {} : { caFile: tlsCa }),
    ...(tlsCert === undefined ? {} : { certFile: tlsCert }),
    ...(tlsKey === undefined ? {} : { keyFile: tlsKey }),
  }
  // The client reads them once more, by their names.
  for (const file of [tlsCa, tlsCert, tlsKey]) if (file !== undefined) regularOf(file)
  const given: NodeConnectionOptions = {
    servers,
    name: 'kerndex',
    timeout: CONNECT_MS,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 250,
    // A server that comes back from a crash refuses what it does not know yet.
    ignoreAuthErrorAbort: true,
    // A stack for every request that might fail takes longer than the request.
    noAsyncTraces: true,
    ...(Object.keys(tls).length === 0 ? {} : { tls }),
    ...(authenticators.length === 0 ? {} : { authenticator: authenticators }),
    ...(options.tokenFile === undefined ? {} : { token: await secret(options.tokenFile) }),
    ...(options.user === undefined ? {} : { user: options.user }),
    ...(options.passwordFile === undefined ? {} : { pass: await secret(options.passwordFile) }),
  }
  try {
    return await transport.connect(given)
  } catch (error) {
    throw connectFailure(servers, error, tlsCert !== undefined, await wantsCertificate(servers))
  }
}

/** @throws NotReadableError, NoPermissionError */
function regularOf(file: string): void {
  try {
    readRegularFileNow(file)
  } catch (error) {
    throw error instanceof KerndexError ? error : readFailure(file, error)
  }
}

/** Milliseconds that a server's greeting may take. */
const GREETING_MS = 1_000
/** Bytes of a greeting. */
const MOST_GREETING = 1 << 14

/**
 * Whether one of the servers says in its greeting that it wants client certificates. It hangs up on who has none without a word, which
 * the clients tell as a time-out: so it is asked again, once nothing else explains the failure.
 */
async function wantsCertificate(servers: readonly string[]): Promise<boolean> {
  const asked = await Promise.all(servers.map(greetingOf))
  return asked.some((greeting) => /"tls_verify"\s*:\s*true/.test(greeting))
}

/** The first line that a server says; empty where it says none in time. */
function greetingOf(server: string): Promise<string> {
  const written = server.includes('://') ? server : `nats://${server}`
  return new Promise((resolve) => {
    if (!URL.canParse(written)) return resolve('')
    const url = new URL(written)
    let said = ''
    const socket = connect(Number(url.port || 4222), url.hostname.replace(/^\[(.*)\]$/, '$1'))
    const done = () => {
      socket.destroy()
      resolve(said)
    }
    socket.setTimeout(GREETING_MS, done)
    socket.on('error', done).on('end', done)
    socket.on('data', (piece) => {
      said += piece.toString('latin1')
      if (said.includes('\n') || said.length > MOST_GREETING) done()
    })
  })
}

/** Why there is no connection, and what to do. */
export function connectFailure(
  servers: readonly string[],
  error: unknown,
  hasCertificate: boolean,
  wantsCertificate = false,
): KerndexError {
  const why = error instanceof Error ? error.message : String(error)
  // The parts of a URL beside its host may be secret.
  const where = servers.map((server) => server.replace(/^(\w+:\/\/)?[^@]*@/, '$1')).join(', ')
  if (/authorization|authentication|permissions/i.test(why)) {
    return new NoPermissionError(`${where} does not let us in (${why}): give --nkey, --creds, --token-file or --user`)
  }
  if (/certificate|altnames/i.test(why))
    return new NotReadableError(
      `${where} is not trusted (${why}): name its authority with --tls-ca`,
      {},
      { cause: error },
    )
  if (wantsCertificate) {
    const what = hasCertificate
      ? 'lets in client certificates of its own authorities only, and ours seems to be of another one: give --tls-cert of one of them'
      : 'wants a client certificate: give --tls-cert and --tls-key'
    return new NoPermissionError(`${where} ${what} (${why})`)
  }
  const certificate = hasCertificate
    ? 'if it does not know the authority of our certificate, that too looks like a time-out'
    : 'if it wants a client certificate (tls: verify), a missing one looks like a time-out: give --tls-cert and --tls-key'
  return new NotReadableError(`${where} cannot be reached: ${why}; ${certificate}`, {}, { cause: error })
}

/** A failed request as a kerndex error. */
export function requestFailure(what: string, error: unknown): KerndexError {
  if (error instanceof KerndexError) return error
  const why = error instanceof Error ? error.message : String(error)
  return /permissions? violation/i.test(why)
    ? new NoPermissionError(`${what}: this account may not do that (${why})`)
    : new NotReadableError(`${what}: ${why}`, {}, { cause: error })
}
