// Why a BPF trampoline cannot be attached to a function: the checks of the verifier and of ftrace, one after the other.

import { isAbsence } from '../sources/source.ts'
import type { ProbeContext } from './context.ts'
import type { FuncRef } from './describe.ts'
import { NEVER_RETURN, TRACING_DENIED } from './kernel-rules.ts'
import { placeReasons } from './place.ts'
import { prototypeReasons } from './prototype-reasons.ts'
import { NONE, type Reason, reason, verdictOf } from './reasons.ts'
import type { TrampolineKind } from './spec.ts'

/**
 * Why a trampoline cannot be attached (bpf_check_attach_target, register_fentry). Empty: it can.
 * @param func the FUNC to attach to, and @param id its symbol, if there is one of its @param name
 * @param same how many functions of its module have the name
 */
export function trampolineReasons(
  context: ProbeContext,
  kind: TrampolineKind,
  func: FuncRef,
  id: number | undefined,
  name: string,
  same: number,
): readonly Reason[] {
  const module = func.set.name
  const general = context.trampolineObstacles
  if (verdictOf(general) === 'no') return general
  const misplaced = id === undefined ? NONE : placeReasons(context, { id, name, owner: module })
  if (misplaced.length > 0) return [...general, ...misplaced]
  const hook = hookReason(context, module, id, name, same)
  const denied = deniedReason(kind, module, name)
  const prototype = prototypeReasons(context.facts, func, name)
  const modify = kind === 'fmod_ret' ? modifyReason(context, module, name) : undefined
  if (general.length + prototype.length === 0 && !hook && !denied && !modify) return NONE
  const all = [...general, hook, denied, ...prototype, modify].filter((each) => each !== undefined)
  // The release may be missing for more than one of them.
  return [...new Set(all)]
}

/** Why ftrace cannot call the trampoline, or why that is not known. */
function hookReason(
  context: ProbeContext,
  module: string,
  id: number | undefined,
  name: string,
  same: number,
): Reason | undefined {
  if (id === undefined) {
    const what = `The address of function ${name} cannot be found`
    return reason('BTF_NO_ADDRESS', `${what}: ${module} has no symbol of that name`)
  }
  const { traceable } = context.facts
  if (isAbsence(traceable)) return context.missing.traceable
  switch (traceable.of({ id, name, owner: module }, same)) {
    case 'yes':
      return undefined
    case 'which':
      return context.missing.whichTraceable
    case 'no':
      return reason('NOTRACE', `ftrace cannot hook ${name}: it is not in available_filter_functions`)
  }
}

/** The verifier's own lists, of functions of the core. */
function deniedReason(kind: TrampolineKind, module: string, name: string): Reason | undefined {
  if (module !== 'vmlinux') return undefined
  if (TRACING_DENIED.has(name)) {
    return reason('DENIED', `Attaching tracing programs to function '${name}' is rejected.`)
  }
  if (kind === 'fentry' || !NEVER_RETURN.has(name)) return undefined
  return reason('NORETURN', `Attaching ${kind} to __noreturn function '${name}' is rejected.`)
}

/** check_attach_modify_return: security hooks, and functions whose errors may be injected. */
function modifyReason(context: ProbeContext, module: string, name: string): Reason | undefined {
  if (name.startsWith('security_')) return undefined
  const { errorInjection } = context.facts
  if (isAbsence(errorInjection)) return context.missing.errorInjection
  if (errorInjection.has(`${module}:${name}`)) return undefined
  const what = `${name}() is not modifiable: neither a security_ hook nor in the error injection list`
  return reason('NOT_ERROR_INJECTABLE', what)
}
