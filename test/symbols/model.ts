// Lookups done step by step over plain arrays, as a model for the table's. Only where memory begins and ends is taken
// from the table; that is held against the kernel's own answers elsewhere.
import { openSymbolColumns } from '../../src/symbols/layout.ts'
import { REGION_WORDS } from '../../src/symbols/regions.ts'
import { inOrder, type PlainSymbol, readPlainly } from './plain-table.ts'

export interface PlainRegion {
  readonly start: bigint
  readonly end: bigint
  readonly owner: string
}

export interface ModelAnswer {
  readonly id: number
  readonly offset: bigint
  readonly size: bigint
  readonly candidates: readonly number[]
}

const LABEL = /^(?:\$|\.L|L0)/
const MIB = 1n << 20n

/** The regions of a table, ascending. */
export function regionsIn(buffer: SharedArrayBuffer, owners: readonly string[]): PlainRegion[] {
  const { regions } = openSymbolColumns(buffer)
  const join = (at: number) => (BigInt(regions[at]!) << 32n) | BigInt(regions[at + 1]!)
  return Array.from({ length: regions.length / REGION_WORDS }, (_, i) => {
    const at = i * REGION_WORDS
    // An end of zero is that of all addresses.
    return { start: join(at), end: join(at + 2) || 1n << 64n, owner: owners[regions[at + 4]!]! }
  })
}

/** A table as arrays of objects, walked from symbol to symbol. */
export class Model {
  readonly symbols: readonly PlainSymbol[]
  readonly regions: readonly PlainRegion[]
  readonly #starts: BigUint64Array
  /** Where the core's text is, if its markers are listed: [start, end) twice. */
  readonly #coreText: readonly (readonly [bigint, bigint])[]

  constructor(text: Uint8Array, regions: readonly PlainRegion[]) {
    const inFile = readPlainly(text).symbols
    this.symbols = inOrder(inFile)
    const marker = (name: string) =>
      inFile.find((symbol) => symbol.owner === 'vmlinux' && symbol.name === name)?.address
    const stretches = [
      [marker('_stext'), marker('_etext')],
      [marker('_sinittext'), marker('_einittext')],
    ].map(([from, to]): [bigint, bigint] =>
      from === undefined || to === undefined || from >= to ? [0n, 0n] : [from, to],
    )
    this.#coreText = stretches[0]![1] === 0n ? [] : stretches
    this.regions = regions
    this.#starts = BigUint64Array.from(this.symbols, ({ address }) => address)
  }

  /** The last id that starts at or below an address, or -1. */
  #nearest(address: bigint): number {
    let from = 0
    let to = this.#starts.length
    while (from < to) {
      const middle = (from + to) >>> 1
      if (this.#starts[middle]! <= address) from = middle + 1
      else to = middle
    }
    return from - 1
  }

  /** The ids of what starts at an address, in file order. */
  #startingAt(start: bigint): number[] {
    const ids: number[] = []
    for (let id = this.#nearest(start); id >= 0 && this.symbols[id]!.address === start; id--) ids.unshift(id)
    return ids
  }

  #isText({ type, owner, address }: PlainSymbol): boolean {
    const placed = owner === 'vmlinux' && this.#coreText.length > 0
    return /[tTwW]/.test(type) && (!placed || this.#coreText.some(([from, to]) => address >= from && address < to))
  }

  at(address: bigint, kinds: 'all' | 'text' | 'data' = 'all', maxOffset = 1n << 64n): ModelAnswer | undefined {
    const region = this.regions.find(({ start, end }) => address >= start && address < end)
    if (region === undefined) return undefined
    const symbols = this.symbols
    const answers = (id: number) => !LABEL.test(symbols[id]!.name)
    const ofKind = (symbol: PlainSymbol) => kinds === 'all' || this.#isText(symbol) === (kinds === 'text')
    const own = (id: number) => symbols[id]!.owner === region.owner
    const within = (id: number) => id >= 0 && symbols[id]!.address >= region.start

    const endBehind = (start: bigint, counts: (id: number) => boolean) => {
      for (let id = this.#nearest(start) + 1; id < symbols.length; id++) {
        const { address: at, owner } = symbols[id]!
        if (at <= start || !answers(id)) continue
        if (at >= region.end)
          return counts === own && region.owner === 'vmlinux' && owner === 'vmlinux' && at >> 32n === start >> 32n
            ? at
            : region.end
        if (counts(id)) return at
      }
      return region.end
    }

    const candidates: { id: number; size: bigint }[] = []
    let live = this.#nearest(address)
    while (within(live) && !(own(live) && answers(live))) live--
    if (within(live) && address - symbols[live]!.address < maxOffset) {
      const start = symbols[live]!.address
      const id = this.#startingAt(start).find((i) => own(i) && answers(i) && ofKind(symbols[i]!))
      if (id !== undefined) candidates.push({ id, size: endBehind(start, own) - start })
    }
    let other = this.#nearest(address)
    // What is no place but a value (per-cpu variables) is no candidate in another's memory.
    const isPlace = (id: number) => answers(id) && (own(id) || !/[aA]/.test(symbols[id]!.type))
    while (within(other) && !isPlace(other)) other--
    if (within(other) && address - symbols[other]!.address < maxOffset && address - symbols[other]!.address < MIB) {
      const start = symbols[other]!.address
      const size = endBehind(start, () => true) - start
      for (const id of this.#startingAt(start)) {
        if (!own(id) && isPlace(id) && ofKind(symbols[id]!)) candidates.push({ id, size })
      }
    }
    const first = candidates[0]
    if (first === undefined) return undefined
    const offset = address - symbols[first.id]!.address
    return { id: first.id, offset, size: first.size, candidates: candidates.map(({ id }) => id) }
  }
}
