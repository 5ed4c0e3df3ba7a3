// `kerndex bench`: runs the comparison harness that comes with the package, as a process of its own.

import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { basename, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Command } from 'commander'
import { NotReadableError } from '../core/errors.ts'
import { benchUrl } from '../core/place.ts'
import { SUITE_NAMES } from './bench-suites.ts'
import { EXIT } from './exit.ts'
import { interrupted } from './interrupt.ts'
import { type CommonOptions, withCommonOptions } from './open.ts'

interface BenchOptions extends CommonOptions {
  readonly processes?: string
  readonly rounds?: string
  readonly seed?: string
  readonly sizes?: string
  readonly report?: string
  readonly html?: string
  readonly against?: string
  readonly check?: readonly string[]
}

/** Options that the harness has by the same name. */
const PASSED_ON = ['processes', 'rounds', 'seed', 'sizes', 'html', 'against'] as const

export function addBenchCommand(program: Command): void {
  withCommonOptions(
    program
      .command('bench')
      .argument('[suite...]', `${SUITE_NAMES.join(', ')}; default: all but scale`)
      .description('measure kerndex on this machine, by turns with what it is compared with')
      .option('--processes <n>', 'cold processes for each figure of start-up, memory and tools', '15')
      .option('--rounds <n>', 'rounds for each figure of work in a warm process', '15')
      .option('--seed <n>', 'seed of the random addresses, names and tables', '1')
      .option('--sizes <n,n>', 'symbols of the tables of the suite scale')
      .option('--report <file>', 'write rows, machine, versions and settings as JSON')
      .option('--html <file>', 'write a page with charts (needs the package @observablehq/plot)')
      .option('--against <file>', 'a report of an earlier run; the page shows what changed')
      .option('--check <file...>', 'bars to reach, as JSON; ends with 1 if one is missed'),
  )
    .addHelpText(
      'after',
      `
The full run takes some minutes. Every row says what was done, by whom, the median with its quartiles, and the ratio to the
yardstick of the same run. --threads takes one size of pools to compare with no threads, instead of 1 to 4.

Exit codes: 0 done, 1 a bar was missed, 2 wrong usage, 3 something could not be measured, 130 interrupted.

Examples:
  $ sudo kerndex bench load --processes 15
  $ kerndex bench lookups names --from capture/ --json
  $ kerndex bench scale --html growth.html`,
    )
    .action(async (suites: string[], options: BenchOptions) => {
      process.exitCode = await run(argumentsOf(suites, options))
    })
}

/** The command line of the harness. */
function argumentsOf(suites: readonly string[], options: BenchOptions): string[] {
  const { from, threads, json, report, check = [] } = options
  const args = [...suites]
  if (from === undefined) args.push('--input', 'live')
  else args.push('--data', from, '--input', basename(resolve(from)))
  if (threads !== undefined) args.push('--threads', threads === 0 ? '0' : `0,${threads}`)
  if (json) args.push('--json')
  if (report !== undefined) args.push('--report', report)
  for (const file of check) args.push('--check', file)
  for (const name of PASSED_ON) {
    const value = options[name]
    if (value !== undefined) args.push(`--${name}`, value)
  }
  return args
}

/** Runs the harness with this process's own streams and gives its exit code. */
function run(args: readonly string[]): Promise<number> {
  const harness = fileURLToPath(benchUrl('run'))
  if (!existsSync(harness))
    throw new NotReadableError(`the harness is not there: ${harness}; build it with npm run build`)
  return new Promise((end, fail) => {
    const child = spawn(process.execPath, [harness, ...args], { stdio: 'inherit' })
    // From a terminal Ctrl-C reaches it by itself; from elsewhere it may not.
    interrupted.addEventListener('abort', () => child.kill('SIGINT'))
    child.on('error', fail)
    child.on('exit', (code) => end(code ?? EXIT.interrupted))
  })
}
