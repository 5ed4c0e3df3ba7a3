// Threads that carry out the steps of a plan together, over one memory: a thread that is free takes the next piece from a counter, and
// a step begins when all pieces of the one before are done. A step never waits for a thread that has not begun or holds no piece.

import type { Plan, StepPieces, Workspace } from '../symbols/workspace.ts'
import {
  BASE,
  DONE,
  ENDED,
  LIMIT,
  NEXT,
  numberOf,
  PATIENCE,
  SIGNAL,
  Spans,
  STEP,
  STEPS,
  THREADS,
  take,
} from './crew-thread.ts'
import type { Pacer } from './pacer.ts'
import type { LoaderThreads } from './tasks.ts'
import { absoluteNow, type Timeline } from './timeline.ts'

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

  /** Whether there is no thread but the calling one. */
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
      if (step.done === true || step.value !== undefined) await this.settle()
      if (step.done === true) return step.value
      if (step.value !== undefined && step.value.from < step.value.to) {
        this.add(step.value)
        if (step.value.ahead !== true) await this.settle()
      }
      if (this.#pacer.due) await this.#pacer.pause()
    }
  }

  /** Lets the threads go; when it is over none of them touches the memory any more. */
  async end(): Promise<void> {
    const control = this.#control
    // Pieces that have not been begun are not done any more.
    Atomics.store(control, NEXT, control[LIMIT]!)
    Atomics.store(control, ENDED, 1)
    Atomics.add(control, SIGNAL, 1)
    Atomics.notify(control, SIGNAL)
    await Promise.all(this.#answers.filter((_, i) => Atomics.load(control, THREADS + 2 * i) === 1))
    this.#timeline.adopt(this.#spans.spans)
  }
}
