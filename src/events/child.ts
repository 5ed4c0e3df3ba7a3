// What is asked of a fork, and what is known of its child until that is answered: whether it is a process or a thread.

import type { Family } from './pace.ts'

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

/** A fork of which it is asked what it made, and what is seen of the child and of who forked it. */
export interface Question extends Asked {
  /** The value of the column of thread groups, which is filled in when the trace is read: right but for numbers that are used again. */
  column: number | undefined
  /** Whether the child forked threads: a leader may exit before those. */
  madeThreads: boolean
  /** When who forked it exited, if the child lived then, and whether that was too quick for the last of a process. */
  forkerWentAt: bigint | undefined
  forkerWentQuick: boolean
  /** It did something after that: nobody killed it. */
  actedAlone: boolean
  /** It went at once after who forked it. */
  wentTogether: boolean
  /** Nanoseconds that its exit took, as far as can be told. */
  exitTook: number | undefined
  /** Whether the child exited; after that its number stands for another thread. */
  exited: boolean
  /** Nothing more will be said of it: its number was given to another thread. */
  closed: boolean
  /** How many threads such a program had forked for each process when it exited. */
  odds: number | undefined
  answer: Child | undefined
}

/** What is known of a question when it is asked. */
interface Asked {
  readonly child: number
  readonly ts: bigint
  /** The thread that forked it; its thread group, as far as it was known when it forked, and what is asked of that thread itself. */
  readonly forker: number
  readonly knownGroup: number | undefined
  readonly ofForker: Question | undefined
  /** Events were lost since the forker was seen to begin: that group may be that of an earlier user of its number. */
  readonly unsure: boolean
  /** What that thread is was guessed. */
  readonly ofGuess: boolean
  /** The child's number stood for another thread before, in this recording. */
  readonly again: boolean
  /** Nanoseconds that the fork took, as far as can be told; and the forker's other children. */
  readonly forkTook: number | undefined
  readonly family: Family
  /** The program that forked it: its name, how many forks are between it and its exec, and what it had done last. */
  readonly comm: string | undefined
  readonly generation: number
  readonly steps: number
}

/** A question without an answer. Written out: every fork passes here, and V8 makes a new class for each object that others are spread into. */
export function ask(asked: Asked): Question {
  return {
    child: asked.child,
    ts: asked.ts,
    forker: asked.forker,
    knownGroup: asked.knownGroup,
    ofForker: asked.ofForker,
    unsure: asked.unsure,
    ofGuess: asked.ofGuess,
    again: asked.again,
    forkTook: asked.forkTook,
    family: asked.family,
    comm: asked.comm,
    generation: asked.generation,
    steps: asked.steps,
    column: undefined,
    madeThreads: false,
    forkerWentAt: undefined,
    forkerWentQuick: false,
    actedAlone: false,
    wentTogether: false,
    exitTook: undefined,
    exited: false,
    closed: false,
    odds: undefined,
    answer: undefined,
  }
}

/** Forkers of forkers that are asked for their group. */
const MOST_ABOVE = 8

/** The group of the thread that forked, as far as it is known by now. */
export function forkerGroup({ knownGroup, ofForker }: Question, above = MOST_ABOVE): number | undefined {
  if (ofForker === undefined || above === 0) return knownGroup
  const { answer, child, column } = ofForker
  if (answer !== undefined) return answer.isThread ? answer.group : child
  return column !== undefined && column === forkerGroup(ofForker, above - 1) ? column : child
}

/** Whether it was not said for certain what the thread is that forked. */
export function isOfGuess({ ofForker, ofGuess }: Question): boolean {
  return ofForker === undefined ? ofGuess : ofForker.answer === undefined || ofForker.answer.guessed
}

/** Whether one of these children, of which nothing is known, lives. */
export function someLive(children: Iterable<Question> = []): boolean {
  for (const { exited } of children) if (!exited) return true
  return false
}

/** A child that lived on after the leader which forked it had exited. */
export function outlived(question: Question): boolean {
  return question.forkerWentAt !== undefined && question.forker === forkerGroup(question)
}

/** The answer that it made a process. */
export function process(): Child {
  return { isThread: false, group: undefined, parentsChild: false, guessed: false, open: false }
}

/** The answer that it made a thread of a group. */
export function thread(group: number | undefined): Child {
  return { isThread: true, group, parentsChild: false, guessed: false, open: false }
}
