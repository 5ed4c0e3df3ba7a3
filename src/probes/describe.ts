// A symbol as BTF describes it: which FUNC is its own, how far the arguments can be trusted, and the symbol as a candidate.

import type { TypeSet } from '../btf/read/type-set.ts'
import { protoOf } from './arguments.ts'
import type { ProbeContext } from './context.ts'
import { splitSuffix, type Trust, trustOf } from './suffix.ts'

/** A FUNC by its set and id. */
export interface FuncRef {
  readonly set: TypeSet
  readonly id: number
}

/** Another function that may have been meant. */
export interface Candidate {
  readonly function: string
  readonly module: string
  readonly address: bigint
  /** How far its arguments are those of the name that was asked for. */
  readonly trusted: Trust
  /** It is the entry of a function, so that a probe counts its calls. */
  readonly entry: boolean
}

/** The FUNCs of a name in a set, less those whose prototype differs from an earlier one's only in names of parameters. */
export function differentFuncs(set: TypeSet, name: string): number[] {
  const ids = set.idsNamed(name, 'FUNC')
  if (ids.length < 2) return ids
  const seen = new Set<string>()
  return ids.filter((id) => {
    const proto = protoOf(set, id)
    // Types are deduplicated, so that the same ones have the same ids.
    const types = proto === undefined ? String(id) : [proto.returnType, ...proto.params.map(({ type }) => type)].join()
    return !seen.has(types) && seen.add(types)
  })
}

/**
 * The FUNC of a symbol's own name, or else of its base name, in its owner's BTF; none where several have the name, because
 * nothing says which describes the symbol.
 */
export function funcOf(context: ProbeContext, id: number): FuncRef | undefined {
  const set = context.typeSet(context.symbols.ownerOf(id))
  if ('code' in set) return undefined
  const name = context.symbols.nameOf(id)
  let found = differentFuncs(set, name)
  if (found.length === 0) {
    const { base, class: kind } = splitSuffix(name)
    if (kind === 'variant' || kind === 'fragment') found = differentFuncs(set, base)
  }
  return found.length === 1 ? { set, id: found[0]! } : undefined
}

/** How far a function's arguments are those of the FUNC that was found for it. */
export function trustIn(context: ProbeContext, name: string, func: FuncRef | undefined): Trust {
  const found = func === undefined ? '' : func.set.nameOf(func.id)
  const btf = { exact: found === name, base: found !== '' && found !== name }
  const trust = trustOf(splitSuffix(name), btf, context.facts.clang)
  // Of several functions of one name, BTF describes one: it does not say which.
  const several = trust === 'yes' && context.functionsNamed(name, func?.set.name).length > 1
  return several ? 'likely' : trust
}

/** A symbol as something that may have been meant. */
export function candidateOf(context: ProbeContext, id: number): Candidate {
  const { symbols } = context
  const name = symbols.nameOf(id)
  const { class: kind } = splitSuffix(name)
  return {
    function: name,
    module: symbols.ownerOf(id),
    address: symbols.addressOf(id),
    trusted: trustIn(context, name, funcOf(context, id)),
    entry: kind !== 'fragment' && kind !== 'label',
  }
}

/** Variants of a symbol's function that are entered on their own: calls through them miss a probe on the symbol. */
export function variantsBeside(context: ProbeContext, id: number): Candidate[] {
  const { symbols, suffixes } = context
  const name = symbols.nameOf(id)
  const owner = symbols.ownerOf(id)
  const { base } = splitSuffix(name)
  const own = name === base ? [] : context.functionsNamed(base, owner)
  const others = suffixes.of(base).filter(({ parts }) => parts.class === 'variant')
  return [...own, ...others.map((other) => other.id)]
    .filter((other) => other !== id && symbols.ownerOf(other) === owner)
    .map((other) => candidateOf(context, other))
}
