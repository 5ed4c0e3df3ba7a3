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
import { alignOf, pointerSize, sizeOf } from '../read/sizes.ts'
import type { TypeSet } from '../read/type-set.ts'
import { type CNames, plainNames } from './c-names.ts'
import { mostText } from './raw.ts'

/** Longest chain of pointers, arrays and qualifiers in one declaration. */
const MAX_CHAIN = 256
/** Deepest nesting of structs and parameter lists written in place. */
const MAX_NESTING = 128
/** A name that no BTF name can be: stands where the declared name goes. */
const MARK = '\0'
/** A name that many types can share, and make more text of than the budget of what is kept expects. */
const LONG_NAME = 4096

/** What stands before and after the declared name. */
interface Frame {
  readonly before: string
  readonly after: string
}

/** Writes declarations over one set, with one naming. */
export class Declarations {
  readonly #set: TypeSet
  readonly #names: CNames
  readonly #base: Declarations | undefined
  readonly #frames = new Map<number, Frame>()
  readonly #unnamed = new Map<number, string>()
  readonly #longBits: number
  #depth = 0
  /** Set while a definition is written in place: its indentation, and its numbered enumerators, forbid to keep it. */
  #inPlace = false
  /** Characters that definitions in place may still take: hostile nesting doubles them with every level. */
  #budget: number

  /** With `base`, declarations of types below the set's own are taken from there. */
  constructor(set: TypeSet, names: CNames, base?: Declarations) {
    this.#set = set
    this.#names = names
    this.#base = base
    this.#longBits = pointerSize(set) * 8
    this.#budget = mostText(set)
  }

  /** The declaration of `name` with a type; without a name, the type alone. */
  declare(id: number, name: string, level = 0): string {
    if (id < this.#set.firstId && this.#base) return this.#base.declare(id, name, level)
    if (name.length > LONG_NAME) this.#spend(name.length)
    if (name === '') {
      const kept = this.#unnamed.get(id)
      if (kept !== undefined) return kept
    } else {
      const kept = this.#frames.get(id)
      if (kept) return kept.before + printable(name) + kept.after
    }
    const outer = this.#inPlace
    this.#inPlace = false
    const text = this.#around(id, name === '' ? '' : MARK, level)
    const keep = !this.#inPlace
    this.#inPlace ||= outer
    if (name === '') {
      if (keep) this.#unnamed.set(id, text)
      return text
    }
    const split = text.indexOf(MARK)
    const frame = { before: text.slice(0, split), after: text.slice(split + 1) }
    if (keep) this.#frames.set(id, frame)
    return frame.before + printable(name) + frame.after
  }

  /** `struct name` or `union name`. */
  structTag(id: number): string {
    const name = this.#names.tag(id)
    const keyword = this.#set.kindNumberOf(id) === KIND_STRUCT ? 'struct' : 'union'
    return name === '' ? keyword : `${keyword} ${name}`
  }

  /** The forward declaration a FWD stands for. */
  forward(id: number): string {
    return `${this.#set.flagOf(id) ? 'union' : 'struct'} ${this.#names.tag(id)}`
  }

  /** `typedef … name`. */
  typedef(id: number): string {
    const name = this.#names.typedef(id)
    const target = this.#set.refOf(id)
    // Old GCC describes this one as a typedef of void, which would not compile.
    if (target === 0 && name === '__gnuc_va_list') return 'typedef __builtin_va_list __gnuc_va_list'
    return `typedef ${this.declare(target, name)}`
  }

  /** A struct or union with its members, bitfields and the padding that C would not put there by itself. */
  structDefinition(id: number, level: number): string {
    this.#enter(id)
    const set = this.#set
    const own = set.owner(id)!
    const { words } = own
    const at = own.position(id)
    const info = words[at + 1]!
    const size = words[at + 2]!
    const flag = infoFlag(info)
    const vlen = infoVlen(info)
    const isComposite = set.kindNumberOf(id) === KIND_STRUCT
    const packed = isComposite && this.#isPacked(own, at)
    const indent = tabs(level + 1)
    const head = `${this.structTag(id)} {`
    let text = head
    let end = 0
    let afterBitfield = false
    for (let member = at + 3; member < at + 3 + 3 * vlen; member += 3) {
      const type = words[member + 1]!
      const offset = flag ? words[member + 2]! & 0xffffff : words[member + 2]!
      const bits = flag ? words[member + 2]! >>> 24 : 0
      const align = packed ? 1 : (alignOf(set, type) ?? 1)
      text += this.#padding(end, offset, align, afterBitfield && bits !== 0, indent)
      text += `\n${indent}${this.declare(type, own.nameAt(words[member]!), level + 1)}`
      if (bits !== 0) {
        text += `: ${bits}`
        end = offset + bits
      } else {
        end = offset + (sizeOf(set, type) ?? 0) * 8
      }
      afterBitfield = bits !== 0
      text += ';'
    }
    if (isComposite) text += this.#padding(end, size * 8, alignOf(set, id) ?? 1, false, indent)
    text += vlen > 0 || size > 0 ? `\n${tabs(level)}}` : '}'
    if (packed) text += ' __attribute__((packed))'
    this.#leave(text.length)
    return text
  }

  /** An enum with its enumerators; without any, the forward declaration of one. */
  enumDefinition(id: number, level: number): string {
    this.#inPlace = true
    const own = this.#set.owner(id)!
    const { words } = own
    const at = own.position(id)
    const info = words[at + 1]!
    const size = words[at + 2]!
    const signed = infoFlag(info)
    const vlen = infoVlen(info)
    const name = this.#names.tag(id)
    let text = name === '' ? 'enum' : `enum ${name}`
    if (vlen === 0) return text
    const step = enumeratorWords(this.#set.kindNumberOf(id))
    const suffix = step === 2 ? '' : signed ? 'LL' : 'ULL'
    const indent = tabs(level + 1)
    let anyHigh = false
    text += ' {'
    for (let i = at + 3; i < at + 3 + step * vlen; i += step) {
      if (step > 2 && words[i + 2] !== 0) anyHigh = true
      const value = enumeratorValue(words, i, step, signed)
      text += `\n${indent}${this.#names.enumerator(own.nameAt(words[i]!))} = ${value}${suffix},`
    }
    text += `\n${tabs(level)}}`
    // Sizes that no list of values has by itself in C.
    if (size === 1) text += ' __attribute__((mode(byte)))'
    else if (size === 8 && this.#longBits === 64 && !anyHigh) text += ' __attribute__((mode(word)))'
    this.#spend(text.length)
    return text
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

  #around(id: number, name: string, level: number): string {
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
    return this.#unwind(chain, name, level)
  }

  /** Writes the types of a chain from its end, which is what C puts first. */
  #unwind(chain: number[], name: string, level: number): string {
    const set = this.#set
    let text = ''
    let afterPointer = true
    for (let id = chain.pop(); id !== undefined; id = chain.pop()) {
      const kind = set.kindNumberOf(id)
      switch (plainKind(kind)) {
        case KIND_VOID:
          text += `${this.#takeQualifiers(chain)}void`
          break
        case KIND_STRUCT:
        case KIND_UNION:
          text += this.#takeQualifiers(chain)
          text += set.word(id, 0) === 0 ? this.structDefinition(id, level) : this.structTag(id)
          break
        case KIND_ENUM:
          text += this.#takeQualifiers(chain)
          text += set.word(id, 0) === 0 ? this.enumDefinition(id, level) : `enum ${this.#names.tag(id)}`
          break
        case KIND_FWD:
          text += this.#takeQualifiers(chain) + this.forward(id)
          break
        case KIND_TYPEDEF:
          text += this.#takeQualifiers(chain) + this.#names.typedef(id)
          break
        case KIND_PTR:
          text += afterPointer ? '*' : ' *'
          break
        case KIND_TYPE_TAG: {
          text += this.#takeQualifiers(chain)
          const tag = printable(set.nameOf(id))
          text += set.flagOf(id) ? ` __attribute__((${tag}))` : ` __attribute__((btf_type_tag("${tag}")))`
          break
        }
        case KIND_ARRAY:
          return text + this.#array(id, chain, name, level, afterPointer)
        case KIND_FUNC_PROTO:
          return text + this.#function(id, chain, name, level, afterPointer)
        default:
          if (isScalar(kind)) text += this.#takeQualifiers(chain) + printable(set.nameOf(id))
          else if (isQualifier(kind)) text += ` ${qualifier(kind)}`
          else throw new BadFormatError(`[${id}] ${kindName(kind)} cannot be part of a declaration`, { typeId: id })
      }
      afterPointer = kind === KIND_PTR
    }
    return text + spaced(name, afterPointer)
  }

  #array(id: number, chain: number[], name: string, level: number, afterPointer: boolean): string {
    const count = `[${this.#set.word(id, 5)}]`
    // GCC repeats the element's qualifiers on the array; C has no place for them there.
    this.#dropQualifiers(chain)
    const next = chain.at(-1)
    if (next === undefined) return spaced(name, afterPointer) + count
    const inner = this.#unwind(chain, name, level)
    const space = name !== '' && !afterPointer ? ' ' : ''
    return this.#set.kindNumberOf(next) === KIND_ARRAY ? space + inner + count : `${space}(${inner})${count}`
  }

  #function(id: number, chain: number[], name: string, level: number, afterPointer: boolean): string {
    // GCC marks functions that do not return as volatile.
    this.#dropQualifiers(chain)
    const inner = chain.length > 0 ? ` (${this.#unwind(chain, name, level)})` : spaced(name, afterPointer)
    return `${inner}(${this.#params(id, level)})`
  }

  #params(id: number, level: number): string {
    const own = this.#set.owner(id)!
    const { words } = own
    const start = own.position(id) + 3
    const vlen = own.vlenOf(id)
    if (vlen === 0 || (vlen === 1 && words[start + 1] === 0)) return 'void'
    if (++this.#depth > MAX_NESTING) {
      this.#depth = 0
      throw new LimitError(`[${id}] parameters nested more than ${MAX_NESTING} levels deep`, { typeId: id })
    }
    let text = ''
    for (let i = 0; i < vlen; i++) {
      const type = words[start + 2 * i + 1]!
      if (i > 0) text += ', '
      if (type === 0 && i === vlen - 1) text += '...'
      else text += this.declare(type, own.nameAt(words[start + 2 * i]!), level)
    }
    this.#leave(text.length)
    return text
  }

  #takeQualifiers(chain: number[]): string {
    let text = ''
    for (let next = chain.at(-1); next !== undefined; next = chain.at(-1)) {
      const kind = this.#set.kindNumberOf(next)
      if (!isQualifier(kind)) break
      text += `${qualifier(kind)} `
      chain.pop()
    }
    return text
  }

  #dropQualifiers(chain: number[]): void {
    while (chain.length > 0 && isCarried(this.#set.kindNumberOf(chain.at(-1)!))) chain.pop()
  }

  /** Whether a struct's layout is one that C gives only to packed structs. */
  #isPacked(own: TypeSet, at: number): boolean {
    const { words } = own
    const info = words[at + 1]!
    const flag = infoFlag(info)
    let most = 1
    for (let member = at + 3; member < at + 3 + 3 * infoVlen(info); member += 3) {
      const align = alignOf(this.#set, words[member + 1]!) ?? 0
      const offset = words[member + 2]!
      const bitfield = flag && offset >>> 24 !== 0
      if (align > 0 && !bitfield && offset % (8 * align) !== 0) return true
      if (align > most) most = align
    }
    return words[at + 2]! % most !== 0
  }

  /**
   * Unnamed bitfields that bring the next member to its offset where alignment alone would not. `align` is the next
   * member's alignment in bytes; offsets are in bits.
   */
  #padding(from: number, to: number, align: number, inBitfield: boolean, indent: string): string {
    if (from >= to) return ''
    const pads: readonly [string, number][] = [
      ['long', this.#longBits],
      ['int', 32],
      ['short', 16],
      ['char', 8],
    ]
    // The widest type with a boundary in the gap. `char` always has one, or the gap is less than a byte.
    let [type, width] = pads[3]!
    for (const pad of pads) {
      ;[type, width] = pad
      if (roundUp(from, width) <= to) break
    }
    let text = ''
    let at = from
    const boundary = roundUp(from, width)
    if (boundary > at && boundary <= to) {
      const reached = boundary === to && roundUp(at, align * 8) !== boundary
      const swallowed = boundary !== to && to - boundary <= boundary - at
      if (inBitfield || reached || swallowed) text += `\n${indent}${type}: ${inBitfield ? boundary - at : 0};`
      at = boundary
    }
    if (to - at > 8 * width) {
      const whole = Math.floor((to - at) / width)
      this.#spend(whole * (indent.length + type.length + 6))
    }
    for (; to - at >= width; at += width) text += `\n${indent}${type}: ${width};`
    if (at < to) {
      const rest = to - at
      for (const [name, bits] of pads) if (bits >= rest) type = name
      text += `\n${indent}${type}: ${rest};`
    }
    return text
  }
}

/** Whether a declaration carries such a type along with the one behind it: a qualifier or a tag. */
const isCarried = (kind: number): boolean => isQualifier(kind) || kind === KIND_TYPE_TAG

/** A qualifier as C writes it: its kind's name in lower case. */
const qualifier = (kind: number): string => QUALIFIERS[kind]!
const QUALIFIERS = KINDS.map(({ name }) => name.toLowerCase())

const spaced = (name: string, afterPointer: boolean): string => (name === '' || afterPointer ? name : ` ${name}`)
const roundUp = (value: number, step: number): number => Math.ceil(value / step) * step

const TABS = Array.from({ length: 14 }, (_, i) => '\t'.repeat(i))
/** Indentation; libbpf stops at thirteen tabs. */
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
