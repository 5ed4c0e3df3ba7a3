// The frames of perf's text: `ADDRESS symbol+0x10 (dso)`, and what stands there once they were put into words.

import type { Frame, RawFrame } from '../../../stacks/frame.ts'
import { asText, hexAddress } from '../../format.ts'
import { beforeSpaces, behindSpaces, COLON, hexDigitsEnd, isHexDigit, SPACE, TAB } from '../characters.ts'
import { fileOf, NO_FILE } from '../dso.ts'
import { timedHead } from './head.ts'

/** Digits that an address in the first column, or behind blanks, has at least: what a header begins with may look like fewer. */
const FEWEST_AT_START = 8
const FEWEST_BEHIND_BLANKS = 5

/**
 * A frame begins with a tab; with blanks, or in the first column as after pasting, only what is no header, as perf pads comms
 * and numbers on their left without call chains.
 */
export function readFrame(text: string): Partial<RawFrame> | undefined {
  if (text.startsWith('\t')) return decodeFrame(text, 1)
  const frame = decodeFrame(text, text.startsWith(' ') ? FEWEST_BEHIND_BLANKS : FEWEST_AT_START)
  if (frame === undefined || timedHead(text) !== undefined) return undefined
  // `4711 cycles:`, a header without comm and time.
  const word = behindSpaces(text, frame.column ?? 0)
  const end = text.indexOf(' ', word)
  return text.charCodeAt((end < 0 ? text.length : end) - 1) === COLON ? undefined : frame
}

/**
 * `ADDRESS symbol+0x10 (dso)`, without offset, without dso, or the address alone; the name may hold anything. The part that is
 * put into words is what stands behind the address, but for the dso. undefined if the address has less than `fewest` digits.
 */
export function decodeFrame(text: string, fewest: number): Partial<RawFrame> | undefined {
  let start = 0
  while (start < text.length && (text.charCodeAt(start) === SPACE || text.charCodeAt(start) === TAB)) start++
  const end = hexDigitsEnd(text, start)
  const digits = end - start
  if (digits < Math.max(fewest, 1) || digits > 16) return undefined
  if (end < text.length && text.charCodeAt(end) !== SPACE) return undefined
  const address = hexAddress(text.slice(start, end))
  let upTo = beforeSpaces(text, text.length)
  if (upTo <= end + 1) return { address, column: end }
  let open = parenthesesBefore(text, end, upTo)
  let inlined = false
  if (open >= 0 && text.startsWith('(inlined)', open)) {
    inlined = true
    upTo = beforeSpaces(text, open)
    open = parenthesesBefore(text, end, upTo)
  }
  const file = open < 0 ? NO_FILE : fileOf(text.slice(open + 1, upTo - 1), address)
  const symbolEnd = open < 0 ? upTo : Math.max(beforeSpaces(text, open), end + 1)
  const plus = text.lastIndexOf('+0x', symbolEnd - 4)
  const hasOffset = plus > end + 1 && isHexText(text, plus + 3, symbolEnd)
  const name = text.slice(end + 1, hasOffset ? plus : symbolEnd)
  return {
    address,
    name: name === '' || name === '[unknown]' ? undefined : asText(name),
    // perf prints nonsense of 16 digits where it has taken the wrong map.
    offset: hasOffset && symbolEnd - plus <= 15 ? Number.parseInt(text.slice(plus + 3, symbolEnd), 16) : undefined,
    owner: file.owner && asText(file.owner),
    user: file.user,
    inlined,
    column: end,
    // A file that is not known gives way to the one that is found.
    length: (file.owner === undefined ? upTo : symbolEnd) - end,
  }
}

function isHexText(text: string, from: number, end: number): boolean {
  for (let i = from; i < end; i++) if (!isHexDigit(text.charCodeAt(i))) return false
  return from < end && end - from <= 16
}

/** Where the parentheses begin that end here, behind a blank: they may hold others. -1 if there are none. */
function parenthesesBefore(text: string, start: number, end: number): number {
  if (text.charCodeAt(end - 1) !== 41) return -1
  let depth = 0
  for (let at = end - 1; at > start; at--) {
    const code = text.charCodeAt(at)
    if (code === 41) depth++
    else if (code === 40 && --depth === 0) return text.charCodeAt(at - 1) === SPACE ? at : -1
  }
  return -1
}

/** ` symbol+0x10` behind the address, and the file where none was printed: in perf's own form, so that other tools read it. */
export function inWords({ symbol, offset, owner, user, printed }: Frame, raw: RawFrame): string | undefined {
  if (symbol === null || user || printed) return undefined
  const words = ` ${symbol}+0x${(offset ?? 0).toString(16)}`
  if (raw.owner !== undefined) return words
  return `${words} ([${owner === null || owner === 'vmlinux' ? 'kernel.kallsyms' : owner}])`
}
