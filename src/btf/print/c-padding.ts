// What stands in a struct's definition for bits that no member has, where C would not leave them free by itself; as libbpf's btf_dump
// writes it.

/**
 * Unnamed bitfields that bring the next member to its offset where alignment alone would not. `align` is the next
 * member's alignment in bytes; offsets are in bits, `indent` is what stands in front of each, and `spend` is told of many characters
 * before they are written.
 */
export function padding(
  from: number,
  to: number,
  align: number,
  inBitfield: boolean,
  indent: string,
  longBits: number,
  spend: (length: number) => void,
): string {
  if (from >= to) return ''
  let text = ''
  const pads: readonly [string, number][] = [
    ['long', longBits],
    ['int', 32],
    ['short', 16],
    ['char', 8],
  ]
  // The widest type with a boundary in the gap. `char` always has one, or the gap is less than a byte.
  let [type, width] = pads[3]!
  for (const pad of pads) {
    ;[type, width] = pad
    if (roundUp(from, width) <= to) break
  }
  let at = from
  const boundary = roundUp(from, width)
  if (boundary > at && boundary <= to) {
    const reached = boundary === to && roundUp(at, align * 8) !== boundary
    const swallowed = boundary !== to && to - boundary <= boundary - at
    if (inBitfield || reached || swallowed) text += `${indent}${type}: ${inBitfield ? boundary - at : 0};`
    at = boundary
  }
  if (to - at > 8 * width) {
    const whole = Math.floor((to - at) / width)
    spend(whole * (indent.length + type.length + 5))
  }
  for (; to - at >= width; at += width) text += `${indent}${type}: ${width};`
  if (at < to) {
    const rest = to - at
    for (const [name, bits] of pads) if (bits >= rest) type = name
    text += `${indent}${type}: ${rest};`
  }
  return text
}

const roundUp = (value: number, step: number): number => Math.ceil(value / step) * step
