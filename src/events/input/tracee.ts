// Tracee's JSON output: one object a line. Times and addresses are bare numbers beyond 2^53; stack addresses are of user
// space. `hostProcessId` is the number that the host knows the process by.

import { rawFrame } from '../../stacks/frame.ts'
import type { EventType, Lifecycle } from '../event.ts'
import { countLines, type InputFormat } from '../format.ts'
import { isObject, type Json, type JsonObject, smallInteger, stringOf, wholeNumber } from '../json.ts'
import { objectLines, type Reading } from './json-lines.ts'

const LIFE: Readonly<Record<string, EventType>> = {
  sched_process_fork: 'fork',
  sched_process_exec: 'exec',
  sched_process_exit: 'exit',
}

export const tracee: InputFormat = {
  name: 'tracee',
  what: 'tracee events (JSON lines)',
  kind: 'json',
  recognise: (lines) => 2 * countLines(lines, /^\s*\{.*"eventName"\s*:\s*"/),
  startsRecord: () => true,
  decoder: (sink, memo) => objectLines(sink, memo, readEvent),
}

function readEvent(object: JsonObject): Reading | string {
  const name = stringOf(object.eventName)
  if (name === undefined) return 'no event of tracee: eventName is missing'
  const addresses = Array.isArray(object.stackAddresses) ? object.stackAddresses.map(wholeNumber) : []
  if (addresses.includes(undefined)) return 'a stack address is no whole number'
  const type = LIFE[name] ?? 'tracepoint'
  return {
    type,
    name,
    pid: smallInteger(object.hostProcessId) ?? smallInteger(object.processId),
    tid: smallInteger(object.hostThreadId) ?? smallInteger(object.threadId),
    ts: wholeNumber(object.timestamp),
    cpu: smallInteger(object.processorId),
    comm: stringOf(object.processName),
    frames: addresses.map((address) => rawFrame({ address, user: true })),
    life: type === 'tracepoint' ? undefined : lifeOf(type, object),
  }
}

function lifeOf(type: EventType, object: JsonObject): Lifecycle {
  const args = argumentsOf(object.args)
  const number = (name: string) => smallInteger(args.get(name))
  const filename = stringOf(args.get('pathname')) ?? stringOf(args.get('cmdpath'))
  const argv = args.get('argv')
  const childPid = number('child_pid') ?? number('child_process_pid')
  const childTid = number('child_tid')
  const ppid = smallInteger(object.hostParentProcessId)
  const uid = smallInteger(object.userId)
  const exitCode = number('exit_code')
  const dead = args.get('process_group_exit')
  return {
    byThread: true,
    ...(ppid === undefined ? {} : { ppid }),
    ...(uid === undefined ? {} : { uid }),
    ...(type === 'exec' && filename !== undefined ? { filename } : {}),
    ...(type === 'exec' && Array.isArray(argv) ? { args: argv.slice(1).map(String).join(' ') } : {}),
    ...(childPid === undefined ? {} : { childPid }),
    ...(childTid === undefined ? {} : { childTid }),
    ...(childPid === undefined || childTid === undefined ? {} : { childIsThread: childPid !== childTid }),
    ...(exitCode === undefined ? {} : { exitCode }),
    ...(typeof dead === 'boolean' ? { groupDead: dead } : {}),
  }
}

/** Tracee's arguments: a list of `{name, type, value}`. */
function argumentsOf(list: Json | undefined): Map<string, Json> {
  const values = new Map<string, Json>()
  if (!Array.isArray(list)) return values
  for (const entry of list) {
    if (isObject(entry) && typeof entry.name === 'string' && entry.value !== undefined)
      values.set(entry.name, entry.value)
  }
  return values
}
