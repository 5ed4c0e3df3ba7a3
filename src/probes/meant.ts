// Which symbols and modules the names of a specification mean, and which of them the kernel takes for a name.

import { compileGlob, isGlob } from '../core/glob.ts'
import { isKernelOrModule, type ProbeContext } from './context.ts'
import { COUNTS_IN_MODULE, COUNTS_MODULES, has, PREFERS_CORE, REFUSES_SAME_NAMES } from './kernel-rules.ts'
import { functionOf, isFunctionPlace } from './places.ts'
import type { ProbeSpec } from './spec.ts'
import type { SuffixedSymbol } from './suffix.ts'

/** Text symbols of a name in the modules that are meant; those that are no functions only if there is nothing else. */
export function functionsMeant(context: ProbeContext, name: string, module: string | undefined): number[] {
  const wanted = moduleMatcher(module)
  const { symbols } = context
  const ids = context.functionsNamed(name).filter((id) => wanted(symbols.ownerOf(id)))
  if (ids.length < 2) return ids
  const good = ids.filter((id) => isFunctionPlace(context, functionOf(context, id)))
  return good.length > 0 ? good : ids
}

/** The variants of the name in the modules that are meant: entries of functions, never fragments. */
export function variantsMeant(context: ProbeContext, spec: ProbeSpec): SuffixedSymbol[] {
  const wanted = moduleMatcher(spec.module)
  const { symbols, suffixes } = context
  return suffixes.of(spec.function).filter(({ id, parts }) => parts.class === 'variant' && wanted(symbols.ownerOf(id)))
}

/** Text symbols whose name and owner match the specification's globs; of the kernel and its modules only. */
export function* idsMeant(context: ProbeContext, spec: ProbeSpec): Generator<number> {
  const { symbols } = context
  const own = spec.module === undefined || isGlob(spec.module)
  for (const id of symbols.scan(spec.function, { owner: spec.module, kinds: 'text' })) {
    if (own && !isKernelOrModule(symbols.ownerOf(id))) continue
    yield id
  }
}

/** Whether an owner is one that is meant; without a module, any. */
export function moduleMatcher(module: string | undefined): (owner: string) => boolean {
  if (module === undefined) return () => true
  return isGlob(module) ? compileGlob(module) : (owner) => owner === module
}

/** vmlinux first, as the kernel searches. */
export function inOrder(modules: ReadonlySet<string>): string[] {
  return [...modules].sort((a, b) => Number(b === 'vmlinux') - Number(a === 'vmlinux'))
}

/** The symbol that kprobe events take for a name of several symbols. */
export interface Namesake {
  /** Whether they refuse it because it is not unique; undefined where that is not known. */
  readonly refused: boolean | undefined
  /** The symbol that is taken if they do not; undefined if there is none, or nothing tells which. */
  readonly first: number | undefined
}

/**
 * What kprobe events make of a name as it is written, bare or behind a module (validate_probe_symbol and before it
 * __trace_kprobe_create, kernel/trace/trace_kprobe.c; kallsyms_lookup_name). Symbols of every type count.
 */
export function namesakeOf(context: ProbeContext, name: string, module: string | undefined): Namesake {
  const { symbols, facts, leftOut } = context
  const all = context.idsNamed(name).filter((id) => isKernelOrModule(symbols.ownerOf(id)))
  const core = all.filter((id) => symbols.ownerOf(id) === 'vmlinux')
  const hidden = leftOut.data + leftOut.owners > 0
  if (module !== undefined && module !== 'vmlinux') {
    const own = all.filter((id) => symbols.ownerOf(id) === module)
    // A module's own table is searched in its own order, which the sorted table does not keep.
    const first = own.length === 1 ? own[0] : undefined
    const counts = symbols.named('validate_probe_symbol').length > 0 || has(facts.release, COUNTS_IN_MODULE)
    return { refused: own.length > 1 ? counts : hidden && counts !== false ? undefined : false, first }
  }
  const first = core[0] ?? (all.length === 1 ? all[0] : undefined)
  const counted = (coreOnly: boolean) => (coreOnly && core.length > 0 ? core.length : all.length)
  const least = counted(true)
  const most = counted(false)
  const refuses = has(facts.release, REFUSES_SAME_NAMES)
  if (least > 1) return { refused: refuses, first }
  if (most < 2) return { refused: hidden ? undefined : false, first }
  const prefers = has(facts.release, PREFERS_CORE)
  if (prefers === true) return { refused: hidden ? undefined : false, first }
  const modules = has(facts.release, COUNTS_MODULES)
  if (refuses === false || modules === false) return { refused: false, first }
  return { refused: prefers === false ? refuses && modules : undefined, first }
}
