// Functions as callers see them: prototype in C, parameters with their types, tags.

import { INSPECT, type Inspect, inspected } from '../../core/explain.ts'
import { printable } from '../../core/printable.ts'
import { KIND_DECL_TAG, KIND_FUNC_PROTO } from '../format.ts'
import { plainDeclarations } from '../print/c-declare.ts'
import { decodeType, type FuncProtoType, type Linkage } from '../read/type.ts'
import type { TypeSet } from '../read/type-set.ts'

/** A parameter with its type in C; the name is empty if the prototype has none. */
export interface FunctionParam {
  readonly name: string
  readonly type: string
  readonly typeId: number
}

/** The C prototype of a FUNC, without a semicolon. */
export function prototypeOf(set: TypeSet, id: number): string {
  return plainDeclarations(set).declare(set.refOf(id), set.nameOf(id))
}

/** A function. What needs decoding or texts is worked out when it is read: listing names costs little. */
export class KernelFunction {
  readonly id: number
  readonly #set: TypeSet
  #name: string | undefined

  constructor(set: TypeSet, id: number, name?: string) {
    this.id = id
    this.#set = set
    this.#name = name
  }

  get name(): string {
    this.#name ??= this.#set.nameOf(this.id)
    return this.#name
  }

  /** `vmlinux` or the module that defines it. */
  get module(): string {
    return this.#set.name
  }

  /** As C declares it, without a semicolon. */
  get prototype(): string {
    return plainDeclarations(this.#set).declare(this.#set.refOf(this.id), this.name)
  }

  get returnType(): string {
    return plainDeclarations(this.#set).declare(this.#proto?.returnType ?? 0, '')
  }

  get params(): readonly FunctionParam[] {
    const declarations = plainDeclarations(this.#set)
    return (this.#proto?.params ?? []).map(({ name, type }) =>
      Object.freeze({ name, type: declarations.declare(type, ''), typeId: type }),
    )
  }

  /** More arguments may follow (`...`). */
  get variadic(): boolean {
    return this.#proto?.variadic ?? false
  }

  get linkage(): Linkage {
    const func = decodeType(this.#set, this.id)
    return func.kind === 'FUNC' ? func.linkage : 'unknown'
  }

  /** Declaration tags of the whole function, such as `bpf_kfunc`. */
  get tags(): readonly string[] {
    return tagsOf(this.#set).get(this.id) ?? []
  }

  toJSON(): Record<string, unknown> {
    const { name, module, id, prototype, returnType, params, variadic, linkage, tags } = this
    return { name, module, id, prototype, returnType, params, variadic, linkage, tags }
  }

  get #proto(): FuncProtoType | undefined {
    const id = this.#set.refOf(this.id)
    const proto = this.#set.kindNumberOf(id) === KIND_FUNC_PROTO ? decodeType(this.#set, id) : undefined
    return proto?.kind === 'FUNC_PROTO' ? proto : undefined
  }

  /** The prototype, with its module where that is not the kernel itself. */
  toString(): string {
    return `${printable(this.prototype)}${this.module === 'vmlinux' ? '' : ` [${printable(this.module)}]`}`
  }

  /** What `console.log` shows. */
  [INSPECT](depth: number, options: object, inspect: Inspect): string {
    return inspected('KernelFunction', () => this.toJSON(), depth, options, inspect)
  }
}

const tagTables = new WeakMap<TypeSet, Map<number, string[]>>()

/** Declaration tags of whole types, by the tagged type's id; those in the set itself, not in its base. */
function tagsOf(set: TypeSet): ReadonlyMap<number, readonly string[]> {
  let table = tagTables.get(set)
  if (!table) {
    table = new Map()
    if (set.countByKind().DECL_TAG > 0) {
      for (let id = set.firstId; id < set.endId; id++) {
        if (set.kindNumberOf(id) !== KIND_DECL_TAG || set.word(id, 3) !== 0xffffffff) continue
        const tags = table.get(set.refOf(id))
        if (tags) tags.push(set.nameOf(id))
        else table.set(set.refOf(id), [set.nameOf(id)])
      }
    }
    tagTables.set(set, table)
  }
  return table
}
