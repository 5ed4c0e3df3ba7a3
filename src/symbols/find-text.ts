// Names that hold a text, for searches as somebody types: every root is in the table's heap once, so that one pass over a few megabytes
// finds all of them. Upper and lower case are the same.

import { setImmediate as turn } from 'node:timers/promises'
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

  /** Makes the index, in steps between which others get their turn. */
  static async of(table: SymbolTable): Promise<NameText> {
    return new NameText(table.names === undefined ? await ownTexts(table) : await borrowedTexts(table))
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

/** The roots of a table that has its own names. */
async function ownTexts(table: SymbolTable): Promise<Texts> {
  const { heap, name } = openSymbolColumns(table.buffer)
  // Which number the root at a byte of the heap has, from 1.
  const numbers = new Uint32Array(heap.length)
  for (let id = 0; id < name.length; id++) numbers[name[id]! & ROOT_MASK] = 1
  await turn()
  let count = 0
  for (let offset = 0; offset < heap.length; offset++) if (numbers[offset] === 1) numbers[offset] = ++count
  await turn()
  const starts = new Uint32Array(count)
  const ends = new Uint32Array(count)
  const textOf = new Uint32Array(name.length)
  for (let id = 0; id < name.length; id++) {
    const root = name[id]! & ROOT_MASK
    const number = numbers[root]! - 1
    textOf[id] = number
    const start = rootStart(heap, root)
    starts[number] = start
    ends[number] = start + rootLength(heap, root)
  }
  await turn()
  // Bytes that tell lengths may look like letters: they are never part of a text.
  const lower = Buffer.alloc(heap.length)
  for (let i = 0; i < heap.length; i++) {
    const byte = heap[i]!
    lower[i] = byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte
  }
  await turn()
  return { lower, starts, ends, ...symbolsOfTexts(textOf, count), prefixOf: (id) => name[id]! >>> ROOT_BITS }
}

/** Symbols whose names are taken down between two turns of the event loop. */
const SLICE = 8192

/** The whole names of a table whose names are in others' memory. */
async function borrowedTexts(table: SymbolTable): Promise<Texts> {
  const numbers = new Map<string, number>()
  const textOf = new Uint32Array(table.size)
  for (let id = 0; id < table.size; id++) {
    if (id % SLICE === 0) await turn()
    const name = table.nameOf(id)
    const known = numbers.get(name) ?? numbers.size
    numbers.set(name, known)
    textOf[id] = known
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
  }
  const lower = Buffer.concat(pieces)
  return { lower, starts, ends, ...symbolsOfTexts(textOf, numbers.size), prefixOf: () => 0 }
}

/** Symbols by the text that they have. */
function symbolsOfTexts(textOf: Uint32Array, count: number): Pick<Texts, 'first' | 'ids'> {
  const first = new Uint32Array(count + 1)
  for (const text of textOf) first[text + 1]!++
  for (let text = 1; text <= count; text++) first[text]! += first[text - 1]!
  const next = first.slice()
  const ids = new Uint32Array(textOf.length)
  for (let id = 0; id < textOf.length; id++) ids[next[textOf[id]!]!++] = id
  return { first, ids }
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
