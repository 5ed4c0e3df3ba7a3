// Names: see ../names.ts.

import {
  SET_SLOT_BYTES,
  SET_SLOTS,
  TABLE_LONGEST_PREFIX,
  TABLE_PREFIX_BYTES,
  TABLE_PREFIX_HASH,
  TABLE_PREFIX_LENGTH,
  TABLE_PREFIX_START,
  TABLE_SLOT_MASK,
  TABLE_SLOTS,
} from '../constants'

export const GOLDEN: u32 = 0x9e3779b1
const HASH_SEED: u32 = 0x811c9dc5
const PREFIX_STEP: u32 = 0x01000193

const DOT: u32 = 0x2e
const UNDERSCORE: u32 = 0x5f

function prefixAt(tables: usize, start: usize, length: u32, hash: u32): u32 {
  let slot = hash & TABLE_SLOT_MASK
  let number = <u32>load<u8>(tables + TABLE_SLOTS + slot)
  for (; number !== 0; number = <u32>load<u8>(tables + TABLE_SLOTS + slot)) {
    slot = (slot + 1) & TABLE_SLOT_MASK
    if (load<u32>(tables + TABLE_PREFIX_HASH + (number << 2)) !== hash) continue
    if (<u32>load<u8>(tables + TABLE_PREFIX_LENGTH + number) !== length) continue
    const bytes = tables + TABLE_PREFIX_BYTES + load<u32>(tables + TABLE_PREFIX_START + (number << 2))
    let same: u32 = 0
    while (same < length && load<u8>(bytes + same) === load<u8>(start + same)) same++
    if (same === length) break
  }
  return number
}

/** The number of the listed prefix with which the name of `length` bytes begins, if something follows it; else 0. */
export function prefixOf(tables: usize, name: usize, length: u32): u32 {
  const limit = min(length - 1, load<u32>(tables + TABLE_LONGEST_PREFIX))
  let hash = HASH_SEED
  for (let i: u32 = 0; i < limit; i++) {
    const byte = <u32>load<u8>(name + i)
    hash = (hash ^ byte) * PREFIX_STEP
    if ((byte !== UNDERSCORE && byte !== DOT) || load<u8>(tables + TABLE_SLOTS + (hash & TABLE_SLOT_MASK)) === 0)
      continue
    const prefix = prefixAt(tables, name, i + 1, hash)
    if (prefix !== 0) return prefix
  }
  return 0
}

export function hashBytes(start: usize, length: u32): u32 {
  let hash = HASH_SEED
  let i: u32 = 0
  for (; i + 4 <= length; i += 4) {
    hash = (hash ^ load<u32>(start + i)) * GOLDEN
    hash ^= hash >> 15
  }
  if (i < length) {
    const rest = load<u32>(start + i) & (((<u32>1) << ((length - i) << 3)) - 1)
    hash = (hash ^ rest) * GOLDEN
    hash ^= hash >> 15
  }
  return hash
}

/** Upper bits are the root's, so that one part of the roots has one part of the name index. */
export function nameHash(rootHash: u32, prefix: u32): u32 {
  let hash = (rootHash ^ (rootHash >> 15) ^ (prefix * GOLDEN)) * 0x85ebca6b
  hash = (hash ^ (hash >> 13)) * 0xc2b2ae35
  hash ^= hash >> 16
  return (rootHash & 0xfc000000) | (hash & 0x03ffffff)
}

export function sameBytes(a: usize, b: usize, length: u32): bool {
  let i: u32 = 0
  for (; i + 8 <= length; i += 8) if (load<u64>(a + i) !== load<u64>(b + i)) return false
  for (; i < length; i++) if (load<u8>(a + i) !== load<u8>(b + i)) return false
  return true
}

/** The number of a name in a set, from 1 on; 0 if it is not there. */
export function numberIn(set: usize, name: usize, length: u32): u32 {
  const mask = load<u32>(set)
  const hash = hashBytes(name, length)
  let slot = hash & mask
  let at = set + SET_SLOTS + slot * SET_SLOT_BYTES
  while (load<u32>(at, 12) !== 0) {
    if (load<u32>(at) === hash && load<u32>(at, 8) === length && sameBytes(<usize>load<u32>(at, 4), name, length)) break
    slot = (slot + 1) & mask
    at = set + SET_SLOTS + slot * SET_SLOT_BYTES
  }
  return load<u32>(at, 12)
}
