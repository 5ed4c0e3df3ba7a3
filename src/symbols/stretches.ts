// Stretches of memory, each an owner's, as columns: there are tens of thousands, and an object for each makes V8's heap grow by as much
// as a whole table has.

import { LOWER, UPPER } from './search.ts'

/** Memory of one owner; lower halves, `end` exclusive. */
export interface OwnedRange {
  readonly start: number
  readonly end: number
  readonly owner: number
}

/** Memory of many owners at addresses of one upper half; lower halves, `end` exclusive, 2^32 at the most. */
export class Stretches {
  count = 0
  start: Uint32Array
  end: Float64Array
  owner: Uint16Array

  constructor(room: number) {
    this.start = new Uint32Array(room)
    this.end = new Float64Array(room)
    this.owner = new Uint16Array(room)
  }

  /** Those of columns that there are. */
  static over(start: Uint32Array, end: Float64Array, owner: Uint16Array): Stretches {
    const stretches = new Stretches(0)
    stretches.count = start.length
    stretches.start = start
    stretches.end = end
    stretches.owner = owner
    return stretches
  }

  static of(ranges: readonly OwnedRange[]): Stretches {
    const stretches = new Stretches(ranges.length)
    for (const { start, end, owner } of ranges) stretches.add(start, end, owner)
    return stretches
  }

  add(start: number, end: number, owner: number): void {
    if (this.count === this.start.length) this.#grow()
    const i = this.count++
    this.start[i] = start
    this.end[i] = end
    this.owner[i] = owner
  }

  /** Adds others, [from, to), for which there is room. */
  take({ start, end, owner }: Stretches, from: number, to: number): void {
    if (from >= to) return
    this.start.set(start.subarray(from, to), this.count)
    this.end.set(end.subarray(from, to), this.count)
    this.owner.set(owner.subarray(from, to), this.count)
    this.count += to - from
  }

  /** The same, ascending. */
  sorted(): Stretches {
    let isSorted = true
    for (let i = 1; isSorted && i < this.count; i++) isSorted = this.start[i - 1]! <= this.start[i]!
    if (isSorted) return this
    const order = orderOf(this.start.subarray(0, this.count))
    const sorted = new Stretches(this.count)
    for (let k = 0; k < order.length; k++) {
      const i = order[k]!
      sorted.add(this.start[i]!, this.end[i]!, this.owner[i]!)
    }
    return sorted
  }

  #grow(): void {
    const { start, end, owner } = this
    const room = 2 * this.count + 16
    this.start = new Uint32Array(room)
    this.end = new Float64Array(room)
    this.owner = new Uint16Array(room)
    this.start.set(start)
    this.end.set(end)
    this.owner.set(owner)
  }
}

/** `above` laid over `below`; both are ascending, and so is the result. */
export function overlay(below: Stretches, above: Stretches): Stretches {
  if (below.count === 0) return above
  if (above.count === 0) return below
  // Each of `above` may cut one of `below` in two.
  const result = new Stretches(below.count + 2 * above.count)
  let a = 0
  let start = 0
  for (let b = 0; b < below.count; b++) {
    const from = below.start[b]!
    const to = below.end[b]!
    const owner = below.owner[b]!
    let first = a
    while (first < above.count && above.end[first]! <= from) first++
    result.take(above, a, first)
    a = first
    if (from > start) start = from
    for (; a < above.count; a++) {
      const cut = above.start[a]!
      if (cut >= to) break
      if (cut > start) result.add(start, cut, owner)
      start = above.end[a]!
      result.add(cut, start, above.owner[a]!)
    }
    if (start < to) result.add(start, to, owner)
  }
  result.take(above, a, above.count)
  return result
}

/** The places of values from the least to the greatest; equal ones stay in their order. */
export function orderOf(values: Uint32Array): Uint32Array {
  const keys = new BigUint64Array(values.length)
  // By way of memory: numbers of 64 bits that go through JavaScript are objects.
  const halves = new Uint32Array(keys.buffer)
  const [upper, lower] = [UPPER, LOWER]
  for (let i = 0; i < values.length; i++) {
    halves[2 * i + upper] = values[i]!
    halves[2 * i + lower] = i
  }
  keys.sort()
  const order = new Uint32Array(values.length)
  for (let k = 0; k < order.length; k++) order[k] = halves[2 * k + lower]!
  return order
}
