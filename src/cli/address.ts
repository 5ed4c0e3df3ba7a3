// `kerndex address ADDR…`: what is at an address.

import type { Command } from 'commander'
import { UsageError } from '../core/errors.ts'
import type { Kernel } from '../kernel.ts'
import { isSnapshotFile } from '../snapshot/read.ts'
import { symbolsAround } from '../snapshot/stored-symbols.ts'
import { type Pasted, PastedReader, readPasted } from '../stacks/pasted.ts'
import type { SymbolTable } from '../symbols/table.ts'
import { ADDRESS_FIELDS, AnswerWriter, asJson, asText } from './address-answers.ts'
import { EXIT } from './exit.ts'
import { askedText } from './input.ts'
import { type CommonOptions, withKernel, withKernelOptions } from './open.ts'
import { note, writeRaw } from './output.ts'
import { formatHelp, rowFormat } from './rows.ts'
import { isSettled } from './settled.ts'
import { Unanswered } from './unanswered.ts'

interface AddressOptions extends CommonOptions {
  readonly format?: string
}

export function addAddressCommand(program: Command): void {
  withKernelOptions(
    program
      .command('address')
      .argument('[addr...]', 'addresses, or names with offsets; without any, text of stdin')
      .description('what is at an address: symbol, offset, size, owner, aliases')
      .option('--format <format>', 'csv, tsv, or a template such as "{address} {symbol}+{offset}"'),
  )
    .addHelpText(
      'after',
      `
Prints symbol+offset/size [owner] as the kernel does, then the aliases. Where memory of several owners overlaps, all
candidates are given, the one that owns the memory first.

Addresses have up to 16 hexadecimal digits, with or without 0x, and may stand as they were pasted: ffffffff81001010:,
[<ffffffff81001010>], several to a line, with commas. vfs_read+0x10/0x360, nf_tables:nft_do_chain+16 and name+0x10 [module]
stand for that address of every symbol of the name, of the size and the module that are given; --json has them as "query".
What is neither is told and passed over.

--format: ${formatHelp(ADDRESS_FIELDS)}

Exit codes: 0 all found, 1 some address has no symbol or is none, 2 wrong usage, 3 the kernel's data cannot be read.

Examples:
  $ kerndex address 0xffffffff8ab669e8
  $ kerndex address ffffffff8ab669e8 --json
  $ kerndex address 'vfs_read+0x10/0x310' '[<ffffffff8ab669e8>]'
  $ kerndex address --format '{address} {symbol}+{offset}' < addresses.txt
  $ cut -d' ' -f1 addresses.txt | kerndex address --from capture/ --format csv`,
    )
    .action(async (args: string[], options: AddressOptions) => {
      if (args.some((arg) => arg.trim() === '')) throw new UsageError(notAnAddress(''))
      // A module's name may be an argument of its own behind its symbol's.
      const places = args.length === 0 ? [] : readPasted(args.join(' '))
      for (const place of places) {
        if (typeof place === 'object' && 'bad' in place) throw new UsageError(notAnAddress(place.bad))
      }
      const rows = rowFormat(options.format, ADDRESS_FIELDS)
      if (rows !== undefined && options.json) throw new UsageError('--json and --format exclude each other: choose one')
      const answer = async (symbols: SymbolTable, kernel?: Kernel): Promise<number> => {
        const unanswered = new Unanswered('no symbol', ['address', 'addresses'])
        const readers = (symbols: SymbolTable) => ({
          reader: new PastedReader(symbols),
          writer: new AnswerWriter(symbols, rows?.line ?? (options.json ? asJson : asText), unanswered),
        })
        let { reader, writer } = readers(symbols)
        let strange = 0
        if (rows !== undefined && rows.head !== '') await writeRaw(rows.head)
        for await (const text of askedText(args)) {
          let batch = reader.read(text)
          if (kernel?.provisional && !isSettled(batch, kernel)) {
            await kernel.verified()
            ;({ reader, writer } = readers(kernel.symbols))
            batch = reader.read(text)
          }
          if (strange === 0 && batch.bad.length > 0) note(notAnAddress(batch.bad[0]!))
          strange += batch.bad.length
          for (const piece of writer.answers(batch)) await writeRaw(piece)
        }
        if (strange > 1)
          note(strange === 2 ? '1 more word is no address' : `${strange - 1} more words are no addresses`)
        return Math.max(unanswered.conclude(), strange > 0 ? EXIT.notFound : EXIT.ok)
      }
      const around = symbolsOfFew(options.from, places)
      process.exitCode =
        around === undefined
          ? await withKernel({ ...options, types: false, checksItself: true }, (kernel) =>
              answer(kernel.symbols, kernel),
            )
          : await answer(around)
    })
}

/** Addresses up to which little of a snapshot file is looked at. */
const FEW_ADDRESSES = 16

/** The symbols of a snapshot file, if there is no need to read them all. */
function symbolsOfFew(from: string | undefined, places: readonly Pasted[]): SymbolTable | undefined {
  if (from === undefined || places.length === 0 || places.length > FEW_ADDRESSES) return undefined
  const addresses = places.filter((place) => typeof place === 'bigint')
  return addresses.length === places.length && isSnapshotFile(from) ? symbolsAround(from, addresses) : undefined
}

/** Letters of a word that are repeated. */
const MOST_REPEATED = 60

function notAnAddress(text: string): string {
  const shown = text.length > MOST_REPEATED ? `${text.slice(0, MOST_REPEATED)}…` : text
  return (
    `${JSON.stringify(shown)} is no address: up to 16 hexadecimal digits are needed, with or without 0x, or NAME+OFFSET; ` +
    'kerndex symbol says where a name is, kerndex resolve reads whole logs'
  )
}
