// The heap of roots: see ../roots.ts.

/** Bits of a name reference that are the root's place in the heap. */
export const ROOT_BITS: u32 = 26
const LONG_ROOT: u32 = 255

export function rootBytes(heap: usize, offset: u32): usize {
  return heap + offset + (load<u8>(heap + offset) === LONG_ROOT ? 3 : 1)
}

export function rootLength(heap: usize, offset: u32): u32 {
  const length = <u32>load<u8>(heap + offset)
  return length === LONG_ROOT ? <u32>load<u16>(heap + offset + 1) : length
}

function sameBytes(a: usize, b: usize, length: u32): bool {
  let i: u32 = 0
  for (; i + 8 <= length; i += 8) if (load<u64>(a + i) !== load<u64>(b + i)) return false
  for (; i < length; i++) if (load<u8>(a + i) !== load<u8>(b + i)) return false
  return true
}

/**
 * The offset of a root in the heap, in which it is entered if it is not there yet; there has to be room. `roots` holds: heap,
 * slots, mask, bytes in the heap, roots in it, the root found last.
 */
export function addRoot(roots: usize, bytes: usize, size: u32, hash: u32): u32 {
  const heap = <usize>load<u32>(roots, 0)
  const slots = <usize>load<u32>(roots, 4)
  const mask = load<u32>(roots, 8)
  // `foo` and `__pfx_foo` stand next to each other.
  const last = load<u32>(roots, 20)
  if (last < load<u32>(roots, 12) && rootLength(heap, last) === size && sameBytes(rootBytes(heap, last), bytes, size)) {
    return last
  }
  let slot = slots + ((hash & mask) << 3)
  for (;;) {
    const known = load<u32>(slot)
    if (known === 0) break
    if (
      load<u32>(slot, 4) === hash &&
      rootLength(heap, known - 1) === size &&
      sameBytes(rootBytes(heap, known - 1), bytes, size)
    ) {
      store<u32>(roots, known - 1, 20)
      return known - 1
    }
    slot = slots + ((<u32>(slot - slots) + 8) & ((mask << 3) | 7))
  }
  const offset = load<u32>(roots, 12)
  store<u32>(roots, offset, 20)
  let at = heap + offset
  if (size < LONG_ROOT) {
    store<u8>(at++, size)
  } else {
    store<u8>(at, LONG_ROOT)
    store<u16>(at + 1, size)
    at += 3
  }
  // Whole words: what is written too much lies behind the heap's end, where there is room.
  for (let i: u32 = 0; i < size; i += 8) store<u64>(at + i, load<u64>(bytes + i))
  store<u32>(roots, <u32>(at - heap) + size, 12)
  store<u32>(roots, load<u32>(roots, 16) + 1, 16)
  store<u32>(slot, offset + 1)
  store<u32>(slot, hash, 4)
  return offset
}

/** Enters the roots of old slots into more of them, which are empty. */
export function rehash(old: usize, count: u32, slots: usize, mask: u32): void {
  for (let i: u32 = 0; i < count; i++) {
    const offset = load<u32>(old + (i << 3))
    if (offset === 0) continue
    const hash = load<u32>(old + (i << 3), 4)
    let slot = hash & mask
    while (load<u32>(slots + (slot << 3)) !== 0) slot = (slot + 1) & mask
    store<u32>(slots + (slot << 3), offset)
    store<u32>(slots + (slot << 3), hash, 4)
  }
}
