// Texts and profiles put into words: the streams of `kerndex resolve`, over HTTP. Short ones are read here, long ones by threads
// that outlive them.

import { createHash } from 'node:crypto'
import { KerndexError } from '../core/errors.ts'
import { codeMappings } from '../events/code-mappings.ts'
import { INPUT_FORMATS } from '../events/formats.ts'
import type { Output, ProfileFacts } from '../events/output/output.ts'
import { OUTPUTS } from '../events/output/outputs.ts'
import { type PlacedAnswer, runStream, runStreamOn, type StreamOptions } from '../events/run.ts'
import type { StretchPool } from '../events/stretch-pool.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
import { unpackedStream } from '../sources/unpack.ts'
import { Profile, Profiles } from '../stacks/profile.ts'
import type { Call, Reply } from './call.ts'
import { badRequest, HttpError } from './http-error.ts'
import type { FrameCounter } from './metrics.ts'

/** Bytes up to which a text is read on the thread that serves: a few milliseconds of work. */
const SHORT = 1 << 16

/** Outputs of one input. */
export const TEXT_OUTPUTS: readonly Output[] = OUTPUTS.filter(({ writer }) => (writer?.inputs ?? 1) === 1)

const TYPES: Readonly<Record<string, string>> = {
  ndjson: 'application/x-ndjson',
  flamegraph: 'text/html; charset=utf-8',
  svg: 'image/svg+xml',
  speedscope: 'application/json',
  firefox: 'application/json',
  pprof: 'application/octet-stream',
}

/** The counts of a stream. */
export interface StreamSummary {
  readonly format: string | undefined
  readonly lines: number
  readonly events: number
  readonly frames: number
  readonly userFrames: number
  readonly unresolved: number
  readonly contradictions: number
  readonly bad: number
  /** The events that stacks are of; a profile is of one. */
  readonly profiled: readonly string[]
}

/** How a stream is asked for, in the query. */
interface Wanted {
  readonly output: Output
  readonly options: StreamOptions
  readonly event: string | undefined
  readonly title: string
}

/** Puts streams into words. */
export class Streams {
  readonly #pool: StretchPool
  readonly #count: FrameCounter

  constructor(pool: StretchPool, count: FrameCounter) {
    this.#pool = pool
    this.#count = count
  }

  /** Answers with a stream in the output that the query names. `size`: its bytes, where they are known. */
  async reply(
    call: Call,
    snapshot: Snapshot,
    input: AsyncIterable<Uint8Array>,
    size: number,
    title: string,
  ): Promise<Reply> {
    const wanted = wantedOf(call, title)
    const { output } = wanted
    const type = TYPES[output.name] ?? 'text/plain; charset=utf-8'
    if (output.writer === undefined) return { type, body: await begun(this.#written(wanted, snapshot, input, size)) }
    const { profiles } = await this.#profiles(wanted, snapshot, input, size)
    const { event } = wanted
    const profile = profiles.all.find((one) => event === undefined || one.event === event) ?? new Profile(event)
    const facts: ProfileFacts = {
      ...{ title: wanted.title, weighing: 'measured' as const, release: snapshot.host.release },
      mappings: codeMappings([snapshot]),
    }
    const pieces = [...output.writer.write([profile], facts)].map((piece) => Buffer.from(piece))
    const body = Buffer.concat(pieces)
    call.hold(body.length)
    return {
      type,
      headers: output.name === 'flamegraph' ? { 'Content-Security-Policy': policyOf(body.toString()) } : {},
      body,
    }
  }

  /** What a stream comes to, without writing it down. */
  async summary(
    call: Call,
    snapshot: Snapshot,
    input: AsyncIterable<Uint8Array>,
    size: number,
  ): Promise<StreamSummary> {
    const output = TEXT_OUTPUTS.find(({ name }) => name === 'folded')!
    return (await this.#profiles({ ...wantedOf(call, ''), output }, snapshot, input, size)).summary
  }

  async *#written(wanted: Wanted, snapshot: Snapshot, input: AsyncIterable<Uint8Array>, size: number) {
    for await (const answer of this.#run(wanted, snapshot, input, size)) {
      this.#counted(answer)
      if (answer.bytes !== undefined) yield answer.bytes
    }
  }

  async #profiles(wanted: Wanted, snapshot: Snapshot, input: AsyncIterable<Uint8Array>, size: number) {
    const profiles = new Profiles()
    const sums = { lines: 0, events: 0, frames: 0, userFrames: 0, unresolved: 0, contradictions: 0, bad: 0 }
    let format: string | undefined
    for await (const answer of this.#run(wanted, snapshot, input, size)) {
      this.#counted(answer)
      if (answer.profile !== undefined) profiles.merge(answer.profile)
      format = answer.format
      for (const key of ['lines', 'events', 'frames', 'userFrames', 'unresolved', 'contradictions'] as const) {
        sums[key] += answer[key]
      }
      sums.bad += answer.bad.length
    }
    const profiled = profiles.all.map(({ event }) => event ?? '')
    const summary: StreamSummary = { format, ...sums, profiled }
    return { profiles, summary }
  }

  async *#run(
    { output, options }: Wanted,
    snapshot: Snapshot,
    input: AsyncIterable<Uint8Array>,
    size: number,
  ): AsyncGenerator<PlacedAnswer> {
    const unpacked = unpackedStream('the body', input)
    const folding = { ...options.folding, ...output.writer?.folding }
    const given = { ...options, folding }
    try {
      yield* size <= SHORT
        ? runStream(unpacked, snapshot, output.product, { ...given, threads: 0 })
        : runStreamOn(this.#pool, unpacked, snapshot, output.product, given)
    } catch (error) {
      throw asHttp(error)
    }
  }

  #counted({ frames, unresolved, userFrames }: PlacedAnswer): void {
    this.#count('found', frames - unresolved - userFrames)
    this.#count('no_symbol', unresolved)
    this.#count('not_kernel', userFrames)
  }
}

/** Errors for which the caller's own bytes are to blame. */
function asHttp(error: unknown): unknown {
  if (!(error instanceof KerndexError)) return error
  if (['USAGE', 'UNSUPPORTED', 'BAD_FORMAT', 'NOT_READABLE'].includes(error.code))
    return new HttpError(422, error.message)
  return error.code === 'LIMIT' ? new HttpError(413, error.message) : error
}

/** A stream whose first piece is there: what is wrong with its beginning can still be answered by a status. */
async function begun(pieces: AsyncGenerator<Uint8Array>): Promise<AsyncIterable<Uint8Array>> {
  const first = await pieces.next()
  return (async function* () {
    if (first.done === true) return
    yield first.value
    yield* pieces
  })()
}

function wantedOf(call: Call, title: string): Wanted {
  const name = call.query.get('output') ?? 'text'
  const output = TEXT_OUTPUTS.find((one) => one.name === name)
  if (output === undefined) throw badRequest(`output is one of ${TEXT_OUTPUTS.map((one) => one.name).join(', ')}`)
  const input = call.query.get('input') ?? undefined
  if (input !== undefined && !INPUT_FORMATS.some((one) => one.name === input)) {
    throw badRequest(`input is one of ${INPUT_FORMATS.map((one) => one.name).join(', ')}`)
  }
  const mode = call.query.get('mode') ?? 'return'
  if (mode !== 'return' && mode !== 'raw') throw badRequest("mode is 'return' or 'raw'")
  const event = call.query.get('event') ?? undefined
  const filter = event === undefined || event === '' ? {} : { events: [event] }
  const options: StreamOptions = { input, mode, signal: call.signal, filter, folding: { prefix: 'comm' } }
  return { output, options, event: event === '' ? undefined : event, title: call.query.get('title') ?? title }
}

/** The policy of a page that holds its own code: exactly these scripts, and no network. */
function policyOf(html: string): string {
  const scripts = html.split('<script>').slice(1)
  const hashes = scripts.map((from) => {
    const code = from.slice(0, from.indexOf('</script>'))
    return `'sha256-${createHash('sha256').update(code).digest('base64')}'`
  })
  return (
    `default-src 'none'; script-src ${hashes.join(' ')}; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; ` +
    "form-action 'none'; frame-ancestors 'self'"
  )
}
