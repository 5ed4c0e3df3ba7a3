// Counters of the fleet commands as Prometheus text: into a file that is written anew now and then, and over HTTP for scrapes.

import { createServer, type Server } from 'node:http'
import { InvalidArgumentError } from 'commander'
import { NotReadableError } from '../core/errors.ts'
import type { Submitted } from '../fleet/producer.ts'
import type { Waiting } from '../fleet/queue.ts'
import type { WorkerCounts } from '../fleet/worker.ts'
import { writeFileSafely } from '../sources/write-file.ts'
import { note } from './output.ts'

type Values = readonly (readonly [labels: Readonly<Record<string, string>>, value: number])[]
type Family = readonly [kind: 'counter' | 'gauge', name: string, help: string, values: Values]

/** Families of counters as text. */
async function textOf(families: readonly Family[]): Promise<string> {
  // Loaded only here: few runs ask for metrics.
  const { Counter, Gauge, Registry } = (await import('prom-client')).default
  const registers = [new Registry()]
  for (const [kind, name, help, values] of families) {
    const labelNames = [...new Set(values.flatMap(([labels]) => Object.keys(labels)))]
    const options = { name: `kerndex_fleet_${name}`, help, labelNames, registers }
    const family = kind === 'counter' ? new Counter(options) : new Gauge(options)
    for (const [labels, value] of values) family.inc({ ...labels }, value)
  }
  return registers[0]?.metrics() ?? ''
}

const one = (value: number): Values => [[{}, value]]

/** The counts of a worker, and how much waits. */
export function workerMetrics(counts: WorkerCounts, waiting: readonly Waiting[]): Promise<string> {
  const { tables, seconds, answered } = counts
  const found = (name: string) => answered.get(name) ?? 0
  const [frames, unresolved, user] = [found('frames'), found('unresolved'), found('userFrames')]
  const sum = (of: (one: Waiting) => number) => waiting.reduce((total, each) => total + of(each), 0)
  return textOf([
    ['counter', 'pieces_total', 'Pieces that have an answer', one(counts.pieces)],
    ['counter', 'addresses_total', 'Packed addresses looked up', one(found('addresses'))],
    ['counter', 'events_total', 'Events looked up', one(found('events'))],
    [
      'counter',
      'frames_total',
      'Frames looked up',
      [
        [{ result: 'found' }, frames - unresolved - user],
        [{ result: 'unresolved' }, unresolved],
        [{ result: 'not_kernel' }, user],
        [{ result: 'contradiction' }, found('contradictions')],
      ],
    ],
    ['counter', 'bad_lines_total', 'Lines that could not be decoded', one(found('bad'))],
    ['counter', 'redelivered_total', 'Pieces that had been taken before', one(counts.redelivered)],
    ['counter', 'suppressed_total', 'Results that were there already', one(counts.suppressed)],
    ['counter', 'dead_letters_total', 'Pieces that were given up', one(counts.buried)],
    ['counter', 'delayed_total', 'Pieces that were handed back for later', one(counts.delayed)],
    ['counter', 'table_fetches_total', 'Tables fetched', one(tables.fetched)],
    ['counter', 'table_fetched_bytes_total', 'Bytes of tables fetched', one(tables.fetchedBytes)],
    ['counter', 'table_damaged_total', 'Tables whose digest was wrong', one(tables.damaged)],
    ['counter', 'table_openings_total', 'Tables opened', one(tables.opened)],
    ['counter', 'table_closings_total', 'Tables closed to make room', one(tables.closed)],
    ['counter', 'seconds_total', 'Seconds by phase', Object.entries(seconds).map(([phase, s]) => [{ phase }, s])],
    [
      'gauge',
      'queue_pieces',
      'Pieces in the queue',
      [
        [{ state: 'waiting' }, sum(({ waiting }) => waiting)],
        [{ state: 'taken' }, sum(({ taken }) => taken)],
      ],
    ],
  ])
}

/** The outcome of sending a job. */
export function submitMetrics({ sent, before, waits }: Submitted, seconds: number): Promise<string> {
  return textOf([
    ['counter', 'sent_pieces_total', 'Pieces that are in the queue or answered', one(sent.pieces)],
    ['counter', 'sent_before_total', 'Pieces that were there already', one(before)],
    ['counter', 'sent_events_total', 'Events and addresses', one(sent.events)],
    ['counter', 'bad_lines_total', 'Lines that could not be decoded', one(sent.bad)],
    ['counter', 'waits_total', 'Waits for room or for the broker', one(waits)],
    ['counter', 'seconds_total', 'Seconds', one(seconds)],
  ])
}

/** Where a long-running command's metrics go. */
export interface MetricsOptions {
  readonly metrics?: string
  readonly metricsListen?: HostPort
}

export interface HostPort {
  readonly host: string
  readonly port: number
}

export function hostPort(text: string): HostPort {
  const [, host = '127.0.0.1', port = ''] = /^(?:(.+):)?(\d{1,5})$/.exec(text) ?? []
  if (port === '' || Number(port) > 65_535) throw new InvalidArgumentError('HOST:PORT or PORT is needed.')
  return { host: host.replace(/^\[(.*)\]$/, '$1'), port: Number(port) }
}

const WRITE_MS = 10_000

/** Hands metrics out while `use` runs, and writes the last of them when it is done. */
export async function withMetrics<T>(
  { metrics, metricsListen }: MetricsOptions,
  read: () => Promise<string>,
  use: () => Promise<T>,
): Promise<T> {
  const write = async (path: string) => writeFileSafely(path, await read(), { secret: false, special: 'write into' })
  const server = metricsListen === undefined ? undefined : await listen(metricsListen, read)
  const timer =
    metrics === undefined
      ? undefined
      : setInterval(() => write(metrics).catch((error: Error) => note(error.message)), WRITE_MS)
  timer?.unref()
  try {
    return await use()
  } finally {
    clearInterval(timer)
    server?.close()
    server?.closeAllConnections()
    if (metrics !== undefined) await write(metrics)
  }
}

async function listen({ host, port }: HostPort, read: () => Promise<string>): Promise<Server> {
  const server = createServer((request, response) => {
    if (request.url !== '/metrics' || request.method !== 'GET') {
      response.writeHead(404).end()
      return
    }
    read().then(
      (text) => response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4' }).end(text),
      () => response.writeHead(503).end(),
    )
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => reject(new NotReadableError(`${host}:${port}: ${cause.message}`, {}, { cause })))
    server.listen(port, host, resolve)
  })
  const address = server.address()
  if (typeof address === 'object' && address !== null)
    note(
      `metrics at http://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}/metrics`,
    )
  return server
}
