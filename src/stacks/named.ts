// From already symbolized text back to an address: by name, then module, then the size that the kernel prints.

import type { KernelSymbol } from '../symbols/symbol.ts'
import type { SymbolTable } from '../symbols/table.ts'
import type { FrameReason, RawFrame } from './frame.ts'

/** What a name in a trace stands for. `symbol` is set where all candidates that are left start at one address. */
export interface NameAnswer {
  readonly symbol: KernelSymbol | undefined
  readonly reason: FrameReason | undefined
}

/**
 * The symbol that a printed `name+offset/size [owner]` means. Of several symbols with the name, those of the printed
 * owner are meant (the core kernel where none is printed and it has one), those of the printed size, and those that
 * reach as far as the offset; a return address may lie one byte behind the end.
 */
export function symbolOfFrame(symbols: SymbolTable, frame: RawFrame): NameAnswer {
  const { name, owner, size, offset } = frame
  if (name === undefined) return { symbol: undefined, reason: 'no_symbol' }
  let found = owner === undefined ? symbols.named(name) : symbols.named(name, { owner })
  if (found.length === 0) return { symbol: undefined, reason: 'unknown_name' }
  if (size !== undefined) {
    found = found.filter((symbol) => symbol.size === size)
    if (found.length === 0) return { symbol: undefined, reason: 'size_mismatch' }
  }
  if (offset !== undefined) {
    found = found.filter((symbol) => offset <= symbol.size)
    if (found.length === 0) return { symbol: undefined, reason: 'size_mismatch' }
  }
  if (owner === undefined && severalAddresses(found)) {
    const core = found.filter((symbol) => symbol.owner === 'vmlinux')
    // The kernel prints a module's name whenever there is one, but only beside a size: other tools leave it out.
    if (core.length > 0 && size !== undefined) found = core
  }
  return severalAddresses(found) ? { symbol: undefined, reason: 'ambiguous' } : { symbol: found[0], reason: undefined }
}

function severalAddresses(symbols: readonly KernelSymbol[]): boolean {
  const first = symbols[0]?.address
  return symbols.some(({ address }) => address !== first)
}
