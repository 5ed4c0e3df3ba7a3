// Parsed symbols into the columns of a table: see ../gather.ts.

import { addRoot, ROOT_BITS, rootBytes, rootLength } from './roots'

/** Symbols whose slots are fetched together, before any of them is looked at: the waits for memory overlap. */
const FETCHED: u32 = 32

/**
 * Takes parsed symbols [from, to) over as symbols [count, …) of the table's columns, whose addresses are in `table`: high, low,
 * name, rootHash, owner, kind. Core symbols whose root hashes like a section marker's are listed in `found`; returns how
 * many those are. `seen` gets the OR of all addresses.
 */
export function gather(
  columns: usize,
  capacity: u32,
  from: u32,
  to: u32,
  text: usize,
  numbers: usize,
  table: usize,
  count: u32,
  roots: usize,
  markers: usize,
  found: usize,
  seen: usize,
): u32 {
  const highs = <usize>load<u32>(table, 0)
  const lows = <usize>load<u32>(table, 4)
  const names = <usize>load<u32>(table, 8)
  const hashes = <usize>load<u32>(table, 12)
  const owners = <usize>load<u32>(table, 16)
  const kinds = <usize>load<u32>(table, 20)
  const slots = <usize>load<u32>(roots, 4)
  const mask = load<u32>(roots, 8)
  let all: u32 = 0
  let marked: u32 = 0
  let fetched = from
  let touched: u32 = 0
  for (let i = from; i < to; i++, count++) {
    if (i === fetched) {
      fetched = min(to, fetched + FETCHED)
      for (let k = i; k < fetched; k++) {
        touched |= load<u32>(slots + ((load<u32>(columns + ((3 * capacity + k) << 2)) & mask) << 3))
      }
    }
    const high = load<u32>(columns + (i << 2))
    const low = load<u32>(columns + ((capacity + i) << 2))
    const start = load<u32>(columns + ((2 * capacity + i) << 2))
    const hash = load<u32>(columns + ((3 * capacity + i) << 2))
    const length = <u32>load<u16>(columns + capacity * 16 + (i << 1))
    const owner = <u32>load<u16>(numbers + ((<u32>load<u16>(columns + capacity * 18 + (i << 1))) << 1))
    const prefix = <u32>load<u8>(columns + capacity * 20 + i)
    all |= high | low
    if (owner === 0 && prefix === 0 && load<u32>(markers + ((hash & 0xff) << 2)) === hash) {
      store<u32>(found + (marked++ << 2), i)
    }
    store<u32>(highs + (count << 2), high)
    store<u32>(lows + (count << 2), low)
    store<u8>(kinds + count, load<u8>(columns + capacity * 21 + i))
    store<u32>(names + (count << 2), (prefix << ROOT_BITS) | addRoot(roots, text + start, length, hash))
    store<u32>(hashes + (count << 2), hash)
    store<u16>(owners + (count << 1), owner)
  }
  // The condition never holds; without it the fetches would be optimised away.
  store<u32>(seen, load<u32>(seen) | (touched === 0xffffffff ? 1 : all))
  return marked
}

/** Takes names [from, to), whose roots are in another heap, over as those from `target` on. */
export function adopt(
  heap: usize,
  names: usize,
  from: u32,
  to: u32,
  target: u32,
  toNames: usize,
  toHashes: usize,
  roots: usize,
): void {
  for (let i = from; i < to; i++, target++) {
    const reference = load<u32>(names + (i << 2))
    const place = reference & ((1 << ROOT_BITS) - 1)
    const root = addRoot(roots, rootBytes(heap, place), rootLength(heap, place), load<u32>(toHashes + (target << 2)))
    store<u32>(toNames + (target << 2), ((reference >> ROOT_BITS) << ROOT_BITS) | root)
  }
}
