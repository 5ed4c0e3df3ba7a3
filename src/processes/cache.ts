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
import { Oldest, setBounded } from '../core/bounded-map.ts'
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
import { execId, type ProcessSnapshot } from './process.ts'
import { References } from './refs.ts'
import { ThreadTable, type ThreadView } from './threads.ts'

/** Entries kept if nothing else is said, as in tetragon. */
export const DEFAULT_CAPACITY = 65_536
/** Numbers that are remembered to have been known. */
const MOST_GONE = 1 << 16
/** Images kept of one number. */
const MOST_IMAGES = 256
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
  /** What `execId`s begin with: the node's name. */
  readonly node?: string | undefined
  /** Nanoseconds of event time between collections; what ended goes at the second after. Default: 30 s. */
  readonly intervalNs?: bigint | undefined
}

const CACHE_OPTIONS: Options<CacheOptions> = { capacity: count, node: text, intervalNs: bigint }

export class ProcessCache {
  readonly counters = new ProcessCounters()
  readonly #node: string
  /** All entries, the one used longest ago first. */
  readonly #entries = new Map<Entry, true>()
  readonly #oldest = new Oldest(this.#entries)
  /** Images by number, oldest first. */
  readonly #byPid = new Map<number, Entry[]>()
  /** Images by the names that a stream gave them. */
  readonly #byId = new Map<string, Entry>()
  /** Threads that are not leaders. */
  readonly #threads = new ThreadTable()
  readonly #intervalNs: bigint
  readonly #references: References<Entry>
  /** Numbers of which nothing is kept any more. */
  readonly #gone = new Map<number, true>()
  #nextTick: bigint | undefined
  /** When events were lost last. */
  #lostAt: bigint | undefined

  constructor(options?: CacheOptions) {
    const given = optionsOf(options, 'ProcessCache', CACHE_OPTIONS)
    const { node = '', capacity = DEFAULT_CAPACITY, intervalNs = DEFAULT_INTERVAL_NS } = given
    if (intervalNs <= 0n) throw wrong('intervalNs', 'a bigint above 0', intervalNs)
    this.#node = node
    this.#intervalNs = intervalNs
    this.counters.capacity = capacity
    this.#references = new References(this.counters, (entry) => this.#remove(entry))
  }

  /** The image that a process was at a time: the last that had begun. Without a time the newest. */
  find(pid: number, ts: bigint | undefined): Entry | undefined {
    if (typeof pid !== 'number') number(pid, 'pid')
    if (ts !== undefined && typeof ts !== 'bigint') bigint(ts, 'ts')
    const images = this.#byPid.get(pid)
    let found: Entry | undefined
    if (images !== undefined) {
      if (ts === undefined) found = images.at(-1)
      else
        for (let i = images.length - 1; i >= 0 && found === undefined; i--)
          if (images[i]!.startTs <= ts) found = images[i]
    }
    if (found === undefined) {
      this.counters.misses.get++
      this.counters.missKinds[images !== undefined ? 'before_start' : this.#gone.has(pid) ? 'gone' : 'unseen']++
    } else {
      this.#entries.delete(found)
      this.#entries.set(found, true)
    }
    return found
  }

  /** Whether anything is known of a process; counts nothing. */
  knows(pid: number): boolean {
    if (typeof pid !== 'number') number(pid, 'pid')
    return this.#byPid.has(pid)
  }

  /** Whether an image is kept that a stream named so; counts nothing. */
  knowsImage(id: string): boolean {
    if (typeof id !== 'string') text(id, 'id')
    return this.#byId.has(id)
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
    const entry = this.#byPid.get(tid)?.at(-1)
    return (
      this.#threads.groupOf(tid) !== undefined ||
      (entry?.alive === true && !entry.tentative && entry.snapshot.flags !== 'procFS')
    )
  }

  /** Takes an entry back: what was taken for a process was a thread. */
  retract(entry: Entry): void {
    checkEntry(entry, 'entry')
    this.counters.retractedForks++
    this.#discard(entry)
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

  /** Learns that a thread is of a group; if its fork was taken for a process's, that is taken back. */
  learnThread(tid: number, pid: number, startTs?: bigint, comm?: string): void {
    if (typeof tid !== 'number') number(tid, 'tid')
    if (typeof pid !== 'number') number(pid, 'pid')
    if (startTs !== undefined && typeof startTs !== 'bigint') bigint(startTs, 'startTs')
    if (comm !== undefined && typeof comm !== 'string') text(comm, 'comm')
    if (tid === pid || (startTs === undefined && this.#threads.groupOf(tid) === pid)) return
    const entry = this.#byPid.get(tid)?.at(-1)
    if (entry?.alive && entry.tentative) {
      this.retract(entry)
    }
    const forgotten = this.#threads.learn(tid, pid, startTs, comm)
    if (forgotten !== undefined) this.#byPid.get(forgotten[1])?.at(-1)?.threads.delete(forgotten[0])
    this.#byPid.get(pid)?.at(-1)?.threads.add(tid)
  }

  /** A thread ended, or became the leader by exec; its number means nothing any more. */
  dropThread(tid: number, pid: number, endTs?: bigint): void {
    if (typeof tid !== 'number') number(tid, 'tid')
    if (typeof pid !== 'number') number(pid, 'pid')
    if (endTs !== undefined && typeof endTs !== 'bigint') bigint(endTs, 'endTs')
    this.#threads.end(tid, endTs)
    this.#byPid.get(pid)?.at(-1)?.threads.delete(tid)
  }

  /** A process that was there before the stream began, or is otherwise known. Parents come before their children. */
  add(birth: Birth, parent: Entry | undefined): Entry {
    checkBirth(birth, parent)
    return this.#insert(birth, parent, undefined, false)
  }

  /**
   * A process was forked: a copy of its parent with a number and a start of its own. `known` is false if the image was
   * there already.
   */
  fork(birth: Birth, parent: Entry | undefined, tentative: boolean): { entry: Entry; known: boolean; reused: boolean } {
    checkBirth(birth, parent)
    if (typeof tentative !== 'boolean') flag(tentative, 'tentative')
    const same = this.#imageStartedAt(birth.pid, birth.startTs) ?? this.#sameFork(birth, parent)
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
      ...(birth.guessed === undefined ? {} : { guessed: birth.guessed }),
    }
    return { entry: this.#insert(inherited, parent, undefined, tentative), known: false, reused }
  }

  /** A process replaced its image: a new entry, whose parent is that of the old one. */
  exec(birth: Birth, givenParent: Entry | undefined): { entry: Entry; known: boolean } {
    checkBirth(birth, givenParent)
    const same = this.#imageStartedAt(birth.pid, birth.startTs)
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
    const old = birth.startTs === undefined ? this.#byPid.get(birth.pid)?.at(-1) : this.find(birth.pid, birth.startTs)
    const previous = old?.alive ? old : undefined
    for (const tid of previous?.threads ?? []) if (tid !== birth.pid) this.#threads.end(tid, birth.startTs)
    const kept = { ...birth, uid: birth.uid ?? previous?.snapshot.uid }
    const entry = this.#insert(kept, previous?.parent ?? givenParent, previous, false)
    if (previous !== undefined) this.#end(previous, birth.startTs)
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
    if (entry.alive && entry.operations['process++'] === 0) this.#references.take(entry, 'process')
    return entry
  }

  /** The image with this id, the one at `next` of `above` as its parent. */
  #described(image: Described, above: readonly Described[], next: number): Entry {
    const known = this.#byId.get(image.execId)
    const told = above[next]
    if (known !== undefined && (known.parent !== undefined || told === undefined)) {
      this.#entries.delete(known)
      this.#entries.set(known, true)
      return known
    }
    const parent =
      told === undefined ? this.#byId.get(image.parentExecId ?? '') : this.#described(told, above, next + 1)
    if (known !== undefined) {
      if (parent !== undefined && !known.parentGiven) {
        known.parent = parent
        this.#references.take(parent, 'parent')
      }
      return known
    }
    // A parent with the same number is the image before: exec told it so.
    const previous = parent?.snapshot.pid === image.pid ? parent : undefined
    const old = this.#byPid.get(image.pid)?.at(-1)
    const entry = this.#insert(image, parent, previous, false)
    if (old?.alive === true && old.startTs <= entry.startTs) {
      if (old !== previous) this.counters.pidReuses++
      this.#end(old, entry.startTs)
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
    for (const tid of entry.threads) if (tid !== entry.snapshot.pid) this.#threads.end(tid, endTs)
    entry.threads.clear()
    this.#end(entry, endTs)
    return true
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
    entry.snapshot = Object.freeze({ ...snapshot, comm })
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
   * What a process was at a time, in nanoseconds on the stream's clock: its image and its name then. undefined before it began,
   * after it ended, and where it is no longer kept. Counts nothing.
   */
  at(pid: number, ts: bigint): ProcessSnapshot | undefined {
    number(pid, 'pid')
    bigint(ts, 'ts')
    const entry = this.#byPid.get(pid)?.findLast(({ startTs }) => startTs <= ts)
    if (entry === undefined || (entry.endTs !== undefined && entry.endTs < ts)) return undefined
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
    const images = this.#byPid.get(tid)
    const entry = ts === undefined ? images?.at(-1) : images?.findLast(({ startTs }) => startTs <= ts)
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
    for (const entry of [...this.#entries.keys()]) if (entry.startTs > ts) this.#discard(entry)
    this.#threads.clear()
    this.tick()
    this.tick()
    this.#nextTick = undefined
  }

  /** One round of collection. */
  tick(): void {
    this.#references.tick()
    this.counters.size = this.#entries.size
  }

  /** All entries, by number and start. */
  entries(): EntryView[] {
    const threads = this.#threads.byGroup()
    const views = Array.from(this.#entries.keys(), (entry) => ({
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

  #imageStartedAt(pid: number, startTs: bigint | undefined): Entry | undefined {
    if (startTs === undefined) return undefined
    const images = this.#byPid.get(pid) ?? []
    for (let i = images.length - 1; i >= 0 && images[i]!.startTs >= startTs; i--) {
      if (images[i]!.snapshot.startTs === startTs) return images[i]
    }
    return undefined
  }

  /** The image that another recorder's event made of this fork a moment ago. */
  #sameFork({ pid, startTs, retold }: Birth, parent: Entry | undefined): Entry | undefined {
    const newest = retold === true ? this.#byPid.get(pid)?.at(-1) : undefined
    if (newest === undefined || startTs === undefined || !newest.alive || newest.snapshot.flags !== 'clone')
      return undefined
    return newest.parent === parent && distance(newest.startTs, startTs) <= SAME_FACT_NS ? newest : undefined
  }

  /** The image that another recorder's event made of this exec: one of the two names the file, the other does not. */
  #sameExec({ pid, startTs, binary, retold }: Birth): Entry | undefined {
    const newest = retold === true ? this.#byPid.get(pid)?.at(-1) : undefined
    if (newest === undefined || startTs === undefined || !newest.alive || newest.snapshot.flags !== 'execve')
      return undefined
    if ((newest.snapshot.binary === undefined) === (binary === undefined)) return undefined
    return distance(newest.startTs, startTs) <= SAME_FACT_NS ? newest : undefined
  }

  /** A fork that the stream tells of after /proc was asked for the same process: what the stream says is more. */
  #replaceScanned(pid: number, startTs: bigint | undefined): void {
    const newest = this.#byPid.get(pid)?.at(-1)
    const { startTs: scanned, flags } = newest?.snapshot ?? {}
    if (newest === undefined || startTs === undefined || scanned === undefined || flags !== 'procFS') return
    // /proc counts in hundredths of a second, and its clock may be off by as much as its image is looked for earlier.
    if (scanned + SCAN_STEP_NS + (scanned - newest.startTs) >= startTs) this.#discard(newest)
  }

  /** A number that is given out again: whoever has it must have ended unseen. */
  #replaceStale(pid: number, startTs: bigint | undefined): boolean {
    const newest = this.#byPid.get(pid)?.at(-1)
    if (newest === undefined || (startTs !== undefined && newest.startTs > startTs)) return false
    this.counters.pidReuses++
    if (!newest.alive) return false
    this.#end(newest, startTs)
    return true
  }

  #insert(
    birth: Birth & Partial<Described>,
    parent: Entry | undefined,
    previous: Entry | undefined,
    tentative: boolean,
  ): Entry {
    const { pid, startTs } = birth
    const start = startTs ?? 0n
    const since = birth.sinceTs ?? start
    const entry: Entry = {
      snapshot: Object.freeze({
        execId: birth.execId ?? execId(this.#node, start, pid),
        pid,
        tid: pid,
        comm: birth.comm,
        binary: birth.binary,
        args: birth.args,
        uid: birth.uid,
        startTs,
        parentExecId: parent?.snapshot.execId ?? birth.parentExecId,
        previousExecId: previous?.snapshot.execId,
        flags: birth.flags,
      }),
      startTs: since,
      endTs: undefined,
      former: undefined,
      parent,
      parentGiven: false,
      ppid: birth.ppid ?? previous?.ppid,
      alive: true,
      threads: new Set([pid]),
      tentative,
      guessed: birth.guessed ?? tentative,
      refcount: 0,
      color: 'inUse',
      operations: { 'process++': 0, 'process--': 0, 'parent++': 0, 'parent--': 0 },
    }
    if (birth.execId === undefined) this.#references.take(entry, 'process')
    else this.#byId.set(birth.execId, entry)
    if (parent !== undefined) this.#references.take(parent, 'parent')
    const images = this.#byPid.get(pid)
    if (images === undefined) this.#byPid.set(pid, [entry])
    else {
      // An image that is heard of late has its place among the others by its start.
      let at = images.length
      while (at > 0 && images[at - 1]!.startTs > since) at--
      images.splice(at, 0, entry)
      if (at < images.length - 1) this.#end(entry, images[at + 1]?.startTs)
    }
    this.#entries.set(entry, true)
    const oldest = images?.[0]
    if (images !== undefined && images.length > MOST_IMAGES && oldest !== undefined) {
      this.counters.capacityEvictions++
      this.#discard(oldest)
    }
    if (this.#entries.size > this.counters.capacity) this.#evict(entry)
    this.counters.size = this.#entries.size
    return entry
  }

  /** The process no longer holds this image, nor the image its parent. */
  #end(entry: Entry, endTs: bigint | undefined): void {
    entry.alive = false
    entry.endTs = endTs
    // Of what a stream described as somebody's parent it is not known whether it lives: only its children hold it.
    if (entry.operations['process++'] > 0) this.#references.give(entry, 'process')
    this.#giveParent(entry)
  }

  #giveParent(entry: Entry): void {
    if (entry.parentGiven || entry.parent === undefined) return
    entry.parentGiven = true
    this.#references.give(entry.parent, 'parent')
  }

  /** Makes room: the dead go first, then what was used longest ago, which gives its parent back if it still held it. */
  #evict(keep: Entry): void {
    const dead = this.#references.nextToGo()
    const oldest = dead !== undefined && dead !== keep ? dead : this.#oldest.find((entry) => entry !== keep)
    if (oldest === undefined) return
    this.counters.capacityEvictions++
    this.#discard(oldest)
  }

  /** Takes an entry out before its time. */
  #discard(entry: Entry): void {
    this.#giveParent(entry)
    this.#references.forget(entry)
    this.#remove(entry)
  }

  #remove(entry: Entry): void {
    if (!this.#entries.delete(entry)) {
      this.counters.misses.remove++
      return
    }
    // A chain of dead parents must not be kept alive by their last descendant.
    if (entry.parentGiven) entry.parent = undefined
    const { pid, execId: id } = entry.snapshot
    if (this.#byId.get(id) === entry) this.#byId.delete(id)
    const images = this.#byPid.get(pid)
    const at = images?.indexOf(entry) ?? -1
    if (images !== undefined && at >= 0) images.splice(at, 1)
    if (images?.length === 0) {
      this.#byPid.delete(pid)
      setBounded(this.#gone, pid, true, MOST_GONE)
    }
    this.counters.size = this.#entries.size
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
