// The order of a table: see ../order.ts.

export function ascendingUntil(high: usize, low: usize, from: u32, to: u32): u32 {
  let lastHigh: u32 = from === 0 ? 0 : load<u32>(high + ((from - 1) << 2))
  let lastLow: u32 = from === 0 ? 0 : load<u32>(low + ((from - 1) << 2))
  for (let i = from; i < to; i++) {
    const h = load<u32>(high + (i << 2))
    const l = load<u32>(low + (i << 2))
    if (h < lastHigh || (h === lastHigh && l < lastLow)) return i
    lastHigh = h
    lastLow = l
  }
  return to
}

/** Fills `source` with the positions from `from` on; `varying` gets the bits in which the halves differ: low, high. */
export function listPositions(high: usize, low: usize, from: u32, to: u32, source: usize, varying: usize): void {
  let varyingHigh: u32 = 0
  let varyingLow: u32 = 0
  const firstHigh = load<u32>(high + (from << 2))
  const firstLow = load<u32>(low + (from << 2))
  for (let i = from; i < to; i++) {
    varyingHigh |= load<u32>(high + (i << 2)) ^ firstHigh
    varyingLow |= load<u32>(low + (i << 2)) ^ firstLow
    store<u32>(source + ((i - from) << 2), i)
  }
  store<u32>(varying, varyingLow)
  store<u32>(varying, varyingHigh, 4)
}

const DIGIT_MASK: u32 = 2047

export function countDigits(column: usize, shift: u32, source: usize, starts: usize, from: u32, to: u32): void {
  for (let i = from; i < to; i++) {
    const digit = (load<u32>(column + (load<u32>(source + (i << 2)) << 2)) >> shift) & DIGIT_MASK
    const at = starts + ((digit + 1) << 2)
    store<u32>(at, load<u32>(at) + 1)
  }
}

export function scatter(
  column: usize,
  shift: u32,
  source: usize,
  target: usize,
  starts: usize,
  from: u32,
  to: u32,
): void {
  for (let i = from; i < to; i++) {
    const position = load<u32>(source + (i << 2))
    const at = starts + (((load<u32>(column + (position << 2)) >> shift) & DIGIT_MASK) << 2)
    const place = load<u32>(at)
    store<u32>(at, place + 1)
    store<u32>(target + (place << 2), position)
  }
}

export function mergeInto(
  order: usize,
  from: u32,
  to: u32,
  high: usize,
  low: usize,
  sorted: u32,
  rest: usize,
  restLength: u32,
  places: usize,
): void {
  let a = load<u32>(places, 0)
  let b = load<u32>(places, 4)
  for (let out = from; out < to; out++) {
    let restFirst = false
    let position: u32 = 0
    if (b < restLength) {
      position = load<u32>(rest + (b << 2))
      if (a >= sorted) restFirst = true
      else {
        const h = load<u32>(high + (position << 2))
        const ha = load<u32>(high + (a << 2))
        restFirst = h < ha || (h === ha && load<u32>(low + (position << 2)) < load<u32>(low + (a << 2)))
      }
    }
    if (restFirst) {
      store<u32>(order + (out << 2), position)
      b++
    } else store<u32>(order + (out << 2), a++)
  }
  store<u32>(places, a, 0)
  store<u32>(places, b, 4)
}
