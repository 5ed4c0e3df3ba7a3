// Looks up the frames of stacks: which frame is a PC and which a return address, what an interrupt entry changes, names
// resolved back, addresses of another boot moved. The rule for return addresses is the kernel's own (`sprint_backtrace`
// in kernel/kallsyms.c): look up address - 1, print the true offset.

import type { NothingReason } from '../symbols/locate.ts'
import type { SymbolTable } from '../symbols/table.ts'
import type { Rebase } from './boot.ts'
import { type Frame, type FrameReason, isMarker, type LookupMode, type RawFrame, type StackShape } from './frame.ts'
import { symbolOfFrame } from './named.ts'

/** Frames kept looked up; when there are more, all are forgotten, which bounds memory without bookkeeping. */
const CACHE_LIMIT = 1 << 16

/** Entry code outside of the range that the kernel marks: x86's NMI, Xen's twins, and arm64's vectors. */
const ENTRY_NAME =
  /^(?:xen_)?asm_(?:exc_|sysvec_|common_interrupt|spurious_interrupt)|^el1[ht]?_(?:64_|32_)?(?:sync|irq|fiq|error)$/

/**
 * Code that stands in place of a return address: tracers put its first byte on the stack, so that this is the one return
 * address that is where it says.
 */
const TRAMPOLINE = /^(?:return_to_handler|(?:arch_rethook|__?kretprobe|kretprobe)_trampoline)$/

const REASONS: Record<NothingReason, FrameReason> = {
  user: 'not_kernel',
  'not kernel': 'no_symbol',
  outside: 'no_symbol',
  gap: 'gap',
}

/** How stacks are to be read. */
export interface StackOptions {
  /** Default `return`. */
  readonly mode?: LookupMode | undefined
  /** For a trace of another boot of the same kernel. */
  readonly rebase?: Rebase | undefined
}

/** Looks up stacks over one symbol table. Remembers a bounded number of frames; otherwise without state. */
export class StackResolver {
  readonly #symbols: SymbolTable
  readonly #mode: LookupMode
  readonly #rebase: Rebase | undefined
  readonly #entryStart: bigint
  readonly #entryEnd: bigint
  readonly #pcs = new Map<RawFrame, Frame>()
  readonly #returns = new Map<RawFrame, Frame>()

  constructor(symbols: SymbolTable, options: StackOptions = {}) {
    this.#symbols = symbols
    this.#mode = options.mode ?? 'return'
    this.#rebase = options.rebase
    this.#entryStart = symbols.named('__irqentry_text_start', { owner: 'vmlinux' })[0]?.address ?? 0n
    this.#entryEnd = symbols.named('__irqentry_text_end', { owner: 'vmlinux' })[0]?.address ?? 0n
  }

  /** The frames of one stack, innermost first; markers are left out, so the answer may be shorter than the question. */
  resolve(frames: readonly RawFrame[], shape: StackShape): Frame[] {
    const resolved: Frame[] = []
    this.each(frames, shape, (frame) => resolved.push(frame))
    return resolved
  }

  /** Like `resolve`, with each frame handed out beside its number in the question. */
  each(frames: readonly RawFrame[], shape: StackShape, take: (frame: Frame, index: number) => void): void {
    let pc = shape === 'pc-first'
    for (let i = 0; i < frames.length; i++) {
      const raw = frames[i]!
      if (raw.address !== undefined && isMarker(raw.address)) continue
      const frame = this.#lookUp(raw, pc || raw.pc || this.#mode === 'raw')
      take(frame, i)
      pc = frame.entry
    }
  }

  #lookUp(raw: RawFrame, pc: boolean): Frame {
    const cache = pc ? this.#pcs : this.#returns
    let frame = cache.get(raw)
    if (frame === undefined) {
      if (cache.size >= CACHE_LIMIT) cache.clear()
      frame = raw.user
        ? asPrinted(raw, raw.name === undefined ? 'not_kernel' : undefined, pc)
        : raw.address === undefined
          ? this.#byName(raw, pc)
          : this.#byAddress(raw, raw.address, pc)
      cache.set(raw, frame)
    }
    return frame
  }

  #byName(raw: RawFrame, pc: boolean): Frame {
    const { symbol, reason } = symbolOfFrame(this.#symbols, raw)
    if (symbol === undefined) return asPrinted(raw, reason, pc)
    if (raw.offset !== undefined) return this.#at(raw, symbol.address + BigInt(raw.offset), pc)
    return {
      ...asPrinted(raw, undefined, pc),
      size: symbol.size,
      owner: symbol.owner,
      entry: this.#isEntry(symbol.name, symbol.address),
    }
  }

  #byAddress(raw: RawFrame, address: bigint, pc: boolean): Frame {
    const rebase = this.#rebase
    if (rebase === undefined) return this.#at(raw, address, pc)
    if (address < rebase.start || address > rebase.end) {
      // A user address is one in every boot.
      const reason = this.#symbols.reasonFor(address) === 'user' ? 'not_kernel' : 'other_boot'
      return { ...asPrinted(raw, reason, pc), symbol: null, offset: null, size: null }
    }
    return this.#at(raw, address + rebase.delta, pc)
  }

  #at(raw: RawFrame, address: bigint, pc: boolean): Frame {
    const symbols = this.#symbols
    const exact = pc ? undefined : symbols.startingAt(address).find(({ name }) => TRAMPOLINE.test(name))
    const match = symbols.at(pc || exact !== undefined ? address : address - 1n)
    if (match === undefined) {
      return {
        ...asPrinted(raw, REASONS[symbols.reasonFor(address)], pc),
        address,
        symbol: null,
        offset: null,
        size: null,
        owner: null,
      }
    }
    const { symbol, size, aliases } = match
    const start = symbol.address
    return {
      address,
      symbol: symbol.name,
      offset: Number(address - start),
      size,
      owner: symbol.owner,
      aliases: aliases.map(({ name }) => name),
      reason: undefined,
      user: false,
      reliable: raw.reliable,
      pc: pc || exact !== undefined,
      entry: this.#isEntry(symbol.name, start),
    }
  }

  #isEntry(name: string, start: bigint): boolean {
    return (start >= this.#entryStart && start < this.#entryEnd) || ENTRY_NAME.test(name)
  }
}

/** A frame in the tool's own words: a user frame, or one that could not be looked up. */
function asPrinted(raw: RawFrame, reason: FrameReason | undefined, pc: boolean): Frame {
  const known = raw.name !== undefined && raw.name !== '[unknown]'
  return {
    address: raw.address,
    symbol: known ? (raw.name ?? null) : null,
    offset: known ? (raw.offset ?? null) : null,
    size: raw.size ?? null,
    owner: raw.owner ?? null,
    aliases: [],
    reason,
    user: raw.user,
    reliable: raw.reliable,
    pc,
    entry: false,
  }
}
