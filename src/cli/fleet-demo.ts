// `kerndex fleet demo`: the whole way on one machine, with a broker of its own: a table is put, a recording sent, two workers look it
// up, and the profile is that of one local run.

import { spawn } from 'node:child_process'
import { accessSync, constants, existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Command } from 'commander'
import { NotFoundError, NotReadableError, UsageError } from '../core/errors.ts'
import { commandUrl, packageUrl } from '../core/place.ts'
import { EXIT } from './exit.ts'
import { freePort } from './free-port.ts'
import { interrupted } from './interrupt.ts'
import { note, write } from './output.ts'

interface DemoOptions {
  readonly from?: string
}

const CAPTURE = 'fixtures/events/debian-6.1'
const RECORDING = `${CAPTURE}/samples/perf-script.txt.gz`
const TOP = 5
/** Milliseconds that a server may take to start. */
const START_MS = 10_000

export function addDemoCommand(fleet: Command): void {
  fleet
    .command('demo')
    .exitOverride()
    .argument('[file...]', 'a recording, with --from; default: one of the repository')
    .description('the whole way on this machine, with a nats-server of its own and two workers')
    .option('--from <path>', 'capture, snapshot or kallsyms-like file that the recording is of')
    .addHelpText(
      'after',
      `
Everything that it starts and writes goes with it. Without a nats-server it says how to get one.

Exit codes: 0 the profile is that of one local run, 1 there is no nats-server, or the profile is another one, 2 wrong usage.

Examples:
  $ kerndex fleet demo
  $ kerndex fleet demo perf.txt --from capture/`,
    )
    .action(async (files: string[], options: DemoOptions) => {
      process.exitCode = await demo(files, options)
    })
}

async function demo(files: readonly string[], { from }: DemoOptions): Promise<number> {
  const [table, recordings] = inputs(files, from)
  const server = serverProgram()
  const folder = await mkdtemp(join(tmpdir(), 'kerndex-demo-'))
  const started: { readonly end: () => Promise<void> }[] = []
  try {
    const url = await startServer(server, folder, started)
    await write(`nats-server listens at ${url}\n`)
    const run = (...args: string[]) => kerndex([...args], { KERNDEX_NATS: url })
    const sent = await run(
      'fleet',
      'submit',
      ...recordings,
      '--table',
      table,
      '--job',
      'demo',
      '--piece-bytes',
      '65536',
      '--json',
    )
    const { events, pieces }: { events: number; pieces: number } = JSON.parse(sent)
    await write(`sent ${events} events, merged into ${pieces} pieces\n`)
    for (let i = 0; i < 2; i++) started.push(background(['fleet', 'worker'], { KERNDEX_NATS: url }))
    const folded = join(folder, 'fleet.folded')
    await run('fleet', 'results', 'demo', '--wait', '--to', folded)
    await write(`two workers have looked them up\n${await run('fleet', 'status')}`)
    const local = join(folder, 'local.folded')
    await run('resolve', ...recordings, '--from', table, '--output', 'folded', '--to', local)
    const lines = (await readFile(folded, 'latin1')).split('\n').slice(0, -1)
    const same = (await readFile(local)).equals(await readFile(folded))
    await write(`${lines.length} different stacks, ${same ? 'those' : 'NOT those'} of one local run; the heaviest:\n`)
    const weight = (line: string) => Number(line.slice(line.lastIndexOf(' ')))
    for (const line of lines.sort((a, b) => weight(b) - weight(a)).slice(0, TOP)) await write(`  ${line}\n`)
    return same ? EXIT.ok : EXIT.notFound
  } finally {
    for (const { end } of started.reverse()) await end()
    await rm(folder, { recursive: true, force: true })
  }
}

/** The table and the recordings. @throws UsageError if neither is given and the package has none */
function inputs(files: readonly string[], from: string | undefined): [table: string, recordings: readonly string[]] {
  if ((files.length === 0) !== (from === undefined)) throw new UsageError('give a recording and --from, or neither')
  if (from !== undefined) return [from, files]
  const recording = fileURLToPath(packageUrl(RECORDING))
  if (!existsSync(recording))
    throw new UsageError('recordings are only in the repository: give one, and --from a capture of its kernel')
  return [fileURLToPath(packageUrl(CAPTURE)), [recording]]
}

/** Where nats-server is. @throws NotFoundError, saying how to get it */
function serverProgram(): string {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/bin', '/usr/local/sbin']
  for (const folder of folders) {
    const path = join(folder, 'nats-server')
    try {
      accessSync(path, constants.X_OK)
      return path
    } catch {
      // The next one may have it.
    }
  }
  throw new NotFoundError(
    'there is no nats-server: apt-get install nats-server, brew install nats-server, or a file from https://nats.io/download',
  )
}

type Started = { readonly end: () => Promise<void> }

async function startServer(program: string, folder: string, started: Started[]): Promise<string> {
  const port = await freePort()
  const config = join(folder, 'nats.conf')
  await writeFile(
    config,
    `listen: "127.0.0.1:${port}"\njetstream { store_dir: ${JSON.stringify(join(folder, 'broker'))} }\n`,
  )
  const child = spawn(program, ['-c', config], { stdio: ['ignore', 'ignore', 'pipe'] })
  started.push(ending(child))
  await new Promise<void>((resolve, reject) => {
    let said = ''
    const late = setTimeout(() => reject(new NotReadableError(`${program} does not start: ${said}`)), START_MS)
    child.stderr.on('data', (piece: Buffer) => {
      said = (said + piece.toString('latin1')).slice(-10_000)
      if (!said.includes('Server is ready')) return
      clearTimeout(late)
      resolve()
    })
    child.on('error', reject)
    child.on('exit', () => reject(new NotReadableError(`${program} ended: ${said}`)))
  })
  return `nats://127.0.0.1:${port}`
}

function background(args: readonly string[], env: Readonly<Record<string, string>>): Started {
  const child = spawn(process.execPath, [fileURLToPath(commandUrl()), ...args], {
    env: { ...process.env, ...env },
    stdio: 'ignore',
  })
  return ending(child)
}

function ending(child: ReturnType<typeof spawn>): Started {
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => resolve())
    child.once('error', () => resolve())
  })
  return {
    end: async () => {
      child.kill('SIGTERM')
      await ended
    },
  }
}

/** Runs a command of kerndex as people do, and gives what it printed. */
async function kerndex(args: readonly string[], env: Readonly<Record<string, string>>): Promise<string> {
  const options = { env: { ...process.env, ...env }, signal: interrupted }
  const child = spawn(process.execPath, [fileURLToPath(commandUrl()), ...args], options)
  const out: Buffer[] = []
  const err: Buffer[] = []
  child.stdout.on('data', (piece: Buffer) => out.push(piece))
  child.stderr.on('data', (piece: Buffer) => err.push(piece))
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', resolve)
  })
  const said = Buffer.concat(err).toString()
  // A recording may have addresses without a symbol.
  if (code !== EXIT.ok && code !== EXIT.notFound) throw new NotReadableError(`kerndex ${args.join(' ')}: ${said}`)
  if (code !== EXIT.ok) note(said.trim())
  return Buffer.concat(out).toString('latin1')
}
