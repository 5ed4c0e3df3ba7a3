// Answers as bytes, many at a time: what all addresses of one symbol have in common is put into words once, with slots for what
// differs from one address to the next.

import { encodeName } from '../core/bytes.ts'

/**
 * What stands in a phrase for the offset in hexadecimal, the offset in decimal digits, and the address in 16 hexadecimal digits.
 * Names are in a phrase only with their control characters escaped, so that nothing is taken for one of these.
 */
export const SLOT = { hex: '\0', decimal: '\x01', address: '\x02' } as const

const [HEX_SLOT, DECIMAL_SLOT, ADDRESS_SLOT] = [0, 1, 2]
/** The most that a slot takes: an address. */
const WIDEST = 16
const HEX = Uint8Array.from('0123456789abcdef', (digit) => digit.charCodeAt(0))
/** Bytes of phrases that are kept; when there are more, all are forgotten. */
const MOST_KEPT = 1 << 26
/** Bytes in front of a phrase that say how long it is. */
const HEAD = 4

/**
 * The phrases of symbols, one after another in one block of memory, made when they are first asked for. Objects of their own
 * would lie all over memory, and random addresses would wait for it several times each.
 */
export class PhraseHeap {
  heap = new Uint8Array(1 << 16)
  readonly #make: (id: number) => string
  /** For each symbol where its phrase begins; 0 for one that has not been met. */
  readonly #starts: Uint32Array
  #end = 0

  constructor(symbols: number, make: (id: number) => string) {
    this.#starts = new Uint32Array(symbols)
    this.#make = make
  }

  /** Where a symbol's phrase begins in `heap`; holds until the next is asked for. */
  of(id: number): number {
    const start = this.#starts[id]!
    return start === 0 ? this.#add(id) : start
  }

  /** Where the phrase that begins at `start` ends. */
  endOf(start: number): number {
    const { heap } = this
    return start + (heap[start - 4]! | (heap[start - 3]! << 8) | (heap[start - 2]! << 16) | (heap[start - 1]! << 24))
  }

  #add(id: number): number {
    const words = encodeName(this.#make(id))
    if (this.#end + HEAD + words.length > MOST_KEPT) {
      this.#starts.fill(0)
      this.#end = 0
    }
    const start = this.#end + HEAD
    if (start + words.length > this.heap.length) {
      const larger = new Uint8Array((start + words.length) * 2)
      larger.set(this.heap.subarray(0, this.#end))
      this.heap = larger
    }
    for (let i = 0; i < HEAD; i++) this.heap[start - HEAD + i] = (words.length >>> (8 * i)) & 255
    this.heap.set(words, start)
    this.#starts[id] = start
    this.#end = start + words.length
    return start
  }
}

/** Bytes that phrases are written to, their slots filled. */
export class PhraseWriter {
  #bytes = new Uint8Array(1 << 16)
  #length = 0

  /** Writes the phrase that lies in `from` between `start` and `end`, for an address, given in halves, at an offset. */
  write(from: Uint8Array, start: number, end: number, high: number, low: number, offset: number): void {
    let slots = 0
    for (let k = start; k < end; k++) if (from[k]! <= ADDRESS_SLOT) slots++
    const out = this.#room(end - start + slots * WIDEST)
    let at = this.#length
    // Byte by byte: for so few at a time any call costs more.
    for (let k = start; k < end; k++) {
      const byte = from[k]!
      if (byte > ADDRESS_SLOT) out[at++] = byte
      else if (byte === HEX_SLOT) at = writeHex(out, at, offset)
      else if (byte === DECIMAL_SLOT) at = writeDecimal(out, at, offset)
      else at = writeAddress(out, at, high, low)
    }
    this.#length = at
  }

  /** Writes bytes as they are. */
  put(bytes: Uint8Array): void {
    this.#room(bytes.length).set(bytes, this.#length)
    this.#length += bytes.length
  }

  /** Bytes written since the last `take`. */
  get length(): number {
    return this.#length
  }

  /** The bytes written so far, in memory of their own; the writer begins anew. */
  take(): Uint8Array {
    const taken = this.#bytes.slice(0, this.#length)
    this.#length = 0
    return taken
  }

  #room(bytes: number): Uint8Array {
    const needed = this.#length + bytes
    if (needed > this.#bytes.length) {
      const larger = new Uint8Array(needed * 2)
      larger.set(this.#bytes.subarray(0, this.#length))
      this.#bytes = larger
    }
    return this.#bytes
  }
}

/** Writes a number of 32 bits in hexadecimal digits, and says where they end. */
export function writeHex(out: Uint8Array, at: number, value: number): number {
  const end = at + (value === 0 ? 1 : (35 - Math.clz32(value)) >> 2)
  let rest = value
  for (let i = end - 1; i >= at; i--) {
    out[i] = HEX[rest & 15]!
    rest >>>= 4
  }
  return end
}

function writeDecimal(out: Uint8Array, at: number, value: number): number {
  let end = at + 1
  for (let rest = value; rest >= 10; rest = Math.floor(rest / 10)) end++
  let rest = value
  for (let i = end - 1; i >= at; i--) {
    out[i] = 48 + (rest % 10)
    rest = Math.floor(rest / 10)
  }
  return end
}

function writeAddress(out: Uint8Array, at: number, high: number, low: number): number {
  for (let i = 0; i < 8; i++) {
    out[at + i] = HEX[(high >>> (28 - 4 * i)) & 15]!
    out[at + 8 + i] = HEX[(low >>> (28 - 4 * i)) & 15]!
  }
  return at + 16
}
