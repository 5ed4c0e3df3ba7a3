// Code of the kernel that changes what the frame outside of it is, or what it is itself: where the CPU enters on an interrupt or
// exception, and addresses that stand on the stack as return addresses though nothing was called in front of them.

import type { SymbolTable } from '../symbols/table.ts'

/**
 * Entry code outside of the range that the kernel marks, by architecture, as the unwinders of each know it. What only system calls
 * enter by is not here: outside of it is user space.
 */
const ENTRY_NAMES: readonly RegExp[] = [
  // x86: the NMI, and Xen's twins.
  /^(?:xen_)?asm_(?:exc_|sysvec_|common_interrupt|spurious_interrupt)/,
  // arm64: the vectors, before and after 5.12 (arch/arm64/kernel/entry.S).
  /^el1[ht]?_(?:64_|32_)?(?:sync|irq|fiq|error)$/,
  // 32-bit ARM, from kernel mode (entry-armv.S).
  /^__(?:irq|fiq|dabt|pabt|und)_svc$/,
  // riscv, MIPS, m68k: the handler, and where it has its callees return to (entry.S, genex.S).
  /^(?:handle_exception|ret_from_exception|ret_from_irq)$/,
  // powerpc (exceptions-64s.S).
  /^(?:data_access|instruction_access|data_access_slb|instruction_access_slb|h_data_storage|h_instr_storage)_common(?:_virt|_real)?$/,
  /^(?:hardware_interrupt|h_virt_irq|h_doorbell|doorbell_super|decrementer|hdecrementer|performance_monitor)_common(?:_virt|_real)?$/,
  /^(?:program_check|alignment|emulation_assist|single_step|denorm_exception|machine_check|system_reset)_common(?:_virt|_real)?$/,
  /^(?:fp|altivec|vsx|facility|h_facility)_unavailable_common(?:_virt|_real)?$/,
  // s390 (entry.S).
  /^(?:pgm_check_handler|(?:io|ext|mcck|restart)_int_handler)$/,
  // loongarch (genex.S, tlbex.S).
  /^handle_(?:ade|ale|bce|bp|fpe|fpu|lsx|lasx|lbt|ri|watch|reserved|vint|tlb_(?:load|store|modify|protect)(?:_ptw)?)$/,
  /^tlb_do_page_fault_[01]$/,
]

/**
 * Code whose first byte stands on the stack as a return address: tracers put it in the place of one, entry code has its callees
 * return there, and a new task begins there. These are the return addresses that are where they say.
 */
const RETURNED_TO: readonly string[] = [
  'return_to_handler',
  'arch_rethook_trampoline',
  '__kretprobe_trampoline',
  'kretprobe_trampoline',
  // 32-bit ARM, riscv, MIPS.
  'ret_fast_syscall',
  'ret_slow_syscall',
  'ret_from_syscall',
  'ret_from_exception',
  'ret_from_irq',
  // All; powerpc has the others.
  'ret_from_fork',
  'ret_from_fork_asm',
  'ret_from_kernel_thread',
  'ret_from_kernel_user_thread',
]

/** Whether the CPU enters in code of this name, as far as names tell. */
export function isEntryName(name: string): boolean {
  return ENTRY_NAMES.some((pattern) => pattern.test(name))
}

/** The entry code of one kernel. */
export class Entries {
  readonly #start: bigint
  readonly #end: bigint
  /** Addresses that are no return addresses though they stand in the place of one. */
  readonly returnedTo: readonly bigint[]

  constructor(symbols: SymbolTable) {
    const core = { owner: 'vmlinux' }
    this.#start = symbols.named('__irqentry_text_start', core)[0]?.address ?? 0n
    this.#end = symbols.named('__irqentry_text_end', core)[0]?.address ?? 0n
    this.returnedTo = RETURNED_TO.flatMap((name) => symbols.named(name, core).map(({ address }) => address))
  }

  /** Whether the CPU enters in this symbol: the frame outside of it is a PC, not a return address. */
  isEntry(name: string, start: bigint): boolean {
    return (start >= this.#start && start < this.#end) || isEntryName(name)
  }
}
