// kallsyms text → columns: one pass over the bytes of newline-aligned chunks. Knows nothing of files, threads or order.
//
// A line is `ADDRESS TYPE NAME[\t[OWNER]]` (kernel/kallsyms.c, s_show). Blanks between fields may be spaces or tabs,
// a line may end in CRLF, addresses have 1–16 digits. Anything else is a bad line: counted, never fatal.

import { LABEL, TYPE_CODE } from './kinds.ts'
import { hashBytes, isLabel, PREFIX_LENGTH, prefixOf } from './names.ts'
import { type Workspace, words } from './workspace.ts'

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
 * The symbols of one stretch of text, in file order: the first `count` of the columns. Roots are
 * byte positions in the text, which has to be kept until the names have been taken from it.
 */
export interface ParsedChunk extends ChunkColumns {
  readonly count: number
  /** Lines seen, the bad ones included. */
  readonly lines: number
  readonly badCount: number
  readonly bad: readonly BadLine[]
  /** Names of the owners in order of first appearance, as bytes in latin1; index 0 is `''`, the core kernel. */
  readonly owners: readonly string[]
}

/** What is read of every symbol, in columns that lie behind one another in this order. */
export interface ChunkColumns {
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

/** Lays the columns of `count` symbols over memory of BYTES_A_SYMBOL each. */
function columns({ buffer, byteOffset }: Uint8Array, count: number): ChunkColumns {
  return {
    high: new Uint32Array(buffer, byteOffset, count),
    low: new Uint32Array(buffer, byteOffset + 4 * count, count),
    rootStart: new Uint32Array(buffer, byteOffset + 8 * count, count),
    rootHash: new Uint32Array(buffer, byteOffset + 12 * count, count),
    rootLength: new Uint16Array(buffer, byteOffset + 16 * count, count),
    owner: new Uint16Array(buffer, byteOffset + 18 * count, count),
    prefix: new Uint8Array(buffer, byteOffset + 20 * count, count),
    kind: new Uint8Array(buffer, byteOffset + 21 * count, count),
  }
}

/** Columns of their own, with room for `count` symbols. */
export function chunkColumns(count: number): ChunkColumns {
  return columns(new Uint8Array(new SharedArrayBuffer(BYTES_A_SYMBOL * count)), count)
}

/** A chunk whose columns the loops of a workspace can reach. */
export function chunkWithin(workspace: Workspace, chunk: ParsedChunk): ParsedChunk {
  const room = chunk.high.length
  const bytes = new Uint8Array(chunk.high.buffer, chunk.high.byteOffset, BYTES_A_SYMBOL * room)
  const here = workspace.reach('chunk', bytes)
  return here === bytes ? chunk : { ...chunk, ...columns(here, room) }
}

/** The first `count` symbols of some columns into others. */
function copyColumns(from: ChunkColumns, count: number, to: ChunkColumns): void {
  to.high.set(from.high.subarray(0, count))
  to.low.set(from.low.subarray(0, count))
  to.rootStart.set(from.rootStart.subarray(0, count))
  to.rootHash.set(from.rootHash.subarray(0, count))
  to.rootLength.set(from.rootLength.subarray(0, count))
  to.owner.set(from.owner.subarray(0, count))
  to.prefix.set(from.prefix.subarray(0, count))
  to.kind.set(from.kind.subarray(0, count))
}

/** Hexadecimal digit values; -1 for every other byte, so that the OR of several is negative if one is no digit. */
export const DIGIT = new Int8Array(256).fill(-1)
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

/** Reads a name; cuts it into prefix and root, and hashes the root. Returns the position behind it. */
function readName(text: Uint8Array, start: number, end: number): number {
  let p = start
  while (p < end && text[p]! > SPACE) p++
  namePrefix = prefixOf(text, start, p)
  nameRoot = start + PREFIX_LENGTH[namePrefix]!
  nameRootHash = hashBytes(text, nameRoot, p)
  return p
}

/** The words of a scan's state. */
export const SCAN = {
  /** Where the next line begins, and how many symbols and lines were read. */
  position: 0,
  count: 1,
  lines: 2,
  /** Why the scan stopped, see STOP. */
  status: 3,
  /** The reason, as its place in BAD_LINE_REASONS; or where the new owner's name begins, and where it ends. */
  detail: 4,
  detailEnd: 5,
  /** The owner of the line before: where its name begins, how long it is, its number. */
  ownerStart: 6,
  ownerLength: 7,
  ownerNumber: 8,
  words: 9,
} as const

/** Why a scan stopped: everything asked for was read; a line has another owner than the one before; a bad line was read. */
export const STOP = { done: 0, newOwner: 1, badLine: 2 } as const

export const BAD_LINE_REASONS: readonly BadLineReason[] = ['blank', 'address', 'type', 'name', 'owner']

/**
 * Reads lines of text [position, end) into columns, from `count` on: at most `maxLines` lines, until the columns are full,
 * behind the first bad line, or before the first line with another owner than the one before. Modules come in blocks,
 * so that is rare.
 */
export function scan(text: Uint8Array, end: number, maxLines: number, columns: ChunkColumns, state: Uint32Array): void {
  const { high, low, rootStart, rootHash, rootLength, owner, prefix, kind: kinds } = columns
  let p = state[SCAN.position]!
  let count = state[SCAN.count]!
  let lines = state[SCAN.lines]!
  const ownerStart = state[SCAN.ownerStart]!
  const ownerLength = state[SCAN.ownerLength]!
  const ownerNumber = state[SCAN.ownerNumber]!
  const lastLine = lines + maxLines
  const capacity = high.length
  let bad: BadLineReason | undefined
  state[SCAN.status] = STOP.done
  while (p < end && lines < lastLine && count < capacity) {
    lines++
    const first = p
    p = readAddress(text, p, end)
    const digits = p - first
    let c = p < end ? text[p]! : NEWLINE
    if (digits === 0 || digits > 16 || (c !== SPACE && c !== TAB)) {
      const over = c === NEWLINE || c === RETURN
      const blank = digits === 0 && (over || c === SPACE || c === TAB)
      bad = blank ? 'blank' : over && digits <= 16 ? 'type' : 'address'
      break
    }
    do c = ++p < end ? text[p]! : NEWLINE
    while (c === SPACE || c === TAB)

    // Type: one byte, then a blank.
    const kind = TYPE_CODE[c]!
    if (kind < 0) {
      bad = 'type'
      break
    }
    c = ++p < end ? text[p]! : NEWLINE
    if (c !== SPACE && c !== TAB) {
      bad = c === NEWLINE || c === RETURN ? 'name' : 'type'
      break
    }
    do c = ++p < end ? text[p]! : NEWLINE
    while (c === SPACE || c === TAB)

    // Name: every byte up to a blank or the end of the line.
    const nameStart = p
    p = readName(text, p, end)
    c = p < end ? text[p]! : NEWLINE
    const nameEnd = p
    if (nameEnd === nameStart || nameEnd - nameStart > LONGEST_NAME) {
      bad = 'name'
      break
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
          bad = 'owner'
          break
        }
        let same = length === ownerLength
        for (let i = 0; same && i < length; i++) same = text[from + i] === text[ownerStart + i]
        if (!same) {
          state[SCAN.status] = STOP.newOwner
          state[SCAN.detail] = from
          state[SCAN.detailEnd] = p
          // The line is read again once the owner has its number.
          p = first
          lines--
          break
        }
        belongs = ownerNumber
        c = ++p < end ? text[p]! : NEWLINE
        while (c === SPACE || c === TAB) c = ++p < end ? text[p]! : NEWLINE
      }
      if (c === RETURN) c = ++p < end ? text[p]! : NEWLINE
      if (c !== NEWLINE) {
        bad = 'owner'
        break
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
  if (bad !== undefined) {
    state[SCAN.status] = STOP.badLine
    state[SCAN.detail] = BAD_LINE_REASONS.indexOf(bad)
    while (p < end && text[p] !== NEWLINE) p++
    p++
  }
  state[SCAN.position] = Math.min(p, end)
  state[SCAN.count] = count
  state[SCAN.lines] = lines
}

/**
 * Reads kallsyms text piece by piece into columns that it keeps and reuses: `parse` a stretch (or several), then `take`
 * what was read. One thread uses one parser for all its chunks, which spares the memory traffic of fresh arrays.
 */
export class ChunkParser {
  readonly #workspace: Workspace
  #capacity = 16_384
  #columns: ChunkColumns
  readonly #state: Uint32Array
  #badCount = 0
  #bad: BadLine[] = []
  #owners: string[] = ['']
  #ownerIndex = new Map<string, number>([['', 0]])

  constructor(workspace: Workspace) {
    this.#workspace = workspace
    this.#columns = columns(workspace.allocate(BYTES_A_SYMBOL * this.#capacity), this.#capacity)
    this.#state = words(workspace, SCAN.words)
  }

  /**
   * Reads the lines of text [start, end), at most `maxLines` of them. The stretch must begin at a line's first byte; a
   * last line without a newline is a line. Returns the position after the last line read: `end` when all were.
   */
  parse(text: Uint8Array, start: number, end: number, maxLines = Number.POSITIVE_INFINITY): number {
    const state = this.#state
    const { scan } = this.#workspace.loops
    const lastLine = state[SCAN.lines]! + maxLines
    state[SCAN.position] = start
    // The owner of the line before is not remembered beyond its text.
    state[SCAN.ownerLength] = 0
    while (state[SCAN.position]! < end && state[SCAN.lines]! < lastLine) {
      if (state[SCAN.count] === this.#capacity) this.#grow()
      scan(text, end, Math.min(lastLine - state[SCAN.lines]!, MOST_LINES), this.#columns, state)
      if (state[SCAN.status] === STOP.badLine) this.#noteBadLine()
      else if (state[SCAN.status] === STOP.newOwner) this.#noteOwner(text)
    }
    return state[SCAN.position]!
  }

  /** Hands out what was read since the last call, in arrays of their own, and starts anew. */
  take(): ParsedChunk {
    const chunk = this.lend()
    const own = chunkColumns(chunk.count)
    copyColumns(chunk, chunk.count, own)
    return { ...chunk, ...own }
  }

  /** The same in the parser's own arrays, which the next `parse` overwrites. */
  lend(): ParsedChunk {
    const count = this.#state[SCAN.count]!
    const lines = this.#state[SCAN.lines]!
    const chunk = { count, lines, badCount: this.#badCount, bad: this.#bad, owners: this.#owners, ...this.#columns }
    this.#state.fill(0)
    this.#badCount = 0
    this.#bad = []
    this.#owners = ['']
    this.#ownerIndex = new Map([['', 0]])
    return chunk
  }

  #grow(): void {
    const capacity = this.#capacity * 2
    const wider = columns(this.#workspace.allocate(BYTES_A_SYMBOL * capacity), capacity)
    copyColumns(this.#columns, this.#capacity, wider)
    this.#capacity = capacity
    this.#columns = wider
  }

  #noteBadLine(): void {
    if (this.#badCount++ >= LISTED_BAD_LINES) return
    const reason = BAD_LINE_REASONS[this.#state[SCAN.detail]!]!
    this.#bad.push({ line: this.#state[SCAN.lines]!, reason })
  }

  /** Numbers the owner that the scan has met. */
  #noteOwner(text: Uint8Array): void {
    const state = this.#state
    const start = state[SCAN.detail]!
    const end = state[SCAN.detailEnd]!
    const name = Buffer.from(text.buffer, text.byteOffset + start, end - start).toString('latin1')
    let number = this.#ownerIndex.get(name)
    if (number === undefined) {
      number = this.#owners.length
      this.#owners.push(name)
      this.#ownerIndex.set(name, number)
    }
    state[SCAN.ownerStart] = start
    state[SCAN.ownerLength] = end - start
    state[SCAN.ownerNumber] = number
  }
}

/** A number of lines that no text reaches, and that a word holds. */
const MOST_LINES = 0x7fff_ffff
