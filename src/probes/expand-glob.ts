// Globs over functions: everything that matches, each judged on its own.

import type { TypeSet } from '../btf/read/type-set.ts'
import { isGlob } from '../core/glob.ts'
import { isAbsence } from '../sources/source.ts'
import type { ProbeContext } from './context.ts'
import { differentFuncs } from './describe.ts'
import { symbolTaken } from './expand-trampoline.ts'
import { funcsMatching } from './funcs.ts'
import {
  type BestKinds,
  bestOf,
  isBest,
  isReturn,
  isTrampoline,
  type KprobeKind,
  type TrampolineKind,
} from './kinds.ts'
import { kprobeReasons } from './kprobe-reasons.ts'
import { idsMeant, inOrder } from './meant.ts'
import { ambiguous, noMatch } from './outcomes.ts'
import { functionOf, isOffered } from './places.ts'
import { isBetter, NO_CAUTION } from './reasons.ts'
import type { ProbeSpec } from './spec.ts'
import { type Expansion, type Home, ProbeTarget, type TargetFamily, targetOf } from './target.ts'
import { trampolineReasons } from './trampoline-reasons.ts'

/** The targets of a specification with a glob for its function. */
export function expandGlob(home: Home, spec: ProbeSpec): Expansion {
  const targets: ProbeTarget[] = []
  const rejected: ProbeTarget[] = []
  for (const target of globTargets(home, spec)) (target.verdict === 'no' ? rejected : targets).push(target)
  if (targets.length === 0) targets.push(noMatch(home, spec, rejected.length))
  return { targets, rejected }
}

function globTargets(home: Home, spec: ProbeSpec): Iterable<ProbeTarget> {
  if (isBest(spec.kind)) return globBest(home, spec, bestOf(spec.kind))
  return isTrampoline(spec.kind) ? globTrampolines(home, spec, spec.kind) : globKprobes(home, spec, spec.kind)
}

/** For each function the trampoline, or the kprobe where that is better. */
function globBest(home: Home, spec: ProbeSpec, [trampoline, kprobe]: BestKinds): Iterable<ProbeTarget> {
  const best = new Map<number, ProbeTarget>()
  for (const target of globKprobes(home, spec, kprobe)) {
    if (target.symbolId !== undefined) best.set(target.symbolId, target)
  }
  for (const target of globTrampolines(home, spec, trampoline)) {
    const id = target.symbolId
    if (id === undefined) continue
    const other = best.get(id)
    if (other === undefined || !isBetter(other.verdict, target.verdict)) best.set(id, target)
  }
  return best.values()
}

function globKprobes(home: Home, spec: ProbeSpec, kind: KprobeKind): ProbeTarget[] {
  const { context, settings } = home
  const returns = isReturn(kind)
  const family: TargetFamily = { ...home, spec: spec.text, kind, set: undefined }
  const found: ProbeTarget[] = []
  for (const id of idsMeant(context, spec)) {
    const symbol = functionOf(context, id)
    if (!isOffered(symbol.name, settings.allow)) continue
    const reasons = kprobeReasons(context, { symbol, offset: 0, returns }, settings.allow)
    found.push(new ProbeTarget(family, id, undefined, reasons))
  }
  return found
}

/** The functions of the touched modules' BTF that match: a superset is found by name first, and filtered here. */
function globTrampolines(home: Home, spec: ProbeSpec, kind: TrampolineKind): ProbeTarget[] {
  const { context } = home
  const found: ProbeTarget[] = []
  context.typeSet('vmlinux')
  for (const module of inOrder(modulesTouched(context, spec))) {
    const set = context.typeSet(module)
    if ('code' in set) {
      // Its functions can be traced; without its types it is not known whether a program can be attached to them.
      found.push(targetOf(home, { spec: spec.text, kind, function: spec.function, module, reasons: [set] }))
    } else addTrampolines(home, spec, kind, set, found)
  }
  return found
}

/** The functions of one type set that match. Looks their symbols up in bulk: vmlinux has tens of thousands. */
function addTrampolines(home: Home, spec: ProbeSpec, kind: TrampolineKind, set: TypeSet, found: ProbeTarget[]): void {
  const { context, settings } = home
  const { name: module } = set
  const { ids: funcIds, names, repeated } = funcsMatching(set, spec.function)
  const { starts, ids } = context.symbols.namedMany(names.packed())
  const nameAt = names.strings()
  const family: TargetFamily = { ...home, spec: spec.text, kind, set }
  const { ambiguous: policy, allow } = settings
  const takesFirst = policy === 'first' || (policy === 'error' && allow.has('AMBIGUOUS'))
  for (let i = 0; i < funcIds.length; i++) {
    const funcId = funcIds[i]!
    const name = nameAt(i)
    let count = 0
    let id: number | undefined
    for (let k = starts[i]!; k < starts[i + 1]!; k++) {
      if (context.isFunctionOf(ids[k]!, module) && count++ === 0) id = ids[k]
    }
    const several = count > 1 || (repeated.has(funcId) && differentFuncs(set, name).length > 1)
    if (several && !takesFirst) {
      found.push(ambiguous(home, spec, kind, context.functionsNamed(name, module), { module, name }))
      continue
    }
    const func = { set, id: funcId }
    const symbol = id === undefined ? undefined : symbolTaken(context, module, id, name)
    const reasons = trampolineReasons(context, kind, func, symbol, name, count, settings.allow)
    found.push(new ProbeTarget(family, id, funcId, reasons))
  }
}

/** The modules that have a function of such a name which may be traced; only their types are opened. */
function modulesTouched(context: ProbeContext, spec: ProbeSpec): ReadonlySet<string> {
  const { module } = spec
  if (module !== undefined && !isGlob(module)) return new Set(context.isLoaded(module) ? [module] : [])
  const { symbols, facts } = context
  const { traceable } = facts
  const touched = new Set<string>()
  for (const id of idsMeant(context, spec)) {
    if (touched.has(symbols.ownerOf(id))) continue
    const symbol = functionOf(context, id)
    if (!isOffered(symbol.name, NO_CAUTION)) continue
    if (isAbsence(traceable) || traceable.of(symbol) !== 'no') touched.add(symbol.owner)
  }
  return touched
}
