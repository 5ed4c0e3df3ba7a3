// A type as the page shows it: its layout with what each member is made of, C, raw, who uses it, and how it differs elsewhere.

import { diffTypes } from '../btf/ask/diff.ts'
import { type LaidOutMember, type Layout, layoutOf } from '../btf/ask/layout.ts'
import { isEnum, KEYWORD_KINDS, type KindName, keywordOf } from '../btf/kinds.ts'
import { plainDeclarations } from '../btf/print/c-declare.ts'
import { printLayout } from '../btf/print/layout.ts'
import { rawType } from '../btf/print/raw.ts'
import { alignOf, sizeOf } from '../btf/read/sizes.ts'
import { decodeType, isEnumType } from '../btf/read/type.ts'
import type { TypeSet } from '../btf/read/type-set.ts'
import type { Types } from '../btf/types.ts'
import type { DiffAnswer, LayoutAnswer, MemberAnswer, TypeAnswer, TypeRef } from './answers.ts'
import { notFound } from './http-error.ts'

/** Candidates of one name that are listed: some names are in hundreds of modules. */
const MOST_CANDIDATES = 200
/** Characters of raw or C that are sent. */
const MOST_TEXT = 1 << 20
/** Pointers, arrays and qualifiers around a named type. */
const MOST_STEPS = 64

/** Which type is asked for: by its place, or the first of a name. */
export interface TypeQuestion {
  readonly name: string | undefined
  readonly module: string | undefined
  readonly kind: string | undefined
  readonly id: number | undefined
}

/** The order in which kinds of one name are preferred: definitions before what refers to them. */
const RANK: readonly string[] = [
  'STRUCT',
  'UNION',
  ...KEYWORD_KINDS.enum,
  'TYPEDEF',
  'INT',
  'FLOAT',
  'FUNC',
  'VAR',
  'DATASEC',
  'FWD',
]

/** The types that a question may mean, the likeliest first. */
function candidatesOf(types: Types, { name, module, kind, id }: TypeQuestion): TypeRef[] {
  if (id !== undefined && module !== undefined) {
    const set = types.requireSet(module)
    if (id < 1 || id >= set.endId) throw notFound(`${module} has no type ${id}`)
    const own = { module, id, kind: set.kindOf(id), name: set.nameOf(id) }
    const others = own.name === '' ? [] : types.find(own.name).filter((one) => one.id !== id || one.module !== module)
    return [own, ...others]
  }
  const found = types.find(name ?? '', module === undefined ? {} : { module })
  const rank = (one: TypeRef) => (one.kind === kind?.toUpperCase() ? -1 : RANK.indexOf(one.kind))
  return found.map((one) => ({ ...one })).sort((a, b) => rank(a) - rank(b))
}

/** @throws HttpError 404 */
export function describeType(types: Types, question: TypeQuestion): TypeAnswer {
  const candidates = candidatesOf(types, question)
  const [type] = candidates
  if (type === undefined) throw notFound(`there is no type ${question.name ?? ''}`)
  const set = types.requireSet(type.module)
  const decoded = decodeType(set, type.id)
  const layout = decoded.kind === 'STRUCT' || decoded.kind === 'UNION' ? layoutOf(set, type.id) : undefined
  const target =
    decoded.kind === 'TYPEDEF' || decoded.kind === 'VAR' || decoded.kind === 'FUNC' ? decoded.type : undefined
  return {
    type,
    size: sizeOf(set, type.id) ?? null,
    align: alignOf(set, type.id) ?? null,
    candidates: candidates.slice(0, MOST_CANDIDATES),
    ...(layout && { layout: { ...layoutAnswer(set, layout), totals: totalsOf(layout) } }),
    ...(isEnumType(decoded) && { values: decoded.values.map(({ name, value }) => ({ name, value: String(value) })) }),
    ...(target !== undefined && { of: { declaration: declared(set, target), ...withRef(set, target) } }),
    c: cText(set, type, layout),
    raw: cut([...rawType(set, type.id)].join('')),
  }
}

function totalsOf({ members, memberBytes, memberBits, holes, holeBytes, bitHoles, holeBits, cacheLines }: Layout) {
  return { members: members.length, memberBytes, memberBits, holes, holeBytes, bitHoles, holeBits, cacheLines }
}

function layoutAnswer(set: TypeSet, { kind, size, hole, padding, bitPadding, members }: Layout): LayoutAnswer {
  return { kind, size, hole, padding, bitPadding, members: members.map((member) => memberAnswer(set, member)) }
}

function memberAnswer(set: TypeSet, member: LaidOutMember): MemberAnswer {
  const { name, declaration, offset, size, bitfield, bitHole, hole, nested, type } = member
  return {
    ...{ name, declaration, offset, size, bitHole, hole },
    ...(bitfield && { bitfield }),
    ...(nested ? { nested: layoutAnswer(set, nested) } : withRef(set, type)),
  }
}

function declared(set: TypeSet, id: number): string {
  return plainDeclarations(set).declare(id, '').replace(/\s+/g, ' ')
}

function withRef(set: TypeSet, id: number): { readonly ref?: TypeRef } {
  const ref = namedBehind(set, id)
  return ref === undefined ? {} : { ref }
}

/** The named type that a declaration is made of; undefined for numbers, void and functions. */
export function namedBehind(set: TypeSet, id: number): TypeRef | undefined {
  let at = id
  for (let step = 0; step < MOST_STEPS; step++) {
    const type = decodeType(set, at)
    if (keywordOf(type.kind) !== undefined || type.kind === 'TYPEDEF' || type.kind === 'FWD') {
      if (type.name === '') return undefined
      return { module: set.owner(at)?.name ?? set.name, id: at, kind: type.kind, name: type.name }
    }
    switch (type.kind) {
      case 'PTR':
      case 'CONST':
      case 'VOLATILE':
      case 'RESTRICT':
      case 'TYPE_TAG':
      case 'ARRAY':
        at = type.type
        break
      default:
        return undefined
    }
  }
  return undefined
}

function cText(set: TypeSet, { id, kind, name }: TypeRef, layout: Layout | undefined): string {
  const declarations = plainDeclarations(set)
  if (layout !== undefined) return cut(printLayout(set, id))
  if (isEnum(set.kindNumberOf(id))) return cut(`${declarations.enumDefinition(id, 0)};`)
  switch (kind) {
    case 'TYPEDEF':
      return `${declarations.typedef(id)};`
    case 'FUNC':
    case 'VAR':
      return `${declarations.declare(set.refOf(id), name)};`
    case 'FWD':
      return `${declarations.forward(id)};`
    default:
      return name
  }
}

function cut(text: string): string {
  return text.length <= MOST_TEXT
    ? text
    : `${text.slice(0, MOST_TEXT)}\n… and ${text.length - MOST_TEXT} more characters`
}

/** How types of one name, kind and module differ in another table, member by member. */
export function diffAnswer(here: Types, there: Types, other: string, { module, kind, name }: TypeRef): DiffAnswer {
  const options = { name, kind: kind as KindName, module }
  const changes = [...diffTypes(here, there, options)].map(({ change, module: of, details }) => ({
    change,
    module: of,
    details,
  }))
  const has = (types: Types) => types.find(name, { module, kind: options.kind }).length > 0
  return { with: other, changes, here: has(here), there: has(there) }
}
