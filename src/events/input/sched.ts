// The payload of the kernel's sched_process_* tracepoints, as ftrace and perf print it. They speak of threads: `pid` is
// the number of the thread that forks or exits (include/trace/events/sched.h).

import type { EventType, Lifecycle } from '../event.ts'
import { asText } from '../format.ts'

/**
 * Names may hold blanks and `=`: what stands last is meant. They are short (TASK_COMM_LEN is 16), which bounds the ways to
 * read a line.
 */
const FORK = /^comm=(.{0,64}) pid=(\d{1,10}) child_comm=(.{0,64}) child_pid=(\d{1,10})$/s
const EXEC = /^filename=(.*) pid=(\d{1,10}) old_pid=(\d{1,10})$/s
/** `group_dead` came with 6.16 or so. */
const EXIT = /^comm=(.{0,64}) pid=(\d{1,10}) prio=-?\d{1,10}(?: group_dead=(true|false))?$/s

/** What one of these tracepoints says. */
export interface SchedEvent {
  readonly type: EventType
  /** The thread it is about, or that forks. */
  readonly tid: number
  /** The thread group, where the event itself tells: exec makes its thread the leader. */
  readonly pid: number | undefined
  readonly comm: string | undefined
  readonly life: Lifecycle
}

/** Reads a payload by the name of its tracepoint, with or without `sched:`; undefined if it is none of the three. */
export function schedEvent(name: string, payload: string): SchedEvent | undefined {
  const event = name.startsWith('sched:') ? name.slice(6) : name
  if (event === 'sched_process_fork') {
    const found = FORK.exec(payload)
    if (found === null) return undefined
    const [, comm = '', tid, childComm = '', child] = found
    const life = { byThread: true, comm: asText(comm), childComm: asText(childComm), childTid: Number(child) }
    return { type: 'fork', tid: Number(tid), pid: undefined, comm: asText(comm), life }
  }
  if (event === 'sched_process_exec') {
    const found = EXEC.exec(payload)
    if (found === null) return undefined
    const [, filename = '', pid, old] = found
    const life = { byThread: true, filename: asText(filename), oldPid: Number(old) }
    return { type: 'exec', tid: Number(pid), pid: Number(pid), comm: undefined, life }
  }
  if (event === 'sched_process_exit') {
    const found = EXIT.exec(payload)
    if (found === null) return undefined
    const [, comm = '', tid, dead] = found
    const life = { byThread: true, comm: asText(comm), ...(dead === undefined ? {} : { groupDead: dead === 'true' }) }
    return { type: 'exit', tid: Number(tid), pid: undefined, comm: asText(comm), life }
  }
  return undefined
}
