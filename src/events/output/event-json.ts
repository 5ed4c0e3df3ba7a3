// An event as the beginning of a line of JSON: the input's own members first and unchanged, then what was decoded.

import type { JsonRecord, TraceEvent } from '../event.ts'
import { withoutMembers } from '../json.ts'

/** The members that come first: the event's type, process and time. */
export function leadMembers(type: string, pid: number | undefined, tid: number | undefined): string {
  let text = `"type":"${type}"`
  if (pid !== undefined) text += `,"pid":${pid}`
  if (tid !== undefined) text += `,"tid":${tid}`
  return text
}

/** The members of an event, without braces and without its stack. Times are decimal strings of nanoseconds. */
export function eventMembers(event: TraceEvent): string {
  if (event.record !== undefined) return recordMembers(event.record, event)
  return leadMembers(event.type, event.pid, event.tid) + decodedMembers(event)
}

/** The members that say which event it is and no more. */
export function bareMembers(event: TraceEvent): string {
  return leadMembers(event.type, event.pid, event.tid) + timeMember(event)
}

/** The time of an event, with a comma in front, or nothing. */
export function timeMember({ ts }: TraceEvent): string {
  return ts === undefined ? '' : `,"ts":"${ts}"`
}

/** The members behind the leading ones, of an event that was no JSON; each begins with a comma. */
export function decodedMembers(event: TraceEvent): string {
  const { name, cpu, comm, weight, fields, life } = event
  let text = ''
  if (name !== undefined) text += `,"name":${JSON.stringify(name)}`
  text += timeMember(event)
  if (cpu !== undefined) text += `,"cpu":${cpu}`
  if (comm !== undefined) text += `,"comm":${JSON.stringify(comm)}`
  if (weight !== 1n) text += `,"weight":"${weight}"`
  for (const [key, value] of fields) text += `,${JSON.stringify(key)}:${JSON.stringify(value)}`
  if (life !== undefined) text += lifeMembers(event)
  return text
}

/** The members of a record with other leading ones than it came with. */
export function correctedMembers(
  members: string,
  type: string,
  pid: number | undefined,
  tid: number | undefined,
): string {
  const rest = withoutMembers(`{${members}}`, ['type', 'pid', 'tid']).slice(1, -1)
  return `${leadMembers(type, pid, tid)}${rest === '' ? '' : `,${rest}`}`
}

function lifeMembers({ life, comm }: TraceEvent): string {
  if (life === undefined) return ''
  let text = ''
  const add = (key: string, value: string | number | boolean | bigint | undefined) => {
    if (value === undefined) return
    text += `,"${key}":${typeof value === 'bigint' ? `"${value}"` : JSON.stringify(value)}`
  }
  if (comm === undefined) add('comm', life.comm)
  add('ppid', life.ppid)
  add('child_pid', life.childPid)
  add('child_tid', life.childTid)
  add('child_comm', life.childComm)
  add('filename', life.filename)
  add('args', life.args)
  add('uid', life.uid)
  add('exit_code', life.exitCode)
  add('start_ts', life.startTs)
  add('old_pid', life.oldPid)
  add('group_dead', life.groupDead)
  return text
}

/** Members that enrichment adds, and that are therefore not taken over from an input that was enriched before. */
const ENRICHED = ['process', 'parent', 'kernel_stack', 'user_stack', 'shape', 'generation', 'incomplete', 'warnings']

function recordMembers({ text, keys }: JsonRecord, { type, pid, tid, ts }: TraceEvent): string {
  const again = keys.some((key) => ENRICHED.includes(key))
  let members = (again ? withoutMembers(text, ENRICHED) : text).trim().slice(1, -1).trim()
  const add = (key: string, value: string | undefined) => {
    if (value === undefined || keys.includes(key)) return
    members += `${members === '' ? '' : ','}"${key}":${value}`
  }
  add('type', `"${type}"`)
  add('pid', pid === undefined ? undefined : String(pid))
  add('tid', tid === undefined ? undefined : String(tid))
  add('ts', ts === undefined ? undefined : `"${ts}"`)
  return members
}
