// Looks up the frames of stacks: which frame is a PC and which a return address, what an interrupt entry changes, names
// resolved back, addresses of another boot moved. The rule for return addresses is the kernel's own (`sprint_backtrace`
// in kernel/kallsyms.c): look up address - 1, print the true offset.

import { bigint, choice, flag, like, listOf, type Options, options as optionsOf, wrong } from '../core/arguments.ts'
import { isHole, type NothingReason } from '../symbols/locate.ts'
import type { SymbolMatch } from '../symbols/symbol.ts'
import { type SymbolTable, symbolTable } from '../symbols/table.ts'
import { Entries, isEntryName } from './entries.ts'
import { type Frame, type FrameReason, isMarker, type LookupMode, type RawFrame, type StackShape } from './frame.ts'
import { agrees, movedTo, symbolOfFrame } from './named.ts'
import { moduleAtOtherTimes } from './states.ts'

/** Frames kept looked up; when there are more, all are forgotten, which bounds memory without bookkeeping. */
const CACHE_LIMIT = 1 << 16
/** The longest printed name whose frame is kept; longer ones are no symbol's. */
const LONGEST_NAME = 1024

const REASONS: Record<NothingReason, FrameReason> = {
  user: 'not_kernel',
  'not kernel': 'no_symbol',
  outside: 'no_symbol',
  gap: 'gap',
  unknown_module: 'unknown_module',
  not_loaded_yet: 'not_loaded_yet',
  stale_layout: 'stale_layout',
}

/**
 * What a printed name is worth beside the table's. `table`: the table is known to be the trace's, and overrules it. `weigh`:
 * they are compared, and a name that contradicts the table stays. `trace`: the trace is of another kernel; nothing is
 * looked up, and printed names are all there is.
 */
export type Trust = 'table' | 'weigh' | 'trace'

/** How far addresses of the core kernel have to be moved, and in which range of the trace; the rest is not known. */
export interface Rebase {
  readonly delta: bigint
  /** The core kernel in the trace's own addresses; `end` exclusive. */
  readonly start: bigint
  readonly end: bigint
}

/** How stacks are to be read. */
export interface StackOptions {
  /** Default `return`. */
  readonly mode?: LookupMode | undefined
  /** For a trace of another boot of the same kernel. */
  readonly rebase?: Rebase | undefined
  /** Default `weigh`. */
  readonly trust?: Trust | undefined
  /** Tables of the same boot at other times: a module that only they have at an address makes it `stale_layout`. */
  readonly otherTimes?: readonly SymbolTable[] | undefined
  /** When the stacks were is not known: what the tables of other times do not agree about has no name. Default false. */
  readonly anyTime?: boolean | undefined
}

const SHAPE = choice<StackShape>('pc-first', 'returns')

/** Where a trace's kernel lay. */
export const REBASE = like<Rebase>({ delta: bigint, start: bigint, end: bigint }, '{ delta, start, end }')

const STACK_OPTIONS: Options<StackOptions> = {
  mode: choice<LookupMode>('return', 'raw'),
  rebase: REBASE,
  trust: choice<Trust>('weigh', 'table', 'trace'),
  otherTimes: listOf(symbolTable, 'tables'),
  anyTime: flag,
}

/** Looks up stacks over one symbol table. Remembers a bounded number of frames; otherwise without state. */
export class StackResolver {
  readonly #symbols: SymbolTable
  readonly #mode: LookupMode
  readonly #rebase: Rebase | undefined
  readonly #trust: Trust
  readonly #otherTimes: readonly SymbolTable[]
  readonly #anyTime: boolean
  readonly #entries: Entries
  readonly #pcs = new Map<RawFrame, Frame>()
  readonly #returns = new Map<RawFrame, Frame>()

  constructor(symbols: SymbolTable, given?: StackOptions) {
    const options = optionsOf(given, 'StackResolver', STACK_OPTIONS)
    this.#symbols = symbolTable(symbols, 'symbols')
    this.#mode = options.mode ?? 'return'
    this.#rebase = options.rebase
    this.#trust = options.trust ?? 'weigh'
    this.#otherTimes = options.otherTimes ?? []
    this.#anyTime = options.anyTime ?? false
    this.#entries = new Entries(symbols)
  }

  /** Frames that are remembered. */
  get remembered(): number {
    return this.#pcs.size + this.#returns.size
  }

  /** The frames of one stack, innermost first; markers are left out, so the answer may be shorter than the question. */
  resolve(frames: readonly RawFrame[], shape: StackShape): Frame[] {
    const resolved: Frame[] = []
    this.each(frames, shape, (frame) => resolved.push(frame))
    return resolved
  }

  /** Like `resolve`, with each frame handed out beside its number in the question. */
  each(frames: readonly RawFrame[], shape: StackShape, take: (frame: Frame, index: number) => void): void {
    if (!Array.isArray(frames)) throw wrong('frames', 'a list of frames', frames)
    if (typeof take !== 'function') throw wrong('take', 'a function', take)
    let pc = SHAPE(shape, 'shape') === 'pc-first'
    for (let i = 0; i < frames.length; i++) {
      const raw = frames[i]!
      if (typeof raw !== 'object' || raw === null) throw wrong(`frames[${i}]`, 'a frame, as rawFrame makes it', raw)
      if (raw.address !== undefined && isMarker(raw.address)) continue
      const frame = this.#lookUp(raw, pc || raw.pc || this.#mode === 'raw')
      take(frame, i)
      // An inlined function shares its address with the frame outside of it.
      if (!raw.inlined) pc = frame.entry
    }
  }

  #lookUp(raw: RawFrame, pc: boolean): Frame {
    const cache = pc ? this.#pcs : this.#returns
    let frame = cache.get(raw)
    if (frame === undefined) {
      if (cache.size >= CACHE_LIMIT) cache.clear()
      // What the kernel prints at offset 0 is there: its unwinder knows which addresses are return addresses.
      frame = this.#frameOf(raw, pc || (raw.kernelWords && raw.offset === 0))
      if ((raw.name?.length ?? 0) <= LONGEST_NAME) cache.set(raw, frame)
    }
    return frame
  }

  #frameOf(raw: RawFrame, pc: boolean): Frame {
    if (raw.inlined) return asPrinted(raw, undefined, pc)
    if (raw.user) return asPrinted(raw, isNamed(raw) ? undefined : 'not_kernel', pc)
    if (this.#trust === 'trace') return asPrinted(raw, 'other_kernel', pc)
    return raw.address === undefined ? this.#byName(raw, pc) : this.#byAddress(raw, raw.address, pc)
  }

  #byName(raw: RawFrame, pc: boolean): Frame {
    const { symbol, reason } = symbolOfFrame(this.#symbols, raw)
    if (symbol === undefined) return asPrinted(raw, reason, pc)
    if (raw.offset !== undefined) {
      const found = this.#at(raw, symbol.address + BigInt(raw.offset), pc)
      return found.reason === 'stale_layout' ? asPrinted(raw, undefined, pc) : found
    }
    return {
      ...asPrinted(raw, undefined, pc),
      printed: false,
      size: symbol.size,
      owner: symbol.owner,
      entry: this.#entries.isEntry(symbol.name, symbol.address),
    }
  }

  #byAddress(raw: RawFrame, printed: bigint, pc: boolean): Frame {
    const rebase = this.#rebase
    let address = printed
    if (rebase !== undefined) {
      if (address < rebase.start || address > rebase.end) {
        // A user address is one in every boot.
        return asPrinted(raw, this.#symbols.reasonFor(address) === 'user' ? 'not_kernel' : 'other_boot', pc)
      }
      address += rebase.delta
    }
    const found = this.#at(raw, address, pc)
    return !isNamed(raw) || this.#trust === 'table' ? found : this.#weigh(raw, address, found, pc)
  }

  /** The frame that a printed name and what the table has at its address amount to. */
  #weigh(raw: RawFrame, address: bigint, found: Frame, pc: boolean): Frame {
    if (found.symbol === null) return { ...asPrinted(raw, found.reason, pc), address }
    if (agrees(raw, found)) return found
    // The tool looked a return address up as it stands, or the kernel a PC at address - 1.
    const other = this.#at(raw, address, !pc)
    if (agrees(raw, other)) return raw.kernelWords && this.#mode === 'return' ? other : found
    const move = movedTo(this.#symbols, raw, address, found)
    if (typeof move === 'string') return { ...asPrinted(raw, move, pc), address }
    // The tool does not know of a symbol in between.
    return {
      ...asPrinted(raw, undefined, pc),
      address,
      offset: Number(address - move.address),
      size: move.size,
      owner: move.owner,
      entry: this.#entries.isEntry(move.name, move.address),
      printed: false,
    }
  }

  #at(raw: RawFrame, address: bigint, pc: boolean): Frame {
    const symbols = this.#symbols
    const exact = pc || this.#entries.returnedTo.includes(address)
    const wanted = exact ? address : address - 1n
    const match = symbols.at(wanted)
    if (match === undefined) {
      const reason = REASONS[symbols.reasonFor(address)]
      if (isHole(reason)) return { ...nameless(raw, reason, pc), address, owner: symbols.ownerAt(address) }
      const owner = reason === 'not_kernel' ? undefined : moduleAtOtherTimes(symbols, this.#otherTimes, wanted)
      return { ...nameless(raw, owner === undefined ? reason : 'stale_layout', pc), address, owner: owner ?? null }
    }
    const { symbol, size, aliases } = match
    if (this.#anyTime && this.#otherTimes.some((table) => !isSame(table.at(wanted), match))) {
      return { ...nameless(raw, 'stale_layout', pc), address, owner: symbol.owner }
    }
    const start = symbol.address
    return {
      address,
      symbol: symbol.name,
      offset: Number(address - start),
      size,
      owner: symbol.owner,
      aliases: aliases.map(({ name }) => name),
      reason: undefined,
      printed: false,
      inlined: false,
      user: false,
      reliable: raw.reliable,
      pc: exact,
      entry: this.#entries.isEntry(symbol.name, start),
    }
  }
}

/** Whether two tables have the same symbol at an address. */
function isSame(other: SymbolMatch | undefined, { symbol }: SymbolMatch): boolean {
  const { address, name, owner } = symbol
  const found = other?.symbol
  return found !== undefined && found.address === address && found.name === name && found.owner === owner
}

function isNamed({ name }: RawFrame): boolean {
  return name !== undefined && name !== '[unknown]'
}

/** A frame in the tool's own words: of user space, or one that the table has no better words for. */
function asPrinted(raw: RawFrame, reason: FrameReason | undefined, pc: boolean): Frame {
  if (!isNamed(raw)) return nameless(raw, reason, pc)
  const symbol = raw.name ?? null
  return {
    address: raw.address,
    symbol,
    offset: raw.offset ?? null,
    size: raw.size ?? null,
    owner: raw.owner ?? null,
    aliases: [],
    reason,
    printed: true,
    inlined: raw.inlined,
    user: raw.user,
    reliable: raw.reliable,
    pc,
    entry: !raw.user && symbol !== null && isEntryName(symbol),
  }
}

function nameless(raw: RawFrame, reason: FrameReason | undefined, pc: boolean): Frame {
  return {
    address: raw.address,
    symbol: null,
    offset: null,
    size: null,
    owner: raw.owner ?? null,
    aliases: [],
    reason,
    printed: false,
    inlined: raw.inlined,
    user: raw.user,
    reliable: raw.reliable,
    pc,
    entry: false,
  }
}
