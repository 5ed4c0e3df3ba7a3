// An attachment as a line of text that another tool takes: an attach point of bpftrace, an event of tracefs.

import { formatAddress } from '../core/address.ts'
import type { Architecture } from './architectures.ts'
import type { FunctionArgument } from './arguments.ts'
import { fetchText, returnRegister } from './conventions.ts'
import { isReturn, isTrampoline, PROBE_KINDS, type ProbeKind } from './kinds.ts'

/** The input of lines. */
export interface LinePlace {
  readonly kind: ProbeKind
  readonly method: 'name' | 'module:name' | 'address' | 'multi'
  readonly symbol: string
  readonly module: string
  readonly address: bigint
  readonly offset: number
  /** The name of its event for kprobe_events. */
  readonly event: string
}

/** Limits of an event (kernel/trace/trace_probe.h): MAX_TRACE_ARGS, MAX_ARG_NAME_LEN. */
const MOST_FETCHED = 128
const LONGEST_ARGUMENT = 32
/** Fields that every event has (reserved_field_names, kernel/trace/trace_probe.c). */
const RESERVED: ReadonlySet<string> = new Set([
  'common_type',
  'common_flags',
  'common_preempt_count',
  'common_pid',
  'common_tgid',
  '__probe_ip',
  '__probe_ret_ip',
  '__probe_func',
])
const GROUP = 'kerndex'

/**
 * Functions that bpftrace leaves out of those it can trace, whatever the kernel says: probes on them have hung or confused
 * kernels. With fentry it then finds no such function.
 */
const LEFT_OUT_BY_BPFTRACE = /^(?:rcu_.*|arch_cpu_idle|default_idle|bpf_dispatcher_xdp_func)$/

/** The attach point in bpftrace's words; undefined where it has none. */
export function bpftraceLine({ kind, method, symbol, module, address, offset }: LinePlace): string | undefined {
  const { bpftrace } = PROBE_KINDS[kind]
  if (bpftrace === 'none' || (bpftrace === 'at the entry' && offset > 0)) return undefined
  if (isTrampoline(kind)) return LEFT_OUT_BY_BPFTRACE.test(symbol) ? undefined : `${kind}:${module}:${symbol}`
  if (method === 'address') return `${kind}:${formatAddress(address)}`
  return `${kind}:${method === 'module:name' ? `${module}:` : ''}${symbol}${offset === 0 ? '' : `+${offset}`}`
}

/**
 * The line for kprobe_events (Documentation/trace/kprobetrace.rst): `p:kerndex/vfs_read vfs_read file=%di:x64`.
 * @param fetched the arguments to record; those that are not one register or stack slot are left out
 * @param returned how to print what is returned; `none` if nothing is, undefined where it is not known
 */
export function kprobeEventsLine(
  { kind, method, symbol, module, address, offset, event }: LinePlace,
  fetched: readonly FunctionArgument[],
  returned: string | undefined,
  architecture: Architecture | undefined,
): string {
  const returns = isReturn(kind)
  const target =
    method === 'address'
      ? formatAddress(address)
      : `${method === 'module:name' ? `${module}:` : ''}${symbol}${offset === 0 ? '' : `+${offset}`}`
  const pieces = [`${returns ? 'r' : 'p'}:${GROUP}/${event}`, target]
  if (returns) pieces.push(...fetchReturned(method, returned, architecture))
  else if (architecture !== undefined) pieces.push(...fetches(fetched, architecture))
  return pieces.join(' ')
}

/**
 * The return value in a line. `$retval` is refused where the probe is given by address (trace_kprobe_create marks only symbols as
 * returns), so that the register is named there.
 */
function fetchReturned(
  method: LinePlace['method'],
  returned: string | undefined,
  architecture: Architecture | undefined,
): string[] {
  if (returned === 'none') return []
  const type = returned === undefined ? '' : `:${returned}`
  if (method !== 'address') return [`ret=$retval${type}`]
  if (architecture === undefined) return []
  const place = { registers: [returnRegister(architecture)], stack: undefined, indirect: false }
  return [`ret=${fetchText(architecture, place)}${type}`]
}

function fetches(fetched: readonly FunctionArgument[], architecture: Architecture): string[] {
  const names = new Set<string>(RESERVED)
  const pieces: string[] = []
  fetched.slice(0, MOST_FETCHED).forEach(({ name, place, format }, i) => {
    const where = place === undefined || format === undefined ? undefined : fetchText(architecture, place)
    if (where === undefined) return
    const usable = /^[A-Za-z_]\w*$/.test(name) && name.length <= LONGEST_ARGUMENT && !names.has(name)
    let label = usable ? name : `arg${i + 1}`
    while (names.has(label)) label += '_'
    names.add(label)
    // An argument that is passed by reference is an address there, whatever it points to.
    pieces.push(`${label}=${where}:${place?.indirect === true ? 'x64' : format}`)
  })
  return pieces
}
