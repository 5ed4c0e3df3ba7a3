// What C would not put between members by itself: unnamed bitfields, and the widths of those that have names.

import { TEXT_CHAR, TEXT_INT, TEXT_LONG, TEXT_SHORT } from '../c-constants'
import { longBits } from './c-align'
import { put, putLine, putNumber, putText } from './c-text'

const SPACE: u8 = 0x20
const COLON: u8 = 0x3a
const SEMICOLON: u8 = 0x3b

/** The width of a bitfield. */
export function putWidth(bits: u64): void {
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
export function putPadding(from: u64, to: u64, align: u32, inBitfield: bool, level: u32): void {
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
