// Where a table is built: one WebAssembly memory, the loops that run over it, and the words by which they find what they work on.

import { LimitError } from '../core/errors.ts'
import { borrowWasm, giveBack, noWasm, type WasmMemory } from '../core/wasm-memory.ts'
import { BUILD_BYTES, BUILD_DIGITS, BUILD_HASHES, DIGITS_BYTES, HASHES_BYTES } from './constants.ts'
import { writeTables } from './loop-tables.ts'
import { LOOPS_WASM } from './loops-wasm.ts'

/** Room begins on such a boundary. */
const ALIGNMENT = 16

/** The loops of which each does one piece of a step. */
export type StepName =
  | 'scan'
  | 'rescan'
  | 'recall'
  | 'keepPositions'
  | 'markGone'
  | 'markOrphans'
  | 'seekOrphans'
  | 'findOrphans'
  | 'shareOut'
  | 'enterRoots'
  | 'settleRoots'
  | 'countRanges'
  | 'sumRanges'
  | 'spread'
  | 'sortRange'
  | 'mergeOrder'
  | 'placeIds'
  | 'placeModules'
  | 'moveIds'
  | 'markMoved'
  | 'listIds'
  | 'claimPages'
  | 'cutPieces'
  | 'believePieces'
  | 'doubtPieces'
  | 'boundPieces'
  | 'settlePieces'
  | 'flagIds'
  | 'countCells'
  | 'enterNames'

/** Pieces [from, to) of a step: they may be done in any order and side by side, and all before anything behind them. */
export interface StepPieces {
  readonly step: StepName
  readonly from: number
  readonly to: number
  /** What stands behind it in the plan, up to the next step, needs nothing of it, and may be done beside it. */
  readonly ahead?: boolean
}

/** No pieces: what stands behind it in the plan needs what went ahead. */
export const ALL_DONE: StepPieces = { step: 'scan', from: 0, to: 0 }

/** What is to be done for a result: steps for the loops, and nothing where only the event loop may have a turn. */
// biome-ignore lint/suspicious/noConfusingVoidType: generators that yield nothing are parts of plans
export type Plan<T> = Generator<StepPieces | void, T, void>

type Step = (build: number, piece: number, thread: number) => void

/** The functions of the module; a test holds their number of parameters to this. */
export type Loops = Readonly<Record<StepName, Step>> & {
  countLines(text: number, length: number): number
  cutOf(text: number, length: number): number
  slotsFor(count: number): number
  digest(text: number, length: number, out: number): void
}

/** Memory and loops that belong together. What is cut from it lives until `release`. */
export class Workspace {
  readonly loops: Loops
  /** The address of the words that tell the loops where everything is: see constants.ts. */
  readonly build: number
  /** How many threads have room of their own. */
  readonly threads: number
  readonly memory: WasmMemory
  #words: Uint32Array<SharedArrayBuffer> | undefined
  /** Memory that was cut and is not needed any more. */
  readonly #spare: { readonly address: number; readonly bytes: number }[] = []

  private constructor(memory: WasmMemory, loops: Loops, threads: number) {
    this.memory = memory
    this.loops = loops
    this.threads = threads
    this.build = memory.allocate(BUILD_BYTES).byteOffset
    this.set(BUILD_HASHES, this.room(HASHES_BYTES * threads))
    this.set(BUILD_DIGITS, this.room(DIGITS_BYTES * threads))
    writeTables(this)
  }

  /**
   * In memory that the caller has, or in some that was given back.
   * @throws UnsupportedError where this engine has no WebAssembly with threads and vectors, or no memory for it
   */
  static open(threads = 1, known?: WasmMemory): Workspace {
    const wasm = borrowWasm(LOOPS_WASM, known)
    if (wasm === undefined) throw noWasm()
    // The module's exports are known from its source; a test holds their types to it.
    return new Workspace(wasm.memory, wasm.exports as Loops, threads)
  }

  /** The whole memory in words. Ask anew after memory was cut: it may have grown. */
  get words(): Uint32Array<SharedArrayBuffer> {
    const { buffer } = this.memory
    if (this.#words?.buffer !== buffer) this.#words = new Uint32Array(buffer)
    return this.#words
  }

  /** The address of fresh memory, in which there may be anything, on a boundary of 16 bytes. @throws LimitError */
  room(bytes: number): number {
    const i = this.#spare.findIndex((spare) => spare.bytes >= bytes)
    if (i >= 0) {
      const { address, bytes: had } = this.#spare[i]!
      const used = Math.ceil(bytes / ALIGNMENT) * ALIGNMENT
      this.#spare[i] = { address: address + used, bytes: had - used }
      return address
    }
    try {
      return this.memory.room(bytes).byteOffset
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
      throw new LimitError('so many symbols need more memory than there is for them: 4 GiB at the most')
    }
  }

  /** Has memory, which `room` gave, be used again: what has not been touched before costs time and stays resident. */
  free(address: number, bytes: number): void {
    this.#spare.push({ address, bytes })
  }

  bytes(address: number, length: number): Uint8Array<SharedArrayBuffer> {
    return new Uint8Array(this.memory.buffer, address, length)
  }

  /** Memory with a copy of an array. */
  copy(array: Uint8Array | Uint16Array | Uint32Array | Float64Array | BigUint64Array): number {
    const address = this.room(array.byteLength)
    this.bytes(address, array.byteLength).set(new Uint8Array(array.buffer, array.byteOffset, array.byteLength))
    return address
  }

  /** A word of the build. */
  get(field: number): number {
    return this.words[(this.build + field) >>> 2]!
  }

  set(field: number, value: number): void {
    this.words[(this.build + field) >>> 2] = value
  }

  /** Does a piece of a step as thread number `thread`. */
  run(step: StepName, piece: number, thread = 0): void {
    this.loops[step](this.build, piece, thread)
  }

  /** Gives the memory back: nothing that was cut from it may be used any more. */
  release(): void {
    giveBack(this.memory)
  }
}

/** Goes through a plan on this thread without a pause. */
export function carryOut<T>(plan: Plan<T>, workspace: Workspace): T {
  for (;;) {
    const step = plan.next()
    if (step.done === true) return step.value
    const work = step.value
    if (work !== undefined) for (let piece = work.from; piece < work.to; piece++) workspace.run(work.step, piece)
  }
}
