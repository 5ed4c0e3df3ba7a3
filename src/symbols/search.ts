// The searches over the sorted columns: where a 64-bit address stands among the symbols, one at a time and in bulk.

import { UNSURE } from './kinds.ts'
import type { SymbolColumns } from './layout.ts'
import { CELL_BITS, CELL_COUNT, CELL_STRIDE, CELL_UNSURE, CHUNK_BITS, GROUP, GROUP_WORDS } from './pages.ts'

/** The id that stands for "no symbol" in bulk answers. */
export const NO_SYMBOL = 0xffff_ffff

/** The first index in [from, to) whose value is above `value`; `to` if there is none. */
export function upperBound(column: Readonly<Uint32Array>, from: number, to: number, value: number): number {
  let low = from
  let length = to - from
  while (length > 0) {
    const half = length >>> 1
    if (column[low + half]! <= value) {
      low += half + 1
      length -= half + 1
    } else length = half
  }
  return low
}

/** The symbols whose addresses share an upper half, and where their page index is. */
export interface GroupView {
  readonly half: number
  /** Ids [first, end). */
  readonly first: number
  readonly end: number
  readonly firstChunk: number
  /** Chunks from the first to the last address; 0 if the group has no page index. */
  readonly span: number
  readonly directory: number
  readonly chunks: number
}

/** The groups of a table, ascending by upper half. */
export function groupViews({ groups, low }: SymbolColumns): GroupView[] {
  const views: GroupView[] = []
  for (let row = 0; row < groups.length; row += GROUP_WORDS) {
    const next = row + GROUP_WORDS + GROUP.firstId
    views.push({
      half: groups[row + GROUP.high]!,
      first: groups[row + GROUP.firstId]!,
      end: next < groups.length ? groups[next]! : low.length,
      firstChunk: groups[row + GROUP.firstChunk]!,
      span: groups[row + GROUP.span]!,
      directory: groups[row + GROUP.directory]!,
      chunks: groups[row + GROUP.chunks]!,
    })
  }
  return views
}

/** The group of an upper half, or the empty place where it would stand. */
export function groupOf(views: readonly GroupView[], half: number): GroupView {
  let at = 0
  let count = views.length
  while (count > 0) {
    const middle = count >>> 1
    if (views[at + middle]!.half < half) {
      at += middle + 1
      count -= middle + 1
    } else count = middle
  }
  const view = views[at]
  if (view !== undefined && view.half === half) return view
  const place = view?.first ?? views[views.length - 1]?.end ?? 0
  return { half, first: place, end: place, firstChunk: 0, span: 0, directory: 0, chunks: 0 }
}

/** The group that an id is in. */
export function groupOfId(views: readonly GroupView[], id: number): GroupView {
  let from = 0
  let to = views.length - 1
  while (from < to) {
    const middle = (from + to + 1) >>> 1
    if (views[middle]!.first <= id) from = middle
    else to = middle - 1
  }
  return views[from]!
}

/** The last id of a group whose address is at or below `value`; one less than the group's first id if there is none. */
export function predecessor(table: SymbolColumns, group: GroupView, value: number): number {
  const { low, directory, chunks, cells } = table
  const chunk = value >>> CHUNK_BITS
  const place = chunk - group.firstChunk
  if (place < 0 || place >= group.span) {
    if (group.span === 0) return upperBound(low, group.first, group.end, value) - 1
    return place < 0 ? group.first - 1 : group.end - 1
  }
  const populated = group.chunks + directory[group.directory + place]!
  const first = chunks[2 * populated + 1]!
  if (chunks[2 * populated] !== chunk) return first - 1
  const at = populated * CELL_STRIDE + ((value & 0xffff) >>> CELL_BITS)
  return upperBound(low, first + (cells[at]! & CELL_COUNT), first + (cells[at + 1]! & CELL_COUNT), value) - 1
}

/** Which u32 of a u64 in memory is the upper half: depends on the machine's byte order. */
export const UPPER = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1 ? 1 : 0
export const LOWER = 1 - UPPER

/** Looks at an address for good where the plain search's symbol is marked UNSURE: gives the id, or NO_SYMBOL. */
export type SecondLook = (group: GroupView, value: number, id: number) => number

/** Addresses answered in any order before ascending ones are looked for again. */
const STRETCH = 1_024
/** Ascending addresses in a row that show that looking for them pays. */
const ENOUGH = 16

/**
 * Answers the first `count` addresses of the u32 pairs of a BigUint64Array: for each the id of the symbol that contains it,
 * or NO_SYMBOL, and the offset. Ascending input is noticed as it comes and answered by walking along.
 */
export function findAddresses(
  table: SymbolColumns,
  views: readonly GroupView[],
  pairs: Readonly<Uint32Array>,
  count: number,
  ids: Uint32Array,
  offsets: Uint32Array,
  second: SecondLook,
): void {
  let group = groupOf(views, -1)
  let ascending = true
  let q = 0
  while (q < count) {
    const half = pairs[2 * q + UPPER]!
    if (half !== group.half) group = groupOf(views, half)
    if (group.span === 0) {
      findOne(table, group, pairs, q++, ids, offsets, second)
      continue
    }
    if (ascending) {
      const stop = findAscending(table, group, pairs, q, count, ids, offsets, second)
      ascending = stop - q >= ENOUGH
      q = stop
      continue
    }
    let stop = Math.min(count, q + STRETCH)
    stop = endOfGroup(pairs, q, stop, half)
    const fours = (stop - q) & ~3
    findFours(table, group, pairs, q, q + fours, ids, offsets, second)
    q += fours
    while (q < stop) findOne(table, group, pairs, q++, ids, offsets, second)
    ascending = true
  }
}

/** The first of the addresses [from, to) that has another upper half; `to` if none has. */
function endOfGroup(pairs: Readonly<Uint32Array>, from: number, to: number, half: number): number {
  let q = from
  while (q < to && pairs[2 * q + UPPER] === half) q++
  return q
}

function findOne(
  table: SymbolColumns,
  group: GroupView,
  pairs: Readonly<Uint32Array>,
  q: number,
  ids: Uint32Array,
  offsets: Uint32Array,
  second: SecondLook,
): void {
  const value = pairs[2 * q + LOWER]!
  settle(table, group, q, value, predecessor(table, group, value), ids, offsets, second)
}

/** Steps from one symbol to the next before the index is asked again. */
const MOST_STEPS = 8

/**
 * Walks along the symbols beside ascending addresses, from address `from` on; stops at the first that goes back behind the
 * symbol before it, or into another group, and returns its place.
 */
function findAscending(
  table: SymbolColumns,
  group: GroupView,
  pairs: Readonly<Uint32Array>,
  from: number,
  to: number,
  ids: Uint32Array,
  offsets: Uint32Array,
  second: SecondLook,
): number {
  const { low, kind } = table
  const { half, first, end } = group
  let id = predecessor(table, group, pairs[2 * from + LOWER]!)
  let start = id < first ? 0 : low[id]!
  // The last address for which `id` is the plain answer.
  let last = id + 1 < end ? low[id + 1]! - 1 : 0xffff_ffff
  let unsure = id < first || (kind[id]! & UNSURE) !== 0
  for (let q = from; q < to; q++) {
    const value = pairs[2 * q + LOWER]!
    if (value < start || pairs[2 * q + UPPER] !== half) return q
    if (value > last) {
      id++
      let steps = 1
      while (id + 1 < end && low[id + 1]! <= value) {
        id++
        if (++steps > MOST_STEPS) {
          id = predecessor(table, group, value)
          break
        }
      }
      start = low[id]!
      last = id + 1 < end ? low[id + 1]! - 1 : 0xffff_ffff
      unsure = (kind[id]! & UNSURE) !== 0
    }
    if (unsure) {
      settle(table, group, q, value, id, ids, offsets, second)
    } else {
      ids[q] = id
      offsets[q] = value - start
    }
  }
  return to
}

/**
 * Addresses in any order, four at a time: each search is a chain of loads that depend on each other, and four chains side
 * by side keep the processor busy while it waits for memory. All is arithmetic: a branch on random data would be
 * mispredicted every second time. `run` is a multiple of four.
 */
function findFours(
  table: SymbolColumns,
  group: GroupView,
  pairs: Readonly<Uint32Array>,
  from: number,
  to: number,
  ids: Uint32Array,
  offsets: Uint32Array,
  second: SecondLook,
): void {
  const { low, directory, chunks, cells } = table
  const { firstChunk, span } = group
  const directoryAt = group.directory - firstChunk
  const chunksAt = group.chunks
  for (let q = from; q < to; q += 4) {
    const v0 = pairs[2 * q + LOWER]!
    const v1 = pairs[2 * q + 2 + LOWER]!
    const v2 = pairs[2 * q + 4 + LOWER]!
    const v3 = pairs[2 * q + 6 + LOWER]!
    const c0 = v0 >>> CHUNK_BITS
    const c1 = v1 >>> CHUNK_BITS
    const c2 = v2 >>> CHUNK_BITS
    const c3 = v3 >>> CHUNK_BITS
    const inside =
      (c0 - firstChunk) >>> 0 < span &&
      (c1 - firstChunk) >>> 0 < span &&
      (c2 - firstChunk) >>> 0 < span &&
      (c3 - firstChunk) >>> 0 < span
    if (!inside) {
      for (let k = q; k < q + 4; k++) findOne(table, group, pairs, k, ids, offsets, second)
      continue
    }
    const p0 = chunksAt + directory[directoryAt + c0]!
    const p1 = chunksAt + directory[directoryAt + c1]!
    const p2 = chunksAt + directory[directoryAt + c2]!
    const p3 = chunksAt + directory[directoryAt + c3]!
    // 1 where the address's own chunk has symbols, else 0 and the answer is the last symbol before the next that has.
    const h0 = chunks[2 * p0] === c0 ? 1 : 0
    const h1 = chunks[2 * p1] === c1 ? 1 : 0
    const h2 = chunks[2 * p2] === c2 ? 1 : 0
    const h3 = chunks[2 * p3] === c3 ? 1 : 0
    const a0 = p0 * CELL_STRIDE + ((v0 & 0xffff) >>> CELL_BITS)
    const a1 = p1 * CELL_STRIDE + ((v1 & 0xffff) >>> CELL_BITS)
    const a2 = p2 * CELL_STRIDE + ((v2 & 0xffff) >>> CELL_BITS)
    const a3 = p3 * CELL_STRIDE + ((v3 & 0xffff) >>> CELL_BITS)
    const b0 = cells[a0]!
    const b1 = cells[a1]!
    const b2 = cells[a2]!
    const b3 = cells[a3]!
    // i: the first symbol that may be above the address; n: how many from there on have to be looked at.
    let i0 = (chunks[2 * p0 + 1]! + Math.imul(h0, b0 & CELL_COUNT)) | 0
    let i1 = (chunks[2 * p1 + 1]! + Math.imul(h1, b1 & CELL_COUNT)) | 0
    let i2 = (chunks[2 * p2 + 1]! + Math.imul(h2, b2 & CELL_COUNT)) | 0
    let i3 = (chunks[2 * p3 + 1]! + Math.imul(h3, b3 & CELL_COUNT)) | 0
    let n0 = Math.imul(h0, (cells[a0 + 1]! & CELL_COUNT) - (b0 & CELL_COUNT))
    let n1 = Math.imul(h1, (cells[a1 + 1]! & CELL_COUNT) - (b1 & CELL_COUNT))
    let n2 = Math.imul(h2, (cells[a2 + 1]! & CELL_COUNT) - (b2 & CELL_COUNT))
    let n3 = Math.imul(h3, (cells[a3 + 1]! & CELL_COUNT) - (b3 & CELL_COUNT))
    // Halving without a branch: within a chunk addresses differ by less than 2^31, so the sign tells the order. A search
    // that is done (n = 0) goes on with a step of 0.
    while ((n0 | n1 | n2 | n3) > 0) {
      let step = (n0 + 1) >>> 1
      i0 += step & ~((v0 - low[i0 + step - 1]!) >> 31)
      n0 -= step
      step = (n1 + 1) >>> 1
      i1 += step & ~((v1 - low[i1 + step - 1]!) >> 31)
      n1 -= step
      step = (n2 + 1) >>> 1
      i2 += step & ~((v2 - low[i2 + step - 1]!) >> 31)
      n2 -= step
      step = (n3 + 1) >>> 1
      i3 += step & ~((v3 - low[i3 + step - 1]!) >> 31)
      n3 -= step
    }
    i0--
    i1--
    i2--
    i3--
    if (((b0 | b1 | b2 | b3) & CELL_UNSURE) !== 0 || (h0 & h1 & h2 & h3) === 0) {
      settle(table, group, q, v0, i0, ids, offsets, second)
      settle(table, group, q + 1, v1, i1, ids, offsets, second)
      settle(table, group, q + 2, v2, i2, ids, offsets, second)
      settle(table, group, q + 3, v3, i3, ids, offsets, second)
      continue
    }
    ids[q] = i0
    ids[q + 1] = i1
    ids[q + 2] = i2
    ids[q + 3] = i3
    offsets[q] = v0 - low[i0]!
    offsets[q + 1] = v1 - low[i1]!
    offsets[q + 2] = v2 - low[i2]!
    offsets[q + 3] = v3 - low[i3]!
  }
}

/** Writes the answer for one address whose plain answer is known. */
function settle(
  table: SymbolColumns,
  group: GroupView,
  q: number,
  value: number,
  plain: number,
  ids: Uint32Array,
  offsets: Uint32Array,
  second: SecondLook,
): void {
  let id = plain
  if (id < group.first) id = NO_SYMBOL
  else if ((table.kind[id]! & UNSURE) !== 0) id = second(group, value, id)
  ids[q] = id
  offsets[q] = id === NO_SYMBOL ? 0 : value - table.low[id]!
}

/** For each address the first id that starts exactly there, or NO_SYMBOL, and how many do. */
export function findStarts(
  table: SymbolColumns,
  views: readonly GroupView[],
  pairs: Readonly<Uint32Array>,
  count: number,
  ids: Uint32Array,
  counts: Uint32Array,
): void {
  const { low } = table
  let group = groupOf(views, -1)
  for (let q = 0; q < count; q++) {
    const half = pairs[2 * q + UPPER]!
    if (half !== group.half) group = groupOf(views, half)
    const value = pairs[2 * q + LOWER]!
    const last = predecessor(table, group, value)
    if (last < group.first || low[last] !== value) {
      ids[q] = NO_SYMBOL
      counts[q] = 0
      continue
    }
    let first = last
    while (first > group.first && low[first - 1] === value) first--
    ids[q] = first
    counts[q] = last - first + 1
  }
}
