// The options that every command has, and the opening of a kernel with them, with progress on a terminal.

import { SingleBar } from 'cli-progress'
import { type Command, InvalidArgumentError, Option } from 'commander'
import type { Kernel } from '../kernel.ts'
import { openKernel } from '../open-kernel.ts'
import { interrupted } from './interrupt.ts'
import { note } from './output.ts'

/** What the common options come to. */
export interface CommonOptions {
  readonly from?: string
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
      new Option('--threads <n>', 'threads to use; 0 = everything inline')
        .argParser(wholeNumber)
        .helpGroup('Common options:'),
    )
    .addOption(new Option('--json', 'one JSON object a line').helpGroup('Common options:'))
}

function wholeNumber(text: string): number {
  if (!/^\d{1,4}$/.test(text)) throw new InvalidArgumentError('a whole number is needed.')
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
  options: CommonOptions & { readonly types?: boolean | 'lazy'; readonly probes?: boolean },
  use: (kernel: Kernel) => Promise<T>,
): Promise<T> {
  const bar = progressBar()
  let kernel: Kernel
  try {
    kernel = await openKernel({
      from: options.from,
      ...(options.catalog !== undefined && { catalog: options.catalog }),
      threads: options.threads,
      types: options.types ?? true,
      probes: options.probes ?? false,
      // Nothing is printed that has not been checked.
      cache: options.cache === true && { wait: true },
      signal: interrupted,
      onProgress: bar?.update,
    })
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
      `${byName.length} modules are known by the kernel's build id and their names only: the layout has no build ids`,
    )
  }
}

function progressBar() {
  if (!process.stderr.isTTY) return undefined
  const begun = performance.now()
  let bar: SingleBar | undefined
  return {
    update({ bytes, expected }: { bytes: number; expected: number }) {
      if (performance.now() - begun < PATIENCE_MS) return
      const total = Math.max(bytes, expected)
      if (bar === undefined) {
        bar = new SingleBar({
          format: 'loading {bar} {percentage}% | {value}/{total} bytes | {eta_formatted} left',
          stream: process.stderr,
          clearOnComplete: true,
          hideCursor: true,
        })
        bar.start(total, bytes)
      }
      bar.setTotal(total)
      bar.update(bytes)
    },
    stop() {
      bar?.stop()
    },
  }
}
