// Names copied end to end from where they lie, to be looked up in bulk.

import { decodeName } from '../core/bytes.ts'
import type { PackedNames } from '../symbols/lookup-names.ts'

/** A growing list of names as bytes. */
export class NameList {
  #bytes: Uint8Array
  #ends: Uint32Array
  #length = 0
  #used = 0

  /** @param bytes how many bytes of names are expected, and @param names how many names */
  constructor(bytes: number, names: number) {
    this.#bytes = new Uint8Array(Math.max(64, Math.ceil(bytes)))
    this.#ends = new Uint32Array(Math.max(16, Math.ceil(names)))
  }

  /** Number of names. */
  get length(): number {
    return this.#length
  }

  /** Adds the name at bytes[start, end). */
  add(bytes: Uint8Array, start: number, end: number): void {
    if (this.#used + end - start > this.#bytes.length) {
      const wider = new Uint8Array(this.#bytes.length * 2 + end - start)
      wider.set(this.#bytes)
      this.#bytes = wider
    }
    if (this.#length === this.#ends.length) {
      const wider = new Uint32Array(this.#ends.length * 2)
      wider.set(this.#ends)
      this.#ends = wider
    }
    const own = this.#bytes
    let at = this.#used
    for (let i = start; i < end; i++) own[at++] = bytes[i]!
    this.#used = at
    this.#ends[this.#length++] = at
  }

  /** The names, for `SymbolTable.namedMany`. */
  packed(): PackedNames {
    return { bytes: this.#bytes.subarray(0, this.#used), ends: this.#ends.subarray(0, this.#length) }
  }

  /** The names as strings. Slices of one string of them all where they are ASCII, as nearly every name is. */
  strings(): (at: number) => string {
    const bytes = Buffer.from(this.#bytes.buffer, this.#bytes.byteOffset, this.#used)
    const ends = this.#ends
    const begin = (at: number) => (at === 0 ? 0 : ends[at - 1]!)
    const text = bytes.toString('latin1')
    if (/[^\0-\x7f]/.test(text)) return (at) => decodeName(bytes, begin(at), ends[at]!)
    return (at) => text.slice(begin(at), ends[at]!)
  }
}
