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

const NEW_TASK = /^pid=(\d{1,10}) comm=.{0,64} clone_flags=([0-9a-f]{1,16}) oom_score_adj=-?\d{1,6}$/s
const RENAME = /^pid=(\d{1,10}) oldcomm=.{0,64} newcomm=(.{0,64}) oom_score_adj=-?\d{1,6}$/s
/** A thread that has exited leaves its CPU (EXIT_ZOMBIE, EXIT_DEAD). */
const LEFT = / prev_pid=\d{1,10} prev_prio=-?\d{1,10} prev_state=([ZX]) ==> next_comm=/
const FREE = /^comm=.{0,64} pid=(\d{1,10}) prio=-?\d{1,10}$/s

/**
 * An event of a process, as its line goes on behind its time, that breaks off before the number of the process: a name in it
 * holds a newline.
 */
export const TORN =
  /^[ \d]{0,24}(?:(?:sched:)?sched_process_(?:fork: (?!.* child_pid=\d)|exec: (?!.* old_pid=\d)|exit: (?!.* prio=-?\d))|(?:task:)?task_(?:newtask|rename): (?!.* oom_score_adj=-?\d)|PERF_RECORD_COMM(?: exec)?: (?!.*:\d+\/\d+$))/s
/** Lines that a name may tear a line into, and how long they may be: a comm has 15 bytes, a file's name 4096. */
const MOST_TORN = 16
const LONGEST_TORN = 4096

/** A torn line with the next one, which is its `joined`th; undefined where no name can have torn it so. */
export function joinTorn(torn: string, next: string, joined: number): string | undefined {
  return joined > MOST_TORN || next.length > LONGEST_TORN ? undefined : `${torn}\n${next}`
}

/** One of these tracepoints, decoded. */
export interface SchedEvent {
  readonly type: EventType
  /** The thread it is about, or that forks; undefined where that is who the line is of. */
  readonly tid: number | undefined
  /** The thread group, where the event itself tells: exec makes its thread the leader. */
  readonly pid: number | undefined
  readonly comm: string | undefined
  readonly life: Lifecycle
}

/**
 * Reads a payload by the name of its tracepoint, with or without its system; undefined if it is none of these. `told` is who tells
 * it. Written out member by member: V8 makes a new class for each object that others are spread into, and finds nothing in it.
 */
export function schedEvent(name: string, payload: string, told?: Lifecycle['told']): SchedEvent | undefined {
  const event = name.startsWith('sched:') ? name.slice(6) : name
  if (event === 'task_newtask' || event === 'task:task_newtask') {
    const [, pid, flags] = NEW_TASK.exec(payload) ?? []
    if (flags === undefined) return undefined
    // Only the lower 32 bits are flags of clone that matter here.
    const newTask = { tid: Number(pid), flags: Number.parseInt(flags.slice(-8), 16) }
    return {
      type: 'tracepoint',
      tid: undefined,
      pid: undefined,
      comm: undefined,
      life: { byThread: true, told, newTask },
    }
  }
  if (event === 'task_rename' || event === 'task:task_rename') {
    const [, pid, name] = RENAME.exec(payload) ?? []
    if (name === undefined) return undefined
    const life = { byThread: true, told, comm: asText(name) }
    return { type: 'rename', tid: Number(pid), pid: undefined, comm: undefined, life }
  }
  if (event === 'sched_switch') {
    const [, state] = LEFT.exec(payload) ?? []
    if (state === undefined) return undefined
    const left = state === 'Z' ? 'zombie' : 'gone'
    return { type: 'tracepoint', tid: undefined, pid: undefined, comm: undefined, life: { byThread: true, told, left } }
  }
  if (event === 'sched_process_free') {
    const [, pid] = FREE.exec(payload) ?? []
    if (pid === undefined) return undefined
    const life = { byThread: true, told, freed: Number(pid) }
    return { type: 'tracepoint', tid: undefined, pid: undefined, comm: undefined, life }
  }
  if (event === 'sched_process_fork') {
    const found = FORK.exec(payload)
    if (found === null) return undefined
    const [, comm = '', tid, childComm = '', child] = found
    const life = { byThread: true, told, comm: asText(comm), childComm: asText(childComm), childTid: Number(child) }
    return { type: 'fork', tid: Number(tid), pid: undefined, comm: asText(comm), life }
  }
  if (event === 'sched_process_exec') {
    const found = EXEC.exec(payload)
    if (found === null) return undefined
    const [, filename = '', pid, old] = found
    const life = { byThread: true, told, filename: asText(filename), oldPid: Number(old) }
    return { type: 'exec', tid: Number(pid), pid: Number(pid), comm: undefined, life }
  }
  if (event === 'sched_process_exit') {
    const found = EXIT.exec(payload)
    if (found === null) return undefined
    const [, comm = '', tid, dead] = found
    const life = {
      byThread: true,
      told,
      comm: asText(comm),
      groupDead: dead === undefined ? undefined : dead === 'true',
    }
    return { type: 'exit', tid: Number(tid), pid: undefined, comm: asText(comm), life }
  }
  return undefined
}
