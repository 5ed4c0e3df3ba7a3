// Addresses as people paste them, out of logs, debuggers and tables: `ffffffff81001010:`, `[<ffffffff81001010>]`,
// `vfs_read+0x10/0x360 [module]`, `module:name+16`, one or many to a line. Names become the addresses that they stand for.

import { MAX_ADDRESS, parseAddress } from '../core/address.ts'
import { decodeName } from '../core/bytes.ts'
import { CORE_OWNER } from '../symbols/build.ts'
import type { SymbolTable } from '../symbols/table.ts'

/** A name with an offset, which stands for as many addresses as there are symbols of it. */
export interface NamedPlace {
  /** As it was pasted. */
  readonly text: string
  readonly name: string
  readonly offset: bigint
  /** Bytes of the symbol, as the kernel prints it behind a slash: of several symbols those of this size are meant. */
  readonly size: number | undefined
  readonly owner: string | undefined
}

/** What a line holds, in order: addresses, names with offsets, and what is neither. */
export type Pasted = bigint | NamedPlace | { readonly bad: string }

/** Words and brackets. Blanks, commas and whatever people and tools put around an address lie between. */
const WORD = /[^\s,;<>()"'`[\]]+|[[\]]/g
/** `name+0x10/0x360`, `module:name+16`: offsets in decimal digits are bpftrace's and gdb's. */
const NAMED = /^(?:([^+:]+):)?([^+:]+)\+(0[xX][0-9a-fA-F]+|\d+)(?:\/(0[xX][0-9a-fA-F]+|\d+))?$/
/** What the kernel prints in an address's place in front of a name, where it shows none: `[<0>] vfs_read+0x10/0x360` in /proc/PID/stack. */
const HIDDEN = /^\s*\[<0{1,16}>\](?=\s+\S)/
/** Letters of the longest number of 64 bits: in decimal digits. */
const LONGEST_NUMBER = 20
/** What x86 prints in front of a place in code: `RIP: 0010:name+0x10/0x20`. */
const CODE_SEGMENT = /^00[0-9a-f]{2}$/
/** What perf prints in a module's place for the core kernel. */
const KERNEL_FILE = 'kernel.kallsyms'
/** Digits from which on a number without 0x is rather an address than a name. */
const SURE_DIGITS = 8

/** Reads a line. */
export function readPasted(line: string): Pasted[] {
  const words = line.replace(HIDDEN, '').match(WORD) ?? []
  const found: Pasted[] = []
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!
    if (word === '[' || word === ']') continue
    const bare = word.endsWith(':') ? word.slice(0, -1) : word
    const place = parseAddress(bare) ?? named(bare)
    if (place === undefined) {
      if (bare !== '') found.push({ bad: word })
    } else if (typeof place === 'bigint' || place.owner !== undefined) found.push(place)
    else {
      const module = moduleBehind(words, i + 1)
      found.push(module === undefined ? place : { ...place, ...module, text: `${place.text} [${module.owner}]` })
      i += module?.words ?? 0
    }
  }
  return found
}

/** `[module]` or, as kernels with build ids print it, `[module 3f2a…]`: whose it is, and how many words. */
function moduleBehind(words: readonly string[], at: number): { owner: string; words: number } | undefined {
  const owner = words[at + 1]
  if (words[at] !== '[' || owner === undefined || owner === ']' || isSurelyAddress(owner)) return undefined
  const end = words[at + 2] === ']' ? 3 : words[at + 3] === ']' && /^[0-9a-f]{8,64}$/.test(words[at + 2]!) ? 4 : 0
  return end === 0 ? undefined : { owner: owner === KERNEL_FILE ? CORE_OWNER : owner, words: end }
}

function isSurelyAddress(word: string): boolean {
  return parseAddress(word) !== undefined && (word.length >= SURE_DIGITS || /^0x/i.test(word))
}

function named(text: string): NamedPlace | bigint | undefined {
  const found = NAMED.exec(text)
  if (found === null) return undefined
  const [, before, name = '', off = '', size] = found
  const owner = before !== undefined && CODE_SEGMENT.test(before) ? undefined : before
  if (off.length > LONGEST_NUMBER || (size?.length ?? 0) > LONGEST_NUMBER) return undefined
  const offset = BigInt(off)
  if (offset > MAX_ADDRESS) return undefined
  if (owner === undefined && isSurelyAddress(name)) {
    const sum = (parseAddress(name) ?? 0n) + offset
    return sum <= MAX_ADDRESS ? sum : undefined
  }
  return { text, name, offset, size: size === undefined ? undefined : Number(size), owner }
}

/** Why a name with an offset stands for no address. */
export type NoPlace = 'unknown_name' | 'size_mismatch'

/** The addresses that a name with an offset stands for, in the order of the table, or why there is none. */
export function addressesOf({ name, offset, size, owner }: NamedPlace, symbols: SymbolTable): bigint[] | NoPlace {
  const all = symbols.named(name, { owner })
  if (all.length === 0) return 'unknown_name'
  const meant = size === undefined ? all : all.filter((symbol) => symbol.size === size)
  if (meant.length === 0) return 'size_mismatch'
  const addresses = new Set(meant.map(({ address }) => BigInt.asUintN(64, address + offset)))
  return [...addresses]
}

/** Questions read from text, in their order, by their numbers. */
export interface PastedBatch {
  /** What to look up; 0 where a name stands for nothing. */
  readonly addresses: BigUint64Array
  /** The names that addresses were made of, as they were pasted. */
  readonly names: ReadonlyMap<number, string>
  /** Why a name stands for no address. */
  readonly nowhere: ReadonlyMap<number, NoPlace>
  /** What is neither address nor name with offset. */
  readonly bad: readonly string[]
}

const [OTHER, BETWEEN, LINE_END, COLON, FIRST_DIGIT] = [0, 1, 2, 3, 4]
const NEWLINE = 10
/** What each byte is to a line of nothing but addresses; digits have their values from FIRST_DIGIT on. */
const CLASSES = new Uint8Array(256)
for (const between of ' \t\r\v\f,;<>()"\'`[]') CLASSES[between.charCodeAt(0)] = BETWEEN
CLASSES[NEWLINE] = LINE_END
CLASSES[':'.charCodeAt(0)] = COLON
for (const [value, digit] of [...'0123456789abcdef'].entries()) {
  CLASSES[digit.charCodeAt(0)] = FIRST_DIGIT + value
  CLASSES[digit.toUpperCase().charCodeAt(0)] = FIRST_DIGIT + value
}

/** Reads text of whole lines, much of it at once. Uses its memory again: a batch holds until the next is read. */
export class PastedReader {
  readonly #symbols: SymbolTable
  #halves = new Uint32Array(1 << 13)
  #count = 0

  constructor(symbols: SymbolTable) {
    this.#symbols = symbols
  }

  read(bytes: Buffer): PastedBatch {
    const names = new Map<number, string>()
    const nowhere = new Map<number, NoPlace>()
    const bad: string[] = []
    this.#count = 0
    for (let at = 0; at < bytes.length; ) {
      const plain = this.#plainLine(bytes, at)
      if (plain > 0) {
        at = plain
        continue
      }
      const newline = bytes.indexOf(NEWLINE, at)
      const end = newline < 0 ? bytes.length : newline
      for (const place of readPasted(decodeName(bytes, at, end))) {
        if (typeof place === 'bigint') this.#push(place)
        else if ('bad' in place) bad.push(place.bad)
        else {
          const addresses = addressesOf(place, this.#symbols)
          if (typeof addresses === 'string') nowhere.set(this.#count, addresses)
          for (const address of typeof addresses === 'string' ? [0n] : addresses) {
            names.set(this.#count, place.text)
            this.#push(address)
          }
        }
      }
      at = end + 1
    }
    return { addresses: new BigUint64Array(this.#halves.buffer, 0, this.#count), names, nowhere, bad }
  }

  /** Takes a line that holds nothing but addresses: where the next begins, or 0 where it holds anything else. */
  #plainLine(bytes: Uint8Array, start: number): number {
    const before = this.#count
    const end = bytes.length
    let at = start
    for (;;) {
      while (at < end && CLASSES[bytes[at]!] === BETWEEN) at++
      if (at >= end || CLASSES[bytes[at]!] === LINE_END) return at + 1
      if (bytes[at] === 48 && (bytes[at + 1]! | 32) === 120) at += 2
      const first = at
      let high = 0
      let low = 0
      let kind = OTHER
      for (; at < end; at++) {
        kind = CLASSES[bytes[at]!]!
        if (kind < FIRST_DIGIT) break
        high = (high << 4) | (low >>> 28)
        low = (low << 4) | (kind - FIRST_DIGIT)
      }
      const digits = at - first
      if (at < end && kind === COLON) kind = ++at < end ? CLASSES[bytes[at]!]! : LINE_END
      if (digits === 0 || digits > 16 || (at < end && kind !== BETWEEN && kind !== LINE_END)) {
        this.#count = before
        return 0
      }
      this.#room()
      this.#halves[2 * this.#count] = low
      this.#halves[2 * this.#count++ + 1] = high
    }
  }

  #push(address: bigint): void {
    this.#room()
    this.#halves[2 * this.#count] = Number(address & 0xffff_ffffn)
    this.#halves[2 * this.#count++ + 1] = Number(address >> 32n)
  }

  #room(): void {
    if (2 * this.#count < this.#halves.length) return
    const larger = new Uint32Array(this.#halves.length * 2)
    larger.set(this.#halves)
    this.#halves = larger
  }
}
