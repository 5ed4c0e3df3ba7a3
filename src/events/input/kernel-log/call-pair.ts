// Lines of 32-bit ARM's unwinder, which have two frames: a function, and where it was called from.

import type { RawFrame } from '../../../stacks/frame.ts'
import { skipBlanks } from '../characters.ts'
import { LONGEST_NAME, readAddress, readName, readSymbol, readTail } from './frame.ts'

/** Two frames of 32-bit ARM's lines: `[<address>] (name) from [<address>] (name+0x10/0x20)`, or `name from name+0x10/0x20`. */
export interface CallPair {
  readonly where: Partial<RawFrame>
  readonly from: Partial<RawFrame>
}

/** Reads a line of 32-bit ARM's unwinder; undefined if it is none. */
export function readCallPair(text: string): CallPair | undefined {
  let at = skipBlanks(text, 0)
  if (text.startsWith('Function entered at ', at)) at += 20
  const middle = text.indexOf(' from ', at)
  if (middle < 0 || middle - at > LONGEST_NAME) return undefined
  const where = readParty(text, at, middle)
  const from = where && readParty(text, middle + 6, text.length)
  return where && from && { where, from }
}

/** Either side of a call: an address in brackets, a name with or without its offset, or both. */
function readParty(text: string, start: number, stop: number): Partial<RawFrame> | undefined {
  let at = skipBlanks(text, start)
  const place = readAddress(text, at)
  if (place !== undefined) at = skipBlanks(text, place.end)
  const inside = text[at] === '('
  if (inside) at++
  const read = readSymbol(text, at) ?? readName(text, at)
  if (read === undefined) {
    if (place?.address === undefined || at < stop) return undefined
    return { address: place.address, column: place.column, length: place.length }
  }
  const tail = readTail(text.slice(0, stop), read.end)
  if (tail === undefined) return undefined
  return {
    ...read.frame,
    owner: tail.owner,
    address: place?.address,
    column: place?.column ?? 0,
    length: 0,
  }
}
