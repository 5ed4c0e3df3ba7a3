// Writes small ELF files for tests: relocatable ones unless another type is given.
export interface ElfSpec {
  is64: boolean
  little: boolean
  /** e_type and e_machine. */
  type?: number
  machine?: number
  sections: readonly {
    name: string
    type: number
    data: Buffer
    flags?: number
    address?: bigint
    link?: number
    entrySize?: number
    /** A size other than that of the data. */
    size?: number
  }[]
}

/** A file of the given sections with their names in a last section `.shstrtab`. */
export function writeElf({ is64, little, sections, type = 1, machine = 247 }: ElfSpec): Buffer {
  const names = Buffer.from(`\0${[...sections.map((each) => each.name), '.shstrtab'].join('\0')}\0`)
  const all = [...sections, { name: '.shstrtab', type: 3, data: names }]
  const headerBytes = is64 ? 64 : 52
  const entryBytes = is64 ? 64 : 40
  const aligned = all.map((each) => Buffer.concat([each.data, Buffer.alloc((8 - (each.data.length % 8)) % 8)]))
  const body = Buffer.concat(aligned)
  const out = Buffer.alloc(headerBytes + body.length + (all.length + 1) * entryBytes)
  const u16 = (at: number, value: number) => (little ? out.writeUInt16LE(value, at) : out.writeUInt16BE(value, at))
  const u32 = (at: number, value: number) => (little ? out.writeUInt32LE(value, at) : out.writeUInt32BE(value, at))
  const word = (at: number, value: number | bigint) => {
    if (!is64) return u32(at, Number(value))
    return little ? out.writeBigUInt64LE(BigInt(value), at) : out.writeBigUInt64BE(BigInt(value), at)
  }
  out.set([0x7f, 0x45, 0x4c, 0x46, is64 ? 2 : 1, little ? 1 : 2, 1])
  u16(16, type)
  u16(18, machine)
  body.copy(out, headerBytes)
  const table = headerBytes + body.length
  word(is64 ? 40 : 32, table)
  u16(is64 ? 58 : 46, entryBytes)
  u16(is64 ? 60 : 48, all.length + 1)
  u16(is64 ? 62 : 50, all.length)
  let offset = headerBytes
  all.forEach((each, i) => {
    const at = table + (i + 1) * entryBytes
    const size = 'size' in each && each.size !== undefined ? each.size : each.data.length
    u32(at, names.indexOf(`\0${each.name}\0`) + 1)
    u32(at + 4, each.type)
    word(at + 8, 'flags' in each ? (each.flags ?? 0) : 0)
    word(at + (is64 ? 16 : 12), 'address' in each ? (each.address ?? 0) : 0)
    word(at + (is64 ? 24 : 16), offset)
    word(at + (is64 ? 32 : 20), size)
    u32(at + (is64 ? 40 : 24), 'link' in each ? (each.link ?? 0) : 0)
    word(at + (is64 ? 56 : 36), 'entrySize' in each ? (each.entrySize ?? 0) : 0)
    offset += aligned[i]!.length
  })
  return out
}
