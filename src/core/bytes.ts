// Names are bytes. This file turns them into strings and back without loss, whatever the bytes are.

import { number, text, wrong } from './arguments.ts'

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const utf8 = new TextEncoder()

/** The lone surrogate that stands for an undecodable byte b is ESCAPE + b, as in Python's PEP 383. */
const ESCAPE = 0xdc00

/**
 * The string for the bytes [start, end). ASCII and valid UTF-8 read as usual; each byte of anything else becomes a lone
 * surrogate U+DC80…U+DCFF, so that `encodeName` gives the same bytes back. Callers pass a Buffer over shared memory.
 */
export function decodeName(bytes: Buffer, start: number, end: number): string {
  if (!Buffer.isBuffer(bytes))
    throw wrong('bytes', 'a Buffer: Buffer.from(array.buffer, array.byteOffset, array.length) makes one', bytes)
  if (typeof start !== 'number') number(start, 'start')
  if (typeof end !== 'number') number(end, 'end')
  // latin1Slice-based toString is several times faster than any decoder, and right unless a byte is above 0x7f.
  const text = bytes.toString('latin1', start, end)
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return decodeBeyondAscii(bytes, start, end)
  return text
}

function decodeBeyondAscii(bytes: Buffer, start: number, end: number): string {
  const copy = Uint8Array.prototype.slice.call(bytes, start, end)
  try {
    return strictUtf8.decode(copy)
  } catch {
    let text = ''
    for (const byte of copy) text += String.fromCharCode(byte > 0x7f ? ESCAPE + byte : byte)
    return text
  }
}

/** The bytes of a name: the inverse of `decodeName`. */
export function encodeName(name: string): Uint8Array {
  if (typeof name !== 'string') text(name, 'name')
  let ascii = true
  for (let i = 0; i < name.length && ascii; i++) ascii = name.charCodeAt(i) <= 0x7f
  if (ascii) return Buffer.from(name, 'latin1')
  // A lone escape means that the whole name was not UTF-8, so each unit is one byte.
  let escaped = false
  for (let i = 0; i < name.length && !escaped; i++) {
    const unit = name.charCodeAt(i)
    const afterHigh = i > 0 && (name.charCodeAt(i - 1) & 0xfc00) === 0xd800
    escaped = unit > ESCAPE + 0x7f && unit <= ESCAPE + 0xff && !afterHigh
  }
  if (!escaped) return utf8.encode(name)
  return Uint8Array.from(name, (unit) => unit.charCodeAt(0) & 0xff)
}
