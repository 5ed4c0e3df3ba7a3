// Numbers on which the compiled making of the index of users and its caller agree: compiled by both, TypeScript and AssemblyScript,
// so each stands once. Offsets are bytes.

/** Bits of a user, and of what is used, that are an ordinal. */
export const USER_BITS = 28
/** The part that is the ordinal. */
export const USER = (1 << USER_BITS) - 1
/** It is a prototype that has a parameter of the type. */
export const TAKES = 1 << USER_BITS
/** It is a prototype that returns the type. */
export const RETURNS = 2 << USER_BITS

/** What is known of each kind: a byte for each of 128, in tables one behind the other. The word of a record in which its first id stands. */
export const USES_FIRST = 0
/** Words from an id to the next; 0 where there are no elements with ids. */
export const USES_STEP = 128
/** Ids besides those of elements. */
export const USES_ONE = 256
/** 1 where ids are what a prototype returns and takes. */
export const USES_ROLES = 384
export const USES_BYTES = 512

/** Types under way, all of one set: where their words and places lie, so that a place is relative to the words; the first and how many. */
export const STATE_WORDS = 0
export const STATE_PLACES = 4
export const STATE_FROM = 8
export const STATE_SIZE = 12
/** The set: the id of its first type, that type's ordinal, and the ordinals of the ids below; 0 where these are the ids. */
export const STATE_FIRST_ID = 16
export const STATE_FIRST = 20
export const STATE_BELOW = 24
/** By ordinal: kinds, and where what each refers to ends. */
export const STATE_KINDS = 28
export const STATE_ENDS = 32
/** By ordinal, two words: how many refer to it, and one more than the last reference to it. */
export const STATE_COUNTS = 36
/** References: the ordinal that is referred to, with roles; how many there are so far. */
export const STATE_REFERENCES = 40
export const STATE_LENGTH = 44
export const STATE_BYTES = 48
