// All commands as commander knows them: what runs, what the help lists, what shells complete and what the manual says.

import { Command, Option } from 'commander'
import { UsageError } from '../core/errors.ts'
import { addAddressCommand } from './address.ts'
import { addBenchCommand } from './bench.ts'
import { addBtfCommand } from './btf.ts'
import { addCacheCommand } from './cache.ts'
import { addCaptureCommand } from './capture.ts'
import { addCatalogCommand } from './catalog.ts'
import { addCompletionCommand } from './completion.ts'
import { addCoreCommand } from './core.ts'
import { addEventsCommand } from './events.ts'
import { addFleetCommand } from './fleet.ts'
import { addFunctionCommand } from './function.ts'
import { HELP_FORMAT } from './help.ts'
import { addLayoutCommand } from './layout.ts'
import { addProbeCommand } from './probe.ts'
import { addResolveCommand } from './resolve.ts'
import { addServeCommand } from './serve.ts'
import { addSnapshotCommand } from './snapshot.ts'
import { addStatusCommand } from './status.ts'
import { addSymbolCommand } from './symbol.ts'
import { addTypeCommand } from './type.ts'

/**
 * The commands by their words, in the order in which the help lists them. Functions of their own, because the code of most is in other
 * files, which are read when a command is made.
 */
const COMMANDS: Readonly<Record<string, (program: Command) => void>> = {
  status: (program) => addStatusCommand(program),
  address: (program) => addAddressCommand(program),
  symbol: (program) => addSymbolCommand(program),
  type: (program) => addTypeCommand(program),
  function: (program) => addFunctionCommand(program),
  btf: (program) => addBtfCommand(program),
  core: (program) => addCoreCommand(program),
  probe: (program) => addProbeCommand(program),
  resolve: (program) => addResolveCommand(program),
  events: (program) => addEventsCommand(program),
  capture: (program) => addCaptureCommand(program),
  snapshot: (program) => addSnapshotCommand(program),
  cache: (program) => addCacheCommand(program),
  catalog: (program) => addCatalogCommand(program),
  layout: (program) => addLayoutCommand(program),
  fleet: (program) => addFleetCommand(program),
  serve: (program) => addServeCommand(program),
  bench: (program) => addBenchCommand(program),
  completion: (program) => addCompletionCommand(program, () => makeProgram()),
}

/** The options of every command that may also stand in front of it, with those that take a value. */
const COMMON: ReadonlyMap<string, boolean> = new Map([
  ['--from', true],
  ['--threads', true],
  ['--color', true],
  ['--json', false],
  ['--cache', false],
])

/** The commands; only the one that a command line begins with, if there is one: to make one reads the code that it may need. */
export function makeProgram(word?: string): Command {
  const program = new Command('kerndex')
    .description("a running Linux kernel's symbols and types: addresses to names, names to addresses")
    .configureHelp(HELP_FORMAT)
    .showHelpAfterError('(--help shows what is possible)')
    .addHelpText(
      'after',
      `
The common options of a command (--from, --threads, --json, --cache, --color) may also stand in front of it.

Exit codes: 0 all answered, 1 something was not found, 2 wrong usage, 3 the kernel's data cannot be read, 130 interrupted.

Examples:
  $ sudo kerndex status
  $ sudo kerndex address 0xffffffff8ab669e8
  $ kerndex symbol 'vfs_*' --from capture/ --json
  $ source <(kerndex completion bash)`,
    )
  const add = word !== undefined && Object.hasOwn(COMMANDS, word) ? COMMANDS[word] : undefined
  for (const each of add === undefined ? Object.values(COMMANDS) : [add]) each(program)
  for (const command of commandsOf(program)) {
    if (command.commands.length === 0) {
      command.addOption(
        new Option('--color <when>', 'colours; default: on a terminal, unless NO_COLOR is set, or with FORCE_COLOR')
          .choices(['auto', 'always', 'never'])
          .helpGroup('Common options:'),
      )
    }
  }
  return program
}

/** A command and all that are below it. */
export function commandsOf(command: Command): Command[] {
  return [command, ...command.commands.flatMap(commandsOf)]
}

/** A command line with the common options that stand in front of the command at its end, or before its `--`. */
export function withCommonBehind(args: readonly string[]): string[] {
  let at = 0
  while (at < args.length) {
    const [name = '', value] = args[at]!.split('=', 2)
    const takesValue = COMMON.get(name)
    if (takesValue === undefined) break
    at += takesValue && value === undefined ? 2 : 1
  }
  const rest = args.slice(at)
  if (rest.length === 0 && at > 0)
    throw new UsageError(`no command is given beside ${args.join(' ')}: --help lists them`)
  const stop = rest.indexOf('--')
  return stop < 0
    ? [...rest, ...args.slice(0, at)]
    : [...rest.slice(0, stop), ...args.slice(0, at), ...rest.slice(stop)]
}
