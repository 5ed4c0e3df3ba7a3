// Which symbols and modules the names of a specification mean.

import { compileGlob, isGlob } from '../core/glob.ts'
import { isKernelOrModule, type ProbeContext } from './context.ts'
import { functionOf } from './function-symbol.ts'
import { placeReasons } from './place.ts'
import type { ProbeSpec } from './spec.ts'
import type { SuffixedSymbol } from './suffix-index.ts'

/** Text symbols of a name in the modules that are meant; those that are no functions only if there is nothing else. */
export function functionsMeant(context: ProbeContext, name: string, module: string | undefined): number[] {
  const wanted = moduleMatcher(module)
  const { symbols } = context
  const ids = context.functionsNamed(name).filter((id) => wanted(symbols.ownerOf(id)))
  if (ids.length < 2) return ids
  const good = ids.filter((id) => placeReasons(context, functionOf(context, id)).length === 0)
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
  const options = spec.module === undefined ? {} : { owner: spec.module }
  for (const id of symbols.scan(spec.function, { ...options, kinds: 'text' })) {
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
