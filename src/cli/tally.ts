// What a stream command counted, and how that reads as Prometheus text.

import type { PlacedAnswer } from '../events/run.ts'
import type { Snapshot } from '../load/snapshot.ts'
import type { ProcessCounters } from '../processes/counters.ts'

/** Sums over all streams of a run. */
export interface Tally {
  lines: number
  events: number
  frames: number
  unresolved: number
  bad: number
  readonly badByFormat: Map<string, number>
  processes: ProcessCounters | undefined
  add(answer: PlacedAnswer): void
}

export function tally(): Tally {
  return {
    lines: 0,
    events: 0,
    frames: 0,
    unresolved: 0,
    bad: 0,
    badByFormat: new Map(),
    processes: undefined,
    add(answer) {
      this.lines += answer.lines
      this.events += answer.events
      this.frames += answer.frames
      this.unresolved += answer.unresolved
      this.bad += answer.bad.length
      const { format } = answer
      this.badByFormat.set(format, (this.badByFormat.get(format) ?? 0) + answer.bad.length)
    },
  }
}

/** The counters as Prometheus text. */
export async function tallyMetrics(snapshot: Snapshot, counts: Tally): Promise<string> {
  // Loaded only here: few runs ask for metrics.
  const { Counter, Gauge, Registry } = (await import('prom-client')).default
  const registers = [new Registry()]
  const counter = (name: string, help: string, value: number) => {
    new Counter({ name: `kerndex_${name}`, help, registers }).inc(value)
  }
  const gauge = (name: string, help: string, value: number) => {
    new Gauge({ name: `kerndex_${name}`, help, registers }).set(value)
  }
  gauge('symbols_generation', 'Generation of the symbol table', snapshot.generation)
  gauge('symbols_count', 'Symbols in the table', snapshot.symbols.size)
  counter('lines_total', 'Lines read', counts.lines)
  counter('events_total', 'Events decoded', counts.events)
  const lookups = new Counter({
    name: 'kerndex_lookup_total',
    help: 'Frames looked up',
    labelNames: ['kind', 'result'],
    registers,
  })
  lookups.inc({ kind: 'frame', result: 'found' }, counts.frames - counts.unresolved)
  lookups.inc({ kind: 'frame', result: 'unresolved' }, counts.unresolved)
  const errors = new Counter({
    name: 'kerndex_decode_errors_total',
    help: 'Lines that could not be decoded',
    labelNames: ['format'],
    registers,
  })
  for (const [format, bad] of counts.badByFormat) errors.inc({ format }, bad)
  for (const { name, help, kind, label, values } of counts.processes?.families() ?? []) {
    const labelNames = label === undefined ? [] : [label]
    const options = { name: `kerndex_${name}`, help, labelNames, registers }
    const family = kind === 'counter' ? new Counter(options) : new Gauge(options)
    for (const [of, value] of values) family.inc(label === undefined ? {} : { [label]: of }, value)
  }
  return registers[0]?.metrics() ?? ''
}
