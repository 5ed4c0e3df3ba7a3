// Numbers on which the compiled loops of C headers and their caller agree: compiled by both, TypeScript and AssemblyScript, so each
// stands once.

/** What a kind is to C. */
export const UNKNOWN = 0
export const VOID = 1
/** C declares it by its name. */
export const SCALAR = 2
export const ENUM = 3
export const STRUCT = 4
export const UNION = 5
export const FORWARD = 6
export const PROTOTYPE = 7
export const ARRAY = 8
export const POINTER = 9
export const TYPEDEF = 10
export const QUALIFIER = 11
export const TYPE_TAG = 12
export const DECL_TAG = 13
/** It needs no definition, but has a place in the order. */
export const OTHER = 14
/** It prints nothing, needs nothing, and has no place in the order. */
export const PRINTS_NOTHING = 15

/** The table of kinds: rows of a byte for each of 128 kinds, beginning with what the kind is to C. */
export const KIND_ROLE = 0
/** How the size of an object of such a type is known. */
export const KIND_SIZE = 128
/** Whether the third word is the id of a type that counts as used; how many of the words behind it are. */
export const KIND_REFERS = 256
export const KIND_FIXED_TYPES = 384
/** Words behind the record, whatever its vlen; words of each element; one more than which of them is the id of a type. */
export const KIND_FIXED = 512
export const KIND_ELEMENT = 640
export const KIND_ELEMENT_TYPE = 768
export const KINDS_BYTES = 896

export const SIZE_NONE = 0
/** The record tells it. */
export const SIZE_OWN = 1
/** That of the type it refers to. */
export const SIZE_OF_TYPE = 2
export const SIZE_OF_POINTER = 3
/** That of its elements. */
export const SIZE_OF_ELEMENTS = 4

/** A record with nothing in it stands for void: bytes that are looked at. */
export const VOID_BYTES = 32

/** Where things are, by their bytes in the one memory, and how many there are: words of what a header is opened with. */
export const STATE_KINDS = 0
export const STATE_TEXTS = 4
/** By id: where the record is. */
export const STATE_RECORDS = 8
export const STATE_END_ID = 12
export const STATE_STRINGS = 16
export const STATE_STRINGS_END = 20
/** By id, a byte: how far the order is, how far writing is, whether a declaration stands there, whether anything refers to it. */
export const STATE_ORDERED = 24
export const STATE_WRITTEN = 28
export const STATE_FORWARDED = 32
export const STATE_REFERENCED = 36
export const STATE_ALIGNS = 40
/** By id, a word: the number that its name has got. */
export const STATE_NUMBERS = 44
export const STATE_NAMES = 48
export const STATE_NAMES_MASK = 52
/** Two words that only this process knows. */
export const STATE_SEED = 56
export const STATE_SEED_2 = 60
export const STATE_QUEUE = 64
export const STATE_CHAIN = 68
export const STATE_OUT = 72
export const STATE_OUT_END = 76
export const STATE_POINTER_BYTES = 80
export const STATE_BYTES = 96

/** How far a type is in the order, or in being written. */
export const UNSEEN = 0
export const UNDER_WAY = 1
export const DONE = 2

/** A name that has been given: where it is, and how often in either name space. */
export const NAME_BYTES = 16
export const NAME_TAGS = 4
export const NAME_IDENTIFIERS = 8

/** Longest chain of pointers, arrays and qualifiers in one declaration. */
export const MAX_CHAIN = 256
/** Deepest nesting of structs and parameter lists written in place. */
export const MAX_NESTING = 128
/** Deepest recursion through types, far above that of any kernel and far below that of the stack. */
export const MAX_RECURSION = 1000
/** Words of the chains of all declarations that are being written at one time. */
export const CHAIN_WORDS = (MAX_NESTING + 2) * (MAX_CHAIN + 1)

/** Why a header is given up. */
export const REFUSED_NAMES = 0
export const REFUSED_STEPS = 1
export const REFUSED_RECURSION = 2
export const REFUSED_CIRCLE = 3
export const REFUSED_KIND = 4
export const REFUSED_DECLARATION = 5
export const REFUSED_CHAIN = 6
export const REFUSED_NESTING = 7

/** Texts, by number: below 128 the names of kinds in lower case, by kind, and these. */
export const TEXT_STRUCT = 128
export const TEXT_UNION = 129
export const TEXT_ENUM = 130
export const TEXT_TYPEDEF = 131
export const TEXT_VOID = 132
export const TEXT_NUMBERED = 133
export const TEXT_END = 134
export const TEXT_PACKED = 135
export const TEXT_BYTE_MODE = 136
export const TEXT_WORD_MODE = 137
export const TEXT_ATTRIBUTE = 138
export const TEXT_ATTRIBUTE_END = 139
export const TEXT_TYPE_TAG = 140
export const TEXT_TYPE_TAG_END = 141
export const TEXT_LL = 142
export const TEXT_ULL = 143
export const TEXT_EQUALS = 144
export const TEXT_LONG = 145
export const TEXT_INT = 146
export const TEXT_SHORT = 147
export const TEXT_CHAR = 148
/** Names that compilers know, and how old GCC's definition of one of them has to read. */
export const TEXT_VA_LIST = 149
export const TEXT_GNUC_VA_LIST = 150
export const TEXT_GNUC_VA_LIST_TYPEDEF = 151
/** Pairs: a scalar that GCC knows by itself and clang does not, and what it is. */
export const TEXT_MISSING = 152
export const TEXT_MISSING_END = 160
export const TEXT_COUNT = 160
