// How to attach to a place: by name, by module and name, by address, or many at once; what that takes of a kernel's table.

import { isAbsence } from '../sources/source.ts'
import type { FunctionArgument } from './arguments.ts'
import type { ProbeContext } from './context.ts'
import { MOST_BPFTRACE_ARGUMENTS } from './kernel-rules.ts'
import { isReturn, isTrampoline, PROBE_KINDS, type ProbeKind } from './kinds.ts'
import { kprobeReasons } from './kprobe-reasons.ts'
import { bpftraceLine, kprobeEventsLine, type LinePlace } from './lines.ts'
import { functionOf } from './places.ts'
import { type Caution, verdictOf } from './reasons.ts'

/** How the kernel is told which function is meant. */
export type AttachMethod = 'name' | 'module:name' | 'address' | 'multi'

/** A recipe: all that another program needs to attach. */
export interface AttachRecipe {
  readonly method: AttachMethod
  /** The symbol to name; for an attachment by address, what lies there. */
  readonly symbol: string
  readonly module: string
  /** The address to pass where the method is `address`; else for information. Undefined where the module is not loaded yet. */
  readonly address: bigint | undefined
  /** Bytes from the symbol's start. */
  readonly offset: number
  /** For a trampoline: the type set whose object to attach to, and the id of its FUNC. */
  readonly btf: { readonly module: string; readonly id: number } | undefined
  /** An attach point as bpftrace takes it; undefined where bpftrace cannot. A raw address needs its `--unsafe`. */
  readonly bpftrace: string | undefined
  /** A line for /sys/kernel/tracing/kprobe_events at the same place; undefined where there can be none. */
  readonly kprobeEvents: string | undefined
}

/** The target of a recipe. */
export interface RecipePlace {
  readonly kind: ProbeKind
  readonly id: number
  readonly offset: number
  /** Its address was asked for, or is the only thing that tells it apart. */
  readonly byAddress: boolean
  readonly btf: { readonly module: string; readonly id: number } | undefined
  /** All arguments as BTF declares them. */
  readonly declared: readonly FunctionArgument[]
  /** The arguments that a line may fetch. */
  readonly fetched: readonly FunctionArgument[]
  /** How tracefs prints what is returned; `none` for a function that returns nothing, undefined where it is not known. */
  readonly returned: string | undefined
  /** The name of its event, without what tells addresses apart. */
  readonly event: string
}

/** The facts that recipes depend on beside the place. */
interface RecipeSettings {
  /** Attach by one multi-link where that is possible. */
  readonly multi: boolean
  readonly allow: ReadonlySet<Caution>
}

/** How to attach there. */
export function recipeFor(context: ProbeContext, { multi, allow }: RecipeSettings, place: RecipePlace): AttachRecipe {
  const { kind, id, offset, event } = place
  const { symbols } = context
  const symbol = symbols.nameOf(id)
  const module = symbols.ownerOf(id)
  const trampoline = isTrampoline(kind)
  const byKprobe = place.byAddress ? 'address' : methodFor(context, module, symbol)
  const method = trampoline
    ? module === 'vmlinux'
      ? 'name'
      : 'module:name'
    : multi && fitsMulti(context, id, offset) && hasMulti(context)
      ? 'multi'
      : byKprobe
  const address = symbols.addressOf(id) + BigInt(offset)
  const line: LinePlace = { kind, method, symbol, module, address, offset, event }
  const tooMany = trampoline && place.declared.length > MOST_BPFTRACE_ARGUMENTS
  return {
    method,
    symbol,
    module,
    address,
    offset,
    btf: trampoline ? place.btf : undefined,
    bpftrace: tooMany ? undefined : bpftraceLine(line),
    kprobeEvents: hasKprobeEvent(context, place, allow)
      ? kprobeEventsLine({ ...line, method: byKprobe }, place.fetched, place.returned, context.facts.architecture)
      : undefined,
  }
}

/** How to attach to a function of a module that is not loaded: kprobe_events takes its name and waits for it. */
export function recipeToCome(place: {
  readonly kind: ProbeKind
  readonly symbol: string
  readonly module: string
  readonly offset: number
  readonly event: string
}): AttachRecipe {
  const { symbol, module, offset } = place
  const line: LinePlace = { ...place, method: 'module:name', address: 0n }
  return {
    method: 'module:name',
    symbol,
    module,
    address: undefined,
    offset,
    btf: undefined,
    bpftrace: bpftraceLine(line),
    kprobeEvents: kprobeEventsLine(line, [], undefined, undefined),
  }
}

/** Whether a kprobe can sit there too: fentry and fexit have a line for kprobe_events that does the same. */
function hasKprobeEvent(
  context: ProbeContext,
  { kind, id, offset }: RecipePlace,
  allow: ReadonlySet<Caution>,
): boolean {
  if (!isTrampoline(kind)) return true
  if (PROBE_KINDS[kind].modifies) return false
  const symbol = functionOf(context, id)
  return verdictOf(kprobeReasons(context, { symbol, offset, returns: isReturn(kind) }, allow)) !== 'no'
}

/** Whether a multi-link can take a function: it goes through ftrace (register_fprobe_ips). */
export function fitsMulti(context: ProbeContext, id: number, offset: number): boolean {
  const { traceable } = context.facts
  return offset === 0 && !isAbsence(traceable) && traceable.of(functionOf(context, id)) === 'yes'
}

/** Whether the kernel has kprobe multi-links; without fprobe bpf_kprobe_multi_link_attach gives EOPNOTSUPP. */
export function hasMulti({ facts }: ProbeContext): boolean {
  return !facts.lacks('register_fprobe_ips', 'CONFIG_FPROBE')
}

/** The first way to name a function to kprobes that no other symbol shares; the kernel counts symbols of every type. */
function methodFor(context: ProbeContext, module: string, symbol: string): 'name' | 'module:name' | 'address' {
  const { data, owners } = context.leftOut
  if (data > 0) return 'address'
  if (owners === 0 && context.countNamed(symbol) === 1) return 'name'
  if (module !== 'vmlinux' && context.countNamed(symbol, module) === 1) return 'module:name'
  return 'address'
}
