// A function's arguments as a probe sees them: name, C type, and where each is at the function's entry.

import {
  KIND_ARRAY,
  KIND_ENUM,
  KIND_FLOAT,
  KIND_FUNC_PROTO,
  KIND_INT,
  KIND_PTR,
  KIND_STRUCT,
  KIND_UNION,
} from '../btf/format.ts'
import { isComposite, plainKind } from '../btf/kinds.ts'
import { plainDeclarations } from '../btf/print/c-declare.ts'
import { alignOf, sizeOf } from '../btf/read/sizes.ts'
import { decodeType, type FuncProtoType, isEnumType, skipModifiers } from '../btf/read/type.ts'
import type { TypeSet } from '../btf/read/type-set.ts'
import type { Architecture } from './architectures.ts'
import { type ArgumentPlace, placeArguments, type ValueShape } from './conventions.ts'

/** One argument. */
export interface FunctionArgument {
  /** Empty if the prototype does not name it. */
  readonly name: string
  /** In C, without the name. */
  readonly type: string
  /** In C, with the name in its place. */
  readonly declaration: string
  /** Undefined where the convention or the type's shape is not known. */
  readonly place: ArgumentPlace | undefined
  /** How tracefs prints it (`u32`, `s64`, `x64`, …); undefined for what is no number or pointer. */
  readonly format: string | undefined
}

/** The FUNC_PROTO of a FUNC. */
export function protoOf(set: TypeSet, funcId: number): FuncProtoType | undefined {
  const id = set.refOf(funcId)
  if (set.kindNumberOf(id) !== KIND_FUNC_PROTO) return undefined
  const proto = decodeType(set, id)
  return proto.kind === 'FUNC_PROTO' ? proto : undefined
}

/** The arguments of a FUNC, in order. */
export function argumentsOf(set: TypeSet, funcId: number, architecture: Architecture | undefined): FunctionArgument[] {
  const proto = protoOf(set, funcId)
  if (proto === undefined) return []
  const declarations = plainDeclarations(set)
  const shapes = proto.params.map(({ type }) => shapeOf(set, type))
  const returned = proto.returnType === 0 ? undefined : shapeOf(set, proto.returnType)
  const places = architecture === undefined ? [] : placeArguments(architecture, shapes, returned)
  return proto.params.map(({ name, type }, i) => ({
    name,
    type: declarations.declare(type, ''),
    declaration: declarations.declare(type, name),
    place: places[i],
    format: formatOf(set, type),
  }))
}

/** A function's return value. */
export interface ReturnedValue {
  /** In C. */
  readonly type: string
  /** It is a number or pointer that one register holds. */
  readonly inRegister: boolean
  /** How tracefs prints it; `none` where nothing is returned, undefined for what is no number or pointer. */
  readonly format: string | undefined
}

/** The return value of a FUNC. */
export function returnedBy(set: TypeSet, funcId: number): ReturnedValue {
  const type = protoOf(set, funcId)?.returnType ?? 0
  const shape = type === 0 ? undefined : shapeOf(set, type)
  return {
    type: plainDeclarations(set).declare(type, ''),
    inRegister: shape !== undefined && shape.kind === 'integer' && shape.size <= 8,
    format: skipModifiers(set, type) === 0 ? 'none' : formatOf(set, type),
  }
}

/** A type as calling conventions see it; undefined for a type that the kernel never passes by value. */
export function shapeOf(set: TypeSet, type: number): ValueShape | undefined {
  const id = skipModifiers(set, type)
  const size = sizeOf(set, id)
  if (size === undefined) return undefined
  switch (plainKind(set.kindNumberOf(id))) {
    case KIND_INT:
    case KIND_PTR:
    case KIND_ENUM:
      return { kind: 'integer', size, align: size }
    case KIND_STRUCT:
    case KIND_UNION: {
      // Above two words every convention goes by size alone, so that members need no look.
      if (size > 16) return { kind: 'aggregate', size, align: alignOf(set, id) ?? 1 }
      const look = { unaligned: false, float: false, align: alignOf(set, id) ?? 1 }
      inspect(set, id, 0, 0, look)
      if (look.float) return undefined
      return { kind: 'aggregate', size, align: look.align, unaligned: look.unaligned }
    }
    default:
      return undefined
  }
}

/** Deepest nesting that is followed; a struct of 16 bytes with more is not a kernel's. */
const MOST_NESTING = 16

/** Looks at every scalar of a small aggregate: is one a float, or not at a multiple of its size? */
function inspect(
  set: TypeSet,
  type: number,
  offset: number,
  depth: number,
  look: { unaligned: boolean; float: boolean; align: number },
): void {
  const id = skipModifiers(set, type)
  const kind = set.kindNumberOf(id)
  if (kind === KIND_FLOAT) look.float = true
  if (depth > MOST_NESTING) return
  if (isComposite(kind)) {
    const struct = decodeType(set, id)
    if (struct.kind !== 'STRUCT' && struct.kind !== 'UNION') return
    for (const member of struct.members) {
      if (member.bits === 0) inspect(set, member.type, offset + member.bitOffset / 8, depth + 1, look)
    }
  } else if (kind === KIND_ARRAY) {
    const element = set.word(id, 3)
    const stride = sizeOf(set, element) ?? 0
    const count = stride === 0 ? 0 : Math.min(set.word(id, 5), MOST_NESTING)
    for (let i = 0; i < count; i++) inspect(set, element, offset + i * stride, depth + 1, look)
  } else if (offset % (alignOf(set, id) ?? 1) !== 0) look.unaligned = true
  // `alignOf` goes by libbpf's rule, which knows no alignment beyond a pointer's; __int128 has 16.
  else if (kind === KIND_INT && set.refOf(id) === 16) look.align = 16
}

function formatOf(set: TypeSet, type: number): string | undefined {
  const decoded = decodeType(set, skipModifiers(set, type))
  if (isEnumType(decoded)) return decoded.size > 8 ? undefined : `${decoded.signed ? 's' : 'u'}${decoded.size * 8}`
  switch (decoded.kind) {
    case 'PTR':
      return `x${(sizeOf(set, decoded.id) ?? 8) * 8}`
    case 'INT':
      return decoded.size > 8 ? undefined : `${decoded.encoding === 'signed' ? 's' : 'u'}${decoded.size * 8}`
    default:
      return undefined
  }
}
