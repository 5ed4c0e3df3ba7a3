// The differences between two snapshots: symbols and owners that are gone, and new ones.

import { counted, INSPECT, type Inspect, inspected } from '../core/explain.ts'
import { printable } from '../core/printable.ts'
import type { KernelSymbol } from '../symbols/symbol.ts'
import { type SymbolTable, symbolTable } from '../symbols/table.ts'
import type { Snapshot } from './snapshot.ts'

/** Symbols and owners that only one of two snapshots has. A symbol is its address, type, name and owner. */
export interface Difference {
  readonly symbols: { readonly gone: readonly KernelSymbol[]; readonly fresh: readonly KernelSymbol[] }
  readonly owners: { readonly gone: readonly string[]; readonly fresh: readonly string[] }
}

/** A change that a refresh published. */
export class Change {
  readonly before: Snapshot
  readonly after: Snapshot
  #difference: Difference | undefined

  constructor(before: Snapshot, after: Snapshot) {
    this.before = before
    this.after = after
  }

  /** The new generation. */
  get generation(): number {
    return this.after.generation
  }

  /** The differences; worked out when they are first asked for, in one walk along both tables. */
  get difference(): Difference {
    this.#difference ??= differenceOf(this.before.symbols, this.after.symbols)
    return this.#difference
  }

  toJSON() {
    const { symbols, owners } = this.difference
    return {
      generation: this.generation,
      symbols: { gone: symbols.gone.map((each) => each.toJSON()), fresh: symbols.fresh.map((each) => each.toJSON()) },
      owners,
    }
  }

  /** `generation 2: + nf_tables, - veth; 1,200 symbols came, 3 went`. */
  toString(): string {
    const { symbols, owners } = this.difference
    const came = [
      ...owners.fresh.map((each) => `+ ${printable(each)}`),
      ...owners.gone.map((each) => `- ${printable(each)}`),
    ]
    const which = came.length === 0 ? '' : `${came.join(', ')}; `
    return `generation ${this.generation}: ${which}${counted(symbols.fresh.length, 'symbol')} came, ${symbols.gone.length.toLocaleString('en-US')} went`
  }

  /** What `console.log` shows: how many, and which owners. */
  [INSPECT](depth: number, options: object, inspect: Inspect): string {
    const fields = () => {
      const { symbols, owners } = this.difference
      return { generation: this.generation, gone: symbols.gone.length, fresh: symbols.fresh.length, owners }
    }
    return inspected('Change', fields, depth, options, inspect)
  }
}

/** Compares two tables as multisets of (address, type, name, owner), with a walk in address order. */
export function differenceOf(before: SymbolTable, after: SymbolTable): Difference {
  symbolTable(before, 'before')
  symbolTable(after, 'after')
  const gone: KernelSymbol[] = []
  const fresh: KernelSymbol[] = []
  let a = 0
  let b = 0
  while (a < before.size || b < after.size) {
    const here = a < before.size ? before.addressOf(a) : undefined
    const there = b < after.size ? after.addressOf(b) : undefined
    const address = here === undefined || (there !== undefined && there < here) ? there! : here
    const endA = endOfAddress(before, a, address)
    const endB = endOfAddress(after, b, address)
    if (endA - a === 1 && endB - b === 1) {
      if (keyOf(before, a) !== keyOf(after, b)) {
        gone.push(before.get(a))
        fresh.push(after.get(b))
      }
    } else compareAliases(before, a, endA, after, b, endB, gone, fresh)
    a = endA
    b = endB
  }
  const owners = (table: SymbolTable, others: SymbolTable) => {
    const known = new Set(others.owners)
    return table.owners.filter((name) => !known.has(name))
  }
  return {
    symbols: { gone, fresh },
    owners: { gone: owners(before, after), fresh: owners(after, before) },
  }
}

function endOfAddress(table: SymbolTable, from: number, address: bigint): number {
  let end = from
  while (end < table.size && table.addressOf(end) === address) end++
  return end
}

function keyOf(table: SymbolTable, id: number): string {
  return `${table.typeOf(id)} ${table.nameOf(id)} ${table.ownerOf(id)}`
}

function compareAliases(
  before: SymbolTable,
  fromA: number,
  endA: number,
  after: SymbolTable,
  fromB: number,
  endB: number,
  gone: KernelSymbol[],
  fresh: KernelSymbol[],
): void {
  const counts = new Map<string, number>()
  for (let id = fromB; id < endB; id++) {
    const key = keyOf(after, id)
    counts.set(key, (counts.get(key) ?? 0) + 1)
  }
  for (let id = fromA; id < endA; id++) {
    const key = keyOf(before, id)
    const left = counts.get(key) ?? 0
    if (left === 0) gone.push(before.get(id))
    else counts.set(key, left - 1)
  }
  for (let id = endB - 1; id >= fromB; id--) {
    const key = keyOf(after, id)
    const left = counts.get(key) ?? 0
    if (left === 0) continue
    counts.set(key, left - 1)
    fresh.push(after.get(id))
  }
}
