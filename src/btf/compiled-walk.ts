// The walk over sets and the writing of their name index in WebAssembly: assembly/walk.ts, compiled. It handles what is sound and
// says nothing of what is not: the plain walk does that.

import { borrowWasm, giveBack, openWasm, type WasmMemory } from '../core/wasm-memory.ts'
import { ELEMENT_WORDS, FIXED_WORDS, KIND_COUNT, TYPE_WORDS } from './format.ts'
import type { BtfHeader } from './header.ts'
import { ENTRY_WORDS, startBits } from './index-layout.ts'
import type { IndexBits } from './name-index-write.ts'
import { ELEMENT_REF, ENOUGH_NAMES, HAS_REF, type WalkBase, type WalkOutput, type WalkResult } from './walk.ts'
import { WALK_WASM } from './walk-wasm.ts'

/** The functions of the module, by the types that assembly/walk.ts gives them. */
interface Exports {
  walk(kinds: number, blobState: number, stop: number): number
  elementNames(kinds: number, blobState: number, from: number, enough: number): void
  countNames(hashes: number, from: number, to: number, shift: number, mask: number, buckets: number): void
  sumCounts(buckets: number, words: number): void
  placeNames(...hashesPlacesFromToShiftMaskOrdinalBitsStartsBucketsEntries: number[]): void
}

/** Words of types, and types, worked on between two yields: a fraction of a millisecond. */
const STEP_WORDS = 1 << 16
const STEP_TYPES = 1 << 14
/** Types that are walked over before what was found of them is moved: those of one step at least. */
const MOST_HELD = 1 << 15
/** Words of entries that are copied between two yields. */
const ENTRY_STEP = 1 << 18
const KINDS_BYTES = 128

/** The words of a blob under way, as assembly/walk.ts has them. */
const STATE = {
  blob: 0,
  strings: 1,
  baseBytes: 2,
  baseStrings: 3,
  nameLimit: 4,
  end: 5,
  offsets: 6,
  hashes: 7,
  places: 8,
  kindCounts: 9,
  at: 10,
  slot: 11,
  highest: 12,
  named: 13,
  sorted: 14,
  previous: 15,
  baseNames: 16,
  inside: 17,
  words: 18,
} as const

const at = (array: { readonly byteOffset: number }): number => array.byteOffset

function unsigned(memory: WasmMemory, count: number): Uint32Array<SharedArrayBuffer> {
  const { buffer, byteOffset } = memory.allocate(4 * count)
  return new Uint32Array(buffer, byteOffset, count)
}

function signed(memory: WasmMemory, count: number): Int32Array<SharedArrayBuffer> {
  const { buffer, byteOffset } = memory.allocate(4 * count)
  return new Int32Array(buffer, byteOffset, count)
}

/** Written before it is read. */
function newOutput(memory: WasmMemory, types: number): WalkOutput {
  const column = () => memory.room(4 * types)
  const [offsets, hashes, places] = [column(), column(), column()]
  return {
    offsets: new Uint32Array(offsets.buffer, offsets.byteOffset, types),
    hashes: new Int32Array(hashes.buffer, hashes.byteOffset, types),
    places: new Int32Array(places.buffer, places.byteOffset, types),
  }
}

/** Memory for blobs, in which they can be walked over. They stay there as long as their types are in use. */
export class CompiledWalk {
  readonly memory: WasmMemory
  readonly code: Exports
  readonly kinds: Uint8Array
  readonly state: Uint32Array
  readonly kindCounts: Uint32Array
  /** What was found of the last types: what is larger and lasts no longer than a batch is in a memory that goes with it. */
  readonly held: WalkOutput
  #base: { readonly strings: Uint8Array; readonly address: number } | undefined

  private constructor(memory: WasmMemory, code: Exports) {
    this.memory = memory
    this.code = code
    this.kinds = memory.allocate(KINDS_BYTES)
    this.kinds.set(FIXED_WORDS, 0)
    this.kinds.set(ELEMENT_WORDS, 32)
    this.kinds.set(ELEMENT_REF, 64)
    this.kinds.set(HAS_REF, 96)
    this.state = unsigned(memory, STATE.words)
    this.kindCounts = unsigned(memory, KIND_COUNT + 1)
    this.held = newOutput(memory, MOST_HELD)
    this.state[STATE.offsets] = at(this.held.offsets)
    this.state[STATE.hashes] = at(this.held.hashes)
    this.state[STATE.places] = at(this.held.places)
    this.state[STATE.kindCounts] = at(this.kindCounts)
  }

  /** undefined where it cannot run. */
  static open(): CompiledWalk | undefined {
    const wasm = openWasm(WALK_WASM)
    // What the module exports is known from its source.
    return wasm && new CompiledWalk(wasm.memory, wasm.exports as Exports)
  }

  /** Room for a blob; once this memory is full, room outside of it, where only the plain walk goes. */
  take(bytes: number): Uint8Array<SharedArrayBuffer> {
    try {
      return this.memory.allocate(bytes)
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
      return new Uint8Array(new SharedArrayBuffer(bytes))
    }
  }

  /** Has the collector count the memory, once all that goes into it is there. */
  weigh(): void {
    this.memory.weigh()
  }

  /** Begins a batch of blobs on one base, of which the output has room for all types; undefined where that cannot be. */
  batch(base: WalkBase, output: WalkOutput): CompiledBatch | undefined {
    const strings = base.strings[0]
    // Sets on sets on sets are rare, and left to the plain walk.
    if (base.strings.length > 1 || base.stringBytes !== (strings?.length ?? 0)) return undefined
    try {
      const address = strings && this.#reach(new Uint8Array(strings.buffer, strings.offset, strings.length))
      return new CompiledBatch(this, base, address ?? 0, output)
    } catch (error) {
      if (error instanceof RangeError) return undefined
      throw error
    }
  }

  /** The address of bytes in this memory: they are copied unless they lie here. */
  #reach(bytes: Uint8Array<SharedArrayBuffer>): number {
    if (this.memory.has(bytes)) return at(bytes)
    const known = this.#base
    if (
      known?.strings.buffer === bytes.buffer &&
      at(known.strings) === at(bytes) &&
      known.strings.length === bytes.length
    )
      return known.address
    const copy = this.memory.allocate(bytes.length)
    copy.set(bytes)
    this.#base = { strings: bytes, address: at(copy) }
    return at(copy)
  }
}

/**
 * Blobs on one base, one after the other: `begin`, `step` until nothing is left, `result`. Each of them may say that the blob is
 * one for the plain walk, which writes into the same output: `flush` before, `resume` after it.
 */
export class CompiledBatch {
  readonly #output: WalkOutput
  readonly #walk: CompiledWalk
  readonly #base: WalkBase
  readonly #baseStrings: number
  /** Where in the output what is held goes: the place of its first type, and of the first type of the blob under way. */
  #heldFrom = 0
  #from = 0
  #first = 0

  constructor(walk: CompiledWalk, base: WalkBase, baseStrings: number, output: WalkOutput) {
    this.#walk = walk
    this.#base = base
    this.#baseStrings = baseStrings
    this.#output = output
  }

  /** Turns to a blob, whose types go into the output from a position on; false if it is one for the plain walk. */
  begin(blob: Uint8Array<SharedArrayBuffer>, header: BtfHeader, from: number): boolean {
    const { typesStart, typesBytes, stringsStart, stringsBytes, layoutBytes } = header
    const { memory, state, kindCounts } = this.#walk
    const sound = blob.byteOffset % 4 === 0 && typesStart % 4 === 0 && typesBytes % 4 === 0 && layoutBytes === 0
    if (!sound || !memory.has(blob)) return false
    const base = this.#base.stringBytes
    // What was found of a blob that was given up counts no more.
    if (from < this.#heldFrom) this.#heldFrom = from
    this.#from = from
    this.#first = typesStart / 4
    state[STATE.blob] = at(blob)
    state[STATE.strings] = at(blob) + stringsStart - base
    state[STATE.baseBytes] = base
    state[STATE.baseStrings] = this.#baseStrings
    state[STATE.nameLimit] = base + stringsBytes
    state[STATE.end] = (typesStart + typesBytes) / 4
    state[STATE.at] = this.#first
    state[STATE.slot] = from - this.#heldFrom
    state[STATE.sorted] = 1
    state.fill(0, STATE.highest, STATE.sorted)
    state.fill(0, STATE.previous)
    kindCounts.fill(0)
    return true
  }

  /** Walks on; how many words are left, or -1 if the blob is one for the plain walk. */
  step(): number {
    const { code, kinds, state } = this.#walk
    const end = state[STATE.end]!
    const stop = Math.min(end, state[STATE.at]! + STEP_WORDS)
    const most = Math.ceil((stop - state[STATE.at]!) / TYPE_WORDS)
    if (state[STATE.slot]! + most > MOST_HELD) {
      this.#move(state[STATE.slot]!)
      state[STATE.slot] = 0
    }
    if (code.walk(at(kinds), at(state), stop) === 0) return -1
    return end - state[STATE.at]!
  }

  /** What was found of the blob; undefined if it is one for the plain walk. */
  result(): WalkResult | undefined {
    const { code, kinds, state, kindCounts } = this.#walk
    const count = this.#heldFrom + state[STATE.slot]! - this.#from
    if (state[STATE.highest]! >= this.#base.typeCount + count) return undefined
    if (this.#base.stringBytes > 0) {
      if (state[STATE.baseNames]! < ENOUGH_NAMES) code.elementNames(at(kinds), at(state), this.#first, ENOUGH_NAMES)
      if (state[STATE.inside]! * 2 > state[STATE.baseNames]!) return undefined
    }
    const [named, sorted] = [state[STATE.named]!, state[STATE.sorted] === 1]
    return { count, named, kindCounts: kindCounts.slice(), sorted }
  }

  /** Makes the output complete up to a position. */
  flush(to: number): void {
    if (to > this.#heldFrom) this.#move(to - this.#heldFrom)
    this.#heldFrom = to
  }

  /** Goes on behind types that somebody else has written into the output. */
  resume(from: number): void {
    this.#heldFrom = from
  }

  /** Moves what is held of so many types. */
  #move(types: number): void {
    const { held } = this.#walk
    const { offsets, hashes, places } = this.#output
    offsets.set(held.offsets.subarray(0, types), this.#heldFrom)
    hashes.set(held.hashes.subarray(0, types), this.#heldFrom)
    places.set(held.places.subarray(0, types), this.#heldFrom)
    this.#heldFrom += types
  }
}

/** What is found of a batch, in a memory of its own that goes when the batch is done, and the writing of its name index. */
export class CompiledNames {
  readonly output: WalkOutput
  readonly #memory: WasmMemory
  readonly #code: Exports

  private constructor(memory: WasmMemory, code: Exports, types: number) {
    this.#memory = memory
    this.#code = code
    this.output = newOutput(memory, types)
  }

  /** With room for that many types, which takes address space until it is used; undefined where it cannot run. */
  static open(types: number): CompiledNames | undefined {
    try {
      const wasm = borrowWasm(WALK_WASM)
      return wasm && new CompiledNames(wasm.memory, wasm.exports as Exports, types)
    } catch (error) {
      if (error instanceof RangeError) return undefined
      throw error
    }
  }

  /** Gives its memory back: the output may not be used any more. */
  release(): void {
    giveBack(this.#memory)
  }

  /** What `writeNames` does for the first `count` types of the output. */
  *writeNames(count: number, bits: IndexBits, buckets: Int32Array, entries: Int32Array): Generator<void, void, void> {
    const code = this.#code
    const { hashes, places } = this.output
    const shift = 32 - bits.bucket
    const mask = bits.bucket === 0 ? 0 : -1
    const ownBuckets = signed(this.#memory, buckets.length)
    const ownEntries = signed(this.#memory, entries.length)
    for (let from = 0; from < count; from += STEP_TYPES) {
      code.countNames(at(hashes), from, Math.min(from + STEP_TYPES, count), shift, mask, at(ownBuckets))
      yield
    }
    code.sumCounts(at(ownBuckets), ownBuckets.length)
    yield
    const starts = startBits(entries.length / ENTRY_WORDS)
    const into = [shift, mask, bits.ordinal, starts, at(ownBuckets), at(ownEntries)]
    for (let to = count; to > 0; to -= STEP_TYPES) {
      code.placeNames(at(hashes), at(places), Math.max(to - STEP_TYPES, 0), to, ...into)
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
