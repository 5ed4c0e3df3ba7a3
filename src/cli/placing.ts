// `--build-id ID` with `--slide-from-stacks` or `--trace-stext`: traces of hosts that tell nothing but which kernel they run.

import type { BuildSymbols } from '../catalog/build-symbols.ts'
import { coreLayout } from '../catalog/core-layout.ts'
import type { HostLayout } from '../catalog/layout.ts'
import { findSlide, percent } from '../catalog/slide.ts'
import { formatAddress } from '../core/address.ts'
import { NotFoundError, UsageError } from '../core/errors.ts'
import { detectFormat, inputFormat, SAMPLE_BYTES } from '../events/formats.ts'
import { readEvents } from '../events/live.ts'
import { openCatalog } from '../open-catalog.ts'
import { isRecording } from '../sources/perf-data.ts'
import { isMarker, type RawFrame } from '../stacks/frame.ts'
import { interrupted } from './interrupt.ts'
import { note } from './output.ts'
import { inputStreams } from './stream.ts'

export interface PlacingOptions {
  readonly from?: readonly string[]
  readonly catalog?: string
  readonly buildId?: string
  readonly slideFromStacks?: boolean
  readonly traceStext?: bigint
  readonly input?: string
}

/** Where a trace's kernel lay: the layout of its core, and options that say of which boot the trace is, so that only the core is looked up. */
interface Placing {
  readonly layout: HostLayout
  readonly trace: { readonly traceBootId: string; readonly traceStext: bigint }
}

/** The boot of a trace of which nothing else is known. */
const UNKNOWN_BOOT = 'unknown'

/** Stacks that are looked at: they tell no more when there are more. */
const MOST_STACKS = 100_000

/**
 * What the options say of where a trace's kernel lay; undefined where they do not ask.
 * @throws UsageError, NotFoundError
 */
export async function placingOf(files: readonly string[], options: PlacingOptions): Promise<Placing | undefined> {
  const { buildId, slideFromStacks = false, traceStext, from, catalog } = options
  if (buildId === undefined) {
    if (slideFromStacks) throw new UsageError('--slide-from-stacks needs the kernel: give its --build-id')
    return undefined
  }
  if (from !== undefined) throw new UsageError('--build-id and --from exclude each other: choose one')
  if (slideFromStacks === (traceStext !== undefined)) {
    throw new UsageError(
      '--build-id needs to be told where the kernel lay: by --slide-from-stacks, or by --trace-stext ADDRESS',
    )
  }
  const known = await openCatalog({ directory: catalog })
  const build = await known.build(buildId, { signal: interrupted })
  if (build === undefined || build.kind !== 'vmlinux') {
    throw new NotFoundError(`the catalogue ${known.directory} has no kernel with the build id ${buildId}`)
  }
  if (traceStext !== undefined) {
    return placed(build, traceStext - (build.named('_stext')[0]?.offset ?? 0n))
  }
  const texts = files.filter((file) => file === '-' || !isRecording(file))
  if (texts.length === 0 || texts.includes('-')) {
    throw new UsageError('--slide-from-stacks reads the stacks twice: name a file instead of stdin')
  }
  const found = findSlide(build, await outermostOf(texts, options.input))
  note(
    `the kernel lay at ${formatAddress(found.text)} (${build.origin}): ${percent(found.share)} of ${found.stacks} stacks end there in an ` +
      `entry point, ${percent(found.runnerUp)} at the next best place`,
  )
  return placed(build, found.text)
}

function placed(build: BuildSymbols, text: bigint): Placing {
  const stext = text + (build.named('_stext')[0]?.offset ?? 0n)
  return { layout: coreLayout(build, text), trace: { traceBootId: UNKNOWN_BOOT, traceStext: stext } }
}

/** The outermost kernel address of each stack. */
async function outermostOf(files: readonly string[], input: string | undefined): Promise<bigint[]> {
  const found: bigint[] = []
  for (const file of files) {
    let format = input === undefined ? undefined : inputFormat(input)
    if (format === undefined) {
      for (const { bytes } of inputStreams([file])) format = detectFormat(...(await sampleOf(bytes)))
    }
    if (format === undefined) throw new UsageError(`${file}: its format is not known: name it with --input`)
    for (const { bytes } of inputStreams([file])) {
      for await (const { frames } of readEvents(bytes, format, undefined, { signal: interrupted })) {
        const outermost = outermostIn(frames)
        if (outermost !== undefined) found.push(outermost)
        if (found.length >= MOST_STACKS) return found
      }
    }
  }
  return found
}

/** That of the first kernel frames in a row: behind frames of user space what looks like one is none, where perf took a wrong turn. */
function outermostIn(frames: readonly RawFrame[]): bigint | undefined {
  let outermost: bigint | undefined
  for (const { address, user } of frames) {
    if (address === undefined || isMarker(address)) continue
    if (!user && address >= 1n << 63n) outermost = address
    else if (outermost !== undefined) break
  }
  return outermost
}

async function sampleOf(bytes: AsyncIterable<Uint8Array>): Promise<[sample: string, complete: boolean]> {
  let sample = ''
  for await (const piece of bytes) {
    sample += Buffer.from(piece).toString('latin1')
    if (sample.length >= SAMPLE_BYTES) return [sample.slice(0, SAMPLE_BYTES), false]
  }
  return [sample, true]
}
