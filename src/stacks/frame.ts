// A frame of a stack: as a tool printed it, and as it reads once it was looked up.

import { wrong } from '../core/arguments.ts'
import { printable } from '../core/printable.ts'

/**
 * A frame as a tool printed it. Immutable: decoders share one object among equal lines. Name, offset, size and owner are
 * the trace's own evidence of what was at the address: the resolver weighs them against the table.
 */
export interface RawFrame {
  /** undefined where the tool hides addresses or prints names only. */
  readonly address: bigint | undefined
  /** undefined where none was printed, or only `[unknown]`. */
  readonly name: string | undefined
  /** Bytes from the start of the named symbol. */
  readonly offset: number | undefined
  /** Bytes of the named symbol, as the kernel prints after the slash. */
  readonly size: number | undefined
  /** The module (`vmlinux` for the core kernel) or the file that was printed; undefined where none was. */
  readonly owner: string | undefined
  /**
   * The kernel itself printed name and offset (`%pS`, `%pB`): it knows return addresses, so that an offset of 0 is one.
   * Tools that look every address up as it stands print a wrong name there for a return address.
   */
  readonly kernelWords: boolean
  /** An inlined function: no symbol, in the code of the next frame outward, whose address it shares. */
  readonly inlined: boolean
  /** Known to be user space: the tool named a file that no kernel code is in. */
  readonly user: boolean
  /** false for a frame that the kernel marks with `?`: an address found on the stack, perhaps of an older call. */
  readonly reliable: boolean
  /** true where the tool says that this is a PC (`RIP:`), whatever its place in the stack. */
  readonly pc: boolean
  /**
   * Where in its line the part stands that is put into words: column and length. In most formats the address or the hidden
   * address, and length 0 where there is none; a format with an `inWords` of its own says what it is.
   */
  readonly column: number
  readonly length: number
}

/** The owner of a frame that is known to be the kernel's, by a mark such as `_[k]`, but not of which module. */
export const KERNEL_CODE = '[kernel]'

/** A raw frame with everything not given left open. */
export function rawFrame(given: Partial<RawFrame>): RawFrame {
  if (typeof given !== 'object' || given === null) throw wrong('a frame', 'an object with what is known of it', given)
  return {
    address: given.address,
    name: given.name,
    offset: given.offset,
    size: given.size,
    owner: given.owner,
    kernelWords: given.kernelWords ?? false,
    inlined: given.inlined ?? false,
    user: given.user ?? false,
    reliable: given.reliable ?? true,
    pc: given.pc ?? false,
    column: given.column ?? 0,
    length: given.length ?? 0,
  }
}

/** Why a frame has no symbol. */
export type FrameReason =
  /** Outside of all memory that the kernel's symbols describe. */
  | 'no_symbol'
  /** A user-space address. */
  | 'not_kernel'
  /** Inside the kernel's memory, where no symbol reaches. */
  | 'gap'
  /** The name is not in the table. */
  | 'unknown_name'
  /** Several symbols have this name and size. */
  | 'ambiguous'
  /** Symbols have this name but none has the printed size: the trace is of another build. */
  | 'size_mismatch'
  /** The trace is of another boot, and this address is not of the part that moves as a whole. */
  | 'other_boot'
  /** A module, a BPF program or a trampoline was here that has gone or moved since. */
  | 'moved'
  /** The table has something else here than the trace printed, and nothing explains it. */
  | 'contradiction'
  /** The trace's own names show that it is of another kernel than the table. */
  | 'other_kernel'
  /** In a module, which `owner` names, whose build the catalogue does not have. */
  | 'unknown_module'
  /** In a module that is not placed yet, while a kernel is being checked. */
  | 'not_loaded_yet'
  /** In a module that lay elsewhere, or was not loaded, at the time of the stack; or may have, where that has none. */
  | 'stale_layout'

/** A frame that was looked up. */
export interface Frame {
  /** As printed (or found from name and offset), after rebasing; undefined where only a name is known. */
  readonly address: bigint | undefined
  /** The primary name, the trace's own where the table has none to put in its place, or null with a reason. */
  readonly symbol: string | null
  /** The name is the trace's own, not the table's; true of every named frame of user space. */
  readonly printed: boolean
  readonly inlined: boolean
  /** True offset of the printed address from the symbol's start, even where address - 1 was looked up. */
  readonly offset: number | null
  readonly size: number | null
  readonly owner: string | null
  readonly aliases: readonly string[]
  readonly reason: FrameReason | undefined
  readonly user: boolean
  readonly reliable: boolean
  /** The address is of the instruction itself; else it is a return address, which lies behind the call. */
  readonly pc: boolean
  /** Code where the CPU enters on an interrupt or exception: the frame outside of it is a PC, not a return address. */
  readonly entry: boolean
}

/**
 * How the frames of a stack came to be: the first is the PC that was sampled (`pc-first`: perf, bpftrace, tetragon), or
 * all are return addresses (`returns`: the kernel's own unwinder as ftrace and /proc/PID/stack print it).
 */
export type StackShape = 'pc-first' | 'returns'

/** `return`: return addresses are looked up at address - 1, as is right; `raw`: as printed, as perf and bpftrace do. */
export type LookupMode = 'return' | 'raw'

const CONTEXT_MARKERS = 0xffff_ffff_ffff_f000n

/**
 * Whether a value of a call chain is no address: 0, -1, or one of the PERF_CONTEXT_* markers (include/uapi/linux/
 * perf_event.h), which take the last page of the address space.
 */
export function isMarker(address: bigint): boolean {
  return address === 0n || address >= CONTEXT_MARKERS
}

/** `symbol+0x10/0x30 [owner]` as the kernel prints it, on one line, or undefined where there is no symbol. */
export function frameInWords(frame: Frame): string | undefined {
  if (typeof frame?.symbol !== 'string' && frame?.symbol !== null)
    throw wrong('frame', 'a frame that was looked up', frame)
  const { symbol, offset, size, owner } = frame
  if (symbol === null) return undefined
  if (offset === null) return printable(symbol)
  const end = size === null ? '' : `/0x${size.toString(16)}`
  const of = owner === null || owner === 'vmlinux' ? '' : ` [${owner}]`
  return printable(`${symbol}+0x${offset.toString(16)}${end}${of}`)
}
