#!/usr/bin/env node
// The `kerndex` command: a thin skin over the library. Parses arguments, and turns every failure into words and an exit code.

import { readFileSync } from 'node:fs'
import { CommanderError } from 'commander'
import { KerndexError } from '../core/errors.ts'
import { packageUrl } from '../core/place.ts'
import { keepCode } from '../snapshot/keep-code.ts'
import { isShortOfSpace, runWithLess } from './address-space.ts'
import { EXIT, exitCodeOf } from './exit.ts'
import { fittedRows } from './fit.ts'
import { fitted } from './help.ts'
import { note, noteStream, OutputClosed, outputFailed, outputStream } from './output.ts'
import { commandsOf, makeProgram, withCommonBehind } from './program.ts'
import { columnsOf } from './terminal.ts'

/** Set by the bundler: the package's version. */
declare const KERNDEX_VERSION: string | undefined

/** The package's version. */
function version(): string {
  if (typeof KERNDEX_VERSION !== 'undefined') return KERNDEX_VERSION
  const manifest: { version: string } = JSON.parse(readFileSync(packageUrl('package.json'), 'utf8'))
  return manifest.version
}

/** Writes the version without anything that only commands need: most of what that takes is reading their code. */
function writeVersion(): void {
  process.stdout.once('error', (error) => outputFailed(error))
  process.stdout.write(`${version()}\n`)
}

/** Runs what the command line asks for. */
async function run(given: readonly string[]): Promise<void> {
  if (given.length === 1 && (given[0] === '--version' || given[0] === '-V')) return writeVersion()
  const args = withCommonBehind(given)
  const [word] = args
  if (isShortOfSpace()) return runWithLess()
  const program = makeProgram(word).version(version())
  const columns = columnsOf('stdout')
  for (const command of commandsOf(program)) {
    command.exitOverride().configureOutput({
      writeOut: (text) => outputStream().write(columns === undefined ? text : fitted(text, columns)),
      writeErr: (text) => noteStream().write(text),
      // One prefix for all that is said to people.
      outputError: (text, print) => print(fittedRows(text.replace(/^error: /, 'kerndex: '), columnsOf('stderr'), 2)),
    })
  }
  await program.parseAsync(args, { from: 'user' })
  // A user who clears the cache wants nothing in it.
  if (word !== 'cache') await keepCode(word ?? '')
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
