// From a specification to targets: by address, by name, or by glob.

import { isGlob } from '../core/glob.ts'
import { expandGlob } from './expand-glob.ts'
import { addressTarget, kprobeTargets } from './expand-kprobe.ts'
import { trampolineTargets } from './expand-trampoline.ts'
import { type BestKinds, bestOf, isBest, isTrampoline } from './kinds.ts'
import { isBetter, type Verdict, type Warning } from './reasons.ts'
import type { ProbeSpec } from './spec.ts'
import type { Expansion, Home, ProbeTarget } from './target.ts'

/** The targets of a specification. One that names a single function always gives at least one target, perhaps a refused one. */
export function expand(home: Home, spec: ProbeSpec): Expansion {
  if (isGlob(spec.function)) return expandGlob(home, spec)
  const targets = exactTargets(home, spec)
  // A glob over modules is a glob: what it matches in vain is left out if anything else was found.
  if (spec.module === undefined || !isGlob(spec.module)) return { targets, rejected: [] }
  const good = targets.filter(({ verdict }) => verdict !== 'no')
  if (good.length === 0) return { targets, rejected: [] }
  return { targets: good, rejected: targets.filter(({ verdict }) => verdict === 'no') }
}

function exactTargets(home: Home, spec: ProbeSpec): ProbeTarget[] {
  if (spec.address !== undefined) return [addressTarget(home, spec, spec.address)]
  if (isBest(spec.kind)) return bestTargets(home, spec, bestOf(spec.kind))
  return isTrampoline(spec.kind) ? trampolineTargets(home, spec, spec.kind) : kprobeTargets(home, spec, spec.kind)
}

/** The order of preference: a trampoline where all its rules hold, else a kprobe. */
function bestTargets(home: Home, spec: ProbeSpec, [trampoline, kprobe]: BestKinds): ProbeTarget[] {
  if (spec.offset > 0) return kprobeTargets(home, spec, kprobe)
  const trampolines = trampolineTargets(home, spec, trampoline)
  const best = worst(trampolines)
  if (best === 'ok') return trampolines
  const why = trampolines.flatMap(({ reasons }) => reasons)[0]
  const fallback: Warning = { code: 'FENTRY_NOT_POSSIBLE', message: why?.message ?? 'nothing was found' }
  const kprobes = kprobeTargets(home, spec, kprobe, [fallback])
  return isBetter(worst(kprobes), best) ? kprobes : trampolines
}

function worst(targets: readonly ProbeTarget[]): Verdict {
  if (targets.some(({ verdict }) => verdict === 'no')) return 'no'
  return targets.some(({ verdict }) => verdict === 'unknown') ? 'unknown' : 'ok'
}
