// The queue on NATS JetStream. A piece has a subject of its own and is added only while that is empty, as is an answer: nothing
// relies on the broker's window for duplicates, which ends after two minutes.

import { createHash } from 'node:crypto'
import type { JetStreamClient, JetStreamManager } from '@nats-io/jetstream'
import type { Msg, MsgHdrs, NatsConnection } from '@nats-io/transport-node'
import { count } from '../../core/arguments.ts'
import { BadFormatError, NotReadableError } from '../../core/errors.ts'
import {
  decodeJob,
  encodeJob,
  type Job,
  type JobTotals,
  jobArgument,
  jobName,
  PARTITIONS,
  partitionOf,
  totalsArgument,
} from '../job.ts'
import {
  type Answer,
  answerArgument,
  type DeadLetter,
  type Kept,
  letterArgument,
  type Piece,
  partitionArgument,
  pieceArgument,
  type Queue,
  type Taken,
  type Waiting,
} from '../queue.ts'
import { connectNats, type NatsClients, type NatsOptions, natsClients, natsOptions, requestFailure } from './connect.ts'
import { Inbox } from './inbox.ts'
import {
  DEFAULT_TAKEN_MS,
  type Durability,
  durabilityOf,
  makeStreams,
  Names,
  NO_ROOM,
  NO_STREAM,
  NOT_EMPTY,
} from './streams.ts'

/** Bytes of the payload that are left to headers, the payload limit counts them too. */
const HEADER_BYTES = 2048
/** Milliseconds that an answer of the broker may take. */
const ANSWER_MS = 5_000
/** Messages of a long answer that are sent or fetched at once. */
const PARTS_AT_ONCE = 4

/** The status of a message that has no receiver. */
const NOBODY_THERE = 503

const COUNTS = 'Kerndex-Counts'
const PARTS = 'Kerndex-Parts'
const DIGEST = 'Kerndex-Digest'
const REASON = 'Kerndex-Reason'
const ATTEMPTS = 'Kerndex-Attempts'

/** A fleet's queue on NATS JetStream. */
export class NatsQueue implements Queue {
  readonly what: string
  readonly mostBytes: number
  readonly takenMs: number
  readonly names: Names
  readonly clients: NatsClients
  readonly connection: NatsConnection
  readonly client: JetStreamClient
  readonly manager: JetStreamManager
  /** The inboxes that are free. */
  readonly #inboxes: Inbox[] = []

  /**
   * Connects, and makes the streams where they are missing.
   * @throws NotReadableError, NoPermissionError, saying what to do; UnsupportedError if the clients are not installed
   */
  static async open(given?: NatsOptions): Promise<NatsQueue> {
    const options = natsOptions(given)
    const clients = await natsClients()
    const connection = await connectNats(clients, options)
    try {
      const { jetstreamManager, jetstream } = clients.jetstream
      const manager = await jetstreamManager(connection, { checkAPI: false, timeout: ANSWER_MS })
      const names = new Names(options.prefix ?? 'kerndex')
      const takenMs = await prepare(clients, manager, names, options)
      return new NatsQueue(clients, connection, jetstream(connection, { timeout: ANSWER_MS }), manager, names, takenMs)
    } catch (error) {
      await connection.close()
      throw error
    }
  }

  private constructor(
    clients: NatsClients,
    connection: NatsConnection,
    client: JetStreamClient,
    manager: JetStreamManager,
    names: Names,
    takenMs: number,
  ) {
    this.clients = clients
    this.connection = connection
    this.client = client
    this.manager = manager
    this.names = names
    this.takenMs = takenMs
    this.what = `nats-server ${connection.info?.version ?? ''} at ${connection.getServer()}`
    this.mostBytes = (connection.info?.max_payload ?? 1 << 20) - HEADER_BYTES
  }

  /** What an acknowledgement of this broker is worth. */
  durability(): Promise<Durability> {
    return durabilityOf(this.manager, this.names, this.connection.info?.version ?? '')
  }

  async openJob(job: Job): Promise<Job> {
    const record = encodeJob(job)
    const kept = await this.#publish(this.names.job(job.name), record)
    return kept === 'new' ? job : ((await this.job(job.name)) ?? job)
  }

  async closeJob(job: Job, sent: JobTotals): Promise<void> {
    jobArgument(job, 'job')
    totalsArgument(sent, 'sent')
    try {
      await this.client.publish(this.names.job(job.name), encodeJob({ ...job, sent }))
    } catch (error) {
      throw requestFailure(`the job ${job.name}`, error)
    }
  }

  async job(name: string): Promise<Job | undefined> {
    jobName(name, 'name')
    const message = await this.#last(this.names.jobs, this.names.job(name))
    return message === undefined ? undefined : decodeJob(message.data)
  }

  async jobs(): Promise<string[]> {
    const subjects = await this.#subjects(this.names.jobs, this.names.job('*'))
    return subjects.map((subject) => subject.slice(subject.lastIndexOf('.') + 1))
  }

  async submit(piece: Piece, table: string): Promise<Kept> {
    const { job, number, bytes } = pieceArgument(piece, 'piece')
    const partition = partitionOf(table)
    return this.#publish(this.names.piece(partition, job, number), bytes)
  }

  async waiting(): Promise<Waiting[]> {
    const partitions: Waiting[] = []
    try {
      for await (const { name, num_pending, num_ack_pending } of this.manager.consumers.list(this.names.pieces)) {
        const partition = Number(name.slice(1))
        if (this.names.consumer(partition) !== name || num_pending + num_ack_pending === 0) continue
        partitions.push({ partition, waiting: num_pending, taken: num_ack_pending })
      }
    } catch (error) {
      throw requestFailure('the queue', error)
    }
    return partitions
  }

  async take(partition: number, waitMs = 0): Promise<Taken | undefined> {
    partitionArgument(partition, 'partition')
    count(waitMs, 'waitMs')
    const subject = `$JS.API.CONSUMER.MSG.NEXT.${this.names.pieces}.${this.names.consumer(partition)}`
    const asked = waitMs === 0 ? { batch: 1, no_wait: true } : { batch: 1, expires: waitMs * 1e6 }
    const inbox = this.#inboxes.pop() ?? new Inbox(this.connection, this.clients.transport.createInbox())
    const message = await inbox.ask(subject, JSON.stringify(asked), waitMs + ANSWER_MS)
    this.#inboxes.push(inbox)
    const code = message.headers?.code ?? 0
    if (code === NOBODY_THERE) throw new NotReadableError(`${this.what} has no JetStream, or no queue of this name`)
    // The server's own words: there is none.
    return code >= 400 ? undefined : this.#taken(message)
  }

  async answer(answer: Answer): Promise<Kept> {
    const { job, number, bytes, counts } = answerArgument(answer, 'answer')
    const headers = this.#headers({ [COUNTS]: JSON.stringify(counts) })
    const subject = this.names.result(job, number)
    if (bytes.length <= this.mostBytes) return this.#publish(subject, bytes, headers)
    // An answer that is too long goes ahead in parts, under a digest so that two workers' parts never mix; then comes its head.
    const digest = createHash('sha256').update(bytes).digest('hex')
    const parts = Math.ceil(bytes.length / this.mostBytes)
    for (let first = 0; first < parts; first += PARTS_AT_ONCE) {
      const sent: Promise<Kept>[] = []
      for (let part = first; part < Math.min(parts, first + PARTS_AT_ONCE); part++) {
        const piece = bytes.subarray(part * this.mostBytes, (part + 1) * this.mostBytes)
        sent.push(this.#publish(this.names.result(job, number, `${digest}.${part}`), piece))
      }
      if ((await Promise.all(sent)).includes('full')) return 'full'
    }
    headers.set(PARTS, String(parts))
    headers.set(DIGEST, digest)
    return this.#publish(subject, new Uint8Array(0), headers)
  }

  async bury(letter: Omit<DeadLetter, 'buried'>): Promise<Kept> {
    const { job, number, bytes, reason, attempts } = letterArgument(letter, 'letter')
    const headers = this.#headers({ [REASON]: encodeURIComponent(reason.slice(0, 500)), [ATTEMPTS]: String(attempts) })
    return this.#publish(this.names.letter(job, number), bytes, headers)
  }

  async answered(job: string): Promise<Set<number>> {
    jobName(job, 'job')
    return numbersOf(await this.#subjects(this.names.results, this.names.result(job, '*')))
  }

  async buried(job: string): Promise<Set<number>> {
    jobName(job, 'job')
    return numbersOf(await this.#subjects(this.names.dead, this.names.letter(job, '*')))
  }

  async answerOf(job: string, number: number): Promise<Answer | undefined> {
    jobName(job, 'job')
    count(number, 'number')
    const head = await this.#last(this.names.results, this.names.result(job, number))
    if (head === undefined) return undefined
    const counts = countsOf(head.headers?.get(COUNTS))
    const parts = Number(head.headers?.get(PARTS) || 0)
    if (parts === 0) return { job, number, bytes: head.data, counts }
    const digest = head.headers?.get(DIGEST) ?? ''
    const pieces: Uint8Array[] = []
    for (let part = 0; part < parts; part++) {
      const piece = await this.#last(this.names.results, this.names.result(job, number, `${digest}.${part}`))
      if (piece === undefined)
        throw new BadFormatError(`the answer to piece ${number} of ${job} lacks its part ${part}`)
      pieces.push(piece.data)
    }
    const bytes = Buffer.concat(pieces)
    if (createHash('sha256').update(bytes).digest('hex') !== digest)
      throw new BadFormatError(`the answer to piece ${number} of ${job} is damaged`)
    return { job, number, bytes, counts }
  }

  async letterOf(job: string, number: number): Promise<DeadLetter | undefined> {
    jobName(job, 'job')
    count(number, 'number')
    const message = await this.#last(this.names.dead, this.names.letter(job, number))
    if (message === undefined) return undefined
    const { headers, data } = message
    return {
      job,
      number,
      bytes: data,
      reason: decodeURIComponent(headers?.get(REASON) ?? ''),
      attempts: Number(headers?.get(ATTEMPTS) || 0),
      buried: new Date(headers?.get('Nats-Time-Stamp') ?? 0),
    }
  }

  async forget(job: string): Promise<void> {
    jobName(job, 'job')
    const { names } = this
    const purges: [string, string][] = [
      [names.pieces, names.piece('*', job, '*')],
      [names.results, names.result(job, '*')],
      [names.results, `${names.result(job, '*')}.>`],
      [names.dead, names.letter(job, '*')],
      // Its record goes last: as long as it is there, the rest can be found.
      [names.jobs, names.job(job)],
    ]
    for (const [stream, filter] of purges) {
      try {
        await this.manager.streams.purge(stream, { filter })
      } catch (error) {
        throw requestFailure(`the job ${job} cannot be removed`, error)
      }
    }
  }

  async close(): Promise<void> {
    // Acknowledgements are on their way.
    if (!this.connection.isClosed()) await this.connection.flush().catch(() => {})
    await this.connection.close()
  }

  #headers(values: Readonly<Record<string, string>>): MsgHdrs {
    const headers = this.clients.transport.headers()
    for (const [name, value] of Object.entries(values)) headers.set(name, value)
    return headers
  }

  /** A piece as it was delivered: its subject for answers says how often, and takes what becomes of it. */
  #taken({ subject, data, reply = '' }: Msg): Taken {
    const [number = '', job = ''] = subject.split('.').reverse()
    const tokens = reply.split('.')
    // `$JS.ACK.STREAM.CONSUMER.DELIVERED.…`; servers with domains have two more parts before the stream.
    const attempt = Number(tokens[tokens.length > 9 ? 6 : 4])
    const say = (what: string) => {
      // Nothing is lost where it cannot be said: then the piece comes back.
      if (!this.connection.isClosed()) this.connection.publish(reply, what)
    }
    return {
      job,
      number: Number(number),
      bytes: data,
      attempt,
      extend: () => say('+WPI'),
      done: async () => say('+ACK'),
      again: (delayMs) => say(`-NAK {"delay":${Math.round(delayMs * 1e6)}}`),
    }
  }

  /** Publishes to a subject that is empty, and waits until the broker has it. */
  async #publish(subject: string, bytes: Uint8Array, headers?: MsgHdrs): Promise<Kept> {
    try {
      const expect = { lastSubjectSequence: 0 }
      await this.client.publish(subject, bytes, headers === undefined ? { expect } : { headers, expect })
      return 'new'
    } catch (error) {
      const code = codeOf(error)
      if (code === NOT_EMPTY) return 'there'
      if (code === NO_ROOM || /maximum bytes exceeded/.test(error instanceof Error ? error.message : '')) return 'full'
      throw requestFailure(subject, error)
    }
  }

  /** The last message of a subject. */
  async #last(stream: string, subject: string): Promise<Msg | undefined> {
    const message = await this.#request(`$JS.API.DIRECT.GET.${stream}.${subject}`)
    const code = message.headers?.code ?? 0
    if (code === 404) return undefined
    if (code >= 400) throw new NotReadableError(`${subject}: ${message.headers?.description}`)
    return message
  }

  async #request(subject: string): Promise<Msg> {
    try {
      return await this.connection.request(subject, undefined, { timeout: ANSWER_MS })
    } catch (error) {
      throw requestFailure(subject, error)
    }
  }

  async #subjects(stream: string, filter: string): Promise<string[]> {
    try {
      const { state } = await this.manager.streams.info(stream, { subjects_filter: filter })
      return Object.keys(state.subjects ?? {})
    } catch (error) {
      throw requestFailure(`the stream ${stream}`, error)
    }
  }
}

/** Makes what is missing; the milliseconds after which pieces come back. */
async function prepare(
  clients: NatsClients,
  manager: JetStreamManager,
  names: Names,
  options: NatsOptions,
): Promise<number> {
  const last = () => manager.consumers.info(names.pieces, names.consumer(PARTITIONS - 1))
  try {
    return (await last()).config.ack_wait! / 1e6
  } catch (error) {
    const code = codeOf(error)
    if (code !== NO_STREAM && code !== NO_CONSUMER) throw requestFailure('the fleet', error)
  }
  await makeStreams(clients, manager, names, options)
  return options.takenMs ?? DEFAULT_TAKEN_MS
}

const NO_CONSUMER = 10014

/** The code of a refusal of JetStream. */
function codeOf(error: unknown): number {
  return typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'number'
    ? error.code
    : 0
}

function numbersOf(subjects: readonly string[]): Set<number> {
  return new Set(subjects.map((subject) => Number(subject.slice(subject.lastIndexOf('.') + 1))))
}

function countsOf(text: string | undefined): Record<string, number> {
  const counts: Record<string, number> = {}
  const parsed: unknown = JSON.parse(text === undefined || text === '' ? '{}' : text)
  if (typeof parsed !== 'object' || parsed === null) return counts
  for (const [name, value] of Object.entries(parsed)) if (Number.isSafeInteger(value)) counts[name] = Number(value)
  return counts
}
