// What fleet mode costs: the processor time of all its processes, broker included, against one process that does the same alone, by
// turns; the start of workers and broker, which run for weeks, apart. Addresses of several tables, and a recording with its stacks. `node dist/lib/bench/fleet.js --help` says how it is run.

import { type ChildProcess, spawn } from 'node:child_process'
import {
  closeSync,
  createReadStream,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { freePort } from '../src/cli/free-port.ts'
import { benchUrl, commandUrl, packageUrl } from '../src/core/place.ts'
import { NatsQueue, progressOf } from '../src/fleet.ts'
import { openKernel, saveSnapshot } from '../src/index.ts'
import { unpackedStream } from '../src/sources/unpack.ts'
import { randomAddresses } from './lib/questions.ts'
import { seededRandom } from './lib/random.ts'
import { median } from './lib/stats.ts'
import { syntheticKallsyms } from './lib/synthetic.ts'

const { values: options } = parseArgs({
  options: {
    help: { type: 'boolean' },
    millions: { type: 'string', default: '20' },
    tables: { type: 'string', default: '5' },
    symbols: { type: 'string', default: '241116' },
    stacks: { type: 'string', default: '500000' },
    rounds: { type: 'string', default: '3' },
    workers: { type: 'string', default: '2' },
    'open-tables': { type: 'string', default: '16' },
    'queue-bytes': { type: 'string', default: String(2 ** 30) },
    seed: { type: 'string', default: '1' },
  },
})

if (options.help) {
  process.stdout.write(`usage: node dist/lib/bench/fleet.js [options]   (needs a nats-server; loopback only)
  --millions N      million addresses of all tables together; 0 leaves them out (20)
  --tables N        tables (5)        --symbols N   symbols of a table (241116)
  --stacks N        stacks; 0 leaves them out (500000)
  --workers N       (2)               --open-tables N   tables that a worker keeps open (16)
  --rounds N        (3)               --queue-bytes N   bytes of pieces that may wait: few have the producer wait (1073741824)
  --seed N
`)
  process.exit(0)
}

const number = (text: string) => Number(text)
const rounds = number(options.rounds)
const folder = mkdtempSync(join(tmpdir(), 'kerndex-bench-fleet-'))
const CAPTURE = fileURLToPath(packageUrl('fixtures/events/debian-6.1'))
/** Milliseconds of processor time of a running process; a tick is ten of them (proc(5)). */
function processorMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1')
    .replace(/^.*\) /, '')
    .split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 10
}

function residentMb(pid: number): number {
  return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? 0) / 1024
}

function started(program: string, args: readonly string[], until: RegExp): Promise<ChildProcess> {
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  return new Promise((resolve, reject) => {
    let said = ''
    child.stderr.on('data', (piece: Buffer) => {
      said += piece.toString()
      if (until.test(said)) resolve(child)
    })
    child.on('error', reject)
    child.on('exit', () => reject(new Error(`${program}: ${said}`)))
  })
}

async function ended(child: ChildProcess): Promise<void> {
  const gone = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  await gone
}

/** Waits until processes have nothing to do any more, as far as a third of a second tells. */
async function settled(children: readonly ChildProcess[]): Promise<void> {
  const all = () => children.reduce((sum, { pid = 0 }) => sum + processorMs(pid), 0)
  for (let last = -1; last < all(); ) {
    last = all()
    await new Promise((resolve) => setTimeout(resolve, 300))
  }
}

/** Runs a program to its end, and gives what it printed. */
async function output(args: readonly string[]): Promise<string> {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const pieces: Buffer[] = []
  child.stdout.on('data', (piece: Buffer) => pieces.push(piece))
  const code = await new Promise((resolve) => child.once('close', resolve))
  if (code !== 0) throw new Error(`${args.join(' ')} ended with ${code}`)
  return Buffer.concat(pieces).toString()
}

interface Work {
  readonly table: string
  readonly file: string
  readonly input: 'packed' | 'perf-script'
}

async function makeAddresses(): Promise<Work[]> {
  const tables = number(options.tables)
  const each = Math.round((number(options.millions) * 1e6) / tables)
  const works: Work[] = []
  for (let i = 0; i < tables; i++) {
    const kallsyms = join(folder, `kallsyms-${i}`)
    const descriptor = openSync(kallsyms, 'w')
    for (const piece of syntheticKallsyms(number(options.symbols), number(options.seed) + i))
      writeSync(descriptor, piece)
    closeSync(descriptor)
    const table = join(folder, `table-${i}`)
    const file = join(folder, `addresses-${i}`)
    await using kernel = await openKernel({ from: kallsyms, threads: 0, types: false })
    await saveSnapshot(kernel.snapshot(), table)
    const addresses = randomAddresses(kernel.symbols, seededRandom(i), each)
    writeFileSync(file, new Uint8Array(addresses.buffer))
    rmSync(kallsyms)
    works.push({ table, file, input: 'packed' })
  }
  return works
}

/** A recording as long as was asked for: the repository's one over and over, with times and periods that differ. */
async function makeStacks(): Promise<Work[]> {
  const table = join(folder, 'table')
  await using kernel = await openKernel({ from: CAPTURE, threads: 0, types: false })
  await saveSnapshot(kernel.snapshot(), table)
  const packed = createReadStream(join(CAPTURE, 'samples/perf-script.txt.gz'))
  const pieces: Uint8Array[] = []
  for await (const piece of unpackedStream('sample', packed)) pieces.push(piece)
  const text = Buffer.concat(pieces)
  const samples = text.toString('latin1').split('\n\n').length - 1
  const file = join(folder, 'perf.txt')
  const descriptor = openSync(file, 'w')
  for (let made = 0; made < number(options.stacks); made += samples) writeSync(descriptor, text)
  closeSync(descriptor)
  return [{ table, file, input: 'perf-script' }]
}

/** One process alone: it reads, looks up, and writes its answers to a file. */
async function local(works: readonly Work[]): Promise<number> {
  const task = join(folder, 'local.json')
  writeFileSync(task, JSON.stringify({ works, to: join(folder, 'local.out') }))
  return Number(await output([fileURLToPath(benchUrl('cold/fleet-local')), task]))
}

interface Fleet {
  readonly producer: number
  readonly workers: number
  readonly broker: number
  /** Of workers and broker, before there was work. */
  readonly start: number
  readonly closings: number
  readonly openings: number
  /** Most resident memory of the producer, and of a worker. */
  readonly producerMb: number
  readonly workerMb: number
  readonly pieces: number
}

async function fleet(works: readonly Work[]): Promise<Fleet> {
  const port = await freePort()
  const store = mkdtempSync(join(folder, 'broker-'))
  const config = join(store, 'nats.conf')
  writeFileSync(config, `listen: "127.0.0.1:${port}"\njetstream { store_dir: "${store}/js", max_file: 20G }\n`)
  const broker = await started('nats-server', ['-c', config], /Server is ready/)
  const url = `nats://127.0.0.1:${port}`
  const workers: ChildProcess[] = []
  try {
    const queue = await NatsQueue.open({
      servers: [url],
      queueBytes: number(options['queue-bytes']),
      resultBytes: 2 ** 33,
    })
    for (let i = 0; i < number(options.workers); i++) {
      const metrics = join(folder, `metrics-${i}`)
      const args = ['fleet', 'worker', '--server', url, '--metrics', metrics, '--open-tables', options['open-tables']]
      workers.push(await started(process.execPath, [fileURLToPath(commandUrl()), ...args], /working for/))
    }
    // Daemons run for weeks: what they took until they wait for work is no part of this work's cost.
    await settled(workers)
    const before = workers.map(({ pid = 0 }) => processorMs(pid))
    const brokerBefore = processorMs(broker.pid ?? 0)
    const task = join(folder, 'submit.json')
    writeFileSync(task, JSON.stringify({ works, url }))
    const { cpuMs, jobs, peakMb }: { cpuMs: number; jobs: string[]; peakMb: number } = JSON.parse(
      await output([fileURLToPath(benchUrl('cold/fleet-submit')), task]),
    )
    let pieces = 0
    for (const job of jobs) {
      for (;;) {
        const progress = await progressOf(queue, job)
        if (progress.buried.size > 0) throw new Error(`${job} has dead letters`)
        if (progress.done) {
          pieces += progress.answered.size
          break
        }
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
    }
    const used = workers.map(({ pid = 0 }, i) => ({ ms: processorMs(pid) - before[i]!, mb: residentMb(pid) }))
    const brokerMs = processorMs(broker.pid ?? 0) - brokerBefore
    await queue.close()
    for (const worker of workers.splice(0)) await ended(worker)
    const counted = (name: string) =>
      used.reduce((sum, _, i) => {
        const text = readFileSync(join(folder, `metrics-${i}`), 'utf8')
        return sum + Number(new RegExp(`^kerndex_fleet_${name} (\\d+)$`, 'm').exec(text)?.[1] ?? 0)
      }, 0)
    return {
      producer: cpuMs,
      workers: used.reduce((sum, { ms }) => sum + ms, 0),
      broker: brokerMs,
      start: before.reduce((sum, ms) => sum + ms, brokerBefore),
      closings: counted('table_closings_total'),
      openings: counted('table_openings_total'),
      producerMb: peakMb,
      workerMb: Math.max(...used.map(({ mb }) => mb)),
      pieces,
    }
  } finally {
    for (const worker of workers) await ended(worker)
    await ended(broker)
    rmSync(store, { recursive: true, force: true })
  }
}

async function compare(what: string, works: readonly Work[]): Promise<void> {
  const ratios: number[] = []
  for (let round = 0; round < rounds; round++) {
    const alone = await local(works)
    const { producer, workers, broker, start, closings, openings, producerMb, workerMb, pieces } = await fleet(works)
    const all = producer + workers + broker
    ratios.push(all / alone)
    process.stdout.write(
      `${what}: one process ${alone.toFixed(0)} ms, fleet ${all.toFixed(0)} ms (producer ${producer.toFixed(0)}, workers ${workers}, broker ${broker}), ` +
        `${(all / alone).toFixed(2)} x, beside ${start} to start; ${pieces} pieces, ${openings} openings, ${closings} closings, at most ${producerMb.toFixed(0)} MB in the producer and ${workerMb.toFixed(0)} in a worker\n`,
    )
  }
  process.stdout.write(`${what}: median ${median(ratios).toFixed(2)} x\n`)
}

try {
  if (number(options.millions) > 0)
    await compare(`${options.millions} M addresses of ${options.tables} tables`, await makeAddresses())
  if (number(options.stacks) > 0) {
    const works = await makeStacks()
    const megabytes = (statSync(works[0]?.file ?? '').size / 1e6).toFixed(0)
    await compare(`${options.stacks} stacks (${megabytes} MB)`, works)
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
