// How to attach what a plan found: by name, by module and name, by address, or many at once; and the same as lines that
// bpftrace and tracefs take.

import { formatAddress } from '../core/address.ts'
import type { FunctionArgument } from './arguments.ts'
import { type Architecture, fetchText } from './conventions.ts'
import type { ProbeKind } from './spec.ts'

/** How the kernel is told which function is meant. */
export type AttachMethod = 'name' | 'module:name' | 'address' | 'multi'

/** What another program needs to attach. */
export interface AttachRecipe {
  readonly method: AttachMethod
  /** The symbol to name; for an attachment by address, what lies there. */
  readonly symbol: string
  readonly module: string
  /** The address to pass where the method is `address`; else for information. */
  readonly address: bigint
  /** Bytes from the symbol's start. */
  readonly offset: number
  /** For a trampoline: the type set whose object to attach to, and the id of its FUNC. */
  readonly btf: { readonly module: string; readonly id: number } | undefined
  /** An attach point as bpftrace takes it; undefined where bpftrace cannot. A raw address needs its `--unsafe`. */
  readonly bpftrace: string | undefined
  /** A line for /sys/kernel/tracing/kprobe_events at the same place; undefined where there can be none. */
  readonly kprobeEvents: string | undefined
}

/** What lines are made from. */
export interface LinePlace {
  readonly kind: ProbeKind
  readonly method: AttachMethod
  readonly symbol: string
  readonly module: string
  readonly address: bigint
  readonly offset: number
}

/** Longest name of a trace event (MAX_EVENT_NAME_LEN, kernel/trace/trace_probe.h). */
const LONGEST_EVENT = 63
/** Most arguments of a trace event (MAX_TRACE_ARGS). */
const MOST_FETCHED = 128
const GROUP = 'kerndex'

/** The attach point in bpftrace's words. */
export function bpftraceLine({ kind, method, symbol, module, address, offset }: LinePlace): string | undefined {
  switch (kind) {
    case 'fmod_ret':
      return undefined
    case 'fentry':
    case 'fexit':
      return `${kind}:${module}:${symbol}`
    default:
      if (method === 'address')
        return offset === 0 || kind === 'kprobe' ? `${kind}:${formatAddress(address)}` : undefined
      return `${kind}:${method === 'module:name' ? `${module}:` : ''}${symbol}${offset === 0 ? '' : `+${offset}`}`
  }
}

/**
 * The line for kprobe_events (Documentation/trace/kprobetrace.rst): `p:kerndex/vfs_read vfs_read file=%di:x64`.
 * @param fetched the arguments to record; those that are not one register or stack slot are left out
 */
export function kprobeEventsLine(
  { kind, method, symbol, module, address, offset }: LinePlace,
  fetched: readonly FunctionArgument[],
  architecture: Architecture | undefined,
): string {
  const returns = kind === 'kretprobe' || kind === 'fexit'
  const target =
    method === 'address'
      ? formatAddress(address)
      : `${method === 'module:name' ? `${module}:` : ''}${symbol}${offset === 0 ? '' : `+${offset}`}`
  const ending = `${method === 'address' ? `_${address.toString(16)}` : offset === 0 ? '' : `_${offset}`}${returns ? '_ret' : ''}`
  const plain = symbol.replace(/[^A-Za-z0-9_]/g, '_').slice(0, LONGEST_EVENT - ending.length)
  const event = /^\d/.test(plain) ? `_${plain.slice(1)}${ending}` : plain + ending
  const pieces = [`${returns ? 'r' : 'p'}:${GROUP}/${event}`, target]
  if (returns) pieces.push('ret=$retval')
  else if (architecture !== undefined) pieces.push(...fetches(fetched, architecture))
  return pieces.join(' ')
}

function fetches(fetched: readonly FunctionArgument[], architecture: Architecture): string[] {
  const names = new Set<string>()
  const pieces: string[] = []
  fetched.slice(0, MOST_FETCHED).forEach(({ name, place, format }, i) => {
    const where = place === undefined || format === undefined ? undefined : fetchText(architecture, place)
    if (where === undefined) return
    const label = /^[A-Za-z_]\w*$/.test(name) && !names.has(name) ? name : `arg${i + 1}`
    names.add(label)
    // What is passed by reference is an address there, whatever it points to.
    pieces.push(`${label}=${where}:${place?.indirect === true ? 'x64' : format}`)
  })
  return pieces
}
