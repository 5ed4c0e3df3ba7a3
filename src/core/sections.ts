// A self-describing SharedArrayBuffer: a header (magic, layout version, byte-order mark, section offsets), then sections.
// The same bytes serve every thread and, unchanged, a file. Knows nothing of what the sections mean.

import { BadFormatError, LimitError, UnsupportedError } from './errors.ts'
import { sharedMemory } from './shared-memory.ts'

/** A layout: its magic number, its version and the names of its sections, in order. */
export interface Layout<Name extends string> {
  /** What the buffer holds, in words, for error texts. */
  readonly what: string
  readonly magic: number
  readonly version: number
  readonly sections: readonly Name[]
}

/** A section's place in its buffer, in bytes. */
export interface Section {
  readonly offset: number
  readonly length: number
}

/** Reads differently on a machine of the other byte order, which is how such a buffer is recognised. */
const BYTE_ORDER_MARK = 0x0a0b0c0d
const BYTE_ORDER_MARK_SWAPPED = 0x0d0c0b0a

/** u32 words before the section table: magic, version, byte-order mark, section count, buffer length in bytes. */
const FIXED_WORDS = 5
/** Every section starts on this boundary, so that any typed array can be laid over it. */
const ALIGNMENT = 8

const align = (bytes: number): number => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT

/**
 * Allocates a buffer with room for the given sections (lengths in bytes) and writes its header.
 * @throws LimitError if the whole would exceed 4 GiB, the reach of the header's offsets.
 */
export function allocateSections<Name extends string>(
  layout: Layout<Name>,
  lengths: Readonly<Record<Name, number>>,
  allocate = (bytes: number) => sharedMemory(bytes),
): { buffer: SharedArrayBuffer; sections: Record<Name, Section> } {
  const sections = {} as Record<Name, Section>
  let offset = align((FIXED_WORDS + 2 * layout.sections.length) * 4)
  for (const name of layout.sections) {
    sections[name] = { offset, length: lengths[name] }
    offset = align(offset + lengths[name])
  }
  if (offset > 0xffffffff) throw new LimitError(`${layout.what} would need ${offset} bytes; the limit is 4 GiB`)
  const buffer = allocate(offset)
  const words = new Uint32Array(buffer)
  words.set([layout.magic, layout.version, BYTE_ORDER_MARK, layout.sections.length, offset])
  layout.sections.forEach((name, i) => {
    words[FIXED_WORDS + 2 * i] = sections[name].offset
    words[FIXED_WORDS + 2 * i + 1] = sections[name].length
  })
  return { buffer, sections }
}

/**
 * Reads the header of a buffer made by `allocateSections` and checks that every section lies inside the buffer.
 * @throws BadFormatError if the bytes are not of this layout or are cut; UnsupportedError if another version or byte
 * order wrote them.
 */
export function readSections<Name extends string>(
  layout: Layout<Name>,
  buffer: SharedArrayBuffer,
): Record<Name, Section> {
  const what = layout.what
  if (!(buffer instanceof SharedArrayBuffer)) throw new BadFormatError(`${what}: not a SharedArrayBuffer`)
  const headerBytes = (FIXED_WORDS + 2 * layout.sections.length) * 4
  if (buffer.byteLength < headerBytes || buffer.byteLength % 4 !== 0) {
    throw new BadFormatError(`${what}: ${buffer.byteLength} bytes are too few for a header of ${headerBytes}`)
  }
  const words = new Uint32Array(buffer)
  if (words[2] === BYTE_ORDER_MARK_SWAPPED) {
    throw new UnsupportedError(`${what}: written on a machine of the other byte order; build it anew here`)
  }
  if (words[0] !== layout.magic || words[2] !== BYTE_ORDER_MARK) {
    throw new BadFormatError(`${what}: wrong magic number; these bytes are something else`)
  }
  if (words[1] !== layout.version) {
    throw new UnsupportedError(`${what}: layout version ${words[1]}, this kerndex reads version ${layout.version}`)
  }
  if (words[3] !== layout.sections.length || words[4] !== buffer.byteLength) {
    throw new BadFormatError(`${what}: the header says ${words[4]} bytes, the buffer has ${buffer.byteLength}`)
  }
  const sections = {} as Record<Name, Section>
  layout.sections.forEach((name, i) => {
    const offset = words[FIXED_WORDS + 2 * i]!
    const length = words[FIXED_WORDS + 2 * i + 1]!
    if (offset < headerBytes || offset % ALIGNMENT !== 0 || offset + length > buffer.byteLength) {
      throw new BadFormatError(`${what}: section ${name} lies outside the buffer`, { byteOffset: offset })
    }
    sections[name] = { offset, length }
  })
  return sections
}
