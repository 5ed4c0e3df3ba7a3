// Events with their processes: the one writer of the process cache takes the parts that the threads made, in the order of
// their times, and writes them down in the order of the input.

import {
  bigint,
  callback,
  choice,
  count,
  flag,
  like,
  nested,
  number,
  type Options,
  options as optionsOf,
  wrong,
} from '../core/arguments.ts'
import { type ProcessCache, processCache } from '../processes/cache.ts'
import { processJson } from '../processes/process.ts'
import { Asking } from './asking.ts'
import { Clock } from './clock.ts'
import { FORESIGHT, Foresight } from './foresight.ts'
import { type Ancestry, ancestorsOf, type Placed, place } from './life.ts'
import { ByteWriter } from './output/byte-writer.ts'
import { compactHead } from './output/compact.ts'
import { correctedMembers, leadMembers } from './output/event-json.ts'
import { type EventPart, type EventParts, partAt } from './parts.ts'
import { Sections } from './sections.ts'
import { OrderedWait, resetNs, type WaitLimits } from './wait.ts'

/** Nanoseconds of event time, as tetragon waits between its tries; and a bound on memory. */
export const DEFAULT_WAIT: WaitLimits = { waitNs: 2_000_000_000n, most: 16_384 }

export interface EnrichOptions {
  readonly wait?: WaitLimits | undefined
  /** Number of the symbol table's generation, written into events. */
  readonly generation: number
  readonly output: 'ndjson' | 'compact'
  /** Add the processes above the parent; JSON only. */
  readonly ancestors?: boolean | undefined
  /**
   * Called with the number of a thread or process of which nothing is known, as soon as an event names it: may add it to the
   * cache (`readRunning`, `addRunning`). Once for each number, and again when it was forked anew. For live streams.
   */
  readonly ask?: ((tid: number) => void) | undefined
}

const ENRICH_OPTIONS: Options<EnrichOptions> = {
  wait: nested<WaitLimits>({ waitNs: bigint, most: count }),
  generation: number,
  output: choice('ndjson', 'compact'),
  ancestors: flag,
  ask: callback,
}

/** A list of anything. */
function array<T>(value: unknown, name: string): T[] {
  if (!Array.isArray(value)) throw wrong(name, 'a list', value)
  return value
}

/** That they are the parts that a stream gave; what is in them is not looked at again. */
const PARTS = like<EventParts>({ type: array }, 'the parts of events, as runStream gives them')

/** The text of an event before and behind its stack. */
interface Written {
  readonly part: EventPart
  readonly before: string
  readonly behind: string
}

interface Waiting {
  readonly part: EventPart
  /** Which it is of the wait. */
  number: number
  /** Nothing was known of its process when it came. */
  readonly unknown: boolean
  /** Another recording begins with it, or another part of one. */
  readonly begins: boolean
}

/** Adds processes to events. */
export class Enricher {
  readonly #cache: ProcessCache
  readonly #wait: OrderedWait<Waiting, Written>
  readonly #foresight: Foresight<Waiting>
  readonly #options: EnrichOptions
  readonly #sections = new Sections()
  readonly #clock: Clock<Waiting>
  readonly #asking: Asking | undefined
  readonly #out = new ByteWriter()
  /** Another recording begins with the next event, or another part of one. */
  #begins = false
  /** The time of the last event that was handed on in the order of times. */
  #now = 0n

  constructor(cache: ProcessCache, given: EnrichOptions) {
    this.#cache = processCache(cache, 'cache')
    const options = optionsOf(given, 'Enricher', ENRICH_OPTIONS)
    if (options.generation === undefined) throw wrong('generation', 'a number', undefined)
    this.#options = options
    if (options.ask !== undefined) this.#asking = new Asking(cache, options.ask)
    this.#foresight = new Foresight<Waiting>(
      FORESIGHT,
      ({ part }) => part,
      (tid) => cache.knownGroup(tid),
      (waiting, event, child, told) => {
        this.#asking?.due(event)
        if (told) {
          cache.counters.toldTwice++
          this.#wait.settle(waiting.number, null)
        } else this.#wait.settle(waiting.number, this.#written(waiting, place(event, cache, child)))
      },
    )
    const limits = options.wait ?? DEFAULT_WAIT
    this.#clock = new Clock(resetNs(limits), (waiting, setBack) => {
      if (setBack) {
        this.#setBack()
        if (waiting.begins) this.#sections.begin()
      }
      this.#order(waiting)
      this.#write(this.#wait.push(waiting, waiting.part.ts))
    })
    this.#wait = new OrderedWait(limits, {
      apply: (waiting, number, late) => {
        waiting.number = number
        if (waiting.unknown) cache.counters.retries.process_info++
        if (late) {
          cache.counters.late++
          this.#wait.settle(number, this.#written(waiting, place(waiting.part, cache)))
          return
        }
        this.#now = waiting.part.ts ?? this.#now
        this.#foresight.push(waiting, this.#now)
      },
      hurry: () => this.#foresight.hurry(),
      restart: (ts) => {
        this.#foresight.setBack()
        cache.restart(ts)
      },
    })
  }

  #written({ part }: Waiting, placed: Placed): Written {
    const { output, generation, ancestors } = this.#options
    if (output === 'compact') return { part, before: inWords(part, placed), behind: '' }
    const above = ancestors === true ? this.#above(placed) : undefined
    return { part, before: beforeStack(part, placed, above), behind: behindStack(placed, generation, above) }
  }

  /** Takes the next events of the input; returns the bytes that are ready to be written. */
  push(parts: EventParts): Uint8Array {
    PARTS(parts, 'parts')
    const { length } = parts.type
    let header = 0
    for (let i = 0; i < length; i++) {
      if (parts.headers[header] === i) {
        header++
        this.begin()
      }
      const part = partAt(parts, i)
      this.#asking?.arrived(part)
      const { pid, tid, type } = part
      const known = pid ?? (tid === undefined ? undefined : this.#cache.groupOf(tid))
      const unknown = known !== undefined && type !== 'fork' && !this.#cache.knows(known)
      if (unknown) this.#cache.counters.waiting.process_info++
      // JSON of a tracer may tell of what took long when it is over, with the time of its beginning.
      const cpu = part.isRecord ? undefined : part.cpu
      this.#clock.push({ part, unknown, number: 0, begins: this.#begins }, cpu, part.ts)
      this.#begins = false
    }
    return this.#out.take()
  }

  /**
   * What follows is a recording that is at hand as a whole, or a part of one: its events are waited for as long as it takes to
   * see what they say of each other. The header of ftrace's `trace` says so by itself.
   */
  begin(): void {
    this.#clock.flush()
    this.#begins = true
    this.#sections.begin()
    this.#foresight.readOut()
  }

  /** All that came is before what comes now. */
  #setBack(): void {
    this.#sections.end()
    this.#wait.setBack()
    this.#foresight.setBack()
    this.#cache.setBack()
    this.#write(this.#wait.take())
  }

  /** Keeps what may have to be put together with the part of another CPU. */
  #order({ part: { cpu, ts }, begins }: Waiting): void {
    let verdict = this.#sections.judge(cpu, ts, begins)
    if (verdict === 'release') {
      this.#write(this.#wait.letGo())
      if (begins) {
        this.#sections.begin()
        verdict = this.#sections.judge(cpu, ts, false)
      }
    }
    if (verdict === 'hold') this.#wait.keep()
  }

  /** The input is at its end. */
  end(): Uint8Array {
    this.#clock.flush()
    this.#wait.applyAll()
    this.#foresight.flush()
    this.#write(this.#wait.take())
    return this.#out.take()
  }

  #write(events: readonly Written[]): void {
    this.#cache.counters.waitingNow = this.#wait.held
    const out = this.#out
    for (const { part, before, behind } of events) {
      out.text(before)
      if (part.stackEnd > part.stackStart) out.copy(part.stacks, part.stackStart, part.stackEnd)
      out.text(behind)
    }
  }

  /** What is above the parent, for an event that has a process. */
  #above({ entry }: Placed): Ancestry {
    const above = entry === undefined ? { ancestors: [], whole: false } : ancestorsOf(entry)
    if (!above.whole) this.#cache.counters.failures.ancestors_info++
    return above
  }
}

function beforeStack(part: EventPart, placed: Placed, above: Ancestry | undefined): string {
  const { type, pid, tid } = placed
  let text = '{'
  if (!part.isRecord) text += leadMembers(type, pid, tid) + part.members
  else if (type === part.type && pid === part.pid && (tid === part.tid || part.tid === undefined)) text += part.members
  else text += correctedMembers(part.members, type, pid, tid)
  text += `,"process":${placed.process === undefined ? 'null' : processJson(placed.process)}`
  text += `,"parent":${placed.parent === undefined ? 'null' : processJson(placed.parent)}`
  return above === undefined ? text : `${text},"ancestors":[${above.ancestors.map(processJson).join(',')}]`
}

function behindStack({ incomplete, warnings }: Placed, generation: number, above: Ancestry | undefined): string {
  let text = `,"generation":${generation}`
  const missing = above?.whole === false ? [...incomplete, 'ancestors'] : incomplete
  if (missing.length > 0) text += `,"incomplete":${JSON.stringify(missing)}`
  if (warnings.length > 0) text += `,"warnings":${JSON.stringify(warnings)}`
  return `${text}}\n`
}

function inWords(part: EventPart, { type, pid, tid, process, warnings }: Placed): string {
  const words = warnings.length > 0 ? `${part.members} (${warnings.join(', ')})` : part.members
  return `${compactHead(type, part.ts, process?.comm ?? part.comm, pid, tid, words)}\n`
}
