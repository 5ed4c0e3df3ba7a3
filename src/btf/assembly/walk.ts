// The structural pass over the types of a set, and the writing of a name index, once more in AssemblyScript: see ../walk.ts and
// ../name-index-write.ts for what each does. The pass only says whether all is well; where it is not, the plain one goes over the
// blob again and says what is wrong. Arguments are byte addresses in the one memory.

const TYPE_WORDS: u32 = 3
const KIND_COUNT: u32 = 20
const KIND_ARRAY: u32 = 3
const KIND_DATASEC: u32 = 15

// By kind, what the caller has put behind `kinds`: see compiled-walk.ts.
const FIXED_WORDS: usize = 0
const ELEMENT_WORDS: usize = 32
const ELEMENT_REF: usize = 64
const HAS_REF: usize = 96

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

function compareNames(a: usize, b: usize): i32 {
  let i: usize = 0
  while (load<u8>(a + i) === load<u8>(b + i) && load<u8>(a + i) !== 0) i++
  return <i32>load<u8>(a + i) - <i32>load<u8>(b + i)
}

// A blob under way, in words: where it lies (of its strings, less the base's length, so that adding a name's offset gives the
// name), its limits, what is written, and how far the walk is. compiled-walk.ts fills it in.
const BLOB: usize = 0
const STRINGS: usize = 4
const BASE_BYTES: usize = 8
const BASE_STRINGS: usize = 12
const NAME_LIMIT: usize = 16
const END: usize = 20
const OFFSETS: usize = 24
const HASHES: usize = 28
const PLACES: usize = 32
const KIND_COUNTS: usize = 36
const AT: usize = 40
const SLOT: usize = 44
const HIGHEST: usize = 48
const NAMED: usize = 52
const SORTED: usize = 56
/** Address of the name before; 0: none. */
const PREVIOUS: usize = 60
/** Names taken from the base, and how many of them begin inside one of its strings. */
const BASE_NAMES: usize = 64
const INSIDE: usize = 68

/** Walks over the types of a blob from where it is to word `stop` or a little beyond; 0 if anything is wrong. */
export function walk(kinds: usize, blobState: usize, stop: u32): u32 {
  const blob = <usize>load<u32>(blobState, BLOB)
  const strings = <usize>load<u32>(blobState, STRINGS)
  const baseBytes = load<u32>(blobState, BASE_BYTES)
  const baseStrings = <usize>load<u32>(blobState, BASE_STRINGS)
  const limit = load<u32>(blobState, NAME_LIMIT)
  const end = load<u32>(blobState, END)
  const offsets = <usize>load<u32>(blobState, OFFSETS)
  const hashes = <usize>load<u32>(blobState, HASHES)
  const places = <usize>load<u32>(blobState, PLACES)
  const kindCounts = <usize>load<u32>(blobState, KIND_COUNTS)
  let at = load<u32>(blobState, AT)
  let slot = load<u32>(blobState, SLOT)
  let highest = load<u32>(blobState, HIGHEST)
  let named = load<u32>(blobState, NAMED)
  let sorted = load<u32>(blobState, SORTED)
  let previous = <usize>load<u32>(blobState, PREVIOUS)
  let baseNames = load<u32>(blobState, BASE_NAMES)
  let inside = load<u32>(blobState, INSIDE)
  while (at < stop) {
    if (at + TYPE_WORDS > end) return 0
    const record = blob + ((<usize>at) << 2)
    const name = load<u32>(record)
    const info = load<u32>(record, 4)
    const kind = (info >> 24) & 0x7f
    const vlen = info & 0xffffff
    if (kind === 0 || kind >= KIND_COUNT || (name >= limit && name !== 0)) return 0
    const stride = <u32>load<u8>(kinds + ELEMENT_WORDS + kind)
    const length = TYPE_WORDS + <u32>load<u8>(kinds + FIXED_WORDS + kind) + vlen * stride
    if (length > end - at) return 0
    store<u32>(offsets + (slot << 2), at)
    store<u32>(kindCounts + (kind << 2), load<u32>(kindCounts + (kind << 2)) + 1)
    if (stride > 0) {
      const last = record + ((TYPE_WORDS + vlen * stride) << 2)
      const step = stride << 2
      if (kind !== KIND_DATASEC) {
        for (let element = record + (TYPE_WORDS << 2); element < last; element += step) {
          if (load<u32>(element) >= limit && load<u32>(element) !== 0) return 0
        }
      }
      const ref = <i32>load<i8>(kinds + ELEMENT_REF + kind)
      if (ref >= 0) {
        for (let element = record + (TYPE_WORDS << 2); element < last; element += step) {
          highest = max(highest, load<u32>(element + ((<usize>ref) << 2)))
        }
      }
    } else if (kind === KIND_ARRAY) highest = max(highest, max(load<u32>(record, 12), load<u32>(record, 16)))
    if (load<u8>(kinds + HAS_REF + kind) === 1) highest = max(highest, load<u32>(record, 8))
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
  store<u32>(blobState, at, AT)
  store<u32>(blobState, slot, SLOT)
  store<u32>(blobState, highest, HIGHEST)
  store<u32>(blobState, named, NAMED)
  store<u32>(blobState, sorted, SORTED)
  store<u32>(blobState, <u32>previous, PREVIOUS)
  store<u32>(blobState, baseNames, BASE_NAMES)
  store<u32>(blobState, inside, INSIDE)
  return 1
}

/**
 * Where fewer than `enough` types of a sound blob have their name from the base: looks at the names of members, parameters and
 * enumerators as well, from word `from` on.
 */
export function elementNames(kinds: usize, blobState: usize, from: u32, enough: u32): void {
  const blob = <usize>load<u32>(blobState, BLOB)
  const baseBytes = load<u32>(blobState, BASE_BYTES)
  const baseStrings = <usize>load<u32>(blobState, BASE_STRINGS)
  const end = load<u32>(blobState, END)
  let baseNames = load<u32>(blobState, BASE_NAMES)
  let inside = load<u32>(blobState, INSIDE)
  for (let at = from; at < end && baseNames < enough; ) {
    const record = blob + ((<usize>at) << 2)
    const info = load<u32>(record, 4)
    const kind = (info >> 24) & 0x7f
    const stride = <u32>load<u8>(kinds + ELEMENT_WORDS + kind)
    const elements = (info & 0xffffff) * stride
    if (kind !== KIND_DATASEC) {
      const last = record + ((TYPE_WORDS + elements) << 2)
      for (let element = record + (TYPE_WORDS << 2); element < last; element += stride << 2) {
        const name = load<u32>(element)
        if (name === 0 || name >= baseBytes) continue
        baseNames++
        if (load<u8>(baseStrings + name - 1) !== 0) inside++
      }
    }
    at += TYPE_WORDS + <u32>load<u8>(kinds + FIXED_WORDS + kind) + elements
  }
  store<u32>(blobState, baseNames, BASE_NAMES)
  store<u32>(blobState, inside, INSIDE)
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
