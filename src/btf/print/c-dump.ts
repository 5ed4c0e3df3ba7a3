// A C header of a set: definitions in an order that compiles, forward declarations where needed, kfunc prototypes. Byte
// for byte what `bpftool btf dump … format c` prints, whose algorithm (libbpf's btf_dump) defines the order.

import { choice, count, listOf, type Options, options as optionsOf } from '../../core/arguments.ts'
import { BadFormatError, LimitError } from '../../core/errors.ts'
import {
  infoKind,
  infoVlen,
  KIND_ARRAY,
  KIND_DECL_TAG,
  KIND_ENUM,
  KIND_FUNC,
  KIND_FUNC_PROTO,
  KIND_FWD,
  KIND_INT,
  KIND_PTR,
  KIND_STRUCT,
  KIND_TYPEDEF,
  KIND_UNION,
} from '../format.ts'
import { isComposite, isModifier, kindName, plainKind } from '../kinds.ts'
import { referencedTypes } from '../read/references.ts'
import { type TypeSet, typeSet } from '../read/type-set.ts'
import { Declarations } from './c-declare.ts'
import { UniqueNames } from './c-names.ts'
import { sortForC } from './c-sort.ts'

/** What a header holds and in which order. */
export interface CDumpOptions {
  /** Order of ids, or the order bpftool sorts types in by default, which survives rebuilds of the kernel better. */
  readonly order?: 'sorted' | 'ids'
  /** Only these types and what they need. */
  readonly roots?: readonly number[]
}

/** What `dumpC` takes. */
export const C_DUMP_OPTIONS: Options<CDumpOptions> = {
  order: choice('sorted', 'ids'),
  roots: listOf(count, 'ids of types'),
}

export const HEADER = `#ifndef __VMLINUX_H__
#define __VMLINUX_H__

#ifndef BPF_NO_PRESERVE_ACCESS_INDEX
#pragma clang attribute push (__attribute__((preserve_access_index)), apply_to = record)
#endif

#ifndef __ksym
#define __ksym __attribute__((section(".ksyms")))
#endif

#ifndef __weak
#define __weak __attribute__((weak))
#endif

#ifndef __bpf_fastcall
#if __has_attribute(bpf_fastcall)
#define __bpf_fastcall __attribute__((bpf_fastcall))
#else
#define __bpf_fastcall
#endif
#endif

`

export const FOOTER = `#ifndef BPF_NO_PRESERVE_ACCESS_INDEX
#pragma clang attribute pop
#endif

#endif /* __VMLINUX_H__ */
`

/** Characters collected before a piece is handed out. */
const PIECE = 1 << 16

/**
 * The C header of a set, its bases included, in pieces.
 * @throws BadFormatError for types that C cannot express, such as a struct that contains itself; LimitError if they are
 * nested absurdly deep.
 */
export function* dumpC(set: TypeSet, options?: CDumpOptions): Generator<string> {
  typeSet(set, 'set')
  const { roots: wanted, order } = optionsOf(options, 'dumpC', C_DUMP_OPTIONS)
  const header = new CHeader(set)
  let text = HEADER
  const roots = wanted ?? (order === 'ids' ? allIds(set) : sortForC(set))
  for (const id of roots) {
    text += header.define(id)
    if (text.length > PIECE) {
      yield text
      text = ''
    }
  }
  if (!wanted) text += header.kfuncs()
  yield text + FOOTER
}

function* allIds(set: TypeSet): Generator<number> {
  for (let id = 1; id < set.endId; id++) yield id
}

/** Aliases of vector element types that GCC knows by itself and clang does not. */
const MISSING_TYPES: ReadonlyMap<string, string> = new Map([
  ['__Poly8_t', 'unsigned char'],
  ['__Poly16_t', 'unsigned short'],
  ['__Poly64_t', 'unsigned long long'],
  ['__Poly128_t', 'unsigned __int128'],
])

const UNSEEN = 0
const UNDER_WAY = 1
const DONE = 2

/** Deepest recursion through types, far above that of any kernel and far below that of the stack. */
const MAX_RECURSION = 1000

/** What has been defined so far. */
export class CHeader {
  readonly #set: TypeSet
  readonly #declarations: Declarations
  readonly #ordered: Uint8Array
  readonly #emitted: Uint8Array
  readonly #forwarded: Uint8Array
  readonly #referenced: Uint8Array
  #queue: number[] = []
  #text = ''
  #depth = 0
  /** Steps left: hostile types reach each other in exponentially many ways. */
  #steps: number

  constructor(set: TypeSet, names = new UniqueNames(set)) {
    this.#set = set
    this.#declarations = new Declarations(set, names)
    this.#ordered = new Uint8Array(set.endId)
    this.#emitted = new Uint8Array(set.endId)
    this.#forwarded = new Uint8Array(set.endId)
    this.#referenced = new Uint8Array(set.endId)
    let bytes = 0
    for (let each: TypeSet | undefined = set; each; each = each.base) {
      bytes += each.record.blobLength
      for (let id = each.firstId; id < each.endId; id++) this.#markReferenced(each, id)
    }
    this.#steps = 1_000_000 + 16 * bytes
  }

  /** The definition of a type, after those of the types it needs, as far as they are not defined yet. */
  define(id: number): string {
    this.#text = ''
    this.#queue = []
    this.#depth = 0
    this.#order(id, false)
    for (const each of this.#queue) this.#emit(each, 0)
    return this.#text
  }

  /** Takes types for defined: those of a base whose header stands in front, or that another module has defined. */
  assumeDefined(from: number, to: number): void {
    this.#ordered.fill(DONE, from, to)
    this.#emitted.fill(DONE, from, to)
  }

  /** Prototypes of the functions that are tagged as callable from BPF, by name. */
  kfuncs(): string {
    const set = this.#set
    const kfuncs: number[] = []
    const fast = new Set<number>()
    for (let id = 1; id < set.endId; id++) {
      if (set.kindNumberOf(id) !== KIND_DECL_TAG || set.word(id, 3) !== 0xffffffff) continue
      const target = set.refOf(id)
      if (set.kindNumberOf(target) !== KIND_FUNC) continue
      const tag = set.nameOf(id)
      if (tag === 'bpf_kfunc') kfuncs.push(target)
      else if (tag === 'bpf_fastcall') fast.add(target)
    }
    const named = kfuncs.map((id) => ({ id, name: set.nameOf(id) }))
    named.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
    let text = '\n/* BPF kfuncs */\n#ifndef BPF_NO_KFUNC_PROTOTYPES\n'
    for (const { id, name } of named) {
      const attribute = fast.has(id) ? '__bpf_fastcall ' : ''
      text += `extern ${attribute}${this.#declarations.declare(set.refOf(id), name)} __weak __ksym;\n`
    }
    return `${text}#endif\n\n`
  }

  /** Notes what a type refers to, except as a function's result: anonymous enums that nothing else uses stand alone. */
  #markReferenced(own: TypeSet, id: number): void {
    const at = own.position(id)
    const info = own.words[at + 1]!
    if (infoKind(info) === KIND_FUNC_PROTO) {
      for (let i = 0; i < infoVlen(info); i++) this.#referenced[own.words[at + 4 + 2 * i]!] = 1
      return
    }
    for (const ref of referencedTypes(own.words, at)) this.#referenced[ref] = 1
  }

  #enter(id: number): void {
    if (++this.#depth > MAX_RECURSION) {
      throw new LimitError(`[${id}] nested more than ${MAX_RECURSION} levels deep: not printable as C`, { typeId: id })
    }
    if (--this.#steps < 0) throw new LimitError('the types depend on each other in too many ways to be printed as C')
  }

  /**
   * Queues a type behind those that must be defined before it. True if whoever asks needs the whole definition rather
   * than a forward declaration: that is so unless a pointer and a name lie between.
   */
  #order(id: number, throughPointer: boolean): boolean {
    const set = this.#set
    const state = this.#ordered[id]!
    if (state === DONE) return true
    const kind = set.kindNumberOf(id)
    const named = set.word(id, 0) !== 0
    if (state === UNDER_WAY) {
      if (isComposite(kind) && throughPointer && named) return false
      throw new BadFormatError(`[${id}] ${kindName(kind)} ${set.nameOf(id)} contains itself`, { typeId: id })
    }
    this.#enter(id)
    const strong = this.#orderKind(id, kind, named, throughPointer)
    this.#depth--
    return strong
  }

  #orderKind(id: number, kind: number, named: boolean, throughPointer: boolean): boolean {
    const set = this.#set
    switch (plainKind(kind)) {
      case KIND_PTR: {
        const strong = this.#order(set.refOf(id), true)
        this.#ordered[id] = DONE
        return strong
      }
      case KIND_ARRAY:
        return this.#order(set.word(id, 3), false)
      case KIND_STRUCT:
      case KIND_UNION:
        if (throughPointer && named) return false
        this.#ordered[id] = UNDER_WAY
        for (const member of this.#elements(id, 3)) this.#order(member, false)
        if (named) this.#queue.push(id)
        this.#ordered[id] = DONE
        return true
      case KIND_ENUM:
      case KIND_FWD:
        if (named || this.#referenced[id] === 0) this.#queue.push(id)
        this.#ordered[id] = DONE
        return true
      case KIND_TYPEDEF: {
        const strong = this.#order(set.refOf(id), throughPointer)
        if (throughPointer && !strong) return false
        this.#queue.push(id)
        this.#ordered[id] = DONE
        return true
      }
      case KIND_FUNC_PROTO: {
        let strong = this.#order(set.refOf(id), throughPointer)
        for (const param of this.#elements(id, 2)) if (this.#order(param, throughPointer)) strong = true
        return strong
      }
      default:
        if (isModifier(kind)) return this.#order(set.refOf(id), throughPointer)
        if (kindName(kind) === 'UNKNOWN') {
          throw new BadFormatError(`[${id}] a kind of type that C output does not know`, { typeId: id })
        }
        // Void, scalars, functions, variables, sections and declaration tags need no definition.
        this.#ordered[id] = DONE
        return false
    }
  }

  /** The types of a struct's members or a prototype's parameters. */
  #elements(id: number, step: number): number[] {
    const own = this.#set.owner(id)!
    const at = own.position(id)
    const end = at + 3 + step * infoVlen(own.words[at + 1]!)
    const ids: number[] = []
    for (let i = at + 4; i < end; i += step) ids.push(own.words[i]!)
    return ids
  }

  /** Writes a queued type, after forward declarations of what it refers to. `container` is the type it is part of. */
  #emit(id: number, container: number): void {
    if (this.#emitted[id] === DONE) return
    const set = this.#set
    const kind = set.kindNumberOf(id)
    if (this.#emitted[id] === UNDER_WAY) {
      if (this.#forwarded[id] === 0) this.#emitForward(id, kind, container)
      return
    }
    this.#enter(id)
    switch (plainKind(kind)) {
      case KIND_INT: {
        const alias = MISSING_TYPES.get(set.nameOf(id))
        if (alias !== undefined) this.#text += `typedef ${alias} ${set.nameOf(id)};\n\n`
        this.#emitted[id] = DONE
        break
      }
      case KIND_ENUM:
        if (container === 0) this.#text += `${this.#declarations.enumDefinition(id, 0)};\n\n`
        this.#emitted[id] = DONE
        break
      case KIND_ARRAY:
        this.#emit(set.word(id, 3), container)
        break
      case KIND_FWD:
        this.#text += `${this.#declarations.forward(id)};\n\n`
        this.#emitted[id] = DONE
        break
      case KIND_TYPEDEF:
        this.#emitted[id] = UNDER_WAY
        this.#emit(set.refOf(id), id)
        if (this.#forwarded[id] === 0) this.#emitTypedef(id)
        this.#emitted[id] = DONE
        break
      case KIND_STRUCT:
      case KIND_UNION:
        this.#emitStruct(id, container)
        break
      case KIND_FUNC_PROTO:
        this.#emit(set.refOf(id), container)
        for (const param of this.#elements(id, 2)) this.#emit(param, container)
        break
      default:
        if (kind === KIND_PTR || isModifier(kind)) this.#emit(set.refOf(id), container)
    }
    this.#depth--
  }

  #emitStruct(id: number, container: number): void {
    const anonymous = this.#set.word(id, 0) === 0
    this.#emitted[id] = UNDER_WAY
    if (container === 0 || anonymous) {
      const inside = anonymous ? container : id
      for (const member of this.#elements(id, 3)) this.#emit(member, inside)
    } else if (this.#forwarded[id] === 0 && id !== container) {
      this.#text += `${this.#declarations.structTag(id)};\n\n`
      this.#forwarded[id] = 1
    }
    if (container === 0) this.#text += `${this.#declarations.structDefinition(id, 0)};\n\n`
    this.#emitted[id] = container === 0 ? DONE : UNSEEN
  }

  /** Something refers to a type whose definition is being written. */
  #emitForward(id: number, kind: number, container: number): void {
    if (isComposite(kind)) {
      // A type may name itself without a declaration; one without a name cannot be declared.
      if (id === container || this.#set.word(id, 0) === 0) return
      this.#text += `${this.#declarations.structTag(id)};\n\n`
      this.#forwarded[id] = 1
    } else if (kind === KIND_TYPEDEF) {
      this.#emitTypedef(id)
      this.#forwarded[id] = 1
    }
  }

  #emitTypedef(id: number): void {
    // Every compiler has this one.
    if (this.#set.nameOf(id) !== '__builtin_va_list') this.#text += `${this.#declarations.typedef(id)};\n\n`
  }
}
