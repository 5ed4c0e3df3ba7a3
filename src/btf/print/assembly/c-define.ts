// Definitions: structs and unions with their members, bitfields and the padding that C would not put there by itself; enums; typedefs.

import {
  STRUCT,
  TEXT_BYTE_MODE,
  TEXT_CHAR,
  TEXT_ENUM,
  TEXT_EQUALS,
  TEXT_GNUC_VA_LIST,
  TEXT_GNUC_VA_LIST_TYPEDEF,
  TEXT_INT,
  TEXT_LL,
  TEXT_LONG,
  TEXT_PACKED,
  TEXT_SHORT,
  TEXT_TYPEDEF,
  TEXT_ULL,
  TEXT_WORD_MODE,
} from '../c-constants'
import { isPacked, longBits, memberAlign, sizeOf } from './c-align'
import { enter, leave, putDeclaration, putStructTag } from './c-declare'
import { putEnumerator, putNumbered, tagNumber, typedefNumber } from './c-names'
import { put, putLine, putNumber, putSigned, putText, textAt } from './c-text'
import { elementWords, flagOf, nameAt, nameOf, recordOf, refOf, roleOf, sameName, vlenOf } from './c-types'

const SPACE: u8 = 0x20
const COMMA: u8 = 0x2c
const COLON: u8 = 0x3a
const SEMICOLON: u8 = 0x3b
const OPEN: u8 = 0x7b
const CLOSE: u8 = 0x7d

export function putStruct(id: u32, level: u32): void {
  enter(id)
  const record = recordOf(id)
  const role = roleOf(record)
  const hasBits = flagOf(record)
  const vlen = vlenOf(record)
  const packed = role === STRUCT && isPacked(record)
  putStructTag(id, role)
  put(SPACE)
  put(OPEN)
  let end: u64 = 0
  let afterBitfield = false
  let member = record + 12
  for (let left = vlen; left > 0; left--, member += 12) {
    const type = load<u32>(member, 4)
    const word = load<u32>(member, 8)
    const offset = <u64>(hasBits ? word & 0xffffff : word)
    const bits = <u64>(hasBits ? word >> 24 : 0)
    if (end < offset) putPadding(end, offset, packed ? 1 : memberAlign(type), afterBitfield && bits !== 0, level + 1)
    putLine(level + 1)
    putDeclaration(type, nameAt(load<u32>(member)), 1, level + 1)
    if (bits !== 0) {
      putWidth(bits)
      end = offset + bits
    } else end = offset + (sizeOf(type) << 3)
    afterBitfield = bits !== 0
    put(SEMICOLON)
  }
  const size = refOf(record)
  if (role === STRUCT) putPadding(end, (<u64>size) << 3, memberAlign(id), false, level + 1)
  if (vlen > 0 || size > 0) putLine(level)
  put(CLOSE)
  if (packed) putText(TEXT_PACKED)
  leave()
}

function putWidth(bits: u64): void {
  put(COLON)
  put(SPACE)
  putNumber(bits)
}

function putUnnamed(type: u32, bits: u64, level: u32): void {
  putLine(level)
  putText(type)
  putWidth(bits)
  put(SEMICOLON)
}

/** The number of a type that padding is made of, from the widest on, as text and in bits. */
function padText(i: u32): u32 {
  return i === 0 ? TEXT_LONG : i === 1 ? TEXT_INT : i === 2 ? TEXT_SHORT : TEXT_CHAR
}

function padBits(i: u32): u64 {
  return i === 0 ? <u64>longBits() : <u64>32 >> <u64>(i - 1)
}

function roundUp(value: u64, step: u64): u64 {
  return ((value + step - 1) / step) * step
}

/**
 * Unnamed bitfields that bring the next member to its offset where alignment alone would not. `align` is the next member's alignment in
 * bytes; offsets are in bits.
 */
function putPadding(from: u64, to: u64, align: u32, inBitfield: bool, level: u32): void {
  if (from >= to) return
  // The widest type with a boundary in the gap. `char` always has one, or the gap is less than a byte.
  let pad: u32 = 0
  while (pad < 3 && roundUp(from, padBits(pad)) > to) pad++
  const width = padBits(pad)
  let at = from
  const boundary = roundUp(from, width)
  if (boundary > at && boundary <= to) {
    const reached = boundary === to && roundUp(at, (<u64>align) << 3) !== boundary
    const swallowed = boundary !== to && to - boundary <= boundary - at
    if (inBitfield || reached || swallowed) putUnnamed(padText(pad), inBitfield ? boundary - at : 0, level)
    at = boundary
  }
  for (; to - at >= width; at += width) putUnnamed(padText(pad), width, level)
  if (at === to) return
  const rest = to - at
  for (let i: u32 = 0; i < 4; i++) if (padBits(i) >= rest) pad = i
  putUnnamed(padText(pad), rest, level)
}

/** An enum with its enumerators; without any, the forward declaration of one. */
export function putEnum(id: u32, level: u32): void {
  const record = recordOf(id)
  const name = nameOf(record)
  const number = tagNumber(id)
  putText(TEXT_ENUM)
  if (load<u8>(name) !== 0) {
    put(SPACE)
    putNumbered(name, number)
  }
  const vlen = vlenOf(record)
  if (vlen === 0) return
  const words = elementWords(record)
  const isWide = words > 2
  const signed = flagOf(record)
  let anyHigh = false
  put(SPACE)
  put(OPEN)
  let value = record + 12
  for (let left = vlen; left > 0; left--, value += words << 2) {
    putLine(level + 1)
    putEnumerator(nameAt(load<u32>(value)))
    putText(TEXT_EQUALS)
    if (isWide) {
      if (load<u32>(value, 8) !== 0) anyHigh = true
      const whole = <u64>load<u32>(value, 4) | ((<u64>load<u32>(value, 8)) << 32)
      if (signed) putSigned(<i64>whole)
      else putNumber(whole)
      putText(signed ? TEXT_LL : TEXT_ULL)
    } else if (signed) putSigned(<i64>load<i32>(value, 4))
    else putNumber(<u64>load<u32>(value, 4))
    put(COMMA)
  }
  putLine(level)
  put(CLOSE)
  // Sizes that no list of values has by itself in C.
  const size = refOf(record)
  if (size === 1) putText(TEXT_BYTE_MODE)
  else if (size === 8 && longBits() === 64 && !anyHigh) putText(TEXT_WORD_MODE)
}

/** `typedef … name`. */
export function putTypedef(id: u32): void {
  const record = recordOf(id)
  const name = nameOf(record)
  const target = refOf(record)
  const number = typedefNumber(id)
  // Old GCC describes this one as a typedef of void, which would not compile.
  if (target === 0 && number === 1 && sameName(name, textAt(TEXT_GNUC_VA_LIST))) putText(TEXT_GNUC_VA_LIST_TYPEDEF)
  else {
    putText(TEXT_TYPEDEF)
    putDeclaration(target, name, number, 0)
  }
}
