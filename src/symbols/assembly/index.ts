// The name index: the names of one part are those of one range of buckets.

import {
  BUILD_BUCKET_BITS,
  BUILD_BUCKETS,
  BUILD_ENTRIES,
  BUILD_ID_BITS,
  BUILD_PARTS,
  PART_BYTES,
  PART_COUNT,
  PART_FIRST,
  PART_NAMES,
  RECORD_NAME,
} from '../constants'
import { address } from './build'
import { GOLDEN } from './names'

/** Enters the names of part `piece`: a counting sort by bucket, in the order of the text inside each. */
export function enterNames(build: usize, piece: u32, _thread: u32): void {
  const part = address(build, BUILD_PARTS) + piece * PART_BYTES
  const names = address(part, PART_NAMES)
  const count = load<u32>(part + PART_COUNT)
  const entries = address(build, BUILD_ENTRIES)
  const bits = load<u32>(build + BUILD_BUCKET_BITS)
  const shift = 32 - bits
  const idBits = load<u32>(build + BUILD_ID_BITS)
  const fingerprint: u32 = idBits === 32 ? 0 : (<u32>0xffffffff) << idBits
  const firstBucket = piece << (bits - 6)
  const buckets = address(build, BUILD_BUCKETS) + (firstBucket << 2)
  const bucketCount: u32 = (<u32>1) << (bits - 6)
  // The word behind the last bucket of this part is the first of the next one.
  memory.fill(buckets, 0, bucketCount << 2)
  for (let i: u32 = 0; i < count; i++) {
    const at = buckets + (((load<u32>(names + (i << 3)) >> shift) - firstBucket) << 2)
    store<u32>(at, load<u32>(at) + 1)
  }
  // Each bucket's end, from which its entries are written downwards until its start is left.
  let sum = load<u32>(part + PART_FIRST)
  for (let b: u32 = 0; b < bucketCount; b++) {
    sum += load<u32>(buckets + (b << 2))
    store<u32>(buckets + (b << 2), sum)
  }
  for (let i = count; i > 0; ) {
    i--
    const hash = load<u32>(names + (i << 3))
    const at = buckets + (((hash >> shift) - firstBucket) << 2)
    const place = load<u32>(at) - 1
    store<u32>(at, place)
    const id = load<u32>(<usize>load<u32>(names + (i << 3), 4) + RECORD_NAME)
    store<u32>(entries + (place << 2), ((hash * GOLDEN) & fingerprint) | id)
  }
}
