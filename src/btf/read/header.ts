// The header of a BTF blob: where its sections are, and the blob in this machine's byte order and alignment.

import { BadFormatError, UnsupportedError } from '../../core/errors.ts'
import { sharedMemory } from '../../core/shared-memory.ts'
import { BTF_MAGIC, HEADER_BYTES, OLD_HEADER_BYTES } from '../format.ts'
import type { KindLayout } from '../kinds.ts'

/** Sections of a blob in bytes from its start, checked to lie inside it. */
export interface BtfHeader {
  /** The blob was written in the other byte order than this machine's. */
  readonly foreign: boolean
  readonly headerBytes: number
  readonly typesStart: number
  readonly typesBytes: number
  readonly stringsStart: number
  readonly stringsBytes: number
  readonly layoutStart: number
  readonly layoutBytes: number
}

/** Whether bytes begin as BTF does, in either byte order. */
export function isBtf(bytes: Uint8Array): boolean {
  return bytes.length >= 2 && [bytes[0]! | (bytes[1]! << 8), bytes[1]! | (bytes[0]! << 8)].includes(BTF_MAGIC)
}

/** Whether this machine stores the low byte first. */
const LITTLE_ENDIAN_HOST = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1

const bad = (message: string, byteOffset: number): BadFormatError =>
  new BadFormatError(`BTF header: ${message}`, { byteOffset })

/**
 * Reads and checks a blob's header: the rules libbpf applies before it reads any type. Header bytes beyond those known
 * are tolerated here; the strict check refuses them when they are not zero.
 * @throws BadFormatError, or UnsupportedError for a version or flags that are not those of BTF version 1.
 */
export function readHeader(blob: Uint8Array, split: boolean): BtfHeader {
  if (blob.length < OLD_HEADER_BYTES) throw bad(`${blob.length} bytes are too few for a header`, blob.length)
  const view = new DataView(blob.buffer, blob.byteOffset, blob.byteLength)
  const little = view.getUint16(0, true) === BTF_MAGIC
  if (!little && view.getUint16(0, false) !== BTF_MAGIC) throw bad('Invalid magic; these bytes are not BTF', 0)
  if (view.getUint8(2) !== 1) throw new UnsupportedError(`BTF header: Unsupported version ${view.getUint8(2)}`)
  if (view.getUint8(3) !== 0) throw new UnsupportedError(`BTF header: Unsupported flags ${view.getUint8(3)}`)
  const headerBytes = view.getUint32(4, little)
  if (headerBytes < OLD_HEADER_BYTES) throw bad(`hdr_len ${headerBytes} is less than ${OLD_HEADER_BYTES}`, 4)
  if (headerBytes > blob.length) throw bad(`hdr_len ${headerBytes} exceeds the ${blob.length} bytes there are`, 4)
  const typesStart = headerBytes + view.getUint32(8, little)
  const typesBytes = view.getUint32(12, little)
  const stringsStart = headerBytes + view.getUint32(16, little)
  const stringsBytes = view.getUint32(20, little)
  const hasLayout = headerBytes >= HEADER_BYTES && view.getUint32(28, little) > 0
  const layoutStart = hasLayout ? headerBytes + view.getUint32(24, little) : 0
  const layoutBytes = hasLayout ? view.getUint32(28, little) : 0
  if (stringsStart + stringsBytes > blob.length) throw bad('Total section length too long', 20)
  if (typesStart + typesBytes > stringsStart) throw bad('the type section overlaps the string section', 12)
  if ((typesStart - headerBytes) % 4 !== 0) throw bad('Unaligned type_off', 8)
  if (hasLayout) {
    if ((layoutStart - headerBytes) % 4 !== 0) throw bad('Unaligned layout_off', 24)
    if (layoutBytes % 4 !== 0) throw bad('layout_len is not a multiple of 4', 28)
    if (layoutStart < typesStart + typesBytes || layoutStart + layoutBytes > stringsStart) {
      throw bad('the layout section overlaps another section', 24)
    }
  }
  checkStrings(blob, stringsStart, stringsBytes, split)
  const foreign = little !== LITTLE_ENDIAN_HOST
  return { foreign, headerBytes, typesStart, typesBytes, stringsStart, stringsBytes, layoutStart, layoutBytes }
}

/** A string section ends with NUL, which is what bounds every string; a base's also starts with the empty string. */
function checkStrings(blob: Uint8Array, start: number, length: number, split: boolean): void {
  if (split && length === 0) return
  if (length === 0 || blob[start + length - 1] !== 0) throw bad('Invalid string section', start)
  if (!split && blob[start] !== 0) {
    throw bad(
      'Invalid string section: it does not start with an empty string. Is this split BTF without its base?',
      start,
    )
  }
}

/**
 * The same blob with its words in this machine's byte order and its types on a multiple of four, so that one
 * `Uint32Array` reads them. What is right already is returned as it is; anything else is copied. The header keeps its
 * original bytes: only `header` is read from then on.
 */
export function normalizeBlob(
  blob: Uint8Array<SharedArrayBuffer>,
  header: BtfHeader,
): { blob: Uint8Array<SharedArrayBuffer>; header: BtfHeader } {
  const misaligned = (blob.byteOffset | header.typesStart) % 4 !== 0
  if (!header.foreign && !misaligned) return { blob, header }
  const shift = (4 - (header.typesStart % 4)) % 4
  const copy = new Uint8Array(sharedMemory(blob.length + shift))
  copy.set(blob, shift)
  const moved: BtfHeader = {
    ...header,
    headerBytes: header.headerBytes + shift,
    typesStart: header.typesStart + shift,
    stringsStart: header.stringsStart + shift,
    layoutStart: header.layoutBytes > 0 ? header.layoutStart + shift : 0,
  }
  if (header.foreign) {
    // Every field of the type section is a u32; swap32 needs a Buffer over exactly those words.
    Buffer.from(copy.buffer, moved.typesStart, moved.typesBytes & ~3).swap32()
  }
  return { blob: copy, header: moved }
}

/** The sizes of kinds from the layout section; `undefined` if the blob has none. */
export function readLayout(
  blob: Uint8Array,
  header: Pick<BtfHeader, 'layoutStart' | 'layoutBytes'>,
): KindLayout | undefined {
  if (header.layoutBytes === 0) return undefined
  const infoBytes: number[] = []
  const elementBytes: number[] = []
  for (let at = header.layoutStart; at < header.layoutStart + header.layoutBytes; at += 4) {
    infoBytes.push(blob[at]!)
    elementBytes.push(blob[at + 1]!)
    // Kinds have seven bits: a longer table describes nothing.
    if (infoBytes.length === 128) break
  }
  return { infoBytes, elementBytes }
}
