// What contains an address, for good: region by region, with the live owner's symbol first, then what other owners left
// there. The plain search hands over to this file wherever a symbol is marked SPECIAL.

import { LONG_ROOT, ROOT_MASK, type SymbolColumns } from './layout.ts'
import { isLabel } from './names.ts'
import { isText, MOST_OFFSET, REGION_WORDS } from './regions.ts'
import { groupRange, upperBound } from './search.ts'

/** Why no symbol contains an address: it is a user address, outside of all kernel memory, or where nothing is known. */
export type NothingReason = 'user' | 'not kernel' | 'gap'

/** Which symbols may answer: all, only those whose type is text, or only the others. */
export type KindFilter = 'all' | 'text' | 'data'

/** A stretch of memory that one owner holds; addresses as halves, `end` exclusive. */
interface Region {
  readonly startLow: number
  /** 2^32 where the region ends with its group. */
  readonly endLow: number
  readonly owner: number
}

/** A symbol that may be meant and the bytes it spans. */
export interface Candidate {
  readonly id: number
  readonly size: number
}

/** The core kernel's owner number. */
const CORE = 0
/** In place of an owner number: whoever it is. */
const ANY = -1

/** The number of a symbol's owner. */
export function ownerOf(table: SymbolColumns, id: number): number {
  return table.ownerOf[upperBound(table.ownerStart, 0, table.ownerStart.length, id) - 1]!
}

/** Whether a symbol never answers an address. */
export function neverAnswers(table: SymbolColumns, id: number): boolean {
  const root = table.name[id]! & ROOT_MASK
  return isLabel(table.heap, root + (table.heap[root] === LONG_ROOT ? 3 : 1))
}

/** The region that holds an address, or undefined. */
export function regionAt(table: SymbolColumns, half: number, low: number): Region | undefined {
  const { regions } = table
  let from = 0
  let to = regions.length / REGION_WORDS
  while (from < to) {
    const middle = (from + to) >>> 1
    const at = middle * REGION_WORDS
    if (regions[at]! < half || (regions[at] === half && regions[at + 1]! <= low)) from = middle + 1
    else to = middle
  }
  if (from === 0) return undefined
  const at = (from - 1) * REGION_WORDS
  if (regions[at] !== half) return undefined
  const endLow = regions[at + 2] === half ? regions[at + 3]! : 2 ** 32
  return low < endLow ? { startLow: regions[at + 1]!, endLow, owner: regions[at + 4]! } : undefined
}

/**
 * Every symbol that may be meant by an address, the likeliest first: the nearest of the region's owner, then those that
 * other owners left nearer to it. Empty where nothing is there. `maxOffset` in bytes bounds how far an answer reaches.
 */
export function candidatesAt(
  table: SymbolColumns,
  half: number,
  low: number,
  kinds: KindFilter = 'all',
  maxOffset = MOST_OFFSET,
): Candidate[] {
  const region = regionAt(table, half, low)
  if (region === undefined) return []
  const { first, end } = groupRange(table, half)
  const nearest = upperBound(table.low, first, end, low) - 1
  const candidates: Candidate[] = []

  let live = nearest
  while (live >= first && table.low[live]! >= region.startLow && !answersFor(table, live, region.owner)) live--
  if (live >= first && table.low[live]! >= region.startLow) {
    const id = firstAlias(table, first, end, live, region.owner, kinds)
    const start = table.low[live]!
    if (id >= 0 && low - start < maxOffset) {
      candidates.push({ id, size: stretchEnd(table, live, end, region.owner, region) - start })
    }
  }

  let other = nearest
  while (other >= first && table.low[other]! >= region.startLow && neverAnswers(table, other)) other--
  if (other < first || table.low[other]! < region.startLow) return candidates
  const start = table.low[other]!
  if (low - start >= maxOffset) return candidates
  const size = stretchEnd(table, other, end, ANY, region) - start
  let id = other
  while (id > first && table.low[id - 1] === start) id--
  for (; id < end && table.low[id] === start; id++) {
    if (neverAnswers(table, id) || ownerOf(table, id) === region.owner || !isOfKind(table, id, kinds)) continue
    candidates.push({ id, size })
  }
  return candidates
}

/** Why an address has no symbol. */
export function reasonAt(table: SymbolColumns, half: number, low: number): NothingReason {
  const { regions, groups } = table
  if (regions.length === 0) return 'not kernel'
  const lastRegion = regions.length - REGION_WORDS
  const lastEnd = regions[lastRegion + 2]! * 2 ** 32 + regions[lastRegion + 3]!
  const firstStart = regions[0]! * 2 ** 32 + regions[1]!
  // As doubles these lose low bits, which is harmless: they only tell inside from outside.
  const address = half * 2 ** 32 + low
  if (address >= firstStart && address < lastEnd) return 'gap'
  const highest = groups[groups.length - 2]!
  const userBelow = highest >= 0x8000_0000 ? half < 0x8000_0000 : highest === 0 && half === 0 && address < firstStart
  return userBelow ? 'user' : 'not kernel'
}

/** Whether a symbol answers for an owner: it is that owner's and no label. */
function answersFor(table: SymbolColumns, id: number, owner: number): boolean {
  return ownerOf(table, id) === owner && !neverAnswers(table, id)
}

export function isOfKind(table: SymbolColumns, id: number, kinds: KindFilter): boolean {
  return kinds === 'all' || isText(table.kind[id]! & 0x7f) === (kinds === 'text')
}

/** The first symbol in file order that starts where `id` does, is the owner's, and of the kind; or -1. */
function firstAlias(
  table: SymbolColumns,
  first: number,
  end: number,
  id: number,
  owner: number,
  kinds: KindFilter,
): number {
  const start = table.low[id]!
  let alias = id
  while (alias > first && table.low[alias - 1] === start) alias--
  for (; alias < end && table.low[alias] === start; alias++) {
    if (answersFor(table, alias, owner) && isOfKind(table, alias, kinds)) return alias
  }
  return -1
}

/**
 * Where the stretch of symbol `id` ends: at the next distinct symbol of the owner (of any owner with ANY), or with the
 * region. Between two core symbols it is the next one's start even across a hole, as the kernel prints it, though
 * nothing in the hole is answered.
 */
function stretchEnd(table: SymbolColumns, id: number, end: number, owner: number, region: Region): number {
  const start = table.low[id]!
  for (let next = id + 1; next < end; next++) {
    if (table.low[next] === start || neverAnswers(table, next)) continue
    if (table.low[next]! >= region.endLow)
      return owner === CORE && ownerOf(table, next) === CORE ? table.low[next]! : region.endLow
    if (owner === ANY || ownerOf(table, next) === owner) return table.low[next]!
  }
  return region.endLow
}
