// Numbers on which the compiled walk over types and its caller agree: compiled by both, TypeScript and AssemblyScript, so each stands
// once. Offsets are bytes.

/** Words of a record without what trails it. */
export const RECORD_WORDS = 3
/** Kinds that there can be: their number has seven bits. */
export const MOST_KINDS = 128

/** What the walk knows of each kind: a byte for each of MOST_KINDS, in tables one behind the other. */
export const KIND_FIXED = 0
/** Words of each element. */
export const KIND_ELEMENT = 128
/** The word of an element that is the id of a type, from 1 on; 0 where there is none. */
export const KIND_ELEMENT_TYPE = 256
/** 1 where elements begin with a name. */
export const KIND_ELEMENT_NAME = 384
/** 1 where the third word of a record is the id of a type. */
export const KIND_THIRD_TYPE = 512
/** How many words behind the record are ids of types. */
export const KIND_FIXED_TYPES = 640
/** Where a kind's types are counted. */
export const KIND_SLOT = 768
export const KIND_BYTES = 896
/** In the first table: a kind whose size nobody knows. */
export const NO_SIZE = 255

/** A blob under way: where it lies; where its strings lie, less the base's length, so that a name's offset gives the name. */
export const STATE_BLOB = 0
export const STATE_STRINGS = 4
export const STATE_BASE_BYTES = 8
export const STATE_BASE_STRINGS = 12
export const STATE_NAME_LIMIT = 16
/** The word behind the last of its types. */
export const STATE_END = 20
/** Where is written what is found. */
export const STATE_OFFSETS = 24
export const STATE_HASHES = 28
export const STATE_PLACES = 32
export const STATE_KIND_COUNTS = 36
/** How far the walk is: the word, and the number of the type. Where a rule is broken, they are left at that type. */
export const STATE_AT = 40
export const STATE_SLOT = 44
export const STATE_HIGHEST = 48
export const STATE_NAMED = 52
export const STATE_SORTED = 56
/** Address of the name before; 0: none. */
export const STATE_PREVIOUS = 60
/** Names taken from the base, and how many of them begin inside one of its strings. */
export const STATE_BASE_NAMES = 64
export const STATE_INSIDE = 68
/** The word that breaks a rule, where it is not the record's first. */
export const STATE_BROKEN_AT = 72
export const STATE_BYTES = 76

/** What the walk says of the types it has gone over: all is well, or the rule that the first wrong one breaks. */
export const SOUND = 0
export const CUT_SHORT = 1
export const BAD_NAME = 2
export const UNKNOWN_KIND = 3
export const BAD_LENGTH = 4
export const BAD_ELEMENT_NAME = 5
