// Tetragon's export: one JSON object a line with one member that names the event. 64-bit numbers are decimal strings, as
// protobuf's JSON writes them; addresses are there only with --expose-stack-addresses.

import type { Described } from '../../processes/entry.ts'
import type { RawFrame } from '../../stacks/frame.ts'
import type { EventType, Lifecycle } from '../event.ts'
import { countLines, type FrameMemo, type InputFormat } from '../format.ts'
import { isObject, type Json, type JsonObject, smallInteger, stringOf, wholeNumber } from '../json.ts'
import { objectLines, type Reading, rfc3339 } from './json-lines.ts'
import { frameOf } from './ndjson.ts'

const EVENTS: ReadonlyMap<string, EventType> = new Map([
  ['process_exec', 'exec'],
  ['process_exit', 'exit'],
  ['process_kprobe', 'kprobe'],
  ['process_tracepoint', 'tracepoint'],
  ['process_uprobe', 'uprobe'],
  ['process_lsm', 'kprobe'],
  ['process_loader', 'tracepoint'],
  ['process_usdt', 'uprobe'],
  ['process_throttle', 'tracepoint'],
  // What the exporter's rate limit kept back.
  ['rate_limit_info', 'lost'],
  ['test', 'tracepoint'],
])

export const tetragon: InputFormat = {
  name: 'tetragon',
  what: 'tetragon export (JSON lines), with or without stack addresses',
  kind: 'json',
  recognise: (lines) =>
    2 * countLines(lines, /^\s*\{.*"process_(?:exec|exit|kprobe|tracepoint|uprobe|lsm|loader|usdt|throttle)"\s*:\s*\{/),
  startsRecord: 'every line',
  decoder: (sink, memo) => objectLines(sink, memo, readEvent),
}

function readEvent(object: JsonObject, memo: FrameMemo): Reading | string {
  const member = Object.keys(object).find((key) => EVENTS.has(key))
  const event = member === undefined ? undefined : object[member]
  if (member === undefined || !isObject(event)) return 'no event of tetragon that kerndex knows'
  const process = isObject(event.process) ? event.process : {}
  const parent = isObject(event.parent) ? event.parent : {}
  const pid = smallInteger(process.pid)
  const time = stringOf(object.time)
  // Before 1.1 there was one stack, `stack_trace`, and it was the kernel's.
  const kernel = framesOf(event.kernel_stack_trace ?? event.stack_trace, memo, false)
  const user = framesOf(event.user_stack_trace, memo, true)
  const frames = kernel && user && [...kernel, ...user]
  if (frames === undefined) return 'a frame of the stack has neither address nor symbol'
  const type = EVENTS.get(member) ?? 'tracepoint'
  return {
    type,
    name: nameOf(event),
    pid,
    tid: smallInteger(process.tid) ?? pid,
    ts: time === undefined ? undefined : rfc3339(time),
    comm: stringOf(process.binary)?.split('/').at(-1),
    frames,
    life: lifeOf(type, event, process, parent),
  }
}

/** Most processes above one that are taken over. */
const MOST_ABOVE = 256

/** A process as tetragon describes it with each event; undefined where it gives no name for it. */
function imageOf(process: Json | undefined): Described | undefined {
  if (!isObject(process)) return undefined
  const execId = stringOf(process.exec_id)
  const pid = smallInteger(process.pid)
  if (execId === undefined || execId === '' || pid === undefined) return undefined
  const start = stringOf(process.start_time)
  const binary = stringOf(process.binary)
  const args = stringOf(process.arguments)
  return {
    ...{ execId, pid, binary, uid: smallInteger(process.uid), parentExecId: stringOf(process.parent_exec_id) },
    startTs: start === undefined ? undefined : rfc3339(start),
    comm: binary?.split('/').at(-1),
    args: args === '' ? undefined : args,
    flags: stringOf(process.flags) ?? '',
  }
}

/** Its parent, and what is above that (`--enable-ancestors`), as far as each is the next one's parent. */
function aboveOf(event: JsonObject, image: Described): Described[] {
  const given = [event.parent, ...(Array.isArray(event.ancestors) ? event.ancestors.slice(0, MOST_ABOVE) : [])]
  const above: Described[] = []
  for (const one of given) {
    const next = imageOf(one)
    const below = above.at(-1) ?? image
    if (next === undefined || (below.parentExecId !== undefined && below.parentExecId !== next.execId)) break
    above.push(next)
  }
  return above
}

function nameOf(event: JsonObject): string | undefined {
  const { subsys, event: name } = event
  if (typeof subsys === 'string' && typeof name === 'string') return `${subsys}:${name}`
  return stringOf(event.function_name) ?? stringOf(event.symbol)
}

function framesOf(stack: Json | undefined, memo: FrameMemo, user: boolean): RawFrame[] | undefined {
  if (!Array.isArray(stack)) return []
  const frames: RawFrame[] = []
  for (const entry of stack) {
    // Protobuf leaves zeros out: an entry without an offset has the offset 0.
    const given = isObject(entry) && entry.symbol !== undefined ? { offset: 0, ...entry } : entry
    const frame = frameOf(given, memo, { user })
    if (frame === undefined) return undefined
    frames.push(frame)
  }
  return frames
}

function lifeOf(type: EventType, event: JsonObject, process: JsonObject, parent: JsonObject): Lifecycle | undefined {
  if (type === 'lost')
    return { byThread: false, lost: Number(wholeNumber(event.number_of_dropped_process_events) ?? 0) }
  const image = imageOf(process)
  const above = image && aboveOf(event, image)
  if (type !== 'exec' && type !== 'exit') return image && { byThread: false, image, above }
  const exit = type === 'exit'
  const start = stringOf(process.start_time)
  return {
    byThread: false,
    image,
    above,
    ppid: smallInteger(parent.pid),
    filename: exit ? undefined : stringOf(process.binary),
    args: exit ? undefined : stringOf(process.arguments),
    uid: smallInteger(process.uid),
    startTs: start === undefined ? undefined : rfc3339(start),
    // A status of 0 is left out; beside a signal there is none.
    exitCode: exit && event.signal === undefined ? (smallInteger(event.status) ?? 0) : undefined,
    groupDead: exit ? true : undefined,
  }
}
