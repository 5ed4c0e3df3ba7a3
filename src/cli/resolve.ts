// `kerndex resolve [FILE…]`: stacks and addresses in what tools emit, put into words.

import { type Command, InvalidArgumentError, Option } from 'commander'
import { formatAddress, parseAddress } from '../core/address.ts'
import { UsageError } from '../core/errors.ts'
import type { Folding } from '../events/fold.ts'
import { INPUT_FORMATS } from '../events/formats.ts'
import { diffLines } from '../events/output/diff.ts'
import { flameGraphHtml } from '../events/output/flamegraph.ts'
import { foldedLines } from '../events/output/folded.ts'
import { speedscopeJson } from '../events/output/speedscope.ts'
import { runStream, type StreamOptions } from '../events/run.ts'
import type { StretchPlan } from '../events/stretch.ts'
import type { Kernel } from '../kernel.ts'
import { type Frame, frameInWords } from '../stacks/frame.ts'
import { Profile } from '../stacks/profile.ts'
import { EXIT } from './exit.ts'
import { interrupted } from './interrupt.ts'
import { type CommonOptions, withKernel, withKernelOptions } from './open.ts'
import { note } from './output.ts'
import { deadLetters, type InputStream, inputStreams, type Product, Progress, withProduct } from './stream.ts'
import { type Tally, tally, tallyMetrics } from './tally.ts'

const OUTPUTS = ['text', 'ndjson', 'compact', 'folded', 'flamegraph', 'speedscope', 'diff'] as const

/** The options that say what a stream is, for every command that reads one. */
export interface StreamCommandOptions extends CommonOptions {
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
  readonly output?: (typeof OUTPUTS)[number]
  readonly kernelMark?: boolean
  readonly prefix: Folding['prefix']
  readonly weight: Folding['weight']
}

/** Adds what every stream command takes. */
export function withStreamOptions(command: Command): Command {
  return withKernelOptions(command)
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

/** What the options mean for reading a stream. */
export function streamOptions(kernel: Kernel, options: StreamCommandOptions): StreamOptions {
  return {
    input: options.input,
    mode: options.mode,
    threads: options.threads ?? kernel.timing.threads,
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
        new Option(
          '--output <format>',
          'what to write; text is the input with addresses in words, bytes else unchanged',
        )
          .choices(OUTPUTS)
          .default(undefined, 'text, or ndjson for JSON input'),
      )
      .option('--kernel-mark', 'mark kernel frames of folded stacks with _[k]')
      .addOption(
        new Option('--prefix <what>', 'outermost frame of folded stacks')
          .choices(['none', 'comm', 'comm-pid'])
          .default('none'),
      )
      .addOption(
        new Option('--weight <what>', 'weight of folded stacks: what the tool measured, or the number of events')
          .choices(['measured', 'events'])
          .default('measured'),
      ),
  )
    .addHelpText(
      'after',
      `
Input formats:
${INPUT_FORMATS.map(({ name, what }) => `  ${name.padEnd(14)} ${what}`).join('\n')}

Exit codes: 0 all resolved, 1 some line was not understood or some kernel address has no symbol, 2 wrong usage or a trace
of another kernel, 3 something cannot be read.

Examples:
  $ perf script | kerndex resolve > in-words.txt
  $ sudo cat /proc/*/stack | kerndex resolve
  $ kerndex resolve perf.txt --output flamegraph --to flames.html
  $ kerndex resolve before.txt after.txt --output diff
  $ kerndex resolve oops.txt --from capture/ --json`,
    )
    .action(async (files: string[], options: ResolveOptions) => {
      process.exitCode = await withKernel({ ...options, types: false }, (kernel) => resolve(kernel, files, options))
    })
}

async function resolve(kernel: Kernel, files: readonly string[], options: ResolveOptions): Promise<number> {
  const output = options.output ?? (options.json ? 'ndjson' : undefined)
  if (output === 'diff' && files.length !== 2) throw new UsageError('--output diff takes two files: before and after')
  const counts = tally()
  const profiles: Profile[] = []
  await withProduct(options.to, true, (product) =>
    withDeadLetters(options.deadLetter, async (letters) => {
      for (const input of inputStreams(files)) {
        const profile = new Profile()
        profiles.push(profile)
        await runInput(kernel, input, { output, options, profile, product, letters, counts })
      }
      for (const piece of profileProduct(output, profiles, files)) await product.write(piece)
    }),
  )
  if (options.metrics !== undefined) await writeMetrics(options.metrics, kernel, counts)
  return conclusion(kernel, counts)
}

/** What the numbers amount to, in words for people and as exit code. */
export function conclusion(kernel: Kernel, counts: Tally): number {
  const { bad, unresolved, frames, userFrames } = counts
  if (counts.contradiction !== undefined) note(contradictionInWords(kernel, counts, counts.contradiction))
  const why: string[] = []
  if (bad > 0) why.push(`${bad} lines were not understood; --dead-letter FILE keeps them`)
  if (unresolved > 0) why.push(`${unresolved} of ${frames - userFrames} kernel frames have no symbol`)
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
  readonly output: ResolveOptions['output']
  readonly options: ResolveOptions
  readonly profile: Profile
  readonly product: Product
  readonly letters: Product | undefined
  readonly counts: Tally
}

async function runInput(kernel: Kernel, input: InputStream, run: Run): Promise<void> {
  const { output, options, profile, product, letters, counts } = run
  const progress = new Progress()
  progress.begin(input)
  try {
    const folding = { kernelMark: options.kernelMark ?? false, prefix: options.prefix, weight: options.weight }
    const read = { ...streamOptions(kernel, options), folding }
    for await (const answer of runStream(input.bytes, kernel.snapshot(), productOf(output), read)) {
      counts.add(answer)
      if (answer.bytes !== undefined) await product.write(answer.bytes)
      if (answer.profile !== undefined) profile.merge(answer.profile)
      if (letters !== undefined && answer.bad.length > 0) await letters.write(deadLetters(input, answer))
      progress.update(answer, input, counts.events)
    }
  } finally {
    progress.stop()
  }
}

function productOf(output: ResolveOptions['output']): StretchPlan['product'] | 'usual' {
  if (output === undefined) return 'usual'
  return output === 'text' || output === 'ndjson' || output === 'compact' ? output : 'profile'
}

function* profileProduct(
  output: ResolveOptions['output'],
  profiles: readonly Profile[],
  files: readonly string[],
): Generator<string> {
  const whole = () => {
    const sum = new Profile()
    for (const profile of profiles) sum.merge(profile.weights)
    return sum
  }
  const title = files.length === 0 ? 'kernel stacks' : files.join(', ')
  switch (output) {
    case 'folded':
      yield* foldedLines(whole())
      break
    case 'flamegraph':
      yield flameGraphHtml(whole(), title)
      break
    case 'speedscope':
      yield speedscopeJson(whole(), title)
      break
    case 'diff':
      yield* diffLines(profiles[0] ?? new Profile(), profiles[1] ?? new Profile())
      break
    default:
  }
}
