// The structural pass over the types of a set that is split on nothing, and the writing of its name index, once more in
// AssemblyScript: see ../walk.ts and ../name-index-write.ts for what each does. The pass only says whether all is well; where it
// is not, the plain one goes over the blob again and says what is wrong. Arguments are byte addresses in the one memory.

const TYPE_WORDS: u32 = 3
const KIND_COUNT: u32 = 20
const KIND_ARRAY: u32 = 3
const KIND_DATASEC: u32 = 15

// By kind, what the caller has put behind `kinds`: see compiled-walk.ts.
const FIXED_WORDS: usize = 0
const ELEMENT_WORDS: usize = 32
const ELEMENT_REF: usize = 64
const HAS_REF: usize = 96

function finish(hash: u32): u32 {
  let h = (hash ^ (hash >> 15)) * 0x2c1b3c6d
  h = (h ^ (h >> 12)) * 0x297a2d39
  h ^= h >> 15
  return h === 0 ? 1 : h
}

function hashName(start: usize): u32 {
  let h: u32 = 0x811c9dc5
  for (let i: u32 = 0; i < 128; i++) {
    const byte = <u32>load<u8>(start + i)
    if (byte === 0) break
    h = (h ^ byte) * 0x01000193
  }
  return finish(h)
}

function compareNames(a: usize, b: usize): i32 {
  let i: usize = 0
  while (load<u8>(a + i) === load<u8>(b + i) && load<u8>(a + i) !== 0) i++
  return <i32>load<u8>(a + i) - <i32>load<u8>(b + i)
}

/**
 * Walks over the types from word `state.at` of the blob to `stop` or a little beyond, of a section that ends at `end`; 0 if
 * anything is wrong. `strings` is the address of the string section, `limit` its length. `state`: at, count, highest id referred
 * to, named, 1 while sorted, address of the name before (0: none).
 */
export function walk(
  kinds: usize,
  blob: usize,
  stop: u32,
  end: u32,
  strings: usize,
  limit: u32,
  offsets: usize,
  hashes: usize,
  places: usize,
  kindCounts: usize,
  state: usize,
): u32 {
  let at = load<u32>(state)
  let count = load<u32>(state, 4)
  let highest = load<u32>(state, 8)
  let named = load<u32>(state, 12)
  let sorted = load<u32>(state, 16)
  let previous = <usize>load<u32>(state, 20)
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
    store<u32>(offsets + (count << 2), at)
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
      store<u32>(hashes + (count << 2), 0)
      if (named > 0) sorted = 0
    } else {
      named++
      store<u32>(places + (count << 2), name >> 24 === 0 ? (kind << 24) | name : 0xffffffff)
      store<u32>(hashes + (count << 2), hashName(strings + name))
      if (sorted === 1) {
        if (previous !== 0 && compareNames(previous, strings + name) > 0) sorted = 0
        previous = strings + name
      }
    }
    count++
    at += length
  }
  store<u32>(state, at)
  store<u32>(state, count, 4)
  store<u32>(state, highest, 8)
  store<u32>(state, named, 12)
  store<u32>(state, sorted, 16)
  store<u32>(state, <u32>previous, 20)
  return 1
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
