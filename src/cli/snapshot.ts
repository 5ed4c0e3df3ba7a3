// `kerndex snapshot save|info|verify`: a loaded kernel as one file that every command opens at once.

import type { Command } from 'commander'
import { formatAddress } from '../core/address.ts'
import { type SnapshotInfo, saveSnapshot, snapshotInfo } from '../load/save.ts'
import { compareSnapshots, type SnapshotDifference } from '../snapshot/compare.ts'
import type { KernelSymbol } from '../symbols/symbol.ts'
import { EXIT } from './exit.ts'
import { interrupted } from './interrupt.ts'
import { type CommonOptions, withCommonOptions, withKernel } from './open.ts'
import { fitRows, note, write, writeJson } from './output.ts'

interface SaveOptions extends CommonOptions {
  readonly force?: boolean
}

/** Symbols and names of each list that are printed; --json has all. */
const MOST_LISTED = 10

export function addSnapshotCommand(program: Command): void {
  const snapshot = program.command('snapshot').description('a loaded kernel as one file: save, describe or verify it')
  addSave(snapshot)
  addInfo(snapshot)
  addVerify(snapshot)
}

function addSave(snapshot: Command): void {
  withCommonOptions(
    snapshot
      .command('save')
      .exitOverride()
      .argument('<file>', 'the file to write')
      .description('load a kernel and write it to a file, with its types and what plans of probes need')
      .option('--force', 'replace a file that is there'),
  )
    .addHelpText(
      'after',
      `
The file holds kernel addresses: only you may read it. It can be used on other machines of the same byte order.

Exit codes: 0 written, 2 wrong usage, or a file is there already, 3 the kernel's data cannot be read or written.

Examples:
  $ sudo kerndex snapshot save host.kerndex
  $ kerndex snapshot save host.kerndex --from capture/
  $ kerndex symbol vfs_read --from host.kerndex`,
    )
    .action(async (file: string, options: SaveOptions) => {
      await withKernel({ ...options, types: true, probes: true }, async (kernel) => {
        await saveSnapshot(kernel.snapshot(), file, { replace: options.force === true, signal: interrupted })
      })
      await describe(snapshotInfo(file), options)
    })
}

function addInfo(snapshot: Command): void {
  snapshot
    .command('info')
    .exitOverride()
    .argument('<file>', 'a snapshot file')
    .description('what a snapshot file says of itself')
    .option('--json', 'one JSON object')
    .addHelpText(
      'after',
      `
Only the header is read; \`snapshot verify\` reads everything.

Exit codes: 0 done, 2 wrong usage, 3 the file cannot be read, is damaged or of another version.

Examples:
  $ kerndex snapshot info host.kerndex
  $ kerndex snapshot info host.kerndex --json | jq -r .buildId`,
    )
    .action(async (file: string, options: CommonOptions) => describe(snapshotInfo(file), options))
}

function addVerify(snapshot: Command): void {
  withCommonOptions(
    snapshot
      .command('verify')
      .exitOverride()
      .argument('<file>', 'a snapshot file')
      .description('check that a snapshot file is whole, and say how it differs from a kernel'),
  )
    .addHelpText(
      'after',
      `
Compares with the running kernel, or with what --from names: release, build id and boot id, modules, symbols, types.
Symbols and names with - in front are only in the file, those with + only in the kernel.

Exit codes: 0 no difference, 1 they differ, 2 wrong usage, 3 one of them cannot be read.

Examples:
  $ sudo kerndex snapshot verify host.kerndex
  $ kerndex snapshot verify host.kerndex --from capture/ --json`,
    )
    .action(async (file: string, options: CommonOptions) => {
      process.exitCode = await withKernel({ threads: 0, from: file }, (saved) =>
        withKernel(options, async (kernel) => {
          const difference = compareSnapshots(saved.snapshot(), kernel.snapshot())
          const names = { file, against: kernel.host.source }
          if (options.json) await writeJson({ ...names, ...difference, symbols: symbolsAsJson(difference) })
          else await write(fitRows(inWords(names.file, names.against, difference)))
          if (difference.same) return EXIT.ok
          note(`${file} differs from ${names.against}`)
          return EXIT.notFound
        }),
      )
    })
}

async function describe(info: SnapshotInfo, { json }: CommonOptions): Promise<void> {
  const { path, bytes, version, written, host, symbolBytes, types, facts } = info
  const { source, release, buildId, bootId, modules } = host
  if (json) {
    const loaded = modules?.map(({ name }) => name) ?? null
    const ids = { release: release ?? null, buildId: buildId ?? null, bootId: bootId ?? null }
    return writeJson({ path, bytes, version, written, source, ...ids, symbolBytes, modules: loaded, types, facts })
  }
  const rows = [
    ['snapshot of', source],
    ['release', release ?? 'unknown'],
    ['build id', buildId ?? 'unknown'],
    ['boot id', bootId ?? 'unknown'],
    ['modules', modules === undefined ? 'unknown' : String(modules.length)],
    ['sets of types', String(types.length)],
    ['other files', Object.keys(facts).join(', ') || 'none'],
    ['written', written.toISOString()],
    ['bytes', `${bytes.toLocaleString('en-US')} (symbols ${symbolBytes.toLocaleString('en-US')}), layout ${version}`],
  ]
  return write(fitRows(`${path}\n${rows.map(([name, value]) => `  ${name!.padEnd(14)} ${value}\n`).join('')}`, 15))
}

function symbolsAsJson({ symbols }: SnapshotDifference) {
  const plain = ({ address, type, name, owner }: KernelSymbol) => ({
    address: formatAddress(address),
    type,
    name,
    owner,
  })
  return { gone: symbols.gone.map(plain), fresh: symbols.fresh.map(plain) }
}

function inWords(file: string, against: string, difference: SnapshotDifference): string {
  if (difference.same) return `${file} is whole and says what ${against} says\n`
  const { host, modules, owners, symbols, types } = difference
  const lines = [`${file} differs from ${against}:`]
  for (const { what, before, after } of host) lines.push(`  ${what}  ${before ?? 'unknown'}  ->  ${after ?? 'unknown'}`)
  const list = (what: string, sign: string, names: readonly string[]) => {
    if (names.length === 0) return
    lines.push(`  ${names.length} ${what}`)
    for (const name of names.slice(0, MOST_LISTED)) lines.push(`    ${sign} ${name}`)
    if (names.length > MOST_LISTED) lines.push(`    ${sign} … and ${names.length - MOST_LISTED} more`)
  }
  const symbol = ({ address, type, name, owner }: KernelSymbol) =>
    `${formatAddress(address)} ${type} ${name} [${owner}]`
  list('modules only in the file', '-', modules.gone)
  list('modules only in the kernel', '+', modules.fresh)
  list('modules that lie elsewhere', '~', modules.changed)
  list('owners of symbols only in the file', '-', owners.gone)
  list('owners of symbols only in the kernel', '+', owners.fresh)
  list('symbols only in the file', '-', symbols.gone.map(symbol))
  list('symbols only in the kernel', '+', symbols.fresh.map(symbol))
  list('sets of types only in the file', '-', types.gone)
  list('sets of types only in the kernel', '+', types.fresh)
  list('sets of types that differ', '~', types.changed)
  return `${lines.join('\n')}\n`
}
