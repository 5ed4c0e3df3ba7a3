// One boot of a host over time: a layout for each state of its modules, and for an address and a time the state that it belongs to.

import { formatAddress } from './core/address.ts'
import { address as checkedAddress, instance } from './core/arguments.ts'
import { UsageError } from './core/errors.ts'
import type { Reader } from './reader.ts'
import { stextOf } from './stacks/boot.ts'
import { type HostState, moduleAtOtherTimes } from './stacks/states.ts'
import type { NothingReason } from './symbols/locate.ts'
import type { SymbolMatch } from './symbols/symbol.ts'
import { HIDDEN_OWNER } from './symbols/table.ts'

/** The symbol that was at an address at a time. */
export interface PastAnswer {
  readonly match: SymbolMatch | undefined
  /** Why there is no symbol. `stale_layout`: a module was there at another time, but not at this. */
  readonly reason: NothingReason | undefined
  /** Whose memory it was, where that is known. */
  readonly owner: string | undefined
}

/** A state of the host, and when it was read. */
export interface PastHost {
  readonly taken: Date
  /** In nanoseconds since the boot; undefined where it is not known. */
  readonly monotonic?: bigint | undefined
  readonly host: Reader
}

const DATE = instance(Date, 'a Date')

/** The states of one boot, by their times: each counts from when it was read until the next one was. */
export class HostHistory {
  /** The first comes first. */
  readonly states: readonly PastHost[]

  /** Use `catalog.placeAll`. @throws UsageError if there is none, or they are of several boots */
  constructor(states: readonly PastHost[]) {
    this.states = [...states].sort((a, b) => a.taken.getTime() - b.taken.getTime())
    const [first] = this.states
    if (first === undefined) throw new UsageError('no layout: at least one is needed')
    const other = this.states.find(({ host }) => !isSameBoot(host, first.host))
    if (other !== undefined) {
      throw new UsageError(`layouts of several boots: ${bootOf(first)} and ${bootOf(other)}; give those of one`)
    }
  }

  /** The states as readers of streams take them: each event is looked up in the state of its time. */
  get tables(): readonly HostState[] {
    return this.states.map(({ taken, monotonic, host: { symbols } }) => {
      return { symbols, real: BigInt(taken.getTime()) * 1_000_000n, monotonic }
    })
  }

  /** The host as it was at a time; as it was first, for times before. @throws UsageError */
  at(time: Date): Reader {
    const wanted = DATE(time, 'time').getTime()
    const found = this.states.findLast(({ taken }) => taken.getTime() <= wanted)
    return (found ?? this.states[0]!).host // There is at least one.
  }

  /**
   * The symbol that was at an address at a time. Names of another time are never given.
   * @throws UsageError
   */
  find(address: bigint, time: Date): PastAnswer {
    const { symbols } = this.at(time)
    const wanted = checkedAddress(address)
    const match = symbols.at(wanted)
    const owner = symbols.ownerAt(wanted)
    if (match !== undefined) return { match, reason: undefined, owner: match.symbol.owner }
    const then = moduleAtOtherTimes(
      symbols,
      this.states.map(({ host }) => host.symbols),
      wanted,
    )
    if (then !== undefined) return { match, reason: 'stale_layout', owner: then }
    return { match, reason: symbols.reasonFor(wanted), owner: owner === HIDDEN_OWNER ? undefined : owner }
  }
}

function bootOf({ host }: PastHost): string {
  return `${host.host.bootId ?? 'one without an id'}, _stext at ${formatAddress(stextOf(host.symbols) ?? 0n)}`
}

/** By what they tell of it; a kernel that lies elsewhere is one of another boot, also where neither tells its id. */
function isSameBoot(a: Reader, b: Reader): boolean {
  const same = a.host.bootId === b.host.bootId && a.host.buildId === b.host.buildId
  return same && stextOf(a.symbols) === stextOf(b.symbols)
}
