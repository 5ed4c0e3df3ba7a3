// Why a kprobe cannot be registered at a place: the checks of register_kprobe and of kprobe events, one after the other.

import { isAbsence } from '../sources/source.ts'
import type { ProbeContext } from './context.ts'
import { type FunctionSymbol, functionOf } from './function-symbol.ts'
import { atLeast, SKIPS_ENDBR_SINCE } from './kernel-rules.ts'
import { placeReasons } from './place.ts'
import { NONE, type Reason, reason, verdictOf } from './reasons.ts'

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
  const { facts, missing, symbols } = context
  const general = context.kprobeObstacles
  const misplaced = placeReasons(context, symbol)
  if (misplaced.length > 0) return [...misplaced, ...general]
  // What holds for every kprobe needs no company of facts that would not change it.
  if (verdictOf(general) === 'no') return general
  const reasons: Reason[] = [...general]
  if (offset > 0) {
    const size = symbols.sizeOf(id)
    if (size > 0 && offset >= size) {
      const bounds = `Offset outside the function bounds: ${name} has 0x${size.toString(16)} bytes`
      return [reason('OUT_OF_BOUNDS', bounds), ...general]
    }
    const entry = isEntry(context, id, offset)
    if (returns && entry === 'no') {
      return [reason('BAD_RETPROBE', 'a kretprobe can only be at the entry of a function'), ...general]
    }
    if (entry !== 'yes') reasons.push(missing.instruction)
  }
  const { blacklist, traceable } = facts
  if (isAbsence(blacklist)) reasons.push(missing.blacklist)
  else if (isBlacklisted(context, symbol, offset)) {
    reasons.push(reason('BLACKLISTED', `${name} is on the kprobe blacklist: register_kprobe gives EINVAL`))
  }
  if (facts.kprobesOnNotrace) return reasons.length === 0 ? NONE : reasons
  if (isAbsence(traceable)) reasons.push(missing.traceable)
  else {
    // within_notrace_func: the function, or for a name with a suffix the base, if there is one.
    const own = traceable.of(symbol)
    const base = own === 'no' ? baseSymbol(context, name) : undefined
    const verdict = base === undefined ? own : traceable.of(base)
    if (verdict === 'which') reasons.push(missing.whichTraceable)
    else if (verdict === 'no') {
      const what = `Could not probe notrace function ${name}`
      reasons.push(reason('NOTRACE', `${what}: ftrace cannot hook it, and then kprobe events are refused with EINVAL`))
    }
  }
  return reasons.length === 0 ? NONE : reasons
}

/**
 * Whether an offset still is the function's entry. On x86-64 the kernel steps over an ENDBR64 at the start by itself, so that
 * 4 is as good as 0 (arch_adjust_kprobe_addr); where one is only the list of sites tells.
 */
function isEntry({ symbols, facts }: ProbeContext, id: number, offset: number): 'yes' | 'no' | 'unknown' {
  if (offset === 0) return 'yes'
  const { sites, architecture, release } = facts
  if (offset !== 4 || (architecture !== 'x86_64' && architecture !== undefined)) return 'no'
  if (sites !== undefined) {
    const start = symbols.addressOf(id)
    const site = sites.within(start, symbols.sizeOf(id))
    if (site !== undefined) return site === start + 4n ? 'yes' : 'no'
  }
  const never = facts.config('CONFIG_X86_KERNEL_IBT') === false || atLeast(release, ...SKIPS_ENDBR_SINCE) === false
  return never ? 'no' : 'unknown'
}

/** within_kprobe_blacklist: the address, or for a name with a suffix the base's. */
function isBlacklisted(context: ProbeContext, { id, name, owner }: FunctionSymbol, offset: number): boolean {
  const { symbols, facts } = context
  const { blacklist } = facts
  if (isAbsence(blacklist)) return false
  if (blacklist.covers(symbols.addressOf(id) + BigInt(offset), name, owner)) return true
  const base = baseSymbol(context, name)
  return base !== undefined && blacklist.covers(symbols.addressOf(base.id), base.name, base.owner)
}

/** The symbol that the kernel finds under the name before the first dot; it asks for that name alone. */
function baseSymbol(context: ProbeContext, name: string): FunctionSymbol | undefined {
  const dot = name.indexOf('.')
  const base = dot <= 0 ? undefined : context.symbols.named(name.slice(0, dot))[0]
  return base === undefined ? undefined : functionOf(context, base.id)
}
