// Plain addresses in bulk: lines of hexadecimal digits looked up many at a time, and written down without an object for
// each. Says exactly what the decoder of addresses and the other outputs would say; anything unusual is left to them.

import { frameInWords } from '../stacks/frame.ts'
import type { BulkAnswer } from '../symbols/arguments.ts'
import { PhraseHeap, PhraseWriter, SLOT, writeHex } from '../symbols/phrases.ts'
import { NO_SYMBOL } from '../symbols/search.ts'
import type { SymbolTable } from '../symbols/table.ts'

const NEWLINE = 10

/** Values of hexadecimal digits by their character; 255 for all others. */
const DIGITS = new Uint8Array(256).fill(255)
for (const [i, digit] of [...'0123456789abcdef'].entries()) {
  DIGITS[digit.charCodeAt(0)] = i
  DIGITS[digit.toUpperCase().charCodeAt(0)] = i
}

/** Lines of addresses, and where in their bytes each address stands. */
export interface AddressLines {
  readonly addresses: BigUint64Array
  /** Start and end of each address's digits, with their 0x. */
  readonly places: Uint32Array
  readonly lines: number
}

/** Memory that is used again for each stretch: one is read, and written down, before the next. */
let halves = new Uint32Array(0)
let places = new Uint32Array(0)
let answer: { ids: Uint32Array; offsets: Uint32Array } = { ids: new Uint32Array(0), offsets: new Uint32Array(0) }

/** The symbols of addresses, until the next are looked up. */
function lookUp(symbols: SymbolTable, { addresses, lines }: AddressLines): BulkAnswer {
  return symbols.findMany(addresses, { ids: answer.ids.subarray(0, lines), offsets: answer.offsets.subarray(0, lines) })
}

/**
 * The addresses of lines that hold nothing but digits, with or without 0x; undefined if any line holds anything else or a
 * value that is no address. The answer holds until the next call.
 */
export function readAddresses(bytes: Uint8Array): AddressLines | undefined {
  // An address takes two bytes at least, with its line end.
  const most = (bytes.length >> 1) + 1
  if (halves.length < most * 2) {
    halves = new Uint32Array(most * 2)
    places = new Uint32Array(most * 2)
    answer = { ids: new Uint32Array(most), offsets: new Uint32Array(most) }
  }
  const end = bytes.length
  let count = 0
  for (let at = 0; at < end; ) {
    const start = at
    if (bytes[at] === 48 && (bytes[at + 1]! | 32) === 120) at += 2
    const first = at
    let high = 0
    let low = 0
    for (let digit = 0; at < end; at++) {
      digit = DIGITS[bytes[at]!]!
      if (digit === 255) break
      high = (high << 4) | (low >>> 28)
      low = (low << 4) | digit
    }
    if (at === first || at - first > 16 || (at < end && bytes[at] !== NEWLINE)) return undefined
    // 0 and the markers of call chains are no addresses.
    if ((high | low) === 0 || (high === -1 && low >>> 12 === 0xfffff)) return undefined
    halves[2 * count] = low
    halves[2 * count + 1] = high
    places[2 * count] = start
    places[2 * count + 1] = at
    count++
    at++
  }
  return { addresses: new BigUint64Array(halves.buffer, 0, count), places: places.subarray(0, 2 * count), lines: count }
}

/** Room for what a few short lines may grow by. */
const MOST_GROWTH = 4096
/** Hexadecimal digits of an offset, which has 32 bits. */
const MOST_OFFSET_DIGITS = 8

/** Puts addresses into words, or into JSON. Remembers the words of the symbols that it has met. */
export class AddressWriter {
  readonly #symbols: SymbolTable
  readonly #words: PhraseHeap
  readonly #json: PhraseHeap
  readonly #lines = new PhraseWriter()

  constructor(symbols: SymbolTable, generation: number) {
    this.#symbols = symbols
    this.#words = new PhraseHeap(symbols.size, (id) => this.#phrase(id))
    this.#json = new PhraseHeap(symbols.size, (id) => this.#jsonPhrase(id, generation))
  }

  /** The lines with words in place of the addresses that have a symbol, and how many of the kernel's have none. */
  text(bytes: Uint8Array, read: AddressLines): { bytes: Uint8Array; unresolved: number; userFrames: number } {
    const { addresses, places } = read
    const { ids, offsets } = lookUp(this.#symbols, read)
    let out = new Uint8Array(bytes.length * 3 + MOST_GROWTH)
    let length = 0
    let done = 0
    let unresolved = 0
    let userFrames = 0
    for (let i = 0; i < addresses.length; i++) {
      const id = ids[i]!
      if (id === NO_SYMBOL) {
        if (this.#symbols.reasonFor(addresses[i]!) === 'user') userFrames++
        else unresolved++
        continue
      }
      const words = this.#words.of(id)
      const heap = this.#words.heap
      const wordsEnd = this.#words.endOf(words)
      const start = places[2 * i]!
      const needed = length + (start - done) + (wordsEnd - words) + MOST_OFFSET_DIGITS
      if (needed > out.length) {
        const larger = new Uint8Array(needed * 2)
        larger.set(out.subarray(0, length))
        out = larger
      }
      // Byte by byte: for so few at a time any call costs more.
      while (done < start) out[length++] = bytes[done++]!
      let k = words
      for (let byte = heap[k]!; byte !== 0; byte = heap[++k]!) out[length++] = byte
      length = writeHex(out, length, offsets[i]!)
      while (++k < wordsEnd) out[length++] = heap[k]!
      done = places[2 * i + 1]!
    }
    const rest = bytes.subarray(done)
    const whole = new Uint8Array(length + rest.length)
    whole.set(out.subarray(0, length))
    whole.set(rest, length)
    return { bytes: whole, unresolved, userFrames }
  }

  /** One line of JSON for each address that has a symbol; `other` writes those of the rest. */
  ndjson(
    read: AddressLines,
    other: (address: bigint) => string,
  ): { bytes: Uint8Array; unresolved: number; userFrames: number } {
    const { addresses } = read
    const { ids, offsets } = lookUp(this.#symbols, read)
    const pairs = new Uint32Array(addresses.buffer, addresses.byteOffset, addresses.length * 2)
    const json = this.#json
    let unresolved = 0
    let userFrames = 0
    for (let i = 0; i < addresses.length; i++) {
      const id = ids[i]!
      if (id === NO_SYMBOL) {
        const address = addresses[i]!
        if (this.#symbols.reasonFor(address) === 'user') userFrames++
        else unresolved++
        this.#lines.put(Buffer.from(other(address), 'utf8'))
        continue
      }
      const start = json.of(id)
      this.#lines.write(json.heap, start, json.endOf(start), pairs[2 * i + 1]!, pairs[2 * i]!, offsets[i]!)
    }
    return { bytes: this.#lines.take(), unresolved, userFrames }
  }

  /** A symbol's words with a slot where the offset belongs. */
  #phrase(id: number): string {
    const words = frameInWords(this.#frame(id)) ?? ''
    const offset = words.lastIndexOf('+0x0/') + 3
    return words.slice(0, offset) + SLOT.hex + words.slice(offset + 1)
  }

  #jsonPhrase(id: number, generation: number): string {
    const { symbol, size, owner, aliases } = this.#frame(id)
    const also = aliases.length === 0 ? '' : `,"aliases":${JSON.stringify(aliases)}`
    return (
      `{"type":"stack","kernel_stack":[{"address":"0x${SLOT.address}","symbol":${JSON.stringify(symbol)},` +
      `"offset":${SLOT.decimal},"size":${size},"module":${JSON.stringify(owner)}${also}}],"generation":${generation}}\n`
    )
  }

  #frame(id: number) {
    const symbols = this.#symbols
    const address = symbols.addressOf(id)
    const match = symbols.at(address)
    const aliases = (match?.aliases ?? []).map(({ name }) => name)
    return {
      address,
      symbol: symbols.nameOf(id),
      offset: 0,
      size: match?.symbol.id === id ? match.size : symbols.sizeOf(id),
      owner: symbols.ownerOf(id),
      aliases,
      reason: undefined,
      printed: false,
      inlined: false,
      user: false,
      reliable: true,
      pc: true,
      entry: false,
    }
  }
}
