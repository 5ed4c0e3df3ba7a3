// A whole stream through the stretches: its format told, cut, shared out over threads, answers in the order of the input.

import { setImmediate } from 'node:timers/promises'
import { AbortedError, UnsupportedError } from '../core/errors.ts'
import { workerUrl } from '../core/place.ts'
import type { Snapshot } from '../load/snapshot.ts'
import { Threads } from '../load/threads.ts'
import { type BootFacts, judgeBoot, judgeByWitnesses, type Rebase } from '../stacks/boot.ts'
import type { LookupMode, RawFrame } from '../stacks/frame.ts'
import type { Trust } from '../stacks/resolve.ts'
import { Cutter, type Stretch } from './cut.ts'
import type { EventFilter } from './filter.ts'
import type { Folding } from './fold.ts'
import { FrameMemo, feed, type InputFormat } from './format.ts'
import { detectFormat, inputFormat, SAMPLE_BYTES } from './formats.ts'
import { anyText } from './input/any-text.ts'
import { type StretchAnswer, type StretchPlan, StretchWorker } from './stretch.ts'
import type { StretchTask } from './tasks.ts'

/** How to read a stream. */
export interface StreamOptions {
  /** The input format's name; undefined: told from the stream's beginning. */
  readonly input?: string | undefined
  /** Default `return`. */
  readonly mode?: LookupMode | undefined
  /** 0: everything on the calling thread. */
  readonly threads: number
  /** What is known of the boot that the stream is of. */
  readonly boot?: BootFacts | undefined
  readonly folding?: Partial<Folding> | undefined
  /** Which events are wanted; default: all. */
  readonly filter?: EventFilter | undefined
  /** Events of a type that is not known are bad lines; else they are passed on like probes, and counted. */
  readonly strict?: boolean | undefined
  /** false: events keep only type, pid, tid and ts of what they came with. */
  readonly passthrough?: boolean | undefined
  readonly signal?: AbortSignal | undefined
}

/** A stretch's answer, with where it stood in the stream. */
export interface PlacedAnswer extends StretchAnswer {
  /** The input format's name. */
  readonly format: string
  /** What the trace's own names were worth: `trace` where they show that it is of another kernel. */
  readonly trust: Trust
  /** Lines before this stretch. */
  readonly firstLine: number
  /** Bytes of input up to the end of this stretch. */
  readonly inputBytes: number
}

/** Stretches under way for each thread: one at work, one waiting. */
const STRETCHES_A_THREAD = 2
/** Milliseconds without input after which complete records are no longer held back. */
const PAUSE_MS = 50
const NEWLINE = 10

let streams = 0

/**
 * Runs a stream of bytes through its stretches and yields their answers in the order of the input. The answers are the
 * same for any number of threads and whatever pieces the bytes arrive in.
 * `usual` as product is text for text formats and NDJSON for JSON.
 * @throws UnsupportedError if no format fits; UsageError if the options say that the trace is of another kernel; AbortedError,
 * WorkerFailedError
 */
export async function* runStream(
  input: AsyncIterable<Uint8Array>,
  snapshot: Snapshot,
  product: StretchPlan['product'] | 'usual',
  options: StreamOptions,
): AsyncGenerator<PlacedAnswer> {
  const { signal } = options
  const source = new Pausing(input)
  try {
    const { sample, complete } = await beginning(source, options.input === undefined ? undefined : PAUSE_MS)
    if (complete && sample.length === 0) return
    const format =
      options.input === undefined
        ? told(sample, complete, product === 'usual' || product === 'text')
        : inputFormat(options.input)
    const { rebase, trust } = bootOf(sample, format, snapshot, options.boot)
    const plan: StretchPlan = {
      input: format.name,
      product: product === 'usual' ? (format.kind === 'text' ? 'text' : 'ndjson') : product,
      mode: options.mode ?? 'return',
      rebase,
      trust,
      generation: snapshot.generation,
      folding: { kernelMark: false, prefix: 'none', addresses: false, samples: false, ...options.folding },
      filter: options.filter ?? {},
      strict: options.strict ?? false,
      passthrough: options.passthrough ?? true,
    }
    const cutter = new Cutter(format)
    const runner = stretchRunner(snapshot, plan, options.threads)
    try {
      let firstLine = 0
      let inputBytes = 0
      const underWay: { stretch: Stretch; answer: Promise<StretchAnswer> }[] = []
      const first = async (): Promise<PlacedAnswer> => {
        const { stretch, answer } = underWay.shift()!
        const done = await answer
        const placed = { ...done, format: format.name, trust, firstLine, inputBytes: inputBytes + stretch.length }
        // A stretch that was cut within a line, which was longer than any may be, leaves it to the next to end it.
        const torn = new Uint8Array(stretch.text, stretch.length - 1, 1)[0] !== NEWLINE
        firstLine += torn ? done.lines - 1 : done.lines
        inputBytes += stretch.length
        cutter.release(stretch)
        return placed
      }
      const give = (stretch: Stretch) => {
        const answer = runner.run(stretch)
        // Failures surface when its turn has come; until then they are not unhandled.
        answer.catch(() => {})
        underWay.push({ stretch, answer })
      }
      for (const stretch of cutter.push(sample)) give(stretch)
      for (;;) {
        if (signal?.aborted === true) throw new AbortedError('interrupted', { cause: signal.reason })
        const piece = complete ? undefined : await source.next(PAUSE_MS)
        if (piece === undefined) break
        if (piece === 'pause') {
          const stretch = cutter.pause()
          if (stretch !== undefined) give(stretch)
          while (underWay.length > 0) yield await first()
          continue
        }
        for (const stretch of cutter.push(piece)) {
          while (underWay.length >= runner.most) yield await first()
          give(stretch)
        }
      }
      const rest = cutter.end()
      if (rest !== undefined) give(rest)
      while (underWay.length > 0) yield await first()
    } finally {
      await runner.close()
    }
  } finally {
    await source.close()
  }
}

/** The format that a stream is in. Text in which nothing is known is in none, and `passed` on as it is. */
function told(sample: Buffer, complete: boolean, passed: boolean): InputFormat {
  const format = detectFormat(sample.toString('latin1'), complete)
  if (format === undefined) {
    if (passed && !sample.includes(0)) return anyText
    throw new UnsupportedError('the input is in no format that kerndex knows: name it with --input, or see --help')
  }
  return format
}

/** What the options and the stream's first stacks say of the boot it is of. */
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
  const lines = sample.toString('latin1').split('\n')
  lines.pop()
  lines.forEach((line, number) => {
    feed(format, decoder, memo, line, number)
  })
  decoder.end()
  const testimony = judgeByWitnesses(frames, symbols)
  const sameRelease = facts.release !== undefined && facts.release === host.release
  return { rebase: testimony.rebase, trust: sameRelease ? 'table' : testimony.otherKernel ? 'trace' : 'weigh' }
}

interface StretchRunner {
  /** Stretches that may be under way at once. */
  readonly most: number
  run(stretch: Stretch): Promise<StretchAnswer>
  close(): Promise<void>
}

/**
 * Works on stretches with threads, and while they start, which takes as long as many a stream, on the calling thread: answers
 * do not depend on who gave them.
 */
function stretchRunner(snapshot: Snapshot, plan: StretchPlan, count: number): StretchRunner {
  const here = new StretchWorker(snapshot.symbols, plan)
  const runHere = async ({ text, length }: Stretch) => {
    const answer = here.run(new Uint8Array(text, 0, length))
    // The caller's other work gets its turn, and threads can say that they are there.
    await setImmediate()
    return answer
  }
  if (count === 0) return { most: 1, run: runHere, close: async () => {} }
  const threads = new Threads<StretchTask, StretchAnswer>(workerUrl('events'), count)
  const stream = ++streams
  const table = snapshot.symbols.buffer
  let dead = false
  threads.started.catch(() => {
    dead = true
  })
  return {
    get most() {
      return threads.ready === 0 ? 1 : count * STRETCHES_A_THREAD
    },
    run: (stretch) =>
      // Threads that cannot start fail the tasks given to them, which says why.
      threads.ready === 0 && !dead
        ? runHere(stretch)
        : threads.run({ stream, plan, table, text: stretch.text, length: stretch.length }),
    close: () => threads.close(),
  }
}

/**
 * What a stream begins with: SAMPLE_BYTES of it, or all. Where a patience is given, what there is when a stream that has
 * begun pauses.
 */
async function beginning(source: Pausing, patienceMs?: number): Promise<{ sample: Buffer; complete: boolean }> {
  const pieces: Uint8Array[] = []
  let length = 0
  while (length < SAMPLE_BYTES) {
    const piece = await source.next(length > 0 ? patienceMs : undefined)
    if (piece === 'pause') break
    if (piece === undefined) return { sample: Buffer.concat(pieces), complete: true }
    pieces.push(piece)
    length += piece.length
  }
  return { sample: Buffer.concat(pieces), complete: false }
}

/** A stream of bytes that tells when it pauses. */
class Pausing {
  readonly #iterator: AsyncIterator<Uint8Array>
  #next: Promise<IteratorResult<Uint8Array>> | undefined

  constructor(input: AsyncIterable<Uint8Array>) {
    this.#iterator = input[Symbol.asyncIterator]()
  }

  /** The next bytes, undefined at the end, or `pause` if none came in time. */
  async next(patienceMs?: number): Promise<Uint8Array | 'pause' | undefined> {
    this.#next ??= this.#iterator.next()
    let timer: NodeJS.Timeout | undefined
    const pause = new Promise<'pause'>((resume) => {
      if (patienceMs !== undefined) timer = setTimeout(resume, patienceMs, 'pause')
    })
    try {
      const result = await (patienceMs === undefined ? this.#next : Promise.race([this.#next, pause]))
      if (result === 'pause') return result
      this.#next = undefined
      return result.done === true ? undefined : result.value
    } finally {
      clearTimeout(timer)
    }
  }

  async close(): Promise<void> {
    // One that waits for bytes that do not come would not answer before they do.
    if (this.#next === undefined) await this.#iterator.return?.()
    else this.#iterator.return?.()?.catch(() => {})
  }
}
