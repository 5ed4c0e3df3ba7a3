// Writes the name index of a batch of types: buckets with a filter each, and the entries in their order (index-layout.ts
// has the form, name-index.ts reads it).
import { ENTRY_WORDS, filterBit, startBits } from './index-layout.ts'

/** The names of a batch's types, by ordinal. */
export interface BatchNames {
  /** Hashes of the names; 0 for an anonymous type. */
  readonly hashes: Int32Array
  /** See `placeOf`. */
  readonly places: Int32Array
  /** Number of types; the arrays may be longer. */
  readonly count: number
}

/** Upper bits of a hash that choose the bucket, lower bits of an entry that hold the ordinal. */
export interface IndexBits {
  readonly bucket: number
  readonly ordinal: number
}

/**
 * Fills zeroed buckets and entries of the right length, yielding after each `step` types. Words are signed because code
 * that is not compiled yet keeps an integer of 32 bits without an allocation only if it is signed.
 */
export function* writeNames(
  names: BatchNames,
  bits: IndexBits,
  buckets: Int32Array,
  entries: Int32Array,
  step: number,
): Generator<void, void, void> {
  const { hashes, count } = names
  // `x >>> 32` would shift by nothing: then there is one bucket, and a mask makes its number 0.
  const shift = 32 - bits.bucket
  const mask = bits.bucket === 0 ? 0 : -1
  for (let from = 0; from < count; from += step) {
    countNames(hashes, from, Math.min(from + step, count), shift, mask, buckets)
    yield
  }
  sumCounts(buckets)
  yield
  // From the end, so that each bucket's entries, written downwards, stand in ascending order and its start is left.
  for (let to = count; to > 0; to -= step) {
    placeNames(names, Math.max(to - step, 0), to, shift, mask, bits.ordinal, buckets, entries)
    yield
  }
}

function countNames(
  hashes: Int32Array,
  from: number,
  to: number,
  shift: number,
  mask: number,
  buckets: Int32Array,
): void {
  for (let i = from; i < to; i++) {
    const hash = hashes[i]!
    if (hash !== 0) buckets[(hash >>> shift) & mask]!++
  }
}

/** Turns counts into ends; the last word, one past all buckets, becomes the number of entries. */
function sumCounts(buckets: Int32Array): void {
  let sum = 0
  for (let i = 0; i < buckets.length; i++) {
    sum += buckets[i]!
    buckets[i] = sum
  }
}

function placeNames(
  { hashes, places }: BatchNames,
  from: number,
  to: number,
  shift: number,
  mask: number,
  ordinalBits: number,
  buckets: Int32Array,
  entries: Int32Array,
): void {
  const tagged = ordinalBits < 32 ? -1 : 0
  const starts = startBits(entries.length / ENTRY_WORDS)
  const startMask = starts < 32 ? (1 << starts) - 1 : -1
  const width = 32 - starts
  for (let i = to - 1; i >= from; i--) {
    const hash = hashes[i]!
    if (hash === 0) continue
    const bucket = (hash >>> shift) & mask
    // The end is above 0 as long as entries are missing, so the filter above it is not touched.
    const slot = buckets[bucket]! - 1
    buckets[bucket] = slot | filterBit(hash, width)
    const at = ENTRY_WORDS * (slot & startMask)
    entries[at] = ((hash << ordinalBits) & tagged) | i
    entries[at + 1] = places[i]!
  }
}
