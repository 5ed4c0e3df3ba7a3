#!/usr/bin/env node
// The `kerndex` command: a thin skin over the library. Parses arguments, and turns every failure into words and an exit code.

import { readFileSync } from 'node:fs'
import { Command, CommanderError } from 'commander'
import { KerndexError } from '../core/errors.ts'
import { packageUrl } from '../core/place.ts'
import { addAddressCommand } from './address.ts'
import { isShortOfSpace, runWithLess } from './address-space.ts'
import { addBenchCommand } from './bench.ts'
import { addBtfCommand } from './btf.ts'
import { addCacheCommand } from './cache.ts'
import { addCaptureCommand } from './capture.ts'
import { addCatalogCommand } from './catalog.ts'
import { addCoreCommand } from './core.ts'
import { addEventsCommand } from './events.ts'
import { EXIT, exitCodeOf } from './exit.ts'
import { addFleetCommand } from './fleet.ts'
import { addFunctionCommand } from './function.ts'
import { addLayoutCommand } from './layout.ts'
import { note, OutputClosed, write } from './output.ts'
import { addProbeCommand } from './probe.ts'
import { addResolveCommand } from './resolve.ts'
import { addSnapshotCommand } from './snapshot.ts'
import { addStatusCommand } from './status.ts'
import { addSymbolCommand } from './symbol.ts'
import { addTypeCommand } from './type.ts'

/** The commands by their words, in the order in which the help lists them. */
const COMMANDS: Readonly<Record<string, (program: Command) => void>> = {
  status: addStatusCommand,
  address: addAddressCommand,
  symbol: addSymbolCommand,
  type: addTypeCommand,
  function: addFunctionCommand,
  btf: addBtfCommand,
  core: addCoreCommand,
  probe: addProbeCommand,
  resolve: addResolveCommand,
  events: addEventsCommand,
  capture: addCaptureCommand,
  snapshot: addSnapshotCommand,
  fleet: addFleetCommand,
  cache: addCacheCommand,
  catalog: addCatalogCommand,
  layout: addLayoutCommand,
  bench: addBenchCommand,
}

/** The package's version. */
function version(): string {
  const manifest: { version: string } = JSON.parse(readFileSync(packageUrl('package.json'), 'utf8'))
  return manifest.version
}

/** Runs what the command line asks for. Only that command is made: to make one reads the code that it may need. */
async function run([word, ...others]: readonly string[]): Promise<void> {
  if ((word === '--version' || word === '-V') && others.length === 0) return write(`${version()}\n`)
  if (isShortOfSpace()) return runWithLess()
  const program = new Command('kerndex')
    .description("a running Linux kernel's symbols and types: addresses to names, names to addresses")
    .version(version())
    .exitOverride()
    .configureHelp({ showGlobalOptions: true })
    .showHelpAfterError('(--help shows what is possible)')
    .addHelpText(
      'after',
      `
Exit codes: 0 all answered, 1 something was not found, 2 wrong usage, 3 the kernel's data cannot be read, 130 interrupted.

Examples:
  $ sudo kerndex status
  $ sudo kerndex address 0xffffffff81000018
  $ kerndex symbol 'vfs_*' --from capture/ --json`,
    )
  // The help, and whoever mistypes a command, is told of all of them.
  const add = word !== undefined && Object.hasOwn(COMMANDS, word) ? COMMANDS[word] : undefined
  for (const each of add === undefined ? Object.values(COMMANDS) : [add]) each(program)
  for (const command of program.commands) command.exitOverride()
  await program.parseAsync()
}

let isDone = false
// A promise that nothing can settle any more keeps no process alive: it would end with 0, and nothing said.
process.once('beforeExit', () => {
  if (isDone) return
  note('the command stopped before it was done: nothing is left that it waits for; please report this')
  process.exitCode = EXIT.unreadable
})

/** Settled when the command is done. */
export const done = run(process.argv.slice(2))
  .catch((error: unknown) => {
    process.exitCode = explain(error)
    // What is still being read or written must not keep the process from ending.
    if (process.exitCode === EXIT.interrupted) process.exit()
  })
  .finally(() => {
    isDone = true
  })

/** Says on stderr what went wrong, unless somebody has already, and gives the exit code. */
function explain(error: unknown): number {
  if (error instanceof OutputClosed) return EXIT.ok
  // Commander has printed its own message; help and version end in code 0.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage
  if (error instanceof KerndexError) note(`${error.message} (${error.code})`)
  else note(error instanceof Error ? (error.stack ?? error.message) : String(error))
  return exitCodeOf(error)
}
