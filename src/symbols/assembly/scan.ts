// kallsyms text to records: one pass over the bytes of a stretch of whole lines.
//
// A line is `ADDRESS TYPE NAME[\t[OWNER]]` (kernel/kallsyms.c, s_show). Blanks between fields may be spaces or tabs, a line may end
// in CRLF, addresses have 1–16 digits. Anything else is a bad line: counted, never fatal.

import {
  BUILD_HASHES,
  BUILD_KEEP_DATA,
  BUILD_KEEP_OWNERS,
  BUILD_KNOWN,
  BUILD_TABLES,
  DIGEST_BYTES,
  HASHES_BYTES,
  LABEL,
  LISTED_BAD_LINES,
  LONGEST_NAME,
  MARKER_BYTES,
  MOST_MARKERS,
  RECORD_HIGH,
  RECORD_KIND,
  RECORD_LOW,
  RECORD_NAME,
  RECORD_OWNER,
  RECORD_PART,
  RECORD_SHIFT,
  RUN_FIRST,
  RUN_LENGTH,
  RUN_NAME,
  RUN_NUMBER,
  STRETCH_ANY,
  STRETCH_BAD,
  STRETCH_BAD_COUNT,
  STRETCH_COUNT,
  STRETCH_DIGEST,
  STRETCH_LEFT_DATA,
  STRETCH_LEFT_OWNERS,
  STRETCH_LENGTH,
  STRETCH_LINES,
  STRETCH_MARKERS,
  STRETCH_RECORDS,
  STRETCH_RUN_COUNT,
  STRETCH_RUNS,
  STRETCH_SAME,
  STRETCH_SCANNED,
  STRETCH_SEEN,
  STRETCH_SORTED,
  STRETCH_TEXT,
  TABLE_DATA,
  TABLE_DIGIT,
  TABLE_LABEL_FIRST,
  TABLE_LABEL_SECOND,
  TABLE_MARKER_HASHES,
  TABLE_MARKER_SET,
  TABLE_PREFIX_FIRST,
  TABLE_PREFIX_LENGTH,
  TABLE_PREFIX_SECOND,
  TABLE_TYPE_CODE,
} from '../constants'
import { address, stretchOf } from './build'
import { digest } from './digest'
import { GOLDEN, hashBytes, numberIn, prefixOf, sameBytes } from './names'
import { share } from './streams'

const TAB: u32 = 0x09
const NEWLINE: u32 = 0x0a
const RETURN: u32 = 0x0d
const SPACE: u32 = 0x20
const OPEN: u32 = 0x5b
const CLOSE: u32 = 0x5d

/** Why a line could not be read: places in BAD_LINE_REASONS, from 1 on. */
const BLANK: u32 = 1
const ADDRESS: u32 = 2
const TYPE: u32 = 3
const NAME: u32 = 4
const OWNER: u32 = 5

/** How many bytes above a blank stand from `start` on. There is a newline somewhere. */
function nameLength(start: usize): u32 {
  let at = start
  let ends: i32
  do {
    ends = i8x16.bitmask(i8x16.le_u(v128.load(at), i8x16.splat(0x20)))
    at += 16
  } while (ends === 0)
  return <u32>(at - start) - 16 + ctz(ends)
}

/** How many newlines there are: the lines for which there has to be room. */
export function countLines(text: usize, length: u32): u32 {
  let lines: u32 = 0
  let i: u32 = 0
  for (; i + 16 <= length; i += 16) {
    lines += popcnt(i8x16.bitmask(i8x16.eq(v128.load(text + i), i8x16.splat(0x0a))))
  }
  for (; i < length; i++) if (load<u8>(text + i) === NEWLINE) lines++
  return lines
}

const HASH_STEP: u32 = 0x85ebca6b
/** What an address and a type take of a line, by which a cut before it is chosen. */
const LEAST: u32 = 18

/**
 * How many bytes a stretch takes of a text: up to the line, in the last quarter, whose address has the greatest hash. That depends on
 * lines alone, so the stretches behind an insertion are soon cut as they were before it.
 */
export function cutOf(text: usize, length: u32): u32 {
  let cut: u32 = 0
  let greatest: u32 = 0
  for (let at = length - (length >> 2); at + LEAST < length; at += 16) {
    let ends = i8x16.bitmask(i8x16.eq(v128.load(text + at), i8x16.splat(0x0a)))
    for (; ends !== 0; ends &= ends - 1) {
      const line = at + ctz(ends) + 1
      if (line + LEAST > length) break
      const hash = (load<u32>(text + line + 8) * HASH_STEP) ^ (load<u32>(text + line + 12) * GOLDEN)
      if (hash <= greatest) continue
      greatest = hash
      cut = line
    }
  }
  if (cut !== 0) return cut
  for (cut = length; cut > 0 && <u32>load<u8>(text + cut - 1) !== NEWLINE; cut--) {}
  return cut
}

/**
 * Reads a stretch, whose last byte is followed by a newline if it is none, and shares its roots out to streams. A stretch that is as
 * an earlier text had it is not read.
 */
export function scan(build: usize, piece: u32, thread: u32): void {
  const row = stretchOf(build, piece)
  const text = address(row, STRETCH_TEXT)
  const end = text + load<u32>(row + STRETCH_LENGTH)
  digest(text, load<u32>(row + STRETCH_LENGTH), row + STRETCH_DIGEST)
  const digests = address(build, BUILD_KNOWN)
  const same = digests === 0 ? 0 : numberIn(digests, row + STRETCH_DIGEST, DIGEST_BYTES)
  if (same !== 0) {
    store<u32>(row + STRETCH_SAME, same)
    atomic.store<u32>(row + STRETCH_SCANNED, 1)
    return
  }
  const tables = address(build, BUILD_TABLES)
  const hashes = address(build, BUILD_HASHES) + thread * HASHES_BYTES
  const keepOwners = address(build, BUILD_KEEP_OWNERS)
  const keepData = address(build, BUILD_KEEP_DATA)
  const markers = address(row, STRETCH_MARKERS)
  const records = address(row, STRETCH_RECORDS)
  const bad = address(row, STRETCH_BAD)
  memory.fill(markers, 0, MOST_MARKERS * MARKER_BYTES)
  let p = text
  let count: u32 = 0
  let lines: u32 = 0
  let badCount: u32 = 0
  let leftData: u32 = 0
  let leftOwners: u32 = 0
  let seen: u32 = 0
  let any: u32 = 0
  let sorted: u32 = 0
  let ascends = true
  let last: u64 = 0
  let run: usize = 0
  let runEnd = address(row, STRETCH_RUNS)
  let runCount: u32 = 0
  let kept = true
  while (p < end) {
    const first = p
    let reason: u32 = 0
    let value: u64 = 0
    lines++
    // The usual sixteen digits at once, any other number of them one by one.
    const bytes = v128.load(p)
    const digits = i8x16.sub(bytes, i8x16.splat(0x30))
    const letters = i8x16.sub(v128.or(bytes, i8x16.splat(0x20)), i8x16.splat(0x61))
    const isDigit = i8x16.lt_u(digits, i8x16.splat(10))
    if (p + 16 < end && i8x16.all_true(v128.or(isDigit, i8x16.lt_u(letters, i8x16.splat(6))))) {
      const values = v128.bitselect(digits, i8x16.add(letters, i8x16.splat(10)), isDigit)
      const pairs = v128.and(v128.or(i16x8.shl(values, 4), i16x8.shr_u(values, 8)), i16x8.splat(0xff))
      value = bswap<u64>(<u64>i64x2.extract_lane(i8x16.narrow_i16x8_u(pairs, pairs), 0))
      p += 16
    }
    for (;;) {
      const digit = <i32>load<i8>(tables + TABLE_DIGIT + load<u8>(p))
      if (digit < 0) break
      value = (value << 4) | <u64>digit
      p++
    }
    const digitCount = <u32>(p - first)
    let c = <u32>load<u8>(p)
    if (digitCount === 0 || digitCount > 16 || (c !== SPACE && c !== TAB)) {
      const over = c === NEWLINE || c === RETURN
      const blank = digitCount === 0 && (over || c === SPACE || c === TAB)
      reason = blank ? BLANK : over && digitCount <= 16 ? TYPE : ADDRESS
    } else {
      do c = <u32>load<u8>(++p)
      while (c === SPACE || c === TAB)
      const type = <i32>load<i8>(tables + TABLE_TYPE_CODE + c)
      if (type < 0) reason = TYPE
      else {
        c = <u32>load<u8>(++p)
        if (c !== SPACE && c !== TAB) reason = c === NEWLINE || c === RETURN ? NAME : TYPE
        else {
          do c = <u32>load<u8>(++p)
          while (c === SPACE || c === TAB)
          const name = p
          const length = nameLength(p)
          p += length
          let prefix: u32 = 0
          if (
            (load<u8>(tables + TABLE_PREFIX_FIRST + c) &
              load<u8>(tables + TABLE_PREFIX_SECOND + load<u8>(name + 1))) !==
              0 &&
            length > 2
          ) {
            prefix = prefixOf(tables, name, length)
          }
          const root = name + load<u8>(tables + TABLE_PREFIX_LENGTH + prefix)
          const rootLength = <u32>(p - root)
          const hash = hashBytes(root, rootLength)
          let owner: usize = 0
          let ownerLength: u32 = 0
          if (length === 0 || length > <u32>LONGEST_NAME) reason = NAME
          else {
            c = <u32>load<u8>(p)
            if (c !== NEWLINE) {
              while (c === SPACE || c === TAB) c = <u32>load<u8>(++p)
              if (c === OPEN) {
                owner = p + 1
                while (c !== CLOSE && c > SPACE) c = <u32>load<u8>(++p)
                ownerLength = <u32>(p - owner)
                if (c !== CLOSE || ownerLength === 0 || ownerLength > <u32>LONGEST_NAME) reason = OWNER
                else {
                  c = <u32>load<u8>(++p)
                  while (c === SPACE || c === TAB) c = <u32>load<u8>(++p)
                }
              }
              if (reason === 0) {
                if (c === RETURN) c = <u32>load<u8>(++p)
                if (c !== NEWLINE) reason = OWNER
              }
            }
          }
          if (reason === 0) {
            p++
            if (
              run === 0 ||
              load<u32>(run + RUN_LENGTH) !== ownerLength ||
              !sameBytes(run + RUN_NAME, owner, ownerLength)
            ) {
              kept = ownerLength === 0 || keepOwners === 0 || numberIn(keepOwners, owner, ownerLength) !== 0
              run = runEnd
              runCount++
              store<u32>(run + RUN_FIRST, count)
              store<u32>(run + RUN_LENGTH, ownerLength)
              store<i32>(run + RUN_NUMBER, kept ? 0 : -1)
              memory.copy(run + RUN_NAME, owner, ownerLength)
              runEnd = run + RUN_NAME + ((ownerLength + 3) & ~3)
            }
            seen |= <u32>value | <u32>(value >> 32)
            any = 1
            if (
              ownerLength === 0 &&
              prefix === 0 &&
              load<u32>(tables + TABLE_MARKER_HASHES + ((hash & 0xff) << 2)) === hash
            ) {
              const number = numberIn(<usize>load<u32>(tables + TABLE_MARKER_SET), name, length)
              const marker = markers + (number - 1) * MARKER_BYTES
              if (number !== 0 && load<u32>(marker) === 0) {
                store<u32>(marker, 1)
                store<u32>(marker, <u32>(value >> 32), 4)
                store<u32>(marker, <u32>value, 8)
              }
            }
            if (!kept) {
              leftOwners++
              continue
            }
            if (
              keepData !== 0 &&
              load<u8>(tables + TABLE_DATA + type) === 1 &&
              numberIn(keepData, name, length) === 0
            ) {
              leftData++
              continue
            }
            if (ascends && value >= last) sorted++
            else ascends = false
            last = value
            const label =
              (load<u8>(tables + TABLE_LABEL_FIRST + load<u8>(name)) &
                load<u8>(tables + TABLE_LABEL_SECOND + load<u8>(name + 1))) !==
              0
            const record = records + (count << RECORD_SHIFT)
            store<u32>(record + RECORD_LOW, <u32>value)
            store<u32>(record + RECORD_HIGH, <u32>(value >> 32))
            store<u32>(record + RECORD_NAME, <u32>root)
            store<u8>(record + RECORD_KIND, label ? <u32>type | LABEL : <u32>type)
            store<u8>(record + RECORD_PART, prefix)
            store<u16>(record + RECORD_OWNER, rootLength)
            store<u32>(hashes + (count << 2), hash)
            count++
            continue
          }
        }
      }
    }
    if (badCount < <u32>LISTED_BAD_LINES) {
      store<u32>(bad + (badCount << 3), lines)
      store<u32>(bad + (badCount << 3), reason - 1, 4)
    }
    badCount++
    while (<u32>load<u8>(p) !== NEWLINE) p++
    p++
  }
  store<u32>(row + STRETCH_COUNT, count)
  store<u32>(row + STRETCH_LINES, lines)
  store<u32>(row + STRETCH_BAD_COUNT, badCount)
  store<u32>(row + STRETCH_LEFT_DATA, leftData)
  store<u32>(row + STRETCH_LEFT_OWNERS, leftOwners)
  store<u32>(row + STRETCH_SEEN, seen)
  store<u32>(row + STRETCH_ANY, any)
  store<u32>(row + STRETCH_SORTED, sorted)
  store<u32>(row + STRETCH_RUN_COUNT, runCount)
  share(row, hashes, runEnd)
  atomic.store<u32>(row + STRETCH_SCANNED, 1)
}

/** The same for a text that was read before: nearly all of it is only recognised. */
export function rescan(build: usize, piece: u32, thread: u32): void {
  scan(build, piece, thread)
}
