// The architectures that plans of probes know, a row each. A new architecture is a row here and its calling convention in conventions.ts;
// where the CPU enters on an interrupt stands in stacks/entries.ts, by name.

/** A version of Linux from which on something holds: major and minor. */
export type Since = readonly [major: number, minor: number]

/** The abilities of the kernel on an architecture. */
interface ArchitectureRow {
  /** Symbols that no other architecture has. */
  readonly symbols: readonly string[]
  /** The prefix of a system call's name (has_arch_syscall_prefix, kernel/bpf/verifier.c). */
  readonly systemCalls: string
  /**
   * Least bytes between two instructions, where all have as many. Undefined where they have any length: there, functions may begin with an
   * ENDBR64 that kprobes step over (x86-64).
   */
  readonly step?: number
  readonly trampolines: {
    /** Since when BPF trampolines exist. */
    readonly since: Since
    /** Argument words in registers, and since when more are passed on the stack (arch_prepare_bpf_trampoline). */
    readonly words: number
    readonly moreSince?: Since
    /** Since when arguments may be structs (720e6a435194, btf_distill_func_proto; arm64: 90564f1e3dd6). */
    readonly structsSince: Since
  }
}

const ROWS = {
  x86_64: {
    symbols: ['__x64_sys_read', 'x86_64_start_kernel'],
    systemCalls: '__x64_',
    trampolines: { since: [5, 5], words: 6, moreSince: [6, 6], structsSince: [6, 1] },
  },
  arm64: {
    symbols: ['__arm64_sys_read', 'arm64_memblock_init'],
    systemCalls: '__arm64_',
    step: 4,
    trampolines: { since: [6, 0], words: 8, moreSince: [6, 16], structsSince: [6, 5] },
  },
  s390x: {
    symbols: ['__s390x_sys_read', '__s390_sys_read', 's390_base_ext_handler'],
    systemCalls: '__s390x_',
    step: 2,
    trampolines: { since: [6, 3], words: 5, moreSince: [6, 3], structsSince: [6, 3] },
  },
  riscv64: {
    symbols: ['__riscv_sys_read', 'riscv_cpuinfo', 'riscv_fill_hwcap'],
    systemCalls: '__riscv_',
    step: 2,
    trampolines: { since: [6, 3], words: 8, moreSince: [6, 11], structsSince: [6, 3] },
  },
} as const satisfies Readonly<Record<string, ArchitectureRow>>

/** Architectures whose rules are known. */
export type Architecture = keyof typeof ROWS

/** The rows, by architecture. */
export const ARCHITECTURES: Readonly<Record<Architecture, ArchitectureRow>> = ROWS

/** The architecture of a kernel that has some symbols; undefined where none of them tells. */
export function architectureOf(has: (symbol: string) => boolean): Architecture | undefined {
  for (const [name, { symbols }] of Object.entries(ROWS)) {
    if (symbols.some(has)) return name as Architecture // A key of the rows.
  }
  return undefined
}
