// `kerndex btf dump|check|diff`: whole type sets, as text, against the rules, against each other.

import { type Command, Option } from 'commander'
import { diffTypes, type TypeChange } from '../btf/ask/diff.ts'
import { KINDS, type KindName } from '../btf/kinds.ts'
import { dumpC } from '../btf/print/c-dump.ts'
import { dumpModulesC } from '../btf/print/c-dump-modules.ts'
import { dumpRaw, rawType } from '../btf/print/raw.ts'
import { decodeType } from '../btf/read/type.ts'
import type { TypeSet } from '../btf/read/type-set.ts'
import { checkBtf } from '../btf/verify/check.ts'
import { KerndexError, NotFoundError, UsageError } from '../core/errors.ts'
import { printable } from '../core/printable.ts'
import { openTypeFile, openTypes, readTypeFile } from '../load/open-types.ts'
import { interrupted } from './interrupt.ts'
import { type CommonOptions, withCommonOptions } from './open.ts'
import { note, write, writeJson, writeRaw } from './output.ts'
import { typesOf } from './types.ts'
import { Unanswered } from './unanswered.ts'

interface DumpOptions extends CommonOptions {
  readonly base?: string
  readonly format: 'raw' | 'c' | 'json'
  readonly unsorted?: boolean
  readonly module?: readonly string[]
  readonly root?: readonly string[]
}

interface CheckOptions extends CommonOptions {
  readonly base?: string
  readonly strict?: boolean
}

interface DiffCommandOptions extends CommonOptions {
  readonly name?: string
  readonly kind?: string
  readonly module?: string
}

export function addBtfCommand(program: Command): void {
  const btf = program.command('btf').description('whole sets of types: dump, check, compare').exitOverride()
  addDump(btf)
  addCheck(btf)
  addDiff(btf)
  for (const command of btf.commands) command.addHelpText('after', HELP[command.name()]!)
}

/** The text in the help of each command behind its options. */
const HELP: Readonly<Record<string, string>> = {
  dump: `
Exit codes: 0 done, 1 a module or type was not found, 2 wrong usage, 3 a file or the kernel's data cannot be read.

Examples:
  $ kerndex btf dump --format c > vmlinux.h
  $ kerndex btf dump --module virtio_ring --format c --root vring_virtqueue
  $ kerndex btf dump module.ko --base /sys/kernel/btf/vmlinux`,
  check: `
Exit codes: 0 all are valid, 1 some are not, 2 wrong usage, 3 a file cannot be read.

Examples:
  $ kerndex btf check /sys/kernel/btf/vmlinux --strict
  $ kerndex btf check module.ko --base /sys/kernel/btf/vmlinux --json`,
  diff: `
Exit codes: 0 compared, whatever differs, 2 wrong usage, 3 a file or capture cannot be read.

Examples:
  $ kerndex btf diff capture-6.1/ capture-6.12/ --kind FUNC
  $ kerndex btf diff old.btf /sys/kernel/btf/vmlinux --name task_struct`,
}

function addDump(btf: Command): void {
  withCommonOptions(
    btf
      .command('dump')
      .exitOverride()
      .argument('[file]', 'raw BTF or an ELF file, plain or .gz, .xz, .zst, instead of a kernel')
      .option('--base <file>', 'what the file is split on')
      .addOption(new Option('--format <format>', 'how to print').choices(['raw', 'c', 'json']).default('raw'))
      .option('--unsorted', 'C in order of ids')
      .option('--module <name...>', "a module's types instead of vmlinux; several make one C header or JSON")
      .option('--root <name...>', 'only these types; in C, with all they need')
      .description('prints a type set: raw as bpftool does, as a C header, or as JSON'),
  ).action(async (file: string | undefined, options: DumpOptions) => {
    const sets = await openSets(file, options)
    const json = options.json || options.format === 'json'
    const order = options.unsorted ? 'ids' : 'sorted'
    if (sets.length > 1 && !json) {
      if (options.format === 'raw') throw new UsageError('the ids of several modules overlap: use --format c or json')
      if (options.root) throw new UsageError('--root chooses types of one module')
      for (const piece of dumpModulesC(sets, { order })) await write(piece)
      return
    }
    for (const set of sets) {
      const roots = options.root?.flatMap((name) => rootIds(set, name))
      if (json) {
        for (const id of roots ?? ownIds(set)) await writeJson(decodeType(set, id), bigintsAsText)
      } else if (options.format === 'c') {
        // Names in it are escaped where they are written.
        for (const piece of dumpC(set, { order, ...(roots && { roots }) })) await writeRaw(piece)
      } else {
        for (const piece of roots ? roots.flatMap((id) => [...rawType(set, id)]) : dumpRaw(set)) await write(piece)
      }
    }
  })
}

async function openSets(file: string | undefined, options: DumpOptions): Promise<readonly TypeSet[]> {
  if (file !== undefined) {
    if (options.module) throw new UsageError('--module chooses among the sets of a kernel; a file is one set')
    return [(await openTypeFile(file, options.base, { signal: interrupted })).set]
  }
  if (options.base !== undefined)
    throw new UsageError('--base is what a file is split on; without a file it means nothing')
  const modules = [...new Set(options.module ?? ['vmlinux'])]
  const types = await typesOf(
    options,
    modules.filter((each) => each !== 'vmlinux'),
  )
  return modules.map((each) => types.requireSet(each))
}

function rootIds(set: TypeSet, name: string): number[] {
  const ids = [...(set.base?.idsNamed(name) ?? []), ...set.idsNamed(name)]
  if (ids.length === 0) throw new NotFoundError(`${set.name} has no type ${name}`)
  return ids
}

function* ownIds(set: TypeSet): Generator<number> {
  for (let id = set.firstId; id < set.endId; id++) yield id
}

/** 64-bit values as decimal strings, which every JSON reader keeps. */
function bigintsAsText(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value
}

function addCheck(btf: Command): void {
  withCommonOptions(
    btf
      .command('check')
      .exitOverride()
      .argument('<file...>', 'raw BTF or ELF files, plain or .gz, .xz, .zst')
      .option('--base <file>', 'what the files are split on')
      .option('--strict', "also the kernel's own rules")
      .description('validates type sets'),
  ).action(async (files: string[], options: CheckOptions) => {
    const unsound = new Unanswered('the rules do not hold', ['file', 'files'])
    for (const file of files) {
      const { bytes, base, object } = await readTypeFile(file, options.base, interrupted)
      const strict = options.strict ?? false
      const { ok, errors, filledIn = [] } = checkBtf(bytes, { strict, object, ...(base && { base }) })
      if (ok) unsound.answered()
      else unsound.missed(file)
      if (!options.json) for (const what of filledIn) note(`${file}: ${what}`)
      if (options.json) await writeJson({ file, ok, errors, filledIn })
      else if (ok) await write(`${file}: ok\n`)
      else
        for (const { typeId, kind, name, message } of errors) {
          const where = kind === undefined ? '' : `[${typeId}] ${kind} ${name || '(anon)'} `
          await write(`${printable(`${file}: ${where}${message}`)}\n`)
        }
    }
    process.exitCode = unsound.conclude()
  })
}

function addDiff(btf: Command): void {
  withCommonOptions(
    btf
      .command('diff')
      .exitOverride()
      .argument('<a>', 'capture directory, raw BTF or ELF file')
      .argument('<b>', 'the same, of the other kernel')
      .option('--name <name>', 'only types and functions of that name')
      .option('--kind <kind>', 'only that kind, such as FUNC or STRUCT')
      .option('--module <module>', 'only this module, or vmlinux')
      .description('what changed from one kernel to another: functions, members, values'),
  ).action(async (a: string, b: string, options: DiffCommandOptions) => {
    const kind = options.kind?.toUpperCase()
    if (kind !== undefined && !KINDS.some(({ name }) => name === kind)) {
      throw new UsageError(
        `--kind ${options.kind}: one of ${KINDS.slice(1)
          .map(({ name }) => name)
          .join(', ')} is needed`,
      )
    }
    const [from, to] = await Promise.all([a, b].map((path) => typesAt(path, options)))
    const { name, module } = options
    for (const change of diffTypes(from!, to!, { name, kind: kind as KindName | undefined, module })) {
      await (options.json ? writeJson(change) : write(changeText(change)))
    }
  })
}

async function typesAt(path: string, { module, threads }: DiffCommandOptions) {
  const modules = module === undefined ? undefined : module === 'vmlinux' ? [] : [module]
  try {
    const { types, absences } = await openTypes({ from: path, threads, modules, signal: interrupted })
    for (const { what, reason } of absences) note(`${path}: ${what}: ${reason}`)
    return types
  } catch (error) {
    if (!(error instanceof KerndexError) || error.code !== 'NOT_FOUND') throw error
    // One of the two kernels may lack the module: then all of it was added or removed.
    return (await openTypes({ from: path, threads, modules: [], signal: interrupted })).types
  }
}

const SIGNS: Readonly<Record<TypeChange['change'], string>> = { added: '+', removed: '-', changed: '~' }

function changeText({ change, kind, name, module, details }: TypeChange): string {
  let text = `${SIGNS[change]} ${kind} ${printable(name)}  [${printable(module)}]\n`
  for (const { what, name: part, from, to } of details) {
    const label = part === undefined ? what : `${what} ${printable(part)}`
    if (from === undefined) text += `    + ${label}  ${to}\n`
    else if (to === undefined) text += `    - ${label}  ${from}\n`
    else text += `    ~ ${label}  ${from}  ->  ${to}\n`
  }
  return text
}
