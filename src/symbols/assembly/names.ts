// Names: see ../names.ts.

export const GOLDEN: u32 = 0x9e3779b1
const HASH_SEED: u32 = 0x811c9dc5
const PREFIX_STEP: u32 = 0x01000193

const DOT: u32 = 0x2e
const UNDERSCORE: u32 = 0x5f

// What the caller has put behind `tables`: see writeTables in ../wasm.ts.
export const DIGIT: usize = 0
export const TYPE_CODE: usize = 256
export const LABEL_FIRST: usize = 512
export const LABEL_SECOND: usize = 768
export const PREFIX_FIRST: usize = 1024
export const PREFIX_SECOND: usize = 1280
const SLOTS: usize = 1536
const SLOT_MASK: u32 = 2047
const PREFIX_HASH: usize = 3584
const PREFIX_START: usize = 3840
export const PREFIX_LENGTH: usize = 4096
const LONGEST_PREFIX: usize = 4160
const PREFIX_BYTES: usize = 4164

function prefixAt(tables: usize, start: usize, length: u32, hash: u32): u32 {
  let slot = hash & SLOT_MASK
  let number = <u32>load<u8>(tables + SLOTS + slot)
  for (; number !== 0; number = <u32>load<u8>(tables + SLOTS + slot)) {
    slot = (slot + 1) & SLOT_MASK
    if (load<u32>(tables + PREFIX_HASH + (number << 2)) !== hash) continue
    if (<u32>load<u8>(tables + PREFIX_LENGTH + number) !== length) continue
    const bytes = tables + PREFIX_BYTES + load<u32>(tables + PREFIX_START + (number << 2))
    let same: u32 = 0
    while (same < length && load<u8>(bytes + same) === load<u8>(start + same)) same++
    if (same === length) break
  }
  return number
}

/** The number of the listed prefix with which the name of `length` bytes begins, if something follows it; else 0. */
export function prefixOf(tables: usize, name: usize, length: u32): u32 {
  const limit = min(length - 1, load<u32>(tables + LONGEST_PREFIX))
  let hash = HASH_SEED
  for (let i: u32 = 0; i < limit; i++) {
    const byte = <u32>load<u8>(name + i)
    hash = (hash ^ byte) * PREFIX_STEP
    if ((byte !== UNDERSCORE && byte !== DOT) || load<u8>(tables + SLOTS + (hash & SLOT_MASK)) === 0) continue
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

export function nameHash(rootHash: u32, prefix: u32): u32 {
  let hash = (rootHash ^ (rootHash >> 15) ^ (prefix * GOLDEN)) * 0x85ebca6b
  hash = (hash ^ (hash >> 13)) * 0xc2b2ae35
  return hash ^ (hash >> 16)
}
