// A C header of a set: definitions in an order that compiles, forward declarations where needed, kfunc prototypes. Byte
// for byte what `bpftool btf dump … format c` prints, whose algorithm (libbpf's btf_dump) defines the order.

import { choice, count, listOf, type Options, options as optionsOf } from '../../core/arguments.ts'
import { BadFormatError, LimitError } from '../../core/errors.ts'
import {
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
import { visitWords } from '../read/references.ts'
import { type TypeSet, typeSet } from '../read/type-set.ts'
import { Declarations } from './c-declare.ts'
import { UniqueNames } from './c-names.ts'
import { sortForC } from './c-sort.ts'
import { CText } from './c-text.ts'
import { FlatTypes } from './flat-types.ts'

/** What a header holds and in which order. */
export interface CDumpOptions {
  /** Order of ids, or the order bpftool sorts types in by default, which survives rebuilds of the kernel better. */
  readonly order?: 'sorted' | 'ids'
  /** Only these types and what they need. */
  readonly roots?: readonly number[]
}

/** The options of `dumpC`. */
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
export const PIECE = 1 << 16

/**
 * The C header of a set, its bases included, in pieces.
 * @throws BadFormatError for types that C cannot express, such as a struct that contains itself; LimitError if they are
 * nested absurdly deep.
 */
export function* dumpC(set: TypeSet, options?: CDumpOptions): Generator<string> {
  typeSet(set, 'set')
  const { roots: wanted, order } = optionsOf(options, 'dumpC', C_DUMP_OPTIONS)
  const out = new CText()
  const header = new CHeader(set, out)
  out.put(HEADER)
  const roots = wanted ?? (order === 'ids' ? allIds(set) : sortForC(set))
  for (const id of roots) {
    header.define(id)
    if (out.length > PIECE) yield out.take()
  }
  if (!wanted) header.kfuncs()
  out.put(FOOTER)
  yield out.take()
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
  readonly #types: FlatTypes
  readonly #out: CText
  readonly #declarations: Declarations
  readonly #ordered: Uint8Array
  readonly #emitted: Uint8Array
  readonly #forwarded: Uint8Array
  readonly #referenced: Uint8Array
  #queue: number[] = []
  #depth = 0
  /** Steps left: hostile types reach each other in exponentially many ways. */
  #steps: number

  /** What is defined is written to `out`. */
  constructor(set: TypeSet, out: CText, names = new UniqueNames(set)) {
    this.#set = set
    this.#types = new FlatTypes(set)
    this.#out = out
    this.#declarations = new Declarations(set, names)
    this.#ordered = new Uint8Array(set.endId)
    this.#emitted = new Uint8Array(set.endId)
    this.#forwarded = new Uint8Array(set.endId)
    this.#referenced = new Uint8Array(set.endId)
    let bytes = 0
    for (let each: TypeSet | undefined = set; each; each = each.base) {
      bytes += each.record.blobLength
      this.#markReferenced(each)
    }
    this.#steps = 1_000_000 + 16 * bytes
  }

  /** Writes the definition of a type, after those of the types it needs, as far as they are not defined yet. */
  define(id: number): void {
    this.#depth = 0
    this.#order(id, false)
    if (this.#queue.length === 0) return
    for (const each of this.#queue) this.#emit(each, 0)
    this.#queue = []
  }

  /** Takes types for defined: those of a base whose header stands in front, or that another module has defined. */
  assumeDefined(from: number, to: number): void {
    this.#ordered.fill(DONE, from, to)
    this.#emitted.fill(DONE, from, to)
  }

  /** Prototypes of the functions that are tagged as callable from BPF, by name. */
  kfuncs(): void {
    const set = this.#set
    const types = this.#types
    const kfuncs: number[] = []
    const fast = new Set<number>()
    for (let id = 1; id < set.endId; id++) {
      if (types.kind(id) !== KIND_DECL_TAG || set.word(id, 3) !== 0xffffffff) continue
      const target = types.ref(id)
      if (types.kind(target) !== KIND_FUNC) continue
      const tag = set.nameOf(id)
      if (tag === 'bpf_kfunc') kfuncs.push(target)
      else if (tag === 'bpf_fastcall') fast.add(target)
    }
    const named = kfuncs.map((id) => ({ id, name: set.nameOf(id) }))
    named.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
    const out = this.#out
    out.put('\n/* BPF kfuncs */\n#ifndef BPF_NO_KFUNC_PROTOTYPES\n')
    for (const { id, name } of named) {
      out.put(fast.has(id) ? 'extern __bpf_fastcall ' : 'extern ')
      this.#declarations.writeDeclaration(out, types.ref(id), name)
      out.put(' __weak __ksym;\n')
    }
    out.put('#endif\n\n')
  }

  /** Notes what types refer to, except as a function's result: anonymous enums that nothing else uses stand alone. */
  #markReferenced({ words, places, firstId }: TypeSet): void {
    const referenced = this.#referenced
    const types = this.#types
    const visit = {
      name() {},
      type(i: number) {
        referenced[words[i]!] = 1
      },
    }
    const { offsets, firstWord } = places
    for (let i = 0; i < offsets.length; i++) {
      const kind = types.kind(firstId + i)
      const at = firstWord + offsets[i]!
      if (kind === KIND_FUNC_PROTO) {
        const end = at + 4 + 2 * infoVlen(words[at + 1]!)
        for (let param = at + 4; param < end; param += 2) referenced[words[param]!] = 1
      } else if (kind !== KIND_FUNC) visitWords(words, at, visit)
      else referenced[words[at + 2]!] = 1
    }
  }

  #enter(id: number): void {
    if (++this.#depth > MAX_RECURSION) {
      throw new LimitError(`[${id}] nested more than ${MAX_RECURSION} levels deep: not printable as C`, { typeId: id })
    }
    if (--this.#steps < 0) throw new LimitError('the types depend on each other in too many ways to be printed as C')
  }

  /**
   * Queues a type behind the types that must be defined before it. True if the referring type needs the whole definition rather than a
   * forward declaration: it does unless a pointer and a name lie between.
   */
  #order(id: number, throughPointer: boolean): boolean {
    const set = this.#set
    const state = this.#ordered[id]!
    if (state === DONE) return true
    const kind = this.#types.kind(id)
    const named = this.#types.isNamed(id)
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
        const strong = this.#order(this.#types.ref(id), true)
        this.#ordered[id] = DONE
        return strong
      }
      case KIND_ARRAY:
        return this.#order(set.word(id, 3), false)
      case KIND_STRUCT:
      case KIND_UNION:
        if (throughPointer && named) return false
        this.#ordered[id] = UNDER_WAY
        this.#each(id, 3, (member) => this.#order(member, false))
        if (named) this.#queue.push(id)
        this.#ordered[id] = DONE
        return true
      case KIND_ENUM:
      case KIND_FWD:
        if (named || this.#referenced[id] === 0) this.#queue.push(id)
        this.#ordered[id] = DONE
        return true
      case KIND_TYPEDEF: {
        const strong = this.#order(this.#types.ref(id), throughPointer)
        if (throughPointer && !strong) return false
        this.#queue.push(id)
        this.#ordered[id] = DONE
        return true
      }
      case KIND_FUNC_PROTO: {
        let strong = this.#order(this.#types.ref(id), throughPointer)
        this.#each(id, 2, (param) => {
          if (this.#order(param, throughPointer)) strong = true
        })
        return strong
      }
      default:
        if (isModifier(kind)) return this.#order(this.#types.ref(id), throughPointer)
        if (kindName(kind) === 'UNKNOWN') {
          throw new BadFormatError(`[${id}] a kind of type that C output does not know`, { typeId: id })
        }
        // Void, scalars, functions, variables, sections and declaration tags need no definition.
        this.#ordered[id] = DONE
        return false
    }
  }

  /** Calls with the types of a struct's members or a prototype's parameters. */
  #each(id: number, step: number, visit: (type: number) => void): void {
    const own = this.#set.owner(id)!
    const { words } = own
    const at = own.position(id)
    const end = at + 3 + step * infoVlen(words[at + 1]!)
    for (let i = at + 4; i < end; i += step) visit(words[i]!)
  }

  /** Writes a queued type, after forward declarations of what it refers to. `container` is the type it is part of. */
  #emit(id: number, container: number): void {
    if (this.#emitted[id] === DONE) return
    const set = this.#set
    const kind = this.#types.kind(id)
    if (this.#emitted[id] === UNDER_WAY) {
      if (this.#forwarded[id] === 0) this.#emitForward(id, kind, container)
      return
    }
    this.#enter(id)
    switch (plainKind(kind)) {
      case KIND_INT: {
        const alias = MISSING_TYPES.get(set.nameOf(id))
        if (alias !== undefined) this.#out.put(`typedef ${alias} ${set.nameOf(id)};\n\n`)
        this.#emitted[id] = DONE
        break
      }
      case KIND_ENUM:
        if (container === 0) {
          this.#declarations.writeEnum(this.#out, id, 0)
          this.#end()
        }
        this.#emitted[id] = DONE
        break
      case KIND_ARRAY:
        this.#emit(set.word(id, 3), container)
        break
      case KIND_FWD:
        this.#declarations.writeForward(this.#out, id)
        this.#end()
        this.#emitted[id] = DONE
        break
      case KIND_TYPEDEF:
        this.#emitted[id] = UNDER_WAY
        this.#emit(this.#types.ref(id), id)
        if (this.#forwarded[id] === 0) this.#emitTypedef(id)
        this.#emitted[id] = DONE
        break
      case KIND_STRUCT:
      case KIND_UNION:
        this.#emitStruct(id, container)
        break
      case KIND_FUNC_PROTO:
        this.#emit(this.#types.ref(id), container)
        this.#each(id, 2, (param) => this.#emit(param, container))
        break
      default:
        if (kind === KIND_PTR || isModifier(kind)) this.#emit(this.#types.ref(id), container)
    }
    this.#depth--
  }

  #emitStruct(id: number, container: number): void {
    const anonymous = !this.#types.isNamed(id)
    this.#emitted[id] = UNDER_WAY
    if (container === 0 || anonymous) {
      const inside = anonymous ? container : id
      this.#each(id, 3, (member) => this.#emit(member, inside))
    } else if (this.#forwarded[id] === 0 && id !== container) {
      this.#declarations.writeTag(this.#out, id)
      this.#end()
      this.#forwarded[id] = 1
    }
    if (container === 0) {
      this.#declarations.writeStruct(this.#out, id, 0)
      this.#end()
    }
    this.#emitted[id] = container === 0 ? DONE : UNSEEN
  }

  /** Something refers to a type whose definition is being written. */
  #emitForward(id: number, kind: number, container: number): void {
    if (isComposite(kind)) {
      // A type may name itself without a declaration; one without a name cannot be declared.
      if (id === container || !this.#types.isNamed(id)) return
      this.#declarations.writeTag(this.#out, id)
      this.#end()
      this.#forwarded[id] = 1
    } else if (kind === KIND_TYPEDEF) {
      this.#emitTypedef(id)
      this.#forwarded[id] = 1
    }
  }

  #emitTypedef(id: number): void {
    // Every compiler has this one.
    if (this.#set.nameOf(id) === '__builtin_va_list') return
    this.#declarations.writeTypedef(this.#out, id)
    this.#end()
  }

  #end(): void {
    this.#out.put(';\n\n')
  }
}
