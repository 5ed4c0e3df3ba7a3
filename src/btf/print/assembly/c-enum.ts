// Enums with their enumerators.

import { TEXT_BYTE_MODE, TEXT_ENUM, TEXT_EQUALS, TEXT_LL, TEXT_ULL, TEXT_WORD_MODE } from '../c-constants'
import { longBits } from './c-align'
import { putEnumerator, putNumbered, tagNumber } from './c-names'
import { put, putLine, putNumber, putSigned, putText } from './c-text'
import { elementWords, flagOf, nameAt, nameOf, recordOf, refOf, vlenOf } from './c-types'

const SPACE: u8 = 0x20
const COMMA: u8 = 0x2c
const OPEN: u8 = 0x7b
const CLOSE: u8 = 0x7d

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
