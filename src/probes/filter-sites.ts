// available_filter_functions_addrs (since Linux 6.5): the addresses of the `__fentry__` sites themselves.
//
// A site is where ftrace patches a function: its first byte, 4 bytes on behind an ENDBR64 or BTI, 8 with patchable
// entries. So a site is found by the function that contains it, never by equality.
//
// A line whose name is `__ftrace_invalid_address___` and a number is no site of any function: it is left of a weak one that
// was replaced, lies behind whatever precedes it, and cannot be hooked (FTRACE_INVALID_FUNCTION, kernel/trace/ftrace.c).

import { bisect } from '../core/bisect.ts'

/** Digits are not padded, and the lowest text of any kernel is at 1 MiB (s390x); fewer are no address but a word. */
const LEAST_DIGITS = 5
const INVALID = Buffer.from('__ftrace_invalid_address__')
/** Bytes that are read in one step: a millisecond or two. */
const STRETCH = 256 * 1024
/** No line with a site is shorter: its digits, a space, the line's end. */
const SHORTEST = LEAST_DIGITS + 2

/** The sites, ascending. */
export class FilterSites {
  readonly #sites: BigUint64Array

  private constructor(sites: BigUint64Array) {
    this.#sites = sites
  }

  /** @param bytes the file's text: a hexadecimal address at the start of each line; other lines are left out */
  static *reading(bytes: Uint8Array): Generator<void, FilterSites, void> {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const sites = new BigUint64Array(Math.ceil((text.length + 1) / SHORTEST))
    // The lower half of each first. Made of numbers of 64 bits, sites take ten times as long.
    const halves = new Uint32Array(sites.buffer)
    let count = 0
    for (let at = 0; at < text.length; ) {
      const to = Math.min(at + STRETCH, text.length)
      for (; at < to; at = lineAfter(text, at)) if (takeSite(text, at, halves, 2 * count)) count++
      yield
    }
    return new FilterSites(sites.slice(0, count).sort())
  }

  /** All of them. */
  get addresses(): BigUint64Array {
    return this.#sites
  }

  get count(): number {
    return this.#sites.length
  }

  /** Addresses are hidden from this reader: the file says nothing. */
  get hidden(): boolean {
    return this.#sites.length > 0 && this.#sites[this.#sites.length - 1] === 0n
  }

  /** The first site in [start, start + size), or undefined. */
  within(start: bigint, size: number): bigint | undefined {
    const site = this.#sites[bisect(0, this.#sites.length, (i) => this.#sites[i]! < start)]
    return site !== undefined && site < start + BigInt(size) ? site : undefined
  }
}

/** Takes the site of the line that begins somewhere, if it has one. */
function takeSite(text: Buffer, start: number, halves: Uint32Array, place: number): boolean {
  let high = 0
  let low = 0
  let digits = 0
  // A `0x` in front is not printed by any kernel so far, and allowed.
  let at = text[start] === 0x30 && text[start + 1] === 0x78 ? start + 2 : start
  for (; at < text.length && digits <= 16; at++, digits++) {
    const value = hexDigit(text[at]!)
    if (value < 0) break
    high = (high << 4) | (low >>> 28)
    low = (low << 4) | value
  }
  if (digits < LEAST_DIGITS || digits > 16 || text[at] !== 0x20 || startsWith(text, at + 1, INVALID)) return false
  halves[place] = low
  halves[place + 1] = high
  return true
}

function lineAfter(text: Buffer, at: number): number {
  const end = text.indexOf(0x0a, at)
  return end < 0 ? text.length : end + 1
}

function startsWith(bytes: Uint8Array, at: number, wanted: Uint8Array): boolean {
  for (let i = 0; i < wanted.length; i++) if (bytes[at + i] !== wanted[i]) return false
  return true
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30
  if (byte >= 0x61 && byte <= 0x66) return byte - 0x57
  if (byte >= 0x41 && byte <= 0x46) return byte - 0x37
  return -1
}
