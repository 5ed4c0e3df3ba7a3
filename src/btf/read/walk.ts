// The structural pass over type sets: counts types, notes where each begins, hashes names, and makes every later read safe: ids, name
// offsets and lengths are in bounds after it. The loops are compiled (assembly/walk.ts); here is what they work on. walk-errors.ts says
// in words what is wrong with a blob.

import { BadFormatError } from '../../core/errors.ts'
import { borrowWasm, giveBack, noWasm, type OpenWasm, openWasm, type WasmMemory } from '../../core/wasm-memory.ts'
import { infoKind, infoVlen } from '../format.ts'
import { KIND_COUNT, type KindLayout, TYPE_WORDS, typeWords } from '../kinds.ts'
import { type BtfHeader, readLayout } from './header.ts'
import { address, within } from './memory.ts'
import {
  KIND_BYTES,
  SOUND,
  STATE_AT,
  STATE_BASE_BYTES,
  STATE_BASE_NAMES,
  STATE_BASE_STRINGS,
  STATE_BLOB,
  STATE_BROKEN_AT,
  STATE_BYTES,
  STATE_END,
  STATE_HASHES,
  STATE_HIGHEST,
  STATE_INSIDE,
  STATE_KIND_COUNTS,
  STATE_NAME_LIMIT,
  STATE_NAMED,
  STATE_OFFSETS,
  STATE_PLACES,
  STATE_SLOT,
  STATE_SORTED,
  STATE_STRINGS,
} from './walk-constants.ts'
import { referenceError, typeError } from './walk-errors.ts'
import { writeKinds } from './walk-kinds.ts'
import { WALK_WASM } from './walk-wasm.ts'

/** A range of bytes in shared memory. */
export interface SharedRange {
  readonly buffer: SharedArrayBuffer
  readonly offset: number
  readonly length: number
}

/** What a walk needs to know of the sets below the one it walks: sums over all of them, and their strings. */
export interface WalkBase {
  /** Ids in use, void included: the first id of a set split on them. */
  readonly typeCount: number
  readonly stringBytes: number
  /** The string sections, lowest set first. Together `stringBytes` long. */
  readonly strings: readonly SharedRange[]
  /** The layout section that a split set without one of its own falls back to. */
  readonly layout?: KindLayout
}

/** The base of a set that is split on nothing. */
export const NO_BASE: WalkBase = { typeCount: 1, stringBytes: 0, strings: [] }

/** The columns that a walk writes, one entry a type; the arrays may be longer. */
export interface WalkOutput {
  /** Position of each type in words from the start of its blob. */
  readonly offsets: Uint32Array
  /** Hash of each type's name; 0 for an anonymous type. */
  readonly hashes: Int32Array
  /** Kind and name offset (`placeKind`, `placeName`); nothing that means anything for an anonymous type. */
  readonly places: Int32Array
}

/** The result of a finished walk. */
export interface WalkResult {
  readonly count: number
  readonly named: number
  /** Types of each kind; the last entry counts the kinds not known here. */
  readonly kindCounts: Uint32Array
  /** Anonymous types come first and the rest is in strcmp order, as resolve_btfids leaves sets since Linux 7.0. */
  readonly sorted: boolean
}

/** The functions of the module, by the types that assembly/walk.ts gives them; a test holds their numbers of parameters. */
export interface WalkLoops {
  walk(kinds: number, state: number, stop: number): number
  elementNames(kinds: number, state: number, from: number, enough: number): void
  countNames(hashes: number, from: number, to: number, shift: number, mask: number, buckets: number): void
  sumCounts(buckets: number, words: number): void
  placeNames(...hashesPlacesFromToShiftMaskOrdinalBitsStartsBucketsEntries: number[]): void
}

/** Words of types that are walked over in one step: a fraction of a millisecond. */
const STEP_WORDS = 1 << 16
/** Types that are walked over before what was found of them is moved: those of one step at least. */
const MOST_HELD = 1 << 15
/** So many names taken from a base tell for certain whether it is the right one. */
const ENOUGH_NAMES = 32

/** The most types that there can be in sections of so many bytes in all. */
export const mostTypes = (bytes: number): number => Math.floor(bytes / (TYPE_WORDS * 4)) + 1

/** Counts the types of a section by their sizes alone; what follows them is not looked at. */
export function countTypes(words: Int32Array, start: number, end: number, layout: KindLayout | undefined): number {
  let count = 0
  for (let at = start; at + TYPE_WORDS <= end; count++) {
    const info = words[at + 1]!
    const length = typeWords(infoKind(info), infoVlen(info), layout)
    if (length < 0 || length > end - at) break
    at += length
  }
  return count
}

function unsigned(memory: WasmMemory, count: number): Uint32Array<SharedArrayBuffer> {
  const { buffer, byteOffset } = memory.allocate(4 * count)
  return new Uint32Array(buffer, byteOffset, count)
}

/** Room for what is found of so many types; it is written before it is read. */
export function newOutput(memory: WasmMemory, types: number): WalkOutput {
  const column = () => memory.room(4 * types)
  const [offsets, hashes, places] = [column(), column(), column()]
  return {
    offsets: new Uint32Array(offsets.buffer, offsets.byteOffset, types),
    hashes: new Int32Array(hashes.buffer, hashes.byteOffset, types),
    places: new Int32Array(places.buffer, places.byteOffset, types),
  }
}

/** Memory for blobs, in which they are walked over. They stay there as long as their types are in use. */
export class Walk {
  readonly memory: WasmMemory
  readonly loops: WalkLoops
  readonly #kinds: Uint8Array
  readonly state: Uint32Array
  readonly kindCounts: Uint32Array
  /** The columns of the last types, before they are moved to the batch's output. */
  readonly held: WalkOutput
  #base: { readonly strings: readonly SharedRange[]; readonly address: number } | undefined
  #layout: KindLayout | undefined

  private constructor({ memory, exports }: OpenWasm) {
    this.memory = memory
    // The module's exports are known from its source; a test holds their types to it.
    this.loops = exports as WalkLoops
    this.#kinds = memory.allocate(KIND_BYTES)
    writeKinds(this.#kinds, undefined)
    this.state = unsigned(memory, STATE_BYTES / 4)
    this.kindCounts = unsigned(memory, KIND_COUNT + 1)
    this.held = newOutput(memory, MOST_HELD)
    this.set(STATE_OFFSETS, address(this.held.offsets))
    this.set(STATE_HASHES, address(this.held.hashes))
    this.set(STATE_PLACES, address(this.held.places))
    this.set(STATE_KIND_COUNTS, address(this.kindCounts))
  }

  /** With memory of its own. @throws UnsupportedError where this engine has none of that kind */
  static open(): Walk {
    const wasm = openWasm(WALK_WASM)
    if (wasm === undefined) throw noWasm()
    return new Walk(wasm)
  }

  /** With memory that others use behind it: `release` it. @throws UnsupportedError where this engine has none of that kind */
  static borrow(): Walk {
    const wasm = borrowWasm(WALK_WASM)
    if (wasm === undefined) throw noWasm()
    return new Walk(wasm)
  }

  /** Gives borrowed memory back: nothing that was cut from it may be used any more. */
  release(): void {
    giveBack(this.memory)
  }

  /** Room for a blob; once this memory is full, room outside of it. */
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

  /** Begins a batch of blobs on one base, of which the output has room for all types. @throws LimitError */
  batch(base: WalkBase, output: WalkOutput): WalkBatch {
    return new WalkBatch(
      this,
      base,
      within(() => this.#reach(base.strings)),
      output,
    )
  }

  /** The table of kinds for blobs with such a layout section. */
  kindsFor(layout: KindLayout | undefined): Uint8Array {
    if (layout !== this.#layout) {
      writeKinds(this.#kinds, layout)
      this.#layout = layout
    }
    return this.#kinds
  }

  get(word: number): number {
    return this.state[word >>> 2]!
  }

  set(word: number, value: number): void {
    this.state[word >>> 2] = value
  }

  /** The address of strings in this memory, one part behind the other: they are copied unless they lie here. */
  #reach(strings: readonly SharedRange[]): number {
    const [first] = strings
    if (first === undefined) return 0
    if (strings.length === 1 && this.memory.has(new Uint8Array(first.buffer))) return first.offset
    const known = this.#base
    const same = (range: SharedRange, i: number) => {
      const other = known?.strings[i]
      return range.buffer === other?.buffer && range.offset === other.offset && range.length === other.length
    }
    if (known !== undefined && known.strings.length === strings.length && strings.every(same)) return known.address
    const copy = this.memory.allocate(strings.reduce((sum, { length }) => sum + length, 0))
    let at = 0
    for (const { buffer, offset, length } of strings) {
      copy.set(new Uint8Array(buffer, offset, length), at)
      at += length
    }
    this.#base = { strings, address: address(copy) }
    return address(copy)
  }
}

/** Blobs on one base, one after the other: `begin`, `step` until nothing is left, `result`; `flush` behind the last one. */
export class WalkBatch {
  readonly #output: WalkOutput
  readonly #walk: Walk
  readonly #base: WalkBase
  readonly #baseStrings: number
  /** Where in the output what is held goes: the place of its first type, and of the first type of the blob under way. */
  #heldFrom = 0
  #from = 0
  #first = 0
  #layout: KindLayout | undefined
  /** The blob under way, in words, in the walk's memory; whether it was copied there, and goes with the next. */
  #words: Uint32Array = new Uint32Array(0)
  #copied = -1

  constructor(walk: Walk, base: WalkBase, baseStrings: number, output: WalkOutput) {
    this.#walk = walk
    this.#base = base
    this.#baseStrings = baseStrings
    this.#output = output
  }

  /**
   * Turns to a blob, whose types go into the output from a position on. It is copied unless it lies in the walk's memory.
   * @throws BadFormatError if the type section is no whole number of words; LimitError
   */
  begin(blob: Uint8Array<SharedArrayBuffer>, header: BtfHeader, from: number): void {
    const { typesStart, typesBytes, stringsStart, stringsBytes } = header
    if (typesBytes % 4 !== 0) {
      throw new BadFormatError(`BTF: the type section's length ${typesBytes} is not a multiple of 4`, {
        byteOffset: typesStart,
      })
    }
    const walk = this.#walk
    const at = this.#place(blob)
    this.#words = new Uint32Array(walk.memory.buffer, at, blob.length >>> 2)
    this.#layout = readLayout(blob, header) ?? this.#base.layout
    const base = this.#base.stringBytes
    // The entries of a blob that was given up count no more.
    if (from < this.#heldFrom) this.#heldFrom = from
    this.#from = from
    this.#first = typesStart / 4
    walk.state.fill(0, STATE_HIGHEST / 4)
    walk.set(STATE_BLOB, at)
    walk.set(STATE_STRINGS, at + stringsStart - base)
    walk.set(STATE_BASE_BYTES, base)
    walk.set(STATE_BASE_STRINGS, this.#baseStrings)
    walk.set(STATE_NAME_LIMIT, base + stringsBytes)
    walk.set(STATE_END, (typesStart + typesBytes) / 4)
    walk.set(STATE_AT, this.#first)
    walk.set(STATE_SLOT, from - this.#heldFrom)
    walk.set(STATE_SORTED, 1)
    walk.kindCounts.fill(0)
  }

  /** Walks on for a fraction of a millisecond; how many words are left. @throws BadFormatError, UnsupportedError */
  step(): number {
    const walk = this.#walk
    const end = walk.get(STATE_END)
    const stop = Math.min(end, walk.get(STATE_AT) + STEP_WORDS)
    const most = Math.ceil((stop - walk.get(STATE_AT)) / TYPE_WORDS)
    const slot = walk.get(STATE_SLOT)
    if (slot + most > MOST_HELD) {
      this.#move(slot)
      walk.set(STATE_SLOT, 0)
    }
    const kinds = walk.kindsFor(this.#layout)
    const wrong = walk.loops.walk(address(kinds), address(walk.state), stop)
    if (wrong !== SOUND) this.#fail(wrong)
    return end - walk.get(STATE_AT)
  }

  /** The result of the walk over the blob. @throws BadFormatError if a type refers to one that does not exist, or the base is wrong */
  result(): WalkResult {
    const walk = this.#walk
    const count = this.#heldFrom + walk.get(STATE_SLOT) - this.#from
    const { typeCount } = this.#base
    const highest = walk.get(STATE_HIGHEST)
    if (highest >= typeCount + count) {
      const found = {
        words: this.#words,
        at: this.#first,
        end: walk.get(STATE_END),
        id: typeCount,
        layout: this.#layout,
      }
      throw referenceError(found, highest, typeCount + count)
    }
    if (this.#base.stringBytes > 0) {
      if (walk.get(STATE_BASE_NAMES) < ENOUGH_NAMES) {
        const kinds = walk.kindsFor(this.#layout)
        walk.loops.elementNames(address(kinds), address(walk.state), this.#first, ENOUGH_NAMES)
      }
      const [taken, inside] = [walk.get(STATE_BASE_NAMES), walk.get(STATE_INSIDE)]
      if (inside * 2 > taken) {
        throw new BadFormatError(
          `BTF: wrong base: ${inside} of ${taken} names taken from the base begin inside one of its strings. Decode this set on the vmlinux it was built for`,
        )
      }
    }
    const sorted = walk.get(STATE_SORTED) === 1
    return { count, named: walk.get(STATE_NAMED), kindCounts: walk.kindCounts.slice(), sorted }
  }

  /** Takes over the columns of `count` types from another walk, from a position of its output to a position of this one. */
  adopt({ offsets, hashes, places }: WalkOutput, from: number, to: number, count: number): void {
    this.flush(to)
    this.#output.offsets.set(offsets.subarray(from, from + count), to)
    this.#output.hashes.set(hashes.subarray(from, from + count), to)
    this.#output.places.set(places.subarray(from, from + count), to)
    this.#heldFrom = to + count
  }

  /** Makes the output complete up to a position. */
  flush(to: number): void {
    if (to > this.#heldFrom) this.#move(to - this.#heldFrom)
    this.#heldFrom = to
  }

  /** Moves the held columns of so many types to the output. */
  #move(types: number): void {
    const { held } = this.#walk
    const { offsets, hashes, places } = this.#output
    offsets.set(held.offsets.subarray(0, types), this.#heldFrom)
    hashes.set(held.hashes.subarray(0, types), this.#heldFrom)
    places.set(held.places.subarray(0, types), this.#heldFrom)
    this.#heldFrom += types
  }

  /** The address of a blob in the walk's memory. */
  #place(blob: Uint8Array<SharedArrayBuffer>): number {
    const { memory } = this.#walk
    if (this.#copied >= 0) memory.trim(this.#copied)
    this.#copied = -1
    if (memory.has(blob)) return address(blob)
    const copy = within(() => memory.room(blob.length))
    copy.set(blob)
    this.#copied = address(copy)
    return this.#copied
  }

  /** Says what is wrong with the type at which the walk stopped. */
  #fail(wrong: number): never {
    const walk = this.#walk
    const id = this.#base.typeCount + this.#heldFrom + walk.get(STATE_SLOT) - this.#from
    const [end, broken] = [walk.get(STATE_END), walk.get(STATE_BROKEN_AT)]
    throw typeError(wrong, { words: this.#words, at: walk.get(STATE_AT), end, broken, id, layout: this.#layout })
  }
}
