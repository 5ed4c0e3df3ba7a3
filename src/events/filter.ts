// Which events of a stream are wanted.

import type { TraceEvent } from './event.ts'

/** Conditions that an event has to meet; one that is left out is met by any event. */
export interface EventFilter {
  /** Names of processes. */
  readonly comms?: readonly string[] | undefined
  /** Numbers of processes or threads. */
  readonly pids?: readonly number[] | undefined
  /** Names of events, as the tool prints them. */
  readonly events?: readonly string[] | undefined
  /** Nanoseconds on the trace's clock: not before. Events without a time are not wanted then. */
  readonly from?: bigint | undefined
  /** Not later than this. */
  readonly to?: bigint | undefined
}

/** Whether an event is wanted, as a function; undefined where all are. */
export function wanted({ comms, pids, events, from, to }: EventFilter): ((event: TraceEvent) => boolean) | undefined {
  const tests: ((event: TraceEvent) => boolean)[] = []
  if (comms !== undefined) {
    const names = new Set(comms)
    tests.push(({ comm }) => comm !== undefined && names.has(comm))
  }
  if (pids !== undefined) {
    const numbers = new Set(pids)
    tests.push(({ pid, tid }) => (pid !== undefined && numbers.has(pid)) || (tid !== undefined && numbers.has(tid)))
  }
  if (events !== undefined) {
    const names = new Set(events)
    tests.push(({ name }) => name !== undefined && names.has(name))
  }
  if (from !== undefined) tests.push(({ ts }) => ts !== undefined && ts >= from)
  if (to !== undefined) tests.push(({ ts }) => ts !== undefined && ts <= to)
  if (tests.length === 0) return undefined
  return (event) => tests.every((test) => test(event))
}
