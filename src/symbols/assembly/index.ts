// The name index: the names of one part are those of one range of buckets.

import {
  BUILD_BUCKET_BITS,
  BUILD_BUCKETS,
  BUILD_ENTRIES,
  BUILD_ID_BITS,
  BUILD_IDS,
  BUILD_MOVED,
  BUILD_NEW_IDS,
  BUILD_OLD_BUCKETS,
  BUILD_OLD_ENTRIES,
  BUILD_PARTS,
  BUILD_POSITIONS,
  BUILD_STRETCH_COUNT,
  BUILD_TOUCHED,
  GONE,
  PART_BYTES,
  PART_COUNT,
  PART_FIRST,
  PART_SORTED,
  PARTS,
  STRETCH_STREAMS,
} from '../constants'
import { address, stretchOf } from './build'
import { GOLDEN } from './names'

/** Enters the names of part `piece`: a counting sort by bucket, in the order of the text inside each. */
export function enterNames(build: usize, piece: u32, _thread: u32): void {
  const part = address(build, BUILD_PARTS) + piece * PART_BYTES
  const stretches = load<u32>(build + BUILD_STRETCH_COUNT)
  const isMerge = load<u32>(build + BUILD_OLD_ENTRIES) !== 0
  const sorted = address(part, PART_SORTED)
  const entries = address(build, BUILD_ENTRIES)
  const ids = address(build, BUILD_IDS)
  const bits = load<u32>(build + BUILD_BUCKET_BITS)
  const shift = 32 - bits
  const fingerprint = fingerprintBits(build)
  const firstBucket = piece << (bits - 6)
  const buckets = address(build, BUILD_BUCKETS) + (firstBucket << 2)
  const bucketCount: u32 = (<u32>1) << (bits - 6)
  // The word behind the last bucket of this part is the first of the next one.
  memory.fill(buckets, 0, bucketCount << 2)
  for (let s: u32 = 0; s < stretches; s++) {
    const streams = address(stretchOf(build, s), STRETCH_STREAMS) + (piece << 2)
    const names = address(streams, 0)
    const count = load<u32>(streams + PARTS * 4)
    for (let i: u32 = 0; i < count; i++) {
      const bucket = load<u32>(names + (i << 3)) >> shift
      const at = buckets + ((bucket - firstBucket) << 2)
      store<u32>(at, load<u32>(at) + 1)
      if (isMerge) touch(build, bucket)
    }
  }
  // Each bucket's end, from which its entries are written downwards until its start is left.
  let sum = isMerge ? 0 : load<u32>(part + PART_FIRST)
  for (let b: u32 = 0; b < bucketCount; b++) {
    sum += load<u32>(buckets + (b << 2))
    store<u32>(buckets + (b << 2), sum)
  }
  for (let s = stretches; s > 0; ) {
    s--
    const streams = address(stretchOf(build, s), STRETCH_STREAMS) + (piece << 2)
    const names = address(streams, 0)
    for (let i = load<u32>(streams + PARTS * 4); i > 0; ) {
      i--
      const hash = load<u32>(names + (i << 3))
      const position = load<u32>(names + (i << 3), 4)
      const at = buckets + (((hash >> shift) - firstBucket) << 2)
      const place = load<u32>(at) - 1
      store<u32>(at, place)
      const entry = ((hash * GOLDEN) & fingerprint) | load<u32>(ids + (position << 2))
      if (!isMerge) store<u32>(entries + (place << 2), entry)
      else {
        store<u32>(sorted + (place << 3), entry)
        store<u32>(sorted + (place << 3), position, 4)
      }
    }
  }
  if (isMerge) mergeNames(build, part, buckets, firstBucket, bucketCount)
}

/** The bits of an entry that ids do not need. */
function fingerprintBits(build: usize): u32 {
  const idBits = load<u32>(build + BUILD_ID_BITS)
  return idBits === 32 ? 0 : (<u32>0xffffffff) << idBits
}

/** Notes that a bucket's entries are not those of the earlier index. A word may have buckets of two parts. */
export function touch(build: usize, bucket: u32): void {
  atomic.or<u32>(address(build, BUILD_TOUCHED) + ((bucket >> 5) << 2), (<u32>1) << (bucket & 31))
}

function isTouched(build: usize, bucket: u32): bool {
  return ((load<u32>(address(build, BUILD_TOUCHED) + ((bucket >> 5) << 2)) >> (bucket & 31)) & 1) !== 0
}

/** Enters the sorted names of a part among those that are kept of an earlier index. */
function mergeNames(build: usize, part: usize, buckets: usize, firstBucket: u32, bucketCount: u32): void {
  const sorted = address(part, PART_SORTED)
  const count = load<u32>(part + PART_COUNT)
  const entries = address(build, BUILD_ENTRIES)
  const oldBuckets = address(build, BUILD_OLD_BUCKETS) + (firstBucket << 2)
  const oldEntries = address(build, BUILD_OLD_ENTRIES)
  const newIds = address(build, BUILD_NEW_IDS)
  const positions = address(build, BUILD_POSITIONS)
  const moved = load<u32>(build + BUILD_MOVED) !== 0
  const fingerprint = fingerprintBits(build)
  let out = load<u32>(part + PART_FIRST)
  let i: u32 = 0
  for (let b: u32 = 0; b < bucketCount; ) {
    const first = load<u32>(oldBuckets + (b << 2))
    // Buckets that nothing came to and nothing went from are taken over together.
    const from = b
    for (; b < bucketCount && !isTouched(build, firstBucket + b); b++) {
      store<u32>(buckets + (b << 2), load<u32>(oldBuckets + (b << 2)) - first + out)
    }
    const kept = load<u32>(oldBuckets + (b << 2)) - first
    if (!moved) memory.copy(entries + (out << 2), oldEntries + (first << 2), kept << 2)
    else {
      for (let k: u32 = 0; k < kept; k++) {
        const entry = load<u32>(oldEntries + ((first + k) << 2))
        const id = load<u32>(newIds + ((entry & ~fingerprint) << 2))
        store<u32>(entries + ((out + k) << 2), (entry & fingerprint) | id)
      }
    }
    out += kept
    if (b > from) continue
    const end = b + 1 < bucketCount ? load<u32>(buckets + (b << 2), 4) : count
    store<u32>(buckets + (b << 2), out)
    const last = load<u32>(oldBuckets + (b << 2), 4)
    for (let at = first; at < last; at++) {
      const entry = load<u32>(oldEntries + (at << 2))
      const old = entry & ~fingerprint
      const position = load<u32>(positions + (old << 2))
      if (position === GONE) continue
      for (; i < end && load<u32>(sorted + (i << 3), 4) < position; i++) {
        store<u32>(entries + (out++ << 2), load<u32>(sorted + (i << 3)))
      }
      const id = moved ? load<u32>(newIds + (old << 2)) : old
      store<u32>(entries + (out++ << 2), (entry & fingerprint) | id)
    }
    for (; i < end; i++) store<u32>(entries + (out++ << 2), load<u32>(sorted + (i << 3)))
    b++
  }
}
