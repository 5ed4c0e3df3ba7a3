// Events with their processes: the one writer of the process cache takes the parts that the threads made, in the order of
// their times, and writes them down in the order of the input.

import type { ProcessCache } from '../processes/cache.ts'
import { processJson } from '../processes/process.ts'
import { learnFrom, type Placed, place } from './life.ts'
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
}

/** Adds processes to events. */
export class Enricher {
  readonly #cache: ProcessCache
  readonly #evidence = new Map<number, number>()
  readonly #wait: OrderedWait<EventPart, string>

  constructor(cache: ProcessCache, options: EnrichOptions) {
    this.#cache = cache
    const { generation, output } = options
    this.#wait = new OrderedWait(options.wait ?? DEFAULT_WAIT, (part, late) => {
      if (late) cache.counters.late++
      const placed = place(part, cache, this.#evidence)
      return output === 'compact' ? inWords(part, placed) : asJson(part, placed, generation)
    })
  }

  /** Takes the next event of the input; returns what is ready to be written. */
  push(part: EventPart): string {
    learnFrom(part, this.#evidence)
    const { pid, tid, type } = part
    const known = pid ?? (tid === undefined ? undefined : this.#cache.groupOf(tid))
    if (known !== undefined && type !== 'fork' && !this.#cache.knows(known)) this.#cache.counters.waiting.process_info++
    return this.#wait.push(part, part.ts).join('')
  }

  /** The input is at its end. */
  end(): string {
    return this.#wait.end().join('')
  }
}

function asJson(part: EventPart, placed: Placed, generation: number): string {
  const { type, pid, tid } = placed
  let text = '{'
  if (!part.isRecord) text += leadMembers(type, pid, tid) + part.members
  else if (type === part.type && pid === part.pid && (tid === part.tid || part.tid === undefined)) text += part.members
  else text += correctedMembers(part.members, type, pid, tid)
  text += `,"process":${placed.process === undefined ? 'null' : processJson(placed.process)}`
  text += `,"parent":${placed.parent === undefined ? 'null' : processJson(placed.parent)}`
  if (part.stack !== '') text += `,${part.stack}`
  text += `,"generation":${generation}`
  if (placed.incomplete.length > 0) text += `,"incomplete":${JSON.stringify(placed.incomplete)}`
  if (placed.warnings.length > 0) text += `,"warnings":${JSON.stringify(placed.warnings)}`
  return `${text}}\n`
}

function inWords(part: EventPart, { type, pid, tid, process, warnings }: Placed): string {
  const words = warnings.length > 0 ? `${part.words} (${warnings.join(', ')})` : part.words
  return `${compactHead(type, part.ts, process?.comm ?? part.comm, pid, tid, words)}\n${part.stackWords}`
}
