// Writes the name index of a batch of types: buckets with a filter each, and the entries in their order (index-layout.ts has the
// form, name-index.ts reads it). The loops are compiled (assembly/walk.ts).

import { borrowWasm, giveBack, noWasm, type WasmMemory } from '../../core/wasm-memory.ts'
import { ENTRY_WORDS, startBits } from './index-layout.ts'
import { address, within } from './memory.ts'
import { newOutput, type WalkLoops, type WalkOutput } from './walk.ts'
import { WALK_WASM } from './walk-wasm.ts'

/** Types worked on, and words of entries copied, between two yields: a fraction of a millisecond. */
const STEP_TYPES = 1 << 14
const ENTRY_STEP = 1 << 18

/** Upper bits of a hash that choose the bucket, lower bits of an entry that hold the ordinal. */
export interface IndexBits {
  readonly bucket: number
  readonly ordinal: number
}

function signed(memory: WasmMemory, count: number): Int32Array<SharedArrayBuffer> {
  const { buffer, byteOffset } = memory.allocate(4 * count)
  return new Int32Array(buffer, byteOffset, count)
}

/** The columns of a batch, in a memory of its own that is given back when the batch is done, and the writing of its name index. */
export class BatchNames {
  readonly output: WalkOutput
  readonly #memory: WasmMemory
  readonly #loops: WalkLoops

  /** With room for that many types, which takes address space until it is used. @throws UnsupportedError, LimitError */
  constructor(types: number) {
    const wasm = borrowWasm(WALK_WASM)
    if (wasm === undefined) throw noWasm()
    this.#memory = wasm.memory
    this.#loops = wasm.exports as WalkLoops
    this.output = within(() => newOutput(wasm.memory, types))
  }

  /** Gives its memory back: the output may not be used any more. */
  release(): void {
    giveBack(this.#memory)
  }

  /**
   * Fills zeroed buckets and entries of the right length with the names of the first `count` types of the output, yielding after a
   * fraction of a millisecond (index-layout.ts has the form, name-index.ts reads it).
   */
  *writeNames(count: number, bits: IndexBits, buckets: Int32Array, entries: Int32Array): Generator<void, void, void> {
    const loops = this.#loops
    const { hashes, places } = this.output
    // A shift by 32 would be one by nothing: then there is one bucket, and a mask makes its number 0.
    const shift = 32 - bits.bucket
    const mask = bits.bucket === 0 ? 0 : -1
    const ownBuckets = within(() => signed(this.#memory, buckets.length))
    const ownEntries = within(() => signed(this.#memory, entries.length))
    for (let from = 0; from < count; from += STEP_TYPES) {
      loops.countNames(address(hashes), from, Math.min(from + STEP_TYPES, count), shift, mask, address(ownBuckets))
      yield
    }
    loops.sumCounts(address(ownBuckets), ownBuckets.length)
    yield
    // From the end, so that each bucket's entries, written downwards, stand in ascending order and its start is left.
    const starts = startBits(entries.length / ENTRY_WORDS)
    const into = [shift, mask, bits.ordinal, starts, address(ownBuckets), address(ownEntries)]
    for (let to = count; to > 0; to -= STEP_TYPES) {
      loops.placeNames(address(hashes), address(places), Math.max(to - STEP_TYPES, 0), to, ...into)
      yield
    }
    buckets.set(ownBuckets)
    yield
    for (let from = 0; from < entries.length; from += ENTRY_STEP) {
      entries.set(ownEntries.subarray(from, Math.min(from + ENTRY_STEP, entries.length)), from)
      yield
    }
  }
}
