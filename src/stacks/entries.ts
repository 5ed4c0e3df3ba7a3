// Code of the kernel that changes what the frame outside of it is: where the CPU enters on an interrupt or exception, and
// trampolines that tracers put in the place of a return address.

import type { SymbolTable } from '../symbols/table.ts'

/** Entry code outside of the range that the kernel marks: x86's NMI, Xen's twins, and arm64's vectors. */
const ENTRY_NAME =
  /^(?:xen_)?asm_(?:exc_|sysvec_|common_interrupt|spurious_interrupt)|^el1[ht]?_(?:64_|32_)?(?:sync|irq|fiq|error)$/

/**
 * Code that stands in place of a return address: tracers put its first byte on the stack, so that this is the one return
 * address that is where it says.
 */
const TRAMPOLINES = ['return_to_handler', 'arch_rethook_trampoline', '__kretprobe_trampoline', 'kretprobe_trampoline']

/** Whether the CPU enters in code of this name, as far as names tell. */
export function isEntryName(name: string): boolean {
  return ENTRY_NAME.test(name)
}

/** Such code of one kernel. */
export class Entries {
  readonly #start: bigint
  readonly #end: bigint
  /** Where trampolines begin. */
  readonly trampolines: readonly bigint[]

  constructor(symbols: SymbolTable) {
    const core = { owner: 'vmlinux' }
    this.#start = symbols.named('__irqentry_text_start', core)[0]?.address ?? 0n
    this.#end = symbols.named('__irqentry_text_end', core)[0]?.address ?? 0n
    this.trampolines = TRAMPOLINES.flatMap((name) => symbols.named(name).map(({ address }) => address))
  }

  /** Whether the CPU enters in this symbol: the frame outside of it is a PC, not a return address. */
  isEntry(name: string, start: bigint): boolean {
    return (start >= this.#start && start < this.#end) || isEntryName(name)
  }
}
