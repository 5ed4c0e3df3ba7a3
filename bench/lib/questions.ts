// Seeded questions for a symbol table, whose answers are known or checked before anything is timed.

import { NO_SYMBOL, type SymbolTable } from '../../src/index.ts'
import type { Random } from './random.ts'

/** Answers compared one by one before timing. */
const CHECKED = 50_000

/** `count` addresses inside random symbols that answer addresses, each at a random offset, in shared memory. */
export function randomAddresses(table: SymbolTable, random: Random, count: number): BigUint64Array<SharedArrayBuffer> {
  const starts: bigint[] = []
  const sizes: number[] = []
  for (const { address, size } of table) {
    if (size === 0) continue
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

/** The names as separate byte arrays. */
export function byteStrings({ bytes, starts }: NameList): Uint8Array[] {
  return Array.from({ length: starts.length - 1 }, (_, i) => bytes.subarray(starts[i], starts[i + 1]))
}

/** Throws unless every name finds exactly `expected` symbols that have it. */
export function checkNames(table: SymbolTable, names: readonly string[], expected: 0 | 1): void {
  for (const name of names) {
    const found = table.named(name)
    if (found.length !== expected || found.some((symbol) => symbol.name !== name)) {
      throw new Error(`${name} found ${found.length} symbols, not ${expected}`)
    }
  }
}
