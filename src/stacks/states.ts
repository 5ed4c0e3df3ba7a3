// A host over time: for each state of its modules a table and when it was read, and for the time of a stack the state that it belongs to.

import { like, listOf, wrong } from '../core/arguments.ts'
import { CORE_OWNER } from '../symbols/build.ts'
import { HIDDEN_OWNER, type SymbolTable, symbolTable } from '../symbols/table.ts'

/** A state of a host, which holds from when it was read until the next one was. Times are in nanoseconds. */
export interface HostState {
  readonly symbols: SymbolTable
  /** Since 1970. */
  readonly real: bigint
  /** Since the boot, on the clock that perf and ftrace use by default; undefined where it is not known. */
  readonly monotonic: bigint | undefined
}

/** Ten years: what counts from a boot is less, what counts from 1970 is more. */
const MOST_UPTIME = 315_360_000_000_000_000n

const TABLES = listOf(
  like<HostState>(
    {
      symbols: symbolTable,
      real: (value, name) => nanosecondsOf(value, name),
      monotonic: (value, name) => (value === undefined ? 0n : nanosecondsOf(value, name)),
    },
    '{ symbols, real, monotonic }',
  ),
  'states of a host',
)

function nanosecondsOf(value: unknown, name: string): bigint {
  if (typeof value !== 'bigint') throw wrong(name, 'nanoseconds, as a bigint', value)
  return value
}

/** The check of a host's states as an argument. */
export const HOST_STATES: (value: unknown, name: string) => readonly HostState[] = TABLES

/** The number of the state that holds at a time: the first, for times before. Undefined where the time cannot be told among theirs. */
export function stateAt(states: readonly Omit<HostState, 'symbols'>[], time: bigint | undefined): number | undefined {
  if (time === undefined) return undefined
  const sinceBoot = time < MOST_UPTIME
  let found = -1
  let first = -1
  let least: bigint | undefined
  let most: bigint | undefined
  for (let i = 0; i < states.length; i++) {
    const taken = sinceBoot ? states[i]!.monotonic : states[i]!.real
    if (taken === undefined) return undefined
    if (least === undefined || taken < least) {
      least = taken
      first = i
    }
    if (taken <= time && (most === undefined || taken >= most)) {
      most = taken
      found = i
    }
  }
  return found >= 0 ? found : first < 0 ? undefined : first
}

/**
 * The module that tables of other times have at an address of which `now` knows no owner, if any has one there.
 */
export function moduleAtOtherTimes(
  now: SymbolTable,
  otherTimes: readonly SymbolTable[],
  address: bigint,
): string | undefined {
  if (otherTimes.length === 0 || now.ownerAt(address) !== HIDDEN_OWNER) return undefined
  for (const table of otherTimes) {
    const owner = table.ownerAt(address)
    if (owner !== HIDDEN_OWNER && owner !== CORE_OWNER) return owner
  }
  return undefined
}
