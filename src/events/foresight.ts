// The facts that events tell of each other. Tracepoints of the scheduler speak of threads, and a fork does not say whether it made one:
// what comes after it does. So events, which come in the order of their times, are held back until those behind have
// said what they know of a thread's number at that time; a number that is used again later stands for another thread. A
// fact that two recorders told is one event.

import { setBounded } from '../core/bounded-map.ts'
import { type ProcessEvent, together } from './event.ts'
import { Habits, MOST_NUMBERS, Numbers } from './thread-numbers.ts'

/** CLONE_PARENT and CLONE_THREAD of include/uapi/linux/sched.h. */
const CLONE_PARENT = 0x8000
const CLONE_THREAD = 0x1_0000

/** The parent of kernel threads, of which each is a process of its own. */
const KTHREADD = 2

/** Nanoseconds of event time, and events, by which the answer to a question has to come. */
export interface ForesightLimits {
  readonly ns: bigint
  readonly most: number
}

export const FORESIGHT: ForesightLimits = { ns: 2_000_000_000n, most: 16_384 }

/**
 * Nanoseconds within which a recorder's own event and the kernel's tracepoint speak of one fact: between the two the kernel may
 * be interrupted, or emulated. Shorter than any number takes to be used again.
 */
const SAME_FACT_NS = 50_000_000n
/** Nanoseconds that a fact waits for its second telling, in a recording that was not seen to tell twice. */
const FIRST_TWIN_NS = 1_000_000n
/** Nanoseconds within which the threads of a group end that is killed, or whose leader returns from `main`. */
const TOGETHER_NS = 10_000_000n

/** The answer to the question whether a fork made a thread. */
export interface Child {
  readonly isThread: boolean
  /** Its thread group, where it is known. */
  readonly group: number | undefined
  /** Its real parent is that of the forking process. */
  readonly parentsChild: boolean
  /** Nothing said it for certain. */
  readonly guessed: boolean
  /** Nothing said anything: what comes later may correct it. */
  readonly open: boolean
}

/** An event that is held back. */
interface Held<Item> {
  readonly item: Item
  readonly ts: bigint
  /** The question about its child; undefined where there is none. */
  readonly question: Question | undefined
  /** The event, with what another recorder said of the same fact. */
  event: ProcessEvent
  both: boolean
  /** Another event says the same, and stays. */
  told: boolean
}

interface Question {
  readonly child: number
  readonly ts: bigint
  /** The thread group of the forking thread, as far as it was known when it forked, and what is asked of that thread itself. */
  readonly knownGroup: number | undefined
  readonly ofForker: Question | undefined
  /** The value of the column of thread groups, which is filled in when the trace is read: right but for numbers that are used again. */
  column: number | undefined
  /** Whether the child forked threads: a leader may exit before those. */
  madeThreads: boolean
  /** The thread that forked it, when that exited if the child lived then, and whether the child went at once after it. */
  readonly forker: number
  forkerWentAt: bigint | undefined
  wentTogether: boolean
  /** Whether the child exited; after that its number stands for another thread. */
  exited: boolean
  /** Its number stood for another thread before, in this recording. */
  readonly again: boolean
  /** Nothing more will be said of it: its number was given to another thread. */
  closed: boolean
  /** The kind of program that forked it: programs repeat themselves. */
  readonly kind: string
  answer: Child | undefined
}

/** Takes items in the order of their times, and hands them on in that order with what was found out of them. */
export class Foresight<Item> {
  readonly #eventOf: (item: Item) => ProcessEvent
  readonly #groupOf: (tid: number) => number | undefined
  readonly #apply: (item: Item, event: ProcessEvent, child: Child | undefined, told: boolean) => void
  readonly #limits: ForesightLimits
  #held: Held<Item>[] = []
  #head = 0
  /** Questions without an answer that holds, by the child's number. */
  readonly #open = new Map<number, Question>()
  /** Open questions by the thread that forked the child. */
  readonly #byForker = new Map<number, Set<Question>>()
  /** The last question about each number, of events that are held. */
  readonly #asked = new Map<number, Question>()
  /** Flags of clone calls whose fork is still to come, by the child's number. */
  readonly #flags = new Map<number, number>()
  /** Groups whose leader has exited while others of it live; false where one that may have been the last of them has exited. */
  readonly #leaderless = new Map<number, boolean>()
  /** Whether the recording tells facts twice. */
  #toldTwice = false
  /** The column was filled in when a whole recording was read out: all of it is at hand, and answers are waited for. */
  #readOut = false
  /** When the recorder had no room last. */
  #lostAt = -1n
  readonly #numbers = new Numbers()
  readonly #habits = new Habits()
  /** Facts that were told a moment ago, by what they are. */
  readonly #facts = new Map<string, Held<Item>>()

  /** `groupOf` says which thread group a thread is of, as far as events that were handed on told. */
  constructor(
    limits: ForesightLimits,
    eventOf: (item: Item) => ProcessEvent,
    groupOf: (tid: number) => number | undefined,
    apply: (item: Item, event: ProcessEvent, child: Child | undefined, told: boolean) => void,
  ) {
    this.#limits = limits
    this.#eventOf = eventOf
    this.#groupOf = groupOf
    this.#apply = apply
  }

  push(item: Item, ts: bigint): void {
    const event = this.#eventOf(item)
    this.#learn(event, ts)
    const held: Held<Item> = { item, event, ts, question: this.#ask(event, ts), both: false, told: false }
    this.#held.push(held)
    this.#compare(held)
    this.#release(ts)
  }

  /** The events that follow were read out of the recorder's buffer as a whole, with the column as it was known then. */
  readOut(): void {
    this.#readOut = true
  }

  /** Hands the earliest event on with what is known by now. */
  hurry(): void {
    if (this.#head < this.#held.length) this.#handOn()
  }

  /** No more events come: all are handed on. */
  flush(): void {
    while (this.#head < this.#held.length) this.#handOn()
    this.#flags.clear()
    this.#leaderless.clear()
    this.#facts.clear()
  }

  /** Takes from an event what it says of others that are held. */
  #learn(event: ProcessEvent, ts: bigint): void {
    const { type, pid, tid, life } = event
    if (life?.newTask !== undefined) setBounded(this.#flags, life.newTask.tid, life.newTask.flags, MOST_NUMBERS)
    if (type === 'lost') this.#lostAt = ts
    if (tid === undefined) return
    const open = this.#open.get(tid)
    if (pid !== undefined && event.pidIsHint === true) this.#numbers.column(tid, pid)
    if (type === 'exec' && pid !== undefined) {
      // A thread that execs is its group's leader from then on; if it had another number, it was a thread of that group before.
      if (open !== undefined && pid === tid) {
        this.#habits.add(open.kind, false)
        this.#settle(open, process())
      }
      this.#numbers.exec(pid)
      const old = life?.oldPid === undefined || life.oldPid === pid ? undefined : this.#open.get(life.oldPid)
      if (old !== undefined) this.#settle(old, thread(pid))
      this.#leaderless.delete(pid)
      this.#outlivesGroup(pid)
      return
    }
    if (life?.byThread === false) return
    if (open !== undefined && !open.exited) this.#learnOf(open, event, tid)
    if (type === 'exit' && life !== undefined) this.#learnExit(tid, pid, life.groupDead, ts)
  }

  #learnOf(open: Question, { pid, pidIsHint }: ProcessEvent, tid: number): void {
    if (pid !== undefined && pidIsHint !== true) this.#settle(open, pid === tid ? process() : thread(pid))
    else if (pid !== undefined) open.column = pid
  }

  #learnExit(tid: number, pid: number | undefined, groupDead: boolean | undefined, ts: bigint): void {
    const open = this.#open.get(tid)
    if (groupDead === undefined) {
      // Nothing more is said of this child, but perhaps that its number is used again.
      if (open !== undefined) {
        open.exited = true
        open.wentTogether = outlived(open) && ts - (open.forkerWentAt ?? ts) <= TOGETHER_NS
        const isForkers = open.column !== undefined && open.column === forkerGroup(open)
        if (isForkers || outlived(open)) this.#habits.add(open.kind, true)
      }
      this.#outlive(tid, ts)
      return
    }
    const group = pid ?? this.#groupOf(tid) ?? tid
    if (!groupDead) {
      // A leader that goes before its threads, or a thread: who has forked nothing that may be a thread is none of the first.
      const mayLead = open?.madeThreads === true || this.#byForker.has(tid)
      if (open !== undefined && !mayLead) this.#habits.add(open.kind, true)
      if (open !== undefined && mayLead && this.#readOut && open.column !== undefined && !this.#numbers.live) {
        // Unless its number is used again, the column is right.
        open.exited = true
      } else if (open !== undefined) this.#settle(open, mayLead ? this.#byColumn(open) : thread(forkerGroup(open)))
      if (open === undefined ? group === tid : open.answer?.isThread !== true)
        setBounded(this.#leaderless, tid, true, MOST_NUMBERS)
      this.#outlive(tid, ts)
      return
    }
    this.#leaderless.delete(group)
    if (open === undefined) return
    // The last of a group whose leader went before it is a thread.
    const forkers = forkerGroup(open)
    const mayBeLast = forkers !== undefined && (open.column === forkers || this.#leaderless.get(forkers) === true)
    if (mayBeLast && open.column === tid && !this.#numbers.live && !open.again) {
      // The same as above.
      open.exited = true
      this.#habits.add(open.kind, true)
      return
    }
    const last = mayBeLast && (open.column !== tid || !this.#numbers.live)
    this.#habits.add(open.kind, last)
    // Without the column this may be a process, and the last of that group be still to come.
    const guessed = open.column !== forkers && forkers !== undefined && this.#leaderless.has(forkers)
    this.#settle(open, { ...(last ? thread(forkers) : process()), guessed })
    if (last) setBounded(this.#leaderless, forkers, false, MOST_NUMBERS)
  }

  /** A group has ended, or begun anew by exec: what its leader forked and lives on is none of its threads. */
  #outlivesGroup(group: number): void {
    // Unless its exit was lost.
    for (const question of this.#byForker.get(group) ?? [])
      if (!question.exited && forkerGroup(question) === group)
        this.#settle(question, { ...process(), guessed: question.ts <= this.#lostAt })
  }

  /** The children of a thread live on after its exit. */
  #outlive(tid: number, ts: bigint): void {
    for (const question of this.#byForker.get(tid) ?? []) if (!question.exited) question.forkerWentAt ??= ts
  }

  /** Asks of a fork whether it made a thread, where it does not say so itself. */
  #ask({ type, pid, tid, life }: ProcessEvent, ts: bigint): Question | undefined {
    const child = life?.childTid
    if (type !== 'fork' || life?.byThread !== true || child === undefined || tid === undefined) return undefined
    const before = this.#open.get(child)
    const again = this.#numbers.use(child)
    // The number is given out again: the thread that had it is gone, and nothing more is said of it.
    if (before !== undefined) this.#close(before)
    this.#leaderless.delete(child)
    this.#outlivesGroup(child)
    const ofForker = this.#asked.get(tid)
    const knownGroup = this.#groupOf(tid) ?? pid
    const flags = this.#flags.get(child)
    this.#flags.delete(child)
    const question: Question = {
      child,
      ts,
      knownGroup,
      ofForker,
      forker: tid,
      column: undefined,
      madeThreads: false,
      forkerWentAt: undefined,
      wentTogether: false,
      exited: false,
      again,
      closed: false,
      kind: `${this.#numbers.hasExeced(tid)} ${life.comm}`,
      answer: undefined,
    }
    if (tid === KTHREADD) question.answer = process()
    else if (life.childIsThread !== undefined) {
      question.answer = life.childIsThread ? thread(life.childPid) : process()
    } else if (flags !== undefined) {
      const isThread = (flags & CLONE_THREAD) !== 0
      question.answer = {
        ...(isThread ? thread(forkerGroup(question)) : process()),
        parentsChild: (flags & CLONE_PARENT) !== 0,
      }
    } else {
      this.#open.set(child, question)
      const others = this.#byForker.get(tid)
      if (others === undefined) this.#byForker.set(tid, new Set([question]))
      else others.add(question)
    }
    if (question.answer?.isThread === true && ofForker !== undefined) ofForker.madeThreads = true
    this.#asked.set(child, question)
    return question
  }

  /**
   * What the column says of a child, where nothing better is known. A thread is of the group that forked it: another group's
   * number is that of a later user of the child's number.
   */
  #byColumn(question: Question): Child {
    const { child, column } = question
    const forkers = forkerGroup(question)
    if (column === undefined)
      return { ...(question.wentTogether ? thread(forkers) : process()), guessed: true, open: true }
    if (this.#readOut && this.#isDoubtful(question)) return this.#byConduct(question)
    return column === child || (forkers !== undefined && column !== forkers) ? process() : thread(column)
  }

  /** The column is not of the moment, and the number was another's before: it may be that one's. */
  #isDoubtful(question: Question): boolean {
    return question.again && !this.#numbers.live
  }

  /**
   * What a child was whose number is used again: the column is of any of its users then, but that a thread is of the group
   * which forked it. Where it says nothing, a child that outlived the leader which forked it is taken for a thread of that one's
   * group, whose leader went first; and else for what such programs fork.
   */
  #byConduct(question: Question): Child {
    const { child, column, kind } = question
    const forkers = forkerGroup(question)
    if (column === child && this.#numbers.live) return process()
    // More than chance, as few numbers are of one group twice.
    if (column !== undefined && column === forkers) return { ...thread(column), guessed: true }
    const isThread = outlived(question) || this.#habits.isOfThreads(kind)
    return { ...(isThread ? thread(forkers) : process()), guessed: true, open: column === undefined }
  }

  /** Nothing more will be said of a child: what it was is decided when its fork is handed on, by what is known then. */
  #close(question: Question): void {
    question.closed = true
    this.#forget(question)
  }

  #settle(question: Question, given: Child): void {
    // A number is given out again when its group is no more.
    const answer = given.isThread && given.group === question.child ? process() : given
    question.answer ??= answer
    if (answer.isThread && question.ofForker !== undefined) question.ofForker.madeThreads = true
    this.#forget(question)
  }

  #forget(question: Question): void {
    if (this.#open.get(question.child) === question) this.#open.delete(question.child)
    const others = this.#byForker.get(question.forker)
    if (others?.delete(question) === true && others.size === 0) this.#byForker.delete(question.forker)
  }

  /** Finds out whether another recorder told the same fact a moment before. */
  #compare(held: Held<Item>): void {
    const { type, tid, life, pid } = held.event
    if (life?.told === undefined || !isLife(held.event)) return
    const key = `${type} ${type === 'fork' ? life.childTid : type === 'exec' ? pid : tid}`
    const other = this.#facts.get(key)
    if (other === undefined || other.event.life?.told === life.told || held.ts - other.ts > SAME_FACT_NS) {
      setBounded(this.#facts, key, held, MOST_NUMBERS)
      return
    }
    this.#facts.delete(key)
    this.#toldTwice = true
    held.told = true
    other.both = true
    const { event } = other
    other.event = {
      ...event,
      pid: event.pid ?? pid,
      comm: event.comm ?? held.event.comm,
      life: together(event.life ?? life, life),
    }
    if (held.question !== undefined && other.question !== undefined) {
      if (held.question.answer !== undefined) this.#settle(other.question, held.question.answer)
      else if (other.question.answer !== undefined) this.#settle(held.question, other.question.answer)
    }
  }

  #release(now: bigint): void {
    while (this.#head < this.#held.length) {
      const { question, ts, event, both, told } = this.#held[this.#head]!
      const patient = this.#readOut || now - ts < this.#limits.ns
      const waits = question !== undefined && question.answer === undefined && !question.closed && patient
      // A fact that two recorders may tell waits for the second.
      const patience = this.#toldTwice ? SAME_FACT_NS : FIRST_TWIN_NS
      const twin = isLife(event) && event.life?.told !== undefined && !both && !told && now - ts < patience
      if (!waits && !twin) this.#handOn()
      else if (this.#held.length - this.#head > this.#limits.most) this.#handOn()
      else break
    }
  }

  #handOn(): void {
    const { item, event, question, told } = this.#held[this.#head]!
    this.#head++
    if (this.#head >= SPENT && this.#head * 2 >= this.#held.length) {
      this.#held = this.#held.slice(this.#head)
      this.#head = 0
    }
    if (question !== undefined && question.answer === undefined)
      this.#settle(question, question.closed ? this.#byConduct(question) : this.#byColumn(question))
    if (question !== undefined && this.#asked.get(question.child) === question) this.#asked.delete(question.child)
    this.#apply(item, event, question?.answer, told)
  }
}

/** The group of the thread that forked, as far as it is known by now. */
function forkerGroup({ knownGroup, ofForker }: Question): number | undefined {
  if (ofForker === undefined) return knownGroup
  const { answer, child, column } = ofForker
  if (answer !== undefined) return answer.isThread ? answer.group : child
  return column !== undefined && column === ofForker.knownGroup ? column : child
}

/** A child that lived on after the leader which forked it had exited. */
function outlived(question: Question): boolean {
  return question.forkerWentAt !== undefined && question.forker === forkerGroup(question)
}

/** Spent places at the front before they are given up. */
const SPENT = 1024

function isLife({ type }: ProcessEvent): boolean {
  return type === 'fork' || type === 'exit' || type === 'exec'
}

function process(): Child {
  return { isThread: false, group: undefined, parentsChild: false, guessed: false, open: false }
}

function thread(group: number | undefined): Child {
  return { isThread: true, group, parentsChild: false, guessed: false, open: false }
}
