// The process cache: which image of which process an event belongs to. One writer; readers get frozen snapshots.
//
// Rules of thread ids, which every event that leaves here keeps:
// - fork, exec and exit of a process carry TID = PID. At exec only one thread is left, and it has the leader's number; an
//   exit is reported for the leader, whichever thread was the last.
// - probe events keep their own TID, on a copy of the snapshot. The leader's entry is never changed by another thread.
// - fork of a thread makes no entry; exit of a thread ends nothing while others live.
// Changes after exec that no event tells of (setuid and the like) are not seen.

import {
  bigint,
  type Check,
  count,
  flag,
  instance,
  number,
  type Options,
  options as optionsOf,
  text,
  wrong,
} from '../core/arguments.ts'
import { ProcessCounters } from './counters.ts'
import {
  type Birth,
  checkBirth,
  checkDescribed,
  checkEntry,
  type Described,
  type Entry,
  type EntryView,
} from './entry.ts'
import { Images } from './images.ts'
import { Names } from './names.ts'
import type { ProcessSnapshot } from './process.ts'
import { ThreadTable, type ThreadView } from './threads.ts'

/** Entries kept if nothing else is said, as in tetragon. */
export const DEFAULT_CAPACITY = 65_536
/** Nanoseconds of the steps in which /proc counts times. */
const SCAN_STEP_NS = 10_000_000n
/** Names that one image had before and that are kept. */
const MOST_NAMES = 16
/** Nanoseconds of event time between collections if nothing else is said, as in tetragon. */
export const DEFAULT_INTERVAL_NS = 30_000_000_000n

/**
 * Nanoseconds within which a recorder's own event and the kernel's tracepoint speak of one fork or exec. Shorter than any
 * number takes to be used again; real execs do follow each other this fast, and are told apart by what they name.
 */
const SAME_FACT_NS = 1_000_000n

export interface CacheOptions {
  readonly capacity?: number | undefined
  /** The beginning of `execId`s: the node's name. */
  readonly node?: string | undefined
  /** Nanoseconds of event time between collections; what ended goes at the second after. Default: 30 s. */
  readonly intervalNs?: bigint | undefined
}

const CACHE_OPTIONS: Options<CacheOptions> = { capacity: count, node: text, intervalNs: bigint }

export class ProcessCache {
  readonly counters = new ProcessCounters()
  readonly #names = new Names()
  readonly #images: Images
  /** Threads that are not leaders. */
  readonly #threads = new ThreadTable(this.#names)
  readonly #intervalNs: bigint
  #nextTick: bigint | undefined
  /** When events were lost last. */
  #lostAt: bigint | undefined

  constructor(options?: CacheOptions) {
    const given = optionsOf(options, 'ProcessCache', CACHE_OPTIONS)
    const { node = '', capacity = DEFAULT_CAPACITY, intervalNs = DEFAULT_INTERVAL_NS } = given
    if (intervalNs <= 0n) throw wrong('intervalNs', 'a bigint above 0', intervalNs)
    this.#intervalNs = intervalNs
    this.counters.capacity = capacity
    this.#images = new Images(this.counters, node, this.#names)
  }

  /** The image that a process was at a time: the last that had begun. Without a time the newest. */
  find(pid: number, ts: bigint | undefined): Entry | undefined {
    if (typeof pid !== 'number') number(pid, 'pid')
    if (ts !== undefined && typeof ts !== 'bigint') bigint(ts, 'ts')
    return this.#images.find(pid, ts)
  }

  /** Whether anything is known of a process; counts nothing. */
  knows(pid: number): boolean {
    if (typeof pid !== 'number') number(pid, 'pid')
    return this.#images.newest(pid) !== undefined
  }

  /** Whether an image is kept that a stream named so; counts nothing. */
  knowsImage(id: string): boolean {
    if (typeof id !== 'string') text(id, 'id')
    return this.#images.byId(id) !== undefined
  }

  /** The thread group of a thread, as far as known: a number that is no known thread's is its own group's. */
  groupOf(tid: number): number {
    if (typeof tid !== 'number') number(tid, 'tid')
    return this.#threads.groupOf(tid) ?? tid
  }

  /** The thread group of a thread, where that is settled. */
  knownGroup(tid: number): number | undefined {
    if (typeof tid !== 'number') number(tid, 'tid')
    return this.#threads.groupOf(tid) ?? (this.isSettled(tid) ? tid : undefined)
  }

  /** Whether it was settled which group a thread is of, by events or by the best guess that they allow. */
  isSettled(tid: number): boolean {
    if (typeof tid !== 'number') number(tid, 'tid')
    const entry = this.#images.newest(tid)
    return (
      this.#threads.groupOf(tid) !== undefined ||
      (entry?.alive === true && !entry.tentative && entry.snapshot.flags !== 'procFS')
    )
  }

  /** Whether a number's thread, which may end at this time, was taken for one of its group and nothing said so for certain. */
  isGuessedThread(tid: number, ts: bigint | undefined): boolean {
    if (typeof tid !== 'number') number(tid, 'tid')
    if (ts !== undefined && typeof ts !== 'bigint') bigint(ts, 'ts')
    return this.#threads.isGuessed(tid, ts)
  }

  /** The image that the process of an image was at a time, by exec after exec. */
  becameBy(entry: Entry, ts: bigint | undefined): Entry {
    checkEntry(entry, 'entry')
    if (ts !== undefined && typeof ts !== 'bigint') bigint(ts, 'ts')
    return this.#images.becameBy(entry, ts)
  }

  /** Takes an entry back: what was taken for a process was a thread. */
  retract(entry: Entry): void {
    checkEntry(entry, 'entry')
    this.counters.retractedForks++
    this.#images.discard(entry)
  }

  /** The recorder had no room for events up to this time: what is known of images from before may be out of date. */
  lose(ts: bigint | undefined, events: number): void {
    if (ts !== undefined && typeof ts !== 'bigint') bigint(ts, 'ts')
    if (typeof events !== 'number') number(events, 'events')
    this.counters.lostEvents += events
    if (ts !== undefined && (this.#lostAt === undefined || ts > this.#lostAt)) this.#lostAt = ts
  }

  /** Whether events were lost since an image began: it may have ended unseen, and its number be another's. */
  mayBeStale(entry: Entry): boolean {
    checkEntry(entry, 'entry')
    return this.#lostAt !== undefined && entry.startTs <= this.#lostAt
  }

  /** The clock of the stream was set back: what was before it is compared with no time that comes. */
  setBack(): void {
    this.counters.clockSetBacks++
    this.#images.setBack()
    this.#lostAt = undefined
    this.#nextTick = undefined
  }

  /** Whether the clock was set back since an image began: where another recording begins with that, it may be another's. */
  isOfOldClock(entry: Entry): boolean {
    checkEntry(entry, 'entry')
    return !this.#images.isOnClock(entry)
  }

  /** Learns that a thread is of a group; if its fork was taken for a process's, that is taken back. */
  learnThread(tid: number, pid: number, startTs?: bigint, comm?: string, guessed = false): void {
    if (typeof tid !== 'number') number(tid, 'tid')
    if (typeof pid !== 'number') number(pid, 'pid')
    if (startTs !== undefined && typeof startTs !== 'bigint') bigint(startTs, 'startTs')
    if (comm !== undefined && typeof comm !== 'string') text(comm, 'comm')
    if (typeof guessed !== 'boolean') flag(guessed, 'guessed')
    if (tid === pid) return
    if (startTs === undefined && this.#threads.groupOf(tid) === pid && !this.#threads.isGuessed(tid, startTs)) return
    const entry = this.#images.newest(tid)
    if (entry?.alive && entry.tentative) {
      this.retract(entry)
    }
    const forgotten = this.#threads.learn(tid, pid, startTs, comm, guessed)
    if (forgotten !== undefined) this.#images.newest(forgotten[1])?.threads.delete(forgotten[0])
    this.#images.newest(pid)?.threads.add(tid)
  }

  /** A thread ended, or became the leader by exec; its number means nothing any more. */
  dropThread(tid: number, pid: number, endTs?: bigint): void {
    if (typeof tid !== 'number') number(tid, 'tid')
    if (typeof pid !== 'number') number(pid, 'pid')
    if (endTs !== undefined && typeof endTs !== 'bigint') bigint(endTs, 'endTs')
    this.#threads.end(tid, endTs)
    this.#images.newest(pid)?.threads.delete(tid)
  }

  /** A process that was there before the stream began, or is otherwise known. Parents come before their children. */
  add(birth: Birth, parent: Entry | undefined): Entry {
    checkBirth(birth, parent)
    return this.#images.insert(birth, parent, undefined, false)
  }

  /**
   * A process was forked: a copy of its parent with a number and a start of its own. `known` is false if the image was
   * there already.
   */
  fork(birth: Birth, parent: Entry | undefined, tentative: boolean): { entry: Entry; known: boolean; reused: boolean } {
    checkBirth(birth, parent)
    if (typeof tentative !== 'boolean') flag(tentative, 'tentative')
    const same = this.#images.startedAt(birth.pid, birth.startTs) ?? this.#sameFork(birth, parent)
    if (same !== undefined) {
      this.counters.duplicates.clone++
      return { entry: same, known: true, reused: false }
    }
    this.#replaceScanned(birth.pid, birth.startTs)
    const reused = this.#replaceStale(birth.pid, birth.startTs)
    this.#threads.end(birth.pid, birth.startTs)
    const from = parent?.snapshot
    const inherited: Birth = {
      pid: birth.pid,
      startTs: birth.startTs,
      comm: birth.comm ?? from?.comm,
      binary: birth.binary ?? from?.binary,
      args: birth.args ?? from?.args,
      uid: birth.uid ?? from?.uid,
      flags: birth.flags,
      ppid: birth.ppid,
      guessed: birth.guessed,
      parentGuessed: birth.parentGuessed,
    }
    return { entry: this.#images.insert(inherited, parent, undefined, tentative), known: false, reused }
  }

  /** A process replaced its image: a new entry, whose parent is that of the old one. */
  exec(birth: Birth, givenParent: Entry | undefined): { entry: Entry; known: boolean } {
    checkBirth(birth, givenParent)
    const same = this.#images.startedAt(birth.pid, birth.startTs)
    if (same?.snapshot.flags.includes('execve')) {
      this.counters.duplicates.exec++
      return { entry: same, known: true }
    }
    const told = this.#sameExec(birth)
    if (told !== undefined) {
      this.counters.duplicates.exec++
      const { comm, binary, args, uid } = told.snapshot
      told.snapshot = Object.freeze({
        ...told.snapshot,
        comm: comm ?? birth.comm,
        binary: binary ?? birth.binary,
        args: args ?? birth.args,
        uid: uid ?? birth.uid,
      })
      return { entry: told, known: true }
    }
    const old = birth.startTs === undefined ? this.#images.newest(birth.pid) : this.find(birth.pid, birth.startTs)
    const previous = old?.alive ? old : undefined
    for (const tid of previous?.threads.others() ?? []) this.#threads.end(tid, birth.startTs)
    const kept = { ...birth, uid: birth.uid ?? previous?.snapshot.uid }
    const entry = this.#images.insert(kept, previous?.parent ?? givenParent, previous, false)
    if (previous !== undefined) this.#images.end(previous, birth.startTs)
    return { entry, known: false }
  }

  /**
   * An image that a stream describes itself, with that stream's names, and those above it as far as they are told, its parent
   * first. What is known already stays; what holds the same number and is another image has ended.
   */
  describe(image: Described, above: readonly Described[]): Entry {
    checkDescribed(image, 'image')
    if (!Array.isArray(above)) throw wrong('above', 'a list of images', above)
    for (const one of above) checkDescribed(one, 'above')
    const entry = this.#described(image, above, 0)
    this.#images.hold(entry)
    return entry
  }

  /** The image with this id, the one at `next` of `above` as its parent. */
  #described(image: Described, above: readonly Described[], next: number): Entry {
    const known = this.#images.byId(image.execId)
    const told = above[next]
    if (known !== undefined && (known.parent !== undefined || told === undefined)) {
      this.#images.touch(known)
      return known
    }
    const parent =
      told === undefined ? this.#images.byId(image.parentExecId ?? '') : this.#described(told, above, next + 1)
    if (known !== undefined) {
      if (parent !== undefined && !known.parentGiven) this.#images.adopt(known, parent)
      return known
    }
    // A parent with the same number is the image before: exec told it so.
    const previous = parent?.snapshot.pid === image.pid ? parent : undefined
    const old = this.#images.newest(image.pid)
    const entry = this.#images.insert(image, parent, previous, false)
    if (old?.alive === true && this.#images.hadBegun(old, entry.startTs)) {
      if (old !== previous) this.counters.pidReuses++
      this.#images.end(old, entry.startTs)
    }
    return entry
  }

  /** A process ended. false if it had ended before. */
  exit(entry: Entry, endTs?: bigint): boolean {
    checkEntry(entry, 'entry')
    if (endTs !== undefined && typeof endTs !== 'bigint') bigint(endTs, 'endTs')
    if (!entry.alive) {
      this.counters.duplicates.exit++
      return false
    }
    this.#end(entry, endTs)
    return true
  }

  /** A process has ended, and all threads of it. */
  #end(entry: Entry, endTs: bigint | undefined): void {
    for (const tid of entry.threads.others()) this.#threads.end(tid, endTs)
    entry.threads.clear()
    this.#images.end(entry, endTs)
  }

  /** A process took another name: the same image, a new snapshot; snapshots given out before stay as they were. */
  rename(entry: Entry, comm: string, ts?: bigint): void {
    checkEntry(entry, 'entry')
    if (typeof comm !== 'string') text(comm, 'comm')
    if (ts !== undefined && typeof ts !== 'bigint') bigint(ts, 'ts')
    const { snapshot } = entry
    if (snapshot.comm === comm) return
    if (ts !== undefined) {
      const former = entry.former ?? []
      former.push({ until: ts, snapshot })
      if (former.length > MOST_NAMES) former.shift()
      entry.former = former
    }
    entry.snapshot = Object.freeze({ ...snapshot, comm: this.#names.keep(comm) })
  }

  /** A thread that is no leader took another name. */
  renameThread(tid: number, comm: string): void {
    if (typeof tid !== 'number') number(tid, 'tid')
    if (typeof comm !== 'string') text(comm, 'comm')
    this.#threads.rename(tid, comm)
  }

  /**
   * The snapshot for an event of one of its threads, as the process was called at that time: the shared one for the leader, a
   * copy for any other.
   */
  snapshotFor(entry: Entry, tid: number, ts?: bigint): ProcessSnapshot {
    checkEntry(entry, 'entry')
    if (typeof tid !== 'number') number(tid, 'tid')
    if (ts !== undefined && typeof ts !== 'bigint') bigint(ts, 'ts')
    const snapshot = snapshotAt(entry, ts)
    if (tid === snapshot.tid) {
      this.counters.handedOut.shared++
      return snapshot
    }
    this.counters.handedOut.copied++
    return Object.freeze({ ...snapshot, tid })
  }

  /**
   * A process as it was at a time, in nanoseconds on the stream's clock: its image and its name then. undefined before it began,
   * after it ended, and where it is no longer kept. Counts nothing.
   */
  at(pid: number, ts: bigint): ProcessSnapshot | undefined {
    number(pid, 'pid')
    bigint(ts, 'ts')
    const entry = this.#images.begunBefore(pid, ts)
    if (entry === undefined || (entry.endTs !== undefined && (entry.endTs < ts || !this.#images.isOnClock(entry))))
      return undefined
    return snapshotAt(entry, ts)
  }

  /**
   * The thread that had a number at a time, or without a time the last that had it: its group, its name, when it began and when
   * it ended. A leader's is its process's; of other threads the last four of a number are kept.
   */
  thread(tid: number, ts?: bigint): ThreadView | undefined {
    number(tid, 'tid')
    if (ts !== undefined) bigint(ts, 'ts')
    const thread = this.#threads.find(tid, ts)
    const entry = this.#images.begunBefore(tid, ts)
    if (entry === undefined || (thread?.startTs !== undefined && thread.startTs > entry.startTs)) return thread
    if (ts !== undefined && entry.endTs !== undefined && entry.endTs < ts) return thread
    return leaderOf(entry, ts)
  }

  /** Event time has come this far: collects what the intervals that passed ask for. */
  advance(ts: bigint): void {
    if (typeof ts !== 'bigint') bigint(ts, 'ts')
    const interval = this.#intervalNs
    if (this.#nextTick === undefined || ts > this.#nextTick + 4n * interval) {
      // A stream that begins, or jumps: two rounds are all that a jump can bring.
      if (this.#nextTick !== undefined) {
        this.tick()
        this.tick()
      }
      this.#nextTick = ts + interval
      return
    }
    while (ts >= this.#nextTick) {
      this.tick()
      this.#nextTick += interval
    }
  }

  /**
   * Event time goes on at an earlier moment: another recording, or a clock that was set. Images that begin after it are of
   * what was before.
   */
  restart(ts: bigint): void {
    if (typeof ts !== 'bigint') bigint(ts, 'ts')
    for (const entry of this.#images.all()) if (entry.startTs > ts) this.#images.discard(entry)
    this.#threads.clear()
    this.tick()
    this.tick()
    this.setBack()
  }

  /** One round of collection. */
  tick(): void {
    this.#images.tick()
  }

  /** All entries, by number and start. */
  entries(): EntryView[] {
    const threads = this.#threads.byGroup()
    const views = this.#images.all().map((entry) => ({
      snapshot: entry.snapshot,
      refcount: entry.refcount,
      color: entry.color,
      alive: entry.alive,
      parent: entry.parent?.snapshot,
      startTs: entry.startTs,
      endTs: entry.endTs,
      operations: { ...entry.operations },
      threads: [
        leaderOf(entry, undefined),
        ...(threads.get(entry.snapshot.pid) ?? []).filter((thread) => isWithin(thread, entry)),
      ],
    }))
    return views.sort((a, b) => a.snapshot.pid - b.snapshot.pid || (a.startTs < b.startTs ? -1 : 1))
  }

  /** The image that another recorder's event made of this fork a moment ago. */
  #sameFork({ pid, startTs, retold }: Birth, parent: Entry | undefined): Entry | undefined {
    const newest = retold === true ? this.#images.newest(pid) : undefined
    if (newest === undefined || startTs === undefined || !newest.alive || newest.snapshot.flags !== 'clone')
      return undefined
    return newest.parent === parent && distance(newest.startTs, startTs) <= SAME_FACT_NS ? newest : undefined
  }

  /** The image that another recorder's event made of this exec: one of the two names the file, the other does not. */
  #sameExec({ pid, startTs, binary, retold }: Birth): Entry | undefined {
    const newest = retold === true ? this.#images.newest(pid) : undefined
    if (newest === undefined || startTs === undefined || !newest.alive || newest.snapshot.flags !== 'execve')
      return undefined
    if ((newest.snapshot.binary === undefined) === (binary === undefined)) return undefined
    return distance(newest.startTs, startTs) <= SAME_FACT_NS ? newest : undefined
  }

  /** A fork that the stream tells of after /proc was asked for the same process: what the stream says is more. */
  #replaceScanned(pid: number, startTs: bigint | undefined): void {
    const newest = this.#images.newest(pid)
    const { startTs: scanned, flags } = newest?.snapshot ?? {}
    if (newest === undefined || startTs === undefined || scanned === undefined || flags !== 'procFS') return
    // /proc counts in hundredths of a second, and its clock may be off by as much as its image is looked for earlier.
    if (scanned + SCAN_STEP_NS + (scanned - newest.startTs) >= startTs) this.#images.discard(newest)
  }

  /** A number is given out again: the process that had it must have ended unseen. */
  #replaceStale(pid: number, startTs: bigint | undefined): boolean {
    const newest = this.#images.newest(pid)
    if (newest === undefined || (startTs !== undefined && !this.#images.hadBegun(newest, startTs))) return false
    this.counters.pidReuses++
    if (!newest.alive) return false
    this.#end(newest, startTs)
    return true
  }
}

function snapshotAt({ snapshot, former }: Entry, ts: bigint | undefined): ProcessSnapshot {
  if (former === undefined || ts === undefined) return snapshot
  return former.find(({ until }) => ts < until)?.snapshot ?? snapshot
}

/** The leader of an image as a thread. */
function leaderOf(entry: Entry, ts: bigint | undefined): ThreadView {
  const { pid, comm, startTs } = snapshotAt(entry, ts)
  return { tid: pid, pid, comm, startTs, endTs: entry.endTs }
}

/** Whether a thread ran while its process had this image. */
function isWithin({ startTs, endTs }: ThreadView, entry: Entry): boolean {
  const begun = startTs === undefined || entry.endTs === undefined || startTs <= entry.endTs
  return begun && (endTs === undefined ? entry.alive : endTs >= entry.startTs)
}

function distance(a: bigint, b: bigint): bigint {
  return a < b ? b - a : a - b
}

/** A cache of processes, as an argument. */
export const processCache: Check<ProcessCache> = instance(ProcessCache, 'a ProcessCache')
