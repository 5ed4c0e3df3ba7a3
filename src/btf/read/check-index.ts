// Checks a type index and the blobs it describes where they come from elsewhere, such as from a file: every record has to lie inside its
// blob, one behind the other. Entries of the name index are checked by each lookup that follows them.

import { BadFormatError } from '../../core/errors.ts'
import { readSections } from '../../core/sections.ts'
import { infoKind, infoVlen } from '../format.ts'
import { type KindLayout, TYPE_WORDS, typeWords } from '../kinds.ts'
import { readLayout } from './header.ts'
import {
  HEAD_BUCKET_BITS,
  HEAD_ORDINAL_BITS,
  HEAD_SET_COUNT,
  HEAD_SORTED,
  HEAD_TYPE_COUNT,
  HEAD_WORDS,
  INDEX_LAYOUT,
  ROW_FIRST_ID,
  ROW_FIRST_ORDINAL,
  ROW_LAYOUT_BYTES,
  ROW_LAYOUT_START,
  ROW_NAMED,
  ROW_STRING_BASE,
  ROW_STRINGS_BYTES,
  ROW_STRINGS_START,
  ROW_TYPE_COUNT,
  ROW_TYPES_BYTES,
  ROW_TYPES_START,
  ROW_WORDS,
} from './index-layout.ts'
import type { TypeSetRecord } from './index-types.ts'

/** No number of ids or bytes of names reaches this: format and readers count in signed words. */
const MOST = 2 ** 31

const bad = (what: string) => new BadFormatError(`type index: ${what}`)

/**
 * Checks what an index says of itself and of its sets, given in the order of their rows: what a lookup of a name relies on.
 * Only the head and the rows are looked at, and nothing of the blobs.
 * @throws BadFormatError, UnsupportedError
 */
export function checkRows(buffer: SharedArrayBuffer, records: readonly TypeSetRecord[]): void {
  const sections = readSections(INDEX_LAYOUT, buffer)
  const view = (section: { offset: number; length: number }) =>
    new Uint32Array(buffer, section.offset, section.length >>> 2)
  const head = view(sections.head)
  const rows = view(sections.sets)
  const offsets = view(sections.offsets)
  const buckets = view(sections.buckets)
  if (head.length !== HEAD_WORDS) throw bad('its head has another length')
  const sets = head[HEAD_SET_COUNT]!
  const types = head[HEAD_TYPE_COUNT]!
  if (rows.length !== sets * ROW_WORDS || offsets.length !== types || types >= MOST) throw bad('its counts disagree')
  if (records.length !== sets) throw bad(`it has ${sets} sets, not ${records.length}`)
  const ordinalBits = head[HEAD_ORDINAL_BITS]!
  if (ordinalBits > 32 || 2 ** ordinalBits < types) throw bad(`${ordinalBits} bits do not hold its types`)
  if (head[HEAD_SORTED] === 1) {
    if (sets !== 1) throw bad('only a single set can be sorted')
  } else {
    const bits = head[HEAD_BUCKET_BITS]!
    if (bits > 30 || buckets.length !== 2 ** bits + 1) throw bad('it has another number of buckets')
  }
  let ordinal = 0
  for (const [i, record] of records.entries()) {
    const row = rows.subarray(i * ROW_WORDS, (i + 1) * ROW_WORDS)
    if (record.indexOffset !== sections.sets.offset + i * ROW_WORDS * 4) throw bad(`set ${record.name} has no such row`)
    if (row[ROW_FIRST_ORDINAL] !== ordinal) throw bad(`set ${record.name} begins at another type`)
    checkRow(record, row)
    ordinal += row[ROW_TYPE_COUNT]!
  }
  if (ordinal !== types) throw bad(`its sets have ${ordinal} types, not ${types}`)
}

/** Checks that a set's sections lie inside its blob. */
function checkRow(record: TypeSetRecord, row: Uint32Array): void {
  const wrong = (what: string) => bad(`set ${record.name}: ${what}`)
  const { blob, blobOffset, blobLength } = record
  if (blobOffset % 4 !== 0 || blobOffset + blobLength > blob.byteLength)
    throw wrong('its blob lies outside of the file')
  const typesStart = row[ROW_TYPES_START]!
  const typesBytes = row[ROW_TYPES_BYTES]!
  const stringsStart = row[ROW_STRINGS_START]!
  const stringsBytes = row[ROW_STRINGS_BYTES]!
  const layoutStart = row[ROW_LAYOUT_START]!
  const layoutBytes = row[ROW_LAYOUT_BYTES]!
  const inside = (start: number, length: number) => start + length <= blobLength
  if (typesStart % 4 !== 0 || typesBytes % 4 !== 0 || !inside(typesStart, typesBytes)) throw wrong('no such types')
  if (!inside(stringsStart, stringsBytes)) throw wrong('its names lie outside of its blob')
  if (layoutBytes % 4 !== 0 || !inside(layoutStart, layoutBytes)) throw wrong('its layout lies outside of its blob')
  const count = row[ROW_TYPE_COUNT]!
  if (row[ROW_FIRST_ID]! + count >= MOST || row[ROW_STRING_BASE]! + stringsBytes >= MOST) throw wrong('too many types')
  if (row[ROW_FIRST_ID]! < 1 || row[ROW_NAMED]! > count) throw wrong('its counts disagree')
}

/**
 * Checks one index and the sets in it, given in the order of their rows. `layout` is that of the base, for kinds that
 * only it describes; the first set's own is returned for others.
 * @throws BadFormatError, UnsupportedError
 */
export function checkTypeIndex(
  buffer: SharedArrayBuffer,
  records: readonly TypeSetRecord[],
  layout?: KindLayout,
): KindLayout | undefined {
  checkRows(buffer, records)
  const { offset, length } = readSections(INDEX_LAYOUT, buffer).offsets
  const offsets = new Uint32Array(buffer, offset, length >>> 2)
  let own: KindLayout | undefined
  for (const record of records) {
    const described = checkSet(record, offsets, layout)
    own ??= described
  }
  return own
}

/** Checks that a set's names end and its types lie where the index says, and gives its own layout. */
function checkSet(
  record: TypeSetRecord,
  offsets: Uint32Array,
  baseLayout: KindLayout | undefined,
): KindLayout | undefined {
  const wrong = (what: string) => bad(`set ${record.name}: ${what}`)
  const { blob, blobOffset, blobLength } = record
  const row = new Uint32Array(record.index, record.indexOffset, ROW_WORDS)
  const bytes = new Uint8Array(blob, blobOffset, blobLength)
  // The end of the last name is what ends the search for the end of any.
  const namesEnd = row[ROW_STRINGS_START]! + row[ROW_STRINGS_BYTES]!
  if (row[ROW_STRINGS_BYTES]! > 0 ? bytes[namesEnd - 1] !== 0 : row[ROW_FIRST_ID] === 1) {
    throw wrong('its names have no end')
  }
  const layout = readLayout(bytes, { layoutStart: row[ROW_LAYOUT_START]!, layoutBytes: row[ROW_LAYOUT_BYTES]! })
  const words = new Int32Array(blob, blobOffset, blobLength >>> 2)
  const end = (row[ROW_TYPES_START]! + row[ROW_TYPES_BYTES]!) >>> 2
  const first = row[ROW_FIRST_ORDINAL]!
  const last = first + row[ROW_TYPE_COUNT]!
  const at = followTypes(words, row[ROW_TYPES_START]! >>> 2, end, offsets, first, last, layout ?? baseLayout)
  if (at !== end) throw wrong(`type ${row[ROW_FIRST_ID]!} and those behind it do not lie where the index says`)
  return layout
}

/** Walks along types as they lie one behind the other; where they end, or -1 if one is not where the index has it. */
function followTypes(
  words: Int32Array,
  start: number,
  end: number,
  offsets: Uint32Array,
  from: number,
  to: number,
  layout: KindLayout | undefined,
): number {
  let at = start
  for (let i = from; i < to; i++) {
    if (offsets[i] !== at || at + TYPE_WORDS > end) return -1
    const info = words[at + 1]!
    const length = typeWords(infoKind(info), infoVlen(info), layout)
    if (length < 0 || length > end - at) return -1
    at += length
  }
  return at
}
