// Tables in the loops' memory by which they know names and types, written from names.ts, kinds.ts and regions.ts.

import {
  BUILD_TABLES,
  MOST_MARKERS,
  SET_SLOT_BYTES,
  SET_SLOTS,
  TABLE_DATA,
  TABLE_DIGIT,
  TABLE_LABEL_FIRST,
  TABLE_LABEL_SECOND,
  TABLE_LONGEST_PREFIX,
  TABLE_MARKER_HASHES,
  TABLE_MARKER_SET,
  TABLE_PREFIX_BYTES,
  TABLE_PREFIX_FIRST,
  TABLE_PREFIX_HASH,
  TABLE_PREFIX_LENGTH,
  TABLE_PREFIX_SECOND,
  TABLE_PREFIX_START,
  TABLE_SLOTS,
  TABLE_TYPE_CODE,
} from './constants.ts'
import { MARKERS } from './core-memory.ts'
import { isData, TYPE_CODE, TYPES } from './kinds.ts'
import {
  hashBytes,
  LABEL_FIRST,
  LABEL_SECOND,
  LONGEST_PREFIX,
  PREFIX_FIRST,
  PREFIX_LENGTH,
  PREFIX_SECOND,
  PREFIXES,
  prefixBySlot,
  prefixHash,
} from './names.ts'

/** The part of a workspace that is used here. */
interface LoopMemory {
  readonly words: Uint32Array
  room(bytes: number): number
  bytes(address: number, length: number): Uint8Array
  set(word: number, value: number): void
  copy(bytes: Uint8Array): number
}

/** Section markers by their number among the loops, which is their place here. No marker has a listed prefix. */
export const MARKER_NAMES: readonly string[] = [
  ...new Set(
    [MARKERS.begin, MARKERS.sectionEnd, MARKERS.text, MARKERS.initText, ...MARKERS.sections, [MARKERS.end]].flat(),
  ),
]
if (MARKER_NAMES.length > MOST_MARKERS) throw new Error('more section markers than a stretch has room for')

/** Hexadecimal digit values; -1 for every other byte. */
const DIGIT = new Int8Array(256).fill(-1)
for (let i = 0; i < 16; i++) {
  DIGIT['0123456789abcdef'.charCodeAt(i)] = i
  DIGIT['0123456789ABCDEF'.charCodeAt(i)] = i
}

/** By the lowest byte of its hash, every marker's hash: nearly every other name is told apart by it. */
const MARKER_HASHES = new Uint32Array(256)
for (const name of MARKER_NAMES) {
  const bytes = Buffer.from(name, 'latin1')
  const hash = hashBytes(bytes, 0, bytes.length) >>> 0
  if (MARKER_HASHES[hash & 0xff] !== 0) throw new Error('two section markers share a slot: make more slots')
  MARKER_HASHES[hash & 0xff] = hash
}

const ALL_PREFIXES = Buffer.from(PREFIXES.join(''), 'latin1')

/** Writes the tables into a workspace. */
export function writeTables(workspace: LoopMemory): void {
  const markers = nameSet(
    workspace,
    MARKER_NAMES.map((name) => Buffer.from(name, 'latin1')),
  )
  const address = workspace.room(TABLE_PREFIX_BYTES + ALL_PREFIXES.length)
  const bytes = workspace.bytes(address, TABLE_PREFIX_BYTES + ALL_PREFIXES.length)
  const word = (offset: number, value: number) => {
    workspace.words[(address + offset) >>> 2] = value
  }
  bytes.set(new Uint8Array(DIGIT.buffer), TABLE_DIGIT)
  bytes.set(new Uint8Array(TYPE_CODE.buffer), TABLE_TYPE_CODE)
  bytes.set(LABEL_FIRST, TABLE_LABEL_FIRST)
  bytes.set(LABEL_SECOND, TABLE_LABEL_SECOND)
  bytes.set(PREFIX_FIRST, TABLE_PREFIX_FIRST)
  bytes.set(PREFIX_SECOND, TABLE_PREFIX_SECOND)
  bytes.set(prefixBySlot, TABLE_SLOTS)
  let start = 0
  PREFIXES.forEach((prefix, number) => {
    word(TABLE_PREFIX_HASH + 4 * number, prefixHash[number]!)
    word(TABLE_PREFIX_START + 4 * number, start)
    start += prefix.length
  })
  bytes.set(PREFIX_LENGTH, TABLE_PREFIX_LENGTH)
  word(TABLE_LONGEST_PREFIX, LONGEST_PREFIX)
  bytes.set(
    Uint8Array.from(TYPES, (_, code) => (isData(code) ? 1 : 0)),
    TABLE_DATA,
  )
  bytes.set(new Uint8Array(MARKER_HASHES.buffer), TABLE_MARKER_HASHES)
  word(TABLE_MARKER_SET, markers)
  bytes.set(ALL_PREFIXES, TABLE_PREFIX_BYTES)
  workspace.set(BUILD_TABLES, address)
}

/** A set of names for the loops; each has its place in the list, counted from 1, as its number. */
export function nameSet(workspace: LoopMemory, names: readonly Uint8Array[]): number {
  const slots = 2 ** Math.ceil(Math.log2(2 * names.length + 2))
  const set = workspace.room(SET_SLOTS + slots * SET_SLOT_BYTES)
  const copies = names.map((name) => workspace.copy(name))
  const { words } = workspace
  words.fill(0, set >>> 2, (set + SET_SLOTS + slots * SET_SLOT_BYTES) >>> 2)
  words[set >>> 2] = slots - 1
  names.forEach((name, i) => {
    const hash = hashBytes(name, 0, name.length)
    const at = (slot: number) => (set + SET_SLOTS + slot * SET_SLOT_BYTES) >>> 2
    let slot = hash & (slots - 1)
    while (words[at(slot) + 3] !== 0) slot = (slot + 1) & (slots - 1)
    words.set([hash, copies[i]!, name.length, i + 1], at(slot))
  })
  return set
}
