// The table back as kallsyms text: bytes for bytes what was read, in table order.

import { encodeName } from '../core/bytes.ts'
import { CORE_OWNER } from './build.ts'
import type { KernelSymbol } from './symbol.ts'

const PIECE = 64 * 1024
/** The longest line: an address, type and separators, a name and an owner of the greatest length. */
const ROOM = 3 * 65_536

/**
 * kallsyms lines of symbols, in pieces of about 64 KiB. Addresses have `digits` hexadecimal digits: 16, or 8 for 32-bit
 * kernels. Each piece is a buffer of its own.
 */
export function* kallsymsText(symbols: Iterable<KernelSymbol>, digits: 8 | 16): Generator<Buffer, void, void> {
  let piece = Buffer.allocUnsafe(PIECE + ROOM)
  let at = 0
  for (const symbol of symbols) {
    at += piece.write(`${symbol.address.toString(16).padStart(digits, '0')} ${symbol.type} `, at, 'latin1')
    const name = encodeName(symbol.name)
    piece.set(name, at)
    at += name.length
    const owner = symbol.owner
    at += piece.write(owner === CORE_OWNER ? '\n' : `\t[${owner}]\n`, at, 'latin1')
    if (at >= PIECE) {
      yield piece.subarray(0, at)
      piece = Buffer.allocUnsafe(PIECE + ROOM)
      at = 0
    }
  }
  if (at > 0) yield piece.subarray(0, at)
}
