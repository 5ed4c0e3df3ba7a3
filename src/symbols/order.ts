// The order of a table: file positions sorted by 64-bit address, stable, touching only what is not sorted already.

import { type Workspace, words } from './workspace.ts'

/** Symbols worked on between two yields. */
const SLICE = 16_384

/**
 * Fills `order`, an entry a symbol, with the file positions in table order: by address, and at equal addresses as in the file.
 * vmlinux arrives sorted, so a sorted beginning is recognised and only the rest is sorted and merged in. A generator: it
 * yields between bounded pieces of work, and returns the order.
 */
export function* orderByAddress(
  workspace: Workspace,
  high: Uint32Array,
  low: Uint32Array,
  order: Uint32Array,
): Generator<void, Uint32Array, void> {
  const { loops } = workspace
  const count = order.length
  let sorted = 0
  while (sorted < count) {
    const end = Math.min(count, sorted + SLICE)
    sorted = loops.ascendingUntil(high, low, sorted, end)
    yield
    if (sorted < end) break
  }
  const rest = yield* radixSort(workspace, high, low, sorted, count)
  const places = words(workspace, 2)
  for (let from = 0; from < count; from += SLICE) {
    loops.mergeInto(order, from, Math.min(count, from + SLICE), high, low, sorted, rest, places)
    yield
  }
  return order
}

/** The first position in [from, to) whose address is below that of the position before it; `to` if there is none. */
export function ascendingUntil(high: Uint32Array, low: Uint32Array, from: number, to: number): number {
  let lastHigh = from === 0 ? 0 : high[from - 1]!
  let lastLow = from === 0 ? 0 : low[from - 1]!
  for (let i = from; i < to; i++) {
    const h = high[i]!
    const l = low[i]!
    if (h < lastHigh || (h === lastHigh && l < lastLow)) return i
    lastHigh = h
    lastLow = l
  }
  return to
}

const DIGIT_BITS = 11
const DIGIT_MASK = 2 ** DIGIT_BITS - 1

/** File positions [from, to) sorted by address: least significant digit first, passes over constant digits left out. */
function* radixSort(
  workspace: Workspace,
  high: Uint32Array,
  low: Uint32Array,
  from: number,
  to: number,
): Generator<void, Uint32Array, void> {
  let source = words(workspace, to - from)
  if (from === to) return source
  let target = words(workspace, to - from)
  const varying = words(workspace, 2)
  workspace.loops.listPositions(high, low, from, to, source, varying)
  yield
  for (const [column, bits] of [
    [low, varying[0]!],
    [high, varying[1]!],
  ] as const) {
    for (let shift = 0; shift < 32; shift += DIGIT_BITS) {
      if (((bits >>> shift) & DIGIT_MASK) === 0) continue
      yield* radixPass(workspace, column, shift, source, target)
      ;[source, target] = [target, source]
    }
  }
  return source
}

/** Fills `source` with the positions [from, to); `varying` gets the bits in which their halves differ: low, high. */
export function listPositions(
  high: Uint32Array,
  low: Uint32Array,
  from: number,
  to: number,
  source: Uint32Array,
  varying: Uint32Array,
): void {
  let varyingHigh = 0
  let varyingLow = 0
  for (let i = from; i < to; i++) {
    varyingHigh |= high[i]! ^ high[from]!
    varyingLow |= low[i]! ^ low[from]!
    source[i - from] = i
  }
  varying[0] = varyingLow
  varying[1] = varyingHigh
}

function* radixPass(
  workspace: Workspace,
  column: Uint32Array,
  shift: number,
  source: Uint32Array,
  target: Uint32Array,
): Generator<void, void, void> {
  const starts = words(workspace, DIGIT_MASK + 2)
  for (let from = 0; from < source.length; from += SLICE) {
    workspace.loops.countDigits(column, shift, source, starts, from, Math.min(source.length, from + SLICE))
    yield
  }
  for (let d = 0; d <= DIGIT_MASK; d++) starts[d + 1]! += starts[d]!
  for (let from = 0; from < source.length; from += SLICE) {
    workspace.loops.scatter(column, shift, source, target, starts, from, Math.min(source.length, from + SLICE))
    yield
  }
}

export function countDigits(
  column: Uint32Array,
  shift: number,
  source: Uint32Array,
  starts: Uint32Array,
  from: number,
  to: number,
): void {
  for (let i = from; i < to; i++) starts[((column[source[i]!]! >>> shift) & DIGIT_MASK) + 1]!++
}

export function scatter(
  column: Uint32Array,
  shift: number,
  source: Uint32Array,
  target: Uint32Array,
  starts: Uint32Array,
  from: number,
  to: number,
): void {
  for (let i = from; i < to; i++) {
    const position = source[i]!
    target[starts[(column[position]! >>> shift) & DIGIT_MASK]!++] = position
  }
}

/**
 * Writes places [from, to) of the merge of file positions [0, sorted), ascending as they stand, with the sorted rest; the
 * former win ties. `places` says how far both have been used, and is moved on.
 */
export function mergeInto(
  order: Uint32Array,
  from: number,
  to: number,
  high: Uint32Array,
  low: Uint32Array,
  sorted: number,
  rest: Uint32Array,
  places: Uint32Array,
): void {
  let a = places[0]!
  let b = places[1]!
  for (let out = from; out < to; out++) {
    const position = b < rest.length ? rest[b]! : -1
    const restFirst =
      position >= 0 &&
      (a >= sorted || high[position]! < high[a]! || (high[position] === high[a] && low[position]! < low[a]!))
    order[out] = restFirst ? position : a
    if (restFirst) b++
    else a++
  }
  places[0] = a
  places[1] = b
}
