// Paths to members, such as `task_struct.mm.pgd` or `sk_buff.cb[3]`, to offsets and types.

import { meant } from '../../core/arguments.ts'
import { LimitError, NotFoundError, UsageError } from '../../core/errors.ts'
import { sayingAs } from '../../core/explain.ts'
import { printable } from '../../core/printable.ts'
import { MAX_DEPTH } from '../format.ts'
import { keywordOf } from '../kinds.ts'
import { plainDeclarations } from '../print/c-declare.ts'
import { sizeOf } from '../read/sizes.ts'
import { decodeType, type Member, skipModifiers, type Type } from '../read/type.ts'
import type { TypeSet } from '../read/type-set.ts'

/** One step of a path: a member's name or an index. */
export type PathStep = string | number

/** A path taken apart: the name of a type and the steps from it. */
export interface MemberPath {
  readonly root: string
  /** `struct`, `union` or `enum` if the path says so. */
  readonly keyword: string | undefined
  readonly steps: readonly PathStep[]
}

/** Where a path leads. */
export interface MemberPlace {
  /** The set whose type the path starts from. */
  readonly module: string
  /** Bytes from the start of the object the member lies in: after a pointer in the path, of what it points to. */
  readonly offset: number
  /** The same in bits; only a bitfield's is not 8 × offset. */
  readonly bitOffset: number
  /** Width of a bitfield in bits; 0 otherwise. */
  readonly bits: number
  /** Bytes of the member's type; 0 where it has none, such as a flexible array. */
  readonly size: number
  /** The type in C. */
  readonly type: string
  readonly typeId: number
  /** Offsets at which pointers must be followed first, each in the object the one before leads to. */
  readonly through: readonly number[]
}

/**
 * Takes a path apart. `->` is read as `.`.
 * @throws UsageError if it is not a type's name followed by members and indexes.
 */
export function parsePath(path: string): MemberPath {
  const match = /^\s*(?:(struct|union|enum)\s+)?([A-Za-z_][\w$]*)(.*)$/s.exec(path)
  const [, keyword, root, tail] = match ?? []
  if (root === undefined || tail === undefined) throw new UsageError(`${path}: a path begins with a type's name`)
  const steps: PathStep[] = []
  const token = /\s*(?:(?:\.|->)\s*([A-Za-z_][\w$]*)|\[\s*(\d+|0[xX][\da-fA-F]+)\s*\])\s*/y
  while (token.lastIndex < tail.length) {
    const at = token.lastIndex
    const step = token.exec(tail)
    if (!step) throw new UsageError(`${path}: cannot read ${tail.slice(at)}; write .member or [index]`)
    steps.push(step[1] ?? Number(step[2]))
  }
  return { root, steps, keyword }
}

/** A member found in a struct, maybe inside anonymous ones: its offset counts from the outer struct. */
interface Found {
  readonly member: Member
  readonly bitOffset: number
}

/** Finds a member by name, looking into anonymous structs and unions as C does. */
export function findMember(set: TypeSet, id: number, name: string, depth = 0): Found | undefined {
  const type = decodeType(set, id)
  if ((type.kind !== 'STRUCT' && type.kind !== 'UNION') || depth > MAX_DEPTH) return undefined
  for (const member of type.members) {
    if (member.name === name) return { member, bitOffset: member.bitOffset }
    if (member.name !== '') continue
    const inner = findMember(set, skipModifiers(set, member.type), name, depth + 1)
    if (inner) return { member: inner.member, bitOffset: member.bitOffset + inner.bitOffset }
  }
  return undefined
}

/** The names of the members that `findMember` looks through. */
export function* memberNames(set: TypeSet, id: number, depth = 0): Generator<string> {
  const type = decodeType(set, id)
  if ((type.kind !== 'STRUCT' && type.kind !== 'UNION') || depth > MAX_DEPTH) return
  for (const member of type.members) {
    if (member.name !== '') yield member.name
    else yield* memberNames(set, skipModifiers(set, member.type), depth + 1)
  }
}

/** Names that are compared with one that is not there: a hostile struct nests as many as it likes. */
const MOST_COMPARED = 4_096

function nearMember(set: TypeSet, id: number, name: string): string {
  const names: string[] = []
  for (const each of memberNames(set, id)) {
    if (names.length >= MOST_COMPARED) break
    names.push(each)
  }
  return meant(name, names)
}

/**
 * Follows steps from a type.
 * @throws NotFoundError naming the step that leads nowhere; UsageError for an index out of bounds.
 */
export function resolveSteps(set: TypeSet, rootId: number, steps: readonly PathStep[]): MemberPlace {
  let id = rootId
  let bitOffset = 0
  let bits = 0
  const through: number[] = []
  if (steps.length > 1000) throw new LimitError('a path of more than 1000 steps')
  for (const step of steps) {
    let type = decodeType(set, skipModifiers(set, id))
    if (type.kind === 'PTR') {
      // A member of what is pointed to; an index counts from there too.
      through.push(Math.floor(bitOffset / 8))
      bitOffset = 0
      const target: number = type.type
      type = decodeType(set, skipModifiers(set, target))
      if (typeof step === 'number') {
        id = target
        bitOffset = 8 * step * elementSize(set, target, step)
        bits = 0
        continue
      }
    }
    if (typeof step === 'number') {
      if (type.kind !== 'ARRAY') throw new NotFoundError(`[${step}]: ${describe(type)} is not an array`)
      if (type.count > 0 && step >= type.count) {
        throw new UsageError(`[${step}] lies outside an array of ${type.count} elements`)
      }
      bitOffset += 8 * step * elementSize(set, type.type, step)
      id = type.type
      bits = 0
    } else {
      const found = findMember(set, type.id, step)
      if (!found) throw new NotFoundError(`${describe(type)} has no member ${step}${nearMember(set, type.id, step)}`)
      bitOffset += found.bitOffset
      id = found.member.type
      bits = found.member.bits
    }
  }
  return telling({
    module: set.name,
    offset: Math.floor(bitOffset / 8),
    bitOffset,
    bits,
    size: sizeOf(set, id) ?? 0,
    type: plainDeclarations(set).declare(id, ''),
    typeId: id,
    through,
  })
}

/** `offset 8, size 16, struct list_head`. */
const telling = sayingAs<MemberPlace>(({ offset, bitOffset, bits, size, type }) => {
  const width = bits > 0 ? `, bits ${bitOffset - 8 * offset}+${bits}` : ''
  return printable(`offset ${offset}${width}, size ${size}, ${type.replace(/\s+/g, ' ')}`)
})

function elementSize(set: TypeSet, id: number, step: number): number {
  const size = sizeOf(set, id)
  if (size === undefined) throw new NotFoundError(`[${step}]: the element type has no size`)
  return size
}

function describe(type: Type): string {
  const keyword = keywordOf(type.kind) ?? type.kind
  const where = type.kind === 'FWD' ? ' (declared but not defined here)' : ''
  return `${keyword} ${type.name === '' ? '(anonymous)' : type.name}${where}`
}
