// The options that every command has, and the opening of a kernel with them, with progress on a terminal.

import { readFileSync } from 'node:fs'
import { SingleBar } from 'cli-progress'
import { type Command, InvalidArgumentError, Option } from 'commander'
import type { HostLayout } from '../catalog/layout.ts'
import { NoPermissionError } from '../core/errors.ts'
import type { Kernel } from '../kernel.ts'
import { MOST_THREADS } from '../load/threads.ts'
import { openKernel } from '../open-kernel.ts'
import { interrupted } from './interrupt.ts'
import { note } from './output.ts'
import { columnsOf, isTerminal } from './terminal.ts'

/** The common options, read. */
export interface CommonOptions {
  readonly from?: string | undefined
  readonly threads?: number
  readonly json?: boolean
  readonly cache?: boolean
  readonly catalog?: string
}

/** Milliseconds a load may take before a progress bar appears. */
const PATIENCE_MS = 400

/** Adds `--from`, `--threads` and `--json` to a command. */
export function withCommonOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        '--from <path>',
        'capture directory or archive, snapshot, layout or kallsyms-like file instead of the running kernel',
      ).helpGroup('Common options:'),
    )
    .addOption(new Option('--catalog <dir>', 'the catalogue for --from LAYOUT').helpGroup('Common options:'))
    .addOption(
      new Option('--threads <n>', `threads to use, 0 to ${MOST_THREADS}; 0 = everything inline`)
        .argParser(wholeNumber)
        .helpGroup('Common options:'),
    )
    .addOption(new Option('--json', 'one JSON object a line').helpGroup('Common options:'))
}

function wholeNumber(text: string): number {
  if (!/^\d{1,4}$/.test(text) || Number(text) > MOST_THREADS) {
    throw new InvalidArgumentError(`a whole number from 0 to ${MOST_THREADS} is needed.`)
  }
  return Number(text)
}

/** Adds the common options, and `--cache`, to a command that loads symbols. */
export function withKernelOptions(command: Command): Command {
  return withCommonOptions(command).addOption(
    new Option('--cache', 'begin with the snapshot that an earlier run left, check it, and leave one').helpGroup(
      'Common options:',
    ),
  )
}

/** Opens what the options name, and runs `use` on it; its threads are ended whatever happens. */
export async function withKernel<T>(
  options: CommonOptions & {
    readonly types?: boolean | 'lazy'
    readonly probes?: boolean
    /** `use` waits for the check of what came from the cache, where what it prints needs it. */
    readonly checksItself?: boolean
    readonly layout?: HostLayout | undefined
  },
  use: (kernel: Kernel) => Promise<T>,
): Promise<T> {
  const bar = progressBar()
  let kernel: Kernel
  try {
    kernel = await openKernel({
      from: options.from,
      layout: options.layout,
      catalog: options.catalog,
      threads: options.threads,
      types: options.types ?? true,
      probes: options.probes ?? false,
      // Nothing is printed that could have changed and has not been checked.
      cache: options.cache === true && { wait: options.checksItself !== true },
      signal: interrupted,
      onProgress: bar?.update,
    })
  } catch (error) {
    throw withSettings(error, options.from)
  } finally {
    bar?.stop()
  }
  for (const { did, error } of kernel.cacheReports) {
    if (did === 'ignored') note(error instanceof Error ? error.message : String(error))
  }
  tellPlacement(kernel)
  try {
    return await use(kernel)
  } finally {
    await kernel.close()
  }
}

/** Modules that are named; the others are counted. */
const MOST_NAMED = 8

/** Says what a catalogue could not give, or not surely. */
function tellPlacement({ host: { placement } }: Kernel): void {
  if (placement === undefined) return
  const named = (names: readonly string[]) =>
    `${names.slice(0, MOST_NAMED).join(', ')}${names.length > MOST_NAMED ? `, and ${names.length - MOST_NAMED} more` : ''}`
  const { missing, byName } = placement
  if (missing.length > 0) {
    const names = missing.map(({ name, why }) => (why === 'unknown' ? name : `${name} (${why})`))
    note(`not in the catalogue: ${named(names)}; their addresses have no names (status --json lists their identities)`)
  }
  if (byName.length > 0) {
    note(
      `${byName.length} modules are known by the kernel's build id and their names only: the layout or the catalogue has no build ids of them`,
    )
  }
}

function progressBar() {
  if (!isTerminal('stderr')) return undefined
  const begun = performance.now()
  let bar: SingleBar | undefined
  return {
    update({ bytes, expected }: { bytes: number; expected: number }) {
      if (performance.now() - begun < PATIENCE_MS) return
      // The kernel makes its text up as it is read, and tells nobody how long it will be.
      const known = expected > 0 && bytes <= expected
      bar ??= startedBar(known ? expected : bytes, known)
      if (!known) bar.setTotal(bytes)
      bar.update(bytes, { megabytes: (bytes / 1e6).toFixed(1) })
    },
    stop() {
      bar?.stop()
    },
  }
}

/** A bar that fits the terminal; without a total it only says how much has come. */
function startedBar(total: number, known: boolean): SingleBar {
  const columns = columnsOf('stderr') ?? 80
  const bar = new SingleBar({
    format: known ? 'loading {bar} {percentage}% | {megabytes} MB' : 'loading | {megabytes} MB',
    barsize: Math.max(8, Math.min(40, columns - 32)),
    stream: process.stderr,
    clearOnComplete: true,
    hideCursor: true,
  })
  bar.start(total, 0, { megabytes: '0.0' })
  return bar
}

/** A refusal of the running kernel with what it hangs on here: settings that root may change, and who is asking. */
function withSettings(error: unknown, from: string | undefined): unknown {
  if (!(error instanceof NoPermissionError) || from !== undefined) return error
  const values = SETTINGS.flatMap((name) => {
    try {
      return [`${name} is ${readFileSync(`/proc/sys/kernel/${name}`, 'utf8').trim()}`]
    } catch {
      return []
    }
  })
  const here = values.length === 0 ? '' : ` Here ${values.join(' and ')}.`
  const how =
    process.getuid?.() === 0
      ? 'Root without CAP_SYSLOG, as in a container, may not see them either.'
      : 'Run as root (sudo).'
  return new NoPermissionError(`${error.message.replace(/\.?$/, '.')}${here} ${how}`, error.place, { cause: error })
}

/** Settings of the kernel on which it hangs who may see addresses. */
const SETTINGS = ['kptr_restrict', 'perf_event_paranoid']
