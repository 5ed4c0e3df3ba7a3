// The reading of lines: see ../parse.ts.

import { LABEL } from './kinds'
import {
  DIGIT,
  hashBytes,
  LABEL_FIRST,
  LABEL_SECOND,
  PREFIX_FIRST,
  PREFIX_LENGTH,
  PREFIX_SECOND,
  prefixOf,
  TYPE_CODE,
} from './names'

const TAB: u32 = 0x09
const NEWLINE: u32 = 0x0a
const RETURN: u32 = 0x0d
const SPACE: u32 = 0x20
const OPEN: u32 = 0x5b
const CLOSE: u32 = 0x5d

const LONGEST_NAME: u32 = 65535

const DONE: u32 = 0
const NEW_OWNER: u32 = 1
const BAD_LINE: u32 = 2
const BLANK: u32 = 0
const BAD_ADDRESS: u32 = 1
const BAD_TYPE: u32 = 2
const BAD_NAME: u32 = 3
const BAD_OWNER: u32 = 4

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

function lineAfter(text: usize, p: u32): u32 {
  while (load<u8>(text + p) !== NEWLINE) p++
  return p + 1
}

/**
 * Reads lines of text [position, end), whose last byte is a newline, into columns. `state` holds: position, count, lines,
 * status, reason or the new owner's first byte, the new owner's end, and the owner of the line before (first byte, length,
 * number). Stops at `maxLines`, at `capacity` symbols, behind a bad line, and before a line with another owner.
 */
export function scan(
  tables: usize,
  text: usize,
  end: u32,
  maxLines: u32,
  columns: usize,
  capacity: u32,
  state: usize,
): void {
  const highs = columns
  const lows = columns + (capacity << 2)
  const rootStarts = columns + (capacity << 3)
  const rootHashes = columns + capacity * 12
  const rootLengths = columns + (capacity << 4)
  const owners = columns + capacity * 18
  const prefixes = columns + capacity * 20
  const kinds = columns + capacity * 21
  let p = load<u32>(state, 0)
  let count = load<u32>(state, 4)
  let lines = load<u32>(state, 8)
  const ownerStart = load<u32>(state, 24)
  const ownerLength = load<u32>(state, 28)
  const ownerNumber = load<u32>(state, 32)
  const lastLine = lines + maxLines
  let status: u32 = DONE
  let reason: u32 = 0
  while (p < end && lines < lastLine && count < capacity) {
    const first = p
    let high: u32 = 0
    let low: u32 = 0
    if (p + 16 < end) {
      const bytes = v128.load(text + p)
      const digits = i8x16.sub(bytes, i8x16.splat(0x30))
      const letters = i8x16.sub(v128.or(bytes, i8x16.splat(0x20)), i8x16.splat(0x61))
      const isDigit = i8x16.lt_u(digits, i8x16.splat(10))
      const isLetter = i8x16.lt_u(letters, i8x16.splat(6))
      if (i8x16.all_true(v128.or(isDigit, isLetter))) {
        const values = v128.bitselect(digits, i8x16.add(letters, i8x16.splat(10)), isDigit)
        const pairs = v128.and(v128.or(i16x8.shl(values, 4), i16x8.shr_u(values, 8)), i16x8.splat(0xff))
        const address = bswap<u64>(<u64>i64x2.extract_lane(i8x16.narrow_i16x8_u(pairs, pairs), 0))
        high = <u32>(address >> 32)
        low = <u32>address
        p += 16
      }
    }
    for (;;) {
      const digit = <i32>load<i8>(tables + DIGIT + load<u8>(text + p))
      if (digit < 0) break
      high = (high << 4) | (low >> 28)
      low = (low << 4) | <u32>digit
      p++
    }
    const digits = p - first
    lines++
    let c = <u32>load<u8>(text + p)
    if (digits === 0 || digits > 16 || (c !== SPACE && c !== TAB)) {
      const over = c === NEWLINE || c === RETURN
      const blank = digits === 0 && (over || c === SPACE || c === TAB)
      reason = blank ? BLANK : over && digits <= 16 ? BAD_TYPE : BAD_ADDRESS
      status = BAD_LINE
      p = lineAfter(text, p)
      break
    }
    do c = <u32>load<u8>(text + ++p)
    while (c === SPACE || c === TAB)

    const kind = <i32>load<i8>(tables + TYPE_CODE + c)
    if (kind < 0) {
      reason = BAD_TYPE
      status = BAD_LINE
      p = lineAfter(text, p)
      break
    }
    c = <u32>load<u8>(text + ++p)
    if (c !== SPACE && c !== TAB) {
      reason = c === NEWLINE || c === RETURN ? BAD_NAME : BAD_TYPE
      status = BAD_LINE
      p = lineAfter(text, p)
      break
    }
    do c = <u32>load<u8>(text + ++p)
    while (c === SPACE || c === TAB)

    const name = p
    const length = nameLength(text + p)
    p += length
    let prefix: u32 = 0
    const first2 = load<u8>(tables + PREFIX_FIRST + c) & load<u8>(tables + PREFIX_SECOND + load<u8>(text + name + 1))
    if (first2 !== 0 && length > 2) prefix = prefixOf(tables, text + name, length)
    const root = name + load<u8>(tables + PREFIX_LENGTH + prefix)
    const hash = hashBytes(text + root, p - root)
    c = <u32>load<u8>(text + p)
    const nameEnd = p
    if (nameEnd === name || nameEnd - name > LONGEST_NAME) {
      reason = BAD_NAME
      status = BAD_LINE
      p = lineAfter(text, p)
      break
    }
    let belongs: u32 = 0
    if (c !== NEWLINE) {
      while (c === SPACE || c === TAB) c = <u32>load<u8>(text + ++p)
      if (c === OPEN) {
        const from = p + 1
        while (c !== CLOSE && c > SPACE) c = <u32>load<u8>(text + ++p)
        const length = p - from
        if (c !== CLOSE || length === 0 || length > LONGEST_NAME) {
          reason = BAD_OWNER
          status = BAD_LINE
          p = lineAfter(text, p)
          break
        }
        let same: u32 = 0
        if (length === ownerLength) {
          while (same < length && load<u8>(text + from + same) === load<u8>(text + ownerStart + same)) same++
        }
        if (same !== length) {
          // The caller numbers the owner, and the line is read again.
          store<u32>(state, from, 16)
          store<u32>(state, p, 20)
          status = NEW_OWNER
          p = first
          lines--
          break
        }
        belongs = ownerNumber
        c = <u32>load<u8>(text + ++p)
        while (c === SPACE || c === TAB) c = <u32>load<u8>(text + ++p)
      }
      if (c === RETURN) c = <u32>load<u8>(text + ++p)
      if (c !== NEWLINE) {
        reason = BAD_OWNER
        status = BAD_LINE
        p = lineAfter(text, p)
        break
      }
    }
    p++
    const label =
      (load<u8>(tables + LABEL_FIRST + load<u8>(text + name)) &
        load<u8>(tables + LABEL_SECOND + load<u8>(text + name + 1))) !==
      0
    store<u32>(highs + (count << 2), high)
    store<u32>(lows + (count << 2), low)
    store<u32>(rootStarts + (count << 2), root)
    store<u32>(rootHashes + (count << 2), hash)
    store<u16>(rootLengths + (count << 1), nameEnd - root)
    store<u16>(owners + (count << 1), belongs)
    store<u8>(prefixes + count, prefix)
    store<u8>(kinds + count, label ? <u32>kind | LABEL : <u32>kind)
    count++
  }
  store<u32>(state, p, 0)
  store<u32>(state, count, 4)
  store<u32>(state, lines, 8)
  store<u32>(state, status, 12)
  if (status === BAD_LINE) store<u32>(state, reason, 16)
}
