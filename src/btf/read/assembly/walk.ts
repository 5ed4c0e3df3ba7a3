// The structural pass over the types of a set, and the writing of a name index: the only implementation of both. They say which rule
// the first wrong type breaks; ../walk.ts says it in words. Addresses are bytes in the one memory.

import {
  BAD_ELEMENT_NAME,
  BAD_LENGTH,
  BAD_NAME,
  CUT_SHORT,
  KIND_ELEMENT,
  KIND_ELEMENT_NAME,
  KIND_ELEMENT_TYPE,
  KIND_FIXED,
  KIND_FIXED_TYPES,
  KIND_SLOT,
  KIND_THIRD_TYPE,
  NO_SIZE,
  RECORD_WORDS,
  SOUND,
  STATE_AT,
  STATE_BASE_BYTES,
  STATE_BASE_NAMES,
  STATE_BASE_STRINGS,
  STATE_BLOB,
  STATE_BROKEN_AT,
  STATE_END,
  STATE_HASHES,
  STATE_HIGHEST,
  STATE_INSIDE,
  STATE_KIND_COUNTS,
  STATE_NAME_LIMIT,
  STATE_NAMED,
  STATE_OFFSETS,
  STATE_PLACES,
  STATE_PREVIOUS,
  STATE_SLOT,
  STATE_SORTED,
  STATE_STRINGS,
  UNKNOWN_KIND,
} from '../walk-constants'

function hashName(start: usize): u32 {
  let h: u32 = 0x811c9dc5
  for (let i: u32 = 0; i < 128; i += 4) {
    let word = load<u32>(start + i)
    // The highest bit of every byte that is zero, and perhaps of some above the first of those.
    const zeros = (word - 0x01010101) & ~word & 0x80808080
    // What lies behind a name's end is no part of it.
    if (zeros !== 0) word &= (zeros & (0 - zeros)) - 1
    if (word === 0) break
    h = (h ^ word) * 0x9e3779b1
    h ^= h >> 15
    if (zeros !== 0) break
  }
  h *= 0x2c1b3c6d
  h = (h ^ (h >> 12)) * 0x297a2d39
  h ^= h >> 15
  return h === 0 ? 1 : h
}

/** Bytes of names that are compared: those of a set that is sorted differ sooner, and a blob may be full of one that does not. */
const COMPARED: usize = 4_096

/** strcmp of two names; those that are alike for very long count as out of order. */
function compareNames(a: usize, b: usize): i32 {
  if (a === b) return 0
  let i: usize = 0
  while (load<u8>(a + i) === load<u8>(b + i) && load<u8>(a + i) !== 0) {
    if (++i === COMPARED) return 1
  }
  return <i32>load<u8>(a + i) - <i32>load<u8>(b + i)
}

/** The highest of some words, `stride` bytes apart, or `highest` if that is higher. */
function highestOf(from: usize, to: usize, stride: usize, highest: u32): u32 {
  let most = highest
  for (let at = from; at < to; at += stride) most = max(most, load<u32>(at))
  return most
}

/** Walks over the types of a blob from where it is to word `stop` or a little beyond. Returns what is wrong with the last one. */
export function walk(kinds: usize, state: usize, stop: u32): u32 {
  const blob = <usize>load<u32>(state, STATE_BLOB)
  const strings = <usize>load<u32>(state, STATE_STRINGS)
  const baseBytes = load<u32>(state, STATE_BASE_BYTES)
  const baseStrings = <usize>load<u32>(state, STATE_BASE_STRINGS)
  const limit = load<u32>(state, STATE_NAME_LIMIT)
  const end = load<u32>(state, STATE_END)
  const offsets = <usize>load<u32>(state, STATE_OFFSETS)
  const hashes = <usize>load<u32>(state, STATE_HASHES)
  const places = <usize>load<u32>(state, STATE_PLACES)
  const kindCounts = <usize>load<u32>(state, STATE_KIND_COUNTS)
  let at = load<u32>(state, STATE_AT)
  let slot = load<u32>(state, STATE_SLOT)
  let highest = load<u32>(state, STATE_HIGHEST)
  let named = load<u32>(state, STATE_NAMED)
  let sorted = load<u32>(state, STATE_SORTED)
  let previous = <usize>load<u32>(state, STATE_PREVIOUS)
  let baseNames = load<u32>(state, STATE_BASE_NAMES)
  let inside = load<u32>(state, STATE_INSIDE)
  let wrong: u32 = SOUND
  while (at < stop) {
    if (at + RECORD_WORDS > end) {
      wrong = CUT_SHORT
      break
    }
    const record = blob + ((<usize>at) << 2)
    const name = load<u32>(record)
    const info = load<u32>(record, 4)
    const kind = (info >> 24) & 0x7f
    const vlen = info & 0xffffff
    const row = kinds + <usize>kind
    const fixed = <u32>load<u8>(row, KIND_FIXED)
    if (fixed === NO_SIZE) {
      wrong = UNKNOWN_KIND
      break
    }
    const stride = <u32>load<u8>(row, KIND_ELEMENT)
    const length: u32 = RECORD_WORDS + fixed + vlen * stride
    if (length > end - at) {
      wrong = BAD_LENGTH
      break
    }
    // Without any string there is still the empty name.
    if (name >= limit && name !== 0) {
      wrong = BAD_NAME
      break
    }
    store<u32>(offsets + (slot << 2), at)
    const counter = kindCounts + ((<usize>load<u8>(row, KIND_SLOT)) << 2)
    store<u32>(counter, load<u32>(counter) + 1)
    if (stride > 0) {
      const first = record + ((RECORD_WORDS + fixed) << 2)
      const last = record + (length << 2)
      const step = stride << 2
      if (load<u8>(row, KIND_ELEMENT_NAME) === 1) {
        let element = first
        while (element < last && (load<u32>(element) < limit || load<u32>(element) === 0)) element += step
        if (element < last) {
          store<u32>(state, <u32>((element - blob) >> 2), STATE_BROKEN_AT)
          wrong = BAD_ELEMENT_NAME
          break
        }
      }
      const type = <usize>load<u8>(row, KIND_ELEMENT_TYPE)
      if (type > 0) highest = highestOf(first + ((type - 1) << 2), last, step, highest)
    }
    const types = <usize>load<u8>(row, KIND_FIXED_TYPES)
    if (types > 0) {
      const first = record + (RECORD_WORDS << 2)
      highest = highestOf(first, first + (types << 2), 4, highest)
    }
    if (load<u8>(row, KIND_THIRD_TYPE) === 1) highest = max(highest, load<u32>(record, 8))
    if (name === 0) {
      store<u32>(hashes + (slot << 2), 0)
      if (named > 0) sorted = 0
    } else {
      named++
      let text = strings + name
      if (name < baseBytes) {
        text = baseStrings + name
        baseNames++
        if (load<u8>(text - 1) !== 0) inside++
      }
      store<u32>(places + (slot << 2), name >> 24 === 0 ? (kind << 24) | name : 0xffffffff)
      store<u32>(hashes + (slot << 2), hashName(text))
      if (sorted === 1) {
        if (previous !== 0 && compareNames(previous, text) > 0) sorted = 0
        previous = text
      }
    }
    slot++
    at += length
  }
  store<u32>(state, at, STATE_AT)
  store<u32>(state, slot, STATE_SLOT)
  store<u32>(state, highest, STATE_HIGHEST)
  store<u32>(state, named, STATE_NAMED)
  store<u32>(state, sorted, STATE_SORTED)
  store<u32>(state, <u32>previous, STATE_PREVIOUS)
  store<u32>(state, baseNames, STATE_BASE_NAMES)
  store<u32>(state, inside, STATE_INSIDE)
  return wrong
}

/**
 * Where fewer than `enough` types of a sound blob have their name from the base: looks at the names of members, parameters and
 * enumerators as well, from word `from` on.
 */
export function elementNames(kinds: usize, state: usize, from: u32, enough: u32): void {
  const blob = <usize>load<u32>(state, STATE_BLOB)
  const baseBytes = load<u32>(state, STATE_BASE_BYTES)
  const baseStrings = <usize>load<u32>(state, STATE_BASE_STRINGS)
  const end = load<u32>(state, STATE_END)
  let baseNames = load<u32>(state, STATE_BASE_NAMES)
  let inside = load<u32>(state, STATE_INSIDE)
  for (let at = from; at < end && baseNames < enough; ) {
    const record = blob + ((<usize>at) << 2)
    const info = load<u32>(record, 4)
    const row = kinds + <usize>((info >> 24) & 0x7f)
    const fixed = <u32>load<u8>(row, KIND_FIXED)
    const stride = <u32>load<u8>(row, KIND_ELEMENT)
    const length: u32 = RECORD_WORDS + fixed + (info & 0xffffff) * stride
    if (load<u8>(row, KIND_ELEMENT_NAME) === 1) {
      const last = record + (length << 2)
      for (let element = record + ((RECORD_WORDS + fixed) << 2); element < last; element += stride << 2) {
        const name = load<u32>(element)
        if (name === 0 || name >= baseBytes) continue
        baseNames++
        if (load<u8>(baseStrings + name - 1) !== 0) inside++
      }
    }
    at += length
  }
  store<u32>(state, baseNames, STATE_BASE_NAMES)
  store<u32>(state, inside, STATE_INSIDE)
}

export function countNames(hashes: usize, from: u32, to: u32, shift: u32, mask: u32, buckets: usize): void {
  for (let i = from; i < to; i++) {
    const hash = load<u32>(hashes + (i << 2))
    if (hash === 0) continue
    const bucket = buckets + (((hash >> shift) & mask) << 2)
    store<u32>(bucket, load<u32>(bucket) + 1)
  }
}

export function sumCounts(buckets: usize, words: u32): void {
  let sum: u32 = 0
  for (let i: u32 = 0; i < words; i++) {
    sum += load<u32>(buckets + (i << 2))
    store<u32>(buckets + (i << 2), sum)
  }
}

/** `starts`: the bits of a bucket that hold its start. */
export function placeNames(
  hashes: usize,
  places: usize,
  from: u32,
  to: u32,
  shift: u32,
  mask: u32,
  ordinalBits: u32,
  starts: u32,
  buckets: usize,
  entries: usize,
): void {
  const width = 32 - starts
  const startMask: u32 = starts < 32 ? (1 << starts) - 1 : 0xffffffff
  for (let i = to; i > from; ) {
    i--
    const hash = load<u32>(hashes + (i << 2))
    if (hash === 0) continue
    const bucket = buckets + (((hash >> shift) & mask) << 2)
    const slot = load<u32>(bucket) - 1
    const filter: u32 = width === 0 ? 0 : (<u32>1) << (31 - (((hash & 0xffff) * width) >> 16))
    store<u32>(bucket, slot | filter)
    const entry = entries + ((slot & startMask) << 3)
    store<u32>(entry, (ordinalBits < 32 ? hash << ordinalBits : 0) | i)
    store<u32>(entry, load<u32>(places + (i << 2)), 4)
  }
}
