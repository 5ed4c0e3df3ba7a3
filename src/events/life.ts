// The effect of an event on the process cache, and the process that it belongs to after that. Events come in the order of their
// times, as far as they waited for each other, and with what those behind them say of their children.

import { flag, like } from '../core/arguments.ts'
import { type ProcessCache, processCache } from '../processes/cache.ts'
import type { Birth, Described, Entry } from '../processes/entry.ts'
import type { ProcessSnapshot } from '../processes/process.ts'
import type { Child } from './child.ts'
import type { EventType, Lifecycle, ProcessEvent, TraceEvent } from './event.ts'

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

/**
 * What of an event's process could not be had. `thread_group`: nothing says whether a fork made a thread; `lost_events`:
 * events were lost since this image or its parent's began, so that either may be another by now; `clock_set`: the clock was set
 * back since then, and another recording may have begun.
 */
export type Missing = 'process' | 'parent' | 'thread_group' | 'lost_events' | 'clock_set'

/** Each is a counter too. */
export type Warning = 'tid_mismatch' | 'pid_reuse' | 'duplicate'

/** Threads that the kernel makes for a task's io_uring are forked without an event, and named after the task. */
const RING = /^iou-(?:wrk|sqp)-(\d{1,7})$/
const EVENT = like<TraceEvent>({ strange: flag }, 'an event, as readEvents gives it')

/**
 * Applies an event to a cache of processes, and says whose it is. Events are to come in the order of their times; a stream that
 * waits for those that are late is an `Enricher`.
 * @throws UsageError where it is given anything else
 */
export function placeEvent(event: TraceEvent, cache: ProcessCache): Omit<Placed, 'entry'> {
  return place(EVENT(event, 'event'), processCache(cache, 'cache'))
}

/** Applies an event to the cache. `child` is what is known of what a fork made. */
export function place(event: ProcessEvent, cache: ProcessCache, child?: Child): Placed {
  const { tid, pid, ts, type, life } = event
  if (ts !== undefined) cache.advance(ts)
  if (type === 'lost') {
    cache.lose(ts, life?.lost ?? 0)
    return { type, pid, tid, process: undefined, parent: undefined, entry: undefined, incomplete: [], warnings: [] }
  }
  if (life?.image !== undefined) return described(event, cache, life.image, life.above ?? [])
  if (tid !== undefined && pid !== undefined && tid !== pid && (life === undefined || life.byThread)) {
    // What events told of a thread is right; what was read with the trace may be of a later user of its number.
    if (event.pidIsHint !== true || !cache.isSettled(tid)) cache.learnThread(tid, pid)
  }
  const ring = life?.byThread === true && tid !== undefined && !cache.isSettled(tid) ? RING.exec(life.comm ?? '') : null
  if (ring !== null && tid !== undefined) cache.learnThread(tid, cache.groupOf(Number(ring[1])))
  switch (type) {
    case 'fork':
      return fork(event, cache, child)
    case 'exec':
      return exec(event, cache)
    case 'exit':
      return exit(event, cache)
    case 'rename':
      return rename(event, cache)
    default:
      if (life?.freed !== undefined) free(life.freed, cache, event.ts)
      return probe(event, cache)
  }
}

/** An event of a stream that keeps processes itself: its names of them are kept, and it says what it knows with each event. */
function described(event: ProcessEvent, cache: ProcessCache, image: Described, above: readonly Described[]): Placed {
  const { type, tid, ts } = event
  const { pid } = image
  const isNew = !cache.knowsImage(image.execId)
  const entry = cache.describe(image, above)
  if (type === 'exec') {
    const again = !isNew && entry.told === true
    if (again) cache.counters.duplicates.exec++
    entry.told = true
    const warnings = mismatch(event, cache, 'exec')
    return answer(event, cache, entry, { pid, tid: pid, warnings: again ? [...warnings, 'duplicate'] : warnings })
  }
  if (type === 'exit') {
    const warnings = mismatch(event, cache, 'exit')
    const first = cache.exit(entry, ts)
    return answer(event, cache, entry, { pid, tid: pid, warnings: first ? warnings : [...warnings, 'duplicate'] })
  }
  if (tid !== undefined && tid !== pid) cache.learnThread(tid, pid)
  return answer(event, cache, entry, { pid, tid: tid ?? pid })
}

/** The process of an event that says it of itself: its number and, where that differs, its thread. */
function own({ pid, tid, life, pidIsHint }: ProcessEvent, cache: ProcessCache): number | undefined {
  if (pid !== undefined && (pidIsHint !== true || tid === undefined)) return pid
  if (tid === undefined) return life?.childPid
  return cache.knownGroup(tid) ?? pid ?? cache.groupOf(tid)
}

function answer(event: ProcessEvent, cache: ProcessCache, entry: Entry | undefined, given: Partial<Placed>): Placed {
  const pid = entry?.snapshot.pid ?? given.pid ?? event.pid
  const tid = given.tid ?? pid
  const process = entry === undefined || tid === undefined ? undefined : cache.snapshotFor(entry, tid, event.ts)
  const parent =
    entry?.parent?.snapshot ?? (entry?.ppid === undefined ? undefined : unknownProcess(entry.ppid, entry.ppid))
  const incomplete: Missing[] = [...(given.incomplete ?? [])]
  if (entry === undefined) {
    // The idle threads have no process, and are not missed.
    if (pid !== 0) {
      incomplete.push('process')
      cache.counters.failures.process_info++
    }
  } else {
    if (entry.parent === undefined && !isRoot(entry)) {
      incomplete.push('parent')
      cache.counters.failures.parent_info++
    }
    // Of a parent that may be a thread, the parent may be another process.
    if (
      (entry.guessed || entry.parentGuessed || entry.parent?.guessed === true) &&
      !incomplete.includes('thread_group')
    )
      incomplete.push('thread_group')
    // An event that describes its process and parent itself is right whatever was lost before.
    if (event.life?.image === undefined) {
      const { parent } = entry
      if (cache.mayBeStale(entry) || (parent !== undefined && cache.mayBeStale(parent))) incomplete.push('lost_events')
      if (cache.isOfOldClock(entry) || (parent !== undefined && cache.isOfOldClock(parent)))
        incomplete.push('clock_set')
    }
  }
  if (event.tid !== undefined && cache.isGuessedThread(event.tid, event.ts) && !incomplete.includes('thread_group'))
    incomplete.push('thread_group')
  return {
    type: given.type ?? event.type,
    pid,
    tid,
    process: process ?? (pid === undefined ? undefined : unknownProcess(pid, tid ?? pid, event.comm)),
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

/** The answer for a process of which nothing is known. */
function unknownProcess(pid: number, tid: number, comm?: string): ProcessSnapshot {
  return {
    execId: '',
    pid,
    tid,
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

function fork(event: ProcessEvent, cache: ProcessCache, told: Child | undefined): Placed {
  const { life, ts } = event
  const child = life?.childPid ?? life?.childTid
  // Without a child of its own the event is the child's, as tetragon's clone is.
  const ofChild = child === undefined
  const forkerPid = ofChild ? life?.ppid : own(event, cache)
  const childPid = ofChild ? event.pid : child
  const warnings = ofChild ? mismatch(event, cache, 'clone') : childMismatch(life, cache)
  const forker = forkerPid === undefined ? undefined : cache.find(forkerPid, ts)
  if (childPid === undefined) return answer(event, cache, undefined, { warnings })
  const childTid = life?.childTid ?? childPid
  if (told?.isThread ?? life?.childIsThread ?? false) {
    cache.counters.threadForks++
    const pid = told?.group ?? (life?.childPid === childTid ? undefined : life?.childPid) ?? forkerPid
    if (pid !== undefined) cache.learnThread(childTid, pid, ts, life?.childComm, told?.guessed)
    if (told?.guessed === true) cache.counters.guessedForks++
    const incomplete: Missing[] = told?.guessed === true ? ['thread_group'] : []
    const entry = pid === undefined ? undefined : cache.find(pid, ts)
    return answer(event, cache, entry, { type: 'thread_fork', pid, tid: event.tid, warnings, incomplete })
  }
  // The real parent is what the forker's parent is by then.
  const above = told?.parentsChild === true ? forker?.parent : undefined
  const parent = told?.parentsChild === true ? above && cache.becameBy(above, ts) : forker
  const ppid = told?.parentsChild === true ? forker?.ppid : forkerPid
  const guessed = told?.guessed ?? (life?.byThread === true && life.childIsThread === undefined)
  if (guessed) cache.counters.guessedForks++
  const birth: Birth = {
    pid: childPid,
    startTs: life?.startTs ?? ts,
    comm: life?.childComm,
    flags: 'clone',
    ppid,
    retold: life?.byThread,
    binary: life?.filename,
    args: life?.args,
    uid: life?.uid,
    guessed,
    parentGuessed: life?.byThread === true && event.tid !== undefined && cache.isGuessedThread(event.tid, ts),
  }
  const { entry, known, reused } = cache.fork(birth, parent, told?.open ?? guessed)
  const all: Warning[] = [
    ...warnings,
    ...(known ? ['duplicate' as const] : []),
    ...(reused ? ['pid_reuse' as const] : []),
  ]
  if (ofChild) return answer(event, cache, entry, { warnings: all })
  // The event is the forking process's: that is its process, and the child is in its own fields.
  const incomplete: Missing[] = guessed ? ['thread_group'] : []
  return answer(event, cache, forker, { pid: forkerPid, tid: forkerPid, warnings: all, incomplete })
}

function childMismatch(life: Lifecycle | undefined, cache: ProcessCache): Warning[] {
  if (life?.byThread !== false || life.childTid === undefined || life.childTid === life.childPid) return []
  if (life.childIsThread === true) return []
  cache.counters.mismatches.clone++
  return ['tid_mismatch']
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
    cache.dropThread(life.oldPid, pid, ts)
  }
  // Who execs leads its group, whatever it was taken for.
  const group = cache.groupOf(pid)
  if (group !== pid) cache.dropThread(pid, group, ts)
  const comm = life?.comm ?? (life?.filename === undefined ? event.comm : commOf(life.filename))
  const birth: Birth = {
    pid,
    startTs: life?.startTs ?? ts,
    comm,
    flags: 'execve',
    ppid: life?.ppid,
    retold: life?.byThread,
    binary: life?.filename,
    args: life?.args,
    uid: life?.uid,
  }
  const { entry, known } = cache.exec(birth, parent)
  return answer(event, cache, entry, { warnings: known ? [...warnings, 'duplicate'] : warnings })
}

/** The name that the kernel gives a process after exec: the file's last part, cut to 15 bytes (TASK_COMM_LEN). */
function commOf(filename: string): string {
  const name = filename.slice(filename.lastIndexOf('/') + 1)
  return Buffer.byteLength(name) <= 15 ? name : Buffer.from(name).subarray(0, 15).toString('utf8')
}

function exit(event: ProcessEvent, cache: ProcessCache): Placed {
  const { life, tid, ts } = event
  const pid = own(event, cache)
  if (pid === undefined) return answer(event, cache, undefined, {})
  const entry = cache.find(pid, ts)
  const incomplete: Missing[] = []
  if (life?.byThread === true && tid !== undefined) {
    const { last, doubtful } =
      life.groupDead === undefined ? isLast(entry, tid, pid, cache) : { last: life.groupDead, doubtful: false }
    if (doubtful) incomplete.push('thread_group')
    if (!last) {
      cache.counters.threadExits++
      if (entry?.tentative === true && entry.threads.size === 1 && pid === tid) {
        // What was taken for a process is one of several threads: those of the process that forked it.
        const group = entry.parent
        cache.retract(entry)
        return answer(event, cache, group, {
          type: 'thread_exit',
          pid: group?.snapshot.pid ?? pid,
          tid,
          incomplete: ['thread_group'],
        })
      }
      if (life.comm !== undefined) cache.renameThread(tid, life.comm)
      cache.dropThread(tid, pid, ts)
      return answer(event, cache, entry, { type: 'thread_exit', pid, tid, incomplete })
    }
  }
  const warnings = mismatch(event, cache, 'exit')
  const first = entry === undefined || cache.exit(entry, ts)
  return answer(event, cache, entry, { pid, warnings: first ? warnings : [...warnings, 'duplicate'], incomplete })
}

/**
 * Where the kernel does not say whether a thread was the last: a thread that is no leader never is while its leader lives, nor
 * is anybody while another is known to live. Of a process that was not seen to start the leader counts.
 */
function isLast(entry: Entry | undefined, tid: number, pid: number, cache: ProcessCache): Last {
  if (entry === undefined) return { last: tid === pid, doubtful: false }
  if (tid !== pid && entry.threads.has(pid)) return { last: false, doubtful: false }
  for (const other of entry.threads.others())
    if (other !== tid) return { last: false, doubtful: cache.isGuessedThread(other, undefined) }
  return { last: true, doubtful: entry.doubtful > 0 }
}

/** Whether an exit was the last of a process, and whether that hangs on threads that may be processes, or the other way round. */
interface Last {
  readonly last: boolean
  readonly doubtful: boolean
}

/** The kernel has freed a thread: if it was a process's last, the process has ended. */
function free(tid: number, cache: ProcessCache, ts: bigint | undefined): void {
  const entry = cache.find(tid, undefined)
  if (entry?.alive === true && entry.threads.size <= 1) cache.exit(entry, ts)
}

function rename(event: ProcessEvent, cache: ProcessCache): Placed {
  const { life, tid, ts } = event
  const pid = own(event, cache)
  const entry = pid === undefined ? undefined : cache.find(pid, ts)
  // Another thread's name is its own.
  if (life?.comm !== undefined) {
    if (tid !== undefined && tid !== pid) cache.renameThread(tid, life.comm)
    else if (entry !== undefined) cache.rename(entry, life.comm, ts)
  }
  return answer(event, cache, entry, { pid, tid: tid ?? pid })
}

function probe(event: ProcessEvent, cache: ProcessCache): Placed {
  const pid = own(event, cache)
  const entry = pid === undefined ? undefined : cache.find(pid, event.ts)
  return answer(event, cache, entry, { pid, tid: event.tid ?? pid })
}
