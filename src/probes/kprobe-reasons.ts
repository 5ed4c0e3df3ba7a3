// Why a kprobe cannot be registered at a place: the checks of register_kprobe and of kprobe events, one after the other.

import { isAbsence } from '../sources/source.ts'
import { ARCHITECTURES } from './architectures.ts'
import type { ProbeContext } from './context.ts'
import { functionOf, placeReasons } from './places.ts'
import { type Caution, caution, isRefused, NONE, type Reason, reason } from './reasons.ts'
import type { FunctionSymbol } from './traceable.ts'

/** A place for a kprobe or kretprobe. */
export interface KprobePlace {
  readonly symbol: FunctionSymbol
  /** Bytes from the symbol's start. */
  readonly offset: number
  readonly returns: boolean
}

/**
 * Why a kprobe cannot be registered there (register_kprobe, kernel/kprobes.c; trace_kprobe.c). Empty: it can.
 * @param allow the cautions that are left to the kernel
 */
export function kprobeReasons(
  context: ProbeContext,
  place: KprobePlace,
  allow: ReadonlySet<Caution>,
): readonly Reason[] {
  const { symbol, offset, returns } = place
  const { facts, missing, symbols } = context
  const general = context.kprobeObstacles(allow)
  const misplaced = placeReasons(context, symbol, allow)
  // A reason that holds for every kprobe, or for every address there, stands alone: further ones would not change it.
  if (isRefused(misplaced, 'kernel')) return [...misplaced, ...general]
  if (isRefused(general, 'kernel')) return general
  const reasons: Reason[] = [...general, ...misplaced]
  // What is cold often begins with the UD2 of a WARN, which is reserved.
  if (offset === 0 && symbol.name.includes('.cold')) reasons.push(...reservedReasons(context, place))
  if (offset > 0) {
    const size = symbols.sizeOf(symbol.id)
    if (size > 0 && offset >= size) {
      if (allow.has('OUT_OF_BOUNDS')) return [...reasons, ...landingReasons(context, place, allow)]
      const bounds = `Offset outside the function bounds: ${symbol.name} has 0x${size.toString(16)} bytes`
      return [caution('OUT_OF_BOUNDS', `${bounds}, and the kernel would probe what lies there`), ...reasons]
    }
    const at = instructionAt(context, symbol, offset)
    if (returns && at !== 'entry' && (at !== 'unknown' || !mayBeEntry(context, offset))) {
      // kprobe_on_func_entry
      return [reason('BAD_RETPROBE', 'a kretprobe can only be at the entry of a function'), ...reasons]
    }
    if (at === 'unknown') reasons.push(missing.instruction)
    else if (at === 'start') reasons.push(...reservedReasons(context, place))
    else if (at === 'inside') {
      const what = 'no instruction begins there: register_kprobe gives EILSEQ'
      reasons.push(reason('MID_INSTRUCTION', `${symbol.name}+${offset} is in the middle of an instruction; ${what}`))
    }
  }
  const { blacklist, traceable } = facts
  if (isAbsence(blacklist)) reasons.push(missing.blacklist)
  else if (isBlacklisted(context, symbol, offset)) {
    reasons.push(reason('BLACKLISTED', `${symbol.name} is on the kprobe blacklist: register_kprobe gives EINVAL`))
  }
  if (facts.kprobesOnNotrace) return settled(reasons)
  if (isAbsence(traceable)) reasons.push(missing.traceable)
  else {
    // within_notrace_func: the function, or for a name with a suffix the base, if there is one.
    const own = traceable.of(symbol)
    const base = own === 'no' ? baseSymbol(context, symbol.name) : undefined
    const verdict = base === undefined ? own : traceable.of(base)
    if (verdict === 'which') reasons.push(missing.whichTraceable)
    else if (verdict === 'no') {
      const what = `Could not probe notrace function ${symbol.name}`
      reasons.push(reason('NOTRACE', `${what}: ftrace cannot hook it, and then kprobe events are refused with EINVAL`))
    }
  }
  return settled(reasons)
}

/** Reasons without facts that are missing, where the rest settles the verdict. */
function settled(reasons: readonly Reason[]): readonly Reason[] {
  if (reasons.length === 0) return NONE
  const refusals = reasons.filter(({ code }) => !code.startsWith('UNKNOWN_'))
  return refusals.length === 0 ? reasons : refusals
}

/** Why an instruction that surely begins at a place may be, or is, one that the kernel keeps for itself. */
function reservedReasons(
  { facts, missing, symbols }: ProbeContext,
  { symbol, offset }: KprobePlace,
): readonly Reason[] {
  const { reserved } = facts
  const address = symbols.addressOf(symbol.id) + BigInt(offset)
  if (isAbsence(reserved) || !reserved.covers(address)) return [missing.reserved]
  const what = reserved.at(address)
  if (what === undefined) return NONE
  return [reason('RESERVED', `${what} is at ${symbol.name}+${offset}: register_kprobe gives EINVAL`)]
}

/** What the kernel says of an offset behind a function's end: it looks up anew what lies there (_kprobe_addr). */
function landingReasons(
  context: ProbeContext,
  { symbol, offset, returns }: KprobePlace,
  allow: ReadonlySet<Caution>,
): readonly Reason[] {
  const { symbols } = context
  const address = symbols.addressOf(symbol.id) + BigInt(offset)
  const match = address > LAST_ADDRESS ? undefined : symbols.at(address, { kinds: 'text' })
  if (match === undefined) return [reason('NOT_TEXT', `${symbol.name}+${offset} is in no function`)]
  const landing = { symbol: functionOf(context, match.symbol.id), offset: match.offset, returns }
  const all = new Set<Caution>([...allow, 'FRAGMENT', 'LABEL'])
  return kprobeReasons(context, landing, all)
}

const LAST_ADDRESS = 0xffff_ffff_ffff_ffffn

/** ENDBR64 has four bytes, the call of `__fentry__` five. */
const ENDBR = 4
const CALL = 5

/**
 * What is at an offset inside a function: its entry, the start of another instruction, or the middle of one. On x86-64 the
 * kernel steps over an ENDBR64 at the entry by itself, so that 4 is as good as 0 (arch_adjust_kprobe_addr). The call that ftrace
 * patches tells the first instructions; what is behind it needs the code.
 */
function instructionAt(
  context: ProbeContext,
  symbol: FunctionSymbol,
  offset: number,
): 'entry' | 'start' | 'inside' | 'unknown' {
  const { architecture } = context.facts
  if (architecture === undefined) return 'unknown'
  const { step } = ARCHITECTURES[architecture]
  if (step !== undefined) return offset % step === 0 ? 'unknown' : 'inside'
  const call = callAt(context, symbol)
  if (call === undefined) return 'unknown'
  if (offset === call) return 'entry'
  if (offset < call + CALL) return 'inside'
  return offset === call + CALL ? 'start' : 'unknown'
}

/** Whether an offset may be the entry of some function: behind an ENDBR64. */
function mayBeEntry({ facts }: ProbeContext, offset: number): boolean {
  return offset === ENDBR && facts.hasEndbr
}

/** Bytes from a function's start to the call that ftrace patches: none, or an ENDBR64; undefined where it is not known. */
function callAt({ symbols, facts }: ProbeContext, symbol: FunctionSymbol): 0 | 4 | undefined {
  const { sites, traceable } = facts
  if (sites !== undefined) {
    const start = symbols.addressOf(symbol.id)
    const site = sites.within(start, symbols.sizeOf(symbol.id))
    if (site !== undefined) return site === start ? 0 : site === start + BigInt(ENDBR) ? ENDBR : undefined
  }
  if (facts.hasEndbr || isAbsence(traceable)) return undefined
  return traceable.of(symbol) === 'yes' ? 0 : undefined
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
  if (dot <= 0) return undefined
  const ids = context.idsNamed(name.slice(0, dot))
  const id = ids.find((each) => context.symbols.ownerOf(each) === 'vmlinux') ?? ids[0]
  return id === undefined ? undefined : functionOf(context, id)
}
