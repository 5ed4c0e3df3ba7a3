// The text of a header on its way out: bytes in one buffer, which the caller empties when it is full. The caller also writes the names
// that hold anything but printable ASCII, because their rules are Unicode's.

/** Takes the text up to an address; the buffer is empty then. */
declare function flush(end: usize): void
/** Writes a name that is not plain, behind all that was flushed. */
declare function putEscaped(name: usize): void

/** Bytes that are written at once. */
const MOST_AT_ONCE: usize = 4096

let texts: usize = 0
let start: usize = 0
let end: usize = 0
let at: usize = 0
/** How often the buffer was full. */
export let fillings: u32 = 0

export function openText(table: usize, buffer: usize, bufferEnd: usize): void {
  texts = table
  start = buffer
  end = bufferEnd
  at = buffer
}

/** Hands out what has been written. */
export function empty(): void {
  flush(at)
  at = start
}

function makeRoom(bytes: usize): void {
  if (at + bytes <= end) return
  fillings++
  empty()
}

/** Copies bytes; up to seven more are touched behind them, for which there is room. */
function copy(from: usize, length: usize): void {
  makeRoom(length)
  for (let i: usize = 0; i < length; i += 8) store<u64>(at + i, load<u64>(from + i))
  at += length
}

export function put(byte: u8): void {
  makeRoom(1)
  store<u8>(at++, byte)
}

/** Where one of the texts is, which ends with a zero like a name. */
export function textAt(text: u32): usize {
  return <usize>load<u32>(texts + ((<usize>text) << 3))
}

export function putText(text: u32): void {
  copy(textAt(text), <usize>load<u32>(texts + ((<usize>text) << 3), 4))
}

export function putName(name: usize): void {
  let length: usize = 0
  let odd: u32 = 0
  for (let byte = <u32>load<u8>(name); byte !== 0; byte = <u32>load<u8>(name + length)) {
    odd |= u32(byte - 0x20 > 0x5e)
    length++
  }
  if (odd !== 0) {
    empty()
    putEscaped(name)
    return
  }
  for (let done: usize = 0; done < length; done += MOST_AT_ONCE) {
    copy(name + done, min(length - done, MOST_AT_ONCE))
  }
}

export function putNumber(value: u64): void {
  let digits: usize = 1
  for (let rest = value; rest > 9; rest /= 10) digits++
  makeRoom(digits)
  let rest = value
  for (let to = at + digits; to > at; rest /= 10) store<u8>(--to, 0x30 + <u8>(rest % 10))
  at += digits
}

export function putSigned(value: i64): void {
  if (value < 0) put(0x2d)
  putNumber(value < 0 ? 0 - <u64>value : <u64>value)
}

/** A new line with its indentation; libbpf stops at thirteen tabs. */
export function putLine(level: u32): void {
  const tabs = min<usize>(<usize>level, 13)
  makeRoom(tabs + 1)
  store<u8>(at++, 0x0a)
  for (let i: usize = 0; i < tabs; i++) store<u8>(at++, 0x09)
}
