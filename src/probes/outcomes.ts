// Targets that say why nothing is attached: a name that is several functions, that is not there, or that BTF leaves out.

import { isGlob } from '../core/glob.ts'
import { isAbsence } from '../sources/source.ts'
import type { ProbeContext } from './context.ts'
import { ASKED_KINDS, firstKind, isTrampoline, type ProbeKind } from './kinds.ts'
import { moduleMatcher, variantsMeant } from './meant.ts'
import { functionOf, placeReasons } from './places.ts'
import { caution, type Reason, reason } from './reasons.ts'
import type { ProbeSpec } from './spec.ts'
import { type Home, type ProbeTarget, targetOf } from './target.ts'
import { noTrace } from './trampoline-reasons.ts'

/**
 * One name that is several functions, or several FUNCs, with all of them and the ways out.
 * @param by the one that refuses: the kernel, or kerndex while the kernel takes one of them
 */
export function ambiguous(
  home: Home,
  spec: ProbeSpec,
  kind: ProbeKind,
  all: readonly number[],
  { module, name = spec.function, by = 'kerndex' }: Naming = {},
): ProbeTarget {
  const { context } = home
  const { symbols } = context
  const ids = [...new Set(all)]
  if (ids.length < 2) {
    const message = `BTF has several prototypes of ${name}, and nothing says which is its own; use a kprobe`
    return targetOf(home, {
      spec: spec.text,
      kind,
      function: name,
      module: module ?? spec.module,
      reasons: [caution('AMBIGUOUS', message)],
      candidates: ids,
    })
  }
  const owners = [...new Set(ids.map((id) => symbols.ownerOf(id)))]
  const where = owners.length > 1 ? `in ${owners.join(', ')}` : `all in ${owners[0]}`
  const ways = [
    ...(owners.length > 1 ? [`name the module, as in ${kind}:${owners[0]}:${name}`] : []),
    ...(isTrampoline(kind)
      ? []
      : ['attach to all of them by address', 'give one address', 'ask for the first on purpose']),
  ]
  if (isTrampoline(kind) && owners.length === 1) ways.push('use a kprobe by address: BTF cannot say which is meant')
  const message = `${name} is ${ids.length} functions, ${where}; ${ways.join(', or ')}`
  return targetOf(home, {
    spec: spec.text,
    kind,
    function: name,
    module: module ?? (owners.length === 1 ? owners[0] : undefined),
    offset: spec.offset,
    reasons: [
      by === 'kernel'
        ? reason('AMBIGUOUS', `${message}; kprobe events refuse the bare name`)
        : caution('AMBIGUOUS', message),
    ],
    candidates: ids,
  })
}

/** The facts of an ambiguous name beside its functions. */
interface Naming {
  readonly module?: string | undefined
  readonly name?: string
  readonly by?: Reason['by']
}

/** A target for a name that is not there, with what may have been meant. */
export function missing(home: Home, spec: ProbeSpec, kind: ProbeKind): ProbeTarget {
  const { context } = home
  const { symbols } = context
  const { module } = spec
  const parts = { spec: spec.text, kind, function: spec.function, offset: spec.offset }
  if (module !== undefined && !isGlob(module) && !context.isLoaded(module)) {
    if (!isTrampoline(kind) && home.settings.allow.has('MODULE_NOT_LOADED')) {
      const reasons = context.kprobeObstacles(home.settings.allow)
      return targetOf(home, { ...parts, module, toCome: true, reasons })
    }
    return targetOf(home, { ...parts, module, reasons: [notLoaded(spec, kind, module)] })
  }
  const where = module === undefined ? 'vmlinux or any loaded module' : module
  const wanted = moduleMatcher(module)
  const data = symbols.named(spec.function).find(({ owner }) => wanted(owner))
  if (data !== undefined) {
    // Types are those of code for data as well (x86 since 6.18): only the place tells.
    const none = /^[tTwW]$/.test(data.type)
      ? reason('NOT_TEXT', `${spec.function} is outside of the kernel's text (_stext to _etext)`)
      : reason('NOT_A_FUNCTION', `${spec.function} is data (type ${data.type}), not a function`)
    return targetOf(home, { ...parts, module: data.owner, reasons: [none] })
  }
  const variants = variantsMeant(context, spec)
  const names = [...new Set(variants.map(({ name }) => name))]
  const isKind = spec.text === spec.function && ASKED_KINDS.some((each) => each === spec.function)
  const hint =
    names.length === 0
      ? isKind
        ? `; a probe of that kind is ${spec.function}:NAME`
        : ''
      : `; it exists as ${names.join(', ')}: name that, or allow names with compiler suffixes (looseSuffix, --loose-suffix)`
  return targetOf(home, {
    ...parts,
    module: module !== undefined && !isGlob(module) ? module : undefined,
    reasons: [reason('NOT_FOUND', `there is no function ${spec.function} in ${where}${hint}`)],
    candidates: variants.map(({ id }) => id),
  })
}

function notLoaded(spec: ProbeSpec, kind: ProbeKind, module: string): Reason {
  const what = `specified module ${module} in probe ${spec.text} is not loaded`
  if (isTrampoline(kind) || isGlob(spec.function)) return reason('MODULE_NOT_LOADED', what)
  return caution('MODULE_NOT_LOADED', `${what}; kprobe_events takes such a probe and waits for the module`)
}

/** A glob that matched nothing, or nothing that can be attached to. */
export function noMatch(home: Home, spec: ProbeSpec, rejected: number): ProbeTarget {
  const { context } = home
  const kind = firstKind(spec.kind)
  const { module } = spec
  const parts = { spec: spec.text, kind, function: spec.function, module }
  if (module !== undefined && !isGlob(module) && !context.isLoaded(module)) {
    return targetOf(home, { ...parts, reasons: [notLoaded(spec, kind, module)] })
  }
  const why = rejected === 0 ? '' : `; ${rejected} functions have such a name but cannot be attached to`
  const message = `No matches for ${kind} ${module ?? '*'}:${spec.function}${why}`
  return targetOf(home, { ...parts, reasons: [reason('NO_MATCH', message, 'kerndex')] })
}

/** Whether ftrace surely cannot hook a symbol. */
function isHidden(context: ProbeContext, id: number): boolean {
  const { traceable } = context.facts
  return !isAbsence(traceable) && traceable.of(functionOf(context, id)) === 'no'
}

/** A function that the types of its module do not have, or whose module has no types. */
export function withoutBtf(
  home: Home,
  spec: ProbeSpec,
  kind: ProbeKind,
  ids: readonly number[],
  missing: readonly Reason[],
): ProbeTarget {
  const { context } = home
  const { symbols } = context
  const id = ids[0]!
  const where = symbols.ownerOf(id)
  const misplaced = placeReasons(context, functionOf(context, id), home.settings.allow)
  const none = reason('NO_BTF', `No BTF found for ${where}:${spec.function}`)
  // A function that ftrace cannot hook is refused whatever types there are.
  const hidden = missing.length > 0 && ids.every((each) => isHidden(context, each))
  const reasons =
    misplaced.length > 0 ? misplaced : missing.length === 0 ? [none] : hidden ? [noTrace(spec.function)] : missing
  return targetOf(home, {
    spec: spec.text,
    kind,
    function: spec.function,
    module: where,
    ...(ids.length === 1 ? { id } : { candidates: ids }),
    reasons,
  })
}
