// Globs over functions: everything that matches, each judged on its own.

import { isGlob } from '../core/glob.ts'
import type { ProbeContext } from './context.ts'
import type { ExpandSettings, Expansion } from './expand.ts'
import { funcsMatching } from './funcs.ts'
import { functionOf, kprobeReasons, traceable, trampolineReasons } from './judge.ts'
import { idsMeant, inOrder } from './meant.ts'
import { ambiguous, noMatch, targetOf } from './outcomes.ts'
import { isBetter } from './reasons.ts'
import { isReturn, type ProbeSpec } from './spec.ts'
import { notOffered } from './suffix.ts'
import type { ProbeTarget } from './target.ts'

interface ExpandHome {
  readonly context: ProbeContext
  readonly settings: ExpandSettings
}

/** What a specification with a glob for its function means. */
export function expandGlob(home: ExpandHome, spec: ProbeSpec): Expansion {
  const targets: ProbeTarget[] = []
  const rejected: ProbeTarget[] = []
  for (const target of globTargets(home, spec)) (target.verdict === 'no' ? rejected : targets).push(target)
  if (targets.length === 0) targets.push(noMatch(home, spec, rejected.length))
  return { targets, rejected }
}

function globTargets(home: ExpandHome, spec: ProbeSpec): Iterable<ProbeTarget> {
  switch (spec.kind) {
    case 'kprobe':
    case 'kretprobe':
      return globKprobes(home, spec, spec.kind)
    case 'entry':
    case 'return':
      return globBest(home, spec)
    default:
      return globTrampolines(home, spec, spec.kind)
  }
}

/** Of each function the trampoline, or the kprobe where that is better. */
function globBest(home: ExpandHome, spec: ProbeSpec): Iterable<ProbeTarget> {
  const returns = isReturn(spec.kind)
  const best = new Map<number, ProbeTarget>()
  for (const target of globKprobes(home, spec, returns ? 'kretprobe' : 'kprobe')) {
    if (target.symbolId !== undefined) best.set(target.symbolId, target)
  }
  for (const target of globTrampolines(home, spec, returns ? 'fexit' : 'fentry')) {
    const id = target.symbolId
    if (id === undefined) continue
    const kprobe = best.get(id)
    if (kprobe === undefined || !isBetter(kprobe.verdict, target.verdict)) best.set(id, target)
  }
  return best.values()
}

function* globKprobes(home: ExpandHome, spec: ProbeSpec, kind: 'kprobe' | 'kretprobe'): Generator<ProbeTarget> {
  const { context } = home
  const returns = kind === 'kretprobe'
  for (const id of idsMeant(context, spec)) {
    const symbol = functionOf(context, id)
    if (notOffered(symbol.name) !== undefined) continue
    yield targetOf(home, {
      spec: spec.text,
      kind,
      function: symbol.name,
      module: symbol.owner,
      id,
      reasons: kprobeReasons(context, { symbol, offset: 0, returns }),
    })
  }
}

/** The functions of the touched modules' BTF that match: a superset is found by name first, and filtered here. */
function* globTrampolines(
  home: ExpandHome,
  spec: ProbeSpec,
  kind: 'fentry' | 'fexit' | 'fmod_ret',
): Generator<ProbeTarget> {
  const { context, settings } = home
  context.typeSet('vmlinux')
  for (const module of inOrder(modulesTouched(context, spec))) {
    const set = context.typeSet(module)
    if ('code' in set) {
      // What it has can be traced, and whether it can be attached to nobody knows.
      yield targetOf(home, { spec: spec.text, kind, function: spec.function, module, reasons: [set] })
      continue
    }
    for (const { name, id: funcId, repeated } of funcsMatching(set, spec.function)) {
      const ids = context.functionsNamed(name, module)
      if (repeated || (ids.length > 1 && settings.ambiguous !== 'first')) {
        yield ambiguous(home, spec, kind, ids, module, name)
        continue
      }
      const id = ids[0]
      yield targetOf(home, {
        spec: spec.text,
        kind,
        function: name,
        module,
        id,
        func: { set, id: funcId },
        reasons: trampolineReasons(context, { kind, set, funcId, id, name, same: ids.length }),
      })
    }
  }
}

/** The modules that have a function of such a name which may be traced; only their types are opened. */
function modulesTouched(context: ProbeContext, spec: ProbeSpec): ReadonlySet<string> {
  const { module } = spec
  if (module !== undefined && !isGlob(module)) return new Set(context.isLoaded(module) ? [module] : [])
  const { symbols } = context
  const touched = new Set<string>()
  for (const id of idsMeant(context, spec)) {
    if (touched.has(symbols.ownerOf(id))) continue
    const symbol = functionOf(context, id)
    if (notOffered(symbol.name) === undefined && traceable(context, symbol) !== 'no') touched.add(symbol.owner)
  }
  return touched
}
