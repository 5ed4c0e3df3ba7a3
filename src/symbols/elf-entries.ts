// The entries of an ELF file's symbol sections: where they are and what each says. Both classes, both byte orders; nothing
// outside of the sections is ever read.
//
// The format is that of the System V ABI (gABI, "Symbol Table"; elf(5)).

import {
  type ElfFile,
  type ElfSection,
  SHT_DYNSYM,
  SHT_STRTAB,
  SHT_SYMTAB,
  SHT_SYMTAB_SHNDX,
  sectionBytes,
} from '../core/elf.ts'
import { BadFormatError, LimitError, NotFoundError, UsageError } from '../core/errors.ts'
import { LONGEST_NAME } from './parse.ts'

/** Which symbol section: `.symtab`, `.dynsym`, or both without the duplicates. */
export type ElfTable = 'symtab' | 'dynsym' | 'all'

/** A symbol section with the sections it needs. */
export interface SymbolSections {
  readonly table: 'symtab' | 'dynsym'
  readonly symbols: ElfSection
  readonly names: ElfSection
  /** Section numbers that do not fit 16 bits. */
  readonly numbers: ElfSection | undefined
}

/** Bytes of names that are looked at in all: names may share bytes without limit, so that a small file could take hours. */
const MOST_NAME_BYTES = 2 ** 28
/** The symbol sections that were asked for. @throws as `elfTable` does */
export function findSymbolSections(file: ElfFile, table: ElfTable): SymbolSections[] {
  if (table !== 'symtab' && table !== 'dynsym' && table !== 'all') {
    throw new UsageError(`table must be 'symtab', 'dynsym' or 'all', not ${JSON.stringify(table)}`)
  }
  const found: SymbolSections[] = []
  for (const [name, type] of [
    ['symtab', SHT_SYMTAB],
    ['dynsym', SHT_DYNSYM],
  ] as const) {
    if (table !== 'all' && table !== name) continue
    // A file of debug information alone has a header for its .dynsym, but not the bytes: its type is SHT_NOBITS.
    const symbols = file.sections.find((section) => section.type === type)
    if (symbols === undefined) continue
    const names = file.sections[symbols.link]
    if (names === undefined || names.type !== SHT_STRTAB) {
      throw new BadFormatError(`ELF: section ${symbols.index} links to no string table`, { byteOffset: symbols.offset })
    }
    const numbers = file.sections.find(({ type, link }) => type === SHT_SYMTAB_SHNDX && link === symbols.index)
    found.push({ table: name, symbols, names, numbers })
  }
  if (found.length === 0) {
    const advice = table === 'all' ? 'it is stripped' : `ask for 'all' to take what there is`
    throw new NotFoundError(`ELF: the file has no ${table === 'all' ? 'symbol table' : `.${table}`}; ${advice}`)
  }
  return found
}

export const SHN_UNDEF = 0
const SHN_LORESERVE = 0xff00
const SHN_ABS = 0xfff1
const SHN_XINDEX = 0xffff
/** In place of a section's number: none, the value is fixed; and one that cannot be known. */
export const ABSOLUTE = -1
const UNKNOWN = -2
const EM_ARM = 40
export const STT_NOTYPE = 0
export const STT_OBJECT = 1
export const STT_FUNC = 2
export const STT_SECTION = 3
export const STT_FILE = 4
export const STT_COMMON = 5
export const STT_TLS = 6
export const STT_GNU_IFUNC = 10
/** Thumb functions in files of before the ARM EABI. */
const STT_ARM_TFUNC = 13

/** The entries of one symbol section. */
export class SymbolEntries {
  readonly table: 'symtab' | 'dynsym'
  readonly count: number
  readonly names: Uint8Array
  readonly #view: DataView
  readonly #little: boolean
  readonly #is64: boolean
  readonly #arm: boolean
  readonly #stride: number
  readonly #numbers: DataView | undefined
  readonly #nameLength: Uint16Array
  #measured = 0

  constructor(file: ElfFile, { table, symbols, names, numbers }: SymbolSections) {
    const bytes = sectionBytes(file, symbols)
    const least = file.is64 ? 24 : 16
    if (symbols.entrySize < least || bytes.length % symbols.entrySize !== 0) {
      throw new BadFormatError(`ELF: ${bytes.length} bytes of symbols are no whole entries of ${symbols.entrySize}`, {
        byteOffset: symbols.offset,
      })
    }
    const viewOf = (part: Uint8Array) => new DataView(part.buffer, part.byteOffset, part.byteLength)
    this.table = table
    this.count = bytes.length / symbols.entrySize
    this.names = sectionBytes(file, names)
    this.#view = viewOf(bytes)
    this.#little = file.littleEndian
    this.#is64 = file.is64
    this.#arm = file.machine === EM_ARM
    this.#stride = symbols.entrySize
    this.#nameLength = new Uint16Array(this.count)
    this.#numbers = numbers && viewOf(sectionBytes(file, numbers))
  }

  name(index: number): number {
    return this.#view.getUint32(index * this.#stride, this.#little)
  }

  /**
   * Finds the end of a name; false if it has none inside the string table, or is longer than a table's names may be.
   * @throws LimitError once too many bytes were looked at.
   */
  measure(index: number): boolean {
    const start = this.name(index)
    const limit = Math.min(this.names.length, start + LONGEST_NAME + 1)
    let end = start
    while (end < limit && this.names[end] !== 0) end++
    this.#measured += end - start
    if (this.#measured > MOST_NAME_BYTES) {
      throw new LimitError(`ELF: the symbols' names have more than ${MOST_NAME_BYTES} bytes in all`)
    }
    if (end >= limit) return false
    this.#nameLength[index] = end - start
    return true
  }

  /** Where the name ends, once it was measured. */
  nameEnd(index: number): number {
    return this.name(index) + this.#nameLength[index]!
  }

  type(index: number): number {
    const type = this.#view.getUint8(index * this.#stride + (this.#is64 ? 4 : 12)) & 0xf
    return this.#arm && type === STT_ARM_TFUNC ? STT_FUNC : type
  }

  binding(index: number): number {
    return this.#view.getUint8(index * this.#stride + (this.#is64 ? 4 : 12)) >>> 4
  }

  /** The section's number; SHN_UNDEF for all that has no place yet, as COMMON symbols; ABSOLUTE; UNKNOWN. */
  section(index: number): number {
    const number = this.#view.getUint16(index * this.#stride + (this.#is64 ? 6 : 14), this.#little)
    if (number < SHN_LORESERVE) return number
    if (number !== SHN_XINDEX) return number === SHN_ABS ? ABSOLUTE : SHN_UNDEF
    if (this.#numbers === undefined || index * 4 + 4 > this.#numbers.byteLength) return UNKNOWN
    return this.#numbers.getUint32(index * 4, this.#little)
  }

  /** The upper half of the value. */
  valueHigh(index: number): number {
    return this.#is64 ? this.#half(index * this.#stride + 8, true) : 0
  }

  /** The lower half of the value, without the lowest bit that tells Thumb functions on ARM, as nm(1) prints it. */
  valueLow(index: number): number {
    const low = this.#is64
      ? this.#half(index * this.#stride + 8, false)
      : this.#view.getUint32(index * this.#stride + 4, this.#little)
    return this.#arm && this.type(index) === STT_FUNC ? (low & ~1) >>> 0 : low
  }

  /** Not exact beyond 2^53. */
  size(index: number): number {
    const at = index * this.#stride
    if (!this.#is64) return this.#view.getUint32(at + 8, this.#little)
    return this.#half(at + 16, true) * 2 ** 32 + this.#half(at + 16, false)
  }

  #half(at: number, upper: boolean): number {
    return this.#view.getUint32(upper === this.#little ? at + 4 : at, this.#little)
  }
}
