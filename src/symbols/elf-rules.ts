// Which entries of an ELF symbol section are symbols of a table, and as what: the rules, and what each exception is called.

import { type ElfFile, type ElfSection, ET_REL, SHF_ALLOC, SHF_EXECINSTR, SHF_WRITE, SHT_NOBITS } from '../core/elf.ts'
import {
  ABSOLUTE,
  SHN_UNDEF,
  STT_COMMON,
  STT_FILE,
  STT_FUNC,
  STT_GNU_IFUNC,
  STT_NOTYPE,
  STT_OBJECT,
  STT_SECTION,
  STT_TLS,
  type SymbolEntries,
} from './elf-entries.ts'
import { LABEL, TYPE_CODE } from './kinds.ts'
import { isLabel } from './names.ts'

const STB_LOCAL = 0
const STB_GLOBAL = 1
const STB_WEAK = 2
const STB_GNU_UNIQUE = 10

/** Why an entry is no symbol of the table although nothing is wrong with it. */
export type LeftOutReason =
  /** Another file defines it, or the linker has yet to find it a place (COMMON). */
  | 'undefined'
  /** It stands for a section or a source file, or its type is of no common kind. */
  | 'section'
  | 'file'
  | 'other type'
  /** It has no name. */
  | 'unnamed'
  /** Its value is an offset in each thread's own storage, no address. */
  | 'thread-local'
  /** Its section takes no memory (no SHF_ALLOC), so that its value is no address. */
  | 'not loaded'
  /** `.dynsym` repeats an entry of `.symtab`: same name, address, size and binding. */
  | 'duplicate'

/** What is wrong with an entry: its name's place or length, its section's number, its value, or its size. */
export type DamageReason = 'name' | 'section' | 'value' | 'size'

/** Symbols that other files can see come first, then weak, then local ones: so the first of a name is who is meant. */
export const RANKS = 3

/** Whether an entry of that binding comes first, second or last. */
export function rankOf(binding: number): number {
  return binding === STB_WEAK ? 1 : binding === STB_GLOBAL || binding === STB_GNU_UNIQUE ? 0 : 2
}

/** Why an entry is none of the table's symbols, if nothing is wrong with it. */
export function whyLeftOut(file: ElfFile, entries: SymbolEntries, index: number): LeftOutReason | undefined {
  switch (entries.type(index)) {
    case STT_SECTION:
      return 'section'
    case STT_FILE:
      return 'file'
    case STT_TLS:
      return 'thread-local'
    case STT_NOTYPE:
    case STT_OBJECT:
    case STT_COMMON:
    case STT_FUNC:
    case STT_GNU_IFUNC:
      break
    default:
      return 'other type'
  }
  const section = entries.section(index)
  if (section === SHN_UNDEF) return 'undefined'
  if (entries.names[entries.name(index)] === 0) return 'unnamed'
  const flags = file.sections[section]?.flags
  return flags !== undefined && (flags & SHF_ALLOC) === 0n ? 'not loaded' : undefined
}

/** Why an entry that is not left out is no symbol. */
export function whatIsDamaged(file: ElfFile, entries: SymbolEntries, index: number): DamageReason | undefined {
  const section = entries.section(index)
  if (section !== ABSOLUTE && file.sections[section] === undefined) return 'section'
  if (!entries.measure(index)) return 'name'
  const offsetOnly = file.type === ET_REL && section !== ABSOLUTE
  if (offsetOnly && entries.valueHigh(index) !== 0) return 'value'
  const size = entries.size(index)
  if (size > Number.MAX_SAFE_INTEGER) return 'size'
  const high = entries.valueHigh(index)
  const room = file.is64 && !offsetOnly ? 2 ** 32 - high : 1
  // The end relative to the upper half's own 4 GiB: exact, as both are far below 2^53.
  const carried = Math.floor(size / 2 ** 32)
  const low = entries.valueLow(index) + (size % 2 ** 32)
  const over = carried + Math.floor(low / 2 ** 32)
  return over > room || (over === room && low % 2 ** 32 > 0) ? 'size' : undefined
}

/** The type as nm(1) prints it, and whether the symbol never answers an address. */
export function kindOf(file: ElfFile, entries: SymbolEntries, index: number): number {
  const type = entries.type(index)
  const section = entries.section(index)
  const code = TYPE_CODE[typeCharacter(type, entries.binding(index), file.sections[section]).charCodeAt(0)]!
  if (entries.size(index) > 0) return code
  // Fixed values may be constants; mapping symbols and local labels mark places inside of other symbols.
  const label = section === ABSOLUTE || (type === STT_NOTYPE && isLabel(entries.names, entries.name(index)))
  return label ? code | LABEL : code
}

/** `section` is undefined where the value is fixed. */
function typeCharacter(type: number, binding: number, section: ElfSection | undefined): string {
  if (type === STT_GNU_IFUNC) return 'i'
  if (binding === STB_WEAK) return type === STT_OBJECT || type === STT_COMMON ? 'V' : 'W'
  if (binding === STB_GNU_UNIQUE) return 'u'
  if (binding !== STB_LOCAL && binding !== STB_GLOBAL) return '?'
  const place = section === undefined ? 'a' : placeCharacter(section)
  return binding === STB_GLOBAL ? place.toUpperCase() : place
}

/** Code, memory that the file does not fill, writable and constant data. */
function placeCharacter({ flags, type }: ElfSection): string {
  if ((flags & SHF_EXECINSTR) !== 0n) return 't'
  if (type === SHT_NOBITS) return 'b'
  return (flags & SHF_WRITE) !== 0n ? 'd' : 'r'
}
