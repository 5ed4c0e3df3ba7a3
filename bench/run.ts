// The command behind `npm run bench`: chooses suites and inputs, prints a table as each is done, writes JSON if asked.

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { benchEvents } from './events.ts'
import { type Input, withInputs } from './lib/inputs.ts'
import { formatRows, machine, type Report, type Row } from './lib/report.ts'
import { benchLoad } from './load.ts'
import { benchLookup } from './lookup.ts'
import { benchMemory } from './memory.ts'
import { benchProbes } from './probes.ts'
import { benchRefresh } from './refresh.ts'
import { benchSnapshot } from './snapshot.ts'

/** The package's folder; this file runs compiled, in dist/bench. */
const PACKAGE = fileURLToPath(new URL('../..', import.meta.url))

const HELP = `Usage: npm run bench -- [options] [suite …]

Measures kerndex on this machine. Suites: events, load, lookup, memory, probes, refresh, snapshot
(default: all).

  --data DIR        a capture, or a directory of captures; may be repeated (also KERNDEX_DATA, separated by ':')
  --input NAMES     only these inputs, by the names of their directories; 'live' is the running kernel
  --processes N     cold processes for each figure of start-up and memory (default 15)
  --rounds N        rounds for each figure of lookups and refreshes (default 15)
  --seed N          seed of the random addresses and names (default 1)
  --json FILE       write the rows, the machine and the versions as JSON
`

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    data: { type: 'string', multiple: true },
    input: { type: 'string', multiple: true },
    processes: { type: 'string', default: '15' },
    rounds: { type: 'string', default: '15' },
    seed: { type: 'string', default: '1' },
    json: { type: 'string' },
    help: { type: 'boolean' },
  },
})

const count = (option: 'processes' | 'rounds' | 'seed'): number => {
  const value = Number(values[option])
  if (!Number.isInteger(value) || value < 1) throw new RangeError(`--${option} must be a whole number from 1 on`)
  return value
}
const processes = count('processes')
const rounds = count('rounds')
const seed = count('seed')

const SUITES: Readonly<Record<string, (input: Input) => Promise<Row[]>>> = {
  events: (input) => benchEvents(input, processes, seed),
  load: (input) => benchLoad(input, processes),
  lookup: (input) => benchLookup(input, rounds, seed),
  memory: (input) => benchMemory(input, processes),
  probes: (input) => benchProbes(input, processes),
  refresh: (input) => benchRefresh(input, rounds),
  snapshot: (input) => benchSnapshot(input, processes),
}

async function main(): Promise<void> {
  if (values.help === true) {
    process.stdout.write(HELP)
    return
  }
  const suites = positionals.length > 0 ? positionals : Object.keys(SUITES)
  const unknown = suites.find((suite) => !(suite in SUITES))
  if (unknown !== undefined) throw new RangeError(`no suite is called ${unknown}\n\n${HELP}`)
  const named = values.data ?? process.env.KERNDEX_DATA?.split(':') ?? []
  const rows: Row[] = []
  const host = machine()
  const date = new Date().toISOString()
  const skip = (name: string, why: string) => process.stderr.write(`left out: ${name}: ${why}\n`)
  await withInputs(
    named.length > 0 ? named : [join(PACKAGE, 'fixtures')],
    (values.input ?? []).flatMap((names) => names.split(',')),
    skip,
    async (inputs) => {
      for (const suite of suites) {
        for (const input of inputs) {
          const measured = (await SUITES[suite]?.(input)) ?? []
          process.stdout.write(`${formatRows(measured)}\n`)
          rows.push(...measured)
        }
      }
    },
  )
  if (values.json === undefined) return
  const { version } = JSON.parse(readFileSync(join(PACKAGE, 'package.json'), 'utf8')) as { version: string } // This package's own.
  const report: Report = { schema: 1, date, kerndex: version, machine: host, seed, rows }
  writeFileSync(values.json, `${JSON.stringify(report, undefined, 2)}\n`)
}

await main()
