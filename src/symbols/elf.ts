// The symbol sections of an ELF file → the same table as a kernel's, with the sizes that the symbols give. Pure: knows
// nothing of files.

import { encodeName } from '../core/bytes.ts'
import { type ElfFile, type ElfSection, ET_REL, SHF_ALLOC, SHF_TLS } from '../core/elf.ts'
import { type SymbolChunk, TableBuilder } from './build.ts'
import { ABSOLUTE, type ElfTable, findSymbolSections, SymbolEntries } from './elf-entries.ts'
import { type DamageReason, kindOf, type LeftOutReason, RANKS, rankOf, whatIsDamaged, whyLeftOut } from './elf-rules.ts'
import type { MemoryRange } from './memory-range.ts'
import { splitName } from './names.ts'
import { LISTED_BAD_LINES } from './parse.ts'
import type { Plan, Workspace } from './workspace.ts'

export interface DamagedEntry {
  readonly table: 'symtab' | 'dynsym'
  /** The entry's number in its section. */
  readonly index: number
  readonly reason: DamageReason
}

/** A finished table and what the file held beside it. */
export interface BuiltElf {
  readonly buffer: SharedArrayBuffer
  /** How many entries were left out, by reason. */
  readonly leftOut: Readonly<Record<LeftOutReason, number>>
  readonly damagedCount: number
  /** The first damaged entries, up to LISTED_BAD_LINES. */
  readonly damaged: readonly DamagedEntry[]
}

/** The owner of symbols that belong to no section: their value is fixed (SHN_ABS). Named as nm(1) does. */
export const ABSOLUTE_OWNER = '*ABS*'

/** Symbols worked on between two yields. */
const SLICE = 2_048

/**
 * The sections whose bytes `elfTable` reads.
 * @throws as `elfTable` does
 */
export function symbolSections(file: ElfFile, table: ElfTable): ElfSection[] {
  return findSymbolSections(file, table).flatMap(({ symbols, names, numbers }) =>
    numbers === undefined ? [symbols, names] : [symbols, names, numbers],
  )
}

/**
 * Makes the table of an ELF file's symbols. Addresses are as in the file; in a relocatable file (ET_REL: objects and
 * kernel modules), whose symbols have only offsets in their sections, the upper half is the section's number and the lower
 * half the offset. Owners are section names. Yields between bounded pieces of work.
 * @throws NotFoundError if the file has no such section; BadFormatError if one is damaged as a whole; UnsupportedError if
 * it is compressed; LimitError if names or sections exceed what a table can number; UsageError for another `table`.
 */
export function* elfTable(file: ElfFile, table: ElfTable, workspace: Workspace): Plan<BuiltElf> {
  const parts = findSymbolSections(file, table).map((sections) => new SymbolEntries(file, sections))
  const total = parts.reduce((sum, { count }) => sum + count, 0)
  const builder = new TableBuilder(workspace, {}, ABSOLUTE_OWNER)
  const sizes = new Float64Array(total)
  const result = new Outcome()
  const sorted: Uint32Array[][] = []
  for (const entries of parts) sorted.push(yield* byRank(file, entries, result))
  const seen = parts.length > 1 ? new Seen(parts[0]!) : undefined
  let count = 0
  for (let rank = 0; rank < RANKS; rank++) {
    for (const [part, entries] of parts.entries()) {
      const indexes = sorted[part]![rank]!
      for (let from = 0; from < indexes.length; from += SLICE) {
        const slice = indexes.subarray(from, from + SLICE)
        const chunk = chunkOf(file, entries, slice, part === 0 ? undefined : seen, result, sizes.subarray(count))
        if (part === 0) seen?.add(slice, chunk.rootHash, rank)
        const number = builder.addChunk(chunk, entries.names)
        yield { step: 'shareOut', from: number, to: number + 1 }
        builder.trim(number)
        count += chunk.count
        yield
      }
    }
  }
  const { buffer } = yield* builder.finish({
    extents: { sizes: sizes.subarray(0, count), ranges: memoryOf(file) },
  })
  return { buffer, leftOut: result.leftOut, damagedCount: result.damagedCount, damaged: result.damaged }
}

/** Counts what does not become a symbol. */
class Outcome {
  readonly leftOut: Record<LeftOutReason, number> = {
    undefined: 0,
    section: 0,
    file: 0,
    'other type': 0,
    unnamed: 0,
    'thread-local': 0,
    'not loaded': 0,
    duplicate: 0,
  }
  damagedCount = 0
  readonly damaged: DamagedEntry[] = []

  damage(table: 'symtab' | 'dynsym', index: number, reason: DamageReason): void {
    if (this.damagedCount++ < LISTED_BAD_LINES) this.damaged.push({ table, index, reason })
  }
}

/** The entries that are symbols, by rank. */
function* byRank(file: ElfFile, entries: SymbolEntries, outcome: Outcome): Generator<void, Uint32Array[], void> {
  const ranks = Array.from({ length: RANKS }, () => new Uint32Array(entries.count))
  const lengths = new Array<number>(RANKS).fill(0)
  // The first entry is reserved.
  for (let index = 1; index < entries.count; index++) {
    const reason = whyLeftOut(file, entries, index)
    if (reason !== undefined) outcome.leftOut[reason]++
    else {
      const damage = whatIsDamaged(file, entries, index)
      if (damage !== undefined) outcome.damage(entries.table, index, damage)
      else {
        const rank = rankOf(entries.binding(index))
        ranks[rank]![lengths[rank]!++] = index
      }
    }
    if ((index & (SLICE - 1)) === 0) yield
  }
  return ranks.map((indexes, rank) => indexes.subarray(0, lengths[rank]))
}

/** Which entries of the first table there are, to recognise their repetition in the second. */
class Seen {
  readonly #entries: SymbolEntries
  readonly #indexes = new Map<number, number>()
  /** The entry before in the chain of those with one key, or 0. */
  readonly #next: Uint32Array

  constructor(entries: SymbolEntries) {
    this.#entries = entries
    this.#next = new Uint32Array(entries.count)
  }

  /** Notes entries; local ones need not be, since the dynamic table has none. */
  add(indexes: Uint32Array, hashes: Uint32Array, rank: number): void {
    if (rank === RANKS - 1) return
    for (const [i, index] of indexes.entries()) {
      const key = keyOf(this.#entries, index, hashes[i]!)
      this.#next[index] = this.#indexes.get(key) ?? 0
      this.#indexes.set(key, index)
    }
  }

  has(others: SymbolEntries, other: number, hash: number): boolean {
    const entries = this.#entries
    const end = others.nameEnd(other)
    const name = Buffer.from(others.names.buffer, others.names.byteOffset, end).subarray(others.name(other))
    let index = this.#indexes.get(keyOf(others, other, hash >>> 0)) ?? 0
    for (; index !== 0; index = this.#next[index]!) {
      const same =
        entries.valueLow(index) === others.valueLow(other) &&
        entries.valueHigh(index) === others.valueHigh(other) &&
        entries.size(index) === others.size(other) &&
        entries.binding(index) === others.binding(other) &&
        name.equals(entries.names.subarray(entries.name(index), entries.nameEnd(index)))
      if (same) return true
    }
    return false
  }
}

/** A number that entries which are equal share, and others hardly ever: the root's hash, and 21 bits of all the rest. */
function keyOf(entries: SymbolEntries, index: number, rootHash: number): number {
  let rest = entries.valueLow(index)
  for (const word of [entries.valueHigh(index), entries.size(index), entries.binding(index)]) {
    rest = Math.imul(rest ^ (rest >>> 15) ^ word, 0x85ebca6b)
  }
  return (rest >>> 11) * 2 ** 32 + rootHash
}

/** The entries as a chunk for the builder; their sizes go to the front of `sizes`. */
function chunkOf(
  file: ElfFile,
  entries: SymbolEntries,
  indexes: Uint32Array,
  seen: Seen | undefined,
  outcome: Outcome,
  sizes: Float64Array,
): SymbolChunk {
  const most = indexes.length
  const columns = {
    high: new Uint32Array(most),
    low: new Uint32Array(most),
    rootStart: new Uint32Array(most),
    rootHash: new Uint32Array(most),
    rootLength: new Uint16Array(most),
    owner: new Uint16Array(most),
    prefix: new Uint8Array(most),
    kind: new Uint8Array(most),
  }
  const { high, low, rootStart, rootHash, rootLength, owner, prefix, kind } = columns
  const owners = ['']
  const ownerNumbers = new Map<number, number>([[ABSOLUTE, 0]])
  let count = 0
  for (const index of indexes) {
    const nameEnd = entries.nameEnd(index)
    const split = splitName(entries.names, entries.name(index), nameEnd)
    if (seen?.has(entries, index, split.rootHash) === true) {
      outcome.leftOut.duplicate++
      continue
    }
    const section = entries.section(index)
    let number = ownerNumbers.get(section)
    if (number === undefined) {
      number = owners.push(ownerName(file.sections[section]!)) - 1
      ownerNumbers.set(section, number)
    }
    high[count] = file.type === ET_REL && section !== ABSOLUTE ? section : entries.valueHigh(index)
    low[count] = entries.valueLow(index)
    rootStart[count] = split.rootStart
    rootHash[count] = split.rootHash
    rootLength[count] = nameEnd - split.rootStart
    prefix[count] = split.prefix
    owner[count] = number
    kind[count] = kindOf(file, entries, index)
    sizes[count] = entries.size(index)
    count++
  }
  return { count, owners, ...columns }
}

/** A section's name as an owner's, bytes in latin1; a section without one goes by its number. */
function ownerName({ name, index }: ElfSection): string {
  return name === '' ? `[${index}]` : Buffer.from(encodeName(name)).toString('latin1')
}

/** Where the file's sections lie in memory: what is thread-local or takes no memory left out, ascending, no overlap. */
function memoryOf(file: ElfFile): MemoryRange[] {
  const limit = 2n ** 64n - 1n
  const ranges = file.sections
    .filter(({ flags, size }) => (flags & SHF_ALLOC) !== 0n && (flags & SHF_TLS) === 0n && size > 0)
    .map((section) => {
      const start = file.type === ET_REL ? BigInt(section.index) << 32n : section.address
      const end = start + BigInt(section.size)
      return { start, end: end < limit ? end : limit, owner: ownerName(section) }
    })
    .sort((a, b) => (a.start < b.start ? -1 : a.start > b.start ? 1 : 0))
  return ranges.flatMap((range, i) => {
    const next = ranges[i + 1]
    const end = next !== undefined && next.start < range.end ? next.start : range.end
    return end > range.start ? [{ ...range, end }] : []
  })
}
