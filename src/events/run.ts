// A whole stream through the stretches: its format told, cut, shared out over threads, answers in the order of the input.

import { availableParallelism } from 'node:os'
import { setImmediate } from 'node:timers/promises'
import { threadsThatFit } from '../core/address-space.ts'
import {
  byteStream,
  bytes,
  signal as checkSignal,
  type Options,
  options as optionsOf,
  text,
  whole,
} from '../core/arguments.ts'
import { UnsupportedError } from '../core/errors.ts'
import { workerUrl } from '../core/place.ts'
import { until } from '../core/until.ts'
import { MOST_THREADS as MOST_THREADS_ASKED, Threads } from '../load/threads.ts'
import { type Snapshot, snapshotArgument } from '../snapshot/snapshot.ts'
import type { Trust } from '../stacks/resolve.ts'
import { productOrUsual, READ_OPTIONS } from './arguments.ts'
import { Cutter, type Stretch } from './cut.ts'
import type { InputFormat } from './format.ts'
import { adviceFor, detectFormat, inputFormat, LATE_SAMPLE_BYTES, SAMPLE_BYTES } from './formats.ts'
import { anyText } from './input/any-text.ts'
import { planOf, type ReadOptions } from './plan.ts'
import { StretchWorker } from './stretch.ts'
import type { StretchAnswer, StretchPlan } from './stretch-plan.ts'
import { nextStream, type StretchPool } from './stretch-pool.ts'
import type { StretchTask } from './tasks.ts'

/** How to read a stream. */
export interface StreamOptions extends ReadOptions {
  /** The input format's name; undefined: told from the stream's beginning. */
  readonly input?: string | undefined
  /**
   * Threads that help; 0: everything on the calling thread. Default: none for the first megabytes, which are done before a
   * thread is there, then one for each core, four at most.
   */
  readonly threads?: number | undefined
  readonly signal?: AbortSignal | undefined
}

/** The options of `runStream`. */
const STREAM_OPTIONS: Options<StreamOptions> = {
  ...READ_OPTIONS,
  input: text,
  threads: whole(0, MOST_THREADS_ASKED),
  signal: checkSignal,
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
/** Bytes after which threads pay for their start, by measurement: they and their code take some 300 ms to get going. */
const LONG_STREAM = 1 << 26
const MOST_THREADS = 4
const NEWLINE = 10

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
  given: StreamOptions,
): AsyncGenerator<PlacedAnswer> {
  byteStream(input, 'input')
  snapshotArgument(snapshot, 'snapshot')
  productOrUsual(product, 'product')
  const options = optionsOf(given, 'runStream', STREAM_OPTIONS)
  yield* answersOf(input, snapshot, product, options, (plan) => stretchRunner(snapshot, plan, options.threads))
}

/**
 * The same on threads that outlive the stream: what they remember of stacks and lines serves the next stream of its kind. Nothing
 * is worked on here.
 * @throws as `runStream`
 */
export function runStreamOn(
  pool: StretchPool,
  input: AsyncIterable<Uint8Array>,
  snapshot: Snapshot,
  product: StretchPlan['product'] | 'usual',
  options: StreamOptions,
): AsyncGenerator<PlacedAnswer> {
  const runner = (plan: StretchPlan): StretchRunner => ({
    most: STRETCHES_A_THREAD,
    run: (stretch) => pool.run(snapshot, plan, stretch),
    close: async () => {},
  })
  return answersOf(input, snapshot, product, options, runner)
}

async function* answersOf(
  input: AsyncIterable<Uint8Array>,
  snapshot: Snapshot,
  product: StretchPlan['product'] | 'usual',
  options: StreamOptions,
  runnerFor: (plan: StretchPlan) => StretchRunner,
): AsyncGenerator<PlacedAnswer> {
  const { signal } = options
  const source = new Pausing(input, signal)
  try {
    let start = await beginning(source, options.input === undefined ? undefined : PAUSE_MS)
    let format = options.input === undefined ? detected(start) : inputFormat(options.input)
    if (options.input === undefined && (format === undefined || format === anyText)) {
      // A serial console's log begins with what the firmware prints.
      start = await beginning(source, PAUSE_MS, LATE_SAMPLE_BYTES, start)
      format = detected(start)
    }
    const { sample, complete } = start
    if (complete && sample.length === 0) return
    format ??= nothingKnown(sample, product === 'usual' || product === 'text')
    const plan = planOf(format, product, snapshot, options, sample)
    const { trust } = plan
    const cutter = new Cutter(format)
    const runner = runnerFor(plan)
    try {
      let firstLine = 0
      let inputBytes = 0
      const underWay: { stretch: Stretch; answer: Promise<StretchAnswer> }[] = []
      const first = async (): Promise<PlacedAnswer> => {
        const { stretch, answer } = underWay.shift()!
        const done = await until(answer, signal, 'the stream')
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

/** @throws UnsupportedError if it is a recording that its own tool has to read */
function detected({ sample, complete }: Beginning): InputFormat | undefined {
  const text = sample.toString('latin1')
  const advice = adviceFor(text)
  if (advice !== undefined) throw new UnsupportedError(advice)
  return detectFormat(text, complete)
}

/** The format of a stream that is in none: text is `passed` on as it is. */
function nothingKnown(sample: Buffer, passed: boolean): InputFormat {
  if (passed && !sample.includes(0)) return anyText
  throw new UnsupportedError('the input is in no format that kerndex knows: name it with --input, or see --help')
}

interface StretchRunner {
  /** Stretches that may be under way at once. */
  readonly most: number
  run(stretch: Stretch): Promise<StretchAnswer>
  close(): Promise<void>
}

/**
 * Works on stretches with threads, and while they start, which takes as long as many a stream, on the calling thread: answers
 * do not depend on who gave them. Where no number is asked for, threads are started once the stream has shown that it is long.
 */
function stretchRunner(snapshot: Snapshot, plan: StretchPlan, asked: number | undefined): StretchRunner {
  const here = new StretchWorker(snapshot.symbols, plan)
  const count = threadsThatFit(asked ?? Math.min(availableParallelism(), MOST_THREADS))
  let helpers = asked === undefined || count === 0 ? undefined : startHelpers(snapshot, plan, count)
  let done = 0
  const runHere = async ({ text, length }: Stretch) => {
    const answer = here.run(new Uint8Array(text, 0, length))
    done += length
    if (asked === undefined && done > LONG_STREAM && count > 1) helpers ??= startHelpers(snapshot, plan, count)
    // The caller's other work gets its turn, and threads can say that they are there.
    await setImmediate()
    return answer
  }
  return {
    get most() {
      return helpers?.ready === true ? count * STRETCHES_A_THREAD : 1
    },
    run: (stretch) => (helpers?.ready === true || helpers?.failed === true ? helpers.run(stretch) : runHere(stretch)),
    close: async () => helpers?.close(),
  }
}

interface Helpers {
  readonly ready: boolean
  /** They could not start: what they are given fails, and says why. */
  readonly failed: boolean
  run(stretch: Stretch): Promise<StretchAnswer>
  close(): Promise<void>
}

function startHelpers(snapshot: Snapshot, plan: StretchPlan, count: number): Helpers {
  const threads = new Threads<StretchTask, StretchAnswer>(workerUrl('events'), count)
  const stream = nextStream()
  const { buffer: table, names: lent } = snapshot.symbols
  let failed = false
  threads.start().catch(() => {
    failed = true
  })
  return {
    get ready() {
      return threads.ready > 0
    },
    get failed() {
      return failed
    },
    run: ({ text, length }) => threads.run({ stream, plan, table, lent, text, length }),
    close: () => threads.close(),
  }
}

/** The beginning of a stream. */
interface Beginning {
  readonly sample: Buffer
  /** It is the whole stream. */
  readonly complete: boolean
}

/**
 * What a stream begins with: `most` bytes of it, or all. Where a patience is given, what there is when a stream that has
 * begun pauses.
 */
async function beginning(
  source: Pausing,
  patienceMs?: number,
  most = SAMPLE_BYTES,
  before: Beginning = { sample: Buffer.alloc(0), complete: false },
): Promise<Beginning> {
  if (before.complete) return before
  const pieces: Uint8Array[] = [before.sample]
  let { length } = before.sample
  while (length < most) {
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
  readonly #signal: AbortSignal | undefined
  #next: Promise<IteratorResult<Uint8Array>> | undefined

  constructor(input: AsyncIterable<Uint8Array>, signal: AbortSignal | undefined) {
    this.#signal = signal
    this.#iterator = input[Symbol.asyncIterator]()
  }

  /** The next bytes, undefined at the end, or `pause` if none came in time. @throws AbortedError at once */
  async next(patienceMs?: number): Promise<Uint8Array | 'pause' | undefined> {
    this.#next ??= this.#iterator.next()
    let timer: NodeJS.Timeout | undefined
    const pause = new Promise<'pause'>((resume) => {
      if (patienceMs !== undefined) timer = setTimeout(resume, patienceMs, 'pause')
    })
    try {
      const awaited = patienceMs === undefined ? this.#next : Promise.race([this.#next, pause])
      const result = await until(awaited, this.#signal, 'the stream')
      if (result === 'pause') return result
      this.#next = undefined
      return result.done === true ? undefined : bytes(result.value, 'a piece of the input')
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
