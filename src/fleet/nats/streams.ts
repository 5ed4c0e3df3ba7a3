// The streams that a fleet lives in: how they are named, made where they are missing, and what their settings are worth.

import type { JetStreamManager, StreamConfig } from '@nats-io/jetstream'
import { NotReadableError } from '../../core/errors.ts'
import { PARTITIONS } from '../job.ts'
import { type NatsClients, type NatsOptions, requestFailure } from './connect.ts'

/** Names of streams and subjects. */
export class Names {
  readonly prefix: string
  readonly pieces: string
  readonly results: string
  readonly dead: string
  readonly jobs: string
  /** The bucket of tables. */
  readonly tables: string

  constructor(prefix: string) {
    this.prefix = prefix
    const upper = prefix.toUpperCase()
    this.pieces = `${upper}_PIECES`
    this.results = `${upper}_RESULTS`
    this.dead = `${upper}_DEAD`
    this.jobs = `${upper}_JOBS`
    this.tables = `${upper}_TABLES`
  }

  piece(partition: number | '*', job: string, number: number | '*'): string {
    return `${this.prefix}.piece.${partition}.${job}.${number}`
  }

  /** Of all pieces, or with a part the rest of an answer that is too long for one message. */
  result(job: string, number: number | '*', part?: string): string {
    return `${this.prefix}.results.${job}.${number}${part === undefined ? '' : `.${part}`}`
  }

  letter(job: string, number: number | '*'): string {
    return `${this.prefix}.dead.${job}.${number}`
  }

  job(name: string | '*'): string {
    return `${this.prefix}.job.${name}`
  }

  consumer(partition: number): string {
    return `p${partition}`
  }
}

const DEFAULT_QUEUE_BYTES = 2 ** 30
const DEFAULT_RESULT_BYTES = 2 ** 31
/** Pieces that were given up take so much of what results may. */
const DEAD_SHARE = 8
const DEFAULT_KEEP_MS = 30 * 24 * 3_600_000
export const DEFAULT_TAKEN_MS = 60_000
/** A piece that is taken more often is left in the queue unseen: workers bury it long before. */
const MOST_DELIVERIES = 1000
/** The codes of the server's answers: no such stream; the stream has no room; it is not as was expected. */
export const NO_STREAM = 10059
export const NO_ROOM = 10077
export const NOT_EMPTY = 10071

type Made = Pick<StreamConfig, 'name' | 'subjects'> & Partial<StreamConfig>

/** The streams as they are made. */
function configs({ jetstream, transport }: NatsClients, names: Names, options: NatsOptions): Made[] {
  const { RetentionPolicy, DiscardPolicy, StorageType } = jetstream
  const common = {
    storage: StorageType.File,
    num_replicas: options.replicas ?? 1,
    // What does not fit is refused and sent again, never dropped.
    discard: DiscardPolicy.New,
    retention: RetentionPolicy.Limits,
    allow_direct: true,
    max_age: transport.nanos(options.keepMs ?? DEFAULT_KEEP_MS),
  }
  const { prefix } = names
  const resultBytes = options.resultBytes ?? DEFAULT_RESULT_BYTES
  return [
    {
      ...common,
      name: names.pieces,
      subjects: [`${prefix}.piece.>`],
      retention: RetentionPolicy.Workqueue,
      max_bytes: options.queueBytes ?? DEFAULT_QUEUE_BYTES,
      max_age: 0,
    },
    { ...common, name: names.results, subjects: [`${prefix}.results.>`], max_bytes: resultBytes },
    { ...common, name: names.dead, subjects: [`${prefix}.dead.>`], max_bytes: Math.ceil(resultBytes / DEAD_SHARE) },
    // A job's newest record counts.
    {
      ...common,
      name: names.jobs,
      subjects: [`${prefix}.job.*`],
      discard: DiscardPolicy.Old,
      max_msgs_per_subject: 1,
    },
  ]
}

/** Makes the streams that are missing, and their consumers. @throws NotReadableError, NoPermissionError */
export async function makeStreams(
  clients: NatsClients,
  manager: JetStreamManager,
  names: Names,
  options: NatsOptions,
): Promise<void> {
  const { jetstream, transport } = clients
  for (const config of configs(clients, names, options)) {
    await unlessThere(() => manager.streams.add(config), `the stream ${config.name} cannot be made`)
  }
  const makes: Promise<void>[] = []
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const config = {
      durable_name: names.consumer(partition),
      filter_subject: `${names.prefix}.piece.${partition}.>`,
      ack_policy: jetstream.AckPolicy.Explicit,
      ack_wait: transport.nanos(options.takenMs ?? DEFAULT_TAKEN_MS),
      max_deliver: MOST_DELIVERIES,
    }
    const make = () => manager.consumers.add(names.pieces, config)
    makes.push(unlessThere(make, `the consumer of partition ${partition} cannot be made`))
  }
  await Promise.all(makes)
}

/** Two may make the same at once, and one of them is told so: then it is there. */
async function unlessThere(make: () => Promise<unknown>, failed: string): Promise<void> {
  try {
    await make()
  } catch (error) {
    const why = error instanceof Error ? error.message : ''
    if (/already (?:in use|exists)/.test(why)) return
    // The broker sets aside what a stream may hold, whether it does or not.
    const hint = /insufficient storage/.test(why)
      ? ': give --queue-bytes and --result-bytes, or the broker more room'
      : ''
    throw requestFailure(`${failed}${hint}`, error)
  }
}

/** How safely the broker keeps a fleet's streams. */
export interface Durability {
  readonly server: string
  readonly replicas: number
  readonly storage: string
  /** The data that can be lost, and what to do; undefined where several machines keep everything on disk. */
  readonly warning: string | undefined
}

/** What an acknowledgement of this broker is worth. @throws NotReadableError if the streams are not there */
export async function durabilityOf(manager: JetStreamManager, names: Names, server: string): Promise<Durability> {
  const infos = await Promise.all(
    [names.pieces, names.results, names.jobs].map((name) =>
      manager.streams.info(name).catch((error: unknown) => {
        throw requestFailure(`the stream ${name}`, error)
      }),
    ),
  )
  const [first] = infos
  if (first === undefined) throw new NotReadableError('there are no streams')
  const replicas = Math.min(...infos.map(({ config }) => config.num_replicas))
  const inMemory = infos.find(({ config }) => config.storage !== 'file')
  const storage = inMemory === undefined ? 'file' : 'memory'
  const always = versionAtLeast(server, 2, 10) ? ', or sync_interval: always in its configuration' : ''
  const warning =
    inMemory !== undefined
      ? `the stream ${inMemory.config.name} is kept in memory: a restart of the broker loses it`
      : replicas < 3
        ? `the broker acknowledges what is written, not yet synced: a power loss can take the last two minutes; use three replicas${always}`
        : undefined
  return { server, replicas, storage, warning }
}

function versionAtLeast(version: string, major: number, minor: number): boolean {
  const [first = 0, second = 0] = version.split('.').map(Number)
  return first > major || (first === major && second >= minor)
}
