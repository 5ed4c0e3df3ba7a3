// C declarations: a type around a name (`int (*name)(void)`), with anonymous structs and enums written out in place.
// The syntax of every detail is that of libbpf's btf_dump, so that headers agree byte for byte.
import { BadFormatError, LimitError } from '../../core/errors.ts'
import { printable } from '../../core/printable.ts'
import {
  infoFlag,
  infoVlen,
  KIND_ARRAY,
  KIND_ENUM,
  KIND_FUNC_PROTO,
  KIND_FWD,
  KIND_PTR,
  KIND_STRUCT,
  KIND_TYPE_TAG,
  KIND_TYPEDEF,
  KIND_UNION,
  KIND_VOID,
} from '../format.ts'
import { enumeratorValue, enumeratorWords, isQualifier, isScalar, KINDS, kindName, plainKind } from '../kinds.ts'
import { pointerSize, type Sizes, sizeOf, sizesOf } from '../read/sizes.ts'
import type { TypeSet } from '../read/type-set.ts'
import { type CNames, plainNames } from './c-names.ts'
import { padding } from './c-padding.ts'
import { CText, KeptTexts } from './c-text.ts'
import { mostText } from './raw.ts'

/** Longest chain of pointers, arrays and qualifiers in one declaration. */
const MAX_CHAIN = 256
/** Deepest nesting of structs and parameter lists written in place. */
const MAX_NESTING = 128
/** A name that many types can share, and make more text of than the budget of what is kept expects. */
const LONG_NAME = 4096

/** A name: as text, or where it is in the strings of the set that says it. */
export type CName = string | number

/** Writes declarations over one set, with one naming. */
export class Declarations {
  readonly #set: TypeSet
  readonly #names: CNames
  readonly #base: Declarations | undefined
  readonly #sizes: Sizes
  #named: KeptTexts | undefined
  #unnamed: KeptTexts | undefined
  readonly #longBits: number
  readonly #scratch = new CText()
  #depth = 0
  /** Set while a definition is written in place: its indentation, and its numbered enumerators, forbid to keep it. */
  #inPlace = false
  /** Where the declared name went in the text that is being written. */
  #nameFrom = 0
  #nameTo = 0
  /** Characters that definitions in place may still take: hostile nesting doubles them with every level. */
  #budget: number

  /** With `base`, declarations of types below the set's own are taken from there. */
  constructor(set: TypeSet, names: CNames, base?: Declarations) {
    this.#set = set
    this.#names = names
    this.#base = base
    this.#sizes = sizesOf(set)
    this.#longBits = pointerSize(set) * 8
    this.#budget = mostText(set)
  }

  /** The declaration of `name` with a type; without a name, the type alone. */
  declare(id: number, name: string, level = 0): string {
    const set = this.#set
    if (id < set.firstId && this.#base) return this.#base.declare(id, name, level)
    // Strings are put together sooner than they are made of bytes.
    const kept = name === '' ? this.#unnamed : this.#named
    if (kept?.has(id)) {
      const named = printable(name)
      if (named.length > LONG_NAME) this.#spend(named.length)
      return kept.around(id, named)
    }
    return this.#text((out) => this.writeDeclaration(out, id, name, level))
  }

  /** A struct or union with its members, bitfields and the padding that C would not put there by itself. */
  structDefinition(id: number, level: number): string {
    return this.#text((out) => this.writeStruct(out, id, level))
  }

  /** An enum with its enumerators; without any, the forward declaration of one. */
  enumDefinition(id: number, level: number): string {
    return this.#text((out) => this.writeEnum(out, id, level))
  }

  /** The forward declaration a FWD stands for. */
  forward(id: number): string {
    return this.#text((out) => this.writeForward(out, id))
  }

  /** `typedef … name`. */
  typedef(id: number): string {
    return this.#text((out) => this.writeTypedef(out, id))
  }

  #text(write: (out: CText) => void): string {
    const out = this.#scratch
    out.length = 0
    this.#depth = 0
    this.#inPlace = false
    write(out)
    return out.text()
  }

  /** The same into a text. A name that is a number stands in the strings of `within`. */
  writeDeclaration(out: CText, id: number, name: CName, level = 0, within = this.#set): void {
    const set = this.#set
    if (id < set.firstId && this.#base) {
      this.#base.writeDeclaration(out, id, name, level, within)
      return
    }
    const first = this.#base ? set.firstId : 0
    if (typeof name === 'number' ? isNoName(within, name) : name === '') {
      this.#unnamed ??= new KeptTexts(first, set.endId)
      this.#writeKept(this.#unnamed, out, id, '', level, within)
    } else {
      this.#named ??= new KeptTexts(first, set.endId)
      this.#writeKept(this.#named, out, id, name, level, within)
    }
  }

  #writeKept(kept: KeptTexts, out: CText, id: number, name: CName, level: number, within: TypeSet): void {
    if (kept.has(id)) {
      kept.putBefore(id, out)
      this.#writeName(out, name, within)
      kept.putBehind(id, out)
      return
    }
    const [outer, nameFrom, nameTo] = [this.#inPlace, this.#nameFrom, this.#nameTo]
    const from = out.length
    this.#inPlace = false
    this.#around(out, id, name, level, within)
    // Types past the end are void, and are not kept.
    if (!this.#inPlace && id < this.#set.endId) kept.keep(id, out, from, this.#nameFrom, this.#nameTo)
    this.#inPlace ||= outer
    this.#nameFrom = nameFrom
    this.#nameTo = nameTo
  }

  #writeName(out: CText, name: CName, within: TypeSet): void {
    const from = out.length
    if (typeof name === 'number') out.name(within, name)
    else out.put(printable(name))
    if (out.length - from > LONG_NAME) this.#spend(out.length - from)
  }

  /** `struct name` or `union name`. */
  writeTag(out: CText, id: number): void {
    const name = this.#names.tag(id)
    out.put(this.#set.kindNumberOf(id) === KIND_STRUCT ? 'struct' : 'union')
    if (name === '') return
    out.put(' ')
    out.put(name)
  }

  writeForward(out: CText, id: number): void {
    out.put(this.#set.flagOf(id) ? 'union ' : 'struct ')
    out.put(this.#names.tag(id))
  }

  writeTypedef(out: CText, id: number): void {
    const name = this.#names.typedef(id)
    const target = this.#set.refOf(id)
    // Old GCC describes this one as a typedef of void, which would not compile.
    if (target === 0 && name === '__gnuc_va_list') out.put('typedef __builtin_va_list __gnuc_va_list')
    else {
      out.put('typedef ')
      this.writeDeclaration(out, target, name)
    }
  }

  writeStruct(out: CText, id: number, level: number): void {
    this.#enter(id)
    const set = this.#set
    const own = set.owner(id)!
    const { words } = own
    const at = own.position(id)
    const info = words[at + 1]!
    const size = words[at + 2]!
    const flag = infoFlag(info)
    const vlen = infoVlen(info)
    const isStruct = set.kindNumberOf(id) === KIND_STRUCT
    const packed = isStruct && this.#isPacked(own, at)
    const indent = tabs(level + 1)
    const from = out.length
    this.writeTag(out, id)
    out.put(' {')
    let end = 0
    let afterBitfield = false
    for (let member = at + 3; member < at + 3 + 3 * vlen; member += 3) {
      const type = words[member + 1]!
      const offset = flag ? words[member + 2]! & 0xffffff : words[member + 2]!
      const bits = flag ? words[member + 2]! >>> 24 : 0
      if (end < offset) {
        const align = packed ? 1 : this.#align(type)
        this.#padding(out, end, offset, align, afterBitfield && bits !== 0, indent)
      }
      out.put(indent)
      this.writeDeclaration(out, type, words[member]!, level + 1)
      if (bits !== 0) {
        out.put(': ')
        out.number(bits)
        end = offset + bits
      } else {
        end = offset + (sizeOf(set, type) ?? 0) * 8
      }
      afterBitfield = bits !== 0
      out.put(';')
    }
    if (isStruct) this.#padding(out, end, size * 8, this.#align(id), false, indent)
    if (vlen > 0 || size > 0) out.put(tabs(level))
    out.put('}')
    if (packed) out.put(' __attribute__((packed))')
    this.#leave(out.length - from)
  }

  writeEnum(out: CText, id: number, level: number): void {
    this.#inPlace = true
    const own = this.#set.owner(id)!
    const { words } = own
    const at = own.position(id)
    const info = words[at + 1]!
    const size = words[at + 2]!
    const signed = infoFlag(info)
    const vlen = infoVlen(info)
    const name = this.#names.tag(id)
    const from = out.length
    out.put(name === '' ? 'enum' : `enum ${name}`)
    if (vlen === 0) return
    const step = enumeratorWords(this.#set.kindNumberOf(id))
    const suffix = step === 2 ? '' : signed ? 'LL' : 'ULL'
    const indent = tabs(level + 1)
    let anyHigh = false
    out.put(' {')
    for (let i = at + 3; i < at + 3 + step * vlen; i += step) {
      if (step > 2 && words[i + 2] !== 0) anyHigh = true
      out.put(indent)
      const named = this.#names.enumerator(own.nameAt(words[i]!))
      if (named.length > LONG_NAME) this.#spend(named.length)
      out.put(named)
      out.put(' = ')
      // Most values are small: a bigint for each is memory to collect.
      if (step === 2) out.number(signed ? words[i + 1]! | 0 : words[i + 1]!)
      else if (words[i + 2] === 0) out.number(words[i + 1]!)
      else out.put(String(enumeratorValue(words, i, step, signed)))
      out.put(suffix)
      out.put(',')
    }
    out.put(tabs(level))
    out.put('}')
    // Sizes that no list of values has by itself in C.
    if (size === 1) out.put(' __attribute__((mode(byte)))')
    else if (size === 8 && this.#longBits === 64 && !anyHigh) out.put(' __attribute__((mode(word)))')
    this.#spend(out.length - from)
  }

  #align(id: number): number {
    const align = this.#sizes.align(id, 0)
    return align > 0 ? align : 1
  }

  #enter(id: number): void {
    this.#inPlace = true
    if (++this.#depth > MAX_NESTING) {
      this.#depth = 0
      throw new LimitError(`[${id}] nested more than ${MAX_NESTING} levels deep: not printable as C`, { typeId: id })
    }
  }

  #leave(length: number): void {
    this.#depth--
    this.#spend(length)
  }

  #spend(length: number): void {
    this.#budget -= length
    if (this.#budget < 0) throw new LimitError('the C text grows out of all proportion to the types')
  }

  #around(out: CText, id: number, name: CName, level: number, within: TypeSet): void {
    const set = this.#set
    const chain: number[] = []
    for (let at = id; ; ) {
      chain.push(at)
      if (chain.length > MAX_CHAIN) {
        throw new LimitError(`[${id}] a chain of more than ${MAX_CHAIN} types: not printable as C`, { typeId: id })
      }
      if (at === 0) break
      const kind = set.kindNumberOf(at)
      if (kind === KIND_ARRAY) at = set.word(at, 3)
      else if (kind === KIND_PTR || kind === KIND_FUNC_PROTO || isCarried(kind)) at = set.refOf(at)
      else break
    }
    this.#unwind(out, chain, name, level, within)
  }

  /** Writes the types of a chain from its end, which is what C puts first. */
  #unwind(out: CText, chain: number[], name: CName, level: number, within: TypeSet): void {
    const set = this.#set
    let afterPointer = true
    for (let id = chain.pop(); id !== undefined; id = chain.pop()) {
      const kind = set.kindNumberOf(id)
      switch (plainKind(kind)) {
        case KIND_VOID:
          this.#takeQualifiers(out, chain)
          out.put('void')
          break
        case KIND_STRUCT:
        case KIND_UNION:
          this.#takeQualifiers(out, chain)
          if (set.word(id, 0) === 0) this.writeStruct(out, id, level)
          else this.writeTag(out, id)
          break
        case KIND_ENUM:
          this.#takeQualifiers(out, chain)
          if (set.word(id, 0) === 0) this.writeEnum(out, id, level)
          else out.put(`enum ${this.#names.tag(id)}`)
          break
        case KIND_FWD:
          this.#takeQualifiers(out, chain)
          this.writeForward(out, id)
          break
        case KIND_TYPEDEF:
          this.#takeQualifiers(out, chain)
          out.put(this.#names.typedef(id))
          break
        case KIND_PTR:
          out.put(afterPointer ? '*' : ' *')
          break
        case KIND_TYPE_TAG: {
          this.#takeQualifiers(out, chain)
          const tag = printable(set.nameOf(id))
          out.put(set.flagOf(id) ? ` __attribute__((${tag}))` : ` __attribute__((btf_type_tag("${tag}")))`)
          break
        }
        case KIND_ARRAY:
          this.#array(out, id, chain, name, level, afterPointer, within)
          return
        case KIND_FUNC_PROTO:
          this.#function(out, id, chain, name, level, afterPointer, within)
          return
        default:
          if (isScalar(kind)) {
            this.#takeQualifiers(out, chain)
            out.name(set, set.word(id, 0))
          } else if (isQualifier(kind)) out.put(` ${qualifier(kind)}`)
          else throw new BadFormatError(`[${id}] ${kindName(kind)} cannot be part of a declaration`, { typeId: id })
      }
      afterPointer = kind === KIND_PTR
    }
    this.#spaced(out, name, afterPointer, within)
  }

  #spaced(out: CText, name: CName, afterPointer: boolean, within: TypeSet): void {
    if (name !== '' && !afterPointer) out.put(' ')
    this.#nameFrom = out.length
    this.#writeName(out, name, within)
    this.#nameTo = out.length
  }

  #array(
    out: CText,
    id: number,
    chain: number[],
    name: CName,
    level: number,
    afterPointer: boolean,
    within: TypeSet,
  ): void {
    // GCC repeats the element's qualifiers on the array; C has no place for them there.
    this.#dropQualifiers(chain)
    const next = chain.at(-1)
    if (next === undefined) this.#spaced(out, name, afterPointer, within)
    else {
      if (name !== '' && !afterPointer) out.put(' ')
      const isArray = this.#set.kindNumberOf(next) === KIND_ARRAY
      if (!isArray) out.put('(')
      this.#unwind(out, chain, name, level, within)
      if (!isArray) out.put(')')
    }
    out.put('[')
    out.number(this.#set.word(id, 5))
    out.put(']')
  }

  #function(
    out: CText,
    id: number,
    chain: number[],
    name: CName,
    level: number,
    afterPointer: boolean,
    within: TypeSet,
  ): void {
    // GCC marks functions that do not return as volatile.
    this.#dropQualifiers(chain)
    if (chain.length > 0) {
      out.put(' (')
      this.#unwind(out, chain, name, level, within)
      out.put(')')
    } else this.#spaced(out, name, afterPointer, within)
    out.put('(')
    this.#params(out, id, level)
    out.put(')')
  }

  #params(out: CText, id: number, level: number): void {
    const own = this.#set.owner(id)!
    const { words } = own
    const start = own.position(id) + 3
    const vlen = own.vlenOf(id)
    if (vlen === 0 || (vlen === 1 && words[start + 1] === 0)) {
      out.put('void')
      return
    }
    if (++this.#depth > MAX_NESTING) {
      this.#depth = 0
      throw new LimitError(`[${id}] parameters nested more than ${MAX_NESTING} levels deep`, { typeId: id })
    }
    const from = out.length
    for (let i = 0; i < vlen; i++) {
      const type = words[start + 2 * i + 1]!
      if (i > 0) out.put(', ')
      if (type === 0 && i === vlen - 1) out.put('...')
      else this.writeDeclaration(out, type, words[start + 2 * i]!, level)
    }
    this.#leave(out.length - from)
  }

  #takeQualifiers(out: CText, chain: number[]): void {
    for (let next = chain.at(-1); next !== undefined; next = chain.at(-1)) {
      const kind = this.#set.kindNumberOf(next)
      if (!isQualifier(kind)) break
      out.put(`${qualifier(kind)} `)
      chain.pop()
    }
  }

  #dropQualifiers(chain: number[]): void {
    while (chain.length > 0 && isCarried(this.#set.kindNumberOf(chain.at(-1)!))) chain.pop()
  }

  #padding(out: CText, from: number, to: number, align: number, inBitfield: boolean, indent: string): void {
    if (from >= to) return
    out.put(padding(from, to, align, inBitfield, indent, this.#longBits, (length) => this.#spend(length)))
  }

  /** Whether a struct's layout is one that C gives only to packed structs. */
  #isPacked(own: TypeSet, at: number): boolean {
    const { words } = own
    const info = words[at + 1]!
    const flag = infoFlag(info)
    let most = 1
    for (let member = at + 3; member < at + 3 + 3 * infoVlen(info); member += 3) {
      const align = this.#sizes.align(words[member + 1]!, 0)
      const offset = words[member + 2]!
      const bitfield = flag && offset >>> 24 !== 0
      if (align > 0 && !bitfield && offset % (8 * align) !== 0) return true
      if (align > most) most = align
    }
    return words[at + 2]! % most !== 0
  }
}

/** Whether there is no name at an offset of a set's strings. */
function isNoName(set: TypeSet, offset: number): boolean {
  if (offset === 0) return true
  let own = set
  while (offset < own.stringBase && own.base) own = own.base
  return offset >= own.stringEnd || own.bytes[own.strings + offset] === 0
}

/** Whether a declaration carries such a type along with the one behind it: a qualifier or a tag. */
const isCarried = (kind: number): boolean => isQualifier(kind) || kind === KIND_TYPE_TAG

/** A qualifier as C writes it: its kind's name in lower case. */
const qualifier = (kind: number): string => QUALIFIERS[kind]!
const QUALIFIERS = KINDS.map(({ name }) => name.toLowerCase())

const TABS = Array.from({ length: 14 }, (_, i) => `\n${'\t'.repeat(i)}`)
/** A new line with its indentation; libbpf stops at thirteen tabs. */
const tabs = (level: number): string => TABS[Math.min(level, 13)]!

const plain = new WeakMap<TypeSet, Declarations>()

/** Declarations with plain names, kept per set; those of base types are shared by all sets split on it. */
export function plainDeclarations(set: TypeSet): Declarations {
  let declarations = plain.get(set)
  if (!declarations) {
    declarations = new Declarations(set, plainNames(set), set.base && plainDeclarations(set.base))
    plain.set(set, declarations)
  }
  return declarations
}
