// The symbol that contains an address: region by region, with the live owner's symbol first, then what other owners left
// there. The plain search hands over to this file wherever a symbol is marked SPECIAL.

import { MOST_OFFSET } from './constants.ts'
import { isAbsolute, LABEL, UNSURE } from './kinds.ts'
import { HOLE, type SymbolColumns } from './layout.ts'
import { REGION_WORDS } from './regions.ts'
import { type GroupView, predecessor, upperBound } from './search.ts'
import { isText } from './text.ts'

/**
 * Why no symbol contains an address: it is a user address, outside of all kernel memory, outside of all sections of an
 * ELF file, or where nothing is known. In tables that were placed by a catalogue also: it is in a module that the catalogue does not
 * have, in one whose place is not known yet, or in what lay elsewhere at the time that is asked about.
 */
export type NothingReason =
  | 'user'
  | 'not kernel'
  | 'outside'
  | 'gap'
  | 'unknown_module'
  | 'not_loaded_yet'
  | 'stale_layout'

/** Which symbols may answer: all, only text, or only the others. */
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
/** In place of an owner number: any owner. */
const ANY = -1

/** Aliases that are walked over one by one: more than nearly any address has. */
const FEW_ALIASES = 16

/** The first of the symbols that start where `id` does: in steps that double, as some tables have thousands of names at one address. */
export function firstAt(low: Uint32Array, from: number, id: number): number {
  const start = low[id]!
  let step = 1
  let known = id
  while (known - step >= from && low[known - step] === start) {
    known -= step
    step *= 2
  }
  for (; step >= 1; step = Math.floor(step / 2)) {
    if (known - step >= from && low[known - step] === start) known -= step
  }
  return known
}

/** Behind the last of the symbols that start where `id` does. */
export function behindAt(low: Uint32Array, end: number, id: number): number {
  const start = low[id]!
  let step = 1
  let known = id
  while (known + step < end && low[known + step] === start) {
    known += step
    step *= 2
  }
  for (; step >= 1; step = Math.floor(step / 2)) {
    if (known + step < end && low[known + step] === start) known += step
  }
  return known + 1
}

/** The number of a symbol's owner. */
export function ownerOf(table: SymbolColumns, id: number): number {
  return table.ownerOf[upperBound(table.ownerStart, 0, table.ownerStart.length, id) - 1]!
}

/** Whether a symbol never answers an address. */
function neverAnswers(table: SymbolColumns, id: number): boolean {
  return (table.kind[id]! & LABEL) !== 0
}

/** Whether a symbol is no candidate in another owner's memory: a label, or no place but a value, such as a per-cpu variable's. */
function isNoPlace(table: SymbolColumns, id: number, owner: number): boolean {
  return neverAnswers(table, id) || (isAbsolute(table.kind[id]!) && ownerOf(table, id) !== owner)
}

/** Where the row of the region that holds an address begins in `regions`, or -1. */
function regionRow({ regions }: SymbolColumns, half: number, low: number): number {
  let from = 0
  let count = regions.length / REGION_WORDS
  while (count > 0) {
    const middle = count >>> 1
    const at = (from + middle) * REGION_WORDS
    if (regions[at]! < half || (regions[at] === half && regions[at + 1]! <= low)) {
      from += middle + 1
      count -= middle + 1
    } else count = middle
  }
  const at = (from - 1) * REGION_WORDS
  if (from === 0 || regions[at] !== half) return -1
  return regions[at + 2] !== half || low < regions[at + 3]! ? at : -1
}

/** The number of the owner of the memory at an address, or -1. */
export function regionOwner(table: SymbolColumns, half: number, low: number): number {
  const row = regionRow(table, half, low)
  return row < 0 ? -1 : table.regions[row + 4]!
}

/** The region that holds an address, or undefined. */
function regionAt(table: SymbolColumns, half: number, low: number): Region | undefined {
  const at = regionRow(table, half, low)
  if (at < 0) return undefined
  const { regions } = table
  const endLow = regions[at + 2] === half ? regions[at + 3]! : 2 ** 32
  return { startLow: regions[at + 1]!, endLow, owner: regions[at + 4]! }
}

/** The nearest symbol of `owner` from `id` down to the address `startLow` that may answer, or -1. */
function liveSymbol(table: SymbolColumns, group: GroupView, id: number, startLow: number, owner: number): number {
  const { low, kind, ownerStart, ownerOf: owners } = table
  let at = id
  while (at >= group.first && low[at]! >= startLow) {
    const run = upperBound(ownerStart, 0, ownerStart.length, at) - 1
    const runFirst = Math.max(group.first, ownerStart[run]!)
    if (owners[run] !== owner) at = runFirst - 1
    else {
      while (at >= runFirst && low[at]! >= startLow && (kind[at]! & LABEL) !== 0) at--
      if (at >= runFirst) return low[at]! >= startLow ? at : -1
    }
  }
  return -1
}

/**
 * The one answer for an address, -1 if there is none: what `candidatesAt` would give first, without the rest. `nearest`
 * is the plain search's answer.
 */
export function answerAt(table: SymbolColumns, group: GroupView, value: number, nearest: number): number {
  const { low, kind, regions } = table
  // Mostly it is a later alias of a plain group, or a label behind one.
  let id = nearest
  while (id > group.first && (kind[id]! & UNSURE) === LABEL) id--
  for (let steps = 0; id > group.first && low[id - 1] === low[id] && (kind[id]! & UNSURE) !== 0; steps++) {
    id = steps < FEW_ALIASES ? id - 1 : firstAt(low, group.first, id)
  }
  if ((kind[id]! & UNSURE) === 0) return id
  const row = regionRow(table, group.half, value)
  if (row < 0) return -1
  const live = liveSymbol(table, group, nearest, regions[row + 1]!, regions[row + 4]!)
  if (live >= 0) return firstAlias(table, group, live, regions[row + 4]!, 'all')
  return candidatesAt(table, group, value, nearest)[0]?.id ?? -1
}

/**
 * Every symbol that may be meant by an address, the likeliest first: the nearest of the region's owner, then those that
 * other owners left nearer to it. Empty where nothing is there. `nearest` is the plain search's answer; `maxOffset` in
 * bytes bounds how far an answer reaches. What others left has no memory of its own, and reaches no further than MOST_OFFSET.
 */
export function candidatesAt(
  table: SymbolColumns,
  group: GroupView,
  value: number,
  nearest: number = predecessor(table, group, value),
  kinds: KindFilter = 'all',
  maxOffset = Number.POSITIVE_INFINITY,
): Candidate[] {
  const region = regionAt(table, group.half, value)
  if (region === undefined) return []
  const { low } = table
  const candidates: Candidate[] = []

  const live = liveSymbol(table, group, nearest, region.startLow, region.owner)
  if (live >= 0) {
    const id = firstAlias(table, group, live, region.owner, kinds)
    const start = low[live]!
    if (id >= 0 && value - start < maxOffset) {
      candidates.push({ id, size: stretchEnd(table, live, group.end, region.owner, region) - start })
    }
  }

  let other = nearest
  while (other >= group.first && low[other]! >= region.startLow && isNoPlace(table, other, region.owner)) other--
  if (other < group.first || low[other]! < region.startLow) return candidates
  const start = low[other]!
  if (value - start >= Math.min(maxOffset, MOST_OFFSET)) return candidates
  const size = stretchEnd(table, other, group.end, ANY, region) - start
  let id = other
  while (id > group.first && low[id - 1] === start) id--
  for (; id < group.end && low[id] === start; id++) {
    if (isNoPlace(table, id, region.owner) || ownerOf(table, id) === region.owner) continue
    if (!isOfKind(table, id, kinds)) continue
    candidates.push({ id, size })
  }
  return candidates
}

const HOLE_REASONS: Readonly<Record<number, NothingReason | undefined>> = {
  [HOLE.unknownModule]: 'unknown_module',
  [HOLE.notLoadedYet]: 'not_loaded_yet',
  [HOLE.staleLayout]: 'stale_layout',
}

/** Whether nothing is known at an address because nothing is of the owner of its memory. */
export function isHole(reason: string): boolean {
  return Object.values(HOLE_REASONS).includes(reason as NothingReason) // Compared as a word.
}

/** Why an address has no symbol. `highest` is the upper half of the table's highest address. */
export function reasonAt(table: SymbolColumns, highest: number, half: number, low: number): NothingReason {
  const { regions, holes } = table
  if (regions.length === 0) return 'not kernel'
  const last = regions.length - REGION_WORDS
  const below = (h: number, l: number) => half < h || (half === h && low < l)
  const belowAll = below(regions[0]!, regions[1]!)
  const userBelow = highest >= 0x8000_0000 ? half < 0x8000_0000 : highest === 0 && half === 0 && belowAll
  if (holes.length > 0) {
    const owner = regionOwner(table, half, low)
    // The core is always there: its word is about memory of which no owner is known.
    const hole = owner < 0 ? holes[CORE] : owner === CORE ? HOLE.none : holes[owner]
    const reason = HOLE_REASONS[hole ?? HOLE.none]
    if (reason !== undefined && !userBelow) return reason
  }
  const endHigh = regions[last + 2]!
  const endLow = regions[last + 3]!
  // An end of zero is that of all addresses.
  if (!belowAll && (below(endHigh, endLow) || (endHigh | endLow) === 0)) return 'gap'
  return userBelow ? 'user' : 'not kernel'
}

/** Whether a symbol answers for an owner: it is that owner's and no label. */
function answersFor(table: SymbolColumns, id: number, owner: number): boolean {
  return ownerOf(table, id) === owner && !neverAnswers(table, id)
}

/** Whether a symbol is of the kind that was asked for. */
export function isOfKind(table: SymbolColumns, id: number, kinds: KindFilter): boolean {
  return kinds === 'all' || isText(table, id, ownerOf(table, id)) === (kinds === 'text')
}

/** The first symbol in file order that starts where `id` does, is the owner's, and of the kind; or -1. */
function firstAlias(table: SymbolColumns, group: GroupView, id: number, owner: number, kinds: KindFilter): number {
  const start = table.low[id]!
  let alias = firstAt(table.low, group.first, id)
  for (; alias < group.end && table.low[alias] === start; alias++) {
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
  for (let next = behindAt(table.low, end, id); next < end; next++) {
    if (table.low[next] === start || neverAnswers(table, next)) continue
    if (table.low[next]! >= region.endLow)
      return owner === CORE && ownerOf(table, next) === CORE ? table.low[next]! : region.endLow
    if (owner === ANY || ownerOf(table, next) === owner) return table.low[next]!
  }
  return region.endLow
}
