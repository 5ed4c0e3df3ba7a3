// Reads a type index: which types, of all the sets it spans, have a given name. One view per index and thread.
import { readSections } from '../../core/sections.ts'
import { weigh } from '../../core/shared-memory.ts'
import {
  ENTRY_WORDS,
  filterBit,
  HEAD_BUCKET_BITS,
  HEAD_ORDINAL_BITS,
  HEAD_SET_COUNT,
  HEAD_SORTED,
  INDEX_LAYOUT,
  ROW_FIRST_ORDINAL,
  ROW_WORDS,
  startBits,
} from './index-layout.ts'

/** The table from ordinals to sets has an entry for so many ordinals: two modules or so. */
const COARSE_BITS = 6

/** The view of one type index. */
export class IndexView {
  readonly rows: Uint32Array
  readonly offsets: Uint32Array
  readonly setCount: number
  /** Names are found by binary search in the only set. */
  readonly sorted: boolean
  readonly #buckets: Int32Array
  readonly #entries: Int32Array
  readonly #startMask: number
  readonly #filterWidth: number
  readonly #shift: number
  readonly #ordinalBits: number
  readonly #rowsOffset: number
  /** First ordinals, close together: rows are wider than cache lines. */
  readonly #starts: Uint32Array
  /** By ordinal >>> COARSE_BITS: the last set that begins at or before the first of those ordinals. */
  readonly #coarse: Uint32Array

  /** @throws BadFormatError if the buffer holds something else. */
  constructor(buffer: SharedArrayBuffer) {
    const sections = readSections(INDEX_LAYOUT, buffer)
    weigh(buffer, buffer.byteLength)
    const view = (section: { offset: number; length: number }): Uint32Array =>
      new Uint32Array(buffer, section.offset, section.length >>> 2)
    const signed = (section: { offset: number; length: number }): Int32Array =>
      new Int32Array(buffer, section.offset, section.length >>> 2)
    const head = view(sections.head)
    this.rows = view(sections.sets)
    this.offsets = view(sections.offsets)
    this.#buckets = signed(sections.buckets)
    this.#entries = signed(sections.entries)
    const starts = startBits(this.#entries.length / ENTRY_WORDS)
    this.#startMask = starts < 32 ? (1 << starts) - 1 : -1
    this.#filterWidth = 32 - starts
    this.setCount = head[HEAD_SET_COUNT]!
    this.sorted = head[HEAD_SORTED] === 1
    this.#shift = 32 - head[HEAD_BUCKET_BITS]!
    this.#ordinalBits = head[HEAD_ORDINAL_BITS]!
    this.#rowsOffset = sections.sets.offset
    this.#starts = Uint32Array.from({ length: this.setCount }, (_, i) => this.rows[i * ROW_WORDS + ROW_FIRST_ORDINAL]!)
    this.#coarse = new Uint32Array((this.offsets.length >>> COARSE_BITS) + 1)
    // One set is the first for all ordinals.
    for (let i = 0, set = 0; this.setCount > 1 && i < this.#coarse.length; i++) {
      while (set + 1 < this.setCount && this.#starts[set + 1]! <= i << COARSE_BITS) set++
      this.#coarse[i] = set
    }
  }

  /** Number of the set whose row is at a byte offset of the buffer. */
  setAt(indexOffset: number): number {
    return (indexOffset - this.#rowsOffset) / (ROW_WORDS * 4)
  }

  /** Start of a set's row in `rows`, in words. */
  row(set: number): number {
    return set * ROW_WORDS
  }

  /** Ordinal of a set's first type. */
  firstOrdinal(set: number): number {
    return this.#starts[set]!
  }

  /** The set that an ordinal belongs to. */
  setOf(ordinal: number): number {
    const starts = this.#starts
    let set = this.#coarse[ordinal >>> COARSE_BITS]!
    // A set without types has the same first ordinal as the next one, which is the right one.
    while (set + 1 < starts.length && starts[set + 1]! <= ordinal) set++
    return set
  }

  /** `x >>> 32` would shift by nothing: then there is one bucket. */
  #bucketOf(hash: number): number {
    return this.#shift === 32 ? 0 : hash >>> this.#shift
  }

  /** The bytes of the buffer that `candidates` looks at before any entry. */
  bucketBytes(hash: number): readonly [from: number, to: number] {
    const bucket = this.#bucketOf(hash)
    const from = this.#buckets.byteOffset + bucket * 4
    return [from, from + 8]
  }

  /** The bytes of the buffer with the entries that `candidates` looks at; none where the bucket rules the name out. */
  entryBytes(hash: number): readonly [from: number, to: number] {
    const bucket = this.#bucketOf(hash)
    const bit = filterBit(hash, this.#filterWidth)
    if ((this.#buckets[bucket]! & bit) !== bit) return [0, 0]
    const at = (word: number) => this.#entries.byteOffset + (word & this.#startMask) * ENTRY_WORDS * 4
    return [at(this.#buckets[bucket]!), at(this.#buckets[bucket + 1]!)]
  }

  /**
   * Writes into `into`, from its start, the ordinal and the place of each type whose name has that hash (and of a few
   * others: compare the names), in ascending order: by set, then by id. Returns how many numbers these are; always 0 for a
   * sorted index. What stands behind them in `into` is left: truncating an array costs more than the whole lookup.
   */
  candidates(hash: number, into: number[]): number {
    if (this.sorted) return 0
    const bucket = this.#bucketOf(hash)
    const first = this.#buckets[bucket]!
    const bit = filterBit(hash, this.#filterWidth)
    if ((first & bit) !== bit) return 0
    // No further than there are entries, whatever a file's buckets say.
    const end = Math.min(this.#buckets[bucket + 1]! & this.#startMask, this.#entries.length / ENTRY_WORDS)
    const ordinalBits = this.#ordinalBits
    const entries = this.#entries
    // With 32 bits for the ordinal there is no room for a tag, and every entry of the bucket is a candidate.
    const tag = ordinalBits === 32 ? 0 : (hash << ordinalBits) >>> ordinalBits
    const mask = ordinalBits === 32 ? -1 : (1 << ordinalBits) - 1
    let count = 0
    for (let i = first & this.#startMask; i < end; i++) {
      const entry = entries[ENTRY_WORDS * i]!
      if (ordinalBits < 32 && entry >>> ordinalBits !== tag) continue
      const ordinal = (entry & mask) >>> 0
      if (ordinal >= this.offsets.length) continue
      into[count++] = ordinal
      into[count++] = entries[ENTRY_WORDS * i + 1]!
    }
    return count
  }
}

const views = new WeakMap<SharedArrayBuffer, IndexView>()

/** The view of an index buffer, one per buffer and thread. */
export function viewIndex(buffer: SharedArrayBuffer): IndexView {
  let view = views.get(buffer)
  if (!view) {
    view = new IndexView(buffer)
    views.set(buffer, view)
  }
  return view
}
