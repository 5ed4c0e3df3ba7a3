// What is done to whole blocks of memory: a checksum, and a number added to each word. Addresses are bytes in the memory that it is given.

const STEP: i32 = 0x9e3779b1

/** A change of any word changes its lane for good, because each step can be undone. */
function mix(sum: v128, words: v128): v128 {
  const mixed = i32x4.mul(v128.xor(sum, words), i32x4.splat(STEP))
  return v128.xor(mixed, i32x4.shr_u(mixed, 15))
}

function mixed(sum: i32, word: i32): i32 {
  const mixed = (sum ^ word) * STEP
  return mixed ^ (mixed >>> 15)
}

function folded(sum: i32, lanes: v128): i32 {
  sum = mixed(sum, i32x4.extract_lane(lanes, 0))
  sum = mixed(sum, i32x4.extract_lane(lanes, 1))
  sum = mixed(sum, i32x4.extract_lane(lanes, 2))
  return mixed(sum, i32x4.extract_lane(lanes, 3))
}

/** The checksum of bytes, of which there are a multiple of 64: see ../checksum.ts. */
export function sum(at: usize, length: usize, seed: i32): i32 {
  let a = i32x4.splat(seed)
  let b = a
  let c = a
  let d = a
  for (const end = at + length; at < end; at += 64) {
    a = mix(a, v128.load(at))
    b = mix(b, v128.load(at, 16))
    c = mix(c, v128.load(at, 32))
    d = mix(d, v128.load(at, 48))
  }
  return folded(folded(folded(folded(0, a), b), c), d)
}

/** Adds a number to each word of bytes, of which there are a multiple of 64. */
export function add(at: usize, length: usize, by: i32): void {
  const all = i32x4.splat(by)
  for (const end = at + length; at < end; at += 16) v128.store(at, i32x4.add(v128.load(at), all))
}
