// The facts of a type in words, part by part: two types are the same if all their facts are.

import { decodeType, isEnumType } from '../read/type.ts'
import type { TypeSet } from '../read/type-set.ts'
import { plainDeclarations } from './c-declare.ts'

/** A part of a type as text, under a name that says which part it is. */
export interface Fact {
  readonly what: 'size' | 'member' | 'param' | 'returns' | 'value' | 'type'
  readonly name: string
  readonly text: string
}

/** The facts of a type, part by part. */
export function factsOf(set: TypeSet, id: number): Fact[] {
  const type = decodeType(set, id)
  const declare = (target: number): string => plainDeclarations(set).declare(target, '').replace(/\s+/g, ' ')
  if (isEnumType(type)) {
    return [
      { what: 'size', name: '', text: String(type.size) },
      ...type.values.map(({ name, value }): Fact => ({ what: 'value', name, text: String(value) })),
    ]
  }
  switch (type.kind) {
    case 'STRUCT':
    case 'UNION':
      return [{ what: 'size', name: '', text: String(type.size) }, ...members(set, id, 0, 0)]
    case 'FUNC': {
      const proto = decodeType(set, type.type)
      if (proto.kind !== 'FUNC_PROTO') return []
      const params = proto.params.map(({ name, type: param }, i): Fact => {
        return { what: 'param', name: name || `#${i}`, text: `${i}: ${declare(param)}` }
      })
      const rest: Fact[] = proto.variadic ? [{ what: 'param', name: '...', text: `${params.length}: ...` }] : []
      return [{ what: 'returns', name: '', text: declare(proto.returnType) }, ...params, ...rest]
    }
    case 'TYPEDEF':
    case 'VAR':
      return [{ what: 'type', name: '', text: declare(type.type) }]
    default:
      return []
  }
}

/** Deepest nesting of anonymous structs that is looked into. */
const MAX_NESTING = 32

/** Named members with place and type; those of anonymous structs and unions as if they were the outer struct's. */
function members(set: TypeSet, id: number, start: number, depth: number): Fact[] {
  const type = decodeType(set, id)
  if ((type.kind !== 'STRUCT' && type.kind !== 'UNION') || depth > MAX_NESTING) return []
  return type.members.flatMap((member): Fact[] => {
    const at = start + member.bitOffset
    if (member.name === '') return members(set, member.type, at, depth + 1)
    const bits = member.bits > 0 ? `:${member.bits}` : ''
    const place = at % 8 === 0 && bits === '' ? `${at / 8}` : `${Math.floor(at / 8)}.${at % 8}${bits}`
    const text = plainDeclarations(set).declare(member.type, '').replace(/\s+/g, ' ')
    return [{ what: 'member', name: member.name, text: `${place}: ${text}` }]
  })
}
