// Which answers of a snapshot that came from the cache can be given before it has been checked against the kernel.

import type { Kernel } from '../kernel.ts'
import type { PastedBatch } from '../stacks/pasted.ts'
import { CORE_OWNER } from '../symbols/build.ts'

/** Addresses of a batch up to which it is worth a look whether their answers are settled. */
const FEW = 1000

/**
 * Whether no check of a snapshot that came from the cache could change an answer. It is of this boot, and was opened because the
 * kernel lists the same modules at the same places: within a boot what the core kernel and these have stays as it is. Programs of
 * bpf, trampolines and the slots of kprobes come and go, so they, names and "nothing there" need the check.
 */
export function isSettled(
  { addresses, names, bad }: PastedBatch,
  { symbols, host }: Pick<Kernel, 'symbols' | 'host'>,
): boolean {
  if (addresses.length > FEW || names.size > 0 || bad.length > 0) return false
  const settled = new Set([CORE_OWNER, ...(host.modules ?? []).map(({ name }) => name)])
  return addresses.every(
    (address) => symbols.at(address)?.candidates.every(({ symbol }) => settled.has(symbol.owner)) === true,
  )
}
