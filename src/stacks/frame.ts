// What a frame of a stack is: as a tool printed it, and as it reads once it was looked up.

/** A frame as a tool printed it. Immutable: decoders share one object among equal lines. */
export interface RawFrame {
  /** undefined where the tool hides addresses or prints names only. */
  readonly address: bigint | undefined
  readonly name: string | undefined
  /** Bytes from the start of the named symbol. */
  readonly offset: number | undefined
  /** Bytes of the named symbol, as the kernel prints after the slash. */
  readonly size: number | undefined
  /** The module or file in brackets; undefined where none was printed. */
  readonly owner: string | undefined
  /** Known to be user space: the tool named a file that no kernel code is in. */
  readonly user: boolean
  /** false for a frame that the kernel marks with `?`: an address found on the stack, perhaps of an older call. */
  readonly reliable: boolean
  /** true where the tool says that this is a PC (`RIP:`), whatever its place in the stack. */
  readonly pc: boolean
  /** Where in its line the address or the hidden address stands: column and length; length 0 where there is none. */
  readonly column: number
  readonly length: number
}

/** A raw frame with everything not given left open. */
export function rawFrame(given: Partial<RawFrame>): RawFrame {
  return {
    address: given.address,
    name: given.name,
    offset: given.offset,
    size: given.size,
    owner: given.owner,
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

/** A frame that was looked up. */
export interface Frame {
  /** As printed (or found from name and offset), after rebasing; undefined where only a name is known. */
  readonly address: bigint | undefined
  /** The primary name, the tool's own for user space, or null with a reason. */
  readonly symbol: string | null
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

/** `symbol+0x10/0x30 [owner]` as the kernel prints it, or undefined where there is no symbol. */
export function frameInWords(frame: Frame): string | undefined {
  const { symbol, offset, size, owner } = frame
  if (symbol === null) return undefined
  if (offset === null) return symbol
  const end = size === null ? '' : `/0x${size.toString(16)}`
  return `${symbol}+0x${offset.toString(16)}${end}${owner === null || owner === 'vmlinux' ? '' : ` [${owner}]`}`
}
