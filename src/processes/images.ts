// The images of processes that are kept: by number and name, as many as there is room for, each as long as something holds it. Which
// events make and end them is in cache.ts.

import { Oldest, setBounded } from '../core/bounded-map.ts'
import type { ProcessCounters } from './counters.ts'
import type { Birth, Described, Entry } from './entry.ts'
import { LivingThreads } from './living-threads.ts'
import type { Names } from './names.ts'
import { execId } from './process.ts'
import { References } from './refs.ts'

/** Numbers that are remembered to have been known. */
const MOST_GONE = 1 << 16
/** Images kept of one number. */
const MOST_IMAGES = 256

/** Images of all processes, and what holds them. */
export class Images {
  readonly #counters: ProcessCounters
  readonly #node: string
  readonly #names: Names
  /** All entries, the one used longest ago first. */
  readonly #entries = new Map<Entry, true>()
  readonly #oldest = new Oldest(this.#entries)
  /** Images by number, oldest first. */
  readonly #byPid = new Map<number, Entry[]>()
  /** Images by the names that a stream gave them. */
  readonly #byId = new Map<string, Entry>()
  readonly #references: References<Entry>
  /** Numbers of which nothing is kept any more. */
  readonly #gone = new Map<number, true>()
  /** How often the clock was set back. */
  #epoch = 0

  /** @param node what `execId`s begin with */
  constructor(counters: ProcessCounters, node: string, names: Names) {
    this.#counters = counters
    this.#node = node
    this.#names = names
    this.#references = new References(counters, (entry) => this.#remove(entry))
  }

  /** The clock was set back: all images of now began before any time to come. */
  setBack(): void {
    this.#epoch++
  }

  /** Whether the clock was not set back since an image began. */
  isOnClock(entry: Entry): boolean {
    return entry.epoch === this.#epoch
  }

  /** Whether an image had begun by a time. */
  hadBegun(entry: Entry, ts: bigint): boolean {
    return entry.startTs <= ts || entry.epoch !== this.#epoch
  }

  /** The image that a process was at a time, which counts as a use of it: the last that had begun. Without a time the newest. */
  find(pid: number, ts: bigint | undefined): Entry | undefined {
    const images = this.#byPid.get(pid)
    let found: Entry | undefined
    if (images !== undefined) {
      if (ts === undefined) found = images.at(-1)
      else
        for (let i = images.length - 1; i >= 0 && found === undefined; i--)
          if (this.hadBegun(images[i]!, ts)) found = images[i]
    }
    if (found === undefined) {
      this.#counters.misses.get++
      this.#counters.missKinds[images !== undefined ? 'before_start' : this.#gone.has(pid) ? 'gone' : 'unseen']++
    } else {
      this.touch(found)
    }
    return found
  }

  /** The image of a number that began last; counts nothing. */
  newest(pid: number): Entry | undefined {
    return this.#byPid.get(pid)?.at(-1)
  }

  /** The last image of a number that had begun at a time, or without a time the newest; counts nothing. */
  begunBefore(pid: number, ts: bigint | undefined): Entry | undefined {
    const images = this.#byPid.get(pid)
    return ts === undefined ? images?.at(-1) : images?.findLast((entry) => this.hadBegun(entry, ts))
  }

  /** The image with a name that a stream gave it; counts nothing. */
  byId(id: string): Entry | undefined {
    return this.#byId.get(id)
  }

  /** The image of a number that began exactly then. */
  startedAt(pid: number, startTs: bigint | undefined): Entry | undefined {
    if (startTs === undefined) return undefined
    const images = this.#byPid.get(pid) ?? []
    for (let i = images.length - 1; i >= 0 && images[i]!.startTs >= startTs && this.isOnClock(images[i]!); i--) {
      if (images[i]!.snapshot.startTs === startTs) return images[i]
    }
    return undefined
  }

  /** The image that a process was at a time, by exec after exec from this one. */
  becameBy(entry: Entry, ts: bigint | undefined): Entry {
    const images = this.#byPid.get(entry.snapshot.pid) ?? []
    let last = entry
    for (let i = images.indexOf(entry) + 1; i > 0 && i < images.length; i++) {
      const next = images[i]!
      if (next.snapshot.previousExecId !== last.snapshot.execId || (ts !== undefined && !this.hadBegun(next, ts))) break
      last = next
    }
    return last
  }

  /** All images, the one used longest ago first. */
  all(): Entry[] {
    return [...this.#entries.keys()]
  }

  /** Notes that an image was used. */
  touch(entry: Entry): void {
    this.#entries.delete(entry)
    this.#entries.set(entry, true)
  }

  /** Has the process hold its image, unless it does. */
  hold(entry: Entry): void {
    if (entry.alive && entry.operations['process++'] === 0) this.#references.take(entry, 'process')
  }

  /** Gives an image the parent that it was without. */
  adopt(entry: Entry, parent: Entry): void {
    entry.parent = parent
    if (entry.guessed) parent.doubtful++
    this.#references.take(parent, 'parent')
  }

  /** One round of collection. */
  tick(): void {
    this.#references.tick()
    this.#counters.size = this.#entries.size
  }

  /** A new image, which has its place among those of its number by its start. */
  insert(
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
        comm: this.#names.keep(birth.comm),
        binary: this.#names.keep(birth.binary),
        args: this.#names.keep(birth.args),
        uid: birth.uid,
        startTs,
        parentExecId: parent?.snapshot.execId ?? birth.parentExecId,
        previousExecId: previous?.snapshot.execId,
        flags: birth.flags,
      }),
      startTs: since,
      epoch: this.#epoch,
      endTs: undefined,
      former: undefined,
      parent,
      parentGiven: false,
      ppid: birth.ppid ?? previous?.ppid,
      alive: true,
      threads: new LivingThreads(pid),
      tentative,
      guessed: birth.guessed ?? tentative,
      parentGuessed: birth.parentGuessed ?? previous?.parentGuessed ?? false,
      doubtful: 0,
      refcount: 0,
      color: 'inUse',
      operations: { 'process++': 0, 'process--': 0, 'parent++': 0, 'parent--': 0 },
    }
    if (birth.execId === undefined) this.#references.take(entry, 'process')
    else this.#byId.set(birth.execId, entry)
    if (parent !== undefined) {
      this.#references.take(parent, 'parent')
      if (entry.guessed) parent.doubtful++
    }
    const images = this.#byPid.get(pid)
    if (images === undefined) this.#byPid.set(pid, [entry])
    else {
      // An image that is heard of late has its place among the others by its start.
      let at = images.length
      while (at > 0 && !this.hadBegun(images[at - 1]!, since)) at--
      images.splice(at, 0, entry)
      if (at < images.length - 1) this.end(entry, images[at + 1]?.startTs)
    }
    this.#entries.set(entry, true)
    const oldest = images?.[0]
    if (images !== undefined && images.length > MOST_IMAGES && oldest !== undefined) {
      this.#counters.capacityEvictions++
      this.discard(oldest)
    }
    if (this.#entries.size > this.#counters.capacity) this.#evict(entry)
    this.#counters.size = this.#entries.size
    return entry
  }

  /** The process no longer holds this image, nor the image its parent. */
  end(entry: Entry, endTs: bigint | undefined): void {
    entry.alive = false
    entry.endTs = endTs
    // A stream described this process as the parent of another: whether it lives is not known, and only its children hold it.
    if (entry.operations['process++'] > 0) this.#references.give(entry, 'process')
    this.#giveParent(entry)
  }

  #giveParent(entry: Entry): void {
    if (entry.parentGiven || entry.parent === undefined) return
    entry.parentGiven = true
    // If it was a thread of its parent, its own children that may be threads are of that group too, and live on.
    if (entry.guessed && entry.doubtful === 0) entry.parent.doubtful--
    this.#references.give(entry.parent, 'parent')
  }

  /** Makes room: the dead go first, then what was used longest ago, which gives its parent back if it still held it. */
  #evict(keep: Entry): void {
    const dead = this.#references.nextToGo()
    const oldest = dead !== undefined && dead !== keep ? dead : this.#oldest.find((entry) => entry !== keep)
    if (oldest === undefined) return
    this.#counters.capacityEvictions++
    this.discard(oldest)
  }

  /** Takes an entry out before its time. */
  discard(entry: Entry): void {
    this.#giveParent(entry)
    this.#references.forget(entry)
    this.#remove(entry)
  }

  #remove(entry: Entry): void {
    if (!this.#entries.delete(entry)) {
      this.#counters.misses.remove++
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
    this.#counters.size = this.#entries.size
  }
}
