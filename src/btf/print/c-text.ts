// Text of C on its way out, as bytes: names are copied as they lie in a blob, and become strings with all around them at once. Everything
// in it is ASCII, because what a terminal would act on is escaped (core/printable.ts).

import { decodeName } from '../../core/bytes.ts'
import { printable } from '../../core/printable.ts'
import { nameEnd } from '../read/names.ts'
import type { TypeSet } from '../read/type-set.ts'

const FIRST_BYTES = 1 << 12

/** Growing text. Whoever writes may look at `bytes` up to `length`, and cut it. */
export class CText {
  bytes = Buffer.allocUnsafe(FIRST_BYTES)
  length = 0

  #grow(more: number): void {
    const larger = Buffer.allocUnsafe(2 * (this.length + more))
    this.bytes.copy(larger, 0, 0, this.length)
    this.bytes = larger
  }

  /** Text that is ASCII. */
  put(text: string): void {
    const { length } = text
    if (this.length + length > this.bytes.length) this.#grow(length)
    const { bytes } = this
    let at = this.length
    for (let i = 0; i < length; i++) bytes[at++] = text.charCodeAt(i)
    this.length = at
  }

  /** A whole number. */
  number(value: number): void {
    if (value >= 0 && value < 10) this.put(DIGITS[value]!)
    else this.put(String(value))
  }

  /** Bytes that were text before. */
  copy(from: Uint8Array, start: number, end: number): void {
    if (this.length + end - start > this.bytes.length) this.#grow(end - start)
    const { bytes } = this
    let at = this.length
    for (let i = start; i < end; i++) bytes[at++] = from[i]!
    this.length = at
  }

  /** The name at an offset of a set's strings. */
  name(set: TypeSet, offset: number): void {
    if (offset === 0) return
    let own = set
    while (offset < own.stringBase && own.base) own = own.base
    if (offset >= own.stringEnd) return
    const { bytes: from, strings } = own
    const start = strings + offset
    let at = this.length
    for (let i = start; ; i++) {
      const byte = from[i]!
      if (byte === 0) break
      if (byte < 0x20 || byte > 0x7e) {
        this.put(printable(decodeName(from, start, nameEnd(from, start))))
        return
      }
      if (at === this.bytes.length) {
        this.length = at
        this.#grow(1)
        this.length = at - (i - start)
      }
      this.bytes[at++] = byte
    }
    this.length = at
  }

  /** All of it. */
  text(): string {
    return this.slice(0, this.length)
  }

  /** A part of it. */
  slice(from: number, to: number): string {
    return this.bytes.toString('latin1', from, to)
  }

  /** All of it, which begins anew. */
  take(): string {
    const text = this.text()
    this.length = 0
    return text
  }
}

const DIGITS = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9']

/** Texts that were written before, of types by id: what stands before a name and behind it. */
export class KeptTexts {
  readonly #texts = new CText()
  readonly #first: number
  /** One more than where each begins; 0 where there is none. */
  readonly #starts: Uint32Array
  readonly #middles: Uint32Array
  readonly #ends: Uint32Array
  /** The same as strings, of those that are asked for as such. */
  readonly #strings = new Map<number, { readonly before: string; readonly behind: string }>()

  constructor(first: number, end: number) {
    this.#first = first
    this.#starts = new Uint32Array(end - first)
    this.#middles = new Uint32Array(end - first)
    this.#ends = new Uint32Array(end - first)
  }

  /** The text of such a type around a name. */
  around(id: number, name: string): string {
    const known = this.#strings.get(id)
    if (known !== undefined) return known.before + name + known.behind
    const i = id - this.#first
    const before = this.#texts.slice(this.#starts[i]! - 1, this.#middles[i]!)
    const behind = this.#texts.slice(this.#middles[i]!, this.#ends[i]!)
    this.#strings.set(id, { before, behind })
    return before + name + behind
  }

  has(id: number): boolean {
    return this.#starts[id - this.#first]! > 0
  }

  /** Keeps what stands in a text from a place on, but for the name in it. */
  keep(id: number, out: CText, from: number, nameFrom: number, nameTo: number): void {
    const texts = this.#texts
    const i = id - this.#first
    this.#starts[i] = texts.length + 1
    texts.copy(out.bytes, from, nameFrom)
    this.#middles[i] = texts.length
    texts.copy(out.bytes, nameTo, out.length)
    this.#ends[i] = texts.length
  }

  putBefore(id: number, out: CText): void {
    const i = id - this.#first
    out.copy(this.#texts.bytes, this.#starts[i]! - 1, this.#middles[i]!)
  }

  putBehind(id: number, out: CText): void {
    const i = id - this.#first
    out.copy(this.#texts.bytes, this.#middles[i]!, this.#ends[i]!)
  }
}
