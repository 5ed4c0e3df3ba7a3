// `perf script` text: the default fields, `-F` with more or fewer of them, tracepoint payloads, and task events
// (--show-task-events). A header line (`head.ts`, `header-event.ts`), frame lines (`frame.ts`), a blank line.

import type { RawFrame } from '../../../stacks/frame.ts'
import { traceEvent } from '../../event.ts'
import type { Decoder, InputFormat, LineStack, Sink } from '../../format.ts'
import { isBlankLine, TAB } from '../characters.ts'
import { joinTorn, TORN } from '../sched.ts'
import { inWords, readFrame } from './frame.ts'
import { type Head, timedHead, untimedHead, type Who } from './head.ts'
import { headerEvent, type Kind, type OpenEvent, taskEvent } from './header-event.ts'

const RELEASE = '# os release : '

export const perfScript: InputFormat = {
  name: 'perf-script',
  what: 'perf script text, with any of -F comm,pid,tid,cpu,misc,time,period,event,trace,ip,sym,symoff,dso,srcline, and task events',
  kind: 'text',
  apart: true,
  recognise: (lines) => {
    let headers = 0
    let frames = 0
    let believed = false
    lines.forEach((line, i) => {
      if (readFrame(line) !== undefined) {
        frames++
        believed ||= isTabbedFrame(line)
          ? lines[i + 1] !== undefined && mayStandBefore(lines, i - 1)
          : line.endsWith(')') && namesThread(lines[i - 1])
      } else if (isHeader(line)) headers++
    })
    return headers > 0 ? headers + frames : believed ? frames : 0
  },
  // `perf script --header`.
  releaseOf: (lines) =>
    lines
      .find((line) => line.startsWith(RELEASE))
      ?.slice(RELEASE.length)
      .trim(),
  // A blank line ends a record, so that the next one may begin with it.
  startsRecord: (line) => line === '' || (!/^[\t#]/.test(line) && timedHead(line)?.who.tid !== undefined),
  frameLine: readFrame,
  stackMark: TAB,
  inWords,
  decoder: (sink) => new PerfScript(sink),
}

/** A header with time and thread, and none of ftrace's, which have TASK-TID in front of the CPU. */
function isHeader(line: string): boolean {
  return !line.startsWith('[') && timedHead(line)?.who.tid !== undefined
}

function isTabbedFrame(line: string): boolean {
  return /^\t *[0-9a-f]{3,16}(?: \S|$)/.test(line)
}

/** Whether a sample's frames may follow this line: nothing, a sample's end, or a header of some kind. */
function mayStandBefore(lines: readonly string[], i: number): boolean {
  const line = lines[i]
  if (line === undefined || line === '') return true
  const before = lines[i - 1]
  return timedHead(line) !== undefined || untimedHead(line, isBetween(before)) !== undefined
}

/** Whether a line without a time is a header beyond doubt: it has a thread and an event. */
function namesThread(line: string | undefined): boolean {
  const head = line === undefined ? undefined : untimedHead(line.trimEnd(), false)
  return head?.who.tid !== undefined && head.rest.endsWith(':')
}

/** Whether a line that follows this one may begin a sample, whatever it looks like. */
function isBetween(line: string | undefined): boolean {
  return line === undefined || line === '' || line.startsWith('#')
}

class PerfScript implements Decoder {
  readonly #sink: Sink
  #header: OpenEvent | undefined
  /** A header that a blank line followed, whose frames may still come behind that. */
  #held: OpenEvent | undefined
  /** A line that is a header without time or thread if a frame follows it. */
  #perhaps: { readonly text: string; readonly line: number; readonly between: boolean } | undefined
  /** Nothing of a sample came since the last blank line. */
  #between = true
  #atStart = true
  #frames: RawFrame[] = []
  #lines: number[] = []
  /** All frames at once, and the number of the first one's line. */
  #stack: LineStack | undefined
  #stackLine = 0
  /** A header that lacks its end, as a newline in a name tore its line. */
  #torn: { head: Head; readonly number: number; lines: number } | undefined
  /** What headers say in front of the time and behind it, by that text. For one stretch, which bounds them. */
  readonly #whos = new Map<string, Who>()
  readonly #kinds = new Map<string, Kind>()

  constructor(sink: Sink) {
    this.#sink = sink
  }

  frame(frame: RawFrame, number: number): boolean {
    if (this.#header === undefined && !this.#untimed(number)) {
      this.#sink.bad(number, 'a frame without the header of its sample')
      return true
    }
    this.#unstack()
    this.#frames.push(frame)
    this.#lines.push(number)
    return true
  }

  stack(stack: LineStack, number: number): boolean {
    if (this.#header === undefined || this.#frames.length > 0 || this.#stack !== undefined) return false
    this.#stack = stack
    this.#stackLine = number
    return true
  }

  /** Frames that came at once were not all. */
  #unstack(): void {
    const stack = this.#stack
    if (stack === undefined) return
    this.#stack = undefined
    this.#frames.push(...stack.frames)
    for (let i = 0; i < stack.frames.length; i++) this.#lines.push(this.#stackLine + i)
  }

  line(text: string, number: number): void {
    if (isBlankLine(text)) {
      const header = this.#header
      if (
        header !== undefined &&
        this.#frames.length === 0 &&
        this.#stack === undefined &&
        header.frames.length === 0
      ) {
        this.#header = undefined
        this.end()
        this.#held = header
      } else this.end()
      this.#atStart = true
      this.#between = true
      return
    }
    // The header of perf's file, before all samples.
    if (text.startsWith('#')) return
    const head = timedHead(text, this.#whos)
    // A line of source behind its frame.
    if (head === undefined && text.startsWith('  ') && (this.#frames.length > 0 || this.#stack !== undefined)) return
    if (head?.who.tid === undefined && this.#joins(text)) return
    const between = this.#between
    this.end()
    if (head?.who.tid === undefined) {
      this.#perhaps = { text, line: number, between }
      return
    }
    if (TORN.test(head.rest)) this.#torn = { head, number, lines: 0 }
    this.#open(head, text, number, between)
  }

  /** Begins a record with its header. */
  #open(head: Head, text: string, number: number, between: boolean): void {
    if (head.rest.startsWith('PERF_RECORD_')) {
      // Lines of perf about maps and switches are no events of a process.
      const event = taskEvent(head, number)
      if (event === 'damaged') this.#perhaps = this.#torn === undefined ? { text, line: number, between } : undefined
      else this.#header = event
      return
    }
    this.#header = headerEvent(head, text.length, number, this.#kinds)
  }

  /** Takes what may be the rest of a torn header; true if it is put together with the line before. */
  #joins(text: string): boolean {
    const torn = this.#torn
    if (torn === undefined || this.#frames.length > 0 || this.#stack !== undefined) return false
    const rest = joinTorn(torn.head.rest, text, ++torn.lines)
    if (rest === undefined) return false
    torn.head = { ...torn.head, rest }
    if (TORN.test(rest)) return true
    this.#torn = undefined
    this.#open(torn.head, rest, torn.number, false)
    return true
  }

  /** Begins a sample with its first frame; false if what stood before is no header, nor a sample's end. */
  #untimed(line: number): boolean {
    const perhaps = this.#perhaps
    if (this.#held !== undefined) {
      this.#header = this.#held
      this.#held = undefined
      return true
    }
    if (perhaps === undefined) {
      if (this.#atStart) this.#header = traceEvent({ type: 'sample', line })
      return this.#atStart
    }
    const { text, between } = perhaps
    const head = timedHead(text) ?? untimedHead(text, between)
    if (head === undefined) this.end()
    else this.#header = headerEvent(head, text.length, perhaps.line, this.#kinds)
    this.#perhaps = undefined
    return head !== undefined
  }

  end(): void {
    this.#atStart = false
    this.#between = false
    if (this.#held !== undefined) this.#sink.event(this.#held)
    this.#held = undefined
    if (this.#torn !== undefined) this.#sink.bad(this.#torn.number, 'an event whose line a newline in a name tore')
    this.#torn = undefined
    if (this.#perhaps !== undefined) this.#sink.bad(this.#perhaps.line, 'neither the header of a sample nor a frame')
    this.#perhaps = undefined
    const header = this.#header
    if (header === undefined) return
    this.#header = undefined
    const stack = this.#stack
    if (stack !== undefined) {
      this.#stack = undefined
      header.frames = stack.frames
      header.frameLines = []
    } else if (this.#frames.length > 0) {
      header.frames = this.#frames
      header.frameLines = this.#lines
      this.#frames = []
      this.#lines = []
    }
    this.#sink.event(header, stack)
  }
}
