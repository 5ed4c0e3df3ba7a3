// Names in string sections as bytes: hashing, comparing and finding them. A query is a string of byte values ("byte
// string"), so that one comparison serves every name, whatever its encoding.
import { encodeName } from '../../core/bytes.ts'

/** Bytes of a name that enter its hash, a multiple of four: bounds the work a blob with absurdly long names can cause. */
const HASHED_BYTES = 128

const SEED = 0x811c9dc5 | 0
const STEP = 0x9e3779b1 | 0

/** Takes four bytes into a hash; the last of a name are filled up with zeros. */
function mix(hash: number, word: number): number {
  const h = Math.imul(hash ^ word, STEP)
  return h ^ (h >>> 15)
}

/** Spreads the bits of a hash over the whole word: buckets use the upper ones, tags the lower ones. */
function finish(hash: number): number {
  let h = Math.imul(hash, 0x2c1b3c6d)
  h ^= h >>> 12
  h = Math.imul(h, 0x297a2d39)
  // Never 0, which stands for "no name" where hashes are kept. Signed, because code that is not compiled yet keeps an
  // integer of 32 bits without an allocation only if it is signed.
  return (h ^ (h >>> 15)) | 0 || 1
}

/** Hash of the NUL-terminated name at `start`: 32 bits, signed. */
export function hashBytes(bytes: Uint8Array, start: number): number {
  let h = SEED
  const end = start + HASHED_BYTES
  for (let i = start; i < end; i += 4) {
    const a = bytes[i]!
    if (a === 0) break
    const b = bytes[i + 1]!
    const c = b === 0 ? 0 : bytes[i + 2]!
    const d = c === 0 ? 0 : bytes[i + 3]!
    h = mix(h, a | (b << 8) | (c << 16) | (d << 24))
    if (d === 0) break
  }
  return finish(h)
}

/** Hash of a byte string: equal to `hashBytes` of the same bytes. */
export function hashByteString(name: string): number {
  let h = SEED
  const end = Math.min(name.length, HASHED_BYTES)
  let i = 0
  for (; i + 4 <= end; i += 4) {
    const low = name.charCodeAt(i) | (name.charCodeAt(i + 1) << 8)
    h = mix(h, low | (name.charCodeAt(i + 2) << 16) | (name.charCodeAt(i + 3) << 24))
  }
  if (i < end) {
    let word = 0
    for (let shift = 0; i < end; i++, shift += 8) word |= name.charCodeAt(i) << shift
    h = mix(h, word)
  }
  return finish(h)
}

/** A name as a string with one character for each of its bytes; `undefined` if no NUL-terminated name can equal it. */
export function byteString(name: string): string | undefined {
  let ascii = true
  for (let i = 0; i < name.length; i++) {
    const unit = name.charCodeAt(i)
    if (unit === 0) return undefined
    if (unit > 0x7f) ascii = false
  }
  return ascii ? name : Buffer.from(encodeName(name)).toString('latin1')
}

/** Whether the NUL-terminated name at `start` equals a byte string. */
export function equalsBytes(bytes: Uint8Array, start: number, name: string): boolean {
  const length = name.length
  for (let i = 0; i < length; i++) if (bytes[start + i] !== name.charCodeAt(i)) return false
  return bytes[start + length] === 0
}

/** strcmp of the NUL-terminated name at `start` with a byte string. */
export function compareWithByteString(bytes: Uint8Array, start: number, name: string): number {
  const length = name.length
  for (let i = 0; i < length; i++) {
    const difference = bytes[start + i]! - name.charCodeAt(i)
    if (difference !== 0) return difference
  }
  return bytes[start + length]!
}

/** Position of the NUL that ends the name at `start`. String sections end with NUL, so there is one. */
export function nameEnd(bytes: Uint8Array, start: number): number {
  // indexOf costs a call; names are short, so a loop wins.
  let end = start
  while (bytes[end] !== 0) end++
  return end
}

/** Longest name the kernel takes, KSYM_NAME_LEN. */
export const MAX_NAME = 512

/** Whether the kernel takes a name for a C identifier: dots are allowed, for names such as `foo.isra.0`. */
export function isIdentifier(bytes: Uint8Array, start: number): boolean {
  // No further than the longest: a set may have many types of one name that fills its strings.
  for (let i = start; ; i++) {
    const byte = bytes[i]!
    if (byte === 0) return i > start
    if (i - start === MAX_NAME) return false
    const letter = (byte >= 0x61 && byte <= 0x7a) || (byte >= 0x41 && byte <= 0x5a) || byte === 0x5f || byte === 0x2e
    if (!letter && !(i > start && byte >= 0x30 && byte <= 0x39)) return false
  }
}
