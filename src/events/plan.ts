// Makes the plan for a stream, from the reader's options and from what the stream's beginning tells of its boot.

import type { Snapshot } from '../snapshot/snapshot.ts'
import { type BootFacts, judgeBoot, judgeByWitnesses } from '../stacks/boot.ts'
import type { LookupMode, RawFrame } from '../stacks/frame.ts'
import type { Rebase, Trust } from '../stacks/resolve.ts'
import type { HostState } from '../stacks/states.ts'
import type { EventFilter } from './filter.ts'
import type { Folding } from './fold.ts'
import { FrameMemo, feed, type InputFormat } from './format.ts'
import type { StretchPlan } from './stretch-plan.ts'

/** How the events of a stream are read. */
export interface ReadOptions {
  /** Default `return`. */
  readonly mode?: LookupMode | undefined
  /** The facts about the boot that the stream is of. */
  readonly boot?: BootFacts | undefined
  /**
   * The host at several times of one boot. An event with a time is looked up in the state of its time; of one without, nothing has a name
   * that the states do not agree about. Default: the snapshot, at any time.
   */
  readonly states?: readonly HostState[] | undefined
  readonly folding?: Partial<Folding> | undefined
  /** Which events are wanted; default: all. */
  readonly filter?: EventFilter | undefined
  /** Events of a type that is not known are bad lines; else they are passed on like probes, and counted. */
  readonly strict?: boolean | undefined
  /** false: events keep only type, pid, tid and ts of what they came with. */
  readonly passthrough?: boolean | undefined
}

/**
 * The plan for a stream that begins with `sample`. `usual` as product is text for text formats and NDJSON for JSON.
 * @throws UsageError if the options say that the stream is of another kernel
 */
export function planOf(
  format: InputFormat,
  product: StretchPlan['product'] | 'usual',
  snapshot: Snapshot,
  options: ReadOptions,
  sample: Buffer,
): StretchPlan {
  return {
    input: format.name,
    product: product === 'usual' ? (format.kind === 'text' ? 'text' : 'ndjson') : product,
    mode: options.mode ?? 'return',
    ...bootOf(sample, format, snapshot, options.boot),
    states: (options.states ?? []).map(({ symbols: { buffer, names }, real, monotonic }) => {
      return { table: buffer, lent: names, real, monotonic }
    }),
    generation: snapshot.generation,
    folding: { kernelMark: false, prefix: 'none', addresses: false, samples: false, ...options.folding },
    filter: options.filter ?? {},
    strict: options.strict ?? false,
    passthrough: options.passthrough ?? true,
  }
}

/** The boot of a stream, by the options and its first stacks. */
function bootOf(
  sample: Buffer,
  format: InputFormat,
  { symbols, host }: Snapshot,
  boot: BootFacts | undefined,
): { rebase: Rebase | undefined; trust: Trust } {
  const facts = boot ?? {}
  const rebase = judgeBoot(facts, { bootId: host.bootId, release: host.release }, symbols)
  if (facts.bootId !== undefined && facts.bootId === host.bootId) return { rebase, trust: 'table' }
  if (rebase !== undefined || format.startsRecord === 'the whole') return { rebase, trust: 'weigh' }
  const frames: RawFrame[] = []
  const sink = { event: (event: { frames: readonly RawFrame[] }) => frames.push(...event.frames), bad() {} }
  const memo = new FrameMemo()
  const decoder = format.decoder(sink, memo)
  const lines = sample.toString('latin1').split(/\r?\n/)
  lines.pop()
  lines.forEach((line, number) => {
    feed(format, decoder, memo, line, number)
  })
  decoder.end()
  const testimony = judgeByWitnesses(frames, symbols)
  if (facts.release !== undefined && facts.release === host.release) return { rebase: testimony.rebase, trust: 'table' }
  const release = format.releaseOf?.(lines)
  // Releases are written in more than one way: a name that lies where the table has it speaks louder.
  const otherRelease = release !== undefined && host.release !== undefined && release !== host.release
  return (otherRelease && !testimony.agreed) || testimony.otherKernel
    ? { rebase: undefined, trust: 'trace' }
    : { rebase: testimony.rebase, trust: 'weigh' }
}
