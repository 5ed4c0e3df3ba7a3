// The CRC-32 of gzip, eight bytes a step. Addresses are bytes in the memory that it is given, whose first page its tables lie in.

/** Eight tables of 256 words: what a byte does to the sum, with no byte to seven bytes behind it. */
const TABLES: usize = 0
const TABLE: usize = 1024
const POLYNOMIAL: u32 = 0xedb88320

export function makeTables(): void {
  for (let byte: u32 = 0; byte < 256; byte++) {
    let sum = byte
    for (let bit = 0; bit < 8; bit++) sum = sum & 1 ? (sum >>> 1) ^ POLYNOMIAL : sum >>> 1
    store<u32>(TABLES + (byte << 2), sum)
  }
  for (let byte: u32 = 0; byte < 256; byte++) {
    let sum = load<u32>(TABLES + (byte << 2))
    for (let behind: u32 = 1; behind < 8; behind++) {
      sum = effect(0, sum) ^ (sum >>> 8)
      store<u32>(TABLES + behind * TABLE + (byte << 2), sum)
    }
  }
}

/** What the lowest byte of a word does to the sum with so many bytes behind it. */
function effect(behind: usize, word: u32): u32 {
  return load<u32>(TABLES + behind * TABLE + ((word & 255) << 2))
}

export function crc32(at: usize, length: u32): u32 {
  const end = at + length
  let sum: u32 = 0xffffffff
  for (; at + 8 <= end; at += 8) {
    const first = sum ^ load<u32>(at)
    const second = load<u32>(at, 4)
    sum = effect(7, first) ^ effect(6, first >>> 8) ^ effect(5, first >>> 16) ^ effect(4, first >>> 24)
    sum ^= effect(3, second) ^ effect(2, second >>> 8) ^ effect(1, second >>> 16) ^ effect(0, second >>> 24)
  }
  for (; at < end; at++) sum = effect(0, sum ^ load<u8>(at)) ^ (sum >>> 8)
  return ~sum
}
