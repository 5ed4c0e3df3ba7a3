// Many stacks at once, as BPF's stack maps and ring buffers hold them: rows of addresses in, columns of symbol ids and
// offsets out, by the same rules as single stacks.

import { UsageError } from '../core/errors.ts'
import { counted, INSPECT, type Inspect, inspected } from '../core/explain.ts'
import { NO_SYMBOL } from '../symbols/search.ts'
import type { SymbolTable } from '../symbols/table.ts'
import { Entries } from './entries.ts'
import { type Frame, rawFrame } from './frame.ts'
import { StackResolver } from './resolve.ts'

/**
 * How stacks lie in their addresses, innermost frame first: in rows of `depth` addresses, with zeros behind those that are
 * shorter; or one behind the other, `starts` saying where each begins.
 */
export type StackRows = { readonly depth: number } | { readonly starts: Uint32Array }

/** Columns that answers are written to: for each address a symbol id (0xffffffff: none) and an offset in bytes. */
export interface StackColumns {
  readonly ids: Uint32Array
  readonly offsets: Uint32Array
}

/** Stacks that were looked up. */
export interface ResolvedStacks extends StackColumns {
  /** How many stacks there are. */
  readonly count: number
  /** Where a stack's addresses begin and end, without the zeros behind them. */
  bounds(stack: number): { readonly start: number; readonly end: number }
  /** The names of a stack's frames, innermost first; undefined for an address without a symbol. Markers are left out. */
  names(stack: number): (string | undefined)[]
  /** A stack's frames in full, innermost first. Markers are left out. */
  frames(stack: number): Frame[]
}

const [UNKNOWN, NO, YES] = [0, 1, 2]
/** Addresses looked up at once. */
const BATCH = 1 << 15

/** The stacks of one snapshot's kernel. */
export class Stacks {
  readonly #symbols: SymbolTable
  readonly #entries: Entries
  readonly #resolver: StackResolver
  readonly #returnedTo: Uint32Array
  /** For each symbol that was met whether the CPU enters there: one of the values below. A byte each, as a map costs more than the lookup. */
  #isEntry = new Uint8Array(0)
  /** The addresses of a batch as they are looked up. */
  #asked = new BigUint64Array(0)

  constructor(symbols: SymbolTable) {
    this.#symbols = symbols
    this.#entries = new Entries(symbols)
    this.#returnedTo = halvesOf(new BigUint64Array(this.#entries.returnedTo))
    this.#resolver = new StackResolver(symbols)
  }

  /**
   * Looks up many stacks. The first frame of each is a PC and looked up as it stands, every other is a return address and
   * looked up at address - 1 (`sprint_backtrace` in kernel/kallsyms.c), but those directly outside of interrupt entries; offsets
   * are always of the given address. 0, -1 and PERF_CONTEXT markers are no frames. Servers bring their own columns, which
   * are as long as the addresses or longer, and nothing that grows with the number of stacks is allocated.
   * @throws UsageError if the rows do not fit the addresses, or columns are too short
   */
  resolve(addresses: BigUint64Array, rows: StackRows, into?: StackColumns): ResolvedStacks {
    if (!(addresses instanceof BigUint64Array)) throw new UsageError('addresses of stacks come as a BigUint64Array')
    const { length } = addresses
    const ids = into?.ids ?? new Uint32Array(length)
    const offsets = into?.offsets ?? new Uint32Array(length)
    if (ids.length < length || offsets.length < length) {
      throw new UsageError(`columns of ${length} elements are needed for ${length} addresses`)
    }
    const layout = layoutOf(rows, length)
    this.#lookUp(addresses, layout, ids, offsets)
    const symbols = this.#symbols
    const resolver = this.#resolver
    const halves = halvesOf(addresses)
    const bounds = (stack: number) => {
      checked(stack, layout.count)
      return { start: layout.start(stack), end: layout.end(stack, halves) }
    }
    return {
      count: layout.count,
      ids,
      offsets,
      bounds,
      names(stack) {
        const names: (string | undefined)[] = []
        const { start, end } = bounds(stack)
        for (let i = start; i < end; i++) {
          const id = ids[i]!
          if (id !== NO_SYMBOL) names.push(symbols.nameOf(id))
          else if (!isMarkerAt(halves, i)) names.push(undefined)
        }
        return names
      },
      frames(stack) {
        const { start, end } = bounds(stack)
        return resolver.resolve(
          Array.from(addresses.subarray(start, end), (address) => rawFrame({ address })),
          'pc-first',
        )
      },
    }
  }

  /** In batches of whole stacks, so that what it needs beside the columns does not grow with their number. */
  #lookUp(addresses: BigUint64Array, layout: Layout, ids: Uint32Array, offsets: Uint32Array): void {
    const halves = halvesOf(addresses)
    for (let first = 0; first < layout.count; ) {
      const from = layout.start(first)
      let last = first + 1
      while (last < layout.count && layout.end(last, halves) - from <= BATCH) last++
      this.#batch(addresses, layout, first, last, ids, offsets)
      first = last
    }
  }

  #batch(
    addresses: BigUint64Array,
    layout: Layout,
    first: number,
    last: number,
    ids: Uint32Array,
    offsets: Uint32Array,
  ): void {
    const given = halvesOf(addresses)
    const from = layout.start(first)
    const to = layout.end(last - 1, given)
    if (to - from > this.#asked.length) this.#asked = new BigUint64Array(to - from)
    const asked = this.#asked.subarray(0, to - from)
    asked.set(addresses.subarray(from, to))
    // Arithmetic of 64 bits in halves: a BigInt would be made for each.
    const halves = halvesOf(asked)
    for (let stack = first; stack < last; stack++) {
      const end = layout.end(stack, given)
      let pc = true
      for (let i = layout.start(stack); i < end; i++) {
        if (isMarkerAt(given, i)) continue
        if (!pc && !isOneOf(this.#returnedTo, given, i)) before(halves, i - from)
        pc = false
      }
    }
    this.#symbols.findMany(asked, { ids: ids.subarray(from, to), offsets: offsets.subarray(from, to) })
    for (let stack = first; stack < last; stack++) {
      const end = layout.end(stack, given)
      let entered = false
      for (let i = layout.start(stack); i < end; i++) {
        if (isMarkerAt(given, i)) {
          ids[i] = NO_SYMBOL
          offsets[i] = 0
          continue
        }
        const moved = halves[2 * (i - from)] !== given[2 * i]
        if (entered && moved) this.#again(addresses, i, ids, offsets)
        else if (moved && ids[i] !== NO_SYMBOL) offsets[i]!++
        entered = this.#entersIn(ids[i]!)
      }
    }
  }

  /** Looks an address up as it stands: it was interrupted there. */
  #again(addresses: BigUint64Array, i: number, ids: Uint32Array, offsets: Uint32Array): void {
    const { ids: own, offsets: offset } = this.#symbols.findMany(addresses.slice(i, i + 1))
    ids[i] = own[0]!
    offsets[i] = offset[0]!
  }

  #entersIn(id: number): boolean {
    if (id === NO_SYMBOL) return false
    if (this.#isEntry.length === 0) this.#isEntry = new Uint8Array(this.#symbols.size)
    let entry = this.#isEntry[id]
    if (entry === UNKNOWN) {
      entry = this.#entries.isEntry(this.#symbols.nameOf(id), this.#symbols.addressOf(id)) ? YES : NO
      this.#isEntry[id] = entry
    }
    return entry === YES
  }

  toJSON(): Record<string, never> {
    return {}
  }

  toString(): string {
    return `stacks of a kernel of ${counted(this.#symbols.size, 'symbol')}: resolve(addresses) looks them up`
  }

  /** What `console.log` shows. */
  [INSPECT](depth: number, options: object, inspect: Inspect): string {
    return inspected('Stacks', () => this.toJSON(), depth, options, inspect)
  }
}

interface Layout {
  readonly count: number
  start(stack: number): number
  /** Behind its last address; `halves` are all addresses. */
  end(stack: number, halves: Uint32Array): number
}

function layoutOf(rows: StackRows, length: number): Layout {
  if ('depth' in rows) {
    const { depth } = rows
    if (!Number.isInteger(depth) || depth < 1) throw new UsageError(`depth is a whole number from 1 on, not ${depth}`)
    if (length % depth !== 0) throw new UsageError(`${length} addresses are no whole rows of ${depth}`)
    return {
      count: length / depth,
      start: (stack) => stack * depth,
      end(stack, halves) {
        const start = stack * depth
        let end = start + depth
        while (end > start && halves[2 * end - 2] === 0 && halves[2 * end - 1] === 0) end--
        return end
      },
    }
  }
  const { starts } = rows
  if (!(starts instanceof Uint32Array)) throw new UsageError('starts come as a Uint32Array, or rows have a depth')
  for (let i = 0; i < starts.length; i++) {
    if (starts[i]! > (starts[i + 1] ?? length)) {
      throw new UsageError(`starts[${i}] is ${starts[i]}, which lies behind the next stack or the last address`)
    }
  }
  return {
    count: starts.length,
    start: (stack) => starts[stack]!,
    end: (stack) => starts[stack + 1] ?? length,
  }
}

function checked(stack: number, count: number): void {
  if (!Number.isInteger(stack) || stack < 0 || stack >= count) {
    throw new UsageError(`no stack has the number ${stack}: there are ${count}`)
  }
}

/** Addresses as halves, the lower first: kernels that this runs on are little-endian, as all of the shared table is. */
function halvesOf(addresses: BigUint64Array): Uint32Array {
  return new Uint32Array(addresses.buffer, addresses.byteOffset, addresses.length * 2)
}

/** `isMarker` of frame.ts on halves. */
function isMarkerAt(halves: Uint32Array, i: number): boolean {
  const low = halves[2 * i]!
  const high = halves[2 * i + 1]!
  return (high === 0xffff_ffff && low >= 0xffff_f000) || (high === 0 && low === 0)
}

function isOneOf(few: Uint32Array, halves: Uint32Array, i: number): boolean {
  for (let at = 0; at < few.length; at += 2) {
    if (few[at] === halves[2 * i] && few[at + 1] === halves[2 * i + 1]) return true
  }
  return false
}

function before(halves: Uint32Array, i: number): void {
  if (halves[2 * i] === 0) halves[2 * i + 1]!--
  halves[2 * i]!--
}
