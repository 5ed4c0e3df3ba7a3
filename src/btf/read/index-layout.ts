// The index over one or more blobs in shared memory: a row per set, word offsets per type, and one name index over all of
// them in compressed-row form. Only the layout is here; index-types.ts writes it and name-index.ts reads it.
import type { Layout } from '../../core/sections.ts'
import { KIND_COUNT } from '../kinds.ts'

/**
 * Sections, all of u32 words:
 * - `head`: see HEAD_*; one per index.
 * - `sets`: ROW_WORDS words per set, see ROW_*.
 * - `offsets`: per type, the word offset of its record from the start of its blob; sets follow each other.
 * - `buckets`: 2^bucketBits + 1 starts into `entries`, by the upper bits of a name's hash, and in the bits that starts
 *   leave a filter (`filterBit`): most names that are not there are recognised without a look at any entry.
 * - `entries`: two words per named type. The first has its ordinal (position in `offsets`) in the low bits and, above, as
 *   many low bits of its name's hash as fit, so that most misses never touch the blob; the second is its place (`placeOf`),
 *   so that a hit touches nothing of the blob but the name. Ascending ordinals within a bucket.
 *
 * A lookup costs the memory it touches that no cache holds: a bucket has several entries so that the buckets of a whole
 * kernel stay in cache, and all entries of one bucket lie next to each other.
 */
export const INDEX_LAYOUT: Layout<'head' | 'sets' | 'offsets' | 'buckets' | 'entries'> = {
  what: 'type index',
  magic: 0x4b545849,
  version: 3,
  sections: ['head', 'sets', 'offsets', 'buckets', 'entries'],
}

/** Names of one bucket, to a factor of the square root of two. */
const BUCKET_NAMES = 3
/** Number of upper hash bits that choose the bucket, for that many names. */
export const bucketBits = (names: number): number =>
  names <= BUCKET_NAMES ? 0 : Math.round(Math.log2(names / BUCKET_NAMES))

/** Low bits of a bucket that hold its start, in an index of that many entries. The others are its filter. */
export const startBits = (entries: number): number => 32 - Math.clz32(entries)

/** The bit of a bucket's filter, of `width` bits, that says that a name of that hash may be there; 0 without a filter. */
export function filterBit(hash: number, width: number): number {
  return width === 0 ? 0 : 1 << (31 - (((hash & 0xffff) * width) >>> 16))
}

/** Words of an entry. */
export const ENTRY_WORDS = 2
const PLACE_NAME_BITS = 24
/** A place whose name offset has more bits than the kernel allows: kind and name have to be read from the type's record. */
export const PLACE_FAR = -1

/** Kind and name offset of a type are one word: what an entry tells of a type without a look at its record. */
export const placeKind = (place: number): number => place >>> PLACE_NAME_BITS
export const placeName = (place: number): number => place & ((1 << PLACE_NAME_BITS) - 1)

export const HEAD_SET_COUNT = 0
export const HEAD_TYPE_COUNT = 1
/** Number of upper hash bits that choose a bucket. */
export const HEAD_BUCKET_BITS = 2
/** Number of low bits of an entry that hold the ordinal. */
export const HEAD_ORDINAL_BITS = 3
/** 1 if names are looked up by binary search in the one set there is, because it is sorted; buckets are empty then. */
export const HEAD_SORTED = 4
export const HEAD_WORDS = 6

export const ROW_FIRST_ID = 0
export const ROW_TYPE_COUNT = 1
/** Bytes of the string sections of all bases: name offsets from here on are the set's own. */
export const ROW_STRING_BASE = 2
/** Byte offset of the set's own strings in its blob, and their length. */
export const ROW_STRINGS_START = 3
export const ROW_STRINGS_BYTES = 4
/** Ordinal of the set's first type. */
export const ROW_FIRST_ORDINAL = 5
/** Number of types with a name. */
export const ROW_NAMED = 6
/** See FLAG_*. */
export const ROW_FLAGS = 7
/** Byte offset of the type section in the blob, and its length. */
export const ROW_TYPES_START = 8
export const ROW_TYPES_BYTES = 9
/** Byte offset of the layout section in the blob, and its length; 0 without one. */
export const ROW_LAYOUT_START = 10
export const ROW_LAYOUT_BYTES = 11
/** KIND_COUNT + 1 words: types of each kind, and of unknown kinds. */
export const ROW_KIND_COUNTS = 12
export const ROW_WORDS = ROW_KIND_COUNTS + KIND_COUNT + 2

/** The blob came in the other byte order: bitfields of its machine count from the other end. */
export const FLAG_FOREIGN = 1
/** Anonymous types first, then names in strcmp order. */
export const FLAG_SORTED = 2
