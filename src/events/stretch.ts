// The work on a stretch of a stream, on whatever thread: its lines are decoded, its stacks looked up, and the product is
// written down. A stretch is whole records, so that stretches do not depend on each other.

import { UsageError } from '../core/errors.ts'
import { type Frame, type RawFrame, rawFrame, type StackShape } from '../stacks/frame.ts'
import type { StackResolver } from '../stacks/resolve.ts'
import type { SymbolTable } from '../symbols/table.ts'
import { readAddresses } from './bulk-addresses.ts'
import { type TraceEvent, traceEvent } from './event.ts'
import { wanted } from './filter.ts'
import { StackFolder } from './fold.ts'
import { FrameMemo, type InputFormat, type LineStack, type Sink } from './format.ts'
import { inputFormat } from './formats.ts'
import { LineMemo } from './line-memo.ts'
import { Lookups } from './lookups.ts'
import { ByteWriter } from './output/byte-writer.ts'
import { compactLine, compactStack } from './output/compact.ts'
import { bareMembers, eventMembers } from './output/event-json.ts'
import { stackMembers } from './output/frame-json.ts'
import { TextRewriter } from './output/text.ts'
import { addPart, type EventParts, noParts } from './parts.ts'
import { type KnownStack, type Run, StackMemo } from './stack-memo.ts'
import {
  addCounts,
  type BadInputLine,
  count,
  type FrameCounts,
  noFrames,
  type StretchAnswer,
  type StretchPlan,
} from './stretch-plan.ts'

/** A stack that was met before, as the present stream writes it. */
interface Made extends LineStack {
  readonly counts: Readonly<FrameCounts>
  /** By whom they were looked up. */
  readonly by: StackResolver
  /** Its frames, looked up; none where only text is wanted. */
  readonly resolved: readonly Frame[]
  /** The stack as it is written: its lines with words in them, the members of JSON, or lines in words. */
  readonly bytes: Uint8Array
  /** The last stretch that handed these bytes on, and where in its `stacks`. */
  stretch: number
  start: number
}

/** Takes events as they were decoded. `stack` stands for the same frames each time, if it is given. */
export type TakeEvent = (event: TraceEvent, frames: readonly RawFrame[], stack: LineStack | undefined) => void

type Known = KnownStack<Made>
type FrameReader = NonNullable<InputFormat['frameLine']>

/** Works on stretches of one stream. Keeps caches from one to the next, and nothing else. */
export class StretchWorker {
  readonly #plan: StretchPlan
  readonly #format: InputFormat
  readonly #lookups: Lookups | undefined
  readonly #take: TakeEvent | undefined
  readonly #memo = new FrameMemo()
  readonly #lines = new LineMemo()
  readonly #stacks: StackMemo<Made> | undefined
  readonly #folder: StackFolder
  readonly #wanted: ((event: TraceEvent) => boolean) | undefined
  readonly #out = new ByteWriter()
  #stretch = 0

  /** `take` gets the events where the product is `stacks`, which needs no symbols. */
  constructor(symbols: SymbolTable | undefined, plan: StretchPlan, take?: TakeEvent) {
    this.#plan = plan
    this.#take = take
    if (symbols !== undefined) {
      this.#lookups = new Lookups(symbols, plan)
    }
    this.#format = inputFormat(plan.input)
    const { stackMark, apart } = this.#format
    this.#folder = new StackFolder(plan.folding, apart ?? false)
    this.#wanted = wanted(plan.filter)
    if (stackMark !== undefined) this.#stacks = new StackMemo(stackMark)
  }

  /** Looks up the stacks of an event. */
  #at(ts: bigint | undefined): StackResolver {
    return this.#lookups!.at(ts) // Every product but `stacks` was given symbols.
  }

  /** @throws UsageError if the format cannot be made into the product */
  run(bytes: Uint8Array): StretchAnswer {
    const { product, strict } = this.#plan
    const format = this.#format
    if (product === 'text' && format.kind !== 'text') {
      throw new UsageError(`${format.name} is no text to be resymbolized in place: use --output ndjson`)
    }
    if ((product === 'profile' || product === 'stacks') && format.stacks === false) {
      throw new UsageError(
        `the input is in no format that has stacks, only addresses are here and there (${format.name}): use --output text or ndjson, or name the format with --input`,
      )
    }
    if (product === 'text' && this.#wanted !== undefined) {
      throw new UsageError('text has all lines of its input: choose another output to have only some events')
    }
    const bulk = this.#bulk(bytes)
    if (bulk !== undefined) return bulk
    this.#stretch++
    const whole = format.decodeWhole
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, whole === undefined ? bytes.byteLength : 0)
    const frames = noFrames()
    const counts = { lines: 0, events: 0, strange: 0 }
    const bad: BadInputLine[] = []
    const starts: number[] = []
    const rewriter = product === 'text' ? new TextRewriter(bytes, starts, this.#out, format.inWords) : undefined
    const parts = product === 'parts' || product === 'compact-parts' ? noParts() : undefined
    const write = rewriter === undefined ? this.#writer(frames, parts ?? noParts()) : undefined
    /** The whole stack that the decoder was given last, and where it stands. */
    let at: { readonly stack: Known; readonly start: number; readonly end: number } | undefined
    const lineAt = (line: number) => {
      const start = starts[line] ?? 0
      const end = text.indexOf(NEWLINE, start)
      return text.toString('latin1', start, end < 0 ? text.length : end)
    }
    const sink: Sink = {
      event: (event, stack) => {
        if (this.#wanted?.(event) === false) return
        if (event.strange) {
          counts.strange++
          if (strict) {
            sink.bad(event.line, `no type of event: ${JSON.stringify(event.name)}`)
            return
          }
        }
        counts.events += event.count
        if (product === 'stacks') {
          this.#take?.(event, stack?.frames ?? event.frames, stack)
          return
        }
        const made = stack !== undefined && stack === at?.stack ? this.#madeOf(at.stack, event) : undefined
        if (made !== undefined) addCounts(frames, made.counts)
        if (rewriter === undefined) write?.(event, made)
        else if (made !== undefined) rewriter.put(at?.start ?? 0, at?.end ?? 0, made.bytes)
        else
          this.#at(event.ts).each(event.frames, event.shape, (frame, index) => {
            count(frames, frame)
            rewriter.replace(event.frameLines[index] ?? event.line, event.frames[index]!, frame)
          })
      },
      mention: (raw, line) => {
        if (rewriter !== undefined)
          this.#at(undefined).each([raw], 'returns', (frame) => rewriter.replace(line, raw, frame))
      },
      header: () => {
        parts?.headers.push(parts.type.length)
      },
      bad: (line: number, reason: string) => {
        bad.push({ line, reason, text: lineAt(line) })
      },
    }
    whole?.(bytes, sink)
    const decoder = format.decoder(sink, this.#memo)
    const { frameLine, stackMark } = format
    this.#lines.over(bytes)
    this.#stacks?.over(bytes)
    /** Whether the lines of a stack that was looked for as a whole, and not found, come one by one. */
    let oneByOne = false
    for (let start = 0; start < text.length; ) {
      if (stackMark !== undefined) {
        if (text[start] !== stackMark) oneByOne = false
        else if (!oneByOne) {
          const run = this.#stacks?.run(start)
          const stack = run && (this.#stacks?.known() ?? (run.again ? this.#learn(run, text) : undefined))
          if (run !== undefined && stack !== undefined && decoder.stack?.(stack, counts.lines) === true) {
            at = { stack, start, end: run.end }
            for (const from of stack.starts) starts.push(start + from)
            counts.lines += run.lines
            start = run.end
            continue
          }
          oneByOne = true
        }
      }
      let end = text[start] === NEWLINE ? start : text.indexOf(NEWLINE, start)
      if (end < 0) end = text.length
      starts.push(start)
      const stop = end > start && text[end - 1] === CARRIAGE_RETURN ? end - 1 : end
      const number = counts.lines++
      const known = frameLine && this.#lines.find(start, stop)
      if (known === undefined || decoder.frame?.(known, number) !== true) {
        const line = text.toString('latin1', start, stop)
        const frame = known === undefined && frameLine ? this.#read(frameLine, line) : undefined
        if (frame === undefined || decoder.frame?.(frame, number) !== true) decoder.line(line, number)
      }
      start = end + 1
    }
    decoder.end()
    const written = rewriter?.finish() ?? this.#out.take()
    if (parts !== undefined) parts.stacks = written
    const profile = product === 'profile' ? this.#folder.take() : undefined
    return {
      bytes: parts === undefined && written.length > 0 ? written : undefined,
      profile,
      parts,
      bad,
      ...counts,
      ...frames,
      remembered: this.#memo.size + this.#lines.size,
    }
  }

  /** Bytes that it remembers of lines and stacks, about: what they are made of is estimated by their number. */
  get memory(): number {
    const frames = this.#memo.size + this.#lines.size + (this.#lookups?.remembered ?? 0)
    return this.#lines.bytes + (this.#stacks?.bytes ?? 0) + frames * FRAME_BYTES + this.#folder.nodes * NODE_BYTES
  }

  /** The frame that a line is which was not found, if it is one. */
  #read(read: FrameReader, line: string): RawFrame | undefined {
    const decoded = read(line)
    if (decoded === undefined) return undefined
    const frame = rawFrame(decoded)
    this.#lines.add(frame)
    return frame
  }

  /** Remembers a stack; undefined if one of its lines is no frame. */
  #learn(run: Run, text: Buffer): Known | undefined {
    const { frameLine } = this.#format
    const frames: RawFrame[] = []
    const starts: number[] = []
    for (let start = run.start; start < run.end; ) {
      const end = text.indexOf(NEWLINE, start)
      const stop = text[end - 1] === CARRIAGE_RETURN ? end - 1 : end
      const known = this.#lines.find(start, stop)
      const frame = known ?? (frameLine && this.#read(frameLine, text.toString('latin1', start, stop)))
      if (frame === undefined) return undefined
      frames.push(frame)
      starts.push(start - run.start)
      start = end + 1
    }
    return this.#stacks?.add(frames, starts)
  }

  /** A known stack, looked up and written. Stacks that can be known are all of one shape. */
  #madeOf(stack: Known, { shape, ts }: TraceEvent): Made {
    const by = this.#at(ts)
    if (stack.made?.by === by) return stack.made
    const counts = noFrames()
    const { product } = this.#plan
    let frames: readonly Frame[] = NO_FRAMES
    let bytes = NO_BYTES
    if (product === 'text') {
      const { inWords } = this.#format
      const rewriter = new TextRewriter(stack.bytes, stack.starts, new ByteWriter(), inWords)
      by.each(stack.frames, shape, (frame, index) => {
        count(counts, frame)
        rewriter.replace(index, stack.frames[index]!, frame)
      })
      bytes = rewriter.finish()
    } else {
      frames = by.resolve(stack.frames, shape)
      for (const frame of frames) count(counts, frame)
      bytes = Buffer.from(this.#stackText(frames, shape), 'utf8')
    }
    stack.made = { counts, frames: stack.frames, by, resolved: frames, bytes, stretch: 0, start: 0 }
    return stack.made
  }

  /** A stack as the product holds it. */
  #stackText(frames: readonly Frame[], shape: StackShape): string {
    const { product, mode } = this.#plan
    if (product === 'profile' || frames.length === 0) return ''
    return product === 'compact' || product === 'compact-parts'
      ? compactStack(frames)
      : `,${stackMembers(frames, { shape, raw: mode === 'raw' })}`
  }

  /** Takes events and their stacks for any product but text. */
  #writer(counts: FrameCounts, parts: EventParts): (event: TraceEvent, made: Made | undefined) => void {
    const { product, passthrough, generation } = this.#plan
    const out = this.#out
    const how = { inWords: product === 'compact-parts', passthrough }
    const resolve = ({ frames, shape, ts }: TraceEvent): readonly Frame[] => {
      if (frames.length === 0) return NO_FRAMES
      const resolved = this.#at(ts).resolve(frames, shape)
      for (const frame of resolved) count(counts, frame)
      return resolved
    }
    const writeStack = (event: TraceEvent, made: Made | undefined) => {
      if (made !== undefined) out.copy(made.bytes, 0, made.bytes.length)
      else out.text(this.#stackText(resolve(event), event.shape))
    }
    switch (product) {
      case 'profile':
        return (event, made) => this.#folder.add(event, made?.resolved ?? resolve(event), made)
      case 'compact':
        return (event, made) => {
          out.text(compactLine(event))
          writeStack(event, made)
        }
      case 'ndjson':
        return (event, made) => {
          out.text(`{${passthrough ? eventMembers(event) : bareMembers(event)}`)
          writeStack(event, made)
          out.text(`,"generation":${generation}}\n`)
        }
      default:
        return (event, made) => {
          if (made?.stretch === this.#stretch) {
            addPart(parts, event, how, made.start, made.start + made.bytes.length)
            return
          }
          const start = out.length
          writeStack(event, made)
          if (made !== undefined) {
            made.stretch = this.#stretch
            made.start = start
          }
          addPart(parts, event, how, start, out.length)
        }
    }
  }

  /** The answer for a stretch of plain addresses, which needs no decoder; undefined if it is not one. */
  #bulk(bytes: Uint8Array): StretchAnswer | undefined {
    const { input, product, rebase, states } = this.#plan
    const addresses = this.#lookups?.addresses
    if (
      addresses === undefined ||
      this.#wanted !== undefined ||
      input !== 'addresses' ||
      rebase !== undefined ||
      states.length > 0 ||
      (product !== 'text' && product !== 'ndjson')
    )
      return undefined
    const read = readAddresses(bytes)
    if (read === undefined) return undefined
    const other = (address: bigint) => {
      const event = traceEvent({ type: 'stack', line: 0, frames: [rawFrame({ address })] })
      return `${asLine(event, this.#at(undefined).resolve(event.frames, event.shape), this.#plan)}\n`
    }
    const {
      bytes: written,
      unresolved,
      userFrames,
    } = product === 'text' ? addresses.text(bytes, read) : addresses.ndjson(read, other)
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
      contradictions: 0,
      contradiction: undefined,
      strange: 0,
      remembered: 0,
    }
  }
}

/** Bytes that a remembered frame and a node of folded stacks take, about: an object of so many words, and a place in a map. */
const FRAME_BYTES = 256
const NODE_BYTES = 320
const NO_FRAMES: readonly Frame[] = []
const NO_BYTES: Uint8Array = new Uint8Array(0)
const NEWLINE = 10
const CARRIAGE_RETURN = 13

function asLine(event: TraceEvent, frames: readonly Frame[], { passthrough, generation, mode }: StretchPlan): string {
  const stack = frames.length === 0 ? '' : `,${stackMembers(frames, { shape: event.shape, raw: mode === 'raw' })}`
  return `{${passthrough ? eventMembers(event) : bareMembers(event)}${stack},"generation":${generation}}`
}
