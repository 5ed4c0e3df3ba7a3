// Can this be attached? The kernel's own checks, one after the other, for a kprobe at an address and for a BPF trampoline
// at a function. A fact that is missing makes the answer unknown, never yes.

import {
  infoKind,
  infoVlen,
  KIND_ENUM,
  KIND_ENUM64,
  KIND_FLOAT,
  KIND_FUNC_PROTO,
  KIND_INT,
  KIND_PTR,
  KIND_STRUCT,
  KIND_UNION,
} from '../btf/format.ts'
import { sizeOf } from '../btf/sizes.ts'
import { skipModifiers } from '../btf/type.ts'
import type { TypeSet } from '../btf/type-set.ts'
import { isAbsence } from '../sources/source.ts'
import { type ProbeContext, RELEASE_UNKNOWN } from './context.ts'
import {
  atLeast,
  LARGEST_STRUCT_ARGUMENT,
  MOST_ARGUMENTS,
  NEVER_RETURN,
  STRUCT_ARGUMENTS_SINCE,
  TRACING_DENIED,
  TRAMPOLINE_WORDS,
} from './kernel-rules.ts'
import { NONE, type Reason, reason, verdictOf } from './reasons.ts'
import type { ProbeKind } from './spec.ts'
import { notOffered } from './suffix.ts'

/** Whether ftrace can hook a function; `which`: one of several of that name can, and it is not known which. */
export type Traceable = 'yes' | 'no' | 'unknown' | 'which'

const FILTER_HOW =
  'read /sys/kernel/tracing/available_filter_functions as root (mount -t tracefs nodev /sys/kernel/tracing), or put a copy of it into the capture'
const BLACKLIST_HOW =
  'read /sys/kernel/debug/kprobes/blacklist as root (mount -t debugfs none /sys/kernel/debug), or put a copy of it into the capture as kprobes_blacklist'
const INJECTION_HOW = 'read /sys/kernel/debug/error_injection/list as root'

const unknownReasons = new WeakMap<ProbeContext, Map<string, Reason>>()

/** A reason that many targets share. */
function shared(context: ProbeContext, code: Parameters<typeof reason>[0], message: () => string): Reason {
  let kept = unknownReasons.get(context)
  if (kept === undefined) {
    kept = new Map()
    unknownReasons.set(context, kept)
  }
  let found = kept.get(code)
  if (found === undefined) {
    found = reason(code, message())
    kept.set(code, found)
  }
  return found
}

/** A text symbol as judges need it: decoded once. */
export interface FunctionSymbol {
  readonly id: number
  readonly name: string
  readonly owner: string
}

/** The symbol of an id. */
export function functionOf({ symbols }: ProbeContext, id: number): FunctionSymbol {
  return { id, name: symbols.nameOf(id), owner: symbols.ownerOf(id) }
}

/**
 * Whether ftrace can hook a function.
 * @param same how many functions of its owner have its name, where that is known already
 */
export function traceable(context: ProbeContext, { id, name, owner }: FunctionSymbol, same?: number): Traceable {
  const { symbols, sites } = context
  if (sites !== undefined) {
    return sites.within(symbols.addressOf(id), symbols.sizeOf(id)) === undefined ? 'no' : 'yes'
  }
  const { filter } = context
  if (isAbsence(filter)) return 'unknown'
  const listed = filter.occurrences(name, owner)
  if (listed > 0) return same !== undefined && same <= listed ? 'yes' : enough(context, name, owner, listed)
  // The file has one name a site: that of the first alias.
  for (const alias of symbols.startingAt(symbols.addressOf(id))) {
    if (alias.id === id || alias.owner !== owner) continue
    const times = filter.occurrences(alias.name, owner)
    if (times > 0) return enough(context, alias.name, owner, times)
  }
  return 'no'
}

function enough(context: ProbeContext, name: string, owner: string, listed: number): Traceable {
  const ids = context.functionsNamed(name, owner)
  if (ids.length <= listed) return 'yes'
  const places = new Set(ids.map((id) => context.symbols.addressOf(id)))
  return places.size <= listed ? 'yes' : 'which'
}

/** Why a symbol is no function that can be probed: not the entry of one, or not in memory that is text. */
export function placeReasons(context: ProbeContext, { id, name, owner }: FunctionSymbol): readonly Reason[] {
  switch (notOffered(name)) {
    case 'fragment':
      return [
        reason('FRAGMENT', `${name} is a part that the compiler cut out of a function, not a function of its own`),
      ]
    case 'padding':
      return [reason('PADDING', `${name} is the padding in front of a function; probe ${name.slice(6)}`)]
    case 'label':
    case 'mapping':
      return [reason('LABEL', `${name} is a label, not a function`)]
  }
  if (owner !== 'vmlinux') {
    if (owner === 'bpf') {
      const what = 'kprobes are refused, and fentry needs the program, not a name'
      return [reason('NOT_TEXT', `${name} is a BPF program: ${what}`)]
    }
    if (owner.startsWith('__builtin__')) {
      return [reason('NOT_TEXT', `${name} is code that the kernel made at run time (${owner})`)]
    }
    return NONE
  }
  switch (context.section(id)) {
    case 'text':
      return NONE
    case 'init':
      return [reason('INIT_TEXT', `${name} is an __init function: its memory was freed after boot`)]
    default:
      return [reason('NOT_TEXT', `${name} is outside of the kernel's text (_stext to _etext)`)]
  }
}

/** A place for a kprobe or kretprobe. */
export interface KprobePlace {
  readonly symbol: FunctionSymbol
  /** Bytes from the symbol's start. */
  readonly offset: number
  readonly returns: boolean
}

/** Why a kprobe cannot be registered there (register_kprobe, kernel/kprobes.c; trace_kprobe.c). Empty: it can. */
export function kprobeReasons(context: ProbeContext, { symbol, offset, returns }: KprobePlace): readonly Reason[] {
  const { id, name } = symbol
  const general = context.kprobeReasons
  const misplaced = placeReasons(context, symbol)
  if (misplaced.length > 0) return [...misplaced, ...general]
  // What holds for every kprobe needs no company of facts that would not change it.
  if (verdictOf(general) === 'no') return general
  const { symbols } = context
  const reasons: Reason[] = [...general]
  if (offset > 0) {
    const size = symbols.sizeOf(id)
    if (size > 0 && offset >= size) {
      const bounds = `Offset outside the function bounds: ${name} has 0x${size.toString(16)} bytes`
      return [reason('OUT_OF_BOUNDS', bounds), ...general]
    }
    if (!isEntry(context, id, offset)) {
      if (returns) return [reason('BAD_RETPROBE', 'a kretprobe can only be at the entry of a function'), ...general]
      const what = 'whether an instruction begins there, and whether jump labels or static calls reserve it'
      reasons.push(shared(context, 'UNKNOWN_INSTRUCTION', () => `${what}, needs the kernel's code to tell`))
    }
  }
  const { blacklist } = context
  if (isAbsence(blacklist)) {
    const why = () => `the kprobe blacklist is missing (${blacklist.reason}): ${BLACKLIST_HOW}`
    reasons.push(shared(context, 'UNKNOWN_BLACKLIST', why))
  } else if (isBlacklisted(context, symbol, offset)) {
    reasons.push(reason('BLACKLISTED', `${name} is on the kprobe blacklist: register_kprobe gives EINVAL`))
  }
  if (!context.kprobesOnNotrace) {
    const verdict = traceableOrBase(context, symbol)
    if (verdict === 'no') {
      const what = `Could not probe notrace function ${name}`
      reasons.push(reason('NOTRACE', `${what}: ftrace cannot hook it, and then kprobe events are refused with EINVAL`))
    } else if (verdict !== 'yes') reasons.push(filterReason(context, verdict))
  }
  return reasons.length === 0 ? NONE : reasons
}

/** Whether an offset still is the function's entry: behind the ENDBR64 that the kernel steps over by itself. */
function isEntry(context: ProbeContext, id: number, offset: number): boolean {
  if (offset === 0) return true
  const { symbols, sites, architecture } = context
  if (offset !== 4 || sites === undefined || architecture !== 'x86_64') return false
  const start = symbols.addressOf(id)
  return sites.within(start, symbols.sizeOf(id)) === start + 4n
}

/** within_kprobe_blacklist: the address, or for a name with a suffix the base's. */
function isBlacklisted(context: ProbeContext, { id, name, owner }: FunctionSymbol, offset: number): boolean {
  const { symbols, blacklist } = context
  if (isAbsence(blacklist)) return false
  if (blacklist.covers(symbols.addressOf(id) + BigInt(offset), name, owner)) return true
  const base = baseSymbol(context, name)
  return base !== undefined && blacklist.covers(symbols.addressOf(base.id), base.name, base.owner)
}

/** within_notrace_func: the function, or for a name with a suffix the base, if there is one. */
function traceableOrBase(context: ProbeContext, symbol: FunctionSymbol): Traceable {
  const own = traceable(context, symbol)
  if (own !== 'no') return own
  const base = baseSymbol(context, symbol.name)
  return base === undefined ? 'no' : traceable(context, base)
}

/** The symbol that the kernel finds under the name before the first dot; it asks for that name alone. */
function baseSymbol(context: ProbeContext, name: string): FunctionSymbol | undefined {
  const dot = name.indexOf('.')
  const base = dot <= 0 ? undefined : context.symbols.named(name.slice(0, dot))[0]
  return base === undefined ? undefined : functionOf(context, base.id)
}

function filterReason(context: ProbeContext, verdict: 'unknown' | 'which'): Reason {
  if (verdict === 'which') {
    return shared(
      context,
      'UNKNOWN_WHICH_TRACEABLE',
      () =>
        'only some of the functions of this name can be traced, and available_filter_functions does not say which; available_filter_functions_addrs (since Linux 6.5) does',
    )
  }
  const { filter } = context
  const why = isAbsence(filter) ? filter.reason : 'it is empty'
  return shared(context, 'UNKNOWN_TRACEABLE', () => `available_filter_functions is missing (${why}): ${FILTER_HOW}`)
}

/** A function that a BPF trampoline is to be attached to. */
export interface TrampolinePlace {
  readonly kind: ProbeKind
  /** The set and id of its FUNC. */
  readonly set: TypeSet
  readonly funcId: number
  /** Its name, and its symbol if there is one of that name. */
  readonly name: string
  readonly id: number | undefined
  /** How many functions of its module have its name. */
  readonly same: number
}

/** Why a trampoline cannot be attached (bpf_check_attach_target, register_fentry). Empty: it can. */
export function trampolineReasons(context: ProbeContext, place: TrampolinePlace): readonly Reason[] {
  const { kind, set, funcId, id, name, same } = place
  const general = context.trampolineReasons
  if (verdictOf(general) === 'no') return general
  const reasons: Reason[] = [...general]
  if (id === undefined) {
    reasons.push(
      reason(
        'BTF_NO_ADDRESS',
        `The address of function ${name} cannot be found: ${set.name} has no symbol of that name`,
      ),
    )
  } else {
    const symbol = { id, name, owner: set.name }
    const misplaced = placeReasons(context, symbol)
    if (misplaced.length > 0) return [...general, ...misplaced]
    const verdict = traceable(context, symbol, same)
    if (verdict === 'no')
      reasons.push(reason('NOTRACE', `ftrace cannot hook ${name}: it is not in available_filter_functions`))
    else if (verdict !== 'yes') reasons.push(filterReason(context, verdict))
  }
  if (set.name === 'vmlinux') {
    if (TRACING_DENIED.has(name)) {
      reasons.push(reason('DENIED', `Attaching tracing programs to function '${name}' is rejected.`))
    }
    if (kind !== 'fentry' && NEVER_RETURN.has(name)) {
      reasons.push(reason('NORETURN', `Attaching ${kind} to __noreturn function '${name}' is rejected.`))
    }
  }
  prototypeReasons(context, set, funcId, name, reasons)
  if (kind === 'fmod_ret') modifyReasons(context, set.name, name, reasons)
  return reasons.length === 0 ? NONE : reasons
}

/** btf_distill_func_proto: what a trampoline cannot pass on. */
function prototypeReasons(context: ProbeContext, set: TypeSet, funcId: number, name: string, reasons: Reason[]): void {
  const proto = set.refOf(funcId)
  const own = set.owner(proto)
  if (own === undefined || set.kindNumberOf(proto) !== KIND_FUNC_PROTO) {
    reasons.push(reason('UNSUPPORTED_PROTOTYPE', `${name} has no prototype in ${set.name}'s BTF`))
    return
  }
  const refuse = (what: string) => reasons.push(reason('UNSUPPORTED_PROTOTYPE', `The function ${name} ${what}`))
  const at = own.position(proto)
  const count = infoVlen(own.words[at + 1]!)
  const returned = skipModifiers(set, own.words[at + 2]!)
  const returnKind = set.kindNumberOf(returned)
  if (returnKind === KIND_STRUCT || returnKind === KIND_UNION || returnKind === KIND_FLOAT) {
    refuse('returns a struct or another value that a trampoline cannot pass on')
  }
  if (count > MOST_ARGUMENTS) {
    reasons.push(reason('TOO_MANY_ARGS', `The function ${name} has ${count} arguments, more than ${MOST_ARGUMENTS}`))
    return
  }
  let words = 0
  let structs = false
  for (let i = 0; i < count; i++) {
    const type = own.words[at + 4 + 2 * i]!
    if (type === 0) {
      refuse('has variable arguments')
      return
    }
    // Most arguments are pointers of the same set: one look at the record.
    if (type >= own.firstId && type < own.endId && infoKind(own.words[own.position(type) + 1]!) === KIND_PTR) {
      words++
      continue
    }
    const id = skipModifiers(set, type)
    const kind = set.kindNumberOf(id)
    if (kind === KIND_PTR || kind === KIND_INT) {
      words += kind === KIND_INT && set.refOf(id) > 8 ? 2 : 1
      continue
    }
    const size = kind === KIND_ENUM || kind === KIND_ENUM64 ? set.refOf(id) : sizeOf(set, id)
    if (kind === KIND_STRUCT) structs = true
    if (kind === KIND_FLOAT || size === undefined || size === 0 || size > LARGEST_STRUCT_ARGUMENT) {
      const what =
        kind === KIND_STRUCT || kind === KIND_UNION ? `a struct of ${size ?? 0} bytes` : 'a type that cannot be passed'
      refuse(`has as argument ${i + 1} ${what}; up to ${LARGEST_STRUCT_ARGUMENT} bytes are supported`)
      return
    }
    if (kind === KIND_UNION) refuse(`has a union as argument ${i + 1}`)
    words += Math.ceil(size / 8)
  }
  if (structs) sinceReasons(context, STRUCT_ARGUMENTS_SINCE, reasons, `The function ${name} has a struct as argument`)
  const { architecture } = context
  if (architecture === undefined) return
  const limit = TRAMPOLINE_WORDS[architecture]
  if (words <= limit.words) return
  const what = `The function ${name} has ${words} argument words, more than ${limit.words}`
  if (limit.moreSince === undefined) reasons.push(reason('TOO_MANY_ARGS', what))
  else sinceReasons(context, limit.moreSince, reasons, what, 'TOO_MANY_ARGS')
}

/** Something that kernels can do since a version: a refusal before it, unknown where the version is. */
function sinceReasons(
  context: ProbeContext,
  [major, minor]: readonly [number, number],
  reasons: Reason[],
  what: string,
  code: 'UNSUPPORTED_PROTOTYPE' | 'TOO_MANY_ARGS' = 'UNSUPPORTED_PROTOTYPE',
): void {
  const able = atLeast(context.release, major, minor)
  if (able === false) reasons.push(reason(code, `${what}: supported since Linux ${major}.${minor}`))
  else if (able === undefined && !reasons.some((each) => each.code === 'UNKNOWN_RELEASE')) {
    reasons.push(RELEASE_UNKNOWN)
  }
}

/** check_attach_modify_return: security hooks, and functions whose errors may be injected. */
function modifyReasons(context: ProbeContext, module: string, name: string, reasons: Reason[]): void {
  if (name.startsWith('security_')) return
  const { errorInjection } = context
  if (isAbsence(errorInjection)) {
    const why = () =>
      `the list of functions whose errors may be injected is missing (${errorInjection.reason}): ${INJECTION_HOW}`
    reasons.push(shared(context, 'UNKNOWN_ERROR_INJECTION', why))
  } else if (!errorInjection.has(`${module}:${name}`)) {
    const what = `${name}() is not modifiable: neither a security_ hook nor in the error injection list`
    reasons.push(reason('NOT_ERROR_INJECTABLE', what))
  }
}
