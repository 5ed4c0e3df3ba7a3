// What the header of a sample says behind its time, and the event that it begins: a sample, a tracepoint, or what perf itself
// tells of a task (--show-task-events).

import { type RawFrame, rawFrame } from '../../../stacks/frame.ts'
import { type EventType, type Lifecycle, type TraceEvent, traceEvent } from '../../event.ts'
import { asText } from '../../format.ts'
import { behindSpaces, hexDigitsEnd, isDigit, SPACE } from '../characters.ts'
import { schedEvent } from '../sched.ts'
import { decodeFrame } from './frame.ts'
import type { Head } from './head.ts'

/** `system:event`, but not `cycles:P`: letters behind an event that say how it is counted. */
const TRACEPOINT = /^\w[\w-]*:(?![ukhIGHpPSDWebR]+$)\w+$/
const TASK = /^PERF_RECORD_(FORK|EXIT)\((\d+):(\d+)\):\((-?\d+):(-?\d+)\)$/
const COMM = /^PERF_RECORD_COMM( exec)?: (.*):(\d+)\/(\d+)$/s
/** What perf had no room for, or the kernel: --show-lost-events. */
const LOST = /^PERF_RECORD_LOST(?:_SAMPLES)? lost (\d{1,18})$/
/** Names of events are not longer, nor are comms by far. */
const LONGEST_NAME = 1024

/** An event whose frames are still to come. */
export interface OpenEvent extends Omit<TraceEvent, 'frames' | 'frameLines'> {
  frames: readonly RawFrame[]
  frameLines: readonly number[]
}

/** The text of a header behind its time, decoded: one object for all events with the same text. */
export interface Kind {
  readonly type: EventType
  readonly name: string | undefined
  readonly weight: bigint
  readonly payload: string
}

/** The event that a header begins; `length` is the header's. `kinds` remembers what headers say, of one stretch. */
export function headerEvent(head: Head, length: number, line: number, kinds: Map<string, Kind>): OpenEvent {
  const { rest } = head
  let kind = kinds.get(rest)
  if (kind === undefined) {
    kind = kindOf(rest)
    // Events without payload are all of a few kinds.
    if (kind.payload === '') kinds.set(rest, kind)
  }
  return kind.payload === '' ? sample(kind, head, line) : eventWithPayload(kind, head, length, line)
}

/** An optional period or count, the event's name, a colon, the payload. */
function kindOf(rest: string): Kind {
  let at = 0
  while (at < rest.length && at < 20 && isDigit(rest.charCodeAt(at))) at++
  const alone = at === rest.length
  const hasPeriod = at > 0 && (alone || rest.charCodeAt(at) === SPACE)
  const weight = hasPeriod ? BigInt(rest.slice(0, at)) : 1n
  const start = hasPeriod ? behindSpaces(rest, at) : 0
  let end = rest.indexOf(': ', start)
  if (end < 0 && rest.endsWith(':')) end = rest.length - 1
  if (end <= start || end - start > LONGEST_NAME) return { type: 'sample', name: undefined, weight, payload: '' }
  const name = rest.slice(start, end)
  let type: EventType = 'sample'
  if (name.startsWith('probe:')) type = 'kprobe'
  else if (name.startsWith('probe_')) type = 'uprobe'
  else if (TRACEPOINT.test(name)) type = 'tracepoint'
  return { type, name, weight, payload: rest.slice(behindSpaces(rest, end + 1)) }
}

/** An event that a name says all of, written out, as most of a recording is such samples. */
function sample({ type, name, weight }: Kind, { who, ts }: Head, line: number): OpenEvent {
  return {
    type,
    strange: false,
    name,
    pid: who.pid,
    pidIsHint: false,
    tid: who.tid,
    ts,
    count: 1,
    lastTs: undefined,
    cpu: who.cpu,
    comm: who.comm,
    weight,
    unit: undefined,
    frames: [],
    frameLines: [],
    shape: 'pc-first',
    line,
    life: undefined,
    fields: [],
    record: undefined,
  }
}

function eventWithPayload({ type, name, weight, payload }: Kind, head: Head, length: number, line: number): TraceEvent {
  const { who, ts } = head
  const { comm, pid, tid, cpu } = who
  const sched = name === undefined ? undefined : schedEvent(name, payload, 'tracepoint')
  if (sched !== undefined) {
    const fields = sched.type === 'tracepoint' ? payloadField(payload) : []
    const own = { pid: sched.pid ?? pid, tid: sched.tid ?? tid }
    return traceEvent({
      type: sched.type,
      line,
      name,
      comm,
      pid: own.pid,
      tid: own.tid,
      cpu,
      ts,
      fields,
      life: sched.life,
    })
  }
  // Without call chains the sampled PC stands behind the event's name.
  const from = behindAccess(payload)
  const pc = type === 'sample' ? decodeFrame(payload.slice(from), 3) : undefined
  if (pc !== undefined) {
    const frame = rawFrame({ ...pc, column: (pc.column ?? 0) + from + length - payload.length })
    return traceEvent({ type, line, name, weight, comm, pid, tid, cpu, ts, frames: [frame], frameLines: [line] })
  }
  return traceEvent({ type, line, name, weight, comm, pid, tid, cpu, ts, fields: payloadField(payload) })
}

function payloadField(payload: string): TraceEvent['fields'] {
  return [['payload', asText(payload)]]
}

/** The fields that `perf mem` prints of an access: an address, its source as a number, and in words from here on. */
const ACCESS = '|OP '
/** Digits of a sampled PC behind an access, at least: it stands behind a number of cycles. */
const FEWEST_BEHIND_ACCESS = 6

/** Where the sampled PC stands in what a header says of its event: behind what `perf mem` says of the access, if it does. */
function behindAccess(payload: string): number {
  const access = payload.indexOf(ACCESS)
  if (access < 0) return 0
  for (let at = access; at < payload.length; ) {
    const start = behindSpaces(payload, at)
    const end = hexDigitsEnd(payload, start)
    if (end - start >= FEWEST_BEHIND_ACCESS && (end === payload.length || payload.charCodeAt(end) === SPACE))
      return start
    const next = payload.indexOf(' ', end)
    at = next < 0 ? payload.length : next
  }
  return payload.length
}

/** The event of a task, or of what was lost; undefined for records of other kinds. */
export function taskEvent({ who, ts, rest }: Head, line: number): TraceEvent | 'damaged' | undefined {
  const { comm, cpu } = who
  const task = TASK.exec(rest)
  if (task !== null) {
    const [pid = 0, tid = 0, parentPid = 0, parentTid = 0] = task.slice(2).map(Number)
    const name = `PERF_RECORD_${task[1]}`
    if (task[1] === 'FORK') {
      const life: Lifecycle = {
        byThread: true,
        told: 'recorder',
        childPid: pid,
        childTid: tid,
        childIsThread: pid !== tid,
        ppid: parentPid,
      }
      return traceEvent({ type: 'fork', line, name, comm, pid: parentPid, tid: parentTid, cpu, ts, life })
    }
    const life: Lifecycle = { byThread: true, told: 'recorder', ppid: parentPid }
    return traceEvent({ type: 'exit', line, name, comm, pid, tid, cpu, ts, life })
  }
  const lost = LOST.exec(rest)?.[1]
  if (lost !== undefined) {
    const life: Lifecycle = { byThread: true, lost: Number(lost) }
    return traceEvent({ type: 'lost', line, cpu, ts, life, fields: [['lost', lost]] })
  }
  const renamed = COMM.exec(rest)
  if (renamed === null) return /^PERF_RECORD_(?:FORK|EXIT|COMM)\b/.test(rest) ? 'damaged' : undefined
  const [, exec, newComm = '', group, thread] = renamed
  const life: Lifecycle = { byThread: true, told: 'recorder', comm: asText(newComm) }
  const type = exec === undefined ? 'rename' : 'exec'
  const own = { pid: Number(group), tid: Number(thread) }
  return traceEvent({ type, line, name: 'PERF_RECORD_COMM', comm, pid: own.pid, tid: own.tid, cpu, ts, life })
}
