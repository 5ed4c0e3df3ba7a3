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

/** The sites, ascending. */
export class FilterSites {
  readonly #sites: BigUint64Array

  /** @param bytes the file's text: a hexadecimal address at the start of each line; other lines are left out */
  constructor(bytes: Uint8Array) {
    let sites = new BigUint64Array(Math.max(16, Math.ceil(bytes.length / 24)))
    let count = 0
    let at = 0
    while (at < bytes.length) {
      let high = 0
      let low = 0
      let digits = 0
      // A `0x` in front is not printed by any kernel so far, and allowed.
      if (bytes[at] === 0x30 && bytes[at + 1] === 0x78) at += 2
      for (; at < bytes.length && digits <= 16; at++, digits++) {
        const value = hexDigit(bytes[at]!)
        if (value < 0) break
        high = ((high << 4) | (low >>> 28)) >>> 0
        low = ((low << 4) | value) >>> 0
      }
      if (digits >= LEAST_DIGITS && digits <= 16 && bytes[at] === 0x20 && !startsWith(bytes, at + 1, INVALID)) {
        if (count === sites.length) {
          const wider = new BigUint64Array(sites.length * 2)
          wider.set(sites)
          sites = wider
        }
        sites[count++] = (BigInt(high) << 32n) | BigInt(low)
      }
      while (at < bytes.length && bytes[at] !== 0x0a) at++
      at++
    }
    this.#sites = sites.slice(0, count).sort()
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
