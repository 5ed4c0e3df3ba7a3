// The counters of a server, and their Prometheus text.

import type { Held } from './call.ts'
import type { Tables } from './tables.ts'

/** Counts frames by what became of them: `found`, or the reason why not. */
export type FrameCounter = (outcome: string, frames: number) => void

/** Seconds that requests take, as the buckets of a histogram. */
const BUCKETS = [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30]

/** The counters of one server. */
export class Metrics {
  readonly #frames = new Map<string, number>()
  readonly #requests = new Map<string, number>()
  readonly #refused = new Map<string, number>()
  readonly #buckets = new Map<string, { readonly counts: number[]; sum: number }>()
  readonly #opened = new Map<string, { count: number; last: number; sum: number }>()

  readonly frames: FrameCounter = (outcome, frames) => add(this.#frames, outcome, frames)

  /** A request that was answered, by the route's path, so that nobody chooses the labels. */
  request(route: string, status: number, seconds: number): void {
    add(this.#requests, `${route}\0${status}`, 1)
    let row = this.#buckets.get(route)
    if (row === undefined) {
      row = { counts: new Array<number>(BUCKETS.length + 1).fill(0), sum: 0 }
      this.#buckets.set(route, row)
    }
    row.sum += seconds
    const at = BUCKETS.findIndex((most) => seconds <= most)
    row.counts[at < 0 ? BUCKETS.length : at]!++
  }

  /** A request or a connection that was turned away. */
  refused(why: string): void {
    add(this.#refused, why, 1)
  }

  opened(key: string, ms: number): void {
    const { count, sum } = this.#opened.get(key) ?? { count: 0, sum: 0 }
    this.#opened.set(key, { count: count + 1, last: ms, sum: sum + ms })
  }

  /** The counters as Prometheus text. */
  async text(
    tables: Tables,
    held: Held,
    now: { requests: number; listeners: number; connections: number },
  ): Promise<string> {
    // Loaded only here: few ask for metrics.
    const { Counter, Gauge, Registry } = (await import('prom-client')).default
    const registers = [new Registry()]
    const counter = (name: string, help: string, labelNames: string[]) =>
      new Counter({ name: `kerndex_serve_${name}`, help, labelNames, registers })
    const gauge = (name: string, help: string, labelNames: string[] = []) =>
      new Gauge({ name: `kerndex_serve_${name}`, help, labelNames, registers })
    const requests = counter('requests_total', 'Requests answered', ['route', 'status'])
    for (const [key, count] of this.#requests) {
      const [route = '', status = ''] = key.split('\0')
      requests.inc({ route, status }, count)
    }
    const frames = counter('frames_total', 'Addresses looked up, by what became of them', ['outcome'])
    for (const [outcome, count] of this.#frames) frames.inc({ outcome }, count)
    const refused = counter('refused_total', 'Requests and connections turned away', ['reason'])
    for (const [reason, count] of this.#refused) refused.inc({ reason }, count)
    const states = tables.list()
    gauge('tables', 'Tables that there are').set(states.length)
    gauge('tables_open', 'Tables that are open').set(states.filter(({ open }) => open).length)
    gauge('table_bytes', 'Bytes of the open tables of symbols').set(tables.bytes)
    const generation = gauge('table_generation', 'Generation of a table', ['table'])
    const size = gauge('table_symbols', 'Symbols of a table', ['table'])
    for (const { key, identity } of states) {
      if (identity === undefined) continue
      generation.set({ table: key }, identity.generation)
      size.set({ table: key }, identity.symbols)
    }
    const opened = counter('openings_total', 'Times that a table was opened', ['table'])
    const seconds = counter('opening_seconds_total', 'Time that opening a table took, in all', ['table'])
    for (const [table, { count, sum }] of this.#opened) {
      opened.inc({ table }, count)
      seconds.inc({ table }, sum / 1000)
    }
    gauge('held_bytes', 'Bytes of bodies and answers in memory').set(held.bytes)
    gauge('requests_running', 'Requests under way').set(now.requests)
    gauge('listeners', 'Streams of events').set(now.listeners)
    gauge('connections', 'Open connections').set(now.connections)
    gauge('resident_bytes', 'Resident memory of the process').set(process.memoryUsage.rss())
    return `${(await registers[0]?.metrics()) ?? ''}\n${this.#histogram()}`
  }

  /** Durations were counted as they came; the client library would count them all anew. */
  #histogram(): string {
    const name = 'kerndex_serve_request_seconds'
    const lines = [`# HELP ${name} Time that requests took`, `# TYPE ${name} histogram`]
    for (const [route, { counts, sum }] of this.#buckets) {
      let below = 0
      counts.forEach((count, i) => {
        below += count
        lines.push(`${name}_bucket{route="${route}",le="${BUCKETS[i] ?? '+Inf'}"} ${below}`)
      })
      lines.push(`${name}_sum{route="${route}"} ${sum}`, `${name}_count{route="${route}"} ${below}`)
    }
    return `${lines.join('\n')}\n`
  }
}

function add(counts: Map<string, number>, key: string, by: number): void {
  if (by > 0) counts.set(key, (counts.get(key) ?? 0) + by)
}
