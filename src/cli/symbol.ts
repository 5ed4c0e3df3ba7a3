// `kerndex symbol NAME|GLOB…`: where a name is; with `--format kallsyms`, the table or a part of it as text.

import { type Command, Option } from 'commander'
import { formatAddress } from '../core/address.ts'
import { isGlob } from '../core/glob.ts'
import { kallsymsText } from '../symbols/print.ts'
import type { KernelSymbol } from '../symbols/symbol.ts'
import { type SymbolTable, splitQuery } from '../symbols/table.ts'
import { asked } from './input.ts'
import { type CommonOptions, withKernel, withKernelOptions } from './open.ts'
import { write, writeJson, writeRaw } from './output.ts'
import { Unanswered } from './unanswered.ts'

interface SymbolOptions extends CommonOptions {
  readonly format: 'table' | 'kallsyms'
}

export function addSymbolCommand(program: Command): void {
  withKernelOptions(
    program
      .command('symbol')
      .argument('[name...]', 'names or globs, with or without MODULE: in front; without any, lines of stdin')
      .description('where a name is: every symbol of it, with address, type, owner and size')
      .addOption(
        new Option('--format <format>', 'how to print the symbols').choices(['table', 'kallsyms']).default('table'),
      ),
  )
    .addHelpText(
      'after',
      `
A glob knows *, ? and […] and must match the whole name. MODULE:NAME asks for one owner's symbols; vmlinux is the core.

Exit codes: 0 all found, 1 some name has no symbol, 2 wrong usage, 3 the kernel's data cannot be read.

Examples:
  $ kerndex symbol vfs_read
  $ kerndex symbol 'nf_tables:nft_trans_*'
  $ kerndex symbol '*' --format kallsyms > kallsyms.txt
  $ kerndex symbol --json < names.txt`,
    )
    .action(async (args: string[], options: SymbolOptions) => {
      process.exitCode = await withKernel({ ...options, types: false }, async ({ symbols }) => {
        const unanswered = new Unanswered('no symbol', 'names')
        for await (const query of asked(args)) {
          const found = find(symbols, query)
          const any = await (options.json
            ? printJson(query, found)
            : options.format === 'kallsyms'
              ? printKallsyms(found, symbols.addressDigits)
              : printTable(query, found, symbols.addressDigits))
          if (any) unanswered.answered()
          else unanswered.missed(query)
        }
        return unanswered.conclude()
      })
    })
}

/** The symbols that a name or glob, with or without an owner in front, asks for. */
function find(symbols: SymbolTable, query: string): Iterable<KernelSymbol> {
  const { owner, name } = splitQuery(query)
  return isGlob(query) ? symbols.matching(name, { owner }) : symbols.named(name, { owner })
}

async function printJson(query: string, found: Iterable<KernelSymbol>): Promise<boolean> {
  const symbols = Array.from(found, (symbol) => symbol.toJSON())
  await writeJson({ query, symbols })
  return symbols.length > 0
}

async function printKallsyms(found: Iterable<KernelSymbol>, digits: 8 | 16): Promise<boolean> {
  let any = false
  for (const piece of kallsymsText(found, digits)) {
    any = true
    await writeRaw(piece)
  }
  return any
}

async function printTable(query: string, found: Iterable<KernelSymbol>, digits: 8 | 16): Promise<boolean> {
  let any = false
  for (const { address, type, name, owner, size } of found) {
    any = true
    const where = formatAddress(address).slice(0, 2) + formatAddress(address).slice(-Math.max(digits, 8))
    await write(`${where}  ${type}  ${name.padEnd(40)}  0x${size.toString(16).padEnd(6)} [${owner}]\n`)
  }
  if (!any) await write(`${query}  -  (no such symbol)\n`)
  return any
}
