// `kerndex catalog add|list|info|export|import|remove|prune`: tables of kernel and module builds that are good on every host and boot.

import { type Command, InvalidArgumentError } from 'commander'
import { printable } from '../core/printable.ts'
import type { CatalogEntry } from '../load/catalog-travel.ts'
import { type Catalog, openCatalog } from '../open-catalog.ts'
import { writeFileSafely } from '../sources/write-file.ts'
import { EXIT } from './exit.ts'
import { interrupted } from './interrupt.ts'
import { note, write, writeJson } from './output.ts'
import { columnsOf } from './terminal.ts'

interface CatalogCommandOptions {
  readonly catalog?: string
  readonly json?: boolean
  readonly force?: boolean
  readonly maxBytes?: number
}

const WHERE = `
The catalogue is $XDG_CACHE_HOME/kerndex-catalog or ~/.cache/kerndex-catalog, or what --catalog names. It holds no addresses of
any host: it may be shared, and read by others than its owner.`

export function addCatalogCommand(program: Command): void {
  const catalog = program.command('catalog').description('tables of kernel and module builds, for every host and boot')
  addAdd(catalog)
  addList(catalog)
  addInfo(catalog)
  addTravel(catalog)
  addElf(catalog)
  addRemove(catalog)
}

function addAdd(catalog: Command): void {
  withOptions(
    catalog
      .command('add')
      .argument('[source...]', 'captures or snapshot files; without any, the running kernel')
      .description('split hosts into their kernel and modules, and keep what is new'),
  )
    .addHelpText(
      'after',
      `
A kernel is known by its build id; a module by its own, or by the version of its sources, or else by its name within that
kernel. Adding the same again changes nothing. Two hosts that disagree about one build are an error that names the symbol.
${WHERE}

Exit codes: 0 added, 1 some module was left out, 2 wrong usage, 3 a source cannot be read, or contradicts the catalogue.

Examples:
  $ sudo kerndex catalog add
  $ kerndex catalog add capture/ host.kerndex --catalog /srv/kernels
  $ kerndex catalog add capture.tar.gz --json`,
    )
    .action(async (sources: string[], options: CatalogCommandOptions) => {
      const files = await open(options)
      for (const source of sources.length === 0 ? [undefined] : sources) {
        const { buildId, release, added, known, skipped } = await files.add(source, { signal: interrupted })
        const from = source ?? 'the running kernel'
        if (options.json)
          await writeJson({ source: source ?? null, buildId, release: release ?? null, added, known, skipped })
        else {
          const what = `${count(added.length, 'entry', 'entries')} added, ${known} known`
          await write(`${printable(from)}: ${release ?? 'unknown release'} ${buildId}: ${what}\n`)
        }
        if (skipped.length === 0) continue
        const [first] = skipped
        const more = skipped.length > 1 ? `, and ${skipped.length - 1} more` : ''
        note(`${from}: no entry of ${first!.module} (${first!.reason})${more}`)
        process.exitCode = EXIT.notFound
      }
    })
}

function addList(catalog: Command): void {
  withOptions(catalog.command('list').description('the entries, by kernel'))
    .addHelpText(
      'after',
      `${WHERE}

Exit codes: 0 done, 2 wrong usage, 3 the catalogue cannot be read.

Examples:
  $ kerndex catalog list
  $ kerndex catalog list --json | jq -r 'select(.kind == "vmlinux") | .buildId'`,
    )
    .action(async (options: CatalogCommandOptions) => {
      const files = await open(options)
      const entries = await files.list()
      if (options.json) {
        for (const entry of entries) await writeJson(asJson(entry))
        return
      }
      if (entries.length === 0) await write(`nothing in ${files.directory}\n`)
      for (const entry of entries) await write(inWords(entry))
    })
}

function addInfo(catalog: Command): void {
  withOptions(
    catalog
      .command('info')
      .argument('<buildId...>', 'build ids of kernels or modules')
      .description('what the catalogue knows of a build'),
  )
    .addHelpText(
      'after',
      `${WHERE}

Exit codes: 0 all are there, 1 some are not, 2 wrong usage, 3 the catalogue cannot be read.

Examples:
  $ kerndex catalog info eb4fbcd037e7253717950bf2b93bd5566f47c56f`,
    )
    .action(async (ids: string[], options: CatalogCommandOptions) => {
      const files = await open(options)
      const all = await files.list()
      for (const id of ids) {
        const build = await files.build(id, { signal: interrupted })
        const entry = all.find(({ buildId }) => buildId === id.toLowerCase())
        if (build === undefined || entry === undefined) {
          note(unknownBuild(id, files))
          process.exitCode = EXIT.notFound
          continue
        }
        const modules = build.kind === 'vmlinux' ? all.filter(({ kernel }) => kernel === build.kernel).length - 1 : null
        const { kind, name, kernel, release = null, origin } = build
        const symbols = [...build].length
        const rest = { kernel, release, origin, symbols, modules, path: entry.path, bytes: entry.bytes }
        if (options.json) await writeJson({ kind, name, buildId: id.toLowerCase(), ...rest, written: entry.written })
        else {
          const rows = Object.entries({ ...rest, written: entry.written.toISOString() })
          const lines = rows.map(([key, value]) => `  ${key.padEnd(10)} ${value ?? '-'}\n`)
          await write(`${name} ${id.toLowerCase()}\n${lines.join('')}`)
        }
      }
    })
}

function addTravel(catalog: Command): void {
  withOptions(
    catalog
      .command('export')
      .argument('<file>', 'the archive to write, its name ending in .tar.gz')
      .argument('[buildId...]', 'kernels, with their modules, or modules; without any, everything')
      .option('--force', 'replace a file that is there')
      .description('write entries to an archive that any catalogue takes in'),
  )
    .addHelpText(
      'after',
      `${WHERE}

Exit codes: 0 written, 1 a build is not there, or none is, 2 wrong usage, or a file is there already, 3 something cannot be read
or written.

Examples:
  $ kerndex catalog export kernels.tar.gz
  $ kerndex catalog export debian.tar.gz eb4fbcd037e7253717950bf2b93bd5566f47c56f --force`,
    )
    .action(async (file: string, ids: string[], options: CatalogCommandOptions) => {
      const files = await open(options)
      const buildIds = ids.length === 0 ? undefined : ids
      const written = await files.export(file, { buildIds, replace: options.force === true, signal: interrupted })
      if (options.json) for (const entry of written) await writeJson(asJson(entry))
      else await write(`${printable(file)}: ${count(written.length, 'entry', 'entries')}\n`)
    })
  withOptions(
    catalog
      .command('import')
      .argument('<file...>', 'archives that `catalog export` wrote, or directories of other catalogues')
      .description('take in the entries of an archive'),
  )
    .addHelpText(
      'after',
      `
Entries are checked against those that are there, as \`catalog add\` does.
${WHERE}

Exit codes: 0 done, 2 wrong usage, 3 one of them cannot be read, is damaged, or contradicts the catalogue.

Examples:
  $ kerndex catalog import kernels.tar.gz
  $ kerndex catalog import /srv/kernels --catalog ~/kernels`,
    )
    .action(async (paths: string[], options: CatalogCommandOptions) => {
      const files = await open(options)
      for (const path of paths) {
        const { added, known } = await files.import(path, { signal: interrupted })
        if (options.json) await writeJson({ file: path, added, known })
        else await write(`${printable(path)}: ${count(added.length, 'entry', 'entries')} added, ${known} known\n`)
      }
    })
}

function addElf(catalog: Command): void {
  withOptions(
    catalog
      .command('elf')
      .argument('<buildId>', 'a kernel or a module')
      .argument('<file>', 'the file to write')
      .option('--force', 'replace a file that is there')
      .description('write the text symbols of a build as an ELF file, for nm, addr2line and debuggers'),
  )
    .addHelpText(
      'after',
      `
The file has the build id and the text's symbols: no code, no lines. A kernel's addresses are those at which it is linked.
${WHERE}

Exit codes: 0 written, 1 the build is not there, 2 wrong usage, or a file is there already, 3 it cannot be read or written.

Examples:
  $ kerndex catalog elf eb4fbcd037e7253717950bf2b93bd5566f47c56f vmlinux.elf && nm vmlinux.elf`,
    )
    .action(async (id: string, file: string, options: CatalogCommandOptions) => {
      const files = await open(options)
      const build = await files.build(id, { signal: interrupted })
      if (build === undefined) {
        note(unknownBuild(id, files))
        process.exitCode = EXIT.notFound
        return
      }
      const bytes = build.elf()
      await writeFileSafely(file, bytes, {
        secret: false,
        special: 'write into',
        replace: options.force === true,
        signal: interrupted,
      })
      const { kind, name } = build
      if (options.json) await writeJson({ file, kind, name, buildId: id.toLowerCase(), bytes: bytes.length })
      else await write(`${printable(file)}: ${name}, ${bytes.length} bytes\n`)
    })
}

function addRemove(catalog: Command): void {
  withOptions(
    catalog
      .command('remove')
      .argument('<buildId...>', 'kernels, which go with their modules, or modules')
      .description('remove builds'),
  )
    .addHelpText(
      'after',
      `${WHERE}

Exit codes: 0 removed, 1 some build is not there, 2 wrong usage, 3 it cannot be removed.

Examples:
  $ kerndex catalog remove eb4fbcd037e7253717950bf2b93bd5566f47c56f`,
    )
    .action(async (ids: string[], options: CatalogCommandOptions) => {
      const files = await open(options)
      const there = new Set((await files.list()).flatMap(({ buildId, kernel }) => [buildId, kernel]))
      for (const id of ids) {
        if (!there.has(id.toLowerCase())) {
          note(unknownBuild(id, files))
          process.exitCode = EXIT.notFound
          continue
        }
        const removed = await files.remove(id)
        if (options.json) for (const entry of removed) await writeJson(asJson(entry))
        else await write(`${count(removed.length, 'entry', 'entries')} removed\n`)
      }
    })
  withOptions(
    catalog
      .command('prune')
      .requiredOption('--max-bytes <n>', 'the most bytes that all files may have', bytes)
      .description('remove the kernels that were used longest ago, until the rest fits'),
  )
    .addHelpText(
      'after',
      `${WHERE}

Exit codes: 0 done, 2 wrong usage, 3 something cannot be removed.

Examples:
  $ kerndex catalog prune --max-bytes 100000000`,
    )
    .action(async (options: CatalogCommandOptions) => {
      const files = await open(options)
      const removed = await files.prune(options.maxBytes ?? 0)
      if (options.json) for (const buildId of removed) await writeJson({ buildId })
      else await write(`${count(removed.length, 'kernel', 'kernels')} removed from ${files.directory}\n`)
    })
}

function withOptions(command: Command): Command {
  return command
    .exitOverride()
    .option('--catalog <dir>', 'the catalogue in this directory')
    .option('--json', 'one JSON object a line')
}

function open({ catalog }: CatalogCommandOptions): Promise<Catalog> {
  return openCatalog({ directory: catalog })
}

function bytes(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('a whole number of bytes is needed.')
  return Number(text)
}

function unknownBuild(id: string, { directory }: Catalog): string {
  return `no build ${printable(id)} in ${printable(directory)}: kerndex catalog list shows the build ids that are there`
}

function count(number: number, one: string, many: string): string {
  return `${number} ${number === 1 ? one : many}`
}

function asJson({ kind, name, buildId, srcversion, kernel, path, bytes: size, written }: CatalogEntry) {
  return { kind, name, buildId: buildId ?? null, srcversion: srcversion ?? null, kernel, path, bytes: size, written }
}

function inWords({ kind, name, buildId, srcversion, bytes: size }: CatalogEntry): string {
  const known = buildId ?? (srcversion === undefined ? 'by its name only' : `sources ${srcversion}`)
  const indent = kind === 'vmlinux' ? '' : '  '
  // What stands beside a name takes 53 columns.
  const width = Math.max(1, Math.min(34, (columnsOf('stdout') ?? Number.POSITIVE_INFINITY) - 53))
  return `${(indent + printable(name)).padEnd(width)} ${known.padEnd(40)} ${`${(size / 1024).toFixed(1)} KiB`.padStart(11)}\n`
}
