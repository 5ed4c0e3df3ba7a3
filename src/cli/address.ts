// `kerndex address ADDR…`: what is at an address.

import type { Command } from 'commander'
import { formatAddress, parseAddress } from '../core/address.ts'
import { UsageError } from '../core/errors.ts'
import type { SymbolMatch } from '../symbols/symbol.ts'
import { EXIT } from './exit.ts'
import { asked } from './input.ts'
import { type CommonOptions, withKernel, withKernelOptions } from './open.ts'
import { note, write, writeJson } from './output.ts'
import { Unanswered } from './unanswered.ts'

export function addAddressCommand(program: Command): void {
  withKernelOptions(
    program
      .command('address')
      .argument('[addr...]', 'hexadecimal addresses; without any, lines of stdin')
      .description('what is at an address: symbol, offset, size, owner, aliases'),
  )
    .addHelpText(
      'after',
      `
Prints symbol+offset/size [owner] as the kernel does, then the aliases. Where memory of several owners overlaps, all
candidates are given, the one that owns the memory first.

Exit codes: 0 all found, 1 some address has no symbol, 2 wrong usage, 3 the kernel's data cannot be read.

Examples:
  $ kerndex address 0xffffffff81000018
  $ kerndex address ffffffff81000018 --json
  $ cut -d' ' -f1 addresses.txt | kerndex address --from capture/`,
    )
    .action(async (args: string[], options: CommonOptions) => {
      for (const text of args) {
        if (parseAddress(text) === undefined) throw new UsageError(notAnAddress(text))
      }
      process.exitCode = await withKernel({ ...options, types: false }, async ({ symbols }) => {
        const unanswered = new Unanswered('no symbol', 'addresses')
        let strange = 0
        for await (const text of asked(args)) {
          const address = parseAddress(text)
          if (address === undefined) {
            if (strange++ === 0) note(notAnAddress(text))
            continue
          }
          const match = symbols.at(address)
          const reason = match === undefined ? symbols.reasonFor(address) : null
          if (match === undefined) unanswered.missed(formatAddress(address), reason ?? undefined)
          else unanswered.answered()
          await (options.json ? writeJson(asJson(address, match, reason)) : write(asText(address, match, reason)))
        }
        if (strange > 1) note(`${strange - 1} more lines are no addresses`)
        return Math.max(unanswered.conclude(), strange > 0 ? EXIT.notFound : EXIT.ok)
      })
    })
}

function notAnAddress(text: string): string {
  return `${JSON.stringify(text)} is no address: up to 16 hexadecimal digits are needed, with or without 0x`
}

function asJson(address: bigint, match: SymbolMatch | undefined, reason: string | null) {
  return {
    address: formatAddress(address),
    symbol: match?.symbol.name ?? null,
    offset: match?.offset ?? null,
    size: match?.size ?? null,
    owner: match?.symbol.owner ?? null,
    type: match?.symbol.type ?? null,
    aliases: match?.aliases.map(({ name }) => name) ?? [],
    candidates:
      match?.candidates.map(({ symbol, offset }) => ({ symbol: symbol.name, offset, owner: symbol.owner })) ?? [],
    reason,
  }
}

function asText(address: bigint, match: SymbolMatch | undefined, reason: string | null): string {
  const head = formatAddress(address)
  if (match === undefined) return `${head}  -  (${reason})\n`
  const { symbol, offset, size, aliases, candidates } = match
  const also = aliases.length > 0 ? `  = ${aliases.map(({ name }) => name).join(', ')}` : ''
  const others = candidates
    .slice(1)
    .map((other) => `${' '.repeat(head.length)}  or ${inWords(other.symbol, other.offset)}\n`)
    .join('')
  return `${head}  ${inWords(symbol, offset, size)}${also}\n${others}`
}

function inWords(symbol: { name: string; owner: string }, offset: number, size?: number): string {
  const stretch = size === undefined ? '' : `/0x${size.toString(16)}`
  const owner = symbol.owner === 'vmlinux' ? '' : ` [${symbol.owner}]`
  return `${symbol.name}+0x${offset.toString(16)}${stretch}${owner}`
}
