// The first questions about types that lie in a file: answered from the few bytes that they look at, which is done long before
// all are in memory. What is wrong with the others is not seen here, and does no harm.

import { readSections } from '../../core/sections.ts'
import type { StoredBytes } from '../../core/stored-bytes.ts'
import { infoKind, infoVlen } from '../format.ts'
import { TYPE_WORDS, typeWords } from '../kinds.ts'
import { checkRows } from './check-index.ts'
import {
  ENTRY_WORDS,
  INDEX_LAYOUT,
  PLACE_FAR,
  placeKind,
  placeName,
  ROW_FIRST_ID,
  ROW_STRING_BASE,
  ROW_STRINGS_BYTES,
  ROW_STRINGS_START,
  ROW_TYPE_COUNT,
  ROW_TYPES_BYTES,
  ROW_TYPES_START,
} from './index-layout.ts'
import type { TypeSetRecord } from './index-types.ts'
import { type IndexView, viewIndex } from './name-index.ts'
import { equalsBytes } from './names.ts'
import { visitWords } from './references.ts'
import { decodeType, type Type } from './type.ts'
import { TypeSet } from './type-set.ts'

/** More than the head of any buffer of sections has. */
const HEAD_BYTES = 256
/** More than the kernel allows for a name. */
const MOST_NAME_BYTES = 1024

/** A set of a stored index. */
export interface StoredSet {
  readonly record: TypeSetRecord
  /** Its place in the kernel's order of all sets; undefined if it is not wanted. */
  readonly rank: number | undefined
  /** Whether it is known to fit the set it is split on. */
  readonly sound: boolean
}

/** One index, with its sets in the order of their rows. */
export interface StoredIndex {
  readonly index: StoredBytes
  readonly blobs: StoredBytes
  readonly sets: readonly StoredSet[]
}

/** A type that was found: its set's name, its id, the number of its kind. */
export interface FoundType {
  readonly module: string
  readonly id: number
  readonly kind: number
}

/** An index that has been opened, and its blobs' bytes. */
interface Opened extends StoredIndex {
  readonly view: IndexView
  readonly bytes: Uint8Array
}

/** Answers from all sets that are stored; undefined stands for what only all types together can tell. */
export class StoredTypes {
  readonly #indexes: readonly StoredIndex[]
  #opened: readonly Opened[] | undefined
  readonly #hits: number[] = []

  constructor(indexes: readonly StoredIndex[]) {
    this.#indexes = indexes
  }

  /**
   * Every type of that name, by the rank of its set, then by id.
   * @param query the name as a byte string
   * @param hash its hash
   * @throws BadFormatError, UnsupportedError if what was looked at is damaged; what reading it throws
   */
  find(query: string, hash: number): FoundType[] | undefined {
    this.#opened ??= this.#indexes.map(open)
    const found: (FoundType & { readonly rank: number })[] = []
    const hits = this.#hits
    for (const opened of this.#opened) {
      const { view, index, sets } = opened
      // Sorted sets are searched name by name, all over their blob.
      if (view.sorted) return undefined
      index.need(...view.bucketBytes(hash))
      index.need(...view.entryBytes(hash))
      const count = view.candidates(hash, hits)
      for (let i = 0; i < count; i += ENTRY_WORDS) {
        const [ordinal, place] = [hits[i]!, hits[i + 1]!]
        const number = view.setOf(ordinal)
        const { record, rank, sound } = sets[number]!
        if (rank === undefined) continue
        if (place === PLACE_FAR || record.base !== undefined) return undefined
        const own = placeName(place) >= view.rows[view.row(number) + ROW_STRING_BASE]!
        const isNamed = own ? hasName(opened, number, place, query) : this.#baseHasName(place, query)
        if (!isNamed) continue
        if (!sound) return undefined
        const id = view.rows[view.row(number) + ROW_FIRST_ID]! + ordinal - view.firstOrdinal(number)
        found.push({ module: record.name, rank, id, kind: placeKind(place) })
      }
    }
    return found.sort((a, b) => a.rank - b.rank || a.id - b.id)
  }

  /** The same for a name that lies in the strings of the set that all others are split on. */
  #baseHasName(place: number, query: string): boolean {
    const base = this.#first
    return base !== undefined && hasName(base.opened, base.number, place, query)
  }

  /** The set that all others are split on. */
  get #first(): { readonly opened: Opened; readonly number: number } | undefined {
    this.#opened ??= this.#indexes.map(open)
    for (const opened of this.#opened) {
      const number = opened.sets.findIndex(({ rank }) => rank === 0)
      if (number >= 0) return { opened, number }
    }
    return undefined
  }

  /**
   * A type of the set that all others are split on.
   * @throws as `find`
   */
  get(module: string, id: number): Type | undefined {
    const first = this.#first
    if (first === undefined) return undefined
    const { opened, number } = first
    const { record } = opened.sets[number]!
    if (record.name !== module) return undefined
    const set = new TypeSet(record)
    if (!Number.isInteger(id) || id < set.firstId || id >= set.endId) return undefined
    return isThere(opened, number, id - set.firstId) ? decodeType(set, id) : undefined
  }
}

/** Brings a type and its names into memory; whether that is all that has to be known of it. */
function isThere({ view, index, blobs, bytes, sets }: Opened, number: number, nth: number): boolean {
  const row = view.rows.subarray(view.row(number), view.row(number + 1))
  const { blobOffset } = sets[number]!.record
  const { offsets } = view
  const ordinal = view.firstOrdinal(number) + nth
  index.need(offsets.byteOffset + ordinal * 4, offsets.byteOffset + ordinal * 4 + 8)
  const typesEnd = (row[ROW_TYPES_START]! + row[ROW_TYPES_BYTES]!) >>> 2
  const at = offsets[ordinal]!
  const end = nth + 1 < row[ROW_TYPE_COUNT]! ? offsets[ordinal + 1]! : typesEnd
  // As long as its words say, and inside of its section: the same as `checkTypeIndex` asks of every type.
  if (at < row[ROW_TYPES_START]! >>> 2 || at + TYPE_WORDS > end || end > typesEnd) return false
  blobs.need(blobOffset + at * 4, blobOffset + end * 4)
  const words = new Uint32Array(blobs.buffer, blobOffset, end)
  const info = words[at + 1]!
  if (at + typeWords(infoKind(info), infoVlen(info), undefined) !== end) return false
  const strings = blobOffset + row[ROW_STRINGS_START]!
  let all = true
  visitWords(words, at, {
    name(position) {
      const name = words[position]!
      if (name >= row[ROW_STRINGS_BYTES]!) return
      blobs.need(strings + name, strings + name + MOST_NAME_BYTES)
      const nul = bytes.indexOf(0, strings + name)
      if (nul < 0 || nul >= strings + name + MOST_NAME_BYTES) all = false
    },
    type() {},
  })
  return all
}

/** Whether the name of a place, in the strings of a set, is the query. */
function hasName({ view, blobs, bytes, sets }: Opened, number: number, place: number, query: string): boolean {
  const row = view.row(number)
  const strings = sets[number]!.record.blobOffset + view.rows[row + ROW_STRINGS_START]!
  const start = strings + placeName(place) - view.rows[row + ROW_STRING_BASE]!
  blobs.need(start, start + query.length + 1)
  return equalsBytes(bytes, start, query)
}

/** Opens an index as soon as its head and its rows are there. @throws BadFormatError, UnsupportedError */
function open(stored: StoredIndex): Opened {
  const { index, blobs, sets } = stored
  index.need(0, HEAD_BYTES)
  index.need(0, readSections(INDEX_LAYOUT, index.buffer).offsets.offset)
  const records = sets.map(({ record }) => record)
  checkRows(index.buffer, records)
  return { ...stored, view: viewIndex(index.buffer), bytes: new Uint8Array(blobs.buffer) }
}
