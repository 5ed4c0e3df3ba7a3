// The part of a pool's thread in a crew, and the words of memory by which the crew and its threads agree: see crew.ts.

import { threadId } from 'node:worker_threads'
import { runWasm, type SharedMemory } from '../core/wasm-memory.ts'
import { LOOPS_WASM } from '../symbols/loops-wasm.ts'
import type { Loops, StepName } from '../symbols/workspace.ts'
import { type AbsoluteSpan, absoluteNow, type Work } from './timeline.ts'

/**
 * The words that threads share. Pieces are numbered on and on: the next that nobody has taken, the first that there is not yet, how
 * many are done; the step that they belong to, and the number of its first piece less that of the piece itself.
 */
export const NEXT = 0
export const LIMIT = 1
export const DONE = 2
export const STEP = 3
export const BASE = 4
/** Changes with everything that threads may wait for. */
export const SIGNAL = 5
export const ENDED = 6
/** Two words for each thread: whether it has begun; whether it may hold a piece. */
export const THREADS = 7

/** Steps by number, and what kind of work they are for the timeline. */
export const STEPS: readonly (readonly [StepName, Work])[] = [
  ['scan', 'parse'],
  ['rescan', 'read'],
  ['recall', 'gather'],
  ['keepPositions', 'gather'],
  ['markGone', 'gather'],
  ['markOrphans', 'gather'],
  ['seekOrphans', 'gather'],
  ['findOrphans', 'gather'],
  ['shareOut', 'gather'],
  ['enterRoots', 'gather'],
  ['settleRoots', 'gather'],
  ['countRanges', 'merge'],
  ['sumRanges', 'merge'],
  ['spread', 'merge'],
  ['sortRange', 'merge'],
  ['mergeOrder', 'merge'],
  ['placeIds', 'merge'],
  ['placeModules', 'merge'],
  ['moveIds', 'merge'],
  ['markMoved', 'merge'],
  ['listIds', 'merge'],
  ['claimPages', 'merge'],
  ['cutPieces', 'merge'],
  ['believePieces', 'merge'],
  ['doubtPieces', 'merge'],
  ['boundPieces', 'merge'],
  ['settlePieces', 'merge'],
  ['flagIds', 'merge'],
  ['countCells', 'merge'],
  ['enterNames', 'merge'],
]
/** The names of all steps. */
export const STEP_NAMES: readonly StepName[] = STEPS.map(([name]) => name)
export const numberOf = (step: StepName): number => STEPS.findIndex(([name]) => name === step)

/** Milliseconds that the calling thread waits for others before it looks after its event loop. */
export const PATIENCE = 1

/** The memory and numbers that a thread needs to join. */
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
export function take(control: Int32Array): number {
  for (;;) {
    const next = Atomics.load(control, NEXT)
    if (next >= Atomics.load(control, LIMIT)) return -1
    if (Atomics.compareExchange(control, NEXT, next, next + 1) === next) return next
  }
}

/** Measures pieces of one step as one span. */
export class Spans {
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
