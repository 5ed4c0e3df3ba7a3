// What is done with a stretch of a stream, on whatever thread: decode its lines, look up its stacks, and write the
// product down. A stretch is whole records, so that stretches do not depend on each other.

import { UsageError } from '../core/errors.ts'
import type { Rebase } from '../stacks/boot.ts'
import { type Frame, type LookupMode, rawFrame } from '../stacks/frame.ts'
import { StackResolver } from '../stacks/resolve.ts'
import type { SymbolTable } from '../symbols/table.ts'
import { AddressWriter, readAddresses } from './bulk-addresses.ts'
import { type Lifecycle, type TraceEvent, traceEvent } from './event.ts'
import { type Folding, StackFolder } from './fold.ts'
import { detached, FrameMemo } from './format.ts'
import { inputFormat } from './formats.ts'
import { LineMemo } from './line-memo.ts'
import { compactEvent, compactStack, whatHappened } from './output/compact.ts'
import { bareMembers, decodedMembers, eventMembers, timeMember } from './output/event-json.ts'
import { stackMembers } from './output/frame-json.ts'
import { TextRewriter } from './output/text.ts'

/** What to make of the stretches of one stream. The same for all of them. */
export interface StretchPlan {
  /** The input format's name. */
  readonly input: string
  /**
   * `text`: the same text with addresses in words; `ndjson`: events as lines of JSON; `compact`: events in words; `profile`:
   * stacks and their weights; `parts` and `compact-parts`: events for a reader that adds their processes.
   */
  readonly product: 'text' | 'ndjson' | 'compact' | 'profile' | 'parts' | 'compact-parts'
  readonly mode: LookupMode
  readonly rebase: Rebase | undefined
  /** Number of the symbol table's generation, written into events. */
  readonly generation: number
  readonly folding: Folding
  /** Events of a type that is not known are bad lines. */
  readonly strict: boolean
  /** Whether events keep what they came with, beside type, pid, tid and ts. */
  readonly passthrough: boolean
}

/** An event as one thread hands it to another: what its process is looked up by, and the JSON that is ready. */
export interface EventPart {
  readonly type: TraceEvent['type']
  readonly pid: number | undefined
  readonly tid: number | undefined
  readonly ts: bigint | undefined
  readonly comm: string | undefined
  readonly life: Lifecycle | undefined
  /** A record's members as they are sent on; of other events the members behind type, pid and tid. */
  readonly members: string
  readonly isRecord: boolean
  /** The members of its stack, or '' where it has none. */
  readonly stack: string
  /** What happened and its stack, in words; '' where JSON is wanted. */
  readonly words: string
  readonly stackWords: string
  readonly line: number
}

/** A line that could not be decoded; `line` counts from 0 in the stretch. */
export interface BadInputLine {
  readonly line: number
  readonly reason: string
  /** The line's bytes, one a character. */
  readonly text: string
}

/** What came of a stretch. */
export interface StretchAnswer {
  readonly bytes: Uint8Array | undefined
  readonly profile: readonly (readonly [string, bigint])[] | undefined
  readonly parts: readonly EventPart[] | undefined
  readonly bad: readonly BadInputLine[]
  /** Lines in the stretch; a last one without a line end counts. */
  readonly lines: number
  readonly events: number
  readonly frames: number
  /** Kernel frames that no symbol was found for. */
  readonly unresolved: number
  /** Frames of user space. */
  readonly userFrames: number
  /** Events of a type that is not known. */
  readonly strange: number
  /** Frames that this thread remembers by their text. */
  readonly remembered: number
}

/** Works on stretches of one stream. Keeps caches from one to the next, and nothing else. */
export class StretchWorker {
  readonly #plan: StretchPlan
  readonly #resolver: StackResolver
  readonly #addresses: AddressWriter
  readonly #memo = new FrameMemo()
  readonly #lines = new LineMemo()
  readonly #folder: StackFolder

  constructor(symbols: SymbolTable, plan: StretchPlan) {
    this.#plan = plan
    this.#folder = new StackFolder(plan.folding)
    this.#addresses = new AddressWriter(symbols)
    this.#resolver = new StackResolver(symbols, { mode: plan.mode, rebase: plan.rebase })
  }

  /** @throws UsageError if the format cannot be made into the product */
  run(bytes: Uint8Array): StretchAnswer {
    const { product, strict, passthrough } = this.#plan
    const format = inputFormat(this.#plan.input)
    if (product === 'text' && format.kind !== 'text') {
      throw new UsageError(`${format.name} is no text to be resymbolized in place: use --output ndjson`)
    }
    const bulk = this.#bulk(bytes)
    if (bulk !== undefined) return bulk
    const whole = format.decodeWhole
    const text =
      whole === undefined ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1') : ''
    const counts = { lines: 0, events: 0, frames: 0, unresolved: 0, userFrames: 0, strange: 0, remembered: 0 }
    const bad: BadInputLine[] = []
    const starts: number[] = []
    const rewriter = product === 'text' ? new TextRewriter(text, starts) : undefined
    const folding = product === 'profile'
    const inWords = product === 'compact-parts'
    const parts: EventPart[] | undefined = product === 'parts' || inWords ? [] : undefined
    let written = ''
    const lineAt = (line: number) => {
      const start = starts[line] ?? 0
      const end = text.indexOf('\n', start)
      return text.slice(start, end < 0 ? text.length : end)
    }
    const count = (frame: Frame) => {
      counts.frames++
      if (isUser(frame)) counts.userFrames++
      else if (frame.reason !== undefined) counts.unresolved++
    }
    const resolve = (event: TraceEvent): Frame[] => {
      if (event.frames.length === 0) return NO_FRAMES
      const frames = this.#resolver.resolve(event.frames, event.shape)
      for (const frame of frames) count(frame)
      return frames
    }
    const sink = {
      event: (event: TraceEvent) => {
        if (event.strange) {
          counts.strange++
          if (strict) {
            sink.bad(event.line, `no type of event: ${JSON.stringify(event.name)}`)
            return
          }
        }
        counts.events++
        if (rewriter !== undefined) {
          this.#resolver.each(event.frames, event.shape, (frame, index) => {
            count(frame)
            rewriter.replace(event.frameLines[index] ?? event.line, event.frames[index]!, frame)
          })
          return
        }
        const frames = resolve(event)
        if (folding) this.#folder.add(event, frames)
        else if (parts !== undefined) parts.push(asPart(event, frames, inWords, passthrough))
        else if (product === 'compact') written += compactEvent(event, frames)
        else written += `${asLine(event, frames, this.#plan)}\n`
      },
      bad: (line: number, reason: string) => {
        bad.push({ line, reason, text: lineAt(line) })
      },
    }
    whole?.(bytes, sink)
    const decoder = format.decoder(sink, this.#memo)
    const { frameLine } = format
    const known = this.#lines
    known.over(bytes)
    for (let start = 0; start < text.length; ) {
      let end = text.indexOf('\n', start)
      if (end < 0) end = text.length
      starts.push(start)
      const stop = end > start && text.charCodeAt(end - 1) === CARRIAGE_RETURN ? end - 1 : end
      const number = counts.lines++
      let frame = frameLine && known.find(start, stop)
      if (frameLine !== undefined && frame === undefined) {
        const decoded = frameLine(detached(text.slice(start, stop)))
        if (decoded !== undefined) {
          frame = rawFrame(decoded)
          known.add(frame)
        }
      }
      if (frame === undefined || decoder.frame?.(frame, number) !== true) decoder.line(text.slice(start, stop), number)
      start = end + 1
    }
    decoder.end()
    counts.remembered = this.#memo.size + known.size
    const bytesOut = rewriter?.finish() ?? (written === '' ? undefined : Buffer.from(written, 'utf8'))
    return { bytes: bytesOut, profile: folding ? this.#folder.take() : undefined, parts, bad, ...counts }
  }

  /** The answer for a stretch of plain addresses, which needs no decoder; undefined if it is not one. */
  #bulk(bytes: Uint8Array): StretchAnswer | undefined {
    const { input, product, rebase, generation } = this.#plan
    if (input !== 'addresses' || rebase !== undefined || (product !== 'text' && product !== 'ndjson')) return undefined
    const read = readAddresses(bytes)
    if (read === undefined) return undefined
    const other = (address: bigint) => {
      const event = traceEvent({ type: 'stack', line: 0, frames: [rawFrame({ address })] })
      return `${asLine(event, this.#resolver.resolve(event.frames, event.shape), this.#plan)}\n`
    }
    const {
      bytes: written,
      unresolved,
      userFrames,
    } = product === 'text' ? this.#addresses.text(bytes, read) : this.#addresses.ndjson(read, generation, other)
    const { lines } = read
    return {
      bytes: written,
      profile: undefined,
      parts: undefined,
      bad: [],
      lines,
      events: lines,
      frames: lines,
      unresolved,
      userFrames,
      strange: 0,
      remembered: 0,
    }
  }
}

const NO_FRAMES: Frame[] = []
const CARRIAGE_RETURN = 13

function isUser({ user, reason }: Frame): boolean {
  return user || reason === 'not_kernel'
}

function asLine(event: TraceEvent, frames: readonly Frame[], { passthrough, generation }: StretchPlan): string {
  const stack = frames.length === 0 ? '' : `,${stackMembers(frames)}`
  return `{${passthrough ? eventMembers(event) : bareMembers(event)}${stack},"generation":${generation}}`
}

function asPart(event: TraceEvent, frames: readonly Frame[], inWords: boolean, passthrough: boolean): EventPart {
  const { type, pid, tid, ts, comm, life, line } = event
  const record = passthrough ? event.record : undefined
  const common = { type, pid, tid, ts, comm, life, line, isRecord: record !== undefined }
  if (inWords) {
    return { ...common, members: '', stack: '', words: whatHappened(event), stackWords: compactStack(frames) }
  }
  const members = record !== undefined ? eventMembers(event) : passthrough ? decodedMembers(event) : timeMember(event)
  return { ...common, members, stack: frames.length === 0 ? '' : stackMembers(frames), words: '', stackWords: '' }
}
