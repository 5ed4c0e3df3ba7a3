// Printed names as evidence: which symbol it stands for (by name, then module, then the size that the kernel
// prints), and whether it agrees with what the table has at its address.

import type { KernelSymbol } from '../symbols/symbol.ts'
import type { SymbolTable } from '../symbols/table.ts'
import { type Frame, type FrameReason, KERNEL_CODE, type RawFrame } from './frame.ts'

/** The symbols that a name in a trace may stand for. `symbol` is set where all candidates that are left start at one address. */
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
  const { name, size, offset } = frame
  const owner = frame.owner === KERNEL_CODE ? undefined : frame.owner
  if (name === undefined) return { symbol: undefined, reason: 'unknown_name' }
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

/** What compilers put behind a function's name when they make another of it or a part: `.isra.0`, `.cold`, `.llvm.123`. */
function withoutSuffix(name: string): string {
  const dot = name.indexOf('.', 1)
  return dot < 0 ? name : name.slice(0, dot)
}

/** Whether a name that the trace prints is one of those that the table has at its address, as far as its offset tells. */
export function agrees(raw: RawFrame, found: Frame): boolean {
  const { name, offset } = raw
  if (name === undefined || found.symbol === null) return false
  if (name === found.symbol || found.aliases.includes(name)) return offset === undefined || offset === found.offset
  // Tools that read debug information call a function's parts by its own name, and print mangled names of Rust in words.
  const bare = withoutSuffix(name)
  if (bare === withoutSuffix(found.symbol) || found.aliases.some((alias) => withoutSuffix(alias) === bare)) return true
  return /^_(?:R|ZN)/.test(found.symbol) && /::|[<(]/.test(name)
}

/**
 * Why the trace prints another name than the table has: the symbol that it counts from, where that is in the table;
 * `moved` where a module or other memory that comes and goes explains it; else a `contradiction`.
 */
export function movedTo(
  symbols: SymbolTable,
  raw: RawFrame,
  address: bigint,
  found: Frame,
): KernelSymbol | 'moved' | 'contradiction' {
  const { name = '', offset, owner } = raw
  const named = symbols.named(name)
  if (offset !== undefined) {
    const start = address - BigInt(offset)
    const symbol = named.find((one) => one.address === start)
    if (symbol !== undefined) return symbol
  }
  // The core kernel moves only as a whole.
  if (owner === 'vmlinux' || found.owner === 'vmlinux' || found.owner === null) return 'contradiction'
  if (owner === undefined && named.some((one) => one.owner === 'vmlinux')) return 'contradiction'
  if (owner !== undefined && owner === found.owner) {
    // Loaded anew at an address that overlaps with the old one; a build without that name, or of another size, is another.
    const same = named.filter((one) => one.owner === owner)
    return same.some((one) => offset === undefined || offset <= one.size) ? 'moved' : 'contradiction'
  }
  return 'moved'
}
