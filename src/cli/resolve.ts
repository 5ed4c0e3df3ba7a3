// `kerndex resolve [FILE…]`: stacks and addresses in what tools emit, put into words.

import { type Command, InvalidArgumentError, Option } from 'commander'
import { formatAddress, parseAddress } from '../core/address.ts'
import { UsageError } from '../core/errors.ts'
import type { EventFilter } from '../events/filter.ts'
import type { Folding } from '../events/fold.ts'
import { nanoseconds } from '../events/format.ts'
import { INPUT_FORMATS } from '../events/formats.ts'
import type { Output } from '../events/output/output.ts'
import { OUTPUTS, outputOf } from '../events/output/outputs.ts'
import { runStream, type StreamOptions } from '../events/run.ts'
import type { Kernel } from '../kernel.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
import { type Frame, frameInWords } from '../stacks/frame.ts'
import { Profiles, type Weighing } from '../stacks/profile.ts'
import type { HostState } from '../stacks/states.ts'
import { EXIT } from './exit.ts'
import { interrupted } from './interrupt.ts'
import { withKernelOptions } from './open.ts'
import { note } from './output.ts'
import { type OverTimeOptions, severalFrom, withHost } from './over-time.ts'
import { placingOf } from './placing.ts'
import { writeProfile } from './profile.ts'
import { withoutRecordings } from './recordings.ts'
import { deadLetters, type InputStream, inputStreams, type Product, Progress, withProduct } from './stream.ts'
import { type Tally, tally, tallyMetrics } from './tally.ts'
import { isTerminal } from './terminal.ts'

/** The options that say what a stream is, for every command that reads one. */
export interface StreamCommandOptions extends OverTimeOptions {
  readonly input?: string
  readonly mode: 'return' | 'raw'
  readonly to?: string
  readonly metrics?: string
  readonly deadLetter?: string
  readonly strict?: boolean
  readonly passthrough: boolean
  readonly traceBootId?: string
  readonly traceRelease?: string
  readonly traceStext?: bigint
}

interface ResolveOptions extends StreamCommandOptions {
  readonly output?: string
  readonly kernelMark?: boolean
  readonly userAddresses?: boolean
  readonly prefix: 'none' | 'comm' | 'comm-pid'
  readonly weight: Weighing
  readonly comm?: readonly string[]
  readonly pid?: readonly number[]
  readonly event?: readonly string[]
  readonly time?: TimeRange
  readonly invert?: boolean
  readonly buildId?: string
  readonly slideFromStacks?: boolean
}

interface TimeRange {
  readonly from: bigint | undefined
  readonly to: bigint | undefined
}

/** Adds what every stream command takes. */
export function withStreamOptions(command: Command): Command {
  return severalFrom(withKernelOptions(command))
    .addOption(
      new Option('--input <format>', 'format of the input; by default told from its beginning').choices(
        INPUT_FORMATS.map(({ name }) => name),
      ),
    )
    .addOption(
      new Option('--mode <mode>', 'return: return addresses are looked up at address - 1; raw: as printed, like perf')
        .choices(['return', 'raw'])
        .default('return'),
    )
    .option('--to <file>', 'write to a file, which appears when it is whole, instead of stdout')
    .option('--metrics <file>', 'write counters as Prometheus text when done')
    .option('--dead-letter <file>', 'write lines that cannot be decoded, with their numbers, as JSON')
    .option('--strict', 'events of a type that is not known are not understood, instead of being passed on')
    .option('--no-passthrough', 'events keep only type, pid, tid and ts of what they came with')
    .option('--trace-boot-id <id>', 'boot id of the traced kernel: a trace of another boot is refused or rebased')
    .option('--trace-release <release>', 'release of the traced kernel')
    .addOption(
      new Option(
        '--trace-stext <address>',
        'where _stext lay in the traced boot: addresses are rebased by it',
      ).argParser((text) => {
        const address = parseAddress(text)
        if (address === undefined) throw new InvalidArgumentError('a hexadecimal address is needed.')
        return address
      }),
    )
}

/** What the options mean for reading a stream, over the states of the host if they are several. */
export function streamOptions(options: StreamCommandOptions, states: readonly HostState[]): StreamOptions {
  return {
    states,
    input: options.input,
    mode: options.mode,
    threads: options.threads,
    boot: { bootId: options.traceBootId, release: options.traceRelease, stext: options.traceStext },
    strict: options.strict,
    passthrough: options.passthrough,
    signal: interrupted,
  }
}

export function addResolveCommand(program: Command): void {
  withStreamOptions(
    program
      .command('resolve')
      .argument('[file...]', 'files, plain or .gz; without any, or for -, stdin')
      .description('stacks and addresses in any text a tool emits, put into words')
      .addOption(
        new Option('--output <format>', 'what to write, see below')
          .choices(OUTPUTS.map(({ name }) => name))
          .default(undefined, 'text, or ndjson for JSON input'),
      )
      .option('--comm <name...>', 'only events of these processes, by name')
      .option('--pid <number...>', 'only events of these processes or threads', pids)
      .option('--event <name...>', 'only these events; a profile is of one, and the first if none is named')
      .addOption(
        new Option('--time <from,to>', 'only events from this second on, or up to this one, or both').argParser(
          timeRange,
        ),
      )
      .option(
        '--build-id <id>',
        'the kernel by its build id, out of the catalogue, where nothing else is known of the host',
      )
      .option(
        '--slide-from-stacks',
        'with --build-id: find out from the stacks where that kernel lay; modules are not placed',
      )
      .option('--invert', 'profiles: innermost frame first, its callers behind it')
      .option('--kernel-mark', 'profiles: mark kernel frames with _[k]')
      .option('--user-addresses', 'profiles: user frames without a symbol by address, not by file as [libc.so.6]')
      .addOption(
        new Option('--prefix <what>', 'profiles: the outermost frame, where it is known')
          .choices(['none', 'comm', 'comm-pid'])
          .default('comm'),
      )
      .addOption(
        new Option('--weight <what>', 'profiles: what the tool measured, or the number of events')
          .choices(['measured', 'events'])
          .default('measured'),
      ),
  )
    .addHelpText(
      'after',
      `
Outputs:
${OUTPUTS.map(({ name, what }) => `  ${name.padEnd(14)} ${what}`).join('\n')}

Input formats:
${INPUT_FORMATS.map(({ name, what }) => `  ${name.padEnd(14)} ${what}`).join('\n')}

Exit codes: 0 all resolved, 1 some line was not understood, some kernel address has no symbol, the trace is of another kernel, or no
event was one of those chosen, 2 wrong usage, 3 something cannot be read.

Examples:
  $ perf script | kerndex resolve > in-words.txt
  $ perf script > perf.txt && kerndex resolve perf.txt perf.data      (says whether the symbols are of its kernel)
  $ sudo cat /proc/*/stack | kerndex resolve
  $ kerndex resolve perf.txt --output flamegraph --to flames.html
  $ kerndex resolve perf.txt --output pprof --comm nginx --to profile.pb.gz
  $ kerndex resolve before.txt after.txt --output diff
  $ kerndex resolve before.txt after.txt --output diff --to growth.html
  $ kerndex resolve oops.txt --from capture/ --json
  $ kerndex resolve perf.txt --from morning.layout --from noon.layout
  $ kerndex resolve perf.txt --build-id eb4fbcd037e7253717950bf2b93bd5566f47c56f --slide-from-stacks`,
    )
    .action(async (files: string[], options: ResolveOptions) => {
      const placing = await placingOf(files, options)
      const own = { ...placing?.trace, ...options }
      process.exitCode = await withHost({ ...own, layout: placing?.layout, types: false }, (kernel, states, hosts) =>
        resolve(kernel, { states, hosts }, files, own),
      )
    })
}

function pids(text: string, before: readonly number[] = []): number[] {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('a whole number is needed.')
  return [...before, Number(text)]
}

/** `12.5,13`, `12.5,` or `,13`: seconds as the tools print them. */
function timeRange(text: string): TimeRange {
  const [from = '', to = '', ...more] = text.split(',')
  const time = (word: string) => {
    const [, seconds, fraction = ''] = /^(\d{1,12})(?:\.(\d{1,9}))?$/.exec(word) ?? []
    if (seconds === undefined) throw new InvalidArgumentError('seconds are needed, as in 12.5,13 or 12.5, or ,13.')
    return nanoseconds(seconds, fraction)
  }
  if (more.length > 0 || (from === '' && to === ''))
    throw new InvalidArgumentError('two times are needed, as in 12.5,13.')
  return { from: from === '' ? undefined : time(from), to: to === '' ? undefined : time(to) }
}

async function resolve(
  kernel: Kernel,
  { states, hosts }: { readonly states: readonly HostState[]; readonly hosts: readonly Snapshot[] },
  given: readonly string[],
  options: ResolveOptions,
): Promise<number> {
  const files = await withoutRecordings(given, kernel)
  const name = options.output ?? (options.json ? 'ndjson' : undefined)
  const output = name === undefined ? undefined : outputOf(name)
  const wants = output?.writer?.inputs
  if (wants !== undefined && files.length !== wants)
    throw new UsageError(`--output ${name} takes two files: before and after`)
  if (output?.file === true && options.to === undefined && isTerminal('stdout')) {
    throw new UsageError(`--output ${name} is not for a terminal: name a file with --to, or send it on with > or |`)
  }
  const counts = tally()
  const profiles: Profiles[] = []
  await withProduct(options.to, true, (product) =>
    withDeadLetters(options.deadLetter, async (letters) => {
      for (const input of inputStreams(files)) {
        // The stacks of all inputs are summed up, but where they are compared.
        if (profiles.length === 0 || wants !== undefined) profiles.push(new Profiles())
        await runInput(kernel, input, { states, output, options, profiles: profiles.at(-1)!, product, letters, counts })
      }
      if (output !== undefined) {
        for (const piece of writeProfile(output, profiles, files, [kernel.snapshot(), ...hosts], options))
          await product.write(piece)
      }
    }),
  )
  if (options.metrics !== undefined) await writeMetrics(options.metrics, kernel, counts)
  const chosen = [options.comm, options.pid, options.event, options.time].some((one) => one !== undefined)
  return conclusion(kernel, counts, chosen)
}

/** What the numbers amount to, in words for people and as exit code. `chosen`: only some events were wanted. */
export function conclusion(kernel: Kernel, counts: Tally, chosen = false): number {
  const { bad, unresolved, frames, userFrames } = counts
  if (counts.contradiction !== undefined) note(contradictionInWords(kernel, counts, counts.contradiction))
  const why: string[] = []
  if (bad > 0) why.push(`${bad} lines were not understood; --dead-letter FILE keeps them`)
  if (unresolved > 0) why.push(`${unresolved} of ${frames - userFrames} kernel frames have no symbol`)
  if (chosen && counts.events === 0 && counts.lines > 0)
    why.push('no event is what --comm, --pid, --event and --time ask for')
  if (why.length === 0) return EXIT.ok
  note(why.join('; '))
  return EXIT.notFound
}

function contradictionInWords(kernel: Kernel, { contradictions, otherKernel }: Tally, frame: Frame): string {
  const { address } = frame
  const match = address === undefined ? undefined : kernel.snapshot().symbols.at(address)
  const here = match === undefined ? 'nothing' : `${match.symbol.name}+0x${match.offset.toString(16)}`
  const where = address === undefined ? '' : ` at ${formatAddress(address)}`
  return (
    `${contradictions} frames contradict these symbols, as one where the trace has ${frameInWords(frame) ?? '?'}${where} and they ` +
    `have ${here}: ${otherKernel ? 'the trace is of another kernel, so that nothing was looked up and' : 'here'} the trace's own ` +
    'names were kept; give --from a capture of its kernel'
  )
}

export async function writeMetrics(path: string, kernel: Kernel, counts: Tally): Promise<void> {
  const text = await tallyMetrics(kernel, counts)
  await withProduct(path, false, (file) => file.write(text))
}

/** Runs `use` with the dead-letter file, if one was asked for. */
export async function withDeadLetters<T>(
  path: string | undefined,
  use: (letters: Product | undefined) => Promise<T>,
): Promise<T> {
  return path === undefined ? use(undefined) : withProduct(path, true, use)
}

interface Run {
  readonly states: readonly HostState[]
  readonly output: Output | undefined
  readonly options: ResolveOptions
  readonly profiles: Profiles
  readonly product: Product
  readonly letters: Product | undefined
  readonly counts: Tally
}

async function runInput(kernel: Kernel, input: InputStream, run: Run): Promise<void> {
  const { states, output, options, profiles, product, letters, counts } = run
  const progress = new Progress()
  progress.begin(input)
  try {
    const { kernelMark = false, userAddresses, prefix, comm, pid, event, time } = options
    const folding: Partial<Folding> = { kernelMark, userAddresses, prefix, ...output?.writer?.folding }
    const filter: EventFilter = { comms: comm, pids: pid, events: event, ...time }
    const read = { ...streamOptions(options, states), folding, filter }
    for await (const answer of runStream(input.bytes, kernel.snapshot(), output?.product ?? 'usual', read)) {
      counts.add(answer)
      if (answer.bytes !== undefined) await product.write(answer.bytes)
      if (answer.profile !== undefined) profiles.merge(answer.profile)
      if (letters !== undefined && answer.bad.length > 0) await letters.write(deadLetters(input, answer))
      progress.update(answer, input, counts.events)
    }
  } finally {
    progress.stop()
  }
}
