// Why a BPF trampoline cannot be attached to a function: the checks of the verifier and of ftrace, one after the other.

import { isAbsence } from '../sources/source.ts'
import { ARCHITECTURES } from './architectures.ts'
import type { ProbeContext } from './context.ts'
import type { FuncRef } from './describe.ts'
import {
  atLeast,
  has,
  MODIFIES_SYSCALLS_SINCE,
  NEVER_RETURN,
  REFUSES_NORETURN,
  TRACING_DENIED,
} from './kernel-rules.ts'
import { PROBE_KINDS, type TrampolineKind } from './kinds.ts'
import { RELEASE_UNKNOWN } from './obstacles.ts'
import { placeReasons } from './places.ts'
import { prototypeReasons } from './prototype-reasons.ts'
import { type Caution, caution, isRefused, NONE, type Reason, reason } from './reasons.ts'
import type { FunctionSymbol } from './traceable.ts'

/**
 * Why a trampoline cannot be attached (bpf_check_attach_target, register_fentry). Empty: it can.
 * @param func the FUNC to attach to, and @param symbol what the kernel finds under its @param name, if anything
 * @param same how many functions of its module have the name
 * @param allow the cautions that are left to the kernel
 */
export function trampolineReasons(
  context: ProbeContext,
  kind: TrampolineKind,
  func: FuncRef,
  symbol: FunctionSymbol | undefined,
  name: string,
  same: number,
  allow: ReadonlySet<Caution>,
): readonly Reason[] {
  const module = func.set.name
  const general = context.trampolineObstacles
  if (isRefused(general, 'kernel')) return general
  const misplaced = symbol === undefined ? NONE : placeReasons(context, symbol, allow)
  if (isRefused(misplaced, 'kernel')) return [...general, ...misplaced]
  const hook = hookReason(context, module, symbol, name, same)
  const denied = deniedReason(context, kind, module, name, allow)
  const prototype = prototypeReasons(context.facts, func, name)
  const modify = PROBE_KINDS[kind].modifies ? modifyReason(context, module, name) : undefined
  if (general.length + misplaced.length + prototype.length === 0 && !hook && !denied && !modify) return NONE
  const all = [...general, ...misplaced, hook, denied, ...prototype, modify].filter((each) => each !== undefined)
  // The release may be missing for more than one of them.
  return [...new Set(all)]
}

/** Why ftrace cannot call the trampoline, or why that is not known. */
function hookReason(
  context: ProbeContext,
  module: string,
  symbol: FunctionSymbol | undefined,
  name: string,
  same: number,
): Reason | undefined {
  if (symbol === undefined) {
    const what = `The address of function ${name} cannot be found`
    return reason('BTF_NO_ADDRESS', `${what}: ${module} has no symbol of that name`)
  }
  const { traceable } = context.facts
  if (isAbsence(traceable)) return context.missing.traceable
  switch (traceable.of(symbol, symbol.owner === module ? same : undefined)) {
    case 'yes':
      return undefined
    case 'which':
      return context.missing.whichTraceable
    case 'no':
      return noTrace(name)
  }
}

/** A function without a place for ftrace's call. */
export function noTrace(name: string): Reason {
  return reason('NOTRACE', `ftrace cannot hook ${name}: it is not in available_filter_functions`)
}

/** The verifier's own lists, of functions of the core: those that the kernel's symbols have, else those known here. */
function deniedReason(
  { facts }: ProbeContext,
  kind: TrampolineKind,
  module: string,
  name: string,
  allow: ReadonlySet<Caution>,
): Reason | undefined {
  if (module !== 'vmlinux') return undefined
  if ((facts.denied ?? TRACING_DENIED).has(name)) {
    return reason('DENIED', `Attaching tracing programs to function '${name}' is rejected.`)
  }
  // A program that runs only when the function is entered misses nothing.
  if (!PROBE_KINDS[kind].returns && PROBE_KINDS[kind].modifies !== true) return undefined
  const { noreturn } = facts
  const never = NEVER_RETURN.has(name)
  if (!never && noreturn?.has(name) !== true) return undefined
  const refused = noreturn === undefined ? has(facts.release, REFUSES_NORETURN) : noreturn.has(name)
  if (refused === true) return reason('NORETURN', `Attaching ${kind} to __noreturn function '${name}' is rejected.`)
  if (allow.has('NORETURN')) return refused === undefined ? RELEASE_UNKNOWN : undefined
  return caution('NORETURN', `${name} never returns: ${kind} would never run, and what it allocates is not given back`)
}

/** check_attach_modify_return: security hooks, and functions whose errors may be injected, or without that system calls. */
function modifyReason({ facts, missing }: ProbeContext, module: string, name: string): Reason | undefined {
  if (name.startsWith('security_')) return undefined
  const { errorInjection } = facts
  if (isAbsence(errorInjection) && facts.lacks('within_error_injection_list', 'CONFIG_FUNCTION_ERROR_INJECTION')) {
    const { architecture, release } = facts
    const syscall = architecture !== undefined && name.startsWith(ARCHITECTURES[architecture].systemCalls)
    const able = syscall && atLeast(release, ...MODIFIES_SYSCALLS_SINCE)
    if (able === true) return undefined
    if (able === undefined) return RELEASE_UNKNOWN
    const built = 'the kernel was built without error injection (CONFIG_FUNCTION_ERROR_INJECTION)'
    const left = `leaves security_ hooks, and since Linux ${MODIFIES_SYSCALLS_SINCE.join('.')} system calls`
    return reason('NOT_ERROR_INJECTABLE', `${name}() is not modifiable: ${built}, which ${left}`)
  }
  if (isAbsence(errorInjection)) return missing.errorInjection
  if (errorInjection.has(`${module}:${name}`)) return undefined
  const what = `${name}() is not modifiable: neither a security_ hook nor in the error injection list`
  return reason('NOT_ERROR_INJECTABLE', what)
}
