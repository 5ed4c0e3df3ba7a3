// Damage to blobs, repeatable from a seed.

const INTERESTING = [0, 1, 2, 3, 4, 7, 31, 32, 64, 0xff, 0xffff, 0x10000, 0xffffff, 0x1000000, 0x7fffffff, 0xffffffff]

/** Changes a few bytes or words, mostly in the header and the types; sometimes cuts or repeats a part. */
export function mutate(bytes: Buffer, next: (below: number) => number): Buffer {
  const copy = Buffer.from(bytes)
  const typesEnd = Math.min(copy.length, 24 + (copy.length >= 16 ? copy.readUInt32LE(12) : 0))
  for (let i = next(4); i >= 0; i--) {
    const at = next(8) === 0 ? next(Math.min(32, copy.length)) : next(next(3) === 0 ? copy.length : typesEnd)
    const word = at & ~3
    switch (next(6)) {
      case 0:
        copy[at] = next(256)
        break
      case 1:
        copy[at]! ^= 1 << next(8)
        break
      case 2:
        if (word + 4 <= copy.length) copy.writeUInt32LE(INTERESTING[next(INTERESTING.length)]!, word)
        break
      case 3:
        // A plausible type id or name offset.
        if (word + 4 <= copy.length) copy.writeUInt32LE(next(copy.length), word)
        break
      case 4:
        // Another kind.
        if (word + 4 <= copy.length) copy.writeUInt32LE(((next(22) << 24) | next(4)) >>> 0, word)
        break
      default: {
        const from = next(copy.length)
        copy.copy(copy, at, from, Math.min(from + 4 * next(16), copy.length))
      }
    }
  }
  return next(20) === 0 ? copy.subarray(0, next(copy.length)) : copy
}
