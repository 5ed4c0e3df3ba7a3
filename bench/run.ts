// The command behind `npm run bench`: chooses suites and inputs, measures, and hands the rows to every output asked for.

import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { SUITE_NAMES, type SuiteName } from '../src/cli/bench-suites.ts'
import { meant } from '../src/core/arguments.ts'
import { packageUrl } from '../src/core/place.ts'
import { readRegularFileNow } from '../src/sources/whole-file.ts'
import { writeFileSafely } from '../src/sources/write-file.ts'
import { benchBulk } from './bulk.ts'
import { benchEvents } from './events.ts'
import { checkBars, formatVerdicts, isFailure, readBars } from './lib/bars.ts'
import { type Input, withInputs } from './lib/inputs.ts'
import { loadWarning, spreadWarnings } from './lib/noise.ts'
import { HELP, type Options, readOptions } from './lib/options.ts'
import { checkLibrary, pageOf } from './lib/page.ts'
import { commitOf, type LeftOut, machine, type Report, type Row, readReport, SCHEMA } from './lib/report.ts'
import { stopSignal } from './lib/stop.ts'
import { formatMarkdown, formatRows } from './lib/table.ts'
import { toolVersions } from './lib/tools.ts'
import { benchLoad, everybody } from './load.ts'
import { benchLookups } from './lookups.ts'
import { benchMemory } from './memory.ts'
import { benchModel } from './model.ts'
import { benchNames } from './names.ts'
import { benchPlaced } from './placed.ts'
import { benchProbes } from './probes.ts'
import { benchRefresh } from './refresh.ts'
import { benchScale, SCALE } from './scale.ts'
import { benchServe } from './serve.ts'
import { benchSnapshot } from './snapshot.ts'
import { benchTools } from './tools.ts'
import { benchTypes } from './types.ts'

const options = optionsOrEnd()
const { processes, rounds, seed, threads, questions } = options
const ask = { rounds, seed, questions }
const leftOut: LeftOut[] = []

function optionsOrEnd(): Options {
  try {
    return readOptions(process.argv.slice(2))
  } catch (error) {
    process.stderr.write(
      `kerndex: ${error instanceof Error ? error.message : String(error)}\n(--help shows what is possible)\n`,
    )
    process.exit(2)
  }
}

/** The suites that measure each input. Another one is another line here. */
const SUITES: Readonly<Record<Exclude<SuiteName, typeof SCALE>, (input: Input) => Promise<Row[]>>> = {
  load: (input) => benchLoad(input, processes, everybody(threads)),
  lookups: (input) => benchLookups(input, ask),
  names: (input) => benchNames(input, ask, threads),
  bulk: (input) => benchBulk(input, ask, threads),
  types: (input) => benchTypes(input, processes, rounds, seed, threads),
  memory: (input) => benchMemory(input, processes, threads),
  probes: (input) => benchProbes(input, processes),
  refresh: (input) => benchRefresh(input, rounds, threads),
  model: (input) => benchModel(input, rounds, threads),
  snapshot: (input) => benchSnapshot(input, processes),
  placed: (input) => benchPlaced(input, processes),
  events: (input) => benchEvents(input, processes, seed),
  serve: (input) => benchServe(input, processes, seed),
  tools: async (input) => benchTools(input, processes, (one) => leaveOut(one)),
}

function leaveOut(one: LeftOut): void {
  leftOut.push(one)
  progress('')
  process.stderr.write(`left out: ${[one.suite, one.input, one.what].filter(Boolean).join(': ')}: ${one.why}\n`)
}

// A Node process reads the certificates that this names before it does anything else, which took 37 ms where it was measured:
// the processes that are started here would all be later by as much, whatever they do.
delete process.env.NODE_EXTRA_CA_CERTS

const STOPPED = 'the run was stopped before its end: what had been measured by then is here'

/** Ctrl-C: what has been measured is reported all the same. */
const stopped = stopSignal()

/** Says on a terminal what is being measured; an empty text takes that away. */
function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text.slice(0, (process.stderr.columns ?? 80) - 1)}`)
}

function isSuite(name: string): name is SuiteName {
  return (SUITE_NAMES as readonly string[]).includes(name)
}

function warn(text: string): void {
  progress('')
  process.stderr.write(`warning: ${text}\n`)
}

/** Rows as they come: a table, or with `--rows` a JSON object a line. */
function show(rows: readonly Row[]): void {
  if (options.markdown || rows.length === 0) return
  progress('')
  process.stdout.write(options.rows ? rows.map((row) => `${JSON.stringify(row)}\n`).join('') : `${formatRows(rows)}\n`)
}

/** Runs what was asked for. */
async function measure(): Promise<Report> {
  const unknown = options.suites.find((suite) => !isSuite(suite))
  if (unknown !== undefined) {
    const near = meant(unknown, SUITE_NAMES)
    throw new RangeError(`no suite is called ${unknown}${near === '' ? `; there are ${SUITE_NAMES.join(', ')}` : near}`)
  }
  const suites =
    options.suites.length > 0 ? options.suites.filter(isSuite) : SUITE_NAMES.filter((name) => name !== SCALE)
  const date = new Date().toISOString()
  const host = machine()
  const busy = loadWarning(host)
  if (busy !== undefined) warn(busy)
  const rows: Row[] = []
  const measured: Input[] = []
  const add = (some: readonly Row[]) => {
    show(some)
    rows.push(...some)
  }
  if (suites.some((suite) => suite !== SCALE)) {
    const skip = (input: string, why: string) => leaveOut({ suite: '', input, what: '', why })
    // An installed package has no captures.
    const shipped = [fileURLToPath(packageUrl('fixtures'))].filter((folder) => existsSync(folder))
    const captures = options.data.length > 0 ? options.data : shipped
    await withInputs(captures, options.inputs, skip, async (inputs) => {
      measured.push(...inputs)
      const steps = suites.flatMap((suite) => (suite === SCALE ? [] : inputs.map((input) => ({ suite, input }))))
      for (const [at, { suite, input }] of steps.entries()) {
        if (stopped.aborted) return
        progress(`${suite} on ${input.name}, ${at + 1} of ${steps.length}`)
        try {
          add(await SUITES[suite](input))
        } catch (error) {
          if (stopped.aborted) return
          // What was measured before is not lost, and the run does not end as if all were well.
          leaveOut({
            suite,
            input: input.name,
            what: '',
            why: error instanceof Error ? error.message : String(error),
          })
          process.exitCode = 3
        }
      }
    })
  }
  // It takes long, and runs only when it is named.
  if (suites.includes(SCALE) && !stopped.aborted) {
    await benchScale(options.sizes, processes, ask, add).catch((error: unknown) => {
      if (!stopped.aborted) throw error
    })
  }
  progress('')
  if (rows.length === 0)
    throw new Error(stopped.aborted ? 'the run was stopped before anything was measured' : 'nothing was measured')
  const spread = [...(stopped.aborted ? [STOPPED] : []), ...spreadWarnings(rows)]
  for (const text of spread) warn(text)
  const commit = commitOf()
  const { version } = JSON.parse(readFileSync(packageUrl('package.json'), 'utf8')) as { version: string } // This package's own.
  return {
    schema: SCHEMA,
    date,
    kerndex: version,
    ...(commit !== undefined && { commit }),
    machine: host,
    tools: toolVersions(),
    settings: { suites, inputs: options.inputs, processes, rounds, seed, threads, questions },
    inputs: measured.map(({ name, symbols, btf }) => ({ name, symbols, typeFiles: btf.length })),
    rows,
    leftOut,
    warnings: [...(busy === undefined ? [] : [busy]), ...spread],
  }
}

/** A file that somebody named: a pipe would be waited for. */
const textOf = (file: string): string => readRegularFileNow(file).toString()

async function main(): Promise<void> {
  // Read first: a mistake in one of them should not show after minutes of measuring.
  const bars = options.check.flatMap((file) => readBars(textOf(file), file))
  const reportIn = (file: string) => readReport(textOf(file), file)
  if (options.html !== undefined) checkLibrary()
  const earlier = options.against === undefined ? undefined : reportIn(options.against)
  const report = options.read === undefined ? await measure() : reportIn(options.read)
  const into = { secret: false, special: 'write into' } as const
  if (options.report !== undefined)
    await writeFileSafely(options.report, `${JSON.stringify(report, undefined, 2)}\n`, into)
  if (options.html !== undefined) await writeFileSafely(options.html, pageOf(report, earlier), into)
  if (options.markdown) process.stdout.write(formatMarkdown(report))
  if (bars.length > 0) {
    const verdicts = checkBars(report, bars)
    process.stderr.write(formatVerdicts(verdicts))
    if (verdicts.some(isFailure)) process.exitCode = 1
  }
}

if (options.help) {
  process.stdout.write(HELP)
} else {
  try {
    await main()
    // What was being measured may still run.
    if (stopped.aborted) process.exit(130)
  } catch (error) {
    process.stderr.write(`kerndex: ${error instanceof Error ? error.message : String(error)}\n`)
    if (stopped.aborted) process.exit(130)
    process.exitCode = error instanceof RangeError ? 2 : 3
  }
}
