// Kprobes and kretprobes that are given by one name, or by an address.

import { formatAddress } from '../core/address.ts'
import { isGlob } from '../core/glob.ts'
import { isReturn, type KprobeKind, kprobeKind } from './kinds.ts'
import { kprobeReasons } from './kprobe-reasons.ts'
import { functionsMeant, type Namesake, namesakeOf, variantsMeant } from './meant.ts'
import { ambiguous, missing } from './outcomes.ts'
import { functionOf } from './places.ts'
import { reason, type Warning } from './reasons.ts'
import type { ProbeSpec } from './spec.ts'
import { notOffered } from './suffix.ts'
import { type Home, type ProbeTarget, type TargetParts, targetOf } from './target.ts'

/** The function that an address lies in. */
export function addressTarget(home: Home, spec: ProbeSpec, address: bigint): ProbeTarget {
  const { symbols } = home.context
  const kind = kprobeKind(spec.kind)
  const match = symbols.at(address, { kinds: 'text' })
  if (match === undefined) {
    const reasons = [reason('NOT_TEXT', `${formatAddress(address)} is in no function`)]
    return targetOf(home, { spec: spec.text, kind, function: spec.text, module: undefined, reasons })
  }
  // Of the names at one address, the first that is a function's.
  const names = [match.symbol, ...match.aliases]
  const { id } = names.find(({ name }) => notOffered(name) === undefined) ?? match.symbol
  return make(home, spec, kind, id, match.offset, { byAddress: true })
}

/** The functions of a name, or with `looseSuffix` its variants where it has none. */
export function kprobeTargets(
  home: Home,
  spec: ProbeSpec,
  kind: KprobeKind,
  warnings: readonly Warning[] = [],
): ProbeTarget[] {
  const { context, settings } = home
  const exact = functionsMeant(context, spec.function, spec.module)
  if (exact.length > 0) return severalTargets(home, spec, kind, exact, { warnings })
  const loose = settings.looseSuffix ? variantsMeant(context, spec) : []
  if (loose.length === 0) return [missing(home, spec, kind)]
  return [...new Set(loose.map(({ name }) => name))].flatMap((name) => {
    const ids = loose.filter((each) => each.name === name).map(({ id }) => id)
    const message = `${spec.function} exists only as ${name}: arguments may have been removed or changed`
    const suffixed: Warning = { code: 'SUFFIX_MATCH', message }
    return severalTargets(home, spec, kind, ids, { variantOf: spec.function, warnings: [...warnings, suffixed] })
  })
}

/** One target where there is one function; where there are several, what the policy says. */
function severalTargets(
  home: Home,
  spec: ProbeSpec,
  kind: KprobeKind,
  ids: readonly number[],
  more: { readonly variantOf?: string; readonly warnings: readonly Warning[] },
): ProbeTarget[] {
  const [first] = ids
  if (first === undefined) return []
  const policy = home.settings.ambiguous
  // A glob over modules asks for all of them.
  const all = policy === 'all' || (spec.module !== undefined && isGlob(spec.module))
  if (ids.length === 1 || all) return ids.map((id) => make(home, spec, kind, id, spec.offset, more))
  if (policy === 'first') {
    const message = `the first of ${ids.length} functions of this name is taken`
    const taken: Warning = { code: 'FIRST_OF_SEVERAL', message }
    const warnings = [...more.warnings, taken]
    return [make(home, spec, kind, first, spec.offset, { ...more, byAddress: true, warnings })]
  }
  const name = home.context.symbols.nameOf(first)
  const namesake = namesakeOf(home.context, name, spec.module)
  if (namesake.refused === true || !home.settings.allow.has('AMBIGUOUS')) {
    return [ambiguous(home, spec, kind, ids, { name, by: namesake.refused === true ? 'kernel' : 'kerndex' })]
  }
  return [whatTheKernelTakes(home, spec, kind, ids, namesake, more)]
}

/** The one of several functions of a name that the kernel takes for it. */
function whatTheKernelTakes(
  home: Home,
  spec: ProbeSpec,
  kind: KprobeKind,
  ids: readonly number[],
  { refused, first }: Namesake,
  more: { readonly variantOf?: string; readonly warnings: readonly Warning[] },
): ProbeTarget {
  const { missing: facts } = home.context
  const message = `the kernel takes one of ${ids.length} functions of this name`
  const warnings: readonly Warning[] = [...more.warnings, { code: 'FIRST_OF_SEVERAL', message }]
  const targets = (first === undefined ? ids : [first]).map((id) =>
    make(home, spec, kind, id, spec.offset, { ...more, warnings }),
  )
  const target = targets[0]!
  if (refused === undefined) return target.refused([facts.whetherUnique])
  if (targets.every(({ verdict }) => verdict === target.verdict)) return target
  const { symbolId: id } = target
  return targetOf(home, { spec: spec.text, kind, id, offset: spec.offset, ...more, reasons: [facts.whichTaken] })
}

function make(
  home: Home,
  spec: ProbeSpec,
  kind: KprobeKind,
  id: number,
  offset: number,
  more: Partial<TargetParts>,
): ProbeTarget {
  const { context } = home
  const symbol = functionOf(context, id)
  const place = { symbol, offset, returns: isReturn(kind) }
  const reasons = kprobeReasons(context, place, home.settings.allow)
  return targetOf(home, { spec: spec.text, kind, id, offset, reasons, ...more })
}
