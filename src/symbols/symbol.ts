// The answers of lookups: a symbol, and a match (the symbol that contains an address). Both are small references into a table; their fields are
// read from shared memory when they are asked for.

import { formatAddress } from '../core/address.ts'
import { INSPECT, type Inspect, inspected } from '../core/explain.ts'
import { printable } from '../core/printable.ts'
import type { Candidate } from './locate.ts'

/** The part of a table that a symbol reads. */
interface Table {
  readonly sized: boolean
  nameOf(id: number): string
  addressOf(id: number): bigint
  typeOf(id: number): string
  ownerOf(id: number): string
  sizeOf(id: number): number
  startingAt(address: bigint): readonly KernelSymbol[]
}

/** One symbol. */
export class KernelSymbol {
  readonly #table: Table
  /** Its number in table order: by address, and at equal addresses as in the file. Valid for this snapshot only. */
  readonly id: number

  constructor(table: Table, id: number) {
    this.#table = table
    this.id = id
  }

  /** The name; bytes that are not UTF-8 appear as lone surrogates (see `decodeName`). */
  get name(): string {
    return this.#table.nameOf(this.id)
  }

  get address(): bigint {
    return this.#table.addressOf(this.id)
  }

  /** The type character of nm(1) as kallsyms prints it. */
  get type(): string {
    return this.#table.typeOf(this.id)
  }

  /** `vmlinux`, a module, `bpf`, `__builtin__ftrace`, … */
  get owner(): string {
    return this.#table.ownerOf(this.id)
  }

  /**
   * Bytes to the next distinct symbol or to the end of the owner's memory; 0 for a symbol that answers no address. In a
   * sized table, the size that the symbol itself gives.
   */
  get size(): number {
    return this.#table.sizeOf(this.id)
  }

  toJSON(): { address: string; type: string; name: string; owner: string; size: number } {
    return {
      address: formatAddress(this.address),
      type: this.type,
      name: this.name,
      owner: this.owner,
      size: this.size,
    }
  }

  /** The name, with its owner where that is not the kernel itself. */
  toString(): string {
    return `${printable(this.name)}${ownerInWords(this.owner)}`
  }

  /** What `console.log` shows. */
  [INSPECT](depth: number, options: object, inspect: Inspect): string {
    return inspected('KernelSymbol', () => this.toJSON(), depth, options, inspect)
  }
}

/** An owner as the kernel prints it behind a name: nothing for the kernel itself. */
function ownerInWords(owner: string): string {
  return owner === 'vmlinux' ? '' : ` [${printable(owner)}]`
}

/** The symbol that contains an address. */
export class SymbolMatch {
  readonly #table: Table
  readonly #found: readonly Candidate[] | undefined
  readonly #id: number
  /** Bytes from the symbol's start. */
  readonly offset: number
  /** Bytes from the symbol's start to its end. */
  readonly size: number

  /** `found` is what `candidatesAt` gave; undefined where the plain search's answer is the only one. */
  constructor(table: Table, id: number, offset: number, size: number, found: readonly Candidate[] | undefined) {
    this.#table = table
    this.#id = id
    this.offset = offset
    this.size = size
    this.#found = found
  }

  /** The primary name: the first alias in kallsyms order, as the kernel prints it. */
  get symbol(): KernelSymbol {
    return new KernelSymbol(this.#table, this.#id)
  }

  /** The other symbols that start at the same address, unless they are candidates of another owner. */
  get aliases(): readonly KernelSymbol[] {
    // By sizes, what starts here may end elsewhere: a symbol may be both an alias and a candidate.
    const others = this.#table.sized ? [] : (this.#found ?? [])
    return this.#table
      .startingAt(this.#table.addressOf(this.#id))
      .filter(({ id }) => id !== this.#id && !others.some((candidate) => candidate.id === id))
  }

  /** Every symbol that may be meant, the answer first: more than one where owners' memory, or sized symbols, overlap. */
  get candidates(): readonly { readonly symbol: KernelSymbol; readonly offset: number }[] {
    const address = this.#table.addressOf(this.#id) + BigInt(this.offset)
    return (this.#found ?? [{ id: this.#id }]).map(({ id }) => {
      const symbol = new KernelSymbol(this.#table, id)
      return { symbol, offset: Number(address - symbol.address) }
    })
  }

  /** Addresses as text. Of aliases the names, of candidates what tells them apart. */
  toJSON() {
    const { symbol, offset, size, aliases, candidates } = this
    return {
      address: formatAddress(symbol.address + BigInt(offset)),
      symbol: symbol.name,
      offset,
      size,
      owner: symbol.owner,
      type: symbol.type,
      aliases: aliases.map(({ name }) => name),
      candidates: candidates.map((each) => ({
        symbol: each.symbol.name,
        offset: each.offset,
        owner: each.symbol.owner,
      })),
    }
  }

  /** As the kernel prints an address: `symbol+0x10/0x30 [owner]`. */
  toString(): string {
    const { symbol, offset, size } = this
    return `${printable(symbol.name)}+0x${offset.toString(16)}/0x${size.toString(16)}${ownerInWords(symbol.owner)}`
  }

  /** What `console.log` shows. */
  [INSPECT](depth: number, options: object, inspect: Inspect): string {
    return inspected('SymbolMatch', () => this.toJSON(), depth, options, inspect)
  }
}
