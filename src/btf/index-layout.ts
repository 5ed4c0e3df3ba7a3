// The index over one or more blobs in shared memory: a row per set, word offsets per type, and one name index over all of
// them in compressed-row form. Only the layout is here; index-types.ts writes it and name-index.ts reads it.
import type { Layout } from '../core/sections.ts'
import { KIND_COUNT } from './format.ts'

/**
 * Sections, all of u32 words:
 * - `head`: see HEAD_*; one per index.
 * - `sets`: ROW_WORDS words per set, see ROW_*.
 * - `offsets`: per type, the word offset of its record from the start of its blob; sets follow each other.
 * - `buckets`: 2^bucketBits + 1 starts into `entries`, by the upper bits of a name's hash.
 * - `entries`: per named type its ordinal (position in `offsets`) in the low bits and, above, as many low bits of its
 *   name's hash as fit, so that most misses never touch the blob. Ascending ordinals within a bucket.
 */
export const INDEX_LAYOUT: Layout<'head' | 'sets' | 'offsets' | 'buckets' | 'entries'> = {
  what: 'type index',
  magic: 0x4b545849,
  version: 1,
  sections: ['head', 'sets', 'offsets', 'buckets', 'entries'],
}

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
