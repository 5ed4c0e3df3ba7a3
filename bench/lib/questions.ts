// Seeded questions for a symbol table, whose answers are known or checked before anything is timed.

import { NO_SYMBOL, type SymbolTable } from '../../src/index.ts'
import { type PlainTable, plainFind } from './baselines.ts'
import type { Random } from './random.ts'

/** Answers compared one by one before timing. */
const CHECKED = 50_000

/** `count` addresses inside random symbols that answer addresses, each at a random offset, in shared memory. */
export function randomAddresses(table: SymbolTable, random: Random, count: number): BigUint64Array<SharedArrayBuffer> {
  const starts: bigint[] = []
  const sizes: number[] = []
  for (const { address, size } of table) {
    // Markers of sections reach to the next symbol by their size, but answer for less.
    if (size === 0 || table.at(address + BigInt(size - 1)) === undefined) continue
    starts.push(address)
    sizes.push(size)
  }
  const addresses = new BigUint64Array(new SharedArrayBuffer(count * 8))
  for (let i = 0; i < count; i++) {
    const symbol = random(starts.length)
    addresses[i] = starts[symbol]! + BigInt(random(sizes[symbol]!))
  }
  return addresses
}

/** Where the symbols that contain addresses start; throws unless the symbols there are found in bulk as singly. */
export function startsOf(table: SymbolTable, addresses: BigUint64Array): BigUint64Array {
  const { ids } = table.findMany(addresses)
  const starts = BigUint64Array.from(ids, (id) => table.addressOf(id))
  const found = table.startingAtMany(starts)
  starts.subarray(0, CHECKED).forEach((start, i) => {
    const here = table.startingAt(start)
    if (here[0]?.id !== found.ids[i] || here.length !== found.counts[i]) {
      throw new Error(`startingAtMany and startingAt disagree about ${start.toString(16)}`)
    }
  })
  return starts
}

/** Throws unless the bulk answers are those of `at`, for a part of the addresses and for some where nothing is. */
export function checkAddresses(table: SymbolTable, addresses: BigUint64Array): void {
  const sample = addresses.slice(0, CHECKED)
  for (let i = 0; i < sample.length; i += 100) sample[i] = BigInt.asUintN(64, sample[i]! * 0x9e37_79b9_7f4a_7c15n)
  const { ids, offsets } = table.findMany(sample)
  sample.forEach((address, i) => {
    const match = table.at(address)
    const right = match === undefined ? ids[i] === NO_SYMBOL : match.symbol.id === ids[i] && match.offset === offsets[i]
    if (!right) throw new Error(`findMany and at disagree about ${address.toString(16)}`)
  })
}

/** Addresses, of a million, about which a plain search may be wrong: it knows no bounds and no overlaps. */
const PLAIN_ERRORS = 50_000

/**
 * Compares the plain search with kerndex about addresses, and says in words how many it answers otherwise.
 * @throws Error if those are more than its ignorance of overlapping and ended symbols explains
 */
export function checkPlain(table: SymbolTable, plain: PlainTable, addresses: BigUint64Array): string {
  const { ids } = table.findMany(addresses)
  let others = 0
  addresses.forEach((address, i) => {
    if (plain.starts[plainFind(plain.starts, address)] !== table.addressOf(ids[i]!)) others++
  })
  if (others * 1_000_000 > PLAIN_ERRORS * addresses.length) {
    throw new Error(`the plain search answers ${others} of ${addresses.length} addresses otherwise`)
  }
  return others === 0 ? 'same answers' : `other answers for ${others} of ${addresses.length}: no bounds, no overlaps`
}

/** Names as bytes, one behind the other, from which fresh strings can be made. */
export interface NameList {
  readonly bytes: Buffer
  /** Where each name begins, and where the last one ends. */
  readonly starts: Uint32Array
}

/** `count` random names among those that exactly one symbol has; a repeated name would count for several lookups. */
export function uniqueNames(table: SymbolTable, random: Random, count: number): string[] {
  const seen = new Map<string, number>()
  for (const { name } of table) seen.set(name, (seen.get(name) ?? 0) + 1)
  const unique = [...seen.keys()].filter((name) => seen.get(name) === 1 && /^[\x21-\x7e]+$/.test(name))
  return Array.from({ length: count }, () => unique[random(unique.length)]!)
}

/** For each name one like it that no symbol has: one letter is another. */
export function missingNames(table: SymbolTable, random: Random, names: readonly string[]): string[] {
  return names.map((name) => {
    for (;;) {
      const place = random(name.length)
      const letter = String.fromCharCode('a'.charCodeAt(0) + random(26))
      const other = name.slice(0, place) + letter + name.slice(place + 1)
      if (table.named(other).length === 0) return other
    }
  })
}

export function listNames(names: readonly string[]): NameList {
  const starts = new Uint32Array(names.length + 1)
  names.forEach((name, i) => {
    starts[i + 1] = starts[i]! + name.length
  })
  return { bytes: Buffer.from(names.join(''), 'latin1'), starts }
}

/** The names as new strings, whose hashes no engine has computed yet. */
export function freshStrings({ bytes, starts }: NameList): string[] {
  return Array.from({ length: starts.length - 1 }, (_, i) => bytes.toString('latin1', starts[i], starts[i + 1]))
}

/** Throws unless every name finds exactly `expected` symbols that have it, singly and in bulk. */
export function checkNames(table: SymbolTable, names: readonly string[], expected: 0 | 1): void {
  const { starts, ids } = table.namedMany(names)
  names.forEach((name, i) => {
    const found = table.named(name)
    const bulk = ids.subarray(starts[i], starts[i + 1])
    if (bulk.length !== expected || bulk[0] !== found[0]?.id)
      throw new Error(`namedMany and named disagree about ${name}`)
    if (found.length !== expected || found.some((symbol) => symbol.name !== name)) {
      throw new Error(`${name} found ${found.length} symbols, not ${expected}`)
    }
  })
}
