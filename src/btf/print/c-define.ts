// Definitions of single types in C: structs and unions with their members, enums with their values. assembly/c-define.ts writes the same
// into headers.

import { printable } from '../../core/printable.ts'
import { infoFlag, infoVlen, KIND_STRUCT } from '../format.ts'
import { enumeratorValue, enumeratorWords } from '../kinds.ts'
import { pointerSize, type Sizes, sizeOf, sizesOf } from '../read/sizes.ts'
import type { TypeSet } from '../read/type-set.ts'
import { padding } from './c-padding.ts'

/** What definitions need of who declares their members. */
export interface Declaring {
  readonly set: TypeSet
  /** With the name at an offset of the strings. */
  declare(id: number, name: number, level: number): string
  /** Is told of text before there is much of it. @throws LimitError beyond all proportion */
  spend(length: number): void
}

const TABS = Array.from({ length: 14 }, (_, i) => `\n${'\t'.repeat(i)}`)
/** A new line with its indentation; libbpf stops at thirteen tabs. */
const tabs = (level: number): string => TABS[Math.min(level, 13)]!

/** `struct name`, `union name`, `enum name`, or the keyword alone. */
export function tagged(keyword: string, set: TypeSet, id: number): string {
  const name = printable(set.nameOf(id))
  return name === '' ? keyword : `${keyword} ${name}`
}

/** `struct name` or `union name`. */
export function structTag(set: TypeSet, id: number): string {
  return tagged(set.kindNumberOf(id) === KIND_STRUCT ? 'struct' : 'union', set, id)
}

/** A struct or union with its members, bitfields and the padding that C would not put there by itself. */
export function structText(by: Declaring, id: number, level: number): string {
  const set = by.set.owner(id)!
  const { words } = set
  const sizes = sizesOf(set)
  const at = set.position(id)
  const info = words[at + 1]!
  const size = words[at + 2]!
  const hasBits = infoFlag(info)
  const vlen = infoVlen(info)
  const isStruct = set.kindNumberOf(id) === KIND_STRUCT
  const packed = isStruct && isPacked(set, sizes, at)
  const indent = tabs(level + 1)
  const longBits = pointerSize(set) * 8
  const pad = (from: number, to: number, align: number, inBitfield: boolean) =>
    padding(from, to, align, inBitfield, indent, longBits, (length) => by.spend(length))
  let text = `${structTag(set, id)} {`
  let end = 0
  let afterBitfield = false
  for (let member = at + 3; member < at + 3 + 3 * vlen; member += 3) {
    const type = words[member + 1]!
    const offset = hasBits ? words[member + 2]! & 0xffffff : words[member + 2]!
    const bits = hasBits ? words[member + 2]! >>> 24 : 0
    if (end < offset) {
      const align = packed ? 1 : Math.max(1, sizes.align(type, 0))
      text += pad(end, offset, align, afterBitfield && bits !== 0)
    }
    text += indent + by.declare(type, words[member]!, level + 1)
    if (bits !== 0) text += `: ${bits}`
    text += ';'
    end = offset + (bits === 0 ? (sizeOf(set, type) ?? 0) * 8 : bits)
    afterBitfield = bits !== 0
  }
  if (isStruct) text += pad(end, size * 8, Math.max(1, sizes.align(id, 0)), false)
  if (vlen > 0 || size > 0) text += tabs(level)
  text += packed ? '} __attribute__((packed))' : '}'
  by.spend(text.length)
  return text
}

/** Whether a struct's layout is one that C gives only to packed structs. */
function isPacked({ words }: TypeSet, sizes: Sizes, at: number): boolean {
  const info = words[at + 1]!
  const hasBits = infoFlag(info)
  let most = 1
  for (let member = at + 3; member < at + 3 + 3 * infoVlen(info); member += 3) {
    const align = sizes.align(words[member + 1]!, 0)
    const offset = words[member + 2]!
    const isBitfield = hasBits && offset >>> 24 !== 0
    if (align > 0 && !isBitfield && offset % (8 * align) !== 0) return true
    if (align > most) most = align
  }
  return words[at + 2]! % most !== 0
}

/** An enum with its enumerators; without any, the forward declaration of one. */
export function enumText(by: Declaring, id: number, level: number): string {
  const set = by.set.owner(id)!
  const { words } = set
  const at = set.position(id)
  const info = words[at + 1]!
  const size = words[at + 2]!
  const signed = infoFlag(info)
  const vlen = infoVlen(info)
  let text = tagged('enum', set, id)
  if (vlen === 0) return text
  const step = enumeratorWords(set.kindNumberOf(id))
  const suffix = step === 2 ? '' : signed ? 'LL' : 'ULL'
  const indent = tabs(level + 1)
  let anyHigh = false
  text += ' {'
  for (let i = at + 3; i < at + 3 + step * vlen; i += step) {
    if (step > 2 && words[i + 2] !== 0) anyHigh = true
    const name = printable(set.nameAt(words[i]!))
    by.spend(indent.length + name.length)
    text += `${indent}${name} = ${enumeratorValue(words, i, step, signed)}${suffix},`
  }
  text += `${tabs(level)}}`
  // Sizes that no list of values has by itself in C.
  if (size === 1) return `${text} __attribute__((mode(byte)))`
  return size === 8 && pointerSize(set) === 8 && !anyHigh ? `${text} __attribute__((mode(word)))` : text
}
