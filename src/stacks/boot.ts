// Whether a trace is of the boot that the symbols are of: by boot id, by release, by where `_stext` lies, and by what the
// trace itself says of its symbols. Addresses of another boot of the same kernel can be moved; of another kernel never.

import { formatAddress } from '../core/address.ts'
import { bigint, iterable, nested, text, wrong } from '../core/arguments.ts'
import { UsageError } from '../core/errors.ts'
import type { KernelSymbol } from '../symbols/symbol.ts'
import { type SymbolTable, symbolTable } from '../symbols/table.ts'
import type { RawFrame } from './frame.ts'
import { type Rebase, StackResolver } from './resolve.ts'

/** The facts of the boot that a trace, or a symbol table, is of. */
export interface BootFacts {
  readonly bootId?: string | undefined
  readonly release?: string | undefined
  readonly stext?: bigint | undefined
}

/** The check of these facts as an argument. */
export const BOOT_FACTS = nested<BootFacts>({ bootId: text, release: text, stext: bigint })

/**
 * What to do with a trace: nothing (`undefined`), or rebase it.
 * @throws UsageError where its addresses mean nothing in this table: another release, or another boot with an unknown
 * place of its `_stext`
 */
export function judgeBoot(trace: BootFacts, host: BootFacts, symbols: SymbolTable): Rebase | undefined {
  BOOT_FACTS(trace, 'trace')
  BOOT_FACTS(host, 'host')
  symbolTable(symbols, 'symbols')
  if (trace.release !== undefined && host.release !== undefined && trace.release !== host.release) {
    throw new UsageError(
      `the trace is of kernel ${trace.release}, the symbols are of ${host.release}: give --from a capture of that kernel`,
    )
  }
  const stext = host.stext ?? stextOf(symbols)
  const sameBoot = trace.bootId !== undefined && trace.bootId === host.bootId
  const otherBoot = trace.bootId !== undefined && host.bootId !== undefined && trace.bootId !== host.bootId
  if (trace.stext !== undefined && stext !== undefined && (otherBoot || trace.stext !== stext)) {
    if (sameBoot) {
      throw new UsageError(
        `the trace claims this boot (${trace.bootId}) but another _stext (${formatAddress(trace.stext)}): one is wrong`,
      )
    }
    return rebaseBy(stext - trace.stext, symbols)
  }
  if (otherBoot) {
    throw new UsageError(
      `the trace is of boot ${trace.bootId}, the symbols are of ${host.bootId}, and where that boot had its _stext is ` +
        'not known: give it with --trace-stext, or --from a capture of that boot',
    )
  }
  return undefined
}

/** Where this table's core kernel begins. */
export function stextOf(symbols: SymbolTable): bigint | undefined {
  return symbols.named('_stext', { owner: 'vmlinux' })[0]?.address
}

/** The core kernel's text and what follows it up to its last symbol, moved back by `delta`. */
function rebaseBy(delta: bigint, symbols: SymbolTable): Rebase {
  const start = stextOf(symbols) ?? 0n
  let end = start
  for (const name of ['_end', '__bss_stop', '_einittext', '_etext']) {
    for (const { address } of symbols.named(name, { owner: 'vmlinux' })) if (address > end) end = address
  }
  return { delta, start: start - delta, end: end - delta + 1n }
}

/** The distance by which a kernel is moved at boot is a multiple of this: pages on s390, far more elsewhere. */
const PAGE = 0x1000n
/**
 * A single frame at such a multiple can be believed: by chance one in 65,536 would be there. Where firmware chose the place, arm64
 * moves the kernel by no more.
 */
const LARGE_PAGE = 0x10000n
/** What x86 moves the kernel by within the last 2 GiB: enough to tell by names alone, as functions are shorter. */
const USUAL_SLIDE = 0x200000n
const LAST_GIGABYTES = 0xffff_ffff_8000_0000n

/** What the words of a trace's own frames say of the kernel that it is of. */
export interface Testimony {
  /** The displacement that they agree on, if it is not 0. */
  readonly rebase: Rebase | undefined
  /** They contradict the table, and agree on no displacement: their kernel is another. */
  readonly otherKernel: boolean
  /** At least one agrees with the table as it is. */
  readonly agreed: boolean
}

/** Frames that would agree with the table if they were moved by so much. */
interface Vote {
  readonly names: Set<string>
  count: number
  /** Some have offsets. */
  exact: boolean
}

/**
 * Weighs the frames that carry both name and address: what the table has there, or where their kernel lay. Modules move
 * one by one, so that only the core kernel's frames count. One frame is enough to contradict.
 */
export function judgeByWitnesses(frames: Iterable<RawFrame>, symbols: SymbolTable): Testimony {
  iterable('frames, as rawFrame makes them')(frames, 'frames')
  symbolTable(symbols, 'symbols')
  const votes = new Map<bigint, Vote>()
  const heard = new Set<RawFrame>()
  const resolver = new StackResolver(symbols)
  let agreed = 0
  let against = 0
  for (const frame of frames) {
    if (typeof frame !== 'object' || frame === null) throw wrong('a frame', 'one that rawFrame made', frame)
    const { address, name, user, inlined, owner } = frame
    if (address === undefined || name === undefined || user || inlined || heard.has(frame)) continue
    heard.add(frame)
    if (owner !== undefined && owner !== 'vmlinux') continue
    const [found] = resolver.resolve([frame], 'pc-first')
    if (found === undefined || found.reason === 'not_kernel' || found.reason === 'moved') continue
    if (found.symbol !== null && !found.printed) {
      agreed++
      continue
    }
    const named = symbols.named(name, { owner: 'vmlinux' })
    // A name that is nowhere in the table, at an address where the table has nothing, may have come and gone.
    if (named.length === 0 && found.reason !== 'contradiction') continue
    against++
    if (named.length === 1) for (const delta of displacements(frame, address, named[0]!)) add(votes, delta, frame)
  }
  let best: [bigint, Vote] | undefined
  for (const vote of votes) if (best === undefined || vote[1].count > best[1].count) best = vote
  if (best !== undefined) {
    const [delta, { count, names, exact }] = best
    const sure = names.size > 1 || (exact && delta % LARGE_PAGE === 0n)
    if (sure && count * 2 > agreed + against)
      return { rebase: rebaseBy(delta, symbols), otherKernel: false, agreed: agreed > 0 }
  }
  return { rebase: undefined, otherKernel: against > agreed, agreed: agreed > 0 }
}

/** By how much a frame would have to be moved to lie in the symbol that it names: one answer, as far as it can be told. */
function displacements({ offset }: RawFrame, address: bigint, { address: start, size }: KernelSymbol): bigint[] {
  if (offset !== undefined) {
    const delta = start - (address - BigInt(offset))
    return delta % PAGE === 0n ? [delta] : []
  }
  const least = start - address
  const slide = least + modulo(-least, start >= LAST_GIGABYTES ? USUAL_SLIDE : LARGE_PAGE)
  return slide !== 0n && slide <= least + BigInt(size) ? [slide] : []
}

function modulo(value: bigint, by: bigint): bigint {
  const rest = value % by
  return rest < 0n ? rest + by : rest
}

function add(votes: Map<bigint, Vote>, delta: bigint, { name = '', offset }: RawFrame): void {
  const vote = votes.get(delta) ?? { names: new Set<string>(), count: 0, exact: false }
  vote.names.add(name)
  vote.count++
  if (offset !== undefined) vote.exact = true
  votes.set(delta, vote)
}
