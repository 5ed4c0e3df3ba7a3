// Threads that carry out the steps of a plan together, over one memory: whoever is free takes the next piece from a counter, and a
// step begins when all pieces of the one before are done. Nobody waits for a thread that has not begun or holds no piece.

import { threadId } from 'node:worker_threads'
import { runWasm, type SharedMemory } from '../core/wasm-memory.ts'
import { LOOPS_WASM } from '../symbols/loops-wasm.ts'
import type { Loops, Plan, StepName, StepPieces, Workspace } from '../symbols/workspace.ts'
import type { Pacer } from './pacer.ts'
import type { LoaderThreads } from './symbols.ts'
import { type AbsoluteSpan, absoluteNow, type Timeline, type Work } from './timeline.ts'

/**
 * The words that threads share. Pieces are numbered on and on: the next that nobody has taken, the first that there is not yet, how
 * many are done; the step that they belong to, and the number of its first piece less that of the piece itself.
 */
const NEXT = 0
const LIMIT = 1
const DONE = 2
const STEP = 3
const BASE = 4
/** Changes with everything that threads may wait for. */
const SIGNAL = 5
const ENDED = 6
/** Two words for each thread: whether it has begun; whether it may hold a piece. */
const THREADS = 7

/** Steps by number, and what kind of work they are for the timeline. */
const STEPS: readonly (readonly [StepName, Work])[] = [
  ['scan', 'parse'],
  ['rescan', 'read'],
  ['recall', 'gather'],
  ['shareOut', 'gather'],
  ['enterRoots', 'gather'],
  ['countRanges', 'merge'],
  ['sumRanges', 'merge'],
  ['spread', 'merge'],
  ['sortRange', 'merge'],
  ['placeIds', 'merge'],
  ['listIds', 'merge'],
  ['flagIds', 'merge'],
  ['countCells', 'merge'],
  ['enterNames', 'merge'],
]
/** The names of all steps. */
export const STEP_NAMES: readonly StepName[] = STEPS.map(([name]) => name)
const numberOf = (step: StepName): number => STEPS.findIndex(([name]) => name === step)

/** Milliseconds that the calling thread waits for others before it looks after its event loop. */
const PATIENCE = 1

/** What a thread needs to join. */
export interface JoinTask {
  readonly memory: SharedMemory
  /** By which the thread knows the memory again: what it is given is a new object each time. */
  readonly memoryId: number
  readonly control: Int32Array<SharedArrayBuffer>
  readonly build: number
  /** The thread's number; 0 is the calling thread. */
  readonly thread: number
}

/** Takes the next piece; -1 if there is none now. */
function take(control: Int32Array): number {
  for (;;) {
    const next = Atomics.load(control, NEXT)
    if (next >= Atomics.load(control, LIMIT)) return -1
    if (Atomics.compareExchange(control, NEXT, next, next + 1) === next) return next
  }
}

/** Measures pieces of one step as one span. */
class Spans {
  readonly spans: AbsoluteSpan[] = []

  add(step: number, start: number): void {
    const [name, work] = STEPS[step]!
    const end = absoluteNow()
    const last = this.spans.at(-1)
    if (last?.what === name && start - last.end < PATIENCE) this.spans[this.spans.length - 1] = { ...last, end }
    else this.spans.push({ work, what: name, thread: threadId, start, end })
  }
}

/** The loops over the memory of the last task: a thread that waits for the next never collects, so it makes nothing twice. */
let known: { readonly id: number; readonly loops: Loops } | undefined

function loopsOver(memory: SharedMemory, id: number): Loops {
  // What the module exports is known from its source.
  if (known?.id !== id) known = { id, loops: runWasm(LOOPS_WASM, memory) as Loops }
  return known.loops
}

/** Does pieces on a thread of the pool until the plan is over. Holds its thread. */
export function join({ memory, memoryId, control, build, thread }: JoinTask): readonly AbsoluteSpan[] {
  const mine = THREADS + 2 * (thread - 1)
  const spans = new Spans()
  Atomics.store(control, mine, 1)
  // Its memory may be used for something else by now.
  if (Atomics.load(control, ENDED) === 1) return []
  const loops = loopsOver(memory, memoryId)
  Atomics.add(control, SIGNAL, 1)
  for (;;) {
    const signal = Atomics.load(control, SIGNAL)
    Atomics.store(control, mine + 1, 1)
    const ticket = take(control)
    if (ticket >= 0) {
      const step = control[STEP]!
      const start = absoluteNow()
      loops[STEPS[step]![0]](build, ticket - control[BASE]!, thread)
      spans.add(step, start)
      Atomics.add(control, DONE, 1)
      Atomics.notify(control, DONE)
    }
    Atomics.store(control, mine + 1, 0)
    if (ticket >= 0) continue
    if (Atomics.load(control, ENDED) === 1) return spans.spans
    Atomics.wait(control, SIGNAL, signal)
  }
}

/** The calling thread with the threads that have come to help it. */
export class Crew {
  readonly #workspace: Workspace
  readonly #pacer: Pacer
  readonly #timeline: Timeline
  readonly #control: Int32Array<SharedArrayBuffer>
  readonly #threads: LoaderThreads | undefined
  readonly #count: number
  readonly #answers: Promise<void>[] = []
  readonly #spans = new Spans()
  /** Whether the calling thread does pieces though all threads have come: it has a core of its own. */
  readonly #alwaysHelps: boolean
  #failure: { readonly error: unknown } | undefined

  constructor(
    workspace: Workspace,
    threads: LoaderThreads | undefined,
    cores: number,
    pacer: Pacer,
    timeline: Timeline,
  ) {
    this.#workspace = workspace
    this.#pacer = pacer
    this.#timeline = timeline
    this.#threads = threads
    this.#count = threads?.count ?? 0
    this.#alwaysHelps = this.#count < cores
    this.#control = new Int32Array(new SharedArrayBuffer(4 * (THREADS + 2 * this.#count)))
  }

  /** Calls the threads, which begin when they have come. */
  summon(): void {
    const { memory, build } = this.#workspace
    const common = { do: 'join', memory: memory.shared, memoryId: memory.id, control: this.#control, build } as const
    while (this.#answers.length < this.#count) {
      const thread = this.#answers.length + 1
      const answer = this.#threads!.run({ ...common, thread })
        .then(({ spans }) => this.#timeline.adopt(spans))
        .catch((error: unknown) => this.#lost(thread, error))
      this.#answers.push(answer)
    }
  }

  /** How many threads have begun. */
  get #begun(): number {
    return this.#answers.filter((_, i) => Atomics.load(this.#control, THREADS + 2 * i) === 1).length
  }

  /** Whether the calling thread is needed for pieces. */
  get #helps(): boolean {
    return this.#alwaysHelps || this.#begun < this.#count
  }

  /** Whether there is nobody but the calling thread. */
  get alone(): boolean {
    return this.#begun === 0
  }

  /** A thread is gone: that matters if it had a piece, or if it has told of an error. */
  #lost(thread: number, error: unknown): void {
    const at = THREADS + 2 * (thread - 1)
    const held = Atomics.load(this.#control, at + 1) === 1
    Atomics.store(this.#control, at, 0)
    if (!held) return
    this.#failure ??= { error }
    Atomics.add(this.#control, SIGNAL, 1)
  }

  /** Adds pieces of a step; those of another step only when all before are done. */
  add({ step, from, to }: StepPieces): void {
    const control = this.#control
    const limit = control[LIMIT]!
    const number = numberOf(step)
    if (control[STEP] !== number || control[BASE] !== limit - from) {
      control[STEP] = number
      control[BASE] = limit - from
    }
    Atomics.store(control, LIMIT, limit + to - from)
    Atomics.add(control, SIGNAL, 1)
    Atomics.notify(control, SIGNAL)
  }

  /** Does the next piece on this thread; false if there is none. */
  help(): boolean {
    const control = this.#control
    const ticket = take(control)
    if (ticket < 0) return false
    const start = absoluteNow()
    this.#workspace.run(STEPS[control[STEP]!]![0], ticket - control[BASE]!)
    this.#spans.add(control[STEP]!, start)
    Atomics.add(control, DONE, 1)
    return true
  }

  /** Waits until at most `most` of the pieces that were added are not done. @throws what made a thread fail; AbortedError */
  async settle(most = 0): Promise<void> {
    const control = this.#control
    for (;;) {
      const done = Atomics.load(control, DONE)
      if (this.#failure !== undefined) throw this.#failure.error
      if (control[LIMIT]! - done <= most) return
      if (!(this.#helps && this.help())) Atomics.wait(control, DONE, done, PATIENCE)
      if (this.#pacer.due) await this.#pacer.pause()
    }
  }

  /** Goes through a plan. @throws as `settle`, and what the plan throws */
  async carryOut<T>(plan: Plan<T>): Promise<T> {
    for (;;) {
      const start = this.#timeline.elapsed
      const step = plan.next()
      if (this.#timeline.elapsed - start > PATIENCE) this.#timeline.record('merge', 'between steps', start)
      if (step.done === true) return step.value
      if (step.value !== undefined && step.value.from < step.value.to) {
        this.add(step.value)
        await this.settle()
      }
      if (this.#pacer.due) await this.#pacer.pause()
    }
  }

  /** Lets the threads go; when it is over none of them touches the memory any more. */
  async end(): Promise<void> {
    const control = this.#control
    // What nobody has begun is not done any more.
    Atomics.store(control, NEXT, control[LIMIT]!)
    Atomics.store(control, ENDED, 1)
    Atomics.add(control, SIGNAL, 1)
    Atomics.notify(control, SIGNAL)
    await Promise.all(this.#answers.filter((_, i) => Atomics.load(control, THREADS + 2 * i) === 1))
    this.#timeline.adopt(this.#spans.spans)
  }
}
