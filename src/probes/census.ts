// How many functions a kernel has with each compiler suffix, and for how many BTF knows the function they came from.

import { KIND_FUNC } from '../btf/format.ts'
import type { ProbeContext } from './context.ts'
import type { SuffixPart } from './suffix.ts'

/** One combination of suffixes, such as `constprop.isra`. */
export interface SuffixClass {
  readonly suffix: string
  readonly count: number
  /** Different names. */
  readonly names: number
  /** Symbols whose base name, or whole name, is a FUNC of their owner's BTF. */
  readonly withBtf: number
  readonly withoutBtf: number
  /** Whether such a symbol is the entry of a function. */
  readonly entry: boolean
}

/** A kernel's suffixes. */
export interface SuffixCensus {
  readonly classes: readonly SuffixClass[]
  /** For `isra` and `constprop`: every name that has that suffix, in whatever combination without `cold`. */
  readonly totals: Readonly<Record<'isra' | 'constprop', { readonly count: number; readonly withBtf: number }>>
  /** Different names of entries with `isra` or `constprop`. */
  readonly variantNames: number
  /** Names of entries with a suffix whose base also is a function: a probe on the base alone misses them. */
  readonly besideBase: number
  /** Labels of assembler code: they begin with a dot. */
  readonly labels: readonly string[]
  /** Dotted names with no suffix that a compiler appends to functions. */
  readonly others: number
  /** FUNCs of vmlinux without a symbol of their name, and how many of those exist with a suffix only. */
  readonly withoutSymbol: { readonly functions: number; readonly suffixOnly: number } | undefined
}

/** Counts a kernel's suffixes. Opens the types of vmlinux and of every module that has such a symbol. */
export function takeCensus(context: ProbeContext): SuffixCensus {
  const { symbols, suffixes } = context
  const classes = new Map<string, { count: number; names: Set<string>; withBtf: number; entry: boolean }>()
  const totals = { isra: { count: 0, withBtf: 0 }, constprop: { count: 0, withBtf: 0 } }
  const variantNames = new Set<string>()
  const besideBase = new Set<string>()
  const labels: string[] = []
  let others = 0
  for (const { id, name, parts } of suffixes.all) {
    if (parts.class === 'label') labels.push(name)
    else if (parts.class === 'other') others++
    if (parts.parts.length === 0) continue
    const key = parts.parts.join('.')
    const entry = parts.class === 'variant'
    let kind = classes.get(key)
    if (kind === undefined) {
      kind = { count: 0, names: new Set(), withBtf: 0, entry }
      classes.set(key, kind)
    }
    const owner = symbols.ownerOf(id)
    const known = hasFunc(context, owner, parts.base) || hasFunc(context, owner, name)
    kind.count++
    kind.names.add(name)
    if (known) kind.withBtf++
    for (const part of ['isra', 'constprop'] satisfies SuffixPart[]) {
      if (!parts.parts.includes(part) || parts.parts.includes('cold')) continue
      totals[part].count++
      if (known) totals[part].withBtf++
      if (entry) variantNames.add(name)
    }
    if (!entry) continue
    if (context.functionsNamed(parts.base, owner).length > 0) besideBase.add(`${owner}:${name}`)
  }
  return {
    classes: [...classes]
      .map(([suffix, { count, names, withBtf, entry }]) => ({
        suffix,
        count,
        names: names.size,
        withBtf,
        withoutBtf: count - withBtf,
        entry,
      }))
      .sort((a, b) => b.count - a.count || (a.suffix < b.suffix ? -1 : 1)),
    totals,
    variantNames: variantNames.size,
    besideBase: besideBase.size,
    labels,
    others,
    withoutSymbol: countWithoutSymbol(context),
  }
}

function hasFunc(context: ProbeContext, module: string, name: string): boolean {
  const set = context.typeSet(module)
  return !('code' in set) && set.idsNamed(name, 'FUNC').length > 0
}

function countWithoutSymbol(context: ProbeContext): { functions: number; suffixOnly: number } | undefined {
  const set = context.typeSet('vmlinux')
  if ('code' in set) return undefined
  let functions = 0
  let suffixOnly = 0
  for (let id = set.firstId; id < set.endId; id++) {
    if (set.kindNumberOf(id) !== KIND_FUNC) continue
    const name = set.nameOf(id)
    if (context.symbols.named(name, { owner: 'vmlinux' }).length > 0) continue
    functions++
    if (context.suffixes.of(name).some(({ id: other }) => context.symbols.ownerOf(other) === 'vmlinux')) suffixOnly++
  }
  return { functions, suffixOnly }
}
