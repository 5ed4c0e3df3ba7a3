// Whose memory is where: the regions that bound every answer, found from the symbols themselves and, where it helps, from
// the ranges that /proc/modules gives. No answer ever crosses the end of a region.
//
// Rules, from the kernel's own lookup (kernel/kallsyms.c, kernel/module/kallsyms.c) and the answers it gives:
// - the core answers in [_stext, _end); behind a section's end marker (_etext, …) nothing lives beyond that page;
// - a module answers in its own memory; the last text symbol before its data ends with its page, and its data begins with
//   its first symbol;
// - per-cpu symbols are offsets and answer no address; mapping symbols and local labels answer nowhere;
// - where symbols of several owners lie in one page, as freed __init symbols do, the page is that of the owner with the most.

import { isTextType, LABEL } from './kinds.ts'

/** A stretch of memory that is known to be an owner's: [start, end). */
export interface MemoryRange {
  readonly owner: string
  readonly start: bigint
  readonly end: bigint
}

/** Words of a region as stored: start (high, low), end (high, low; exclusive), owner number. */
export const REGION_WORDS = 5

/** The distance beyond which a symbol is no answer unless the caller asks: nothing in a kernel is that large. */
export const MOST_OFFSET = 0x10_0000

/** Core symbols with which the kernel's image, and each of its sections, begins or ends. */
export const MARKERS = {
  begin: ['_stext', '_text'],
  sectionEnd: ['_etext', '__end_rodata', '_edata', '_einittext', '__init_end', '__bss_stop', '__brk_limit'],
  initText: '_sinittext',
  end: '_end',
} as const

/** Where a marker stands, as halves. */
export interface MarkerAddress {
  readonly high: number
  readonly low: number
}

/** What the search for regions reads: columns by file position, their order as a table, and where the markers are. */
export interface RegionInput {
  readonly high: Uint32Array
  readonly low: Uint32Array
  readonly kind: Uint8Array
  readonly owner: Uint16Array
  readonly order: Uint32Array
  /** Runs of ids with one owner: the first id of each, and the owner. */
  readonly runs: { readonly start: Uint32Array; readonly owner: Uint16Array }
  readonly owners: readonly string[]
  /** The core symbols named in MARKERS that exist. */
  readonly markers: ReadonlyMap<string, MarkerAddress>
}

/** A region within one group: lower halves, `end` exclusive and at most 2^32. */
interface Region {
  start: number
  end: number
  owner: number
}

const CORE = 0
/** Symbols worked on between two yields. */
const SLICE = 16_384
const PAGE = 4096
const GROUP_END = 2 ** 32
/** Owners of pages that the kernel makes for itself inside anybody's memory (kprobe slots, ftrace trampolines). */
const BUILTIN = '__builtin__'

const pageStart = (low: number): number => low - (low % PAGE)
const pageEnd = (low: number): number => pageStart(low) + PAGE

/**
 * The regions of a table as the words of its `regions` section, ascending and without overlap. `groups` are the pairs of
 * the table's `groups` section. Yields between groups of addresses.
 */
export function* regionsOf(
  input: RegionInput,
  groups: Uint32Array,
  known: readonly MemoryRange[],
): Generator<void, Uint32Array, void> {
  const { order } = input
  const trusted = yield* trustedRanges(input, known)
  let upperHalf = false
  for (let g = 0; g < groups.length; g += 2) {
    const last = g + 3 < groups.length ? groups[g + 3]! : order.length
    if (groups[g]! >= 0x8000_0000 && runsOf(input, groups[g + 1]!, last, CORE).length > 0) upperHalf = true
  }
  const words: number[] = []
  for (let g = 0; g < groups.length; g += 2) {
    const half = groups[g]!
    const first = groups[g + 1]!
    const last = g + 3 < groups.length ? groups[g + 3]! : order.length
    // While the kernel lives in the upper half, what stands in the lowest 4 GiB are per-cpu offsets.
    if (half === 0 && upperHalf) continue
    for (const { start, end, owner: number } of yield* regionsOfGroup(input, half, first, last, trusted)) {
      words.push(half, start, end === GROUP_END ? half + 1 : half, end === GROUP_END ? 0 : end, number)
    }
    yield
  }
  return Uint32Array.from(words)
}

/**
 * The known ranges that can be believed. Since 6.4 a module's memory is several pieces and /proc/modules gives the first
 * address with the total size: such a range misses most of the module's symbols, or overlaps another's, and is dropped.
 */
function* trustedRanges(
  input: RegionInput,
  known: readonly MemoryRange[],
): Generator<void, Map<number, Region & { high: number }>, void> {
  const numbers = new Map(input.owners.map((name, number) => [name, number]))
  const ranges = new Map<number, Region & { high: number }>()
  for (const { owner, start, end } of known) {
    const number = numbers.get(owner)
    const half = Number(start >> 32n)
    if (number === undefined || number === CORE || end <= start || Number((end - 1n) >> 32n) !== half) continue
    const low = Number(start & 0xffff_ffffn)
    ranges.set(number, { high: half, start: low, end: low + Number(end - start), owner: number })
  }
  if (ranges.size === 0) return ranges
  const inside = new Uint32Array(input.owners.length)
  const outside = new Uint32Array(input.owners.length)
  const byOwner = input.owners.map((_, number) => ranges.get(number))
  for (let from = 0; from < input.order.length; from += SLICE) {
    countInside(input, byOwner, from, Math.min(input.order.length, from + SLICE), inside, outside)
    yield
  }
  for (const number of [...ranges.keys()]) if (outside[number]! * 4 > inside[number]!) ranges.delete(number)
  const ascending = [...ranges.values()].sort((a, b) => a.high - b.high || a.start - b.start)
  ascending.forEach((range, i) => {
    const next = ascending[i + 1]
    if (next === undefined || next.high !== range.high || next.start >= range.end) return
    ranges.delete(range.owner)
    ranges.delete(next.owner)
  })
  return ranges
}

/** Counts, by owner, the symbols at file positions [from, to) that lie in their owner's known range, and those that do not. */
function countInside(
  { high, low, owner }: RegionInput,
  ranges: readonly ((Region & { readonly high: number }) | undefined)[],
  from: number,
  to: number,
  inside: Uint32Array,
  outside: Uint32Array,
): void {
  for (let i = from; i < to; i++) {
    const number = owner[i]!
    // Per-cpu offsets and freed __init symbols lie outside of any module's range.
    if (number === CORE || high[i] === 0) continue
    const range = ranges[number]
    if (range === undefined) continue
    if (high[i] === range.high && low[i]! >= range.start && low[i]! < range.end) inside[number]!++
    else outside[number]!++
  }
}

/** The regions among the ids [first, last), whose addresses share their upper half. */
function* regionsOfGroup(
  input: RegionInput,
  half: number,
  first: number,
  last: number,
  trusted: ReadonlyMap<number, Region & { high: number }>,
): Generator<void, Region[], void> {
  const ranges = [...trusted.values()].filter((range) => range.high === half).sort((a, b) => a.start - b.start)
  const core = coreRegion(input, half, first, last)
  const fixed = core === undefined ? ranges : overlay([core], ranges)
  const claimed = yield* claimPages(input, first, last, fixed)
  return yield* splitAtHoles(input, first, last, overlay(fixed, claimed))
}

/** The runs of one owner's ids, cut to [first, last). */
function runsOf({ runs }: RegionInput, first: number, last: number, owner: number): { first: number; end: number }[] {
  const found: { first: number; end: number }[] = []
  for (let run = 0; run < runs.start.length; run++) {
    if (runs.owner[run] !== owner) continue
    const from = Math.max(first, runs.start[run]!)
    const end = Math.min(last, run + 1 < runs.start.length ? runs.start[run + 1]! : last)
    if (from < end) found.push({ first: from, end })
  }
  return found
}

/** The core kernel's image within one group, or undefined where it has no symbol. */
function coreRegion(input: RegionInput, half: number, first: number, last: number): Region | undefined {
  const { low, order, markers } = input
  const runs = runsOf(input, first, last, CORE)
  const firstCore = runs[0]?.first
  const lastCore = (runs[runs.length - 1]?.end ?? 0) - 1
  if (firstCore === undefined) return undefined
  const begins = MARKERS.begin.map((name) => markers.get(name)).filter((marker) => marker !== undefined)
  const here = begins.filter(({ high }) => high === half)
  if (begins.length > 0 && here.length === 0) return undefined
  const start = here.length > 0 ? Math.min(...here.map((marker) => marker.low)) : low[order[firstCore]!]!
  const end = markers.get(MARKERS.end)
  if (end !== undefined && end.high === half && end.low > start) return { start, end: end.low, owner: CORE }
  // Without _end nothing says where the image ends: it reaches as far as an offset may, or to the next owner's page.
  const next = lastCore + 1 < last ? pageStart(low[order[lastCore + 1]!]!) : GROUP_END
  const lastLow = low[order[lastCore]!]!
  return { start, end: Math.max(lastLow + 1, Math.min(lastLow + MOST_OFFSET, next)), owner: CORE }
}

/** Regions of the owners whose memory is not known: page by page, to the owner with the most symbols there. */
function* claimPages(
  input: RegionInput,
  first: number,
  last: number,
  fixed: readonly Region[],
): Generator<void, Region[], void> {
  const { low, kind, owner, order, owners, runs } = input
  const regions: Region[] = []
  const builtin = owners.map((name) => name.startsWith(BUILTIN))
  const tally = new Float64Array(owners.length)
  const voters: number[] = []
  let f = 0
  let id = first
  let run = 0
  let pause = first + SLICE
  while (id < last) {
    while (run + 1 < runs.start.length && runs.start[run + 1]! <= id) run++
    if (runs.owner[run] === CORE) {
      // The core's memory is known, so its symbols need no counting.
      id = run + 1 < runs.start.length ? runs.start[run + 1]! : last
      continue
    }
    if (id >= pause) {
      yield
      pause = id + SLICE
    }
    const start = pageStart(low[order[id]!]!)
    for (const voter of voters) tally[voter] = 0
    voters.length = 0
    let winner = -1
    let ownedByKernel = false
    for (; id < last; id++) {
      const position = order[id]!
      if (low[position]! >= start + PAGE) break
      if ((kind[position]! & LABEL) !== 0) continue
      const number = owner[position]!
      if (tally[number] === 0) voters.push(number)
      const votes = tally[number]! + 1
      tally[number] = votes
      if (winner < 0 || votes > tally[winner]!) winner = number
      if (builtin[number] === true) {
        winner = number
        ownedByKernel = true
        tally[number] = Number.POSITIVE_INFINITY
      }
    }
    if (winner < 0) continue
    while (f < fixed.length && fixed[f]!.end <= start) f++
    const taken = f < fixed.length && fixed[f]!.start < start + PAGE
    if (winner === CORE || (taken && !ownedByKernel)) continue
    const before = regions[regions.length - 1]
    // Pages that the kernel made for itself are allocations of their own, with unmapped pages between them.
    const joins = before !== undefined && before.owner === winner && builtin[winner] !== true
    const contiguous = joins && start - before.end < MOST_OFFSET
    // Between two stretches of one owner nobody else has a symbol, unless known memory lies there.
    const free = before === undefined || !fixed.some((region) => region.start < start && region.end > before.end)
    if (contiguous && free) before.end = start + PAGE
    else regions.push({ start, end: start + PAGE, owner: winner })
  }
  return regions
}

/** The fixed regions with the claimed ones laid over them, ascending. */
function overlay(fixed: readonly Region[], claimed: readonly Region[]): Region[] {
  const result: Region[] = []
  let c = 0
  let start = 0
  for (const region of fixed) {
    while (c < claimed.length && claimed[c]!.end <= region.start) result.push(claimed[c++]!)
    start = Math.max(start, region.start)
    while (c < claimed.length && claimed[c]!.start < region.end) {
      const claim = claimed[c++]!
      if (claim.start > start) result.push({ start, end: claim.start, owner: region.owner })
      result.push(claim)
      start = claim.end
    }
    if (start < region.end) result.push({ start, end: region.end, owner: region.owner })
  }
  while (c < claimed.length) result.push(claimed[c++]!)
  return result
}

/** Cuts the known holes out of regions: behind the core's section ends, and between a module's text and its data. */
function* splitAtHoles(
  input: RegionInput,
  first: number,
  last: number,
  regions: readonly Region[],
): Generator<void, Region[], void> {
  const { low, kind, owner, order } = input
  const result: Region[] = []
  let id = first
  let pause = first + SLICE
  for (const region of regions) {
    if (region.owner === CORE) {
      result.push(...splitCore(input, first, last, region))
      continue
    }
    let start = region.start
    let previous = -1
    id = firstAtOrAbove(input, id, last, region.start)
    for (; id < last && low[order[id]!]! < region.end; id++) {
      const position = order[id]!
      if (owner[position] !== region.owner || (kind[position]! & LABEL) !== 0) continue
      const at = low[position]!
      if (previous >= 0 && isTextType(kind[previous]!) && !isTextType(kind[position]!)) {
        // Text and data that share a page have no hole between them.
        const hole = pageStart(at)
        if (hole > low[previous]! && hole < at) {
          result.push({ start, end: hole, owner: region.owner })
          start = at
        }
      }
      previous = position
    }
    result.push({ start, end: region.end, owner: region.owner })
    if (id >= pause) {
      yield
      pause = id + SLICE
    }
  }
  return result
}

/** A core region without the holes behind the section ends in it: nothing lives there beyond the end marker's page. */
function splitCore(input: RegionInput, first: number, last: number, region: Region): Region[] {
  const { low, high, order, owner, markers } = input
  const ends: number[] = []
  for (const name of MARKERS.sectionEnd) {
    const marker = markers.get(name)
    if (marker !== undefined && marker.high === high[order[first]!]) ends.push(marker.low)
  }
  const result: Region[] = []
  let start = region.start
  for (const end of ends.sort((a, b) => a - b)) {
    if (end < start || end >= region.end) continue
    let next = firstAtOrAbove(input, first, last, end + 1)
    while (next < last && owner[order[next]!] !== CORE) next++
    const hole = pageEnd(end)
    const after = next < last ? low[order[next]!]! : region.end
    if (hole >= after || hole >= region.end) continue
    result.push({ start, end: hole, owner: CORE })
    start = Math.min(after, region.end)
  }
  if (start < region.end) result.push({ start, end: region.end, owner: CORE })
  return result
}

/** The first id in [from, to) whose address is at or above `value`. */
function firstAtOrAbove({ low, order }: RegionInput, from: number, to: number, value: number): number {
  let at = from
  let count = to - from
  while (count > 0) {
    const half = count >>> 1
    if (low[order[at + half]!]! < value) {
      at += half + 1
      count -= half + 1
    } else count = half
  }
  return at
}
