// A resolver that lives: it is made once for a kernel, an input format and a product, takes any number of separate pieces of
// text, and remembers from one to the next what it knows of their lines and stacks.

import { bytes, count, type Options, options as optionsOf, text } from '../core/arguments.ts'
import { type Snapshot, snapshotArgument } from '../snapshot/snapshot.ts'
import { product, READ_OPTIONS } from './arguments.ts'
import { inputFormat, SAMPLE_BYTES } from './formats.ts'
import { planOf, type ReadOptions } from './plan.ts'
import { StretchWorker } from './stretch.ts'
import type { StretchAnswer, StretchPlan } from './stretch-plan.ts'

/** The options of a resolver of pieces. */
export interface PieceOptions extends ReadOptions {
  /** The input format's name. */
  readonly input: string
  readonly product: StretchPlan['product']
  /** Bytes that it may remember, about; when there are more, all is forgotten. Default: 64 MiB. */
  readonly memory?: number | undefined
}

const PIECE_OPTIONS: Options<PieceOptions> = { ...READ_OPTIONS, input: text, product, memory: count }

const DEFAULT_MEMORY = 1 << 26

/**
 * Puts pieces of streams into words, on the calling thread. Each piece is whole records; they may be of one stream or of
 * many of one kernel. Answers are those that one run over all pieces would give, taken together. Nothing has to be closed: a
 * resolver that is dropped is collected.
 */
export class PieceResolver {
  readonly #snapshot: Snapshot
  readonly #options: PieceOptions
  readonly #limit: number
  #plan: StretchPlan | undefined
  #worker: StretchWorker | undefined

  /** @throws UsageError if no input format has this name, or the options say that the pieces are of another kernel */
  constructor(snapshot: Snapshot, given: PieceOptions) {
    const options = optionsOf(given, 'PieceResolver', PIECE_OPTIONS)
    inputFormat(options.input)
    product(options.product, 'product')
    const { memory = DEFAULT_MEMORY } = options
    this.#snapshot = snapshotArgument(snapshot, 'snapshot')
    this.#options = options
    this.#limit = memory
  }

  /**
   * Works on a piece. What the first says of the boot that it is of, holds for all.
   * @throws UsageError if the format cannot be made into the product
   */
  run(piece: Uint8Array): StretchAnswer {
    bytes(piece, 'piece')
    this.#plan ??= this.#planFrom(piece)
    this.#worker ??= new StretchWorker(this.#snapshot.symbols, this.#plan)
    const answer = this.#worker.run(piece)
    if (this.#worker.memory > this.#limit) this.forget()
    return answer
  }

  /** Bytes that it remembers, about. */
  get memory(): number {
    return this.#worker?.memory ?? 0
  }

  /** Forgets what it knows of lines and stacks; it goes on with the next piece. */
  forget(): void {
    this.#worker = undefined
  }

  #planFrom(piece: Uint8Array): StretchPlan {
    const { input, product } = this.#options
    const sample = Buffer.from(piece.buffer, piece.byteOffset, Math.min(piece.byteLength, SAMPLE_BYTES))
    return planOf(inputFormat(input), product, this.#snapshot, this.#options, sample)
  }
}
