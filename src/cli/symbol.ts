// `kerndex symbol NAME|GLOB…`: where a name is; with `--format kallsyms`, the table or a part of it as text.

import type { Command } from 'commander'
import type { Placement, UnplacedSymbol } from '../catalog/place.ts'
import { formatAddress } from '../core/address.ts'
import { UsageError } from '../core/errors.ts'
import { isGlob } from '../core/glob.ts'
import { printable } from '../core/printable.ts'
import { kallsymsText } from '../symbols/print.ts'
import type { KernelSymbol } from '../symbols/symbol.ts'
import { type SymbolTable, splitQuery } from '../symbols/table.ts'
import { asked } from './input.ts'
import { type CommonOptions, withKernel, withKernelOptions } from './open.ts'
import { fitRows, writeJson, writeRaw } from './output.ts'
import { type Field, formatHelp, rowFormat } from './rows.ts'
import { columnsOf } from './terminal.ts'
import { Unanswered } from './unanswered.ts'
import { whyNoSymbol } from './unknown.ts'

interface SymbolOptions extends CommonOptions {
  readonly format?: string
}

const OWN_FORMATS = ['table', 'kallsyms']

/** A symbol that was found, or a query for which there is none. */
interface Row {
  readonly query: string
  readonly symbol: KernelSymbol | undefined
  /** One that has no address. */
  readonly unplaced?: UnplacedSymbol | undefined
}

function printed(word: string | undefined): string | undefined {
  return word === undefined ? undefined : printable(word)
}

/** The fields of a symbol, in the order of columns. */
const SYMBOL_FIELDS: readonly Field<Row>[] = [
  { name: 'address', value: ({ symbol }) => symbol && formatAddress(symbol.address) },
  { name: 'type', value: ({ symbol, unplaced }) => (symbol ?? unplaced)?.type },
  { name: 'name', value: ({ symbol, unplaced }) => printed((symbol ?? unplaced)?.name) },
  { name: 'owner', value: ({ symbol, unplaced }) => printed((symbol ?? unplaced)?.owner) },
  {
    name: 'size',
    value: ({ symbol }) => symbol?.size.toString(),
    words: ({ symbol }) => symbol && `0x${symbol.size.toString(16)}`,
  },
  { name: 'query', value: ({ query }) => printable(query) },
]

export function addSymbolCommand(program: Command): void {
  withKernelOptions(
    program
      .command('symbol')
      .argument('[name...]', 'names or globs, with or without MODULE: in front; without any, lines of stdin')
      .description('where a name is: every symbol of it, with address, type, owner and size')
      .option('--format <format>', 'table, kallsyms, csv, tsv, or a template such as "{address} {name}"', 'table'),
  )
    .addHelpText(
      'after',
      `
A glob knows *, ? and […] and must match the whole name. MODULE:NAME asks for one owner's symbols; vmlinux is the core.

--format: ${formatHelp(SYMBOL_FIELDS)}

Exit codes: 0 all found, 1 some name has no symbol, 2 wrong usage, 3 the kernel's data cannot be read.

Examples:
  $ kerndex symbol vfs_read
  $ kerndex symbol 'virtio_pci:vp_*'
  $ kerndex symbol '*' --format kallsyms > kallsyms.txt
  $ kerndex symbol 'virtqueue_*' --format csv > symbols.csv
  $ kerndex symbol --json < names.txt`,
    )
    .action(async (args: string[], options: SymbolOptions) => {
      const rows = rowFormat(options.format, SYMBOL_FIELDS, OWN_FORMATS)
      if (rows !== undefined && options.json) throw new UsageError('--json and --format exclude each other: choose one')
      process.exitCode = await withKernel({ ...options, types: false }, async ({ symbols, host }) => {
        const unanswered = new Unanswered('no symbol', ['name', 'names'])
        if (rows !== undefined) await writeRaw(rows.head)
        for await (const query of asked(args)) {
          const found = find(symbols, query)
          // Symbols without an address are shown where they are asked for by name.
          const without = options.format === 'kallsyms' ? [] : unplacedNamed(host.placement, query)
          const any = await (options.json
            ? printJson(query, found, without)
            : options.format === 'kallsyms'
              ? printKallsyms(found, symbols.addressDigits)
              : printLines(query, found, without, rows?.line ?? tableLine(symbols.addressDigits)))
          if (any) unanswered.answered()
          else {
            const { owner, name } = splitQuery(query)
            unanswered.missed(query, whyNoSymbol(symbols, owner, name))
          }
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

/** The symbols of a name that a catalogue could not place. */
function unplacedNamed(placement: Placement | undefined, query: string): readonly UnplacedSymbol[] {
  const { owner, name } = splitQuery(query)
  return (placement?.unplaced ?? []).filter((one) => one.name === name && (owner === undefined || one.owner === owner))
}

async function printJson(
  query: string,
  found: Iterable<KernelSymbol>,
  without: readonly UnplacedSymbol[],
): Promise<boolean> {
  const placed = Array.from(found, (symbol) => symbol.toJSON())
  const symbols = [
    ...placed,
    ...without.map(({ name, owner, type }) => ({ address: null, type, name, owner, size: 0 })),
  ]
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

/** Letters of lines that are written at once. */
const PIECE = 1 << 16

async function printLines(
  query: string,
  found: Iterable<KernelSymbol>,
  without: readonly UnplacedSymbol[],
  line: (row: Row) => string,
): Promise<boolean> {
  let any = false
  let text = ''
  for (const symbol of found) {
    any = true
    text += line({ query, symbol })
    if (text.length < PIECE) continue
    await writeRaw(text)
    text = ''
  }
  for (const unplaced of without) text += line({ query, symbol: undefined, unplaced })
  any ||= without.length > 0
  if (!any) text = line({ query, symbol: undefined })
  if (text !== '') await writeRaw(text)
  return any
}

/** Columns for names, where a terminal is wide enough; what stands beside them takes up to so many more. */
const NAME_COLUMNS = 40
const BESIDE_NAMES = 46

/** Aligned columns for people. */
function tableLine(digits: 8 | 16): (row: Row) => string {
  const width = Math.max(1, Math.min(NAME_COLUMNS, (columnsOf('stdout') ?? Number.POSITIVE_INFINITY) - BESIDE_NAMES))
  return ({ query, symbol, unplaced }) => {
    if (unplaced !== undefined) {
      const { type, name, owner } = unplaced
      return `${'-'.padEnd(digits + 2)}  ${type}  ${printable(name).padEnd(width)}  ${'-'.padEnd(8)} [${printable(owner)}]\n`
    }
    if (symbol === undefined) return `${printable(query)}  -  (no such symbol)\n`
    const { address, type, name, owner, size } = symbol
    const where = `0x${formatAddress(address).slice(-digits)}`
    return fitRows(
      `${where}  ${type}  ${printable(name).padEnd(width)}  0x${size.toString(16).padEnd(6)} [${printable(owner)}]\n`,
    )
  }
}
