// The verifier's own lists of functions, read where the kernel's symbols have them.
//
// BTF_SET_START (include/linux/btf_ids.h) makes a symbol of a list's name, and one `__BTF_ID__func__NAME__NUMBER` for each
// member behind it. A kernel that lists its data symbols so says itself what it refuses, whatever was added or taken over from
// later versions.

import type { SymbolTable } from '../symbols/table.ts'

const MEMBER = '__BTF_ID__func__'
/** Members that are read at most: the kernel's lists have tens. */
const MOST_MEMBERS = 4096

/** The functions in a list of the core; undefined where the symbols do not have it. */
export function denyList(symbols: SymbolTable, name: string): ReadonlySet<string> | undefined {
  const [head] = symbols.named(name, { owner: 'vmlinux' })
  if (head === undefined) return undefined
  let at = head.id
  // The list's own names come first: the one that was looked for, and `__BTF_ID__set__NAME` at the same address.
  while (at < symbols.size && symbols.addressOf(at) === head.address) at++
  const members = new Set<string>()
  for (; at < symbols.size && members.size < MOST_MEMBERS; at++) {
    const member = memberOf(symbols.nameOf(at))
    if (member === undefined) break
    members.add(member)
  }
  return members.size === 0 ? undefined : members
}

/** The function that a member's symbol stands for. */
function memberOf(symbol: string): string | undefined {
  if (!symbol.startsWith(MEMBER)) return undefined
  let end = symbol.length
  while (end > 0 && symbol.charCodeAt(end - 1) >= 0x30 && symbol.charCodeAt(end - 1) <= 0x39) end--
  return symbol.slice(MEMBER.length, symbol.endsWith('__', end) ? end - 2 : end)
}
