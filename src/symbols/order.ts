// The order of a table: file positions sorted by 64-bit address, stable, touching only what is not sorted already.

/** Symbols worked on between two yields. */
const SLICE = 16_384

/**
 * The file positions of `count` symbols in table order: by address, and at equal addresses as in the file. vmlinux
 * arrives sorted, so a sorted beginning is recognised and only the rest is sorted and merged in. A generator: it
 * yields between bounded pieces of work, and returns the order.
 */
export function* orderByAddress(
  high: Uint32Array,
  low: Uint32Array,
  count: number,
): Generator<void, Uint32Array, void> {
  let sorted = 0
  while (sorted < count) {
    const end = Math.min(count, sorted + SLICE)
    sorted = ascendingUntil(high, low, sorted, end)
    yield
    if (sorted < end) break
  }
  const rest = yield* radixSort(high, low, sorted, count)
  const order = new Uint32Array(count)
  const places = { sorted: 0, rest: 0 }
  for (let from = 0; from < count; from += SLICE) {
    mergeInto(order, from, Math.min(count, from + SLICE), high, low, sorted, rest, places)
    yield
  }
  return order
}

/** The first position in [from, to) whose address is below that of the position before it; `to` if there is none. */
function ascendingUntil(high: Uint32Array, low: Uint32Array, from: number, to: number): number {
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
function* radixSort(high: Uint32Array, low: Uint32Array, from: number, to: number): Generator<void, Uint32Array, void> {
  let varyingHigh = 0
  let varyingLow = 0
  let source = new Uint32Array(to - from)
  let target = new Uint32Array(to - from)
  for (let i = from; i < to; i++) {
    varyingHigh |= high[i]! ^ high[from]!
    varyingLow |= low[i]! ^ low[from]!
    source[i - from] = i
  }
  for (const [column, varying] of [
    [low, varyingLow],
    [high, varyingHigh],
  ] as const) {
    for (let shift = 0; shift < 32; shift += DIGIT_BITS) {
      if (((varying >>> shift) & DIGIT_MASK) === 0) continue
      yield* radixPass(column, shift, source, target)
      ;[source, target] = [target, source]
    }
  }
  return source
}

function* radixPass(
  column: Uint32Array,
  shift: number,
  source: Uint32Array,
  target: Uint32Array,
): Generator<void, void, void> {
  const starts = new Uint32Array(DIGIT_MASK + 2)
  for (let from = 0; from < source.length; from += SLICE) {
    countDigits(column, shift, source, starts, from, Math.min(source.length, from + SLICE))
    yield
  }
  for (let d = 0; d <= DIGIT_MASK; d++) starts[d + 1]! += starts[d]!
  for (let from = 0; from < source.length; from += SLICE) {
    scatter(column, shift, source, target, starts, from, Math.min(source.length, from + SLICE))
    yield
  }
}

function countDigits(
  column: Uint32Array,
  shift: number,
  source: Uint32Array,
  starts: Uint32Array,
  from: number,
  to: number,
): void {
  for (let i = from; i < to; i++) starts[((column[source[i]!]! >>> shift) & DIGIT_MASK) + 1]!++
}

function scatter(
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
function mergeInto(
  order: Uint32Array,
  from: number,
  to: number,
  high: Uint32Array,
  low: Uint32Array,
  sorted: number,
  rest: Uint32Array,
  places: { sorted: number; rest: number },
): void {
  let a = places.sorted
  let b = places.rest
  for (let out = from; out < to; out++) {
    const position = b < rest.length ? rest[b]! : -1
    const restFirst =
      position >= 0 &&
      (a >= sorted || high[position]! < high[a]! || (high[position] === high[a] && low[position]! < low[a]!))
    order[out] = restFirst ? position : a
    if (restFirst) b++
    else a++
  }
  places.sorted = a
  places.rest = b
}
