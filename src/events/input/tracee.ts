// Tracee's JSON output: one object a line. Up to 0.23 its members are flat, times and addresses bare numbers beyond 2^53,
// and arguments `{name, type, value}`; later ones follow its protobuf `v1beta1.Event`, with the process under `workload`
// and arguments under `data`, in either way that Go writes protobuf as JSON. Stacks are of user space.

import { type RawFrame, rawFrame } from '../../stacks/frame.ts'
import type { EventType, Lifecycle } from '../event.ts'
import { countLines, type InputFormat } from '../format.ts'
import { isObject, type Json, type JsonObject, smallInteger, stringOf, wholeNumber } from '../json.ts'
import { objectLines, type Reading, rfc3339 } from './json-lines.ts'

const LIFE: ReadonlyMap<string, EventType> = new Map([
  ['sched_process_fork', 'fork'],
  ['sched_process_exec', 'exec'],
  ['sched_process_exit', 'exit'],
])

export const tracee: InputFormat = {
  name: 'tracee',
  what: 'tracee events (JSON lines), flat or as v1beta1',
  kind: 'json',
  recognise: (lines) =>
    2 * countLines(lines, /^\s*\{.*"eventName"\s*:\s*"/) +
    2 *
      countLines(
        lines.filter((line) => /"name"\s*:\s*"/.test(line)),
        /^\s*\{.*"workload"\s*:\s*\{/,
      ),
  startsRecord: 'every line',
  decoder: (sink, memo) => objectLines(sink, memo, (object) => (isObject(object.workload) ? nested : flat)(object)),
}

function flat(object: JsonObject): Reading | string {
  const name = stringOf(object.eventName)
  if (name === undefined) return 'no event of tracee: neither eventName nor workload'
  const addresses = Array.isArray(object.stackAddresses) ? object.stackAddresses.map(wholeNumber) : []
  if (addresses.includes(undefined)) return 'a stack address is no whole number'
  return {
    ...kindOf(name, argumentsOf(object.args), {
      ppid: smallInteger(object.hostParentProcessId) ?? smallInteger(object.parentProcessId),
      uid: smallInteger(object.userId),
    }),
    // The numbers that the host knows them by, not those inside of a container.
    pid: smallInteger(object.hostProcessId) ?? smallInteger(object.processId),
    tid: smallInteger(object.hostThreadId) ?? smallInteger(object.threadId),
    ts: wholeNumber(object.timestamp),
    cpu: smallInteger(object.processorId),
    comm: stringOf(object.processName),
    frames: addresses.map((address) => rawFrame({ address, user: true })),
  }
}

function nested(object: JsonObject): Reading | string {
  const name = stringOf(object.name)
  if (name === undefined) return 'no event of tracee: name is missing'
  const process = member(object.workload, 'process')
  const thread = member(process, 'thread')
  const ancestors = member(process, 'ancestors')
  const parent = Array.isArray(ancestors) ? ancestors[0] : undefined
  const frames = userStack(member(member(thread, 'user_stack_trace'), 'addresses'))
  if (frames === undefined) return 'a stack address is no whole number'
  return {
    ...kindOf(name, argumentsOf(object.data), {
      ppid: number(parent, 'host_pid') ?? number(parent, 'pid'),
      uid: number(member(process, 'real_user'), 'id'),
    }),
    pid: number(process, 'host_pid') ?? number(process, 'pid'),
    tid: number(thread, 'host_tid') ?? number(thread, 'tid'),
    ts: timeOf(object.timestamp),
    comm: stringOf(member(thread, 'name')),
    frames,
  }
}

/** A member of an object under its name in the protobuf, or under that in camel case. */
function member(object: Json | undefined, name: string): Json | undefined {
  if (!isObject(object)) return undefined
  return object[name] ?? object[name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())]
}

/** A number, bare or wrapped as `{value}`. */
function number(object: Json | undefined, name: string): number | undefined {
  const value = member(object, name)
  return smallInteger(isObject(value) ? value.value : value)
}

/** RFC 3339, or `{seconds, nanos}`. */
function timeOf(timestamp: Json | undefined): bigint | undefined {
  if (typeof timestamp === 'string') return rfc3339(timestamp)
  if (!isObject(timestamp)) return undefined
  const seconds = wholeNumber(timestamp.seconds)
  return seconds === undefined ? undefined : seconds * 1_000_000_000n + (wholeNumber(timestamp.nanos) ?? 0n)
}

function userStack(addresses: Json | undefined): RawFrame[] | undefined {
  const frames: RawFrame[] = []
  for (const entry of Array.isArray(addresses) ? addresses : []) {
    const address = isObject(entry) ? wholeNumber(entry.address) : undefined
    if (!isObject(entry) || address === undefined) return undefined
    const name = stringOf(entry.symbol)
    frames.push(rawFrame({ address, name: name === '' ? undefined : name, user: true }))
  }
  return frames
}

/** The type of an event, and what it tells of its process's life. */
function kindOf(
  name: string,
  args: Map<string, Json>,
  { ppid, uid }: { readonly ppid: number | undefined; readonly uid: number | undefined },
): Pick<Reading, 'type' | 'name' | 'life'> {
  const type = LIFE.get(name)
  if (type === undefined) return { type: 'tracepoint', name, life: undefined }
  const whole = (argument: string) => smallInteger(args.get(argument))
  const exec = type === 'exec'
  const argv = args.get('argv')
  const childPid = whole('child_pid') ?? whole('child_process_pid')
  const childTid = whole('child_tid')
  const dead = args.get('process_group_exit')
  const life: Lifecycle = {
    byThread: true,
    ppid,
    uid,
    filename: exec ? (stringOf(args.get('pathname')) ?? stringOf(args.get('cmdpath'))) : undefined,
    args: exec && Array.isArray(argv) ? argv.slice(1).map(String).join(' ') : undefined,
    childPid,
    childTid,
    childIsThread: childPid === undefined || childTid === undefined ? undefined : childPid !== childTid,
    exitCode: whole('exit_code'),
    groupDead: typeof dead === 'boolean' ? dead : undefined,
  }
  return { type, name, life }
}

/** Arguments by name: `{name, type, value}`, or `{name, KIND: value}` where lists are wrapped once more. */
function argumentsOf(list: Json | undefined): Map<string, Json> {
  const values = new Map<string, Json>()
  for (const entry of Array.isArray(list) ? list : []) {
    if (!isObject(entry) || typeof entry.name !== 'string') continue
    const value = entry.value ?? Object.entries(entry).find(([key]) => key !== 'name' && key !== 'type')?.[1]
    if (value !== undefined) values.set(entry.name, isObject(value) && value.value !== undefined ? value.value : value)
  }
  return values
}
