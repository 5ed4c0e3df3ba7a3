// The address space as the page draws it: stretches of memory with their owners, the core kernel cut into its sections, and,
// where few are in sight, single symbols. And what takes the space.

import { setImmediate as turn } from 'node:timers/promises'
import { formatAddress, joinAddress } from '../core/address.ts'
import { openSymbolColumns } from '../symbols/layout.ts'
import { REGION_WORDS } from '../symbols/regions.ts'
import type { SymbolTable } from '../symbols/table.ts'
import type { MapAnswer, NeighbourAnswer, SizesAnswer, StretchAnswer } from './answers.ts'
import { badRequest } from './http-error.ts'

/** Symbols in sight up to which they are drawn themselves. */
const MOST_SYMBOLS = 1200
/** Stretches that are sent: more than a screen has columns. */
const MOST_STRETCHES = 4096
/** Memory that lies further apart than this is another island: nothing is drawn to scale across it. */
const ISLAND_GAP = 1n << 32n
/** Symbols that are counted between two turns of the event loop. */
const SLICE = 16_384
const LARGEST = 24

type Kind = StretchAnswer['kind']

interface Stretch {
  readonly start: bigint
  readonly end: bigint
  readonly owner: string
  readonly kind: Kind
  readonly name: string
}

/** The core kernel's sections by the symbols that stand at their ends, in the order in which they may contain each other. */
const SECTIONS: readonly (readonly [kind: Kind, name: string, start: string, end: string])[] = [
  ['text', 'text', '_stext', '_etext'],
  ['rodata', 'read-only data', '__start_rodata', '__end_rodata'],
  ['data', 'data', '_sdata', '_edata'],
  ['init', 'initialisation', '__init_begin', '__init_end'],
  ['data', 'bss', '__bss_start', '__bss_stop'],
  ['data', 'brk', '__brk_base', '__brk_limit'],
]

/** One table's address space. */
export class AddressSpace {
  readonly #symbols: SymbolTable
  readonly #stretches: readonly Stretch[]
  #sizes: Promise<SizesAnswer> | undefined

  constructor(symbols: SymbolTable) {
    this.#symbols = symbols
    this.#stretches = stretchesOf(symbols)
  }

  /** What lies in [start, end), or in the island with most symbols without both. `width`: columns of the picture. */
  map(start: bigint | undefined, end: bigint | undefined, width: number): MapAnswer {
    const islands = this.#islands()
    const main = islands.find(({ stretches }) => stretches.some(({ owner }) => owner === 'vmlinux')) ?? islands[0]
    const first = main?.start ?? 0n
    const last = main?.end ?? 1n
    const from = start ?? first
    const to = end ?? last
    if (to <= from) throw badRequest('the end lies behind the start')
    const column = (to - from) / BigInt(width)
    const inside = this.#stretches.filter((one) => one.end > from && one.start < to)
    const low = this.#symbols.lowerBound(from).id
    const high = this.#symbols.lowerBound(to).id
    const drawn = high - low <= MOST_SYMBOLS ? this.#asSymbols(from, to, low, high, inside) : inside
    const wide = drawn.filter((one) => one.end - one.start > column)
    const shown = (wide.length > 0 ? drawn : inside).slice(0, MOST_STRETCHES)
    const merged = merge(shown, column)
    return {
      ...{ start: formatAddress(from), end: formatAddress(to), first: formatAddress(first), last: formatAddress(last) },
      stretches: merged.map(answer),
      thin: drawn.length - wide.length,
      isSymbols: drawn !== inside && wide.length > 0,
      places: this.#places(main?.stretches ?? []),
      islands: islands.map(({ start: begin, end: stop, stretches }) => ({
        ...{ start: formatAddress(begin), end: formatAddress(stop) },
        name: [...new Set(stretches.map(({ owner }) => owner))].slice(0, 3).join(', '),
      })),
    }
  }

  /** What takes the space: worked out once. */
  sizes(): Promise<SizesAnswer> {
    this.#sizes ??= this.#measure()
    return this.#sizes
  }

  /** Where people look first: the core kernel, and what was loaded. */
  #places(stretches: readonly Stretch[]) {
    const places = [
      ['core kernel', stretches.filter(({ owner }) => owner === 'vmlinux')],
      ['modules', stretches.filter(({ owner }) => owner !== 'vmlinux')],
    ] as const
    return places.flatMap(([name, own]) => {
      const [first] = own
      const last = own.at(-1)
      return first === undefined || last === undefined
        ? []
        : [{ name, start: formatAddress(first.start), end: formatAddress(last.end) }]
    })
  }

  #islands() {
    const islands: { start: bigint; end: bigint; stretches: Stretch[] }[] = []
    for (const one of this.#stretches) {
      const island = islands.at(-1)
      if (island === undefined || one.start - island.end > ISLAND_GAP) {
        islands.push({ start: one.start, end: one.end, stretches: [one] })
      } else {
        if (one.end > island.end) island.end = one.end
        island.stretches.push(one)
      }
    }
    return islands
  }

  /** Each address once, in the colour of what it lies in. */
  #asSymbols(from: bigint, to: bigint, low: number, high: number, inside: readonly Stretch[]): Stretch[] {
    const symbols = this.#symbols
    const made: Stretch[] = []
    let last: bigint | undefined
    let at = 0
    // One that begins before the picture may reach into it.
    const begun = symbols.at(from)
    const ids = begun === undefined ? [] : [begun.symbol.id]
    for (let id = low; id < high; id++) ids.push(id)
    for (const id of ids) {
      const start = symbols.addressOf(id)
      if (start === last) continue
      last = start
      const size = BigInt(symbols.sizeOf(id))
      if (size === 0n) continue
      while (at < inside.length && inside[at]!.end <= start) at++
      const around = inside[at]
      const region = around !== undefined && around.start <= start ? around.kind : 'other'
      // Modules are not cut into sections: their symbols tell code from data.
      const kind = region === 'module' ? (symbols.isText(id) ? 'text' : 'data') : region
      const end = start + size
      made.push({ start, end: end > to ? to : end, owner: symbols.ownerOf(id), kind, name: symbols.nameOf(id) })
    }
    return made
  }

  async #measure(): Promise<SizesAnswer> {
    const symbols = this.#symbols
    const owners = new Map<string, { bytes: number; symbols: number }>()
    const kinds = new Map<string, { bytes: number; symbols: number }>()
    const largest: { id: number; size: number }[] = []
    const add = (to: typeof owners, key: string, bytes: number, count: number) => {
      const row = to.get(key) ?? { bytes: 0, symbols: 0 }
      to.set(key, { bytes: row.bytes + bytes, symbols: row.symbols + count })
    }
    for (const { owner, kind, start, end } of this.#stretches) {
      add(owners, owner, Number(end - start), 0)
      add(kinds, kind, Number(end - start), 0)
    }
    let last = -1n
    let at = 0
    for (let id = 0; id < symbols.size; id++) {
      if (id % SLICE === 0) await turn()
      const start = symbols.addressOf(id)
      while (at < this.#stretches.length - 1 && this.#stretches[at]!.end <= start) at++
      add(owners, symbols.ownerOf(id), 0, 1)
      const around = this.#stretches[at]
      add(kinds, around !== undefined && around.start <= start && start < around.end ? around.kind : 'other', 0, 1)
      if (start === last) continue
      last = start
      const size = symbols.sizeOf(id)
      if (largest.length < LARGEST || size > largest.at(-1)!.size) {
        largest.push({ id, size })
        largest.sort((a, b) => b.size - a.size)
        largest.length = Math.min(largest.length, LARGEST)
      }
    }
    const rows = (from: typeof owners) => [...from].sort((a, b) => b[1].bytes - a[1].bytes)
    return {
      owners: rows(owners).map(([owner, row]) => ({ owner, ...row })),
      kinds: rows(kinds).map(([kind, row]) => ({ kind, ...row })),
      largest: largest.map(({ id, size }): NeighbourAnswer => {
        const { name, owner, address } = symbols.get(id)
        return { address: formatAddress(address), name, owner, size, isText: symbols.isText(id) }
      }),
    }
  }
}

function later(a: bigint, b: bigint): bigint {
  // The library's Math.max is for numbers.
  return a > b ? a : b
}

function answer({ start, end, owner, kind, name }: Stretch): StretchAnswer {
  return { start: formatAddress(start), end: formatAddress(end), owner, kind, name }
}

/** Stretches that are thinner than a column become one with the thin ones beside them, called by what most of it is. */
function merge(stretches: readonly Stretch[], column: bigint): Stretch[] {
  const merged: { one: Stretch; most: bigint; thin: number }[] = []
  for (const one of stretches) {
    const before = merged.at(-1)
    const size = one.end - one.start
    const joins =
      before !== undefined &&
      before.thin > 0 &&
      size <= column &&
      one.start - before.one.end <= column &&
      one.end - before.one.start <= 2n * column
    if (!joins) {
      merged.push({ one, most: size, thin: size <= column ? 1 : 0 })
      continue
    }
    const larger = size > before.most ? one : before.one
    before.most = later(size, before.most)
    before.thin++
    before.one = { ...larger, start: before.one.start, end: later(one.end, before.one.end) }
  }
  return merged.map(({ one, thin }) => (thin > 1 ? { ...one, name: `${one.name} and ${thin - 1} more` } : one))
}

/** The regions of a table, the core kernel's cut into sections. */
function stretchesOf(symbols: SymbolTable): Stretch[] {
  const { regions } = openSymbolColumns(symbols.buffer)
  const sections = sectionsOf(symbols)
  const stretches: Stretch[] = []
  for (let row = 0; row < regions.length; row += REGION_WORDS) {
    const start = joinAddress(regions[row]!, regions[row + 1]!)
    const end = joinAddress(regions[row + 2]!, regions[row + 3]!)
    const owner = symbols.owners[regions[row + 4]!] ?? 'hidden'
    if (owner !== 'vmlinux') stretches.push({ start, end, owner, kind: kindOf(owner), name: owner })
    else stretches.push(...cut(start, end, sections))
  }
  return stretches
}

function kindOf(owner: string): Kind {
  if (owner === 'bpf') return 'bpf'
  return owner.startsWith('__builtin__') ? 'ftrace' : 'module'
}

function sectionsOf(symbols: SymbolTable): Stretch[] {
  const place = (name: string) => symbols.named(name, { owner: 'vmlinux' })[0]?.address
  return SECTIONS.flatMap(([kind, name, from, to]) => {
    const start = place(from)
    const end = place(to)
    return start === undefined || end === undefined || end <= start
      ? []
      : [{ start, end, owner: 'vmlinux', kind, name }]
  }).sort((a, b) => (a.start < b.start ? -1 : 1))
}

/** A region of the core kernel in sections, with what is in none of them called so. */
function cut(start: bigint, end: bigint, sections: readonly Stretch[]): Stretch[] {
  const pieces: Stretch[] = []
  let at = start
  const rest = (to: bigint) => {
    if (to > at) pieces.push({ start: at, end: to, owner: 'vmlinux', kind: 'other', name: 'vmlinux' })
  }
  for (const section of sections) {
    const from = later(section.start, at)
    const to = -later(-section.end, -end)
    if (to <= from || from >= end) continue
    rest(from)
    pieces.push({ ...section, start: from, end: to })
    at = to
  }
  rest(end)
  return pieces
}
