// Rules by which the kernel itself refuses any function: its deny lists, the limits of BPF trampolines, and since when.

import { ARCHITECTURES, type Since } from './architectures.ts'

/** A kernel's version as far as rules depend on it. */
export interface Release {
  readonly major: number
  readonly minor: number
  /** Which release of a stable series it is (the 60 of 6.1.60); undefined where nothing tells. */
  readonly patch?: number | undefined
}

/**
 * The version in a release such as `6.1.0-56-amd64`.
 * @param version the text of /proc/version: Debian writes the stable release there, and 0 into the release
 */
export function parseVersion(release: string | undefined, version = ''): Release | undefined {
  const [, major, minor, third] = /^(\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?/.exec(release ?? '') ?? []
  if (major === undefined || minor === undefined) return undefined
  const debian = new RegExp(`\\bDebian ${major}\\.${minor}\\.(\\d{1,4})\\b`).exec(version)?.[1]
  const patch = third !== undefined && Number(third) > 0 ? Number(third) : debian && Number(debian)
  return { major: Number(major), minor: Number(minor), patch: typeof patch === 'number' ? patch : undefined }
}

/** When a rule of the kernel changed: in which version, and in which releases of older series that took it over. */
export interface Change {
  readonly since: Since
  /** By series; null where a series took it over in a release that is not known here. */
  readonly stable?: Readonly<Record<string, number | null>>
}

/** Whether a kernel has a change; undefined where its version does not tell. */
export function has(release: Release | undefined, { since, stable = {} }: Change): boolean | undefined {
  if (release === undefined) return undefined
  if (atLeast(release, ...since) === true) return true
  const first = stable[`${release.major}.${release.minor}`]
  if (first === undefined) return false
  return first === null || release.patch === undefined ? undefined : release.patch >= first
}

/** Whether a kernel is at least major.minor; undefined where its version is not known. */
export function atLeast(release: Release | undefined, major: number, minor: number): boolean | undefined {
  if (release === undefined) return undefined
  return release.major > major || (release.major === major && release.minor >= minor)
}

/** Since when kprobe events refuse a name that several symbols of the core have (b022f0c7e404, __trace_kprobe_create). */
export const REFUSES_SAME_NAMES: Change = {
  since: [6, 6],
  stable: { '6.5': 9, '6.1': 60, '5.15': 137, '5.10': 199, '5.4': 259, '4.19': 297, '4.14': 328 },
}
/** Since when symbols of modules count as well (926fe783c8a6, number_of_same_symbols). */
export const COUNTS_MODULES: Change = {
  since: [6, 6],
  stable: { '6.5': null, '6.1': 71, '5.15': null, '5.10': null, '5.4': null, '4.19': null, '4.14': null },
}
/** Since when `MODULE:NAME` has to be unique in its module (9d8616034f16, validate_module_probe_symbol). */
export const COUNTS_IN_MODULE: Change = { since: [6, 11], stable: { '6.10': null } }
/** Since when symbols of modules count only where the core has none (1870ddcd94b0, number_of_same_symbols). */
export const PREFERS_CORE: Change = { since: [7, 1], stable: { '7.0': null } }

/**
 * Functions to which no tracing program attaches (btf_id_deny, kernel/bpf/verifier.c), for kernels whose symbols do not list
 * them: see `denyList`.
 */
export const TRACING_DENIED: ReadonlySet<string> = new Set([
  'migrate_disable',
  'migrate_enable',
  'rcu_read_unlock_strict',
  'preempt_count_add',
  'preempt_count_sub',
  '__rcu_read_lock',
  '__rcu_read_unlock',
])

/** Since when fexit and fmod_ret are refused on functions that never return (cfe816d469dc, kernel/bpf/verifier.c). */
export const REFUSES_NORETURN: Change = { since: [6, 15], stable: { '6.14': 5, '6.12': 26, '6.6': 89 } }

/**
 * Functions that never return (noreturn_deny, kernel/bpf/verifier.c). The kernel lists the system calls of x86 alone; those of
 * other architectures return as little.
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
  ...['__ia32_', ...Object.values(ARCHITECTURES).map(({ systemCalls }) => systemCalls)].flatMap((prefix) => {
    return [`${prefix}sys_exit`, `${prefix}sys_exit_group`]
  }),
])

/** Most arguments of a function with a trampoline (MAX_BPF_FUNC_ARGS, include/linux/bpf.h). */
export const MOST_ARGUMENTS = 12
/** Most bytes of a struct that is an argument (btf_distill_func_proto, kernel/bpf/btf.c). */
export const LARGEST_STRUCT_ARGUMENT = 16
/** Arguments that tools attach to at most: bpftrace leaves functions with more alone. */
export const MOST_BPFTRACE_ARGUMENTS = 6

/** Since when arguments may be unions (ccb4f5d91ec4, btf_distill_func_proto). Nothing in a kernel's BTF tells it. */
export const UNION_ARGUMENTS_SINCE: Since = [6, 18]
/** Since when kprobes and kretprobes at the entry step over an ENDBR64 (arch_adjust_kprobe_addr, x86). */
export const SKIPS_ENDBR_SINCE: Since = [5, 18]
/** Since when functions of one name in several modules are told apart (bpf_check_attach_target). */
export const MODULES_TOLD_APART_SINCE: Since = [6, 4]

/** Since when fmod_ret attaches to system calls where the kernel is built without error injection (20c2e102a2f3). */
export const MODIFIES_SYSCALLS_SINCE: Since = [7, 1]
