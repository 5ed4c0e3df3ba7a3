// The command `npm run test:vm`: its options, and from booting kernels to the verdict on what they said.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { fillShare, writeApp } from './app.ts'
import { AGAIN, BOOT, type BootFacts, FAILURE, JOB, type Job, NOTED } from './job.ts'
import { type BootableKernel, getKernel, HOME, prepareHost } from './kernels.ts'
import { KNOWN_DIFFERENCES } from './known-differences.ts'
import { boot } from './machine.ts'
import { type Cell, type Outcome, Tally } from './outcome.ts'
import { report, type SuiteCells } from './report.ts'
import { Missing } from './shell.ts'
import { SUITES } from './suites.ts'

const HELP = `npm run test:vm [-- [options] KERNEL…]

Boots each KERNEL (a series such as 6.12 or 7, or newest; default 6.1 6.12 newest) in an emulator, loads modules, and compares
kerndex with that kernel. Kernels come from Debian through apt; they and all else lie in $KERNDEX_VM (${HOME}).

  --suites A,B    these, see below; default all that need not be named
  --scale N       so many times as much to try (0.1 for a quick look); default 1
  --keep DIR      leave what each kernel said, with its capture, in DIR/RELEASE
  --judge DIR     compare with what an earlier run kept in DIR, instead of booting
  --cpus N        the guest's processors; default 1, because emulated ones wait for each other
  --memory SIZE   the guest's memory; default 3G
  --timeout SEC   for one boot; default 1800

Suites:
${SUITES.map(({ name, title, onRequest }) => `  ${name.padEnd(14)}  ${title}${onRequest ? ' (only if named)' : ''}\n`).join('')}
Exit codes: 0 all agree, 1 something differs that is not in known-differences.ts, 2 something is missing to boot kernels.
`

// The compiled file lies in dist/test/vm.
const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
const DEFAULT_KERNELS = ['6.1', '6.12', 'newest']

/** Where a run says what it does, and where it prints what came of it. */
export interface Terminal {
  say(text: string): void
  print(text: string): void
}

/** Runs the command to its exit code: 0 all agree, 1 something differs that is no known difference, 2 something is missing. */
export async function runCommand(args: readonly string[], terminal: Terminal): Promise<number> {
  try {
    return await runWith(args, terminal)
  } catch (error) {
    const usage = error instanceof Error && 'code' in error && `${error.code}`.startsWith('ERR_PARSE_ARGS')
    const plain = error instanceof Missing || usage
    terminal.say(error instanceof Error ? (plain ? error.message : (error.stack ?? error.message)) : String(error))
    return plain ? 2 : 1
  }
}

async function runWith(args: readonly string[], terminal: Terminal): Promise<number> {
  const { say } = terminal
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      suites: { type: 'string' },
      scale: { type: 'string', default: '1' },
      keep: { type: 'string' },
      judge: { type: 'string' },
      cpus: { type: 'string', default: '1' },
      memory: { type: 'string', default: '3G' },
      timeout: { type: 'string', default: '1800' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    terminal.print(HELP)
    return 0
  }
  const names =
    values.suites?.split(',') ?? SUITES.filter(({ onRequest }) => onRequest !== true).map(({ name }) => name)
  const unknown = names.find((name) => !SUITES.some((suite) => suite.name === name))
  if (unknown !== undefined) throw new Missing(`there is no suite ${unknown}; see --help`)
  if (values.judge !== undefined) return (await judged(resolve(values.judge), names, terminal)) ? 0 : 1

  prepareHost(say)
  mkdirSync(HOME, { recursive: true, mode: 0o700 })
  const kernels = (positionals.length === 0 ? DEFAULT_KERNELS : positionals).map((name) => getKernel(name, say))
  const archive = join(HOME, `app-${process.pid}.tar`)
  writeApp(ROOT, archive)
  let good = true
  try {
    for (const kernel of kernels) {
      const share =
        values.keep === undefined ? mkdtempSync(join(tmpdir(), 'kerndex-boot-')) : freshFolder(values.keep, kernel)
      try {
        fillShare(ROOT, share, archive, kernel)
        const timeoutMs = Number(values.timeout) * 1000
        const options = { share, cpus: Number(values.cpus), memory: values.memory, timeoutMs }
        const bootFor = async (suites: readonly string[], again: boolean) => {
          const job: Job = { suites, scale: Number(values.scale), again }
          writeFileSync(join(share, JOB), JSON.stringify(job))
          await boot(kernel, { ...options, say: (line) => say(`${kernel.release}  ${line}`) })
        }
        await bootFor(names, false)
        const twice = twiceOf(names)
        if (twice.length > 0 && existsSync(join(share, BOOT))) {
          mkdirSync(join(share, AGAIN))
          await bootFor(twice, true)
        }
        rmSync(join(share, 'app.tar'))
        good = (await judged(share, names, terminal)) && good
      } finally {
        if (values.keep === undefined) rmSync(share, { recursive: true, force: true })
      }
    }
  } finally {
    rmSync(archive, { force: true })
  }
  return good ? 0 : 1
}

function freshFolder(parent: string, { release }: BootableKernel): string {
  const folder = join(resolve(parent), release)
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  return folder
}

/** Those of the suites that ask a second boot. */
function twiceOf(names: readonly string[]): string[] {
  return SUITES.filter(({ name, again }) => again !== undefined && names.includes(name)).map(({ name }) => name)
}

/** Judges what a boot left in a folder, and prints the kernel's table. Whether all of it agrees. */
async function judged(share: string, names: readonly string[], { say, print }: Terminal): Promise<boolean> {
  const asked = SUITES.filter(({ name }) => names.includes(name) && existsSync(join(share, name)))
  const ends = [share, ...(asked.some(({ again }) => again !== undefined) ? [join(share, AGAIN)] : [])]
  if (!ends.every((folder) => existsSync(join(folder, BOOT)))) {
    const log = join(share, 'log')
    throw new Error(
      `the guest did not come to its end; its log:\n${existsSync(log) ? readFileSync(log, 'utf8') : 'none'}`,
    )
  }
  const facts = JSON.parse(readFileSync(join(share, BOOT), 'utf8')) as BootFacts
  const cells: SuiteCells[] = []
  let failures = ''
  for (const suite of asked) {
    const folder = join(share, suite.name)
    const again = join(share, AGAIN, suite.name)
    const tally = new Tally()
    for (const each of suite.again === undefined ? [folder] : [folder, again]) {
      tally.merge(JSON.parse(readFileSync(join(each, NOTED), 'utf8')) as Cell[])
      const failure = join(each, FAILURE)
      if (existsSync(failure)) failures += `${suite.name} failed in the guest: ${readFileSync(failure, 'utf8')}`
    }
    try {
      const note = (outcome: Outcome) => tally.add(outcome)
      const judging = { release: facts.release, folder, again, share, note }
      await suite.judge?.({ ...judging, say: (text) => say(`${suite.name}: ${text}`) })
    } catch (error) {
      failures += `${suite.name} failed: ${error instanceof Error ? error.stack : error}\n`
    }
    cells.push({ suite: suite.name, cells: tally.cells })
  }
  const { text, unlisted } = report(facts.release, cells, KNOWN_DIFFERENCES)
  const head = `kernel ${facts.release}, boot ${facts.bootId}, ${facts.modules} modules\n${facts.version}\n`
  const verdict = failures !== '' ? 'FAILED' : unlisted > 0 ? `${unlisted} DIFFER` : 'all agree'
  print(`${head}\n${text}\n${failures}${facts.release}: ${verdict}\n\n`)
  return failures === '' && unlisted === 0
}
