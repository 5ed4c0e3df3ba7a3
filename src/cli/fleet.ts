// `kerndex fleet submit|worker|status|results|dead-letters|clean|demo`: durable jobs on NATS JetStream.

import { type Command, Option } from 'commander'
import { NotFoundError, UsageError } from '../core/errors.ts'
import { INPUT_FORMATS } from '../events/formats.ts'
import { cleanFleet } from '../fleet/clean.ts'
import type { Job } from '../fleet/job.ts'
import { submitJob } from '../fleet/producer.ts'
import { progressOf } from '../fleet/results.ts'
import type { Store } from '../fleet/store.ts'
import { Tables } from '../fleet/tables.ts'
import { type PieceFailure, Worker } from '../fleet/worker.ts'
import { EXIT } from './exit.ts'
import { addDemoCommand } from './fleet-demo.ts'
import { hostPort, type MetricsOptions, submitMetrics, withMetrics, workerMetrics } from './fleet-metrics.ts'
import { duration, type FleetOptions, noteDurability, wholeNumber, withFleet, withFleetOptions } from './fleet-open.ts'
import { addResultsCommand } from './fleet-results.ts'
import { storedLayout, storedTable } from './fleet-table.ts'
import { interrupted } from './interrupt.ts'
import { note, write, writeJson } from './output.ts'
import { inputStreams, withProduct } from './stream.ts'

export const WHEN_NOT = `
When not to use it: one process of \`kerndex resolve\` names a quarter of a million repeating stacks a second and core, and moving an
address through any queue costs more than finding its symbol. Below some hundred thousand stacks a second one process or
\`kerndex serve\` is cheaper. It is for work that must outlive its processes: many hosts, retries, machines that come and go.`

export function addFleetCommand(program: Command): void {
  const fleet = program
    .command('fleet')
    .description('durable jobs of many machines on NATS JetStream')
    .addHelpText('after', WHEN_NOT)
  addSubmit(fleet)
  addWorker(fleet)
  addStatus(fleet)
  addResultsCommand(fleet)
  addDeadLetters(fleet)
  addClean(fleet)
  addDemoCommand(fleet)
}

interface SubmitOptions extends FleetOptions {
  readonly table?: string
  readonly layout?: string
  readonly catalog?: string
  readonly job?: string
  readonly output?: Job['product']
  readonly input?: string
  readonly mode: Job['mode']
  readonly traceBootId?: string
  readonly traceRelease?: string
  readonly traceStext?: string
  readonly prefix: Job['prefix']
  readonly kernelMark?: boolean
  readonly userAddresses?: boolean
  readonly pieceBytes?: number
  readonly metrics?: string
}

function addSubmit(fleet: Command): void {
  withFleetOptions(
    fleet
      .command('submit')
      .argument('[file...]', 'files, plain or packed by gzip, xz or zstd; without any, or for -, stdin')
      .description('send stacks or addresses as a job; equal stacks are merged first')
      .option('--table <key|path>', 'key of a table that is in the store, or what --from takes: that goes there')
      .option('--layout <file>', "instead: a host's layout, whose kernel's builds are in a catalogue")
      .option(
        '--catalog <dir|key>',
        "with --layout: the catalogue, or the key of builds that are in the store; default the user's own",
      )
      .option('--job <name>', 'name of the job; give it again to go on with one that was interrupted')
      .addOption(
        new Option('--output <what>', 'what to make of it; default profile, of addresses ids').choices([
          'profile',
          'text',
          'ndjson',
          'compact',
          'ids',
          'names',
        ]),
      )
      .addOption(
        new Option('--input <format>', 'format of the input, or packed: addresses of 8 bytes, little-endian').choices([
          'packed',
          ...INPUT_FORMATS.map(({ name }) => name),
        ]),
      )
      .addOption(
        new Option('--mode <mode>', 'return: return addresses are looked up at address - 1; raw: as printed')
          .choices(['return', 'raw'])
          .default('return'),
      )
      .option('--trace-boot-id <id>', 'boot id of the traced kernel')
      .option('--trace-release <release>', 'release of the traced kernel')
      .option('--trace-stext <address>', 'where _stext lay in the traced boot')
      .addOption(
        new Option('--prefix <what>', 'profiles: the outermost frame, where it is known')
          .choices(['none', 'comm', 'comm-pid'])
          .default('comm'),
      )
      .option('--kernel-mark', 'profiles: mark kernel frames with _[k]')
      .option('--user-addresses', 'profiles: user frames without a symbol by address')
      .option('--piece-bytes <n>', 'most bytes of a piece; default 524288, or what the broker takes', wholeNumber)
      .option('--metrics <file>', 'write counters as Prometheus text when done'),
  )
    .addHelpText(
      'after',
      `${WHEN_NOT}

Prints the name of the job once all of it is in the queue. An interrupted one goes on where it was when it is given again with
--job, the same files and options.

Exit codes: 0 all of it is in the queue, 1 a table that is not there, 2 wrong usage, 3 the broker or a file cannot be read, 130.

Examples:
  $ perf script | kerndex fleet submit --table capture/
  $ kerndex fleet submit perf.txt --table host.kerndex --job monday-42
  $ kerndex fleet submit perf.txt --layout host.layout --catalog /srv/kernels
  $ kerndex fleet submit addresses.bin --input packed --table 9f86d0…`,
    )
    .action(submit)
}

async function submit(files: string[], options: SubmitOptions): Promise<void> {
  const begun = performance.now()
  const { output, traceBootId, traceRelease, traceStext, job, input, mode, prefix, pieceBytes } = options
  await withFleet(options, async (fleet) => {
    const key = await keyOfTable(options, await fleet.store())
    let said = ''
    const submitted = await submitJob(fleet.queue, bytesOf(files), {
      table: key,
      job,
      product: output,
      input,
      mode,
      boot: { bootId: traceBootId, release: traceRelease, stext: traceStext },
      prefix,
      kernelMark: options.kernelMark,
      userAddresses: options.userAddresses,
      pieceBytes,
      signal: interrupted,
      onJob: ({ name }) => {
        if (job === undefined) note(`job ${name}: if this is interrupted, go on with --job ${name}`)
      },
      onWait: (reason) => {
        if (reason !== said) note(`waiting: ${reason}`)
        said = reason
      },
    })
    const { sent, before, waits } = submitted
    if (sent.bad > 0) note(`${sent.bad} lines were not understood`)
    if (options.json) await writeJson({ job: submitted.job.name, table: key, ...sent, before, waits })
    else await write(`${submitted.job.name}\n`)
    if (options.metrics !== undefined) {
      const text = await submitMetrics(submitted, (performance.now() - begun) / 1000)
      await withProduct(options.metrics, false, (file) => file.write(text))
    }
  })
}

/** The key of the table that the options name, which is in the store then. @throws UsageError */
function keyOfTable({ table, layout, catalog }: SubmitOptions, store: Store): Promise<string> {
  if (table !== undefined && layout === undefined && catalog === undefined) return storedTable(table, store)
  if (table !== undefined || layout === undefined)
    throw new UsageError('what the stacks are of is needed: --table KEY, or --layout FILE with --catalog')
  return storedLayout(layout, catalog, store)
}

/** All files one behind the other, as one stream. */
async function* bytesOf(files: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const { bytes } of inputStreams(files)) yield* bytes
}

interface WorkOptions extends FleetOptions, MetricsOptions {
  readonly tablesDir?: string
  readonly openTables?: number
  readonly tableBytes?: number
  readonly idleExit?: number
}

function addWorker(fleet: Command): void {
  withFleetOptions(
    fleet
      .command('worker')
      .description('look pieces up until it is told to stop')
      .option('--tables-dir <dir>', 'where fetched tables are kept; default a temporary folder that goes with it')
      .option('--open-tables <n>', 'tables that are open at once; default 16', wholeNumber)
      .option('--table-bytes <n>', 'bytes of fetched tables that are kept; default 4 GiB', wholeNumber)
      .option('--idle-exit <time>', 'end once nothing has waited for so long, such as 30s', duration)
      .option('--metrics <file>', 'write counters as Prometheus text, every ten seconds and when done')
      .option('--metrics-listen <host:port>', 'hand counters out at /metrics', hostPort),
  )
    .addHelpText(
      'after',
      `${WHEN_NOT}

Run as many as there are cores to spare, on any machines. SIGTERM ends one after its piece; what it held goes back at once. One that
is killed loses nothing either: what it held comes back after a minute.

Exit codes: 0 ended by SIGTERM or --idle-exit, 2 wrong usage, 3 the broker cannot be reached, 130 interrupted.

Examples:
  $ kerndex fleet worker --server nats://broker:4222 --metrics-listen 9464
  $ kerndex fleet worker --idle-exit 1m`,
    )
    .action(work)
}

async function work(options: WorkOptions): Promise<void> {
  const terminated = new AbortController()
  process.once('SIGTERM', () => terminated.abort(new Error('terminated')))
  const signal = AbortSignal.any([interrupted, terminated.signal])
  const { openTables: open, tableBytes: bytes, tablesDir: directory, idleExit: idleMs } = options
  await withFleet(options, async (fleet) => {
    const tables = new Tables(await fleet.store(), { directory, open, bytes })
    const onFailure = ({ job, number, attempt, reason, givenUp }: PieceFailure) =>
      note(`piece ${number} of ${job}, attempt ${attempt}, ${givenUp ? 'given up' : 'comes back'}: ${reason}`)
    const worker = new Worker(fleet.queue, tables, { signal, idleMs, onFailure })
    note(`working for ${fleet.queue.what}`)
    await noteDurability(fleet)
    const read = async () => workerMetrics(worker.counts, await fleet.queue.waiting().catch(() => []))
    try {
      await withMetrics(options, read, () => worker.run())
    } finally {
      await tables.close()
    }
    const { pieces, buried, tables: kept } = worker.counts
    if (options.json) await writeJson({ ...worker.counts, answered: Object.fromEntries(worker.counts.answered) })
    else
      note(`${pieces} pieces, ${buried} given up, ${kept.fetched} tables fetched, ${kept.closed} closed to make room`)
  })
  if (interrupted.aborted) process.exitCode = EXIT.interrupted
}

function addStatus(fleet: Command): void {
  withFleetOptions(
    fleet
      .command('status')
      .argument('[job...]', 'names of jobs; default: all')
      .description('what waits, how far jobs are, and what the broker is worth'),
  )
    .addHelpText(
      'after',
      `
Exit codes: 0 done, 1 there is no such job, 2 wrong usage, 3 the broker cannot be reached.

Examples:
  $ kerndex fleet status
  $ kerndex fleet status monday-42 --json`,
    )
    .action(async (names: string[], options: FleetOptions) => {
      await withFleet(options, async (fleet) => {
        const { queue } = fleet
        const waiting = await queue.waiting()
        const sum = (of: (one: { waiting: number; taken: number }) => number) =>
          waiting.reduce((total, each) => total + of(each), 0)
        if (!options.json) {
          await write(
            `${queue.what}: ${sum((one) => one.waiting)} pieces wait, ${sum((one) => one.taken)} are worked on\n`,
          )
          await noteDurability(fleet)
        }
        for (const name of names.length > 0 ? names : (await queue.jobs()).sort()) {
          const { job, pieces, answered, buried, done } = await progressOf(queue, name)
          const row = { job: name, opened: job.opened, input: job.input, product: job.product, table: job.table }
          const sizes = { pieces: pieces ?? null, answered: answered.size, deadLetters: buried.size, done }
          if (options.json) await writeJson({ ...row, ...sizes })
          else {
            const of = pieces === undefined ? 'some (still being sent)' : String(pieces)
            const dead = buried.size === 0 ? '' : `, ${buried.size} given up`
            await write(
              `${name.padEnd(18)} ${job.product.padEnd(8)} ${answered.size} of ${of} pieces${dead}${done ? ', done' : ''}\n`,
            )
          }
        }
      })
    })
}

function addDeadLetters(fleet: Command): void {
  withFleetOptions(
    fleet
      .command('dead-letters')
      .argument('[job...]', 'names of jobs; default: all')
      .description('pieces that were given up, and why')
      .option('--payload', 'with --json: the pieces themselves too, in base64'),
  )
    .addHelpText(
      'after',
      `
Exit codes: 0 there are none, 1 there are some, or no such job, 2 wrong usage, 3 the broker cannot be reached.

Examples:
  $ kerndex fleet dead-letters
  $ kerndex fleet dead-letters monday-42 --json --payload | jq -r .payload | base64 -d`,
    )
    .action(async (names: string[], options: FleetOptions & { readonly payload?: boolean }) => {
      await withFleet(options, async ({ queue }) => {
        for (const job of names.length > 0 ? names : await queue.jobs()) {
          const { buried } = await progressOf(queue, job)
          for (const piece of [...buried].sort((a, b) => a - b)) {
            const letter = await queue.letterOf(job, piece)
            if (letter === undefined) throw new NotFoundError(`piece ${piece} of ${job} is gone`)
            const { bytes, reason, attempts, buried: when } = letter
            process.exitCode = EXIT.notFound
            const payload = options.payload ? { payload: Buffer.from(bytes).toString('base64') } : {}
            if (options.json)
              await writeJson({ job, piece, reason, attempts, bytes: bytes.length, buried: when, ...payload })
            else await write(`${job} ${piece}: ${reason}, ${attempts} times taken, ${bytes.length} bytes\n`)
          }
        }
      })
    })
}

function addClean(fleet: Command): void {
  withFleetOptions(
    fleet
      .command('clean')
      .alias('sweep')
      .description('remove finished jobs with their results, tables that no job needs, and what interrupted puts left')
      .option('--older <time>', 'only what is older; default 7d', duration, duration('7d'))
      .option('--unfinished', 'jobs that are not done, too'),
  )
    .addHelpText(
      'after',
      `
Results go by themselves after 30 days. Tables at an http(s) store are the server's to clean up.

Exit codes: 0 done, 2 wrong usage, 3 the broker cannot be reached.

Examples:
  $ kerndex fleet clean --older 1d
  $ kerndex fleet clean --older 0s --unfinished`,
    )
    .action(async (options: FleetOptions & { readonly older: number; readonly unfinished?: boolean }) => {
      await withFleet(options, async ({ queue, store }) => {
        const given = { olderThanMs: options.older, unfinished: options.unfinished }
        const cleaned = await cleanFleet(queue, await store(), given)
        const { jobs, tables, orphanedBytes } = cleaned
        if (options.json) await writeJson(cleaned)
        else
          await write(
            `removed ${jobs.length} jobs, ${tables.length} tables, ${orphanedBytes} bytes that were left behind\n`,
          )
      })
    })
}
