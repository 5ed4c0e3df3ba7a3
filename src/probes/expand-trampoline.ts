// fentry, fexit and fmod_ret that are given by one name: found through BTF, with the symbol that the kernel takes for it.

import type { TypeSet } from '../btf/read/type-set.ts'
import { isGlob } from '../core/glob.ts'
import type { ProbeContext } from './context.ts'
import { differentFuncs } from './describe.ts'
import { atLeast, MODULES_TOLD_APART_SINCE } from './kernel-rules.ts'
import type { TrampolineKind } from './kinds.ts'
import { functionsMeant, inOrder, moduleMatcher, variantsMeant } from './meant.ts'
import { ambiguous, missing, withoutBtf } from './outcomes.ts'
import { functionOf } from './places.ts'
import type { Reason, Warning } from './reasons.ts'
import type { ProbeSpec } from './spec.ts'
import { type Home, type ProbeTarget, targetOf } from './target.ts'
import type { FunctionSymbol } from './traceable.ts'
import { trampolineReasons } from './trampoline-reasons.ts'

/** A FUNC with the symbols of its name in its module. */
interface FoundFunc {
  readonly set: TypeSet
  readonly funcId: number
  readonly ids: readonly number[]
}

/** The functions of a name that BTF describes. */
export function trampolineTargets(home: Home, spec: ProbeSpec, kind: TrampolineKind): ProbeTarget[] {
  const { context, settings } = home
  const { function: name, module } = spec
  const ids = functionsMeant(context, name, module)
  const variants = (ids.length > 0 ? [] : variantsMeant(context, spec)).map(({ id }) => id)
  const { funcs, without } = funcsNamed(context, spec, ids, variants)
  if (funcs.length === 0) {
    return [ids.length === 0 ? missing(home, spec, kind) : withoutBtf(home, spec, kind, ids, without)]
  }
  // A FUNC that has no symbol stands back where another has one.
  const found = funcs.filter((func) => func.ids.length > 0)
  const candidates = found.length > 0 ? found : funcs
  const policy = settings.ambiguous
  // Of several modules and FUNCs a loader takes the first, and of several symbols the kernel (kallsyms_lookup_name).
  const takesFirst = policy === 'first' || (policy === 'error' && settings.allow.has('AMBIGUOUS'))
  const chosen = takesFirst ? candidates.slice(0, 1) : candidates
  const everyModule = policy === 'all' || (module !== undefined && isGlob(module))
  if (chosen.length > 1 && !everyModule) {
    const all = chosen.flatMap((func) => func.ids)
    return [ambiguous(home, spec, kind, all)]
  }
  const duplicates = duplicateWarning(context, name, candidates, ids)
  return chosen.map(({ set, funcId, ids: own }) => {
    if (own.length > 1 && !takesFirst) return ambiguous(home, spec, kind, own)
    const [id] = own
    const taken: Warning[] =
      chosen.length < candidates.length || own.length > 1
        ? [{ code: 'FIRST_OF_SEVERAL', message: 'the first of several functions of this name is taken' }]
        : []
    const func = { set, id: funcId }
    const symbol = id === undefined ? undefined : symbolTaken(context, set.name, id, name)
    return targetOf(home, {
      spec: spec.text,
      kind,
      function: name,
      module: set.name,
      id,
      func,
      reasons: trampolineReasons(context, kind, func, symbol, name, own.length, settings.allow),
      warnings: [...duplicates, ...taken],
      candidates: id === undefined ? variants : undefined,
    })
  })
}

/**
 * The symbol whose address the kernel takes for a module's FUNC: before it told modules apart, that of the core if it has one
 * of the name (bpf_check_attach_target).
 */
export function symbolTaken(context: ProbeContext, module: string, id: number, name: string): FunctionSymbol {
  const { symbols, facts } = context
  const own = { id, name, owner: module }
  if (module === 'vmlinux' || atLeast(facts.release, ...MODULES_TOLD_APART_SINCE) !== false) return own
  const core = context.idsNamed(name).find((each) => symbols.ownerOf(each) === 'vmlinux')
  return core === undefined ? own : functionOf(context, core)
}

/** The FUNCs of the name, and why modules that have such a symbol have no types. */
function funcsNamed(
  context: ProbeContext,
  { function: name, module }: ProbeSpec,
  ids: readonly number[],
  variants: readonly number[],
): { readonly funcs: readonly FoundFunc[]; readonly without: readonly Reason[] } {
  const { symbols } = context
  // Only the types of modules that have such a symbol are opened; those of vmlinux always are.
  const touched = new Set([...ids, ...variants].map((id) => symbols.ownerOf(id)))
  if (module !== undefined && !isGlob(module) && context.isLoaded(module)) touched.add(module)
  context.typeSet('vmlinux')
  if (moduleMatcher(module)('vmlinux')) touched.add('vmlinux')
  const funcs: FoundFunc[] = []
  const without: Reason[] = []
  for (const each of inOrder(touched)) {
    const set = context.typeSet(each)
    const own = ids.filter((id) => symbols.ownerOf(id) === each)
    if (!('code' in set)) {
      for (const funcId of differentFuncs(set, name)) funcs.push({ set, funcId, ids: own })
    } else if (own.length > 0 || each === module) without.push(set)
  }
  return { funcs, without }
}

/** A name that several modules have, used without one: it works, and means something else once more are loaded. */
function duplicateWarning(
  context: ProbeContext,
  name: string,
  funcs: readonly FoundFunc[],
  ids: readonly number[],
): Warning[] {
  const { symbols, facts } = context
  const owners = [...new Set(context.functionsNamed(name).map((id) => symbols.ownerOf(id)))]
  if (owners.length < 2) return []
  const apart = atLeast(facts.release, ...MODULES_TOLD_APART_SINCE)
  const isFirst = funcs.length === 1 && ids.length === 1 && owners[0] === funcs[0]?.set.name
  const since = MODULES_TOLD_APART_SINCE.join('.')
  const old =
    apart === true || isFirst
      ? ''
      : `; kernels before ${since} attach to the first of the name whichever module is meant`
  return [{ code: 'DUPLICATE_NAME', message: `${name} is defined in ${owners.join(' and ')}${old}` }]
}
