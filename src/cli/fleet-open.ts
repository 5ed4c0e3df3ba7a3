// Shared by the fleet commands: the options that say where the broker and the tables are, and the opening of both.

import { type Command, InvalidArgumentError, Option } from 'commander'
import { KerndexError, UsageError } from '../core/errors.ts'
import { DirectoryStore } from '../fleet/directory-store.ts'
import { HttpStore } from '../fleet/http-store.ts'
import { NatsObjectStore } from '../fleet/nats/object-store.ts'
import { NatsQueue } from '../fleet/nats/queue.ts'
import type { Store } from '../fleet/store.ts'
import { readSecret } from '../sources/whole-file.ts'
import { interrupted } from './interrupt.ts'
import { note } from './output.ts'

/** Where a fleet is. */
export interface FleetOptions {
  readonly server?: readonly string[]
  readonly user?: string
  readonly passwordFile?: string
  readonly tokenFile?: string
  readonly nkey?: string
  readonly creds?: string
  readonly tlsCa?: string
  readonly tlsCert?: string
  readonly tlsKey?: string
  readonly subjects?: string
  readonly store?: string
  readonly storeTokenFile?: string
  readonly replicas?: number
  readonly queueBytes?: number
  readonly resultBytes?: number
  readonly json?: boolean
}

const GROUP = 'Broker options:'

/** Adds the options that say where the broker and the tables are. */
export function withFleetOptions(command: Command): Command {
  const add = (flags: string, what: string) => command.addOption(new Option(flags, what).helpGroup(GROUP))
  command.addOption(
    new Option('--server <url...>', 'nats-server, or several of one cluster; default nats://127.0.0.1:4222')
      .env('KERNDEX_NATS')
      .helpGroup(GROUP),
  )
  add('--user <name>', 'user name')
  add('--password-file <file>', 'file with the password')
  add('--token-file <file>', 'file with a token')
  add('--nkey <file>', 'file with the seed of an NKey')
  add('--creds <file>', 'credentials as nsc writes them')
  add('--tls-ca <file>', 'authorities that the server is held to')
  add('--tls-cert <file>', 'client certificate')
  add('--tls-key <file>', "the client certificate's key")
  add('--subjects <prefix>', 'what the names of streams and subjects begin with; default kerndex')
  add('--store <place>', "tables in a directory or at an http(s) URL instead of among the broker's objects")
  add('--store-token-file <file>', 'file with the token of an http(s) store')
  const made = (flags: string, what: string) =>
    command.addOption(new Option(flags, what).argParser(wholeNumber).helpGroup(GROUP))
  made('--replicas <n>', 'of streams that are made: copies in a cluster; default 1')
  made('--queue-bytes <n>', 'of streams that are made: bytes of pieces that may wait; default 1 GiB')
  made('--result-bytes <n>', 'of streams that are made: bytes of results that are kept; default 2 GiB')
  return command.exitOverride().option('--json', 'one JSON object a line')
}

/** Reads a whole number of an option. */
export function wholeNumber(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('a whole number is needed.')
  return Number(text)
}

const UNITS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** `90s`, `15m`, `12h`, `7d`: milliseconds. */
export function duration(text: string): number {
  const [, number, unit = ''] = /^(\d{1,9})([smhd])$/.exec(text) ?? []
  const factor = UNITS[unit]
  if (number === undefined || factor === undefined)
    throw new InvalidArgumentError('a time is needed, such as 90s, 15m, 12h or 7d.')
  return Number(number) * factor
}

/** An open fleet. */
export interface Fleet {
  readonly queue: NatsQueue
  /** Opened when it is first asked for. */
  readonly store: () => Promise<Store>
}

/** Runs `use` on a fleet; its connection is ended whatever happens. */
export async function withFleet<T>(options: FleetOptions, use: (fleet: Fleet) => Promise<T>): Promise<T> {
  const { server, user, passwordFile, tokenFile, nkey, creds, tlsCa, tlsCert, tlsKey, subjects, replicas } = options
  if ((tlsCert === undefined) !== (tlsKey === undefined)) throw new UsageError('--tls-cert and --tls-key go together')
  const queue = await NatsQueue.open({
    servers: server,
    user,
    passwordFile,
    tokenFile,
    nkeyFile: nkey,
    credsFile: creds,
    tlsCa,
    tlsCert,
    tlsKey,
    prefix: subjects,
    replicas,
    queueBytes: options.queueBytes,
    resultBytes: options.resultBytes,
    signal: interrupted,
  })
  let store: Promise<Store> | undefined
  try {
    return await use({
      queue,
      store: () => {
        store ??= openStore(queue, options)
        return store
      },
    })
  } finally {
    if (store !== undefined) await (await store.catch(() => undefined))?.close()
    await queue.close()
  }
}

async function openStore(queue: NatsQueue, { store, storeTokenFile, replicas }: FleetOptions): Promise<Store> {
  if (store === undefined) return NatsObjectStore.open(queue, replicas)
  if (!/^https?:/i.test(store)) return new DirectoryStore(store)
  const token =
    storeTokenFile === undefined ? undefined : (await readSecret(storeTokenFile, interrupted)).toString().trim()
  return new HttpStore(store, token)
}

/** Says what the broker's acknowledgements are worth where that is less than it could be; nothing depends on it. */
export async function noteDurability({ queue }: Fleet): Promise<void> {
  try {
    const { warning } = await queue.durability()
    if (warning !== undefined) note(warning)
  } catch (error) {
    if (!(error instanceof KerndexError)) throw error
    note(`it is not known how safe what the broker acknowledges is: ${error.message}`)
  }
}
