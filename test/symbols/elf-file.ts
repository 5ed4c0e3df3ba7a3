// ELF files made for tests: sections and symbols as literals, in either class and byte order.
import { type ElfSpec, writeElf } from '../core/elf-writer.ts'

export const WRITE = 1
export const ALLOC = 2
export const EXEC = 4
export const TLS = 0x400
export const ABS = 0xfff1
export const COMMON = 0xfff2
export const XINDEX = 0xffff
export const LOCAL = 0
export const GLOBAL = 1
export const WEAK = 2
export const NOTYPE = 0
export const OBJECT = 1
export const FUNC = 2

export interface Place {
  name: string
  flags?: number
  address?: bigint
  size: number
  /** 1 PROGBITS, 8 NOBITS. */
  type?: number
}

export interface Entry {
  name: string
  value: bigint
  size?: bigint
  binding?: number
  type?: number
  section?: number
  /** An offset in the string table instead of that of the name. */
  nameAt?: number
}

export interface FileSpec {
  is64?: boolean
  little?: boolean
  type?: number
  machine?: number
  places: readonly Place[]
  symtab?: readonly Entry[]
  dynsym?: readonly Entry[]
  /** Section numbers beyond 16 bits, by entry from the first real one on. */
  numbers?: readonly number[]
}

/** `.text` from 0x1000 and `.data` from 0x8000: enough for most. */
export const PLACES: readonly Place[] = [
  { name: '.text', flags: ALLOC | EXEC, address: 0x1000n, size: 0x1000 },
  { name: '.data', flags: ALLOC | WRITE, address: 0x8000n, size: 0x1000 },
]
export const TEXT = 1
export const DATA = 2

export function symbolFile(spec: FileSpec): Buffer {
  const { is64 = true, little = true, type = 2, machine = 62, places } = spec
  const sections: ElfSpec['sections'][number][] = places.map((place) => ({
    name: place.name,
    type: place.type ?? 8,
    flags: place.flags ?? ALLOC,
    address: place.address ?? 0n,
    size: place.size,
    data: Buffer.alloc(0),
  }))
  const entrySize = is64 ? 24 : 16
  for (const [name, kind, entries] of [
    ['.symtab', 2, spec.symtab],
    ['.dynsym', 11, spec.dynsym],
  ] as const) {
    if (entries === undefined) continue
    const strings = Buffer.from(`\0${entries.map((entry) => entry.name).join('\0')}\0`)
    let nameAt = 1
    const data = Buffer.concat([
      Buffer.alloc(entrySize),
      ...entries.map((entry) => {
        const bytes = entryBytes(entry, nameAt, is64, little)
        nameAt += Buffer.byteLength(entry.name) + 1
        return bytes
      }),
    ])
    sections.push({ name, type: kind, data, entrySize, link: sections.length + 2 })
    sections.push({ name: name === '.symtab' ? '.strtab' : '.dynstr', type: 3, data: strings })
    if (name === '.symtab' && spec.numbers !== undefined) {
      const numbers = Buffer.alloc(4 + 4 * spec.numbers.length)
      spec.numbers.forEach((number, i) => {
        little ? numbers.writeUInt32LE(number, 4 + 4 * i) : numbers.writeUInt32BE(number, 4 + 4 * i)
      })
      sections.push({ name: '.symtab_shndx', type: 18, data: numbers, entrySize: 4, link: sections.length - 1 })
    }
  }
  return writeElf({ is64, little, type, machine, sections })
}

function entryBytes(entry: Entry, nameAt: number, is64: boolean, little: boolean): Buffer {
  const bytes = Buffer.alloc(is64 ? 24 : 16)
  const u16 = (at: number, value: number) => (little ? bytes.writeUInt16LE(value, at) : bytes.writeUInt16BE(value, at))
  const u32 = (at: number, value: number) => (little ? bytes.writeUInt32LE(value, at) : bytes.writeUInt32BE(value, at))
  const u64 = (at: number, value: bigint) =>
    little ? bytes.writeBigUInt64LE(value, at) : bytes.writeBigUInt64BE(value, at)
  const info = ((entry.binding ?? GLOBAL) << 4) | (entry.type ?? FUNC)
  const section = entry.section ?? TEXT
  u32(0, entry.nameAt ?? (entry.name === '' ? 0 : nameAt))
  if (is64) {
    bytes[4] = info
    u16(6, section)
    u64(8, entry.value)
    u64(16, entry.size ?? 0n)
  } else {
    u32(4, Number(entry.value))
    u32(8, Number(entry.size ?? 0n))
    bytes[12] = info
    u16(14, section)
  }
  return bytes
}
