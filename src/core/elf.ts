// ELF files: header, section table, names. Pure, 32 and 64 bit, both byte orders; knows nothing of what sections hold.
import { decodeName } from './bytes.ts'
import { BadFormatError, UnsupportedError } from './errors.ts'

/** Section types that callers ask for (elf.h). */
export const SHT_SYMTAB = 2
export const SHT_STRTAB = 3
export const SHT_NOBITS = 8
export const SHT_DYNSYM = 11
export const SHT_SYMTAB_SHNDX = 18
/** Section flags that callers ask for. */
export const SHF_WRITE = 0x1n
export const SHF_ALLOC = 0x2n
export const SHF_EXECINSTR = 0x4n
export const SHF_TLS = 0x400n
/** File types (e_type): an object or a module, whose symbols' values are offsets in their sections. */
export const ET_REL = 1
const SHF_COMPRESSED = 0x800
const SHN_XINDEX = 0xffff

/** A section header. Offsets and sizes are bytes in the file; a file offset beyond 2^53 is refused, addresses are not. */
export interface ElfSection {
  readonly index: number
  readonly name: string
  readonly type: number
  readonly flags: bigint
  readonly address: bigint
  readonly offset: number
  readonly size: number
  /** Number of another section, such as the string table of a symbol table. */
  readonly link: number
  readonly info: number
  /** Bytes of one entry, for tables. */
  readonly entrySize: number
}

/** An opened ELF file. */
export interface ElfFile {
  readonly bytes: Uint8Array
  readonly is64: boolean
  readonly littleEndian: boolean
  /** e_type: 1 relocatable (an object or a module), 2 executable, 3 shared, 4 core. */
  readonly type: number
  /** e_machine, such as 62 for x86-64 and 247 for BPF. */
  readonly machine: number
  readonly sections: readonly ElfSection[]
}

/** Is told of each range of the bytes, [offset, offset + length), before it is looked at. */
export type Fetch = (offset: number, length: number) => void

const HEADER_BYTES = 64

/** Whether bytes begin as an ELF file does. */
export function isElf(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && bytes[0] === 0x7f && bytes[1] === 0x45 && bytes[2] === 0x4c && bytes[3] === 0x46
}

const bad = (message: string, byteOffset: number): BadFormatError =>
  new BadFormatError(`ELF: ${message}`, { byteOffset })

/**
 * Reads an ELF file's header, section table and section names. A caller that has not read the whole file passes `fetch`
 * and puts each range into its place in `bytes` when it is told to; ranges always lie inside the bytes.
 * @throws BadFormatError if it is not ELF or a header lies outside the file; UnsupportedError for another class or
 * byte order than ELF defines.
 */
export function readElf(bytes: Uint8Array, fetch: Fetch = () => {}): ElfFile {
  fetch(0, Math.min(bytes.length, HEADER_BYTES))
  if (!isElf(bytes)) throw bad('Invalid magic; these bytes are not an ELF file', 0)
  if (bytes.length < 52) throw bad(`${bytes.length} bytes are too few for a header`, bytes.length)
  const is64 = bytes[4] === 2
  if (!is64 && bytes[4] !== 1) throw new UnsupportedError(`ELF: class ${bytes[4]} is neither 32 nor 64 bit`)
  const littleEndian = bytes[5] === 1
  if (!littleEndian && bytes[5] !== 2) throw new UnsupportedError(`ELF: data encoding ${bytes[5]} is not known`)
  if (is64 && bytes.length < 64) throw bad(`${bytes.length} bytes are too few for a header`, bytes.length)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const u16 = (at: number): number => view.getUint16(at, littleEndian)
  const u32 = (at: number): number => view.getUint32(at, littleEndian)
  const word = (at: number): number => (is64 ? toOffset(view.getBigUint64(at, littleEndian), at) : u32(at))
  const tableOffset = word(is64 ? 40 : 32)
  const entryBytes = u16(is64 ? 58 : 46)
  let count = u16(is64 ? 60 : 48)
  let namesIndex = u16(is64 ? 62 : 50)
  const file = { bytes, is64, littleEndian, type: u16(16), machine: u16(18) }
  if (tableOffset === 0) return { ...file, sections: [] }
  if (entryBytes < (is64 ? 64 : 40)) throw bad(`section headers of ${entryBytes} bytes are too short`, is64 ? 58 : 46)
  if (tableOffset + entryBytes > bytes.length) throw bad('the section table lies outside the file', tableOffset)
  fetch(tableOffset, entryBytes)
  // Counts that do not fit their 16 bits stand in the first section header instead.
  if (count === 0) count = word(tableOffset + (is64 ? 32 : 20))
  if (namesIndex === SHN_XINDEX) namesIndex = u32(tableOffset + (is64 ? 40 : 24))
  if (tableOffset + count * entryBytes > bytes.length) throw bad('the section table lies outside the file', tableOffset)
  fetch(tableOffset, count * entryBytes)
  const raw: { name: number; section: Omit<ElfSection, 'name'> }[] = []
  for (let index = 0; index < count; index++) {
    const at = tableOffset + index * entryBytes
    const section = is64
      ? {
          flags: view.getBigUint64(at + 8, littleEndian),
          address: view.getBigUint64(at + 16, littleEndian),
          offset: word(at + 24),
          size: word(at + 32),
          link: u32(at + 40),
          info: u32(at + 44),
          entrySize: word(at + 56),
        }
      : {
          flags: BigInt(u32(at + 8)),
          address: BigInt(u32(at + 12)),
          offset: u32(at + 16),
          size: u32(at + 20),
          link: u32(at + 24),
          info: u32(at + 28),
          entrySize: u32(at + 36),
        }
    raw.push({ name: u32(at), section: { index, type: u32(at + 4), ...section } })
  }
  const names = raw[namesIndex]?.section
  const table = names && names.type !== SHT_NOBITS ? range(bytes, names) : new Uint8Array(0)
  if (names && table.length > 0) fetch(names.offset, names.size)
  return { ...file, sections: raw.map(({ name, section }) => ({ ...section, name: stringAt(table, name) })) }
}

/** The first section of that name. */
export function findSection(file: ElfFile, name: string): ElfSection | undefined {
  return file.sections.find((section) => section.name === name)
}

/**
 * A section's bytes, as a view of the file's; empty for a section that takes no room in the file.
 * @throws BadFormatError if it lies outside the file; UnsupportedError if it is compressed.
 */
export function sectionBytes(file: ElfFile, section: ElfSection): Uint8Array {
  if (section.type === SHT_NOBITS) return new Uint8Array(0)
  if ((section.flags & BigInt(SHF_COMPRESSED)) !== 0n) {
    throw new UnsupportedError(
      `ELF: section ${section.name} is compressed; rewrite the file with objcopy --decompress-debug-sections`,
      { byteOffset: section.offset },
    )
  }
  return range(file.bytes, section)
}

/** The NUL-terminated string at an offset of a string table; empty if the offset lies outside. */
export function stringAt(table: Uint8Array, offset: number): string {
  if (offset >= table.length) return ''
  const end = table.indexOf(0, offset)
  return decodeName(Buffer.from(table.buffer, table.byteOffset, table.byteLength), offset, end < 0 ? table.length : end)
}

function range(bytes: Uint8Array, section: { index: number; offset: number; size: number }): Uint8Array {
  if (section.offset + section.size > bytes.length) {
    throw bad(`section ${section.index} lies outside the file`, section.offset)
  }
  return bytes.subarray(section.offset, section.offset + section.size)
}

function toOffset(value: bigint, at: number): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw bad(`the offset or size 0x${value.toString(16)} is impossible`, at)
  return Number(value)
}
