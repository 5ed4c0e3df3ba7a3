// Names of the events that a plan's lines for kprobe_events make, each once in the plan: an event of a name that exists already
// becomes a second probe of that one event, or is refused.

import { isReturn, type ProbeKind } from './kinds.ts'

/** The facts that an event's name is made of; a target has them. */
export interface NamedPlace {
  readonly kind: ProbeKind
  readonly function: string
  readonly address: bigint | undefined
  readonly offset: number
}

/** Characters of an event's name: MAX_EVENT_NAME_LEN less its NUL (kernel/trace/trace.h). */
const LONGEST = 63

/** The names of one plan. */
export class EventNames {
  #places: readonly NamedPlace[] = []
  #names: Map<NamedPlace, string> | undefined

  /** Says what the plan consists of; names are made when one is first asked for. */
  over(places: readonly NamedPlace[]): void {
    this.#places = places
    this.#names = undefined
  }

  /** The name of a place: that of its function, and what tells it from others of the plan. */
  of(place: NamedPlace): string {
    this.#names ??= distinctNames(this.#places)
    return this.#names.get(place) ?? nameOf(place, '')
  }
}

function distinctNames(places: readonly NamedPlace[]): Map<NamedPlace, string> {
  const plain = places.map((place) => nameOf(place, ''))
  const times = new Map<string, number>()
  for (const name of plain) times.set(name, (times.get(name) ?? 0) + 1)
  const used = new Set(times.keys())
  const names = new Map<NamedPlace, string>()
  places.forEach((place, i) => {
    const name = plain[i]!
    names.set(place, times.get(name) === 1 ? name : unused(place, used))
  })
  return names
}

/** The first name with the address, and a number if that is not enough, that no other place has. */
function unused(place: NamedPlace, used: Set<string>): string {
  const { address } = place
  const where = address === undefined ? '' : `_${(address + BigInt(place.offset)).toString(16)}`
  let name = where === '' ? '' : nameOf(place, where)
  for (let i = 2; name === '' || used.has(name); i++) name = nameOf(place, `${where}_${i}`)
  used.add(name)
  return name
}

/** A name that tracefs takes: a C identifier of at most 63 characters. */
function nameOf({ kind, function: symbol, offset }: NamedPlace, where: string): string {
  const ending = `${offset === 0 || where !== '' ? '' : `_${offset}`}${where}${isReturn(kind) ? '_ret' : ''}`
  const word = /[^A-Za-z0-9_]/.test(symbol) ? symbol.replace(/[^A-Za-z0-9_]/g, '_') : symbol
  const plain = word.slice(0, LONGEST - ending.length)
  return /^\d/.test(plain) ? `_${plain.slice(1)}${ending}` : plain + ending
}
