// Frames in the kernel's own words: `name+0x10/0x20 [module]`, with or without an address in brackets before it.

import type { RawFrame } from '../../stacks/frame.ts'
import { asText, hexAddress } from '../format.ts'

/** `name+0x10/0x20`, the module with or without a build id, and the letters that newer kernels put behind. */
export const KERNEL_SYMBOL =
  /^([^\s+]+(?: [^\s+]+)*?)\+0x([0-9a-f]+)\/0x([0-9a-f]+)(?: \[([\w-]+)(?: [0-9a-f]+)?\])?(?: +\([A-Z]+\))?$/

/** What the words say; undefined if they are no frame. */
export function kernelSymbol(words: string): Partial<RawFrame> | undefined {
  const found = KERNEL_SYMBOL.exec(words)
  if (found === null) return undefined
  const [, name = '', offset = '', size = '', owner] = found
  return {
    name: asText(name),
    offset: Number.parseInt(offset, 16),
    size: Number.parseInt(size, 16),
    owner,
  }
}

const BRACKETED = /^(\s*\[<)(0|[0-9a-f]{8}|[0-9a-f]{16})>\](?:\s+(\? )?(.*?))?\s*$/

/** A line `[<0>] name+0x10/0x20 [module]` or `[<ffffffff81000000>] ? name+…`; undefined if it is none. */
export function bracketedFrame(text: string): Partial<RawFrame> | undefined {
  const found = BRACKETED.exec(text)
  if (found === null) return undefined
  const [, before = '', digits = '', doubt, words = ''] = found
  const symbol = words === '' ? {} : kernelSymbol(words)
  // /proc/PID/stack of older kernels ends in a line `[<ffffffffffffffff>] 0xffffffffffffffff`.
  if (symbol === undefined && !/^0x[0-9a-f]+$/.test(words)) return undefined
  return {
    ...symbol,
    address: digits === '0' ? undefined : hexAddress(digits),
    reliable: doubt === undefined,
    column: before.length,
    length: digits.length,
  }
}
