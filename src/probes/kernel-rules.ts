// What the kernel itself refuses, whatever the function: its deny lists, the limits of BPF trampolines, and since when.

import type { Architecture } from './conventions.ts'

/** A kernel's version as far as rules depend on it. */
export interface Release {
  readonly major: number
  readonly minor: number
}

/** The version in a release such as `6.1.0-56-amd64`. */
export function parseVersion(release: string | undefined): Release | undefined {
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(release ?? '') ?? []
  return major === undefined || minor === undefined ? undefined : { major: Number(major), minor: Number(minor) }
}

/** Whether a kernel is at least major.minor; undefined where its version is not known. */
export function atLeast(release: Release | undefined, major: number, minor: number): boolean | undefined {
  if (release === undefined) return undefined
  return release.major > major || (release.major === major && release.minor >= minor)
}

/** Functions to which no tracing program attaches (btf_id_deny, kernel/bpf/verifier.c). */
export const TRACING_DENIED: ReadonlySet<string> = new Set([
  'migrate_disable',
  'migrate_enable',
  'rcu_read_unlock_strict',
  'preempt_count_add',
  'preempt_count_sub',
  '__rcu_read_lock',
  '__rcu_read_unlock',
])

/**
 * Functions that never return, on which fexit and fmod_ret are refused (noreturn_deny, kernel/bpf/verifier.c, since 6.15).
 * The kernel lists the system calls of x86 alone; those of other architectures return as little.
 */
export const NEVER_RETURN: ReadonlySet<string> = new Set([
  'do_exit',
  'do_group_exit',
  'kthread_complete_and_exit',
  'kthread_exit',
  'make_task_dead',
  '__module_put_and_kthread_exit',
  '__kunit_abort',
  'kunit_try_catch_throw',
  '__ia32_sys_exit',
  '__ia32_sys_exit_group',
  '__x64_sys_exit',
  '__x64_sys_exit_group',
  '__arm64_sys_exit',
  '__arm64_sys_exit_group',
  '__s390x_sys_exit',
  '__s390x_sys_exit_group',
  '__riscv_sys_exit',
  '__riscv_sys_exit_group',
])

/** Most arguments of a function with a trampoline (MAX_BPF_FUNC_ARGS, include/linux/bpf.h). */
export const MOST_ARGUMENTS = 12
/** Most bytes of a struct that is an argument (btf_distill_func_proto, kernel/bpf/btf.c). */
export const LARGEST_STRUCT_ARGUMENT = 16
/** Arguments that tools attach to at most: bpftrace leaves functions with more alone. */
export const MOST_BPFTRACE_ARGUMENTS = 6

/** A limit that went away: from a version on, as major and minor. */
type Since = readonly [number, number]

/** Since when BPF trampolines exist. */
export const TRAMPOLINES_SINCE: Readonly<Record<Architecture, Since>> = {
  x86_64: [5, 5],
  arm64: [6, 0],
  s390x: [6, 3],
  riscv64: [6, 3],
}

/**
 * Argument words that a trampoline passes in registers, and since when it passes more on the stack
 * (arch_prepare_bpf_trampoline of each architecture).
 */
export const TRAMPOLINE_WORDS: Readonly<Record<Architecture, { readonly words: number; readonly moreSince?: Since }>> =
  {
    x86_64: { words: 6, moreSince: [6, 6] },
    arm64: { words: 8, moreSince: [6, 16] },
    s390x: { words: 5, moreSince: [6, 3] },
    riscv64: { words: 8, moreSince: [6, 11] },
  }

/** Since when arguments may be structs (x86-64 first). */
export const STRUCT_ARGUMENTS_SINCE: Since = [6, 1]
/** Since when kprobes and kretprobes at the entry step over an ENDBR64 (arch_adjust_kprobe_addr, x86). */
export const SKIPS_ENDBR_SINCE: Since = [5, 18]
/** Since when functions of one name in several modules are told apart (bpf_check_attach_target). */
export const MODULES_TOLD_APART_SINCE: Since = [6, 4]

/** The symbols by which an architecture is recognised; the first that exists counts. */
export const ARCHITECTURE_SYMBOLS: readonly (readonly [string, Architecture])[] = [
  ['__x64_sys_read', 'x86_64'],
  ['x86_64_start_kernel', 'x86_64'],
  ['__arm64_sys_read', 'arm64'],
  ['arm64_memblock_init', 'arm64'],
  ['__s390x_sys_read', 's390x'],
  ['__s390_sys_read', 's390x'],
  ['s390_base_ext_handler', 's390x'],
  ['__riscv_sys_read', 'riscv64'],
  ['riscv_cpuinfo', 'riscv64'],
  ['riscv_fill_hwcap', 'riscv64'],
]
