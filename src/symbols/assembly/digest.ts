// Digests of text: see ../digest.ts.

function wide(high: u32, low: u32): u64 {
  return ((<u64>high) << 32) | <u64>low
}

/**
 * A digest of `length` bytes in four words of 64 bits at `out`. It tells texts apart that nobody has made to look alike: four
 * streams of multiplications, in which a change of any byte changes its stream.
 */
export function digest(text: usize, length: u32, out: usize): void {
  const step = wide(0x9fb21c65, 0x1e98df25)
  let a = wide(0x9e3779b9, 0x7f4a7c15) ^ <u64>length
  let b = wide(0xc2b2ae3d, 0x27d4eb4f)
  let c = wide(0x165667b1, 0x9e3779f9)
  let d = wide(0x27d4eb2f, 0x165667c5)
  const whole = length & ~31
  for (let i: u32 = 0; i < whole; i += 32) {
    a = rotl<u64>((a ^ load<u64>(text + i)) * step, 29)
    b = rotl<u64>((b ^ load<u64>(text + i, 8)) * step, 29)
    c = rotl<u64>((c ^ load<u64>(text + i, 16)) * step, 29)
    d = rotl<u64>((d ^ load<u64>(text + i, 24)) * step, 29)
  }
  for (let i = whole; i < length; i++) a = rotl<u64>((a ^ <u64>load<u8>(text + i)) * step, 29)
  store<u64>(out, a)
  store<u64>(out, b, 8)
  store<u64>(out, c, 16)
  store<u64>(out, d, 24)
}
