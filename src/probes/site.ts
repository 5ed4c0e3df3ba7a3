// Where a probe comes to be, where the kernel lists the sites of its functions.

import type { ProbeContext } from './context.ts'
import { isTrampoline, type ProbeKind } from './spec.ts'

/**
 * The `__fentry__` site that a probe lands on: any trampoline's, and on x86-64 that of a kprobe at the entry, which the
 * kernel moves behind an ENDBR64. Undefined elsewhere in a function, and where no site is known.
 */
export function siteOf(context: ProbeContext, kind: ProbeKind, id: number, offset: number): bigint | undefined {
  const { symbols, facts } = context
  const start = symbols.addressOf(id)
  const site = facts.sites?.within(start, symbols.sizeOf(id))
  if (site === undefined || isTrampoline(kind)) return site
  const atEntry = offset === 0 || start + BigInt(offset) === site
  return atEntry && facts.architecture === 'x86_64' && site - start <= 4n ? site : undefined
}
