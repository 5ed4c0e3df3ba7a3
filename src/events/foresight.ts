// The facts that events tell of each other. Tracepoints of the scheduler speak of threads, and a fork does not say whether it made one:
// what comes after it does. So events, which come in the order of their times, are held back until those behind have
// said what they know of a thread's number at that time; a number that is used again later stands for another thread. A
// fact that two recorders told is one event.

import { setBounded } from '../core/bounded-map.ts'
import { ask, type Child, forkerGroup, isOfGuess, process, type Question, someLive, thread } from './child.ts'
import { Conduct } from './conduct.ts'
import type { ProcessEvent } from './event.ts'
import { Family } from './pace.ts'
import { MOST_NUMBERS, Numbers, step } from './thread-numbers.ts'
import { isLife, Twins, withOther } from './twins.ts'

/** CLONE_PARENT and CLONE_THREAD of include/uapi/linux/sched.h. */
const CLONE_PARENT = 0x8000
const CLONE_THREAD = 0x1_0000

/** The parent of kernel threads, each a process of its own. */
const KTHREADD = 2
/** Nanoseconds of event time, and events, by which the answer to a question has to come. */
export interface ForesightLimits {
  readonly ns: bigint
  readonly most: number
}

export const FORESIGHT: ForesightLimits = { ns: 2_000_000_000n, most: 16_384 }

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
  /** The column was filled in when a whole recording was read out: all of it is at hand, and answers are waited for. */
  #readOut = false
  /** When the recorder had no room last. */
  #lostAt = -1n
  readonly #numbers = new Numbers()
  readonly #conduct = new Conduct()
  readonly #twins = new Twins<Held<Item>>()

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
    const took = event.tid === undefined ? undefined : this.#conduct.took(event.type, event.cpu, event.tid, ts)
    this.#learn(event, ts, took)
    const held: Held<Item> = { item, event, ts, question: this.#ask(event, ts, took), both: false, told: false }
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
    this.#twins.clear()
  }

  /** The clock was set back: all are handed on, and times before it are not compared with those that follow. */
  setBack(): void {
    this.flush()
    this.#numbers.beginAnew()
    // Threads that are not seen to begin from now on may be others than they were.
    this.#lostAt = 0n
  }

  /** Takes from an event what it says of others that are held. */
  #learn(event: ProcessEvent, ts: bigint, took: number | undefined): void {
    const { type, pid, tid, life } = event
    if (life?.newTask !== undefined) setBounded(this.#flags, life.newTask.tid, life.newTask.flags, MOST_NUMBERS)
    if (type === 'lost') this.#lostAt = ts
    if (tid === undefined) return
    const open = this.#living(tid)
    const isHint = pid !== undefined && event.pidIsHint === true
    const user = isHint ? this.#numbers.user(tid) : this.#numbers.get(tid)
    if (user !== undefined) {
      if (isHint) this.#numbers.column(user, pid)
      user.family?.act(ts)
      if (type !== 'fork') step(user, type)
    }
    if (type === 'exec' && pid !== undefined) {
      // A thread that execs leads its group from then on; if it had another number, it was one of its threads, and the leader has exited.
      const oldPid = life?.oldPid ?? pid
      const leader = oldPid === pid ? open : this.#open.get(pid)
      if (leader !== undefined && pid === tid) {
        this.#conduct.learn(leader, false)
        this.#settle(leader, process())
      }
      this.#numbers.exec(this.#numbers.user(pid), ts)
      const old = oldPid === pid ? undefined : this.#living(oldPid)
      if (old !== undefined) this.#settle(old, thread(pid))
      this.#leaderless.delete(pid)
      this.#outlivesGroup(pid, true)
      return
    }
    if (life?.byThread === false) return
    if (life?.left !== undefined) this.#learnLeft(tid, life.left)
    if (open !== undefined) this.#learnOf(open, event, tid)
    if (type === 'exit' && life !== undefined) this.#learnExit(tid, pid, life.groupDead, ts, took)
  }

  /** The open question about the thread that has a number. What comes of one after its exit is of another, whose fork was lost. */
  #living(tid: number): Question | undefined {
    const open = this.#open.get(tid)
    return open?.exited === true ? undefined : open
  }

  /** Only leaders become zombies; who is gone at once was a thread, or its parent wants no zombies. */
  #learnLeft(tid: number, left: 'zombie' | 'gone'): void {
    const exited = this.#open.get(tid)
    if (exited?.exited !== true) return
    this.#conduct.learn(exited, left === 'gone')
    if (left === 'zombie') this.#settle(exited, process())
    else this.#settle(exited, { ...thread(forkerGroup(exited)), guessed: true })
  }

  #learnOf(open: Question, { type, pid, pidIsHint }: ProcessEvent, tid: number): void {
    if (type !== 'exit' && open.forkerWentAt !== undefined) open.actedAlone = true
    if (pid !== undefined && pidIsHint !== true) this.#settle(open, pid === tid ? process() : thread(pid))
    else if (pid !== undefined) open.column = pid
  }

  #learnExit(
    tid: number,
    pid: number | undefined,
    groupDead: boolean | undefined,
    ts: bigint,
    took: number | undefined,
  ): void {
    const open = this.#living(tid)
    const isQuick = this.#conduct.exits(this.#numbers.get(tid), open, someLive(this.#byForker.get(tid)), took)
    if (groupDead === undefined) {
      // Nothing more is said of this child, but perhaps that its number is used again.
      if (open !== undefined) {
        open.exited = true
        this.#conduct.exited(open, ts)
      }
      this.#outlive(tid, ts, isQuick)
      return
    }
    const group = pid ?? this.#groupOf(tid) ?? tid
    if (!groupDead) {
      // A leader that goes before its threads, or a thread: who has forked nothing that may be a thread is none of the first.
      const mayLead = open?.madeThreads === true || this.#byForker.has(tid)
      if (open !== undefined && !mayLead) this.#conduct.learn(open, true)
      if (open !== undefined && mayLead && this.#readOut && open.column !== undefined && !this.#numbers.live) {
        // Unless its number is used again, the column is right.
        open.exited = true
      } else if (open !== undefined) this.#settle(open, mayLead ? this.#leads(open) : thread(forkerGroup(open)))
      if (open === undefined ? group === tid : open.answer?.isThread !== true)
        setBounded(this.#leaderless, tid, true, MOST_NUMBERS)
      this.#outlive(tid, ts, true)
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
      this.#conduct.learn(open, true)
      return
    }
    const last = mayBeLast && (open.column !== tid || !this.#numbers.live)
    this.#conduct.learn(open, last)
    // Without the column this may be a process, and the last of that group be still to come.
    const guessed = open.column !== forkers && forkers !== undefined && this.#leaderless.has(forkers)
    this.#settle(open, { ...(last ? thread(forkers) : process()), guessed })
    if (last) setBounded(this.#leaderless, forkers, false, MOST_NUMBERS)
  }

  /**
   * A group has ended, or begun anew by exec: what its leader forked and lives on is none of its threads. A number that is given out
   * again need not be a leader's.
   */
  #outlivesGroup(group: number, isLeader: boolean): void {
    for (const question of this.#byForker.get(group) ?? [])
      if (!question.exited && forkerGroup(question) === group)
        this.#settle(question, { ...process(), guessed: !isLeader && isOfGuess(question) })
  }

  /** The children of a thread live on after its exit. */
  #outlive(tid: number, ts: bigint, isQuick: boolean): void {
    for (const question of this.#byForker.get(tid) ?? []) {
      if (question.exited || question.forkerWentAt !== undefined) continue
      question.forkerWentAt = ts
      question.forkerWentQuick = isQuick
    }
  }

  /** Asks of a fork whether it made a thread, where it does not say so itself. */
  #ask({ type, pid, tid, life }: ProcessEvent, ts: bigint, took: number | undefined): Question | undefined {
    const child = life?.childTid
    if (type !== 'fork' || life?.byThread !== true || child === undefined || tid === undefined) return undefined
    const before = this.#open.get(child)
    const user = this.#numbers.user(tid)
    const again = this.#numbers.use(child, user, ts)
    // The number is given out again: the thread that had it is gone, and nothing more is said of it.
    if (before !== undefined) this.#close(before)
    this.#leaderless.delete(child)
    this.#outlivesGroup(child, false)
    const asked = this.#asked.get(tid)
    // What was lost since may have been another fork of the forker's number.
    const ofForker = asked?.exited === false && user.begunAt > this.#lostAt ? asked : undefined
    // Its exec may be held still.
    const group = user.sawExec ? tid : this.#groupOf(tid)
    const flags = this.#flags.get(child)
    this.#flags.delete(child)
    user.family ??= new Family(ts)
    if (tid !== KTHREADD) user.family.forked(took)
    const question = ask({
      child,
      ts,
      forker: tid,
      knownGroup: group ?? pid,
      ofForker,
      ofGuess: user.guessed,
      unsure: user.begunAt <= this.#lostAt && group !== undefined && group !== pid,
      again,
      forkTook: took,
      family: user.family,
      comm: life.comm,
      generation: user.generation,
      steps: user.steps,
    })
    step(user, type)
    if (tid === KTHREADD) question.answer = process()
    else if (life.childIsThread !== undefined) {
      question.answer = life.childIsThread ? thread(life.childPid) : process()
    } else if (flags !== undefined) {
      const isThread = (flags & CLONE_THREAD) !== 0
      question.answer = {
        ...(isThread ? thread(forkerGroup(question)) : process()),
        parentsChild: (flags & CLONE_PARENT) !== 0,
        guessed: isThread && question.unsure,
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
      return { ...(this.#conduct.isThread(question) ? thread(forkers) : process()), guessed: true, open: true }
    // The column is not of the moment, and the number was another's before: it may be that one's.
    if (this.#readOut && question.again && !this.#numbers.live) return this.#byConduct(question)
    return column === child || (forkers !== undefined && column !== forkers) ? process() : thread(column)
  }

  /** A child that exited before others of its group, and forked some that may be of it: where nothing else is known, it led them. */
  #leads(question: Question): Child {
    return question.column === undefined ? { ...process(), guessed: true, open: true } : this.#byColumn(question)
  }

  /**
   * What a child was whose number is used again: the column is of any of its users then, but that a thread is of the group
   * which forked it. Where it says nothing, a child that outlived the leader which forked it is taken for a thread of that one's
   * group, whose leader went first; and else for what such programs fork.
   */
  #byConduct(question: Question): Child {
    const { child, column } = question
    const forkers = forkerGroup(question)
    if (column === child && this.#numbers.live) return process()
    // More than chance, as few numbers are of one group twice.
    if (column !== undefined && column === forkers) return { ...thread(column), guessed: true }
    const isThread = this.#conduct.isThread(question)
    return { ...(isThread ? thread(forkers) : process()), guessed: true, open: column === undefined }
  }

  /** Nothing more will be said of a child: what it was is decided when its fork is handed on. */
  #close(question: Question): void {
    question.closed = true
    this.#forget(question)
  }

  #settle(question: Question, given: Child): void {
    // A number is given out again when its group is no more.
    const likely = given.isThread && given.group === question.child ? process() : given
    // What was lost since may have been its exit: then this is of another.
    const answer = question.unsure || question.ts <= this.#lostAt ? { ...likely, guessed: true } : likely
    if (question.answer === undefined && !answer.guessed) this.#conduct.settled(question, answer.isThread)
    question.answer ??= answer
    const user = this.#numbers.get(question.child)
    if (user?.begunAt === question.ts) user.guessed = answer.guessed
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
    const other = this.#twins.other(held)
    if (other === undefined) return
    held.told = true
    other.both = true
    other.event = withOther(other.event, held.event)
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
      const twin = isLife(event) && event.life?.told !== undefined && !both && !told && now - ts < this.#twins.patience
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

/** Spent places at the front before they are given up. */
const SPENT = 1024
