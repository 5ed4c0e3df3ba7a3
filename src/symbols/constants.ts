// Numbers on which the compiled loops and their callers agree: compiled by both, TypeScript and AssemblyScript, so each stands once.
// Offsets are bytes. A whole number below 2^31 is what both languages take for the same thing.

/** Parts into which roots are shared out by the upper bits of their hashes; each has a part of the heap and of the name index. */
export const PARTS = 64
export const PART_SHIFT = 26
/** Bits of a name reference that are the root's place in the heap; in the records of a part, in the part's heap. */
export const ROOT_BITS = 26
export const ROOT_MASK = 0x3ffffff
/** A length byte of this value says that two more bytes hold the length. */
export const LONG_ROOT = 255

/** Symbols that one stretch of text may have: their number in it has 16 bits. */
export const MOST_SYMBOLS = 65536
/** Bad lines of a stretch that are listed. */
export const LISTED_BAD_LINES = 10000
export const LONGEST_NAME = 65535

/** Marks in a kind: see kinds.ts. */
export const LABEL = 0x40
export const SPECIAL = 0x80
export const UNSURE = 0xc0
export const TYPE_MASK = 0x3f

/** A symbol on its way: where its address, its name, its kind, its part and its owner's number stand. */
export const RECORD_SHIFT = 4
export const RECORD_LOW = 0
export const RECORD_HIGH = 4
/** First where the root begins in the text, then the name's reference, and once the symbol has its place its id. */
export const RECORD_NAME = 8
export const RECORD_KIND = 12
/** First the prefix, then the part. */
export const RECORD_PART = 13
/** First the root's length, then the owner's number. */
export const RECORD_OWNER = 14

/** A stretch of text, and what was found in it. */
export const STRETCH_TEXT = 0
export const STRETCH_LENGTH = 4
export const STRETCH_RECORDS = 8
export const STRETCH_COUNT = 12
/** Where runs of owners and streams of roots are written. */
export const STRETCH_WORK = 16
/** Where each part's stream begins, and behind that how many roots each has. */
export const STRETCH_STREAMS = 20
export const STRETCH_RUNS = 24
export const STRETCH_RUN_COUNT = 28
export const STRETCH_LINES = 32
export const STRETCH_BAD = 36
export const STRETCH_BAD_COUNT = 40
/** How many records ascend from the first on. */
export const STRETCH_SORTED = 44
export const STRETCH_LEFT_DATA = 48
export const STRETCH_LEFT_OWNERS = 52
/** The OR of all halves of addresses; whether there was any symbol. */
export const STRETCH_SEEN = 56
export const STRETCH_ANY = 60
/** For each marker: 1 if it was seen, its address's upper and lower half. */
export const STRETCH_MARKERS = 64
/** Where the memory ends that was written to. */
export const STRETCH_END = 68
export const STRETCH_DIGEST = 72
/** The number from 1 on of the known digest that is this stretch's; 0: there is none. */
export const STRETCH_SAME = 104
/** The first position of a stretch that is recalled or kept among those of the earlier text. */
export const STRETCH_RECALLED = 108
/** Its first position in the text, and its first place among those to be sorted. */
export const STRETCH_FROM = 112
export const STRETCH_REST = 116
/** 1 once it was scanned. */
export const STRETCH_SCANNED = 120
/** How far each part's heap was filled behind it. */
export const STRETCH_FILLED = 124
/** How many symbols are kept as an earlier table has them: see assembly/keep.ts. Such a stretch has no records. */
export const STRETCH_KEPT = 128
/** Where in the earlier heap its own roots begin by part, and behind that where they end. */
export const STRETCH_OWN = 132
/** Roots of stretches that are gone which are first used in this one: rows, and how many. */
export const STRETCH_ORPHANS = 136
export const STRETCH_ORPHAN_COUNT = 140
export const STRETCH_BYTES = 144
export const DIGEST_BYTES = 32

/** A run of records with one owner: its first, the owner's name's length (0: the core), its number (-1: left out), its name. */
export const RUN_FIRST = 0
export const RUN_LENGTH = 4
export const RUN_NUMBER = 8
export const RUN_NAME = 12

export const MARKER_BYTES = 12
export const MOST_MARKERS = 16

/** A set of names: slots less one, then for each slot the hash, address and length of a name, and its number from 1 on. */
export const SET_SLOTS = 4
export const SET_SLOT_BYTES = 16

/** A part: how many roots come to it, its heap and how much of it is used, where that stands in the whole heap. */
export const PART_COUNT = 0
export const PART_HEAP = 4
export const PART_USED = 8
export const PART_BASE = 12
/** The first entry in the name index. */
export const PART_FIRST = 20
/** Roots that can come to it at most; then how many there are. */
export const PART_ROOTS = 24
/** Room for its names once more, for those that are entered among others. */
export const PART_SORTED = 28
export const PART_BYTES = 32

/** An orphan: a root in the earlier heap, before which of the stretch's own it comes, and its part. */
export const ORPHAN_ROOT = 0
export const ORPHAN_PLACE = 4
export const ORPHAN_PART = 8
export const ORPHAN_BYTES = 12

/** A build: the words by which every loop finds what it works on. */
export const BUILD_TABLES = 0
/** Addresses of the stretches, and how many there are. */
export const BUILD_STRETCHES = 4
export const BUILD_STRETCH_COUNT = 8
/** What belongs to a thread: hashes of a stretch's roots, counts, slots that find roots; so many bytes a thread. */
export const BUILD_HASHES = 12
export const BUILD_SLOTS = 16
export const BUILD_SLOTS_BYTES = 20
export const BUILD_PARTS = 24
/** Two odd numbers that nobody outside of the process knows. */
export const BUILD_SEED = 28
export const BUILD_SEED_2 = 32
/** 1 once a heap has become too large. */
export const BUILD_TOO_LARGE = 36
/** Sets of names to keep; 0: all. */
export const BUILD_KEEP_OWNERS = 44
export const BUILD_KEEP_DATA = 48
/** Records that ascend from the first on, and where the first other one is. */
export const BUILD_SORTED = 52
export const BUILD_REST_STRETCH = 56
export const BUILD_REST_RECORD = 60
/** Ranges of addresses into which the others are shared out: where each but the first begins (low, high), how many. */
export const BUILD_SPLITTERS = 64
export const BUILD_RANGES = 68
/** For each stretch and range a word; for each range where its addresses begin; pairs of rooms for (low, high, record). */
export const BUILD_RANGE_COUNTS = 72
export const BUILD_RANGE_STARTS = 76
export const BUILD_KEYS = 80
export const BUILD_KEYS_2 = 84
export const BUILD_RANGE_OF = 88
/** For each thread the counts of a digit. */
export const BUILD_DIGITS = 92
/** The table: by id the address of the record; its columns. */
export const BUILD_COUNT = 96
export const BUILD_ORDER = 100
export const BUILD_LOW = 104
export const BUILD_KIND = 108
export const BUILD_NAME = 112
export const BUILD_BUCKETS = 116
export const BUILD_ENTRIES = 120
export const BUILD_BUCKET_BITS = 124
export const BUILD_ID_BITS = 128
/** What each slice of ids found: see PLACED. */
export const BUILD_PLACED = 132
export const BUILD_CHUNKS = 136
export const BUILD_CHUNK_COUNT = 140
export const BUILD_CELLS = 144
export const BUILD_REGIONS = 148
export const BUILD_REGION_WORDS = 152
export const BUILD_RUN_START = 156
export const BUILD_RUN_OWNER = 160
export const BUILD_RUNS = 164
/** Pairs (upper half, first id). */
export const BUILD_GROUPS = 168
export const BUILD_GROUP_COUNT = 172
/** Where ids go in the order of the text. */
export const BUILD_IDS = 176
/** The table of an earlier text, whose symbols are recalled or kept; its kinds have no marks. */
export const BUILD_OLD_IDS = 180
export const BUILD_OLD_LOW = 184
export const BUILD_OLD_KIND = 188
export const BUILD_OLD_NAME = 192
export const BUILD_OLD_HEAP = 196
export const BUILD_OLD_GROUPS = 200
export const BUILD_OLD_GROUP_COUNT = 204
export const BUILD_OLD_RUN_START = 208
/** By the numbers that owners have now. */
export const BUILD_OLD_RUN_OWNER = 212
export const BUILD_OLD_RUNS = 216
/** Symbols of other tables that are given other places: rows of moves, how many there are. */
export const BUILD_MOVES = 220
export const BUILD_MOVE_COUNT = 224
/** By type code what a symbol says of its page; by owner 1 where its pages are the kernel's own; words that a page's vote takes. */
export const BUILD_SAY = 228
export const BUILD_BUILTIN = 232
export const BUILD_VOTES = 236
/** The ranges of ids whose claims are listed: see CLAIMED_COUNT. */
export const BUILD_CLAIMS = 240
/** Digests of an earlier text, as a set of names; 0: none. */
export const BUILD_KNOWN = 256
/**
 * Only where stretches are kept, else 0: the position in the text that each earlier symbol has now, or GONE, and its id, which is
 * written only where BUILD_MOVED is 1.
 */
export const BUILD_POSITIONS = 260
export const BUILD_NEW_IDS = 264
/**
 * By the places of earlier roots in the heap, halved: where each is now, its part in the upper bits; only where the block does not tell. A
 * bit each for orphans.
 */
export const BUILD_NEW_ROOTS = 268
export const BUILD_ORPHANED = 272
/** By blocks of the earlier heap: a state, and how far its roots went where all went as far: see noteMoved in assembly/roots.ts. */
export const BUILD_SHIFTS = 276
/** Rows of earlier roots whose stretches are gone; where those are listed that are used elsewhere; where parts began, and the end. */
export const BUILD_GONE_ROOTS = 280
export const BUILD_GONE_ROOT_COUNT = 284
export const BUILD_ORPHANS = 288
export const BUILD_OLD_BASES = 292
export const BUILD_OLD_COUNT = 296
export const BUILD_OLD_BUCKETS = 300
export const BUILD_OLD_ENTRIES = 304
/** Addresses of the new records in their order, how many, and pairs (records of a stretch, its first position) by address. */
export const BUILD_FRESH = 308
export const BUILD_FRESH_COUNT = 312
export const BUILD_FRESH_ROWS = 316
export const BUILD_FRESH_ROW_COUNT = 320
/** Pairs of positions in the earlier text, [from, to), of stretches that are gone; by part how many symbols they had. */
export const BUILD_GONE_STRETCHES = 324
export const BUILD_GONE_COUNTS = 328
/** A bit for each bucket whose entries are not those of the earlier index. */
export const BUILD_TOUCHED = 332
/** In place of an order by id, where stretches are kept; 0: there are none. Rows, and how many. */
export const BUILD_SPANS = 336
export const BUILD_SPAN_COUNT = 340
/** 1 where a kept symbol has another id; 1 where a new one is not at the place of the one that had its id, or of another kind. */
export const BUILD_MOVED = 344
export const BUILD_OTHER = 348
/** How many keys from one thread's second room to the next one's; 0: there is one, in which each range has its place. */
export const BUILD_KEYS_STRIDE = 352
/** The pieces of modules' memory: see PIECES_MODULE_COUNT. */
export const BUILD_PIECES = 356
export const BUILD_BYTES = 368

/** Ids that follow each other: the first, and the address of its record; where it is kept, its earlier id times two and one more. */
export const SPAN_FIRST = 0
export const SPAN_SOURCE = 4
export const SPAN_BYTES = 8
/** Earlier roots of one part whose stretches, one behind the other, are gone, and the numbers [first, end) of those in their place. */
export const GONE_PART = 0
export const GONE_FROM = 4
export const GONE_TO = 8
export const GONE_FIRST = 12
export const GONE_END = 16
export const GONE_BYTES = 20

export const SHIFT_BLOCK_BITS = 8
export const SHIFT_BYTES = 8
export const SHIFT_NONE = 0
export const SHIFT_ONE = 1
export const SHIFT_MANY = 2
/** The value for an earlier symbol that is not in this text. */
export const GONE = 0xffffffff

/** Bits by which a thread tells roots that nothing new can be the same as: behind its slots. */
export const FILTER_BITS = 16
export const FILTER_BYTES = 0x2000

export const HASHES_BYTES = 0x41000
export const SPLITTER_BYTES = 8
export const KEY_BYTES = 12
export const MOST_RANGES = 256
/** Bits of an address that a pass of the sort looks at. */
export const DIGIT_BITS = 11
export const DIGITS_BYTES = 0x2000

/** Ids placed at once; what is found among them: counts, then lists of groups, chunks and runs as pairs. */
export const SLICE_BITS = 14
export const PLACED_DISTINCT = 0
export const PLACED_GROUP_COUNT = 4
export const PLACED_CHUNK_COUNT = 8
export const PLACED_RUN_COUNT = 12
export const PLACED_HEAD = 16
export const PLACED_LIST = 0x20000
export const PLACED_BYTES = 0x60010

/** In place of a kind of memory: the symbol has no say. */
export const SAY_NOTHING = 255
/** A claim: pages [start, end), whose they are, how many of its symbols are in them, the kinds of memory of the first and the last. */
export const CLAIM_START = 0
/** 0 where they end with the group. */
export const CLAIM_END = 4
export const CLAIM_OWNER = 8
export const CLAIM_SYMBOLS = 12
export const CLAIM_FIRST = 16
export const CLAIM_LAST = 20
export const CLAIM_BYTES = 24
/** Before a group's claims: how many there are. */
export const CLAIMS_HEAD = 8
/** A claim of a table that lends its symbols: its ids [first, end), and what else it has, the two kinds in one word. */
export const LENT_FIRST = 0
export const LENT_END = 4
export const LENT_START = 8
export const LENT_PAST = 12
export const LENT_SYMBOLS = 16
export const LENT_KINDS = 20
export const LENT_BYTES = 24
/** Ranges of ids whose claims are listed: how many; then the rows. */
export const CLAIMED_COUNT = 0
export const CLAIMED_HEAD = 8
/**
 * Where a range's claims go, and its ids [first, end). Where their lender has claims (else 0): its rows, how many it has, its first id of
 * the range, what is to be added to addresses, and whose they are.
 */
export const CLAIMED_OUT = 0
export const CLAIMED_FIRST = 4
export const CLAIMED_END = 8
export const CLAIMED_LENT = 12
export const CLAIMED_LENT_COUNT = 16
export const CLAIMED_THERE = 20
export const CLAIMED_SHIFT = 24
export const CLAIMED_OWNER = 28
export const CLAIMED_BYTES = 32
export const PAGE = 4096

/** A move: its first id, what is added to the lower halves of its addresses, and 1 where it begins a group. */
export const MOVE_FIRST = 0
export const MOVE_SHIFT = 4
export const MOVE_GROUP = 8
/** Whose its symbols are here, and the upper half of their addresses. */
export const MOVE_OWNER = 12
export const MOVE_HALF = 16
/** Its first id in the table that lends it, the halves of the address there, and what is told of that table. */
export const MOVE_THERE = 20
export const MOVE_HALF_THERE = 24
export const MOVE_LOW_THERE = 28
export const MOVE_LENDER = 32
export const MOVE_BYTES = 36
/** A table that lends symbols: its regions, how many words, and its runs of owners, how many: see assembly/marks.ts. */
export const LENDER_REGIONS = 0
export const LENDER_REGION_WORDS = 4
export const LENDER_RUN_START = 8
export const LENDER_RUN_OWNER = 12
export const LENDER_RUNS = 16
export const LENDER_BYTES = 20
/** In place of an owner: they are of more than one. */
export const SEVERAL_OWNERS = 0xffffffff
/** What the moves found: different addresses, chunks that hold symbols, 1 if addresses do not ascend; then those chunks as pairs. */
export const MOVED_DISTINCT = 0
export const MOVED_CHUNK_COUNT = 4
export const MOVED_BAD = 8
export const MOVED_HEAD = 16

/** A section of a build in a book: see ../catalog/book.ts. */
export const ROW_NAME = 0
export const ROW_GROUP = 4
export const ROW_HIGH = 8
export const ROW_LOW = 12
export const ROW_FROM = 16
export const ROW_TO = 20
export const ROW_BYTES = 24
/** Modules that are placed by a layout: how many, where what is known by names and by groups goes, and where the answers. */
export const SITES_COUNT = 0
export const SITES_NAMES = 4
export const SITES_GROUPS = 8
/** Quadruples: ids [from, to), the halves of what is added to their addresses. */
export const SITES_PIECES = 12
/** Pairs: ids [from, to) that have no place. */
export const SITES_LACKING = 16
/** Columns of the sections that tell where memory begins and ends. */
export const SITES_TOLD_NAMES = 20
export const SITES_TOLD_HIGHS = 24
export const SITES_TOLD_LOWS = 28
export const SITES_HEAD = 32
/** One of them: its rows in a book, and of all names of that book, by number, the kind of memory. */
export const SITE_ROWS = 0
export const SITE_ROW_COUNT = 4
export const SITE_KINDS = 8
/** Its sections in the layout, as columns; and the book's numbers of names by the layout's, or less than 0. */
export const SITE_GIVEN = 12
export const SITE_NAMES = 16
export const SITE_HIGHS = 20
export const SITE_LOWS = 24
export const SITE_NUMBERS = 28
export const SITE_NUMBER_COUNT = 32
/** The group that begins with the module, and by how much it is moved. */
export const SITE_BASE_GROUP = 36
export const SITE_BASE_HIGH = 40
export const SITE_BASE_LOW = 44
/** What was found: a state, and which of the answers are this module's. */
export const SITE_STATE = 48
export const SITE_PIECES = 52
export const SITE_PIECE_COUNT = 56
export const SITE_LACKING = 60
export const SITE_LACKING_COUNT = 64
export const SITE_TOLD = 68
export const SITE_TOLD_COUNT = 72
export const SITE_BYTES = 76
/** In a state: two sections contradict each other; anything has a place. */
export const SITE_CONTRADICTED = 1
export const SITE_ANY = 2
export const NO_GROUP = 0xffffffff
/** In place of a kind of memory: it is shared or made anew for each processor; it is no section, but where a module begins. */
export const KIND_ELSEWHERE = 254
export const KIND_BASE = 255
/** Of a name or a group: the module that told of it last, and the halves of what it told. */
export const SITE_KNOWN_BYTES = 12

/** Modules with sections, as columns: see SectionedModules in section-starts.ts. */
export const PIECES_MODULE_COUNT = 0
export const PIECES_STARTS = 4
export const PIECES_FIRST = 8
export const PIECES_OWNER = 12
export const PIECES_BYTES_OF = 16
export const PIECES_LOADING = 20
/** How many owners there are, whether pieces are apart, and where the core begins (a f64, -1 if not here). */
export const PIECES_OWNER_COUNT = 24
export const PIECES_APART = 28
export const PIECES_CORE = 32
/** What symbols tell, as columns: see Claims in claims.ts. */
export const PIECES_CLAIM_COUNT = 40
export const PIECES_CLAIM_START = 44
export const PIECES_CLAIM_END = 48
export const PIECES_CLAIM_OWNER = 52
export const PIECES_CLAIM_FIRST = 56
/** The pieces; the first of each module, and where the last one's end; the module of each owner that is believed. */
export const PIECES_ROWS = 60
export const PIECES_FIRST_PIECE = 64
export const PIECES_MODULE_OF = 68
/** Where claims start that no piece explains; the live pieces as (start, number), u64. */
export const PIECES_STRANGERS = 72
export const PIECES_STRANGER_COUNT = 76
export const PIECES_LIVE = 80
export const PIECES_LIVE_COUNT = 84
/** The memory that was found, as columns, and the claims that lie in none of it. */
export const PIECES_STRETCH_COUNT = 88
export const PIECES_STRETCH_START = 92
export const PIECES_STRETCH_END = 96
export const PIECES_STRETCH_OWNER = 100
export const PIECES_REST = 104
export const PIECES_REST_COUNT = 108
export const PIECES_WORDS = 28
/** A piece: its kind, the start of its memory, whether that is of initialisation, and freed. Then numbers of 64 bits: see pieces.ts. */
export const PIECE_KIND = 0
export const PIECE_START = 4
export const PIECE_INITIAL = 8
export const PIECE_FREED = 12
/** Behind the pages of all sections that begin in it, and of all symbols. */
export const PIECE_LEAST = 16
/** Where something else begins, or the unmapped page before that; text may have none. */
export const PIECE_MOST = 24
/** Where it ends as far as only its place tells. */
export const PIECE_END = 32
/** Where the module's next piece begins. */
export const PIECE_NEXT = 40
export const PIECE_BYTES = 48
/** In place of a module of an owner: it has none whose sections are believed. */
export const NO_MODULE = 0xffffffff
/** Kinds of memory: see PIECE in kinds.ts. */
export const PIECE_ANY = 0
export const PIECE_TEXT = 1
export const PIECE_DATA = 2
export const PIECE_READ_ONLY = 3
/** Data that becomes read-only when the module has started (module_mark_ro_after_init): a kind of memory of its own. */
export const AFTER_INIT = 4
/** Set in a section's code where it is freed when the module is live; the whole tables of symbols are put behind those. */
export const INITIAL = 8

/** Chunks of the page index worked on at once. */
export const CHUNK_SLICE = 32
/** Address bits within a chunk, and within a cell: see pages.ts. */
export const CHUNK_BITS = 16
export const CELL_BITS = 9
/** Entries that a chunk has: one a cell, and one more for the end of the last. */
export const CELL_STRIDE = 129
/** Set in a cell's entry if an address in it may be answered by a symbol that needs a second look, or by none. */
export const CELL_UNSURE = 0x8000
export const CELL_COUNT = 0x7fff
/** Bytes of a region's words: see regions.ts. */
export const REGION_BYTES = 20
/**
 * The distance beyond which a symbol is no answer where nothing says that the memory there is its own: nothing in a kernel is
 * that large, but for a few things, of which the kernel's linker script says where they end.
 */
export const MOST_OFFSET = 0x100000

/** What the loops know of names and types: tables by byte, and the list of prefixes. */
export const TABLE_DIGIT = 0
export const TABLE_TYPE_CODE = 256
export const TABLE_LABEL_FIRST = 512
export const TABLE_LABEL_SECOND = 768
export const TABLE_PREFIX_FIRST = 1024
export const TABLE_PREFIX_SECOND = 1280
export const TABLE_SLOTS = 1536
export const TABLE_SLOT_MASK = 2047
export const TABLE_PREFIX_HASH = 3584
export const TABLE_PREFIX_START = 3840
export const TABLE_PREFIX_LENGTH = 4096
export const TABLE_LONGEST_PREFIX = 4160
/** 1 for the code of a type that is data. */
export const TABLE_DATA = 4164
export const TABLE_MARKER_HASHES = 4228
export const TABLE_MARKER_SET = 5252
export const TABLE_PREFIX_BYTES = 5256
