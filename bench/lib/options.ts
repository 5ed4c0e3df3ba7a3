// The options of `npm run bench`.

import { parseArgs } from 'node:util'
import { SUITE_HELP, SUITE_NAMES } from '../../src/cli/bench-suites.ts'
import { POOLS } from './contestants.ts'

/** Symbols of the tables of the suite scale, unless others are asked for. */
const SIZES: readonly number[] = [100_000, 250_000, 1_000_000, 4_000_000]

/** As many as the work with the most of them asks. */
const QUESTIONS = 1 << 20

export const HELP = `Usage: npm run bench -- [options] [suite …]

Measures kerndex on this machine, by turns with what it is compared with. Suites (default: all but scale):
${SUITE_NAMES.map((name) => `  ${name.padEnd(18)}${SUITE_HELP[name]}`).join('\n')}

What is measured:
  --data DIR        a capture, or a directory of captures; may be repeated (also KERNDEX_DATA, separated by ':');
                    default: the shipped captures
  --input NAMES     only these inputs, by the names of their directories; 'live' is the running kernel
  --processes N     cold processes for each figure of start-up, memory and tools (default 15)
  --rounds N        rounds for each figure of work in a warm process (default 15)
  --threads N,N     sizes of the pools; 0 is everything inline (default ${POOLS.join(',')})
  --questions N     addresses or names in a run of lookups, names and scale, at most (default ${QUESTIONS}); few ones stay
                    in the caches and look faster than they are
  --seed N          seed of the random addresses, names and tables (default 1)
  --sizes N,N       symbols of the tables of the suite scale (default ${SIZES.join(',')})
  --read FILE       measures nothing: takes the rows of an earlier run, for the outputs below

What comes out:
  --json            one JSON object a row on stdout, instead of tables
  --markdown        tables of Markdown on stdout, once all is measured
  --report FILE     the whole report: rows, machine, versions, settings; also of what was measured when it is stopped
  --html FILE       one page with charts, which needs no network
  --against FILE    an earlier report; the page shows what changed
  --check FILE      bars to reach; may be repeated. Names the rows that do not and ends with 1

Exit codes: 0 done, 1 a bar was not reached, 2 wrong usage, 3 something could not be measured or its answers were wrong,
130 stopped by Ctrl-C.
`

/** How lookups are asked for. */
export interface Asking {
  readonly rounds: number
  readonly seed: number
  /** Addresses or names a run asks, at most. */
  readonly questions: number
}

export interface Options extends Asking {
  readonly suites: readonly string[]
  readonly data: readonly string[]
  readonly inputs: readonly string[]
  readonly processes: number
  readonly threads: readonly number[]
  readonly sizes: readonly number[]
  readonly read: string | undefined
  readonly rows: boolean
  readonly markdown: boolean
  readonly report: string | undefined
  readonly html: string | undefined
  readonly against: string | undefined
  readonly check: readonly string[]
  readonly help: boolean
}

/**
 * Reads the command line and, for the captures, the environment.
 * @throws TypeError or RangeError for what cannot be meant
 */
export function readOptions(args: readonly string[], environment = process.env): Options {
  const { values, positionals } = parseArgs({
    args: newSpelling(args),
    allowPositionals: true,
    options: {
      data: { type: 'string', multiple: true },
      input: { type: 'string', multiple: true },
      processes: { type: 'string', default: '15' },
      rounds: { type: 'string', default: '15' },
      threads: { type: 'string', default: POOLS.join(',') },
      seed: { type: 'string', default: '1' },
      questions: { type: 'string', default: String(QUESTIONS) },
      sizes: { type: 'string', default: SIZES.join(',') },
      read: { type: 'string' },
      rows: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      markdown: { type: 'boolean', default: false },
      report: { type: 'string' },
      html: { type: 'string' },
      against: { type: 'string' },
      check: { type: 'string', multiple: true, default: [] },
      help: { type: 'boolean', default: false },
    },
  })
  return {
    suites: positionals,
    data: values.data ?? environment.KERNDEX_DATA?.split(':') ?? [],
    inputs: (values.input ?? []).flatMap((names) => names.split(',')),
    processes: wholeNumber('processes', values.processes),
    rounds: wholeNumber('rounds', values.rounds),
    threads: values.threads.split(',').map((size) => wholeNumber('threads', size, 0)),
    seed: wholeNumber('seed', values.seed),
    sizes: values.sizes.split(',').map((size) => wholeNumber('sizes', size)),
    questions: wholeNumber('questions', values.questions),
    read: values.read,
    rows: values.rows || values.json,
    markdown: values.markdown,
    report: values.report,
    html: values.html,
    against: values.against,
    check: values.check,
    help: values.help,
  }
}

/** The command line with `--report FILE` where it says `--json FILE`, as that was called. */
function newSpelling(args: readonly string[]): string[] {
  return args.map((arg, at) => (arg === '--json' && args[at + 1]?.endsWith('.json') === true ? '--report' : arg))
}

function wholeNumber(option: string, text: string, least = 1): number {
  const value = Number(text)
  if (text.trim() === '' || !Number.isSafeInteger(value) || value < least) {
    throw new RangeError(`--${option} must be a whole number from ${least} on, not "${text}"`)
  }
  return value
}
