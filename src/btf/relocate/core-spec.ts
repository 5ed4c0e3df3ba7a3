// What a CO-RE relocation refers to: an access string such as `0:1:2` parsed against the program's own types, and the same
// access found in a type of the kernel. The rules are libbpf's, whose relo_core.c the kernel shares.

import { BadFormatError, LimitError } from '../../core/errors.ts'
import { KIND_ARRAY, KIND_ENUM, KIND_FLOAT, KIND_FWD, KIND_INT, KIND_PTR } from '../format.ts'
import { enumeratorWords, isComposite, isEnum, keywordOf, plainKind } from '../kinds.ts'
import { essentialName } from '../read/flavour.ts'
import { sizeOf } from '../read/sizes.ts'
import { type Member, memberAt, skipModifiers } from '../read/type.ts'
import type { TypeSet } from '../read/type-set.ts'

/** The kinds of relocation, by number (enum bpf_core_relo_kind). */
export const RELOCATION_KINDS = [
  'byte_off',
  'byte_sz',
  'field_exists',
  'signed',
  'lshift_u64',
  'rshift_u64',
  'local_type_id',
  'target_type_id',
  'type_exists',
  'type_size',
  'enumval_exists',
  'enumval_value',
  'type_matches',
] as const

export type RelocationKind = (typeof RELOCATION_KINDS)[number]

export const isFieldKind = (kind: RelocationKind): boolean => RELOCATION_KINDS.indexOf(kind) <= 5
export const isEnumKind = (kind: RelocationKind): boolean => kind === 'enumval_exists' || kind === 'enumval_value'

/** Most steps of an access, those through anonymous members included. */
const MAX_STEPS = 64

/** One meaningful step of an access: a named member, an enumerator or an index. */
export interface Accessor {
  /** The struct the member is of; for an index, the element's type. */
  readonly typeId: number
  readonly index: number
  readonly name?: string
}

/** An access in one set of types. */
export interface Spec {
  readonly set: TypeSet
  readonly rootId: number
  readonly accessors: Accessor[]
  /** Every step, as numbers, anonymous members included. */
  readonly steps: number[]
  bitOffset: number
}

/** Whether two types are of the same kind as far as relocations are concerned: all enums are. */
export function sameKind(a: number, b: number): boolean {
  return a === b || (isEnum(a) && isEnum(b))
}

/**
 * Parses an access string.
 * @throws BadFormatError if it does not fit the types, which the compiler that wrote both would not do.
 */
export function parseSpec(set: TypeSet, kind: RelocationKind, rootId: number, access: string): Spec {
  const spec: Spec = { set, rootId, accessors: [], steps: [], bitOffset: 0 }
  const fail = (why: string): never => {
    throw new BadFormatError(`access string ${JSON.stringify(access)} of [${rootId}] ${set.nameOf(rootId)}: ${why}`, {
      typeId: rootId,
    })
  }
  if (!isFieldKind(kind) && !isEnumKind(kind)) {
    // Relocations of whole types have no access to describe.
    return access === '0' ? spec : fail('a relocation of a type has the access string 0')
  }
  if (!/^\d+(:\d+)*$/.test(access)) fail('not numbers separated by colons')
  const steps = access.split(':').map(Number)
  if (steps.length > MAX_STEPS) fail(`more than ${MAX_STEPS} steps`)
  spec.steps.push(...steps)
  let id = skipModifiers(set, rootId)
  const first = steps[0]!
  if (isEnumKind(kind)) {
    if (!isEnum(set.kindNumberOf(id)) || steps.length > 1) fail('not an enumerator')
    spec.accessors.push({
      typeId: id,
      index: first,
      name: enumeratorName(set, id, first) ?? fail('no such enumerator'),
    })
    return spec
  }
  spec.accessors.push({ typeId: id, index: first })
  spec.bitOffset = 8 * first * (sizeOf(set, id) ?? fail('the type has no size'))
  for (const index of steps.slice(1)) {
    id = skipModifiers(set, id)
    const at = set.kindNumberOf(id)
    if (isComposite(at)) {
      if (index >= set.vlenOf(id)) fail(`no member ${index}`)
      const member = memberAt(set, id, index)
      spec.bitOffset += member.bitOffset
      if (member.name !== '') spec.accessors.push({ typeId: id, index, name: member.name })
      id = member.type
    } else if (at === KIND_ARRAY) {
      const element = skipModifiers(set, set.word(id, 3))
      if (!isFlexible(spec, id) && index >= set.word(id, 5)) fail(`[${index}] lies outside the array`)
      id = element
      spec.accessors.push({ typeId: id, index })
      spec.bitOffset += 8 * index * (sizeOf(set, id) ?? fail('the element has no size'))
    } else fail(`step into a ${set.kindOf(id)}`)
  }
  return spec
}

/** Whether an array has no bounds: it has no count and is the last member of its struct. */
function isFlexible(spec: Spec, arrayId: number): boolean {
  const last = spec.accessors.at(-1)
  if (!last || last.name === undefined || spec.set.word(arrayId, 5) > 0) return false
  return last.index === spec.set.vlenOf(last.typeId) - 1
}

/** The name of an enum's value. */
export function enumeratorName(set: TypeSet, id: number, index: number): string | undefined {
  if (index >= set.vlenOf(id)) return undefined
  return set.nameAt(set.word(id, 3 + enumeratorWords(set.kindNumberOf(id)) * index))
}

/** Finds an enumerator by essential name in a kernel type. */
export function matchEnumerator(local: Spec, set: TypeSet, targetId: number): Spec | undefined {
  const id = skipModifiers(set, targetId)
  if (!isEnum(set.kindNumberOf(id))) return undefined
  const wanted = essentialName(local.accessors[0]!.name ?? '')
  for (let index = 0; index < set.vlenOf(id); index++) {
    const name = enumeratorName(set, id, index)!
    if (essentialName(name) !== wanted) continue
    return { set, rootId: targetId, accessors: [{ typeId: id, index, name }], steps: [index], bitOffset: 0 }
  }
  return undefined
}

/**
 * Finds the access of a field in a kernel type.
 * @throws LimitError if the kernel type is nested too deep.
 */
export function matchField(local: Spec, set: TypeSet, targetId: number): Spec | undefined {
  const spec: Spec = { set, rootId: targetId, accessors: [], steps: [], bitOffset: 0 }
  let id = targetId
  for (const [i, accessor] of local.accessors.entries()) {
    id = skipModifiers(set, id)
    if (accessor.name !== undefined) {
      const localMember = memberAt(local.set, accessor.typeId, accessor.index)
      const member = matchMember(local.set, localMember, spec, id)
      if (!member) return undefined
      id = member.type
      continue
    }
    if (i > 0) {
      if (set.kindNumberOf(id) !== KIND_ARRAY) return undefined
      if (!isFlexible(spec, id) && accessor.index >= set.word(id, 5)) return undefined
      id = skipModifiers(set, set.word(id, 3))
    }
    pushStep(spec, accessor.index)
    spec.accessors.push({ typeId: id, index: accessor.index })
    const size = sizeOf(set, id)
    if (size === undefined) throw new BadFormatError(`[${id}] ${set.nameOf(id)} has no size`, { typeId: id })
    spec.bitOffset += 8 * accessor.index * size
  }
  return spec
}

function pushStep(spec: Spec, index: number): void {
  if (spec.steps.length === MAX_STEPS) throw new LimitError(`[${spec.rootId}] more than ${MAX_STEPS} steps deep`)
  spec.steps.push(index)
}

/** Finds a member of the same name, in anonymous members too, and adds the way to it to the spec. */
function matchMember(localSet: TypeSet, local: Member, spec: Spec, targetId: number): Member | undefined {
  const { set } = spec
  const id = skipModifiers(set, targetId)
  if (!isComposite(set.kindNumberOf(id))) return undefined
  for (let index = 0; index < set.vlenOf(id); index++) {
    const member = memberAt(set, id, index)
    if (member.name !== '' && member.name !== local.name) continue
    pushStep(spec, index)
    spec.bitOffset += member.bitOffset
    if (member.name === '') {
      const inner = matchMember(localSet, local, spec, member.type)
      if (inner) return inner
    } else {
      // The first member of that name decides, whether it fits or not.
      if (!fieldsCompatible(localSet, local.type, set, member.type)) return undefined
      spec.accessors.push({ typeId: id, index, name: member.name })
      return member
    }
    spec.bitOffset -= member.bitOffset
    spec.steps.pop()
  }
  return undefined
}

/** Whether a field may be read as if it had the other's type. Dimensions of arrays and sizes of ints do not matter. */
function fieldsCompatible(localSet: TypeSet, localType: number, set: TypeSet, targetType: number): boolean {
  let local = skipModifiers(localSet, localType)
  let target = skipModifiers(set, targetType)
  for (let depth = 0; depth <= MAX_STEPS; depth++) {
    const [a, b] = [localSet.kindNumberOf(local), set.kindNumberOf(target)]
    if (isComposite(a) && isComposite(b)) return true
    if (!sameKind(a, b)) return false
    switch (plainKind(a)) {
      case KIND_PTR:
      case KIND_FLOAT:
        return true
      case KIND_FWD:
      case KIND_ENUM: {
        const [x, y] = [essentialName(localSet.nameOf(local)), essentialName(set.nameOf(target))]
        return x === '' || y === '' || x === y
      }
      case KIND_INT:
        return intOffset(localSet, local) === 0 && intOffset(set, target) === 0
      case KIND_ARRAY:
        local = skipModifiers(localSet, localSet.word(local, 3))
        target = skipModifiers(set, set.word(target, 3))
        break
      default:
        return false
    }
  }
  return false
}

/** Bit offset of an INT: other than 0 only for the bitfields of old compilers. */
export const intOffset = (set: TypeSet, id: number): number => (set.word(id, 3) >>> 16) & 0xff

/** An access as people write it: `struct sk_buff.cb[3]`. */
export function describeSpec(spec: Spec): string {
  const { set, rootId } = spec
  const keyword = keywordOf(set.kindOf(rootId))
  let text = `${keyword === undefined ? '' : `${keyword} `}${set.nameOf(rootId) || '(anonymous)'}`
  spec.accessors.forEach((accessor, i) => {
    if (accessor.name === undefined) {
      if (i > 0 || accessor.index > 0) text += `[${accessor.index}]`
    } else text += isEnum(set.kindNumberOf(accessor.typeId)) ? `::${accessor.name}` : `.${accessor.name}`
  })
  return text
}
