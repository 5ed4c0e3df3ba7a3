// Whether two types are compatible (type_exists and its like) or match (type_matches) in the sense of CO-RE.

import { LimitError } from '../../core/errors.ts'
import {
  infoFlag,
  KIND_ARRAY,
  KIND_ENUM,
  KIND_FUNC_PROTO,
  KIND_FWD,
  KIND_INT,
  KIND_PTR,
  KIND_STRUCT,
  KIND_UNION,
  KIND_VOID,
  MAX_DEPTH,
} from '../format.ts'
import { isEnum, plainKind } from '../kinds.ts'
import { essentialName } from '../read/flavour.ts'
import { memberAt, skipModifiers } from '../read/type.ts'
import type { TypeSet } from '../read/type-set.ts'
import { enumeratorName, intOffset, sameKind } from './core-spec.ts'

/** Two types, one of the program and one of the kernel. */
export interface TypePair {
  readonly local: TypeSet
  readonly localId: number
  readonly target: TypeSet
  readonly targetId: number
}

const tooDeep = (): never => {
  throw new LimitError(`types nested more than ${MAX_DEPTH} levels deep cannot be compared`)
}

/** The pair behind modifiers. */
function skip(pair: TypePair, localId: number, targetId: number): TypePair {
  return { ...pair, localId: skipModifiers(pair.local, localId), targetId: skipModifiers(pair.target, targetId) }
}

/**
 * Whether two types of the same essential name are compatible: the same kind, and for pointers, arrays and prototypes
 * what they refer to as well. @throws LimitError if they are nested too deep.
 */
export function typesCompatible(roots: TypePair, level = MAX_DEPTH): boolean {
  if (!sameKind(roots.local.kindNumberOf(roots.localId), roots.target.kindNumberOf(roots.targetId))) return false
  let pair = roots
  for (let depth = 0; depth < MAX_DEPTH; depth++) {
    pair = skip(pair, pair.localId, pair.targetId)
    const { local, localId, target, targetId } = pair
    const kind = local.kindNumberOf(localId)
    if (!sameKind(kind, target.kindNumberOf(targetId))) return false
    switch (plainKind(kind)) {
      case KIND_VOID:
      case KIND_STRUCT:
      case KIND_UNION:
      case KIND_ENUM:
      case KIND_FWD:
        return true
      case KIND_INT:
        return intOffset(local, localId) === 0 && intOffset(target, targetId) === 0
      case KIND_PTR:
        pair = { ...pair, localId: local.refOf(localId), targetId: target.refOf(targetId) }
        break
      case KIND_ARRAY:
        pair = { ...pair, localId: local.word(localId, 3), targetId: target.word(targetId, 3) }
        break
      case KIND_FUNC_PROTO: {
        const count = local.vlenOf(localId)
        if (count !== target.vlenOf(targetId)) return false
        if (count > 0 && level <= 0) tooDeep()
        for (let i = 0; i < count; i++) {
          const params = skip(pair, local.word(localId, 4 + 2 * i), target.word(targetId, 4 + 2 * i))
          if (!typesCompatible(params, level - 1)) return false
        }
        pair = { ...pair, localId: local.refOf(localId), targetId: target.refOf(targetId) }
        break
      }
      default:
        return false
    }
  }
  return tooDeep()
}

function namesMatch(local: string, target: string): boolean {
  return target === '' ? local === '' : essentialName(local) === essentialName(target)
}

/**
 * Whether a kernel type matches one of the program: every member or enumerator of the local type exists in it with a
 * matching type. Behind a pointer only names and kinds count. @throws LimitError if they are nested too deep.
 */
export function typesMatch(roots: TypePair, behindPointer = false, level = MAX_DEPTH): boolean {
  if (level <= 0) tooDeep()
  let pair = roots
  let pointer = behindPointer
  for (let depth = 0; depth < MAX_DEPTH; depth++) {
    pair = skip(pair, pair.localId, pair.targetId)
    const { local, localId, target, targetId } = pair
    if (!namesMatch(local.nameOf(localId), target.nameOf(targetId))) return false
    const kind = local.kindNumberOf(localId)
    const other = target.kindNumberOf(targetId)
    switch (plainKind(kind)) {
      case KIND_VOID:
        return other === KIND_VOID
      case KIND_FWD:
        return forwardMatches(pair, other, pointer)
      case KIND_ENUM:
        return isEnum(other) && enumsMatch(pair)
      case KIND_STRUCT:
      case KIND_UNION:
        if (kind === other) return pointer || membersMatch(pair, pointer, level)
        return pointer && other === KIND_FWD && (kind === KIND_UNION) === infoFlag(target.word(targetId, 1))
      case KIND_INT:
        return other === KIND_INT && local.refOf(localId) === target.refOf(targetId) && sameSign(pair)
      case KIND_PTR:
        if (other !== KIND_PTR) return false
        pointer = true
        pair = { ...pair, localId: local.refOf(localId), targetId: target.refOf(targetId) }
        break
      case KIND_ARRAY:
        if (other !== KIND_ARRAY || local.word(localId, 5) !== target.word(targetId, 5)) return false
        pair = { ...pair, localId: local.word(localId, 3), targetId: target.word(targetId, 3) }
        break
      case KIND_FUNC_PROTO: {
        if (other !== KIND_FUNC_PROTO || local.vlenOf(localId) !== target.vlenOf(targetId)) return false
        for (let i = 0; i < local.vlenOf(localId); i++) {
          const params = {
            ...pair,
            localId: local.word(localId, 4 + 2 * i),
            targetId: target.word(targetId, 4 + 2 * i),
          }
          if (!typesMatch(params, pointer, level - 1)) return false
        }
        pair = { ...pair, localId: local.refOf(localId), targetId: target.refOf(targetId) }
        break
      }
      default:
        return false
    }
  }
  return tooDeep()
}

function sameSign({ local, localId, target, targetId }: TypePair): boolean {
  const signed = 1 << 24
  return (local.word(localId, 3) & signed) === (target.word(targetId, 3) & signed)
}

function forwardMatches({ local, localId, target, targetId }: TypePair, other: number, pointer: boolean): boolean {
  const isUnion = infoFlag(local.word(localId, 1))
  if (other === KIND_FWD) return isUnion === infoFlag(target.word(targetId, 1))
  return pointer && other === (isUnion ? KIND_UNION : KIND_STRUCT)
}

function enumsMatch({ local, localId, target, targetId }: TypePair): boolean {
  if (local.refOf(localId) !== target.refOf(targetId)) return false
  if (local.vlenOf(localId) > target.vlenOf(targetId)) return false
  const names = new Set<string>()
  for (let i = 0; i < target.vlenOf(targetId); i++) names.add(essentialName(enumeratorName(target, targetId, i)!))
  for (let i = 0; i < local.vlenOf(localId); i++) {
    if (!names.has(essentialName(enumeratorName(local, localId, i)!))) return false
  }
  return true
}

function membersMatch(pair: TypePair, pointer: boolean, level: number): boolean {
  const { local, localId, target, targetId } = pair
  const count = target.vlenOf(targetId)
  if (local.vlenOf(localId) > count) return false
  for (let i = 0; i < local.vlenOf(localId); i++) {
    const member = memberAt(local, localId, i)
    let found = false
    for (let j = 0; j < count && !found; j++) {
      const other = memberAt(target, targetId, j)
      if (!namesMatch(member.name, other.name)) continue
      found = typesMatch({ ...pair, localId: member.type, targetId: other.type }, pointer, level - 1)
    }
    if (!found) return false
  }
  return true
}
