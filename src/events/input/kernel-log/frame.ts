// Frames in the kernel's own words: `name+0x10/0x20 [module]`, with or without an address in brackets before it, in the
// layouts of all architectures. Read by hand, character by character, so that a line costs as much as it is long.

import type { RawFrame } from '../../../stacks/frame.ts'
import { asText, hexAddress } from '../../format.ts'
import {
  CLOSE,
  COLON,
  GREATER,
  HASH,
  hexEnd,
  isBlank,
  isDigit,
  isLetter,
  LESS,
  OPEN,
  PAREN_CLOSE,
  PAREN_OPEN,
  QUESTION,
  skipBlanks,
} from '../characters.ts'

/** A frame that was read, and the place behind it. */
export interface ReadFrame {
  readonly frame: Partial<RawFrame>
  /** Nothing but the kernel's frames looks so; else it is one only where frames are expected. */
  readonly certain: boolean
  readonly end: number
}

/** KSYM_NAME_LEN of include/linux/kallsyms.h, and room for a module and a file. */
export const LONGEST_NAME = 512
const LONGEST_TAIL = 512

/**
 * Reads the frame that a line is. Known are `name+0x10/0x20` and `0xffff…` alone, behind `[<address>]`, `[address]`
 * (sparc64), `[stack pointer] [address]` (powerpc), `[address : name+0x10/0x20 ]` (sparc32), in `([<address>] name+…)`
 * (s390, of a doubtful frame); marks of stacks (`<IRQ>`, `<EOI>`, `<<EOE>>`) and `?` before it; a module, letters
 * and a place in the source behind it; and `name (file.c:12)`, which is what scripts/decode_stacktrace.sh makes of it.
 */
export function readFrame(text: string, from = 0): ReadFrame | undefined {
  let at = skipMarks(text, skipBlanks(text, from))
  // lockdep's `... which became HARDIRQ-irq-unsafe at:` goes on in front of the stack's first frame.
  if (text.startsWith('... ', at)) at = skipBlanks(text, at + 3)
  if (text.charCodeAt(at) === HASH) return readNumbered(text, at)
  const doubted = text.startsWith('([<', at)
  if (doubted) at++
  const place = readAddress(text, at)
  if (place?.inside !== undefined) return { ...place.inside, certain: true }
  if (place !== undefined) at = skipBlanks(text, place.end)
  let reliable = !doubted
  if (text.charCodeAt(at) === QUESTION && isBlank(text.charCodeAt(at + 1))) {
    reliable = false
    at = skipBlanks(text, at + 1)
  }
  const read = readSymbol(text, at) ?? readPlaced(text, at) ?? readBare(text, at, place)
  if (read === undefined) return undefined
  const tail = readTail(text, read.end)
  if (tail === undefined) return undefined
  const { name, address } = read.frame
  const owner = tail.owner
  const frame: Partial<RawFrame> = {
    ...read.frame,
    ...(owner === undefined ? {} : { owner }),
    reliable: reliable && tail.reliable,
    pc: tail.pc,
  }
  const certain = read.certain || place?.certain === true
  if (place === undefined || address !== undefined) return { frame, certain, end: tail.end }
  const hidden = place.address === undefined || (name !== undefined && isHashed(text, place))
  return {
    frame: {
      ...frame,
      address: hidden ? undefined : place.address,
      column: place.column,
      // Where the words stand beside it already, an address needs none.
      length: name !== undefined && !hidden ? 0 : place.length,
    },
    certain,
    end: tail.end,
  }
}

/**
 * Frames with numbers: `#1 [stack pointer] name at address` of the crash utility, with `[module]` or without, and
 * `#1  name (file.c:12:3)` or `#1  name+0x10/0x20 (…)` of drgn.
 */
function readNumbered(text: string, hash: number): ReadFrame | undefined {
  let at = hash + 1
  while (isDigit(text.charCodeAt(at))) at++
  if (at === hash + 1 || at - hash > 4 || !isBlank(text.charCodeAt(at))) return undefined
  at = skipBlanks(text, at)
  if (text.charCodeAt(at) !== OPEN) {
    const read = text.charCodeAt(at) === HASH ? undefined : readFrame(text, at)
    return read && { ...read, certain: true }
  }
  const stack = hexEnd(text, at + 1)
  if (text.charCodeAt(stack) !== CLOSE) return undefined
  at = skipBlanks(text, stack + 1)
  const end = nameEnd(text, at)
  if (end === at || !text.startsWith(' at ', end)) return undefined
  const column = end + 4
  const stop = hexEnd(text, column)
  const tail = readTail(text, stop)
  if (tail === undefined || (stop - column !== 8 && stop - column !== 16)) return undefined
  const address = hexAddress(text.slice(column, stop))
  const frame = { name: asText(text.slice(at, end)), address, owner: tail.owner, column, length: 0 }
  return { frame, certain: true, end: tail.end }
}

/**
 * The first `name+0x10/0x20` at or behind a place, with what stands behind it: registers say it in the middle of a line.
 * Of `0010:name+0x10/0x20` the segment is no part of the name.
 */
export function findSymbol(text: string, from: number): ReadFrame | undefined {
  const plus = text.indexOf('+0x', from)
  if (plus < 0) return undefined
  let start = plus
  while (start > from && plus - start < LONGEST_NAME && isRegisterName(text.charCodeAt(start - 1))) start--
  const read = readSymbol(text, start)
  if (read === undefined) return undefined
  const tail = readTail(text, read.end)
  return { ...read, frame: { ...read.frame, owner: tail?.owner, column: start }, end: tail?.end ?? read.end }
}

/** An address in brackets. */
export interface Place {
  /** undefined where the kernel hides it. */
  readonly address: bigint | undefined
  readonly column: number
  readonly length: number
  readonly end: number
  /** It stands in `[<…>]`, or behind a stack pointer: a frame even without a name. */
  readonly certain: boolean
  /** The frame, where the name stands within the brackets too. */
  readonly inside: ReadFrame | undefined
}

/** Reads an address in brackets. */
export function readAddress(text: string, at: number): Place | undefined {
  if (text.charCodeAt(at) !== OPEN) return undefined
  if (text.charCodeAt(at + 1) === LESS) return readAngled(text, at + 2)
  const stop = hexEnd(text, at + 1)
  const length = stop - at - 1
  if (length !== 8 && length !== 16) return undefined
  const address = hexAddress(text.slice(at + 1, stop))
  if (text.startsWith(' : ', stop)) {
    // 32-bit sparc: `[f0123456 : name+0x10/0x20 ]`.
    const read = readSymbol(text, stop + 3)
    const frame = read && { ...read.frame, address }
    return frame && { address, column: at + 1, length, end: read.end, certain: true, inside: { ...read, frame } }
  }
  if (text.charCodeAt(stop) !== CLOSE) return undefined
  const next = skipBlanks(text, stop + 1)
  if (text.charCodeAt(next) === OPEN) {
    const second = readAddress(text, next)
    // powerpc prints the stack pointer before it.
    if (second !== undefined) return { ...second, certain: true }
  }
  return { address, column: at + 1, length, end: stop + 1, certain: false, inside: undefined }
}

/** The text in `[<…>]`: digits, 0 or `(ptrval)` where they are hidden, or words that stand there instead. */
function readAngled(text: string, start: number): Place | undefined {
  let stop = hexEnd(text, start)
  const length = stop - start
  if (length === 0 || !text.startsWith('>]', stop)) {
    const close = start + text.slice(start, start + LONGEST_NAME).indexOf('>]')
    if (close < start) return undefined
    const words = text.slice(0, close)
    const read = readSymbol(words, start)
    const tail = read && readTail(words, read.end)
    if (tail !== undefined) {
      const frame = { ...read?.frame, owner: tail.owner }
      const inside = { frame, certain: true, end: close + 2 }
      return { address: undefined, column: start, length: 0, end: close + 2, certain: true, inside }
    }
    if (text.charCodeAt(start) !== PAREN_OPEN) return undefined
    stop = close
  }
  const digits = text.slice(start, stop)
  const known = length === stop - start && digits !== '0' && length <= 16
  return {
    address: known ? hexAddress(digits) : undefined,
    column: start,
    length: known || digits === '0' ? length : 0,
    end: stop + 2,
    certain: true,
    inside: undefined,
  }
}

/** Kernels since 4.15 print a hash of 32 bits in place of a pointer of 64: it says nothing. */
function isHashed(text: string, { column, length }: Place): boolean {
  return length === 16 && text.startsWith('00000000', column)
}

const ALL_ONES = 0xffff_ffff_ffff_ffffn

interface ReadWords {
  readonly frame: Partial<RawFrame>
  readonly certain: boolean
  readonly end: number
}

/** `name+0x10/0x20`. */
export function readSymbol(text: string, at: number): ReadWords | undefined {
  const plus = nameEnd(text, at)
  if (plus === at || !text.startsWith('+0x', plus)) return undefined
  const slash = hexEnd(text, plus + 3)
  if (slash === plus + 3 || slash - plus > 19 || !text.startsWith('/0x', slash)) return undefined
  const end = hexEnd(text, slash + 3)
  if (end === slash + 3 || end - slash > 19) return undefined
  const offset = Number.parseInt(text.slice(plus + 3, slash), 16)
  const size = Number.parseInt(text.slice(slash + 3, end), 16)
  return { frame: { name: asText(text.slice(at, plus)), offset, size, kernelWords: true }, certain: true, end }
}

/** A name alone. */
export function readName(text: string, at: number): ReadWords | undefined {
  const end = nameEnd(text, at)
  return end === at ? undefined : { frame: { name: asText(text.slice(at, end)) }, certain: false, end }
}

/** `name (file.c:12)` or `name file.c:12 [inline]`, in place of an offset. */
function readPlaced(text: string, at: number): ReadWords | undefined {
  const end = nameEnd(text, at)
  if (end === at || !isBlank(text.charCodeAt(end))) return undefined
  const next = skipBlanks(text, end)
  const inside = text.charCodeAt(next) === PAREN_OPEN
  const placeEnd = sourceEnd(text, inside ? next + 1 : next)
  if (placeEnd === undefined || !(inside || text.startsWith(' [inline]', placeEnd))) return undefined
  return { frame: { name: asText(text.slice(at, end)), inlined: !inside }, certain: false, end }
}

/** An address without a name: `0xffff…` where the name would stand, or nothing behind an address in brackets. */
function readBare(text: string, at: number, place: Place | undefined): ReadWords | undefined {
  if (text.startsWith('0x', at)) {
    const end = hexEnd(text, at + 2)
    const length = end - at
    if (length < 10 || length > 18) return undefined
    const address = hexAddress(text.slice(at + 2, end))
    // Old unwinders end a stack with a frame of nothing but ones.
    if (address === ALL_ONES || (length === 10 && address === ALL_ONES >> 32n)) return undefined
    const frame = { address, column: at, length }
    return { frame, certain: false, end }
  }
  return place !== undefined && at >= text.length ? { frame: {}, certain: place.certain, end: at } : undefined
}

interface Tail {
  readonly owner: string | undefined
  readonly reliable: boolean
  readonly pc: boolean
  readonly end: number
}

/**
 * The text that may stand behind a frame: `[module]`, `[module(OE) build-id]`, letters that say where the frame is from (arm64's
 * P is the PC out of saved registers), `(unreliable)` of powerpc, places in the source. undefined for anything else.
 */
export function readTail(text: string, from: number): Tail | undefined {
  let owner: string | undefined
  let reliable = true
  let pc = false
  let at = from
  if (text.length - from > LONGEST_TAIL) return undefined
  for (;;) {
    const start = at
    at = skipBlanks(text, at)
    if (at >= text.length) return { owner, reliable, pc, end: at }
    const code = text.charCodeAt(at)
    if (code === PAREN_CLOSE || (code === CLOSE && at > start)) {
      at++
      continue
    }
    if (at === start && code !== PAREN_OPEN) return undefined
    if (code === OPEN) {
      const stop = text.indexOf(']', at)
      // The next line's time, or the next frame, came without a line end between.
      if (stop < 0 || text.charCodeAt(at + 1) === LESS) return undefined
      const end = moduleEnd(text, at + 1)
      if (end === at + 1) return undefined
      const word = text.slice(at + 1, end)
      if (word !== 'inline') owner ??= word
      at = stop + 1
    } else if (code === PAREN_OPEN) {
      const stop = closing(text, at)
      const words = text.slice(at + 1, stop)
      if (words === 'unreliable') reliable = false
      else if (/^[A-Z]{1,8}$/.test(words)) pc ||= words.startsWith('P')
      else if (sourceEnd(text, at + 1) === undefined) return undefined
      at = stop + 1
    } else {
      const end = sourceEnd(text, at)
      if (end !== undefined) {
        at = end
        continue
      }
      // decode_stacktrace.sh takes the brackets away from a module at the line's end.
      const stop = moduleEnd(text, at)
      if (stop === at || skipBlanks(text, stop) < text.length) return undefined
      owner ??= text.slice(at, stop)
      at = stop
    }
  }
}

/** Where a place in the source ends, `dir/file.c:12`, or undefined if none is there. */
function sourceEnd(text: string, at: number): number | undefined {
  let end = at
  let colon = -1
  for (; end < text.length; end++) {
    const code = text.charCodeAt(end)
    if (isBlank(code) || code === PAREN_CLOSE) break
    if (code === COLON) colon = end
  }
  if (colon <= at || end - colon < 2) return undefined
  const first = text.charCodeAt(colon + 1)
  const digits = isDigit(first) || first === QUESTION
  const dot = text.lastIndexOf('.', colon)
  return digits && (dot > at || text.startsWith('??', at)) ? end : undefined
}

/** The bracket that closes one, those within it aside. */
function closing(text: string, open: number): number {
  let depth = 0
  for (let at = open; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === PAREN_OPEN) depth++
    else if (code === PAREN_CLOSE && --depth === 0) return at
  }
  return text.length
}

/** Behind marks of stacks and the blanks around them: `<IRQ>`, `</TASK>`, `<#DF>`, `<<EOE>>`, `<EOI>`, `<UNK>`. */
export function skipMarks(text: string, from: number): number {
  let at = from
  while (text.charCodeAt(at) === LESS) {
    let end = at + 1
    if (text.charCodeAt(end) === LESS) end++
    const start = end
    while (end - start < 24 && isMark(text.charCodeAt(end))) end++
    if (end === start || text.charCodeAt(end) !== GREATER) return at
    end++
    if (text.charCodeAt(end) === GREATER) end++
    at = skipBlanks(text, end)
  }
  return at
}

function nameEnd(text: string, from: number): number {
  if (!startsName(text.charCodeAt(from))) return from
  let at = from + 1
  while (at < text.length && at - from < LONGEST_NAME && isName(text.charCodeAt(at))) at++
  return at
}

function moduleEnd(text: string, from: number): number {
  let at = from
  while (at < text.length && isModule(text.charCodeAt(at))) at++
  return at
}

function startsName(code: number): boolean {
  return isLetter(code) || code === 95 || code === 46 || code === 36 || code > 127
}
/** Letters, digits and `_.$`, and what compilers of other languages leave in names: `@:<>~-`. */
function isName(code: number): boolean {
  return (
    startsName(code) ||
    isDigit(code) ||
    code === 64 ||
    code === COLON ||
    code === LESS ||
    code === GREATER ||
    code === 126 ||
    code === 45
  )
}
function isRegisterName(code: number): boolean {
  return startsName(code) || isDigit(code)
}
function isModule(code: number): boolean {
  return isLetter(code) || isDigit(code) || code === 95 || code === 45
}
function isMark(code: number): boolean {
  return isLetter(code) || isDigit(code) || code === 35 || code === 47 || code === 95 || code === 32 || code === 33
}
