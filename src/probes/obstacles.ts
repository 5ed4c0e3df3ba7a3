// The reasons against every probe of a kind on a host, whatever the function: features that the kernel was built
// without, kprobes disarmed, lockdown.

import { ARCHITECTURES } from './architectures.ts'
import type { ProbeFacts } from './facts.ts'
import { atLeast } from './kernel-rules.ts'
import { caution, type Reason, reason, type Warning } from './reasons.ts'

/** The kernel's version decides, and is not known. */
export const RELEASE_UNKNOWN: Reason = reason(
  'UNKNOWN_RELEASE',
  "the kernel's release is not known, and with it the limits of its trampolines: put a copy of /proc/version into the capture",
)

/** The reasons against every kprobe on this host. */
export function kprobeObstacles(facts: ProbeFacts): Reason[] {
  if (facts.lacks('register_kprobe', 'CONFIG_KPROBES')) {
    return [reason('KPROBES_OFF', 'the kernel was built without kprobes (CONFIG_KPROBES)')]
  }
  const reasons: Reason[] = []
  // LOCKDOWN_KPROBES is asked about in __register_trace_kprobe (kernel/trace/trace_kprobe.c).
  if (facts.lockdown === 'confidentiality') {
    reasons.push(reason('LOCKDOWN', 'the kernel is locked down (confidentiality): kprobes are refused with EPERM'))
  }
  if (facts.kprobesDisarmed) {
    const how = 'write 1 to /sys/kernel/debug/kprobes/enabled'
    reasons.push(caution('KPROBES_DISABLED', `kprobes are disarmed and would never fire: ${how}`))
  }
  return reasons
}

/** The reasons against every BPF trampoline on this host. */
export function trampolineObstacles(facts: ProbeFacts): Reason[] {
  if (facts.lacks('register_ftrace_direct', 'CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS')) {
    const what = 'the kernel was built without direct calls from ftrace'
    return [reason('FTRACE_OFF', `${what} (CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS)`)]
  }
  if (facts.lacks('bpf_trampoline_link_prog', 'CONFIG_BPF_JIT')) {
    return [reason('NO_TRAMPOLINE', 'the kernel was built without BPF trampolines (CONFIG_BPF_JIT)')]
  }
  const { architecture, release } = facts
  const reasons: Reason[] = []
  if (architecture === undefined) {
    const what = 'no symbol tells the architecture, and with it whether BPF trampolines exist'
    reasons.push(reason('UNKNOWN_ARCHITECTURE', what))
  } else {
    const [major, minor] = ARCHITECTURES[architecture].trampolines.since
    const able = atLeast(release, major, minor)
    if (able === false) {
      return [reason('NO_TRAMPOLINE', `BPF trampolines exist on ${architecture} since Linux ${major}.${minor}`)]
    }
    if (able === undefined) reasons.push(RELEASE_UNKNOWN)
  }
  return reasons
}

/** What lockdown leaves to probes of a kind that it does not refuse; undefined where nothing is locked down. */
export function lockdownWarning({ lockdown }: ProbeFacts, trampoline: boolean): Warning | undefined {
  if (lockdown === 'none') return undefined
  if (!trampoline) {
    const what = `the kernel is locked down (${lockdown}): kprobes are taken`
    return { code: 'LOCKED_DOWN', message: `${what}, since Linux refuses them only under confidentiality` }
  }
  // Attaching is not asked about; the helpers are (LOCKDOWN_BPF_READ_KERNEL, kernel/trace/bpf_trace.c).
  if (lockdown === 'integrity') return undefined
  const what = 'the kernel is locked down (confidentiality): trampolines are attached'
  const but = 'but no program is loaded that calls a helper to read kernel memory'
  return { code: 'LOCKED_DOWN', message: `${what}, ${but}` }
}
