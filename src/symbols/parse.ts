// kallsyms text → columns: one pass over the bytes of newline-aligned chunks. Knows nothing of files, threads or order.
//
// A line is `ADDRESS TYPE NAME[\t[OWNER]]` (kernel/kallsyms.c, s_show). Blanks between fields may be spaces or tabs,
// a line may end in CRLF, addresses have 1–16 digits. Anything else is a bad line: counted, never fatal.

import { LABEL, TYPE_CODE } from './kinds.ts'
import {
  beginsPrefix,
  DOT,
  HASH_SEED,
  HASH_STEP,
  isLabel,
  LONGEST_PREFIX,
  PREFIX_MASK,
  prefixAt,
  prefixBySlot,
  UNDERSCORE,
} from './names.ts'

/** Why a line could not be read. */
export type BadLineReason = 'blank' | 'address' | 'type' | 'name' | 'owner'

export interface BadLine {
  /** 1-based. */
  readonly line: number
  readonly reason: BadLineReason
}

/** At most this many bad lines are listed; all are counted, so a hostile file cannot fill the memory. */
export const LISTED_BAD_LINES = 10_000

/** The longest name of a symbol or an owner that a table holds. The kernel's own limit is 511 (KSYM_NAME_LEN - 1). */
export const LONGEST_NAME = 65_535

/**
 * The symbols of one stretch of text, in file order. The arrays are views of one buffer of their exact size. `root` are
 * byte positions in the text, which has to be kept until the names have been taken from it.
 */
export interface ParsedChunk {
  readonly count: number
  /** Lines seen, the bad ones included. */
  readonly lines: number
  readonly badCount: number
  readonly bad: readonly BadLine[]
  /** Names of the owners in order of first appearance, as bytes in latin1; index 0 is `''`, the core kernel. */
  readonly owners: readonly string[]
  readonly high: Uint32Array
  readonly low: Uint32Array
  readonly rootStart: Uint32Array
  readonly rootHash: Uint32Array
  readonly rootLength: Uint16Array
  readonly owner: Uint16Array
  readonly prefix: Uint8Array
  /** The type's code, with LABEL set where the symbol never answers an address. */
  readonly kind: Uint8Array
}

const BYTES_A_SYMBOL = 4 * 4 + 2 * 2 + 2

/** Lays the columns of `count` symbols over one buffer. */
function columns<B extends ArrayBufferLike>(buffer: B, count: number) {
  return {
    high: new Uint32Array(buffer, 0, count),
    low: new Uint32Array(buffer, 4 * count, count),
    rootStart: new Uint32Array(buffer, 8 * count, count),
    rootHash: new Uint32Array(buffer, 12 * count, count),
    rootLength: new Uint16Array(buffer, 16 * count, count),
    owner: new Uint16Array(buffer, 18 * count, count),
    prefix: new Uint8Array(buffer, 20 * count, count),
    kind: new Uint8Array(buffer, 21 * count, count),
  }
}

/** Hexadecimal digit values; -1 for every other byte, so that the OR of several is negative if one is no digit. */
const DIGIT = new Int8Array(256).fill(-1)
for (let i = 0; i < 16; i++) {
  DIGIT['0123456789abcdef'.charCodeAt(i)] = i
  DIGIT['0123456789ABCDEF'.charCodeAt(i)] = i
}

const TAB = 0x09
const NEWLINE = 0x0a
const RETURN = 0x0d
const SPACE = 0x20
const OPEN = 0x5b
const CLOSE = 0x5d

// What `readAddress` and `readName` found, beside the position that they return. The two are functions of their own
// because small functions are compiled much sooner than the large loop around them, and a cold start is what counts.
let addressHigh = 0
let addressLow = 0
let namePrefix = 0
let nameRoot = 0
let nameRootHash = 0

/** Reads the digits of an address; returns the position behind them. */
function readAddress(text: Uint8Array, start: number, end: number): number {
  let p = start
  let hi = 0
  let lo = 0
  // The usual sixteen digits at once, any other number of them one by one.
  if (p + 16 < end) {
    const a = DIGIT[text[p]!]!
    const b = DIGIT[text[p + 1]!]!
    const c = DIGIT[text[p + 2]!]!
    const d = DIGIT[text[p + 3]!]!
    const e = DIGIT[text[p + 4]!]!
    const f = DIGIT[text[p + 5]!]!
    const g = DIGIT[text[p + 6]!]!
    const h = DIGIT[text[p + 7]!]!
    const i = DIGIT[text[p + 8]!]!
    const j = DIGIT[text[p + 9]!]!
    const k = DIGIT[text[p + 10]!]!
    const l = DIGIT[text[p + 11]!]!
    const m = DIGIT[text[p + 12]!]!
    const n = DIGIT[text[p + 13]!]!
    const o = DIGIT[text[p + 14]!]!
    const q = DIGIT[text[p + 15]!]!
    if ((a | b | c | d | e | f | g | h | i | j | k | l | m | n | o | q) >= 0) {
      hi = (a << 28) | (b << 24) | (c << 20) | (d << 16) | (e << 12) | (f << 8) | (g << 4) | h
      lo = (i << 28) | (j << 24) | (k << 20) | (l << 16) | (m << 12) | (n << 8) | (o << 4) | q
      p += 16
    }
  }
  while (p < end) {
    const digit = DIGIT[text[p]!]!
    if (digit < 0) break
    hi = (hi << 4) | (lo >>> 28)
    lo = (lo << 4) | digit
    p++
  }
  addressHigh = hi
  addressLow = lo
  return p
}

/** Reads a name; cuts it into prefix and root, and hashes the root, on the way. Returns the position behind it. */
function readName(text: Uint8Array, start: number, end: number): number {
  let p = start
  let root = start
  let hash = HASH_SEED
  let number = 0
  let c = p < end ? text[p]! : NEWLINE
  if (beginsPrefix[c] === 1) {
    const limit = p + LONGEST_PREFIX
    while (c > SPACE && p < limit) {
      hash = Math.imul(hash ^ c, HASH_STEP)
      const boundary = c === UNDERSCORE || c === DOT
      c = ++p < end ? text[p]! : NEWLINE
      if (boundary && prefixBySlot[hash & PREFIX_MASK] !== 0 && c > SPACE) {
        number = prefixAt(text, start, p, hash)
        if (number !== 0) {
          root = p
          hash = HASH_SEED
          break
        }
      }
    }
  }
  while (c > SPACE) {
    hash = Math.imul(hash ^ c, HASH_STEP)
    c = ++p < end ? text[p]! : NEWLINE
  }
  namePrefix = number
  nameRoot = root
  nameRootHash = hash
  return p
}

/**
 * Reads kallsyms text piece by piece into columns that it keeps and reuses: `parse` a stretch (or several), then `take`
 * what was read. One thread uses one parser for all its chunks, which spares the memory traffic of fresh arrays.
 */
export class ChunkParser {
  #capacity = 16_384
  #columns = columns(new ArrayBuffer(BYTES_A_SYMBOL * 16_384), 16_384)
  #count = 0
  #lines = 0
  #badCount = 0
  #bad: BadLine[] = []
  #owners: string[] = ['']
  #ownerIndex = new Map<string, number>([['', 0]])

  /**
   * Reads the lines of text [start, end), at most `maxLines` of them. The stretch must begin at a line's first byte; a
   * last line without a newline is a line. Returns the position after the last line read: `end` when all were.
   */
  parse(text: Uint8Array, start: number, end: number, maxLines = Number.POSITIVE_INFINITY): number {
    let p = start
    let remaining = maxLines
    while (p < end && remaining > 0) {
      if (this.#count === this.#capacity) this.#grow()
      const lines = Math.min(this.#capacity - this.#count, remaining)
      const before = this.#lines
      p = this.#scan(text, p, end, lines)
      remaining -= this.#lines - before
    }
    return p
  }

  /** Hands out what was read since the last call, in arrays of their own, and starts anew. */
  take(): ParsedChunk {
    const count = this.#count
    const from = this.#columns
    const to = columns(new SharedArrayBuffer(BYTES_A_SYMBOL * count), count)
    to.high.set(from.high.subarray(0, count))
    to.low.set(from.low.subarray(0, count))
    to.rootStart.set(from.rootStart.subarray(0, count))
    to.rootHash.set(from.rootHash.subarray(0, count))
    to.rootLength.set(from.rootLength.subarray(0, count))
    to.owner.set(from.owner.subarray(0, count))
    to.prefix.set(from.prefix.subarray(0, count))
    to.kind.set(from.kind.subarray(0, count))
    const { lines, badCount, bad, owners } = {
      lines: this.#lines,
      badCount: this.#badCount,
      bad: this.#bad,
      owners: this.#owners,
    }
    this.#count = 0
    this.#lines = 0
    this.#badCount = 0
    this.#bad = []
    this.#owners = ['']
    this.#ownerIndex = new Map([['', 0]])
    return { count, lines, badCount, bad, owners, ...to }
  }

  #grow(): void {
    const capacity = this.#capacity * 2
    const from = this.#columns
    const to = columns(new ArrayBuffer(BYTES_A_SYMBOL * capacity), capacity)
    to.high.set(from.high)
    to.low.set(from.low)
    to.rootStart.set(from.rootStart)
    to.rootHash.set(from.rootHash)
    to.rootLength.set(from.rootLength)
    to.owner.set(from.owner)
    to.prefix.set(from.prefix)
    to.kind.set(from.kind)
    this.#capacity = capacity
    this.#columns = to
  }

  /** The hot loop. Reads at most `maxLines` lines, for which there is room; returns where it stopped. */
  #scan(text: Uint8Array, start: number, end: number, maxLines: number): number {
    const { high, low, rootStart, rootHash, rootLength, owner, prefix, kind: kinds } = this.#columns
    let count = this.#count
    let lines = this.#lines
    const lastLine = lines + maxLines
    let p = start
    // The owner of the line before: modules come in blocks, so comparing with it nearly always succeeds.
    let ownerStart = 0
    let ownerLength = 0
    let ownerNumber = 0

    while (p < end && lines < lastLine) {
      lines++
      const first = p
      p = readAddress(text, p, end)
      const digits = p - first
      let c = p < end ? text[p]! : NEWLINE
      if (digits === 0 || digits > 16 || (c !== SPACE && c !== TAB)) {
        const over = c === NEWLINE || c === RETURN
        const blank = digits === 0 && (over || c === SPACE || c === TAB)
        p = this.#badLine(text, p, end, lines, blank ? 'blank' : over && digits <= 16 ? 'type' : 'address')
        continue
      }
      do c = ++p < end ? text[p]! : NEWLINE
      while (c === SPACE || c === TAB)

      // Type: one byte, then a blank.
      const kind = TYPE_CODE[c]!
      if (kind < 0) {
        p = this.#badLine(text, p, end, lines, 'type')
        continue
      }
      c = ++p < end ? text[p]! : NEWLINE
      if (c !== SPACE && c !== TAB) {
        p = this.#badLine(text, p, end, lines, c === NEWLINE || c === RETURN ? 'name' : 'type')
        continue
      }
      do c = ++p < end ? text[p]! : NEWLINE
      while (c === SPACE || c === TAB)

      // Name: every byte up to a blank or the end of the line.
      const nameStart = p
      p = readName(text, p, end)
      c = p < end ? text[p]! : NEWLINE
      const nameEnd = p
      if (nameEnd === nameStart || nameEnd - nameStart > LONGEST_NAME) {
        p = this.#badLine(text, p, end, lines, 'name')
        continue
      }
      // Owner: `[name]`, or nothing for the core kernel.
      let belongs = 0
      if (c !== NEWLINE) {
        while (c === SPACE || c === TAB) c = ++p < end ? text[p]! : NEWLINE
        if (c === OPEN) {
          const from = p + 1
          while (c !== CLOSE && c > SPACE) c = ++p < end ? text[p]! : NEWLINE
          const length = p - from
          if (c !== CLOSE || length === 0 || length > LONGEST_NAME) {
            p = this.#badLine(text, p, end, lines, 'owner')
            continue
          }
          let same = length === ownerLength
          for (let i = 0; same && i < length; i++) same = text[from + i] === text[ownerStart + i]
          if (!same) {
            ownerNumber = this.#ownerNumber(text, from, p)
            ownerStart = from
            ownerLength = length
          }
          belongs = ownerNumber
          c = ++p < end ? text[p]! : NEWLINE
          while (c === SPACE || c === TAB) c = ++p < end ? text[p]! : NEWLINE
        }
        if (c === RETURN) c = ++p < end ? text[p]! : NEWLINE
        if (c !== NEWLINE) {
          p = this.#badLine(text, p, end, lines, 'owner')
          continue
        }
      }
      p++

      high[count] = addressHigh
      low[count] = addressLow
      kinds[count] = isLabel(text, nameStart) ? kind | LABEL : kind
      prefix[count] = namePrefix
      rootStart[count] = nameRoot
      rootLength[count] = nameEnd - nameRoot
      rootHash[count] = nameRootHash
      owner[count] = belongs
      count++
    }
    this.#count = count
    this.#lines = lines
    return Math.min(p, end)
  }

  /** Notes a bad line and returns the start of the next. */
  #badLine(text: Uint8Array, position: number, end: number, line: number, reason: BadLineReason): number {
    if (this.#badCount++ < LISTED_BAD_LINES) this.#bad.push({ line, reason })
    let p = position
    while (p < end && text[p] !== NEWLINE) p++
    return p + 1
  }

  #ownerNumber(text: Uint8Array, start: number, end: number): number {
    const name = Buffer.from(text.buffer, text.byteOffset + start, end - start).toString('latin1')
    const known = this.#ownerIndex.get(name)
    if (known !== undefined) return known
    const number = this.#owners.length
    this.#owners.push(name)
    this.#ownerIndex.set(name, number)
    return number
  }
}
