// A table against the text that it was made of: every symbol, in order. Pure.
import { encodeName, type SymbolTable } from 'kerndex'
import type { Outcome } from './outcome.ts'

/** Hexadecimal digits of an address in the text. */
const DIGITS = 16

/** The text's lines by address; lines of one address stay in the order of the text, as they do in a table. */
export function linesByAddress(text: Buffer): string[] {
  const lines = text.toString('latin1').trimEnd().split('\n')
  const keys = lines.map((line) => line.slice(0, DIGITS))
  const order = lines.map((_, i) => i)
  // Sorting keeps the order of equals, and is quick where most of it is sorted already.
  order.sort((a, b) => (keys[a]! < keys[b]! ? -1 : keys[a]! > keys[b]! ? 1 : 0))
  return order.map((i) => lines[i]!)
}

/** Whether a table has the lines of the text, each once, and no others. */
export function compareTable(how: string, expected: readonly string[], symbols: SymbolTable): Outcome {
  const outcome = { check: 'table = text', class: how, kernel: `${expected.length} lines` }
  for (let i = 0; i < Math.max(expected.length, symbols.size); i++) {
    const mine = i < symbols.size ? lineOf(symbols, i) : 'nothing'
    if (mine === expected[i]) continue
    const subject = `${how}: line ${i} by address: the kernel ${expected[i] ?? 'nothing'}, kerndex ${mine}`
    return { ...outcome, kerndex: `${symbols.size} symbols, differing`, wrong: true, subject }
  }
  return { ...outcome, kerndex: 'the same', wrong: false, subject: '' }
}

function lineOf(symbols: SymbolTable, id: number): string {
  const address = symbols.addressOf(id).toString(16).padStart(DIGITS, '0')
  const name = Buffer.from(encodeName(symbols.nameOf(id))).toString('latin1')
  const owner = symbols.ownerOf(id)
  return `${address} ${symbols.typeOf(id)} ${name}${owner === 'vmlinux' ? '' : `\t[${owner}]`}`
}
