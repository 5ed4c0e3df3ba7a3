// Plain addresses in bulk: lines of hexadecimal digits looked up many at a time, and written down without an object for
// each. Says exactly what the decoder of addresses and the other outputs would say; anything unusual is left to them.

import { formatAddress } from '../core/address.ts'
import { encodeName } from '../core/bytes.ts'
import { frameInWords } from '../stacks/frame.ts'
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

/**
 * The addresses of lines that hold nothing but digits, with or without 0x; undefined if any line holds anything else or a
 * value that is no address.
 */
export function readAddresses(bytes: Uint8Array): AddressLines | undefined {
  // An address takes two bytes at least, with its line end.
  const most = (bytes.length >> 1) + 1
  const halves = new Uint32Array(most * 2)
  const places = new Uint32Array(most * 2)
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

/** What all addresses of one symbol have in common, before and after the offset. */
interface Phrase {
  readonly before: string
  readonly after: string
}

/** Puts addresses into words, or into JSON. Remembers the words of the symbols that it has met. */
export class AddressWriter {
  readonly #symbols: SymbolTable
  readonly #words: Phrase[] = []
  readonly #json: Phrase[] = []

  constructor(symbols: SymbolTable) {
    this.#symbols = symbols
  }

  /** The lines with words in place of the addresses that have a symbol, and how many of the kernel's have none. */
  text(bytes: Uint8Array, { addresses, places }: AddressLines): { bytes: Uint8Array; unresolved: number } {
    const { ids, offsets } = this.#symbols.findMany(addresses)
    const source = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
    let text = ''
    let done = 0
    let unresolved = 0
    for (let i = 0; i < addresses.length; i++) {
      const id = ids[i]!
      if (id === NO_SYMBOL) {
        if (this.#symbols.reasonFor(addresses[i]!) !== 'user') unresolved++
        continue
      }
      this.#words[id] ??= this.#phrase(id)
      const { before, after } = this.#words[id]
      text += source.slice(done, places[2 * i]!) + before + offsets[i]!.toString(16) + after
      done = places[2 * i + 1]!
    }
    return { bytes: Buffer.from(text + source.slice(done), 'latin1'), unresolved }
  }

  /** One line of JSON for each address that has a symbol; `other` writes those of the rest. */
  ndjson(
    { addresses }: AddressLines,
    generation: number,
    other: (address: bigint) => string,
  ): { bytes: Uint8Array; unresolved: number } {
    const { ids, offsets } = this.#symbols.findMany(addresses)
    const end = `],"generation":${generation}}\n`
    let text = ''
    let unresolved = 0
    for (let i = 0; i < addresses.length; i++) {
      const id = ids[i]!
      const address = addresses[i]!
      if (id === NO_SYMBOL) {
        if (this.#symbols.reasonFor(address) !== 'user') unresolved++
        text += other(address)
        continue
      }
      this.#json[id] ??= this.#jsonPhrase(id)
      const { before, after } = this.#json[id]
      text += `{"type":"stack","kernel_stack":[{"address":"${formatAddress(address)}"${before}${offsets[i]!}${after}${end}`
    }
    return { bytes: Buffer.from(text, 'utf8'), unresolved }
  }

  #phrase(id: number): Phrase {
    const words = frameInWords(this.#frame(id)) ?? ''
    const latin1 = Buffer.from(encodeName(words)).toString('latin1')
    const plus = latin1.lastIndexOf('+0x0/')
    return { before: latin1.slice(0, plus + 3), after: latin1.slice(plus + 4) }
  }

  #jsonPhrase(id: number): Phrase {
    const { symbol, size, owner, aliases } = this.#frame(id)
    const also = aliases.length === 0 ? '' : `,"aliases":${JSON.stringify(aliases)}`
    return {
      before: `,"symbol":${JSON.stringify(symbol)},"offset":`,
      after: `,"size":${size},"module":${JSON.stringify(owner)}${also}}`,
    }
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
      user: false,
      reliable: true,
      entry: false,
    }
  }
}
