// Names that hold a text, for searches as somebody types: every root is in the table's heap once, so that one pass over a few megabytes
// finds all of them. Upper and lower case are the same.

import { openSymbolColumns, ROOT_BITS, ROOT_MASK, rootLength, rootStart } from './layout.ts'
import { PREFIXES } from './names.ts'
import { upperBound } from './search.ts'
import type { SymbolTable } from './table.ts'

/** The symbols found, the likeliest first. */
export interface FoundNames {
  readonly ids: readonly number[]
  /** There are more. */
  readonly more: boolean
}

/** Roots that are looked at for one question: more would take longer than a key press. */
const MOST_ROOTS = 20_000
/** Symbols of one root that are listed. */
const MOST_OF_ROOT = 6
/** Symbols of one root that are looked at: some names are those of thousands. */
const MOST_LOOKED_AT = 256

/** The texts that are searched, one behind the other, and the symbols of each. */
interface Texts {
  /** In small letters. */
  readonly lower: Buffer
  /** Where each text begins and ends in it, ascending. */
  readonly starts: Uint32Array
  readonly ends: Uint32Array
  /** The symbols of text n, ascending: from `first[n]` on in `ids`. */
  readonly first: Uint32Array
  readonly ids: Uint32Array
  /** The number of the prefix that stands in front of the text in a symbol's name. */
  readonly prefixOf: (id: number) => number
}

/** An index over one table's names; made in some ten milliseconds, in the memory of its names. */
export class NameText {
  readonly #texts: Texts

  private constructor(texts: Texts) {
    this.#texts = texts
  }

  /** Makes the index, in steps between which others may have their turn. */
  static *of(table: SymbolTable): Generator<void, NameText, void> {
    return new NameText(table.names === undefined ? yield* ownTexts(table) : yield* borrowedTexts(table))
  }

  /** The symbols whose names hold a text: whole names first, then beginnings, then beginnings of words, the shorter before the longer. */
  find(text: string, most: number): FoundNames {
    const needle = text.toLowerCase()
    const ranked: Ranked = { keys: [], prefixes: new Map(), more: false }
    this.#anywhere(needle, ranked)
    for (const [cut, prefixes] of prefixesIn(needle)) this.#behind(needle, cut, prefixes, ranked)
    const order = Float64Array.from(ranked.keys).sort()
    const ids = this.#symbolsOf(order, ranked.prefixes, most)
    return { ids: ids.slice(0, most), more: ranked.more || ids.length > most }
  }

  /** Roots that hold the text wherever. */
  #anywhere(needle: string, ranked: Ranked): void {
    const bytes = Buffer.from(needle)
    const { lower, starts, ends } = this.#texts
    let seen = 0
    for (let at = lower.indexOf(bytes); at >= 0; ) {
      const number = upperBound(starts, 0, starts.length, at) - 1
      const start = starts[number] ?? 0
      const end = ends[number] ?? 0
      if (at >= start && at + bytes.length <= end) {
        if (++seen > MOST_ROOTS) {
          ranked.more = true
          return
        }
        ranked.keys.push(key(this.#quality(at, start, end, bytes.length), number))
        at = lower.indexOf(bytes, end)
      } else at = lower.indexOf(bytes, at + 1)
    }
  }

  /** Roots that begin with the text, as the rest of a name with a prefix that was typed too. */
  #behind(needle: string, cut: number, prefixes: ReadonlySet<number>, ranked: Ranked): void {
    if (cut === needle.length) return
    const all = Buffer.from(needle)
    const bytes = all.subarray(cut)
    const { lower, starts, ends } = this.#texts
    let seen = 0
    for (let at = lower.indexOf(bytes); at >= 0; at = lower.indexOf(bytes, at + 1)) {
      const number = upperBound(starts, 0, starts.length, at) - 1
      const start = starts[number] ?? 0
      const length = (ends[number] ?? 0) - start
      if (at !== start || bytes.length > length) continue
      // One that holds the whole text counts with all of its symbols.
      if (lower.subarray(start, start + length).includes(all)) continue
      if (++seen > MOST_ROOTS) return
      ranked.keys.push(key(bytes.length === length ? 0 : 1000 + length, number))
      ranked.prefixes.set(number, prefixes)
    }
  }

  /** Less is better. */
  #quality(at: number, start: number, end: number, length: number): number {
    const rest = Math.min(end - start, 900)
    if (at === start) return at + length === end ? 0 : 1000 + rest
    const before = this.#texts.lower[at - 1]
    return (before === 0x5f || before === 0x2e ? 2000 : 3000) + rest
  }

  /** The symbols of the best roots, those without a prefix before the others. */
  #symbolsOf(order: Float64Array, prefixes: ReadonlyMap<number, ReadonlySet<number>>, most: number): number[] {
    const { first, ids: all, prefixOf } = this.#texts
    const bare = (id: number) => (prefixOf(id) === 0 ? 0 : 1)
    const ids: number[] = []
    for (const each of order) {
      const number = each % SPAN
      const only = prefixes.get(number)
      const own: number[] = []
      for (let at = first[number]!; at < first[number + 1]! && own.length < MOST_LOOKED_AT; at++) {
        const id = all[at]!
        if (only === undefined || only.has(prefixOf(id))) own.push(id)
      }
      // One without a prefix is what is meant, however many have one.
      own.sort((a, b) => bare(a) - bare(b) || a - b)
      ids.push(...own.slice(0, MOST_OF_ROOT))
      if (ids.length > most) break
    }
    return ids
  }
}

/** Bytes, and symbols, that are looked at in one step: a millisecond or two, before the loops over them are compiled. */
const SLICE = 65_536
/** Symbols whose names are made into strings in one step. */
const FEW_NAMES = 2048

/** A length in slices. */
function* slices(length: number, size: number): Generator<readonly [from: number, to: number]> {
  for (let from = 0; from < length; from += size) yield [from, Math.min(from + size, length)]
}

/** The roots of a table that has its own names. */
function* ownTexts(table: SymbolTable): Generator<void, Texts, void> {
  const { heap, name } = openSymbolColumns(table.buffer)
  // Which number the root at a byte of the heap has, from 1.
  const numbers = new Uint32Array(heap.length)
  for (const [from, to] of slices(name.length, SLICE)) yield markRoots(name, from, to, numbers)
  let count = 0
  for (const [from, to] of slices(heap.length, SLICE)) {
    count = numberRoots(numbers, from, to, count)
    yield
  }
  const starts = new Uint32Array(count)
  const ends = new Uint32Array(count)
  const textOf = new Uint32Array(name.length)
  for (const [from, to] of slices(name.length, SLICE / 4)) {
    for (let id = from; id < to; id++) {
      const root = name[id]! & ROOT_MASK
      const number = numbers[root]! - 1
      textOf[id] = number
      const start = rootStart(heap, root)
      starts[number] = start
      ends[number] = start + rootLength(heap, root)
    }
    yield
  }
  // Bytes that tell lengths may look like letters: they are never part of a text.
  const lower = Buffer.alloc(heap.length)
  for (const [from, to] of slices(heap.length, SLICE)) yield putLower(heap, from, to, lower)
  const symbols = yield* symbolsOfTexts(textOf, count)
  return { lower, starts, ends, ...symbols, prefixOf: (id) => name[id]! >>> ROOT_BITS }
}

function markRoots(name: Uint32Array, from: number, to: number, numbers: Uint32Array): void {
  for (let id = from; id < to; id++) numbers[name[id]! & ROOT_MASK] = 1
}

/** Numbers the roots that are marked, and returns how many there are by then. */
function numberRoots(numbers: Uint32Array, from: number, to: number, count: number): number {
  let next = count
  for (let offset = from; offset < to; offset++) if (numbers[offset] === 1) numbers[offset] = ++next
  return next
}

function putLower(bytes: Uint8Array, from: number, to: number, lower: Buffer): void {
  for (let i = from; i < to; i++) {
    const byte = bytes[i]!
    lower[i] = byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte
  }
}

/** The whole names of a table whose names are in others' memory. */
function* borrowedTexts(table: SymbolTable): Generator<void, Texts, void> {
  const numbers = new Map<string, number>()
  const textOf = new Uint32Array(table.size)
  for (const [from, to] of slices(table.size, FEW_NAMES)) {
    for (let id = from; id < to; id++) {
      const name = table.nameOf(id)
      const known = numbers.get(name) ?? numbers.size
      numbers.set(name, known)
      textOf[id] = known
    }
    yield
  }
  const starts = new Uint32Array(numbers.size)
  const ends = new Uint32Array(numbers.size)
  const pieces: Buffer[] = []
  let at = 0
  for (const [name, number] of numbers) {
    const bytes = Buffer.from(`${name.toLowerCase()}\n`)
    starts[number] = at
    at += bytes.length
    ends[number] = at - 1
    pieces.push(bytes)
    if (number % FEW_NAMES === 0) yield
  }
  const lower = Buffer.concat(pieces)
  yield
  return { lower, starts, ends, ...(yield* symbolsOfTexts(textOf, numbers.size)), prefixOf: () => 0 }
}

/** Symbols by the text that they have. */
function* symbolsOfTexts(textOf: Uint32Array, count: number): Generator<void, Pick<Texts, 'first' | 'ids'>, void> {
  const first = new Uint32Array(count + 1)
  for (const [from, to] of slices(textOf.length, SLICE)) yield countTexts(textOf, from, to, first)
  for (let text = 1; text <= count; text++) first[text]! += first[text - 1]!
  yield
  const next = first.slice()
  const ids = new Uint32Array(textOf.length)
  for (const [from, to] of slices(textOf.length, SLICE)) yield putIds(textOf, from, to, next, ids)
  return { first, ids }
}

function countTexts(textOf: Uint32Array, from: number, to: number, first: Uint32Array): void {
  for (let id = from; id < to; id++) first[textOf[id]! + 1]!++
}

function putIds(textOf: Uint32Array, from: number, to: number, next: Uint32Array, ids: Uint32Array): void {
  for (let id = from; id < to; id++) ids[next[textOf[id]!]!++] = id
}

interface Ranked {
  /** Quality and the root's number in one, to be sorted. */
  readonly keys: number[]
  /** For roots that only count behind a prefix: which. */
  readonly prefixes: Map<number, ReadonlySet<number>>
  more: boolean
}

/** More than there are texts. */
const SPAN = 2 ** 26

function key(quality: number, number: number): number {
  return quality * SPAN + number
}

/** Where a text may be cut into the end of a prefix and the beginning of a root: how long the first part is, and which prefixes. */
function prefixesIn(needle: string): ReadonlyMap<number, ReadonlySet<number>> {
  const cuts = new Map<number, Set<number>>()
  for (const [number, prefix] of PREFIXES.entries()) {
    const lower = prefix.toLowerCase()
    for (let length = Math.min(lower.length, needle.length); length > 0; length--) {
      if (!lower.endsWith(needle.slice(0, length))) continue
      const cut = cuts.get(length) ?? new Set()
      cuts.set(length, cut.add(number))
    }
  }
  return cuts
}
