// Ids, and the name index: see ../assemble.ts.

import { GOLDEN, nameHash } from './names'
import { ROOT_BITS } from './roots'

/**
 * Looks at ids [from, to) in table order. `state` holds the high, low, owner and chunk of the id before (high and owner as
 * i64, -1 before the first), and how many distinct addresses, groups, chunks and runs there are; see Survey.
 */
export function placeIds(
  high: usize,
  low: usize,
  owner: usize,
  kind: usize,
  name: usize,
  order: usize,
  from: u32,
  to: u32,
  toLow: usize,
  toKind: usize,
  toName: usize,
  ids: usize,
  groups: usize,
  chunks: usize,
  runStart: usize,
  runOwner: usize,
  state: usize,
): void {
  let lastHigh = load<u32>(state, 0)
  let lastLow = load<u32>(state, 4)
  let lastOwner = load<u32>(state, 8)
  let chunk = load<u32>(state, 12)
  let distinct = load<u32>(state, 16)
  let groupCount = load<u32>(state, 20)
  let chunkCount = load<u32>(state, 24)
  let runCount = load<u32>(state, 28)
  for (let id = from; id < to; id++) {
    const position = load<u32>(order + (id << 2))
    const h = load<u32>(high + (position << 2))
    const l = load<u32>(low + (position << 2))
    const o = <u32>load<u16>(owner + (position << 1))
    store<u32>(toLow + (id << 2), l)
    store<u8>(toKind + id, load<u8>(kind + position))
    store<u32>(toName + (id << 2), load<u32>(name + (position << 2)))
    store<u32>(ids + (position << 2), id)
    if (l !== lastLow || h !== lastHigh || id === 0) {
      distinct++
      if (h !== lastHigh || id === 0) {
        const group = groups + groupCount * 12
        store<u32>(group, h)
        store<u32>(group, id, 4)
        store<u32>(group, chunkCount, 8)
        groupCount++
        chunk = 0xffffffff
      }
      if (l >> 16 !== chunk) {
        chunk = l >> 16
        store<u32>(chunks + (chunkCount << 3), chunk)
        store<u32>(chunks + (chunkCount << 3), id, 4)
        chunkCount++
      }
      lastHigh = h
      lastLow = l
    }
    if (o !== lastOwner || id === 0) {
      store<u32>(runStart + (runCount << 2), id)
      store<u16>(runOwner + (runCount << 1), o)
      runCount++
      lastOwner = o
    }
  }
  store<u32>(state, lastHigh, 0)
  store<u32>(state, lastLow, 4)
  store<u32>(state, lastOwner, 8)
  store<u32>(state, chunk, 12)
  store<u32>(state, distinct, 16)
  store<u32>(state, groupCount, 20)
  store<u32>(state, chunkCount, 24)
  store<u32>(state, runCount, 28)
}

export function countNames(
  name: usize,
  rootHash: usize,
  hashes: usize,
  buckets: usize,
  shift: u32,
  from: u32,
  to: u32,
): void {
  for (let i = from; i < to; i++) {
    const hash = nameHash(load<u32>(rootHash + (i << 2)), load<u32>(name + (i << 2)) >> ROOT_BITS)
    store<u32>(hashes + (i << 2), hash)
    const at = buckets + (((hash >> shift) + 1) << 2)
    store<u32>(at, load<u32>(at) + 1)
  }
}

/** Turns the counts in words [0, words) into running sums, and copies the starts of the rows to `next`. */
export function sumCounts(buckets: usize, words: u32, next: usize): void {
  let sum: u32 = 0
  for (let i: u32 = 0; i < words; i++) {
    sum += load<u32>(buckets + (i << 2))
    store<u32>(buckets + (i << 2), sum)
    store<u32>(next + (i << 2), sum)
  }
}

export function enterNames(
  entries: usize,
  next: usize,
  hashes: usize,
  ids: usize,
  shift: u32,
  fingerprintMask: u32,
  from: u32,
  to: u32,
): void {
  for (let i = from; i < to; i++) {
    const hash = load<u32>(hashes + (i << 2))
    const at = next + ((hash >> shift) << 2)
    const place = load<u32>(at)
    store<u32>(at, place + 1)
    store<u32>(entries + (place << 2), ((hash * GOLDEN) & fingerprintMask) | load<u32>(ids + (i << 2)))
  }
}
