// Names in string sections as bytes: hashing, comparing and finding them. A query is a string of byte values ("byte
// string"), so that one comparison serves every name, whatever its encoding.
import { encodeName } from '../core/bytes.ts'

/** Bytes of a name that enter its hash: bounds the work a blob with absurdly long names can cause. */
const HASHED_BYTES = 128

const OFFSET_BASIS = 0x811c9dc5
const PRIME = 0x01000193

/** Spreads the bits of an FNV-1a state over the whole word: buckets use the upper ones, tags the lower ones. */
function finish(hash: number): number {
  let h = hash ^ (hash >>> 15)
  h = Math.imul(h, 0x2c1b3c6d)
  h ^= h >>> 12
  h = Math.imul(h, 0x297a2d39)
  // Never 0, which stands for "no name" where hashes are kept. Signed, because code that is not compiled yet keeps an
  // integer of 32 bits without an allocation only if it is signed.
  return (h ^ (h >>> 15)) | 0 || 1
}

/** Hash of the NUL-terminated name at `start`: 32 bits, signed. */
export function hashBytes(bytes: Uint8Array, start: number): number {
  let h = OFFSET_BASIS
  const end = start + HASHED_BYTES
  for (let i = start; i < end; i++) {
    const byte = bytes[i]!
    if (byte === 0) break
    h = Math.imul(h ^ byte, PRIME)
  }
  return finish(h)
}

/** Hash of a byte string: equal to `hashBytes` of the same bytes. */
export function hashByteString(name: string): number {
  let h = OFFSET_BASIS
  const end = Math.min(name.length, HASHED_BYTES)
  for (let i = 0; i < end; i++) h = Math.imul(h ^ name.charCodeAt(i), PRIME)
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

/** strcmp of two NUL-terminated names: negative, zero or positive. */
export function compareNames(a: Uint8Array, aStart: number, b: Uint8Array, bStart: number): number {
  for (let i = 0; ; i++) {
    const x = a[aStart + i]!
    const y = b[bStart + i]!
    if (x !== y || x === 0) return x - y
  }
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
  const end = nameEnd(bytes, start)
  if (end === start || end - start > MAX_NAME) return false
  for (let i = start; i < end; i++) {
    const byte = bytes[i]!
    const letter = (byte >= 0x61 && byte <= 0x7a) || (byte >= 0x41 && byte <= 0x5a) || byte === 0x5f || byte === 0x2e
    if (!letter && !(i > start && byte >= 0x30 && byte <= 0x39)) return false
  }
  return true
}
