// Whether a trace is of the boot that the symbols are of: by boot id, by release, by where `_stext` lies, and by what the
// trace itself says of its symbols. Addresses of another boot of the same kernel can be moved; of another kernel never.

import { formatAddress } from '../core/address.ts'
import { UsageError } from '../core/errors.ts'
import type { SymbolTable } from '../symbols/table.ts'
import type { RawFrame } from './frame.ts'

/** What is known of the boot that a trace, or a symbol table, is of. */
export interface BootFacts {
  readonly bootId?: string | undefined
  readonly release?: string | undefined
  readonly stext?: bigint | undefined
}

/** How far addresses of the core kernel have to be moved, and in which range of the trace; the rest is not known. */
export interface Rebase {
  readonly delta: bigint
  /** The core kernel in the trace's own addresses; `end` exclusive. */
  readonly start: bigint
  readonly end: bigint
}

/**
 * What to do with a trace: nothing (`undefined`), or rebase it.
 * @throws UsageError where its addresses mean nothing in this table: another release, or another boot with an unknown
 * place of its `_stext`
 */
export function judgeBoot(trace: BootFacts, host: BootFacts, symbols: SymbolTable): Rebase | undefined {
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

/** Frames with both a name and an address that are needed before they are believed. */
const WITNESSES = 8

/**
 * What a trace's own words say: frames that carry name, offset and address show where the trace's kernel lay. Returns
 * undefined where they agree with the table or are too few.
 * @throws UsageError if they agree with no single displacement: another kernel
 */
export function judgeByWitnesses(frames: Iterable<RawFrame>, symbols: SymbolTable): Rebase | undefined {
  const votes = new Map<bigint, number>()
  let witnesses = 0
  for (const { address, name, offset, user, owner } of frames) {
    if (address === undefined || name === undefined || offset === undefined || user) continue
    // Modules move one by one; only the core kernel moves as a whole.
    if (owner !== undefined && owner !== '[kernel.kallsyms]' && owner !== 'vmlinux') continue
    const found = symbols.named(name, { owner: 'vmlinux' })
    if (found.length === 0) continue
    witnesses++
    const printed = address - BigInt(offset)
    if (found.some((symbol) => symbol.address === printed)) votes.set(0n, (votes.get(0n) ?? 0) + 1)
    else if (found.length === 1) {
      const delta = (found[0]?.address ?? 0n) - printed
      votes.set(delta, (votes.get(delta) ?? 0) + 1)
    }
  }
  if (witnesses < WITNESSES) return undefined
  const [best] = [...votes].sort(([, a], [, b]) => b - a)
  const [delta, count] = best ?? [0n, 0]
  if (count * 2 > witnesses) return delta === 0n ? undefined : rebaseBy(delta, symbols)
  throw new UsageError(
    `the trace's own names lie elsewhere in these symbols (${count} of ${witnesses} frames agree on one displacement): ` +
      'it is of another kernel; give --from a capture of that kernel',
  )
}
