// An event as the beginning of a line of JSON: the input's own members first and unchanged, then what was decoded.

import type { JsonRecord, TraceEvent } from '../event.ts'
import { withoutMembers } from '../json.ts'

/** The members of an event without braces, and without its stack. Times are decimal strings of nanoseconds. */
export function eventMembers(event: TraceEvent, type: string = event.type): string {
  const { record, name, pid, tid, ts, cpu, comm, weight, fields, life } = event
  if (record !== undefined) return recordMembers(record, event, type)
  let text = `"type":"${type}"`
  if (name !== undefined) text += `,"name":${JSON.stringify(name)}`
  if (pid !== undefined) text += `,"pid":${pid}`
  if (tid !== undefined) text += `,"tid":${tid}`
  if (ts !== undefined) text += `,"ts":"${ts}"`
  if (cpu !== undefined) text += `,"cpu":${cpu}`
  if (comm !== undefined) text += `,"comm":${JSON.stringify(comm)}`
  if (weight !== 1n) text += `,"weight":"${weight}"`
  for (const [key, value] of fields) text += `,${JSON.stringify(key)}:${JSON.stringify(value)}`
  if (life !== undefined) text += lifeMembers(event)
  return text
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

/** What enrichment adds, and what is therefore not taken over from an input that was enriched before. */
const ENRICHED = ['process', 'parent', 'kernel_stack', 'user_stack', 'generation', 'incomplete', 'warnings']

function recordMembers({ text, keys }: JsonRecord, { pid, tid, ts }: TraceEvent, type: string): string {
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
