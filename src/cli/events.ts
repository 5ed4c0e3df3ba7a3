// `kerndex events [FILE…]`: a stream of process and probe events, each with its process, its parent and its stack.

import { readFileSync } from 'node:fs'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { DEFAULT_WAIT, Enricher } from '../events/enrich.ts'
import { INPUT_FORMATS } from '../events/formats.ts'
import { runStream } from '../events/run.ts'
import type { Kernel } from '../kernel.ts'
import { DEFAULT_CAPACITY, DEFAULT_INTERVAL_NS, ProcessCache } from '../processes/cache.ts'
import { dumpLines } from '../processes/dump.ts'
import { parseTraceClock, STREAM_CLOCKS, type StreamClock } from '../processes/proc.ts'
import {
  addRunning,
  type ClockOffset,
  clockOffset,
  type RunningProcess,
  readRunning,
  scanProc,
  seedCache,
} from '../processes/scan.ts'
import { treeLines } from '../processes/tree.ts'
import type { HostState } from '../stacks/states.ts'
import { note } from './output.ts'
import { withHost } from './over-time.ts'
import {
  conclusion,
  type StreamCommandOptions,
  streamOptions,
  withDeadLetters,
  withStreamOptions,
  writeMetrics,
} from './resolve.ts'
import { deadLetters, type InputStream, inputStreams, type Product, Progress, withProduct } from './stream.ts'
import { type Tally, tally } from './tally.ts'

const OUTPUTS = ['ndjson', 'compact', 'tree'] as const

interface EventsOptions extends StreamCommandOptions {
  readonly output: (typeof OUTPUTS)[number]
  readonly wait: bigint
  readonly cacheSize: number
  readonly node: string
  readonly proc?: boolean | string
  readonly procClock?: StreamClock
  readonly ancestors?: boolean
  readonly gcInterval: bigint
  readonly dump?: string
}

export function addEventsCommand(program: Command): void {
  withStreamOptions(
    program
      .command('events')
      .argument('[file...]', 'files, plain or .gz; without any, or for -, stdin')
      .description('process and probe events, each with its process, its parent and its kernel stack')
      .addOption(
        new Option('--output <format>', 'ndjson, compact words, or the tree of processes at the end')
          .choices(OUTPUTS)
          .default('ndjson'),
      )
      .addOption(
        new Option('--wait <ms>', 'milliseconds of event time that events wait for older ones')
          .argParser((text) => BigInt(positive(text)) * 1_000_000n)
          .default(DEFAULT_WAIT.waitNs, String(DEFAULT_WAIT.waitNs / 1_000_000n)),
      )
      .addOption(new Option('--cache-size <n>', 'most processes kept').argParser(positive).default(DEFAULT_CAPACITY))
      .addOption(
        new Option('--gc-interval <s>', 'seconds of event time between collections of what ended')
          .argParser((text) => BigInt(positive(text)) * 1_000_000_000n)
          .default(DEFAULT_INTERVAL_NS, String(DEFAULT_INTERVAL_NS / 1_000_000_000n)),
      )
      .option(
        '--dump <file>',
        'write the processes kept, with what holds them, as JSON: at the end and at each SIGUSR1',
      )
      .option('--ancestors', 'add the processes above the parent')
      .option('--node <name>', 'name of the host in exec ids', '')
      .option(
        '--proc [directory]',
        'begin with the processes that run now, out of /proc, and ask it of others of a live stream',
      )
      .addOption(
        new Option(
          '--proc-clock <clock>',
          "the clock of the stream's times; default: real for tetragon and tracee, else what trace_clock says, else monotonic",
        ).choices(STREAM_CLOCKS),
      ),
  )
    .addHelpText(
      'after',
      `
Fork, exec and exit carry TID = PID; probe events keep their own TID. Threads make no entries. What could not be had is
listed in "incomplete", what had to be corrected in "warnings"; both are counted in --metrics.

Input formats:
${INPUT_FORMATS.map(({ name, what }) => `  ${name.padEnd(14)} ${what}`).join('\n')}

Exit codes: 0 all done, 1 some line was not understood or some kernel address has no symbol, 2 wrong usage or a trace of
another kernel, 3 something cannot be read.

Examples:
  $ sudo cat /sys/kernel/tracing/trace_pipe | kerndex events --input ftrace --proc --output compact
  $ perf script --show-task-events | kerndex events --metrics events.prom
  $ kerndex events cpu0/trace cpu1/trace            # the parts of one recording, put together by their times
  $ kerndex events --dump now.jsonl < pipe & kill -USR1 $!
  $ kerndex events trace.txt --from capture/ --output tree`,
    )
    .action(async (files: string[], options: EventsOptions) => {
      process.exitCode = await withHost({ ...options, types: false }, (kernel, states) =>
        events(kernel, states, files, options),
      )
    })
}

function positive(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('a whole number is needed.')
  return Number(text)
}

async function events(
  kernel: Kernel,
  states: readonly HostState[],
  files: readonly string[],
  options: EventsOptions,
): Promise<number> {
  const counts = tally()
  const cache = new ProcessCache({
    ...{ capacity: options.cacheSize, node: options.node, intervalNs: options.gcInterval },
  })
  counts.processes = cache.counters
  const running = await scanned(options)
  const dumping = dumps(cache, options.dump)
  await withProduct(options.to, true, (product) =>
    withDeadLetters(options.deadLetter, async (letters) => {
      const run = { kernel, states, options, product, letters, counts, cache, running }
      let enricher: Enricher | undefined
      for (const input of inputStreams(files)) {
        enricher = await runInput({ ...run, input }, enricher ?? makeEnricher(run, input))
      }
      if (enricher !== undefined) await give(run, enricher.end())
      // Of an empty stream all that is known is what ran.
      seed(run, '')
      if (options.output === 'tree') await writeTree(cache, options, product)
    }),
  ).finally(() => dumping.stop())
  if (options.metrics !== undefined) await writeMetrics(options.metrics, kernel, counts)
  const { lostEvents, clockSetBacks } = cache.counters
  if (lostEvents > 0)
    note(`${lostEvents} events were lost by the recorder; what may be out of date since says lost_events`)
  if (clockSetBacks > 0) note(`the clock went back ${clockSetBacks} times; processes from before that say clock_set`)
  return conclusion(kernel, counts)
}

interface Run {
  readonly kernel: Kernel
  readonly states: readonly HostState[]
  readonly options: EventsOptions
  readonly product: Product
  readonly letters: Product | undefined
  readonly counts: Tally
  readonly cache: ProcessCache
  /** What ran when the command began, where it was asked for. */
  readonly running: Running | undefined
}

/** The processes of /proc, on the clock of the stream once that is known. */
interface Running {
  readonly root: string
  readonly found: readonly RunningProcess[]
  /** How its times become those of the stream; undefined before the stream's format is known. */
  clock: ClockOffset | undefined
}

async function scanned({ proc }: EventsOptions): Promise<Running | undefined> {
  if (proc === undefined || proc === false) return undefined
  const root = proc === true ? '/proc' : proc
  return { root, found: await scanProc(root), clock: undefined }
}

/** Puts what ran into the cache, once the format says which clock the stream's times are of. */
function seed({ cache, running, options }: Run, format: string): void {
  if (running === undefined || running.clock !== undefined) return
  const ofFormat = format === 'tetragon' || format === 'tracee' ? 'real' : undefined
  running.clock = clockOffset(options.procClock ?? ofFormat ?? traceClock() ?? 'monotonic', running.root)
  seedCache(cache, running.found, running.clock)
}

/** What ftrace says its clock is, where it can be asked. */
function traceClock(): StreamClock | undefined {
  for (const root of ['/sys/kernel/tracing', '/sys/kernel/debug/tracing']) {
    try {
      return parseTraceClock(readFileSync(`${root}/trace_clock`, 'latin1'))
    } catch {}
  }
  return undefined
}

function makeEnricher({ cache, kernel, options, running }: Run, input: InputStream): Enricher {
  const ask = (tid: number) => {
    const found = readRunning(tid, running?.root)
    if (found !== undefined) addRunning(cache, found, running?.clock)
  }
  return new Enricher(cache, {
    wait: { ...DEFAULT_WAIT, waitNs: options.wait },
    generation: kernel.generation,
    output: options.output === 'compact' ? 'compact' : 'ndjson',
    ancestors: options.ancestors ?? false,
    // A recording says nothing of what runs now.
    ...(running !== undefined && !input.whole && { ask }),
  })
}

async function give({ options, product }: Run, bytes: Uint8Array): Promise<void> {
  if (bytes.length > 0 && options.output !== 'tree') await product.write(bytes)
}

/** Runs one input; returns what goes on with the next, if that may be another part of the same recording. */
async function runInput(run: Run & { readonly input: InputStream }, enricher: Enricher): Promise<Enricher | undefined> {
  const { kernel, states, input, options, letters, counts } = run
  const progress = new Progress()
  progress.begin(input)
  let goesOn: boolean | undefined
  try {
    const read = streamOptions(options, states)
    const product = options.output === 'compact' ? 'compact-parts' : 'parts'
    for await (const answer of runStream(input.bytes, kernel.snapshot(), product, read)) {
      counts.add(answer)
      seed(run, answer.format)
      // The files of a kernel's CPUs are parts of one recording, with headers or without.
      goesOn ??= input.whole && answer.format === 'ftrace'
      if (goesOn && answer.firstLine === 0) enricher.begin()
      if (answer.parts !== undefined) await give(run, enricher.push(answer.parts))
      if (letters !== undefined && answer.bad.length > 0) await letters.write(deadLetters(input, answer))
      progress.update(answer, input, counts.events)
    }
    if (goesOn === true) return enricher
    await give(run, enricher.end())
    return undefined
  } finally {
    progress.stop()
  }
}

async function writeTree(cache: ProcessCache, options: EventsOptions, product: Product): Promise<void> {
  const entries = cache.entries()
  for (const line of options.json === true ? dumpLines(entries) : treeLines(entries)) await product.write(line)
}

/** Writes the processes that are kept to a file, now and at each SIGUSR1; `stop` waits for what is being written. */
function dumps(cache: ProcessCache, path: string | undefined): { stop(): Promise<void> } {
  if (path === undefined) return { stop: async () => {} }
  let writing = Promise.resolve()
  const write = async () => {
    const entries = cache.entries()
    await withProduct(path, false, async (product) => {
      for (const line of dumpLines(entries)) await product.write(line)
    })
  }
  const later = () => {
    writing = writing.then(write).catch((error: unknown) => note(`no dump: ${String(error)}`))
  }
  process.on('SIGUSR1', later)
  return {
    stop: async () => {
      process.off('SIGUSR1', later)
      await writing
      await write()
    },
  }
}
