// Sends a job: cuts a stream into pieces, merges equal stacks first where a profile is wanted, waits where there is no room, and
// after whatever ended it goes on where it was when it is started again with the same name.

import { createHash, type Hash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  byteStream,
  callback,
  choice,
  flag,
  nested,
  type Options,
  options as optionsOf,
  signal as signalOf,
  text,
  whole,
} from '../core/arguments.ts'
import { AbortedError, NotReadableError, UsageError } from '../core/errors.ts'
import { until } from '../core/until.ts'
import { STRETCH_BYTES } from '../events/cut.ts'
import { detectFormat, inputFormat, LATE_SAMPLE_BYTES, SAMPLE_BYTES } from '../events/formats.ts'
import {
  contentKey,
  JOB_BOOT,
  type Job,
  type JobBoot,
  type JobTotals,
  jobName,
  LOOKUP_MODE,
  newJobName,
  PREFIX,
  type Product,
  sameJob,
} from './job.ts'
import { PACKED_HEAD_BYTES } from './packed-addresses.ts'
import { Beginning, piecesOf } from './pieces.ts'
import { type Kept, type Queue, queueArgument } from './queue.ts'

/** The input of a job, and its product. */
export interface SubmitOptions {
  /** The content key of the table, which is in the store. */
  readonly table: string
  /** The job's name: give it again to go on with a job whose sending was ended. Default: a new one. */
  readonly job?: string | undefined
  /** What to make of it. Default: `profile` of what has stacks, `ids` of addresses. */
  readonly product?: Product | undefined
  /** The input format's name; `packed` for addresses of 8 bytes each, little-endian. Default: told from its beginning. */
  readonly input?: string | undefined
  readonly mode?: Job['mode'] | undefined
  readonly boot?: JobBoot | undefined
  readonly prefix?: Job['prefix'] | undefined
  readonly kernelMark?: boolean | undefined
  readonly userAddresses?: boolean | undefined
  /** The most bytes of a piece. Default: 512 KiB, or what the broker takes. */
  readonly pieceBytes?: number | undefined
  /** Pieces that wait for the broker's word at once. Default 8. */
  readonly atOnce?: number | undefined
  readonly signal?: AbortSignal | undefined
  /** Told once with the job as it is entered, before anything of it is sent. */
  readonly onJob?: ((job: Job) => void) | undefined
  /** Told when sending waits, with the reason. */
  readonly onWait?: ((reason: string) => void) | undefined
}

const PRODUCT = choice<Product>('text', 'ndjson', 'compact', 'profile', 'ids', 'names')
const SUBMIT_OPTIONS: Options<SubmitOptions> = {
  table: contentKey,
  job: jobName,
  product: PRODUCT,
  input: text,
  mode: LOOKUP_MODE,
  boot: nested<JobBoot>(JOB_BOOT),
  prefix: PREFIX,
  kernelMark: flag,
  userAddresses: flag,
  pieceBytes: whole(1024, 1 << 26),
  atOnce: whole(1, 1024),
  signal: signalOf,
  onJob: callback,
  onWait: callback,
}

/** The outcome of sending a job. */
export interface Submitted {
  readonly job: Job
  readonly sent: JobTotals
  /** Pieces that were there already, in the queue or answered. */
  readonly before: number
  /** Times that it had to wait for room or for the broker. */
  readonly waits: number
}

const DEFAULT_AT_ONCE = 8
const FIRST_WAIT_MS = 20
const LONGEST_WAIT_MS = 1_000
/** The sample may take so much of a message. */
const SAMPLE_SHARE = 4

/**
 * Sends a stream as a job, and returns once all of it is in the queue: nothing of it is lost then, whatever ends.
 * @throws UsageError if another job has this name, or this stream cannot be made into that; LimitError if a record fits in no
 * piece; AbortedError; what the stream throws
 */
export async function submitJob(
  queue: Queue,
  stream: AsyncIterable<Uint8Array>,
  given: SubmitOptions,
): Promise<Submitted> {
  queueArgument(queue, 'queue')
  byteStream(stream, 'stream')
  const options = optionsOf(given, 'submitJob', SUBMIT_OPTIONS)
  contentKey(options.table, 'table')
  const source = new Beginning(stream)
  try {
    const job = await enter(queue, options, await jobOf(source, options, queue.mostBytes))
    options.onJob?.(job)
    const sender = new Sender(queue, job, options)
    await sender.begin()
    const pieceBytes = Math.min(options.pieceBytes ?? STRETCH_BYTES, queue.mostBytes - PACKED_HEAD_BYTES)
    let events = 0
    let bad = 0
    for await (const piece of piecesOf(source, job, pieceBytes, (more, badOnes) => {
      events += more
      bad += badOnes
    })) {
      await sender.send(piece)
    }
    const { pieces, digest } = await sender.finish()
    const sent: JobTotals = { pieces, events, bad, digest }
    if (job.sent !== undefined && job.sent.digest !== digest) {
      throw new UsageError(`the job ${job.name} was sent before with another content: give this one another name`)
    }
    await sender.patiently(() => queue.closeJob(job, sent))
    return { job, sent, before: sender.before, waits: sender.waits }
  } finally {
    await source.close()
  }
}

/** The job that a stream's beginning and the options amount to. */
async function jobOf(source: Beginning, options: SubmitOptions, mostBytes: number): Promise<Job> {
  const packed = options.input === 'packed'
  const sample = packed ? Buffer.alloc(0) : await source.sample(SAMPLE_BYTES)
  let format = packed
    ? 'addresses'
    : options.input === undefined
      ? detectFormat(sample.toString('latin1'), source.complete)?.name
      : inputFormat(options.input).name
  if (format === undefined) {
    const longer = await source.sample(LATE_SAMPLE_BYTES)
    format = detectFormat(longer.toString('latin1'), source.complete)?.name
  }
  if (format === undefined)
    throw new UsageError('the input is in no format that kerndex knows: name it, see the formats of kerndex resolve')
  const { stacks, kind } = inputFormat(format)
  const addresses = format === 'addresses'
  const product = options.product ?? (addresses ? 'ids' : 'profile')
  const isIds = product === 'ids' || product === 'names'
  if (isIds && !addresses) throw new UsageError(`${format} is not made into ${product}: only addresses are`)
  if (packed && !isIds) throw new UsageError(`packed addresses are made into ids or names, not ${product}`)
  if (product === 'profile' && stacks === false)
    throw new UsageError(`no profile is made of ${format}, which has no stacks`)
  if (product === 'text' && kind !== 'text') throw new UsageError(`${format} is no text to be put into words in place`)
  return {
    name: options.job ?? newJobName(),
    table: options.table,
    pieces: isIds ? 'addresses' : product === 'profile' ? 'stacks' : 'records',
    product,
    input: format,
    mode: options.mode ?? 'return',
    boot: options.boot ?? {},
    prefix: options.prefix ?? 'comm',
    kernelMark: options.kernelMark ?? false,
    userAddresses: options.userAddresses ?? false,
    sample:
      isIds || kind === 'binary' ? '' : sample.subarray(0, Math.floor(mostBytes / SAMPLE_SHARE)).toString('base64'),
    opened: new Date().toISOString(),
  }
}

/** Enters a job, or goes on with the one that has its name. @throws UsageError if that is another one */
async function enter(queue: Queue, { signal, onWait }: SubmitOptions, job: Job): Promise<Job> {
  const waits = new Waits(signal, onWait)
  const entered = await waits.patiently(() => queue.openJob(job))
  if (!sameJob(entered, job)) {
    throw new UsageError(
      `there is a job ${job.name} already, of another table, input or kind: give this one another name`,
    )
  }
  return entered
}

/** Waits for a broker that has no room or is away, longer each time, for as long as that takes. */
class Waits {
  waits = 0
  readonly #signal: AbortSignal | undefined
  readonly #onWait: ((reason: string) => void) | undefined

  constructor(signal: AbortSignal | undefined, onWait: ((reason: string) => void) | undefined) {
    this.#signal = signal
    this.#onWait = onWait
  }

  async patiently<T>(ask: () => Promise<T>): Promise<Exclude<T, 'full'>> {
    for (let pause = FIRST_WAIT_MS; ; pause = Math.min(pause * 2, LONGEST_WAIT_MS)) {
      let reason = 'the queue is full'
      try {
        const answer = await ask()
        if (answer !== 'full') return answer as Exclude<T, 'full'>
      } catch (error) {
        if (!(error instanceof NotReadableError)) throw error
        reason = error.message
      }
      this.waits++
      this.#onWait?.(reason)
      await until(sleep(pause), this.#signal, 'the sending')
    }
  }
}

/** Sends the pieces of a job, several at once, those that are not there yet. */
class Sender extends Waits {
  before = 0
  readonly #queue: Queue
  readonly #job: Job
  readonly #atOnce: number
  readonly #hash: Hash = createHash('sha256')
  readonly #underWay = new Set<Promise<void>>()
  #there: ReadonlySet<number> = new Set()
  #number = 0
  #failure: unknown

  constructor(queue: Queue, job: Job, { signal, onWait, atOnce = DEFAULT_AT_ONCE }: SubmitOptions) {
    super(signal, onWait)
    this.#queue = queue
    this.#job = job
    this.#atOnce = atOnce
  }

  /** Asks what is answered already; what still waits is told by the queue itself. */
  async begin(): Promise<void> {
    const { name } = this.#job
    const [answered, buried] = await this.patiently(() =>
      Promise.all([this.#queue.answered(name), this.#queue.buried(name)]),
    )
    this.#there = new Set([...answered, ...buried])
  }

  /** Sends a piece, once there are few enough under way. */
  async send(bytes: Uint8Array): Promise<void> {
    const number = this.#number++
    this.#hash.update(bytes)
    if (this.#there.has(number)) {
      this.before++
      return
    }
    while (this.#underWay.size >= this.#atOnce) await Promise.race(this.#underWay)
    if (this.#failure !== undefined) throw this.#failure
    const { name, table } = this.#job
    const sending = this.patiently(() => this.#queue.submit({ job: name, number, bytes }, table))
      .then((kept: Kept) => {
        if (kept === 'there') this.before++
      })
      .catch((error: unknown) => {
        this.#failure ??= error ?? new AbortedError('the sending was ended')
      })
      .finally(() => this.#underWay.delete(sending))
    this.#underWay.add(sending)
  }

  /** Waits until the broker has all of them. */
  async finish(): Promise<{ readonly pieces: number; readonly digest: string }> {
    await Promise.all(this.#underWay)
    if (this.#failure !== undefined) throw this.#failure
    return { pieces: this.#number, digest: this.#hash.digest('hex') }
  }
}
