// The shared symbol table's layout: which sections it has and what stands in each. The table, its builder and the
// snapshot file agree on this page and nowhere else.

import { BadFormatError } from '../core/errors.ts'
import { type Layout, readSections, type Section } from '../core/sections.ts'
import { weigh } from '../core/shared-memory.ts'
import { LONG_ROOT, PARTS } from './constants.ts'
import { GROUP_WORDS, type PageIndex } from './pages.ts'

/**
 * Symbols are numbered in table order: by address, and among equal addresses as in the file (the first is the primary
 * name, as in the kernel's get_symbol_pos).
 *
 * | section | holds |
 * |---|---|
 * | counts | u32 words, see COUNTS |
 * | groups, directory, chunks, cells | the groups of symbols whose upper 32 bits are equal, and the index over
 *   their lower halves: see pages.ts |
 * | low | u32 an id: the lower half of the address |
 * | kind | u8 an id: see kinds.ts |
 * | name | u32 an id: prefix number, and the root's offset in the heap |
 * | heap | every root once: its length (one byte; 255 and two more bytes for long ones), its bytes; by the upper bits of
 *   their hashes, then in the order of the text |
 * | ownerStart, ownerOf | runs of ids with one owner: the first id of each run (u32), its owner (u16) |
 * | owners | owner names, each with a zero behind it, by owner number |
 * | buckets, entries | the name index in compressed-row form: a bucket's first entry (u32), and entries that carry a
 *   fingerprint of the name's hash in the bits that ids do not need; in a bucket in file order |
 * | regions | where owners' memory begins and ends: see regions.ts |
 * | size, outer, large | only in tables whose symbols have sizes of their own: see sized.ts |
 * | runs | only in tables that borrow their names from others, and have no `name`, `heap` and `entries`: see borrowed-names.ts |
 * | holes | u8 an owner: why nothing is known in its memory (see HOLE), the core's in memory of which no owner is known; empty where
 *   everything is known |
 */
export const SYMBOL_LAYOUT = {
  what: 'symbol table',
  magic: 0x4d595344,
  version: 6,
  sections: [
    'counts',
    'groups',
    'directory',
    'chunks',
    'cells',
    'low',
    'kind',
    'name',
    'heap',
    'ownerStart',
    'ownerOf',
    'owners',
    'buckets',
    'entries',
    'regions',
    'size',
    'outer',
    'large',
    'runs',
    'holes',
  ],
} as const satisfies Layout<string>

export type SymbolSection = (typeof SYMBOL_LAYOUT.sections)[number]

/** The words of the `counts` section. */
export const COUNTS = {
  symbols: 0,
  groups: 1,
  owners: 2,
  ownerRuns: 3,
  bucketBits: 4,
  idBits: 5,
  heapBytes: 6,
  distinctAddresses: 7,
  lines: 8,
  badLines: 9,
  /** 1 where symbols have sizes of their own, 0 where a symbol reaches to the next. */
  sized: 10,
  /** The ids that lie in the core kernel's text: two stretches, each a first id and an end; all 0 where nothing tells. */
  text: 11,
  words: 15,
} as const

/** Why an owner's memory has no symbols although it is there: values of `holes`. */
export const HOLE = { none: 0, unknownModule: 1, notLoadedYet: 2, staleLayout: 3 } as const

/** Words of a run in `runs`: its first id, the number of the table that lends the names, the first id there. */
export const RUN_WORDS = 3

/** Where in `runs` the run begins that an id belongs to. */
export function runOf(runs: Uint32Array, id: number): number {
  let from = 0
  let length = runs.length / RUN_WORDS
  while (length > 0) {
    const half = length >>> 1
    if (runs[(from + half) * RUN_WORDS]! <= id) {
      from += half + 1
      length -= half + 1
    } else length = half
  }
  return (from - 1) * RUN_WORDS
}

export { ROOT_BITS, ROOT_MASK } from './constants.ts'

/** Entries a bucket of the name index holds on average. */
const BUCKET_LOAD = 8

/** The size of the name index of so many symbols: its buckets, and the bits of an entry that are an id. */
export function indexBits(count: number): { readonly bucketBits: number; readonly idBits: number } {
  return {
    // Each part has at least one bucket.
    bucketBits: Math.max(Math.log2(PARTS), Math.ceil(Math.log2(Math.max(1, count / BUCKET_LOAD)))),
    idBits: Math.ceil(Math.log2(Math.max(2, count))),
  }
}

/** Where the bytes of the root at `offset` in a heap begin. Two functions, not one object: this is asked for every name. */
export function rootStart(heap: Uint8Array, offset: number): number {
  return heap[offset] === LONG_ROOT ? offset + 3 : offset + 1
}

/** How many bytes the root at `offset` in a heap has. */
export function rootLength(heap: Uint8Array, offset: number): number {
  const length = heap[offset]!
  return length === LONG_ROOT ? heap[offset + 1]! | (heap[offset + 2]! << 8) : length
}

/** The sections of a table as typed arrays over the shared buffer. */
export interface SymbolColumns {
  readonly counts: Uint32Array
  readonly groups: Uint32Array
  readonly directory: Uint16Array
  readonly chunks: Uint32Array
  readonly cells: Uint16Array
  readonly low: Uint32Array
  readonly kind: Uint8Array
  readonly name: Uint32Array
  readonly heap: Uint8Array
  readonly ownerStart: Uint32Array
  readonly ownerOf: Uint16Array
  readonly owners: Uint8Array
  readonly buckets: Uint32Array
  readonly entries: Uint32Array
  readonly regions: Uint32Array
  readonly size: Uint32Array
  readonly outer: Uint32Array
  readonly large: Uint32Array
  readonly runs: Uint32Array
  readonly holes: Uint8Array
}

/** Lays typed arrays over the sections of a buffer. */
export function symbolColumns(
  buffer: SharedArrayBuffer,
  sections: Readonly<Record<SymbolSection, Section>>,
): SymbolColumns {
  const u32 = ({ offset, length }: Section) => new Uint32Array(buffer, offset, length >>> 2)
  const u16 = ({ offset, length }: Section) => new Uint16Array(buffer, offset, length >>> 1)
  const u8 = ({ offset, length }: Section) => new Uint8Array(buffer, offset, length)
  return {
    counts: u32(sections.counts),
    groups: u32(sections.groups),
    directory: u16(sections.directory),
    chunks: u32(sections.chunks),
    cells: u16(sections.cells),
    low: u32(sections.low),
    kind: u8(sections.kind),
    name: u32(sections.name),
    heap: u8(sections.heap),
    ownerStart: u32(sections.ownerStart),
    ownerOf: u16(sections.ownerOf),
    owners: u8(sections.owners),
    buckets: u32(sections.buckets),
    entries: u32(sections.entries),
    regions: u32(sections.regions),
    size: u32(sections.size),
    outer: u32(sections.outer),
    large: u32(sections.large),
    runs: u32(sections.runs),
    holes: u8(sections.holes),
  }
}

/** The bytes each section needs, from the counts of what goes into it. */
export function symbolSectionBytes(sizes: {
  symbols: number
  pages: PageIndex
  heapBytes: number
  ownerRuns: number
  ownerBytes: number
  bucketBits: number
  regionWords: number
  sized: boolean
  largeWords: number
  /** Words of `runs`: more than none where all names are borrowed. */
  runWords: number
  holes: number
}): Record<SymbolSection, number> {
  const named = sizes.runWords > 0 ? 0 : sizes.symbols
  return {
    counts: COUNTS.words * 4,
    groups: sizes.pages.groups.byteLength,
    directory: sizes.pages.directory.byteLength,
    chunks: sizes.pages.chunks.byteLength,
    cells: sizes.pages.cells.byteLength,
    low: sizes.symbols * 4,
    kind: sizes.symbols,
    name: named * 4,
    heap: sizes.heapBytes,
    ownerStart: sizes.ownerRuns * 4,
    ownerOf: sizes.ownerRuns * 2,
    owners: sizes.ownerBytes,
    buckets: (2 ** sizes.bucketBits + 1) * 4,
    entries: named * 4,
    regions: sizes.regionWords * 4,
    size: sizes.sized ? sizes.symbols * 4 : 0,
    outer: sizes.sized ? sizes.symbols * 4 : 0,
    large: sizes.largeWords * 4,
    runs: sizes.runWords * 4,
    holes: sizes.holes,
  }
}

/**
 * Opens a buffer that holds a symbol table and checks that its counts and its sections agree.
 * @throws BadFormatError, UnsupportedError as `readSections` does.
 */
export function openSymbolColumns(buffer: SharedArrayBuffer): SymbolColumns {
  const sections = readSections(SYMBOL_LAYOUT, buffer)
  // Every thread that holds a table has to give it up by itself.
  weigh(buffer, buffer.byteLength)
  const columns = symbolColumns(buffer, sections)
  const { counts } = columns
  const symbols = counts[COUNTS.symbols] ?? 0
  const sizes = counts[COUNTS.sized] === 1 ? symbols : 0
  const named = columns.runs.length > 0 ? 0 : symbols
  const agree =
    counts.length === COUNTS.words &&
    columns.low.length === symbols &&
    columns.kind.length === symbols &&
    columns.name.length === named &&
    columns.entries.length === named &&
    columns.runs.length % RUN_WORDS === 0 &&
    columns.size.length === sizes &&
    columns.outer.length === sizes &&
    columns.groups.length === GROUP_WORDS * counts[COUNTS.groups]! &&
    columns.ownerStart.length === counts[COUNTS.ownerRuns]! &&
    columns.ownerOf.length === counts[COUNTS.ownerRuns]! &&
    columns.buckets.length === 2 ** counts[COUNTS.bucketBits]! + 1
  if (!agree) throw new BadFormatError('symbol table: the counts and the sections disagree')
  return columns
}
