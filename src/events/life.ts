// What an event does to the process cache, and which process it belongs to after that. Events come in the order of their
// times, as far as they waited for each other.

import { setBounded } from '../core/bounded-map.ts'
import { type Birth, type Entry, MOST_THREADS, type ProcessCache } from '../processes/cache.ts'
import type { ProcessSnapshot } from '../processes/process.ts'
import type { EventType, Lifecycle } from './event.ts'

/** What of an event matters to processes. */
export interface ProcessEvent {
  readonly type: EventType
  readonly pid: number | undefined
  readonly tid: number | undefined
  readonly ts: bigint | undefined
  readonly comm: string | undefined
  readonly life: Lifecycle | undefined
}

/** An event's process. `type`, `pid` and `tid` are as they should be sent on. */
export interface Placed {
  readonly type: EventType | 'thread_fork' | 'thread_exit'
  readonly pid: number | undefined
  readonly tid: number | undefined
  readonly process: ProcessSnapshot | undefined
  readonly parent: ProcessSnapshot | undefined
  /** The cache's entry of the process; undefined where it is not known. */
  readonly entry: Entry | undefined
  readonly incomplete: readonly Missing[]
  readonly warnings: readonly Warning[]
}

/** What of an event's process could not be had. */
export type Missing = 'process' | 'parent'

/** Each is a counter too. */
export type Warning = 'tid_mismatch' | 'pid_reuse' | 'duplicate'

/** Takes from an event what it tells of threads, as soon as it is seen: a fork that waits may need it. */
export function learnFrom({ pid, tid, life }: ProcessEvent, evidence: Map<number, number>): void {
  const learn = (thread: number, group: number) => setBounded(evidence, thread, group, MOST_THREADS)
  if (life?.oldPid !== undefined && pid !== undefined && life.oldPid !== pid) learn(life.oldPid, pid)
  if (life !== undefined && !life.byThread) return
  if (pid !== undefined && tid !== undefined && pid !== tid && evidence.get(tid) !== pid) learn(tid, pid)
}

/** Applies an event to the cache. `evidence` says of threads what later events that have been seen know. */
export function place(event: ProcessEvent, cache: ProcessCache, evidence: Map<number, number>): Placed {
  const { tid, pid, ts } = event
  if (ts !== undefined) cache.advance(ts)
  if (tid !== undefined && pid !== undefined && tid !== pid && (event.life === undefined || event.life.byThread)) {
    cache.learnThread(tid, pid)
  }
  switch (event.type) {
    case 'fork':
      return fork(event, cache, evidence)
    case 'exec':
      return exec(event, cache)
    case 'exit':
      return exit(event, cache, evidence)
    case 'rename':
      return rename(event, cache)
    default:
      return probe(event, cache)
  }
}

/** The process of an event that says it of itself: its number and, where that differs, its thread. */
function own({ pid, tid, life }: ProcessEvent, cache: ProcessCache): number | undefined {
  if (pid !== undefined) return pid
  if (tid === undefined) return life?.childPid
  return cache.groupOf(tid)
}

function answer(
  event: ProcessEvent,
  cache: ProcessCache,
  entry: Entry | undefined,
  given: Partial<Placed> & { readonly unknown?: boolean },
): Placed {
  const pid = entry?.snapshot.pid ?? given.pid ?? event.pid
  const tid = given.tid ?? pid
  const process = entry === undefined || tid === undefined ? undefined : cache.snapshotFor(entry, tid)
  const parent = entry?.parent?.snapshot
  const incomplete: Missing[] = []
  if (entry === undefined) {
    incomplete.push('process')
    cache.counters.failures.process_info++
  } else if (parent === undefined && !isRoot(entry)) {
    incomplete.push('parent')
    cache.counters.failures.parent_info++
  }
  return {
    type: given.type ?? event.type,
    pid,
    tid,
    process: process ?? unknownProcess(pid, tid, event),
    parent,
    entry,
    incomplete,
    warnings: given.warnings ?? [],
  }
}

/** The processes above a process's parent. */
export interface Ancestry {
  /** Nearest first. */
  readonly ancestors: readonly ProcessSnapshot[]
  /** false if they break off before init or kthreadd: what is above was not seen to start, or is forgotten. */
  readonly whole: boolean
}

/** More than any shell nests; each event has them all. */
const MOST_ANCESTORS = 256

export function ancestorsOf(entry: Entry): Ancestry {
  const ancestors: ProcessSnapshot[] = []
  let last = entry
  for (let above = entry.parent; above !== undefined; above = above.parent) {
    if (ancestors.length === MOST_ANCESTORS) return { ancestors, whole: false }
    if (last !== entry) ancestors.push(above.snapshot)
    last = above
  }
  return { ancestors, whole: isRoot(last) }
}

/** The kernel itself, init and kthreadd have no parent to wait for. */
function isRoot(entry: Entry): boolean {
  return entry.snapshot.pid <= 2
}

/** What is said of a process that nothing is known of. */
function unknownProcess(pid: number | undefined, tid: number | undefined, { comm }: ProcessEvent) {
  if (pid === undefined) return undefined
  return {
    execId: '',
    pid,
    tid: tid ?? pid,
    comm,
    binary: undefined,
    args: undefined,
    uid: undefined,
    startTs: undefined,
    parentExecId: undefined,
    previousExecId: undefined,
    flags: 'unknown',
  }
}

/** Fork, exec and exit of a process carry TID = PID; what says otherwise is corrected and counted. */
function mismatch({ pid, tid, life }: ProcessEvent, cache: ProcessCache, event: 'exec' | 'clone' | 'exit'): Warning[] {
  if (life?.byThread !== false || tid === undefined || pid === undefined || tid === pid) return []
  cache.counters.mismatches[event]++
  return ['tid_mismatch']
}

function fork(event: ProcessEvent, cache: ProcessCache, evidence: Map<number, number>): Placed {
  const { life, ts } = event
  const child = life?.childPid ?? life?.childTid
  // Without a child of its own the event is the child's, as tetragon's clone is.
  const ofChild = child === undefined
  const parentPid = ofChild ? life?.ppid : own(event, cache)
  const childPid = ofChild ? event.pid : child
  const warnings = ofChild ? mismatch(event, cache, 'clone') : childMismatch(life, cache)
  const parent = parentPid === undefined ? undefined : cache.find(parentPid, ts)
  if (childPid === undefined) return answer(event, cache, undefined, { warnings })
  const childTid = life?.childTid ?? childPid
  const group = life?.childIsThread === true && life.childPid !== undefined ? life.childPid : evidence.get(childTid)
  const isThread = life?.childIsThread ?? (group !== undefined && group !== childTid)
  if (isThread) {
    cache.counters.threadForks++
    const pid = group !== undefined && group !== childTid ? group : parentPid
    if (pid !== undefined) cache.learnThread(childTid, pid)
    const entry = pid === undefined ? undefined : cache.find(pid, ts)
    return answer(event, cache, entry, { type: 'thread_fork', pid, tid: event.tid, warnings })
  }
  const birth: Birth = {
    pid: childPid,
    startTs: life?.startTs ?? ts,
    comm: life?.childComm,
    flags: 'clone',
    ...whoOf(life),
  }
  const { entry, known, reused } = cache.fork(
    birth,
    parent,
    life?.byThread === true && life.childIsThread === undefined,
  )
  const all: Warning[] = [
    ...warnings,
    ...(known ? ['duplicate' as const] : []),
    ...(reused ? ['pid_reuse' as const] : []),
  ]
  if (ofChild) return answer(event, cache, entry, { warnings: all })
  // The event is the forking process's: that is its process, and the child is in its own fields.
  return answer(event, cache, parent, { pid: parentPid, tid: parentPid, warnings: all })
}

function childMismatch(life: Lifecycle | undefined, cache: ProcessCache): Warning[] {
  if (life?.byThread !== false || life.childTid === undefined || life.childTid === life.childPid) return []
  if (life.childIsThread === true) return []
  cache.counters.mismatches.clone++
  return ['tid_mismatch']
}

function whoOf(life: Lifecycle | undefined): Partial<Birth> {
  if (life === undefined) return {}
  return {
    retold: life.byThread,
    ...(life.filename === undefined ? {} : { binary: life.filename }),
    ...(life.args === undefined ? {} : { args: life.args }),
    ...(life.uid === undefined ? {} : { uid: life.uid }),
  }
}

function exec(event: ProcessEvent, cache: ProcessCache): Placed {
  const { life, ts } = event
  const pid = own(event, cache)
  const warnings = mismatch(event, cache, 'exec')
  if (pid === undefined) return answer(event, cache, undefined, { warnings })
  const parent = life?.ppid === undefined ? undefined : cache.find(life.ppid, ts)
  if (life?.oldPid !== undefined && life.oldPid !== pid) {
    // The thread that called exec has taken the leader's number; its own is gone without an exit.
    cache.learnThread(life.oldPid, pid)
    cache.dropThread(life.oldPid, pid)
  }
  const comm = life?.comm ?? (life?.filename === undefined ? event.comm : commOf(life.filename))
  const birth: Birth = { pid, startTs: life?.startTs ?? ts, comm, flags: 'execve', ...whoOf(life) }
  const { entry, known } = cache.exec(birth, parent)
  return answer(event, cache, entry, { warnings: known ? [...warnings, 'duplicate'] : warnings })
}

/** What the kernel names a process after exec: the file's last part, cut to 15 bytes (TASK_COMM_LEN). */
function commOf(filename: string): string {
  const name = filename.slice(filename.lastIndexOf('/') + 1)
  return Buffer.byteLength(name) <= 15 ? name : Buffer.from(name).subarray(0, 15).toString('utf8')
}

function exit(event: ProcessEvent, cache: ProcessCache, evidence: Map<number, number>): Placed {
  const { life, tid, ts } = event
  const pid = own(event, cache)
  if (pid === undefined) return answer(event, cache, undefined, {})
  const entry = cache.find(pid, ts)
  if (life?.byThread === true && tid !== undefined) {
    evidence.delete(tid)
    const last = life.groupDead ?? isLast(entry, tid)
    if (!last) {
      cache.counters.threadExits++
      cache.dropThread(tid, pid)
      return answer(event, cache, entry, { type: 'thread_exit', pid, tid })
    }
  }
  const warnings = mismatch(event, cache, 'exit')
  const first = entry === undefined || cache.exit(entry)
  return answer(event, cache, entry, { pid, warnings: first ? warnings : [...warnings, 'duplicate'] })
}

/** Where the kernel does not say whether a thread was the last: whether no other is known to live. */
function isLast(entry: Entry | undefined, tid: number): boolean {
  if (entry === undefined) return true
  for (const other of entry.threads) if (other !== tid) return false
  return true
}

function rename(event: ProcessEvent, cache: ProcessCache): Placed {
  const { life, tid, ts } = event
  const pid = own(event, cache)
  const entry = pid === undefined ? undefined : cache.find(pid, ts)
  // Another thread's name is its own.
  if (entry !== undefined && life?.comm !== undefined && (tid === undefined || tid === pid))
    cache.rename(entry, life.comm)
  return answer(event, cache, entry, { pid, tid: tid ?? pid })
}

function probe(event: ProcessEvent, cache: ProcessCache): Placed {
  const pid = own(event, cache)
  const entry = pid === undefined ? undefined : cache.find(pid, event.ts)
  return answer(event, cache, entry, { pid, tid: event.tid ?? pid })
}
