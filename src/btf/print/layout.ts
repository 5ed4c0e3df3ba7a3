// A struct's layout as text: members with offsets and sizes, holes, cache lines, totals, in the manner of pahole.
import { printable } from '../../core/printable.ts'
import { CACHE_LINE, type LaidOutMember, type Layout, layoutOf } from '../ask/layout.ts'
import type { TypeSet } from '../read/type-set.ts'

/** Column in which the comments with offset and size begin where there is room, and how wide they are. */
const COMMENT_COLUMN = 48
const COMMENT_WIDTH = 18

/**
 * The layout of a struct or union, for so many columns: where they are few, an offset and a size that have no room beside a
 * declaration stand on a line of their own.
 * @throws UsageError if the type is something else.
 */
export function printLayout(set: TypeSet, id: number, columns: number = Number.POSITIVE_INFINITY): string {
  const layout = layoutOf(set, id)
  const printer = new Printer(columns)
  const name = layout.name === '' ? '' : ` ${printable(layout.name)}`
  printer.line(0, `${keyword(layout)}${name} {`)
  printer.members(layout, 1)
  printer.totals(layout)
  printer.line(0, '};')
  return printer.text
}

const keyword = (layout: Layout): string => (layout.kind === 'STRUCT' ? 'struct' : 'union')
const plural = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`

class Printer {
  text = ''
  #boundary = 1
  readonly #columns: number

  constructor(columns: number) {
    this.#columns = columns
  }

  line(level: number, text: string): void {
    this.text += `${'\t'.repeat(level)}${text}\n`
  }

  members(layout: Layout, level: number): void {
    if (layout.hole > 0) this.#remark(level, `XXX ${plural(layout.hole, 'byte')} hole, try to pack`)
    for (const member of layout.members) {
      this.#cacheLine(member.offset, level)
      if (member.nested) {
        this.line(level, `${keyword(member.nested)} {`)
        const boundary = this.#boundary
        this.members(member.nested, level + 1)
        // The members of a union lie side by side: what follows it starts counting where it did.
        if (member.nested.kind === 'UNION') this.#boundary = boundary
        this.#member(level, member.name === '' ? '};' : `} ${printable(member.name)};`, member)
      } else {
        const bits = member.bitfield ? `${member.name === '' ? ' ' : ''}:${member.bitfield.bits}` : ''
        this.#member(level, `${member.declaration}${bits};`, member)
      }
      if (member.bitHole > 0) this.#remark(level, `XXX ${plural(member.bitHole, 'bit')} hole, try to pack`)
      if (member.hole > 0) this.#remark(level, `XXX ${plural(member.hole, 'byte')} hole, try to pack`)
    }
  }

  totals(layout: Layout): void {
    this.text += '\n'
    const { size, cacheLines } = layout
    this.line(1, `/* size: ${size}, cachelines: ${cacheLines}, members: ${layout.members.length} */`)
    if (layout.holes > 0) {
      this.line(1, `/* sum members: ${layout.memberBytes}, holes: ${layout.holes}, sum holes: ${layout.holeBytes} */`)
    }
    if (layout.bitHoles > 0) {
      const holes = `bit holes: ${layout.bitHoles}, sum bit holes: ${layout.holeBits} bits`
      this.line(1, `/* sum bitfield members: ${layout.memberBits} bits, ${holes} */`)
    }
    if (layout.padding > 0) this.line(1, `/* padding: ${layout.padding} */`)
    if (layout.bitPadding > 0) this.line(1, `/* bit_padding: ${layout.bitPadding} bits */`)
    if (size % CACHE_LINE !== 0) this.line(1, `/* last cacheline: ${size % CACHE_LINE} bytes */`)
  }

  #member(level: number, text: string, member: LaidOutMember): void {
    const { bitfield } = member
    const offset = String(member.offset).padStart(5)
    const place = bitfield
      ? `${offset}:${String(bitfield.offset).padStart(2)} ${String(member.size).padStart(2)}`
      : `${offset} ${String(member.size).padStart(5)}`
    const width = Math.max(0, Math.min(COMMENT_COLUMN, this.#columns - COMMENT_WIDTH) - 8 * level)
    const isBeside = 8 * level + Math.max(text.length, width) + COMMENT_WIDTH <= this.#columns
    this.line(
      level,
      `${isBeside ? text.padEnd(width) : `${text}\n${'\t'.repeat(level)}${' '.repeat(width)}`} /* ${place} */`,
    )
  }

  #remark(level: number, text: string): void {
    this.text += '\n'
    this.line(level, `/* ${text} */`)
    this.text += '\n'
  }

  /** Says where cache lines begin, once each. */
  #cacheLine(offset: number, level: number): void {
    const line = Math.floor(offset / CACHE_LINE)
    if (line < this.#boundary) return
    this.#boundary = line + 1
    const past = offset % CACHE_LINE
    const ago = past === 0 ? '' : ` was ${plural(past, 'byte')} ago`
    this.line(level, `/* --- cacheline ${line} boundary (${line * CACHE_LINE} bytes)${ago} --- */`)
  }
}
