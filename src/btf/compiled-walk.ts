// The walk over a set that is split on nothing and the writing of its name index in WebAssembly: assembly/walk.ts, compiled. It
// handles what is sound and says nothing of what is not: the plain walk does that.

import { openWasm, type WasmMemory } from '../core/wasm-memory.ts'
import { ELEMENT_WORDS, FIXED_WORDS, KIND_COUNT, TYPE_WORDS } from './format.ts'
import type { BtfHeader } from './header.ts'
import { ENTRY_WORDS, startBits } from './index-layout.ts'
import type { IndexBits } from './name-index-write.ts'
import { ELEMENT_REF, HAS_REF, type WalkOutput, type WalkResult } from './walk.ts'
import { WALK_WASM } from './walk-wasm.ts'

/** The functions of the module, by the types that assembly/walk.ts gives them. */
interface Exports {
  walk(...kindsBlobStopEndStringsLimitOffsetsHashesPlacesKindCountsState: number[]): number
  countNames(hashes: number, from: number, to: number, shift: number, mask: number, buckets: number): void
  sumCounts(buckets: number, words: number): void
  placeNames(...hashesPlacesFromToShiftMaskOrdinalBitsStartsBucketsEntries: number[]): void
}

/** A sound blob as the walk found it. */
export interface CompiledResult {
  readonly result: WalkResult
  readonly output: WalkOutput
}

/** Words of types, and types, worked on between two yields: a fraction of a millisecond. */
const STEP_WORDS = 1 << 16
const STEP_TYPES = 1 << 14
const KINDS_BYTES = 128
const STATE = { at: 0, count: 1, highest: 2, named: 3, sorted: 4, words: 6 } as const

const at = (array: { readonly byteOffset: number }): number => array.byteOffset

/** A memory for one blob, in which it can be walked over. The blob stays there as long as its types are in use. */
export class CompiledWalk {
  readonly #memory: WasmMemory
  readonly #code: Exports
  readonly #kinds: Uint8Array

  private constructor(memory: WasmMemory, code: Exports) {
    this.#memory = memory
    this.#code = code
    this.#kinds = memory.allocate(KINDS_BYTES)
    this.#kinds.set(FIXED_WORDS, 0)
    this.#kinds.set(ELEMENT_WORDS, 32)
    this.#kinds.set(ELEMENT_REF, 64)
    this.#kinds.set(HAS_REF, 96)
  }

  /** undefined where it cannot run. */
  static open(): CompiledWalk | undefined {
    const wasm = openWasm(WALK_WASM)
    // What the module exports is known from its source.
    return wasm && new CompiledWalk(wasm.memory, wasm.exports as Exports)
  }

  /** Room for a blob. */
  take(bytes: number): Uint8Array<SharedArrayBuffer> {
    return this.#memory.allocate(bytes)
  }

  #words(count: number): Uint32Array<SharedArrayBuffer> {
    const { buffer, byteOffset } = this.#memory.allocate(4 * count)
    return new Uint32Array(buffer, byteOffset, count)
  }

  #signed(count: number): Int32Array<SharedArrayBuffer> {
    const { buffer, byteOffset } = this.#memory.allocate(4 * count)
    return new Int32Array(buffer, byteOffset, count)
  }

  /** Walks over a blob that lies in this memory; undefined if anything about it is not as it should be. */
  *walk(blob: Uint8Array<SharedArrayBuffer>, header: BtfHeader): Generator<void, CompiledResult | undefined, void> {
    const { typesStart, typesBytes, stringsStart, stringsBytes, layoutBytes } = header
    const sound = this.#memory.has(blob) && blob.byteOffset % 4 === 0 && typesStart % 4 === 0 && typesBytes % 4 === 0
    if (!sound || layoutBytes > 0) return undefined
    // For as many types as there can be: what is not used of it takes address space only.
    const room = Math.floor(typesBytes / (TYPE_WORDS * 4))
    const output = { offsets: this.#words(room), hashes: this.#signed(room), places: this.#signed(room) }
    const kindCounts = this.#words(KIND_COUNT + 1)
    const state = this.#words(STATE.words)
    const end = (typesStart + typesBytes) / 4
    state[STATE.at] = typesStart / 4
    state[STATE.sorted] = 1
    while (state[STATE.at]! < end) {
      const stop = Math.min(end, state[STATE.at]! + STEP_WORDS)
      const names = [at(blob) + stringsStart, stringsBytes]
      const into = [at(output.offsets), at(output.hashes), at(output.places), at(kindCounts), at(state)]
      if (this.#code.walk(at(this.#kinds), at(blob), stop, end, ...names, ...into) === 0) return undefined
      yield
    }
    const count = state[STATE.count]!
    if (state[STATE.highest]! > count) return undefined
    const result = {
      count,
      named: state[STATE.named]!,
      kindCounts: Uint32Array.from(kindCounts),
      sorted: state[STATE.sorted] === 1,
    }
    return { result, output }
  }

  /** What `writeNames` does, for names that `walk` found. */
  *writeNames(
    { hashes, places }: WalkOutput,
    count: number,
    bits: IndexBits,
    buckets: Int32Array,
    entries: Int32Array,
  ): Generator<void, void, void> {
    const code = this.#code
    const shift = 32 - bits.bucket
    const mask = bits.bucket === 0 ? 0 : -1
    const ownBuckets = this.#signed(buckets.length)
    const ownEntries = this.#signed(entries.length)
    for (let from = 0; from < count; from += STEP_TYPES) {
      code.countNames(at(hashes), from, Math.min(from + STEP_TYPES, count), shift, mask, at(ownBuckets))
      yield
    }
    code.sumCounts(at(ownBuckets), ownBuckets.length)
    const starts = startBits(entries.length / ENTRY_WORDS)
    const into = [shift, mask, bits.ordinal, starts, at(ownBuckets), at(ownEntries)]
    for (let to = count; to > 0; to -= STEP_TYPES) {
      code.placeNames(at(hashes), at(places), Math.max(to - STEP_TYPES, 0), to, ...into)
      yield
    }
    buckets.set(ownBuckets)
    entries.set(ownEntries)
    yield
  }
}
