// Events with their processes: the one writer of the process cache takes the parts that the threads made, in the order of
// their times, and writes them down in the order of the input.

import type { ProcessCache } from '../processes/cache.ts'
import { processJson } from '../processes/process.ts'
import { type Ancestry, ancestorsOf, learnFrom, type Placed, place } from './life.ts'
import { compactHead } from './output/compact.ts'
import { correctedMembers, leadMembers } from './output/event-json.ts'
import type { EventPart } from './stretch.ts'
import { OrderedWait, type WaitLimits } from './wait.ts'

/** Nanoseconds of event time, as tetragon waits between its tries; and a bound on memory. */
export const DEFAULT_WAIT: WaitLimits = { waitNs: 2_000_000_000n, most: 16_384 }

export interface EnrichOptions {
  readonly wait?: WaitLimits
  /** Number of the symbol table's generation, written into events. */
  readonly generation: number
  readonly output: 'ndjson' | 'compact'
  /** Add the processes above the parent; JSON only. */
  readonly ancestors?: boolean
}

interface Waiting {
  readonly part: EventPart
  /** Nothing was known of its process when it came. */
  readonly unknown: boolean
}

/** Adds processes to events. */
export class Enricher {
  readonly #cache: ProcessCache
  readonly #evidence = new Map<number, number>()
  readonly #wait: OrderedWait<Waiting, string>

  constructor(cache: ProcessCache, options: EnrichOptions) {
    this.#cache = cache
    const { generation, output } = options
    this.#wait = new OrderedWait(options.wait ?? DEFAULT_WAIT, ({ part, unknown }, late) => {
      if (late) cache.counters.late++
      if (unknown) cache.counters.retries.process_info++
      const placed = place(part, cache, this.#evidence)
      if (output === 'compact') return inWords(part, placed)
      return asJson(part, placed, generation, options.ancestors === true ? this.#above(placed) : undefined)
    })
  }

  /** Takes the next event of the input; returns what is ready to be written. */
  push(part: EventPart): string {
    learnFrom(part, this.#evidence)
    const { pid, tid, type } = part
    const known = pid ?? (tid === undefined ? undefined : this.#cache.groupOf(tid))
    const unknown = known !== undefined && type !== 'fork' && !this.#cache.knows(known)
    if (unknown) this.#cache.counters.waiting.process_info++
    return this.#given(this.#wait.push({ part, unknown }, part.ts))
  }

  /** The input is at its end. */
  end(): string {
    return this.#given(this.#wait.end())
  }

  #given(lines: readonly string[]): string {
    this.#cache.counters.waitingNow = this.#wait.held
    return lines.length === 1 ? (lines[0] ?? '') : lines.join('')
  }

  /** What is above the parent, for an event that has a process. */
  #above({ entry }: Placed): Ancestry {
    const above = entry === undefined ? { ancestors: [], whole: false } : ancestorsOf(entry)
    if (!above.whole) this.#cache.counters.failures.ancestors_info++
    return above
  }
}

function asJson(part: EventPart, placed: Placed, generation: number, above: Ancestry | undefined): string {
  const { type, pid, tid } = placed
  let text = '{'
  if (!part.isRecord) text += leadMembers(type, pid, tid) + part.members
  else if (type === part.type && pid === part.pid && (tid === part.tid || part.tid === undefined)) text += part.members
  else text += correctedMembers(part.members, type, pid, tid)
  text += `,"process":${placed.process === undefined ? 'null' : processJson(placed.process)}`
  text += `,"parent":${placed.parent === undefined ? 'null' : processJson(placed.parent)}`
  if (above !== undefined) text += `,"ancestors":[${above.ancestors.map(processJson).join(',')}]`
  if (part.stack !== '') text += `,${part.stack}`
  text += `,"generation":${generation}`
  const incomplete = above?.whole === false ? [...placed.incomplete, 'ancestors'] : placed.incomplete
  if (incomplete.length > 0) text += `,"incomplete":${JSON.stringify(incomplete)}`
  if (placed.warnings.length > 0) text += `,"warnings":${JSON.stringify(placed.warnings)}`
  return `${text}}\n`
}

function inWords(part: EventPart, { type, pid, tid, process, warnings }: Placed): string {
  const words = warnings.length > 0 ? `${part.words} (${warnings.join(', ')})` : part.words
  return `${compactHead(type, part.ts, process?.comm ?? part.comm, pid, tid, words)}\n${part.stackWords}`
}
