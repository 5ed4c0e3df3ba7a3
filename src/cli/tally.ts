// The counts of a stream command, and their Prometheus text.

import type { PlacedAnswer } from '../events/run.ts'
import { addCounts, type FrameCounts, noFrames } from '../events/stretch-plan.ts'
import type { Kernel } from '../kernel.ts'
import type { ProcessCounters } from '../processes/counters.ts'

/** Sums over all streams of a run. */
export interface Tally extends FrameCounts {
  lines: number
  events: number
  /** Some stream's own names show that it is of another kernel. */
  otherKernel: boolean
  strange: number
  /** The most frames that one thread remembered. */
  remembered: number
  bad: number
  readonly badByFormat: Map<string, number>
  processes: ProcessCounters | undefined
  add(answer: PlacedAnswer): void
}

export function tally(): Tally {
  return {
    ...noFrames(),
    lines: 0,
    events: 0,
    otherKernel: false,
    strange: 0,
    remembered: 0,
    bad: 0,
    badByFormat: new Map(),
    processes: undefined,
    add(answer) {
      this.lines += answer.lines
      this.events += answer.events
      addCounts(this, answer)
      this.otherKernel ||= answer.trust === 'trace'
      this.strange += answer.strange
      this.remembered = Math.max(this.remembered, answer.remembered)
      this.bad += answer.bad.length
      const { format } = answer
      this.badByFormat.set(format, (this.badByFormat.get(format) ?? 0) + answer.bad.length)
    },
  }
}

type LabelledValue = readonly [of: readonly string[], value: number]

/** The values of a family of counters by their labels. */
interface Labelled {
  readonly labels: readonly string[]
  readonly values: readonly LabelledValue[]
}

/** The counters as Prometheus text. */
export async function tallyMetrics(kernel: Kernel, counts: Tally): Promise<string> {
  // Loaded only here: few runs ask for metrics.
  const { Counter, Gauge, Registry } = (await import('prom-client')).default
  const registers = [new Registry()]
  const counter = (name: string, help: string, value: number) => {
    new Counter({ name: `kerndex_${name}`, help, registers }).inc(value)
  }
  const gauge = (name: string, help: string, value: number) => {
    new Gauge({ name: `kerndex_${name}`, help, registers }).set(value)
  }
  const labelled = (name: string, help: string, { labels, values }: Labelled) => {
    const family = new Counter({ name: `kerndex_${name}`, help, labelNames: [...labels], registers })
    for (const [of, value] of values) {
      family.inc(Object.fromEntries(labels.map((label, i) => [label, of[i] ?? ''])), value)
    }
  }
  const snapshot = kernel.snapshot()
  gauge('symbols_generation', 'Generation of the symbol table', snapshot.generation)
  gauge('symbols_count', 'Symbols in the table', snapshot.symbols.size)
  const { count: badLines, leftOut } = snapshot.skipped
  labelled('symbols_ignored_total', 'Lines of kallsyms that are not in the table', {
    labels: ['reason'],
    values: [
      [['no_symbol_line'], badLines],
      [['data'], leftOut.data],
      [['owner'], leftOut.owners],
    ],
  })
  // A command loads its symbols once; a load that fails leaves no metrics.
  labelled('reload_total', 'Loads of the symbols', { labels: ['result'], values: [[['ok'], 1]] })
  gauge('reload_seconds', 'How long the last load took', kernel.timing.readyMs / 1000)
  counter('lines_total', 'Lines read', counts.lines)
  counter('events_total', 'Events decoded', counts.events)
  counter('unknown_event_types_total', 'Events of a type that is not known', counts.strange)
  gauge('name_cache_size', 'Frames that one thread remembers by their text, at most', counts.remembered)
  labelled('lookup_total', 'Frames looked up', {
    labels: ['kind', 'result'],
    values: [
      [['frame', 'found'], counts.frames - counts.unresolved - counts.userFrames],
      [['frame', 'unresolved'], counts.unresolved],
      [['frame', 'not_kernel'], counts.userFrames],
    ],
  })
  labelled('decode_errors_total', 'Lines that could not be decoded', {
    labels: ['format'],
    values: Array.from(counts.badByFormat, ([format, bad]): LabelledValue => [[format], bad]),
  })
  for (const { name, help, kind, label, values } of counts.processes?.families() ?? []) {
    const labelNames = label === undefined ? [] : [label]
    const options = { name: `kerndex_${name}`, help, labelNames, registers }
    const family = kind === 'counter' ? new Counter(options) : new Gauge(options)
    for (const [of, value] of values) family.inc(label === undefined ? {} : { [label]: of }, value)
  }
  return registers[0]?.metrics() ?? ''
}
