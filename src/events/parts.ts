// Events as one thread hands them to another: what their processes are looked up by, and the bytes that are ready. In columns,
// as objects are costly to hand over, and with each stack once however many events have it.

import type { EventType, Lifecycle, TraceEvent } from './event.ts'
import { whatHappened } from './output/compact.ts'
import { decodedMembers, eventMembers, timeMember } from './output/event-json.ts'

/** An event without its process. */
export interface EventPart {
  readonly type: EventType
  readonly pid: number | undefined
  readonly pidIsHint: boolean
  readonly tid: number | undefined
  readonly ts: bigint | undefined
  readonly cpu: number | undefined
  readonly comm: string | undefined
  readonly life: Lifecycle | undefined
  /** A record's members as they are sent on; of other events the members behind type, pid and tid; or what happened, in words. */
  readonly members: string
  readonly isRecord: boolean
  /** Where its stack stands in `stacks`: the members of JSON, or words. Empty where it has none. */
  readonly stackStart: number
  readonly stackEnd: number
  readonly stacks: Uint8Array
}

/** The events of a stretch: one column for each of their properties. */
export interface EventParts {
  readonly type: EventType[]
  readonly pid: (number | undefined)[]
  readonly pidIsHint: boolean[]
  readonly tid: (number | undefined)[]
  readonly ts: (bigint | undefined)[]
  readonly cpu: (number | undefined)[]
  readonly comm: (string | undefined)[]
  readonly life: (Lifecycle | undefined)[]
  readonly members: string[]
  readonly isRecord: boolean[]
  readonly stackStart: number[]
  readonly stackEnd: number[]
  /** Before which events the header of a recording stands that was read out as a whole. */
  readonly headers: number[]
  stacks: Uint8Array
}

export function noParts(): EventParts {
  return {
    type: [],
    pid: [],
    pidIsHint: [],
    tid: [],
    ts: [],
    cpu: [],
    comm: [],
    life: [],
    members: [],
    isRecord: [],
    stackStart: [],
    stackEnd: [],
    headers: [],
    stacks: NO_BYTES,
  }
}

const NO_BYTES = new Uint8Array(0)

/** Adds an event whose stack will stand in `stacks` from `stackStart` to `stackEnd`. */
export function addPart(
  parts: EventParts,
  event: TraceEvent,
  { inWords, passthrough }: { inWords: boolean; passthrough: boolean },
  stackStart: number,
  stackEnd: number,
): void {
  const record = passthrough ? event.record : undefined
  parts.type.push(event.type)
  parts.pid.push(event.pid)
  parts.pidIsHint.push(event.pidIsHint)
  parts.tid.push(event.tid)
  parts.ts.push(event.ts)
  parts.cpu.push(event.cpu)
  parts.comm.push(event.comm)
  parts.life.push(event.life)
  parts.isRecord.push(record !== undefined)
  parts.stackStart.push(stackStart)
  parts.stackEnd.push(stackEnd)
  if (inWords) parts.members.push(whatHappened(event))
  else if (record !== undefined) parts.members.push(eventMembers(event))
  else parts.members.push(passthrough ? decodedMembers(event) : timeMember(event))
}

/** One event out of the columns. */
export function partAt(parts: EventParts, i: number): EventPart {
  return {
    // Columns are of one length, which `type` tells.
    type: parts.type[i]!,
    pid: parts.pid[i],
    pidIsHint: parts.pidIsHint[i] === true,
    tid: parts.tid[i],
    ts: parts.ts[i],
    cpu: parts.cpu[i],
    comm: parts.comm[i],
    life: parts.life[i],
    members: parts.members[i] ?? '',
    isRecord: parts.isRecord[i] === true,
    stackStart: parts.stackStart[i] ?? 0,
    stackEnd: parts.stackEnd[i] ?? 0,
    stacks: parts.stacks,
  }
}
