// The order of a table: file positions sorted by 64-bit address, stable, touching only what is not sorted already.

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
  const sorted = sortedBeginning(high, low, count)
  yield
  if (sorted === count) {
    const order = new Uint32Array(count)
    for (let i = 0; i < count; i++) order[i] = i
    return order
  }
  const rest = yield* radixSort(high, low, sorted, count)
  return merge(high, low, sorted, rest)
}

/** How many symbols from the first on are in ascending order. */
function sortedBeginning(high: Uint32Array, low: Uint32Array, count: number): number {
  let lastHigh = 0
  let lastLow = 0
  for (let i = 0; i < count; i++) {
    const h = high[i]!
    const l = low[i]!
    if (h < lastHigh || (h === lastHigh && l < lastLow)) return i
    lastHigh = h
    lastLow = l
  }
  return count
}

const DIGIT_BITS = 11
const DIGIT_MASK = 2 ** DIGIT_BITS - 1

/** File positions [from, to) sorted by address: least significant digit first, passes over constant digits left out. */
function* radixSort(high: Uint32Array, low: Uint32Array, from: number, to: number): Generator<void, Uint32Array, void> {
  let varyingHigh = 0
  let varyingLow = 0
  for (let i = from + 1; i < to; i++) {
    varyingHigh |= high[i]! ^ high[from]!
    varyingLow |= low[i]! ^ low[from]!
  }
  let source = new Uint32Array(to - from)
  let target = new Uint32Array(to - from)
  for (let i = 0; i < source.length; i++) source[i] = from + i
  for (const [column, varying] of [
    [low, varyingLow],
    [high, varyingHigh],
  ] as const) {
    for (let shift = 0; shift < 32; shift += DIGIT_BITS) {
      if (((varying >>> shift) & DIGIT_MASK) === 0) continue
      yield
      radixPass(column, shift, source, target)
      ;[source, target] = [target, source]
    }
  }
  yield
  return source
}

function radixPass(column: Uint32Array, shift: number, source: Uint32Array, target: Uint32Array): void {
  const starts = new Uint32Array(DIGIT_MASK + 2)
  for (let i = 0; i < source.length; i++) starts[((column[source[i]!]! >>> shift) & DIGIT_MASK) + 1]!++
  for (let d = 0; d <= DIGIT_MASK; d++) starts[d + 1]! += starts[d]!
  for (let i = 0; i < source.length; i++) {
    const position = source[i]!
    target[starts[(column[position]! >>> shift) & DIGIT_MASK]!++] = position
  }
}

/** Merges file positions [0, sorted), ascending as they stand, with the sorted rest; the former win ties. */
function merge(high: Uint32Array, low: Uint32Array, sorted: number, rest: Uint32Array): Uint32Array {
  const order = new Uint32Array(sorted + rest.length)
  let a = 0
  let b = 0
  let out = 0
  while (a < sorted && b < rest.length) {
    const position = rest[b]!
    const restFirst = high[position]! < high[a]! || (high[position] === high[a] && low[position]! < low[a]!)
    order[out++] = restFirst ? rest[b++]! : a++
  }
  while (a < sorted) order[out++] = a++
  while (b < rest.length) order[out++] = rest[b++]!
  return order
}
