// Addresses as a piece has them: four bytes each where their upper halves repeat, as those of one kernel do, else eight. What goes
// through a queue is copied a dozen times and written to a disk: half the bytes are half the cost.

import { BadFormatError } from '../core/errors.ts'

/** How many addresses, and how many runs of equal upper halves: two words in front of the rest. */
const HEAD_WORDS = 2
/** Instead of the number of runs: what follows are whole addresses. */
const WHOLE = 0xffff_ffff
const WORD_BYTES = 4
/** Bytes that a piece takes beside its addresses, each of which takes eight bytes at most. */
export const PACKED_HEAD_BYTES = HEAD_WORDS * WORD_BYTES

/** Addresses as bytes, little-endian: their lower halves, then each upper half with the number of those that it holds for. */
export function packAddresses(addresses: BigUint64Array): Uint8Array {
  const count = addresses.length
  const pairs = new Uint32Array(addresses.buffer, addresses.byteOffset, count * 2)
  let runs = 0
  for (let i = 0; i < count; i++) if (i === 0 || pairs[2 * i + 1] !== pairs[2 * i - 1]) runs++
  if (runs * 2 > count) {
    const words = new Uint32Array(HEAD_WORDS + count * 2)
    words.set([count, WHOLE])
    words.set(pairs, HEAD_WORDS)
    return new Uint8Array(words.buffer)
  }
  const words = new Uint32Array(HEAD_WORDS + count + runs * 2)
  words.set([count, runs])
  let run = HEAD_WORDS + count - 2
  for (let i = 0; i < count; i++) {
    words[HEAD_WORDS + i] = pairs[2 * i]!
    if (i === 0 || pairs[2 * i + 1] !== pairs[2 * i - 1]) {
      run += 2
      words[run] = pairs[2 * i + 1]!
    }
    words[run + 1]!++
  }
  return new Uint8Array(words.buffer)
}

/**
 * The addresses of a piece. They are written into `room` where that is large enough, so that one worker needs it once.
 * @throws BadFormatError if the bytes are no packed addresses
 */
export function unpackAddresses(bytes: Uint8Array, room?: BigUint64Array<ArrayBuffer>): BigUint64Array<ArrayBuffer> {
  if (bytes.length % WORD_BYTES !== 0 || bytes.length < PACKED_HEAD_BYTES) throw damaged(bytes)
  const words = wordsOf(bytes)
  const [count = 0, runs = 0] = words
  const expected = runs === WHOLE ? count * 2 : count + runs * 2
  if (words.length !== HEAD_WORDS + expected || (runs !== WHOLE && runs > count)) throw damaged(bytes)
  const addresses = room !== undefined && room.length >= count ? room.subarray(0, count) : new BigUint64Array(count)
  const pairs = new Uint32Array(addresses.buffer, addresses.byteOffset, count * 2)
  if (runs === WHOLE) {
    pairs.set(words.subarray(HEAD_WORDS))
    return addresses
  }
  let i = 0
  for (let run = HEAD_WORDS + count; run < words.length; run += 2) {
    const upper = words[run]!
    const end = i + words[run + 1]!
    if (end > count) throw damaged(bytes)
    for (; i < end; i++) {
      pairs[2 * i] = words[HEAD_WORDS + i]!
      pairs[2 * i + 1] = upper
    }
  }
  if (i !== count) throw damaged(bytes)
  return addresses
}

/** Where pieces go that do not lie at a whole word, as few do in what came from a socket: one is read at a time. */
let scratch = new Uint32Array(0)

/** Bytes as words, until the next ones are read. */
function wordsOf(bytes: Uint8Array): Uint32Array {
  const count = bytes.length / WORD_BYTES
  if (bytes.byteOffset % WORD_BYTES === 0) return new Uint32Array(bytes.buffer, bytes.byteOffset, count)
  if (scratch.length < count) scratch = new Uint32Array(count)
  new Uint8Array(scratch.buffer).set(bytes)
  return scratch.subarray(0, count)
}

function damaged(bytes: Uint8Array): BadFormatError {
  return new BadFormatError(`${bytes.length} bytes are no packed addresses`)
}
