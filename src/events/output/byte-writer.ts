// Bytes written one piece after another: the memory is used again for each stretch, as far as that is no more than usual.

/** Bytes that a character of a string takes at most in UTF-8. */
const MOST_UTF8 = 3
/** Fewer bytes than these are copied one by one: any call costs more. */
const FEW = 40
/** Characters of text that are gathered before they become bytes, for the same reason. */
const GATHERED = 1 << 13
/** Bytes of memory that are used again; more, which one large piece needed, is handed on. */
const KEPT = 1 << 23

export class ByteWriter {
  #bytes: Buffer
  #length = 0
  #text = ''

  constructor(room = 1 << 16) {
    this.#bytes = Buffer.allocUnsafeSlow(room)
  }

  /** Bytes since `take`. */
  get length(): number {
    this.#settle()
    return this.#length
  }

  /** Adds text as UTF-8. */
  text(text: string): void {
    this.#text += text
    if (this.#text.length > GATHERED) this.#settle()
  }

  /** Adds the bytes [start, end). */
  copy(bytes: Uint8Array, start: number, end: number): void {
    if (this.#text !== '') this.#settle()
    const length = end - start
    this.#reserve(length)
    const out = this.#bytes
    let at = this.#length
    if (length < FEW) for (let i = start; i < end; i++) out[at++] = bytes[i]!
    else out.set(bytes.subarray(start, end), at)
    this.#length += length
  }

  /** All bytes since the last call, in memory of their own. */
  take(): Uint8Array {
    this.#settle()
    const bytes = this.#bytes
    const large = bytes.length > KEPT
    // What is large is not copied: for that moment it would be there twice.
    const whole = large
      ? new Uint8Array(bytes.buffer, bytes.byteOffset, this.#length)
      : new Uint8Array(bytes.subarray(0, this.#length))
    if (large) this.#bytes = Buffer.allocUnsafeSlow(KEPT)
    this.#length = 0
    return whole
  }

  #settle(): void {
    const text = this.#text
    if (text === '') return
    this.#text = ''
    this.#reserve(text.length * MOST_UTF8)
    this.#length += this.#bytes.write(text, this.#length)
  }

  #reserve(more: number): void {
    const needed = this.#length + more
    if (needed <= this.#bytes.length) return
    const larger = Buffer.allocUnsafeSlow(needed * 2)
    larger.set(this.#bytes.subarray(0, this.#length))
    this.#bytes = larger
  }
}
