// An entry of the process cache, which is one image of a process, and how an image is first heard of.

import { wrong } from '../core/arguments.ts'
import { LivingThreads } from './living-threads.ts'
import type { ProcessSnapshot } from './process.ts'
import type { Color, Counted, Operations } from './refs.ts'
import type { ThreadView } from './threads.ts'

/** A process as it is first heard of. */
export interface Birth {
  readonly pid: number
  readonly startTs: bigint | undefined
  readonly comm?: string | undefined
  readonly binary?: string | undefined
  readonly args?: string | undefined
  readonly uid?: number | undefined
  readonly flags: string
  /** The number of its parent, where it is known. */
  readonly ppid?: number | undefined
  /** From when on events are taken for its, where its start is not known that exactly. */
  readonly sinceTs?: bigint | undefined
  /** Nothing said for certain that this is a process, and no thread. */
  readonly guessed?: boolean | undefined
  /** A thread forked it of which nothing said for certain whose it was. */
  readonly parentGuessed?: boolean | undefined
  /** The recording may hold the same fact a second time, from another recorder and with another time. */
  readonly retold?: boolean | undefined
}

/** An image as a stream that keeps processes itself describes it, with that stream's own names. */
export interface Described extends Birth {
  readonly execId: string
  readonly parentExecId: string | undefined
}

/** An entry as a dump shows it. */
export interface EntryView {
  readonly snapshot: ProcessSnapshot
  readonly refcount: number
  readonly color: Color
  readonly alive: boolean
  readonly parent: ProcessSnapshot | undefined
  /** When it ended or became another image; undefined while it lives. */
  readonly endTs: bigint | undefined
  /** Who took it and who gave it back, and how often. */
  readonly operations: Operations
  /** Its threads that are known, the leader among them. */
  readonly threads: readonly ThreadView[]
}

/** A snapshot and until when it held. */
export interface Former {
  readonly until: bigint
  readonly snapshot: ProcessSnapshot
}

/** One image in the cache. */
export interface Entry extends Counted {
  snapshot: ProcessSnapshot
  readonly startTs: bigint
  /** How often the clock had been set back when it began: times on different clocks are not compared. */
  readonly epoch: number
  /** When it ended; undefined while it lives, or where no event told when. */
  endTs: bigint | undefined
  /** The names it had before, oldest first. */
  former: Former[] | undefined
  /** Its parent; held by reference until `parentGiven`. */
  parent: Entry | undefined
  parentGiven: boolean
  /** Its parent's number, where nothing else is known of the parent. */
  readonly ppid: number | undefined
  alive: boolean
  readonly threads: LivingThreads
  /** Made by a fork of which nothing said whether it made a process or a thread: what comes later may take it back. */
  readonly tentative: boolean
  /** Made by a fork of which nothing said it for certain. */
  readonly guessed: boolean
  /** Forked by a thread of which nothing said for certain whose it was. */
  readonly parentGuessed: boolean
  /** Children that live and may be its threads, and those that ended and left such children. */
  doubtful: number
  /** An event of its own told of its exec, and did not only mention it. */
  told?: boolean
}

/** By hand, because every event passes here. @throws UsageError */
export function checkBirth(birth: Birth, parent: Entry | undefined): void {
  const sound = typeof birth?.pid === 'number' && typeof birth.flags === 'string'
  if (!sound || (birth.startTs !== undefined && typeof birth.startTs !== 'bigint')) {
    throw wrong('birth', '{ pid: number, startTs: bigint or undefined, flags: string, … }', birth)
  }
  if (parent !== undefined) checkEntry(parent, 'parent')
}

/** @throws UsageError */
export function checkEntry(entry: Entry, name: string): void {
  if (typeof entry?.snapshot !== 'object' || !(entry.threads instanceof LivingThreads)) {
    throw wrong(name, 'an entry of this cache, as `find` gives it', entry)
  }
}

/** @throws UsageError */
export function checkDescribed(image: Described, name: string): void {
  checkBirth(image, undefined)
  if (typeof image.execId !== 'string') throw wrong(name, '{ pid, startTs, flags, execId: string, … }', image)
}
