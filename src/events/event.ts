// The event that every input format is decoded into, with the process it names, its time, its weight and its stack.

import type { Described } from '../processes/entry.ts'
import type { RawFrame, StackShape } from '../stacks/frame.ts'

/** Kinds of events. What a format calls otherwise is a `tracepoint`, `kprobe`, … of that name. */
export type EventType =
  | 'fork'
  | 'exec'
  | 'exit'
  | 'rename'
  | 'kprobe'
  | 'kretprobe'
  | 'tracepoint'
  | 'uprobe'
  | 'sample'
  | 'stack'
  | 'module_load'
  | 'module_free'
  | 'lost'

/** The facts of a process's life that an event tells. Only those that the format gives are set. */
export interface Lifecycle {
  /** The event speaks of threads, as the kernel's sched tracepoints and perf do: `pid` may be any thread's number. */
  readonly byThread: boolean
  /** The teller, where a recording may hold a fact twice: the recorder's own events, or the kernel's tracepoints. */
  readonly told?: 'recorder' | 'tracepoint' | undefined
  /** A task that was made, and the flags of its clone call; its fork is told by another event. */
  readonly newTask?: { readonly tid: number; readonly flags: number } | undefined
  /** The number of a thread that the kernel has no memory of any more. */
  readonly freed?: number | undefined
  /** A thread that has exited leaves its CPU for good: as a zombie that its parent asks for, which threads leave none of, or gone already. */
  readonly left?: 'zombie' | 'gone' | undefined
  /** Events that the recorder had no room for, before this. */
  readonly lost?: number | undefined
  /** The image that the event belongs to, as a stream that keeps processes itself describes it, and those above it, its parent first. */
  readonly image?: Described | undefined
  readonly above?: readonly Described[] | undefined
  readonly ppid?: number | undefined
  /** The forked process or thread. */
  readonly childPid?: number | undefined
  readonly childTid?: number | undefined
  /** true or false where the format tells whether a fork made a thread. */
  readonly childIsThread?: boolean | undefined
  readonly childComm?: string | undefined
  readonly comm?: string | undefined
  readonly filename?: string | undefined
  readonly args?: string | undefined
  readonly uid?: number | undefined
  readonly exitCode?: number | undefined
  /** Nanoseconds. */
  readonly startTs?: bigint | undefined
  /** The thread that called exec, where it was not the leader. */
  readonly oldPid?: number | undefined
  /** Whether this exit was the last of its thread group; undefined on kernels that do not say. */
  readonly groupDead?: boolean | undefined
}

/** The fields of an event that matter to processes. */
export interface ProcessEvent {
  readonly type: EventType
  readonly pid: number | undefined
  readonly pidIsHint?: boolean
  readonly tid: number | undefined
  readonly ts: bigint | undefined
  readonly cpu?: number | undefined
  readonly comm: string | undefined
  readonly life: Lifecycle | undefined
}

/** A JSON object of the input: its text, and the names of its outermost members. */
export interface JsonRecord {
  readonly text: string
  readonly keys: readonly string[]
}

/** A decoded event. Text is as in the input; numbers of 64 bits are bigints. */
export interface TraceEvent {
  readonly type: EventType
  /** Its type is none of those, and it is passed on as a `tracepoint` of that name. */
  readonly strange: boolean
  /** The format's own name for it: `cpu-clock`, `sched:sched_switch`, a function; undefined where there is none. */
  readonly name: string | undefined
  /** Thread group, where the format knows it. */
  readonly pid: number | undefined
  /** `pid` is what the recorder knew of the thread when the trace was read, perhaps of a later user of its number. */
  readonly pidIsHint: boolean
  readonly tid: number | undefined
  /** Nanoseconds on the format's clock. */
  readonly ts: bigint | undefined
  /** How many equal events it stands for: more than 1 where they were merged before. */
  readonly count: number
  /** The time of the last of them, where there are several. */
  readonly lastTs: bigint | undefined
  readonly cpu: number | undefined
  readonly comm: string | undefined
  /** The weight of the stack in a profile: a period, a count of hits, or 1; for merged events the sum. */
  readonly weight: bigint
  /** The unit of the weight, where the format says it: `nanoseconds`, `bytes`, or a word of its own. */
  readonly unit: string | undefined
  readonly frames: readonly RawFrame[]
  /** For each frame the number of its line in the stretch, from 0; empty where frames have no lines of their own. */
  readonly frameLines: readonly number[]
  readonly shape: StackShape
  /** The number of its first line in the stretch, from 0. */
  readonly line: number
  readonly life: Lifecycle | undefined
  /** Anything else that the format gives, as it stands there. */
  readonly fields: readonly (readonly [key: string, value: string])[]
  /** The JSON object that it was, if it was one: it is passed on unchanged. */
  readonly record: JsonRecord | undefined
}

/** An event with everything not given left open. */
export function traceEvent(given: Partial<TraceEvent> & Pick<TraceEvent, 'type' | 'line'>): TraceEvent {
  return {
    type: given.type,
    strange: given.strange ?? false,
    name: given.name,
    pid: given.pid,
    pidIsHint: given.pidIsHint ?? false,
    tid: given.tid,
    ts: given.ts,
    count: given.count ?? 1,
    lastTs: given.lastTs,
    cpu: given.cpu,
    comm: given.comm,
    weight: given.weight ?? 1n,
    unit: given.unit,
    frames: given.frames ?? [],
    frameLines: given.frameLines ?? [],
    shape: given.shape ?? 'pc-first',
    line: given.line,
    life: given.life,
    fields: given.fields ?? [],
    record: given.record,
  }
}

/**
 * The name of what an event measures, which keeps its stack apart from those of others. Stacks that were printed for their own sake, and those that a
 * tracer prints behind what happened, of which all are return addresses, measure nothing: their names say of which kind they are.
 */
export function measureOf({ type, name, shape }: TraceEvent): string | undefined {
  return type === 'stack' || shape === 'returns' ? undefined : name
}

/**
 * The facts of two tellings of one fork, exec or exit together: those of the later one, where both have one. Written out, as V8 makes a new class
 * for each object that others are spread into, and every later look into such an object is a search.
 */
export function together(first: Lifecycle, later: Lifecycle): Lifecycle {
  return {
    byThread: later.byThread,
    told: later.told,
    ppid: later.ppid ?? first.ppid,
    childPid: later.childPid ?? first.childPid,
    childTid: later.childTid ?? first.childTid,
    childIsThread: later.childIsThread ?? first.childIsThread,
    childComm: later.childComm ?? first.childComm,
    comm: later.comm ?? first.comm,
    filename: later.filename ?? first.filename,
    args: later.args ?? first.args,
    uid: later.uid ?? first.uid,
    exitCode: later.exitCode ?? first.exitCode,
    startTs: later.startTs ?? first.startTs,
    oldPid: later.oldPid ?? first.oldPid,
    groupDead: later.groupDead ?? first.groupDead,
  }
}
