// A build's text symbols as an ELF file, with its build id: what debuggers, nm and addr2line read, and clients of debuginfod ask for. It has
// no code and no lines.

import { BadFormatError } from '../core/errors.ts'
import { BUILD_ID } from './json.ts'

/** The content of the file. */
export interface ElfContent {
  readonly buildId: string
  /** `e_machine` of elf.h; 0 where it is not known. */
  readonly machine: number
  /** ET_EXEC of a kernel, whose addresses are its own; ET_DYN of a module, which lies anywhere. */
  readonly type: number
  /** The address of the text, its length, and the symbols in it: bytes from its begin, ascending. */
  readonly address: bigint
  readonly bytes: bigint
  readonly symbols: readonly {
    readonly name: string
    readonly offset: bigint
    readonly size: number
    readonly global: boolean
  }[]
}

export const ET_EXEC = 2
export const ET_DYN = 3

const HEADER_BYTES = 64
const SEGMENT_BYTES = 56
const SECTION_BYTES = 64
const SYMBOL_BYTES = 24
const SECTION = { progbits: 1, symtab: 2, strtab: 3, note: 7, nobits: 8 } as const
const ALLOC = 2n
const EXEC = 4n
const NT_GNU_BUILD_ID = 3
/** Notes of 32-bit words: readers that align by the segment's own alignment take nothing else. */
const NOTE_ALIGN = 4n

interface Section {
  readonly name: string
  readonly type: number
  readonly flags?: bigint
  readonly address?: bigint
  readonly data?: Buffer
  readonly bytes?: bigint
  readonly link?: number
  readonly info?: number
  readonly align: bigint
  readonly entry?: number
}

/** Writes the file: 64 bits, little endian. @throws BadFormatError if the build id is none */
export function elfOf({ buildId, machine, type, address, bytes, symbols }: ElfContent): Buffer {
  if (!BUILD_ID.test(buildId)) throw new BadFormatError(`${buildId} is no build id`)
  const names = new Map<string, number>()
  const strings: string[] = ['\0']
  let stringBytes = 1
  const table = Buffer.alloc(SYMBOL_BYTES * (symbols.length + 1))
  // Local symbols come first, as the format wants.
  const ordered = [...symbols.filter(({ global }) => !global), ...symbols.filter(({ global }) => global)]
  ordered.forEach(({ name, offset, size, global }, i) => {
    let at = names.get(name)
    if (at === undefined) {
      at = stringBytes
      names.set(name, at)
      strings.push(`${name}\0`)
      stringBytes += Buffer.byteLength(name, 'utf8') + 1
    }
    const row = SYMBOL_BYTES * (i + 1)
    table.writeUInt32LE(at, row)
    // A function, in section 2.
    table.writeUInt8(global ? 0x12 : 0x02, row + 4)
    table.writeUInt16LE(2, row + 6)
    table.writeBigUInt64LE(BigInt.asUintN(64, address + offset), row + 8)
    table.writeBigUInt64LE(BigInt(size), row + 16)
  })
  const locals = symbols.filter(({ global }) => !global).length
  const sections: Section[] = [
    { name: '.note.gnu.build-id', type: SECTION.note, flags: ALLOC, data: noteOf(buildId), align: NOTE_ALIGN },
    { name: '.text', type: SECTION.nobits, flags: ALLOC | EXEC, address, bytes, align: 16n },
    { name: '.symtab', type: SECTION.symtab, data: table, link: 4, info: locals + 1, align: 8n, entry: SYMBOL_BYTES },
    { name: '.strtab', type: SECTION.strtab, data: Buffer.from(strings.join(''), 'utf8'), align: 1n },
  ]
  const sectionNames = Buffer.from(`\0${[...sections.map(({ name }) => name), '.shstrtab'].join('\0')}\0`, 'latin1')
  sections.push({ name: '.shstrtab', type: SECTION.strtab, data: sectionNames, align: 1n })
  return put(sections, sectionNames, { machine, type })
}

function noteOf(buildId: string): Buffer {
  const id = Buffer.from(buildId, 'hex')
  const note = Buffer.alloc(16 + Math.ceil(id.length / 4) * 4)
  note.writeUInt32LE(4, 0)
  note.writeUInt32LE(id.length, 4)
  note.writeUInt32LE(NT_GNU_BUILD_ID, 8)
  note.write('GNU\0', 12, 'latin1')
  id.copy(note, 16)
  return note
}

/** The header, one segment for the note and one for the text, the sections' contents, and their table. */
function put(
  sections: readonly Section[],
  names: Buffer,
  { machine, type }: { machine: number; type: number },
): Buffer {
  const segments = 2
  const pieces: Buffer[] = []
  const offsets: number[] = []
  let end = HEADER_BYTES + segments * SEGMENT_BYTES
  const fill = (to: number) => {
    pieces.push(Buffer.alloc(to - end))
    end = to
  }
  for (const { data, align } of sections) {
    fill(Math.ceil(end / Number(align)) * Number(align))
    offsets.push(end)
    if (data === undefined) continue
    pieces.push(data)
    end += data.length
  }
  fill(Math.ceil(end / 8) * 8)
  const head = Buffer.alloc(HEADER_BYTES + segments * SEGMENT_BYTES)
  head.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1])
  head.writeUInt16LE(type, 16)
  head.writeUInt16LE(machine, 18)
  head.writeUInt32LE(1, 20)
  head.writeBigUInt64LE(BigInt(HEADER_BYTES), 32)
  head.writeBigUInt64LE(BigInt(end), 40)
  for (const [at, value] of [
    [52, HEADER_BYTES],
    [54, SEGMENT_BYTES],
    [56, segments],
    [58, SECTION_BYTES],
    [60, sections.length + 1],
    [62, sections.length],
  ] as const) {
    head.writeUInt16LE(value, at)
  }
  const [note, text] = sections as [Section, Section] // The first two are those.
  const noteBytes = BigInt(note.data?.length ?? 0)
  // PT_NOTE, PT_LOAD of nothing: where the text lies, though none is here.
  writeSegment(head, HEADER_BYTES, 4, 4, offsets[0]!, 0n, noteBytes, noteBytes, note.align)
  writeSegment(head, HEADER_BYTES + SEGMENT_BYTES, 1, 5, offsets[1]!, text.address ?? 0n, 0n, text.bytes ?? 0n, 1n)
  const table = Buffer.alloc(SECTION_BYTES * (sections.length + 1))
  sections.forEach((section, i) => {
    const at = SECTION_BYTES * (i + 1)
    table.writeUInt32LE(names.indexOf(`\0${section.name}\0`) + 1, at)
    table.writeUInt32LE(section.type, at + 4)
    table.writeBigUInt64LE(section.flags ?? 0n, at + 8)
    table.writeBigUInt64LE(section.address ?? 0n, at + 16)
    table.writeBigUInt64LE(BigInt(offsets[i]!), at + 24)
    table.writeBigUInt64LE(section.bytes ?? BigInt(section.data?.length ?? 0), at + 32)
    table.writeUInt32LE(section.link ?? 0, at + 40)
    table.writeUInt32LE(section.info ?? 0, at + 44)
    table.writeBigUInt64LE(section.align, at + 48)
    table.writeBigUInt64LE(BigInt(section.entry ?? 0), at + 56)
  })
  return Buffer.concat([head, ...pieces, table])
}

function writeSegment(
  into: Buffer,
  at: number,
  type: number,
  flags: number,
  offset: number,
  address: bigint,
  fileBytes: bigint,
  bytes: bigint,
  align: bigint,
): void {
  into.writeUInt32LE(type, at)
  into.writeUInt32LE(flags, at + 4)
  into.writeBigUInt64LE(BigInt(offset), at + 8)
  into.writeBigUInt64LE(address, at + 16)
  into.writeBigUInt64LE(address, at + 24)
  into.writeBigUInt64LE(fileBytes, at + 32)
  into.writeBigUInt64LE(bytes, at + 40)
  into.writeBigUInt64LE(align, at + 48)
}
