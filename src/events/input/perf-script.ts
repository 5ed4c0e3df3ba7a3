// `perf script` text: the default fields, `-F` with more or fewer of them, tracepoint payloads, and task events
// (--show-task-events). A header line, frame lines that begin with a tab, a blank line. Without the time a header is any line
// in front of a frame; without any of comm, pid and tid there is none.

import { type RawFrame, rawFrame } from '../../stacks/frame.ts'
import { type EventType, type Lifecycle, type TraceEvent, traceEvent } from '../event.ts'
import {
  asText,
  countLines,
  type Decoder,
  hexAddress,
  type InputFormat,
  type LineStack,
  nanoseconds,
  type Sink,
} from '../format.ts'
import { schedEvent } from './sched.ts'

/**
 * comm (any bytes, often with spaces), PID/TID or TID, [CPU], time; anchored on what follows the comm, as the comm may
 * hold colons, digits and brackets itself. The time ends in a colon.
 */
const HEADER = /^ *(.*?) +(?:(-?\d+)\/)?(-?\d+) +(?:\[(\d+)\] +)?(\d+)\.(\d{6}|\d{9}): *(.*)$/
/**
 * The same without a time, only believed where a frame follows: anchored on PID/TID, on the CPU, or on what may stand behind
 * the TID, an event's name with or without a period.
 */
const TIMELESS: readonly RegExp[] = [
  /^ *(?<comm>.*?) +(?<pid>-?\d+)\/(?<tid>-?\d+)(?: +\[(?<cpu>\d+)\])?(?: +(?<rest>\S.*))?$/,
  /^ *(?<comm>.*?) +(?<tid>-?\d+) +\[(?<cpu>\d+)\](?: +(?<rest>\S.*))?$/,
  /^ *(?<comm>.*?) +(?<tid>-?\d+)(?: +(?<rest>(?:\d+ +)?\S+:(?: .*)?))?$/,
]
/** What follows: an optional period or count, the event's name, a colon, the payload. */
const EVENT = /^(?:(\d+) +)?(\S.*?):(?: +(.*))?$/
/** `system:event`, but not `cycles:P`: letters behind an event that say how it is counted. */
const TRACEPOINT = /^\w[\w-]*:(?![ukhIGHpPSDWebR]+$)\w+$/
const TASK = /^PERF_RECORD_(FORK|EXIT)\((\d+):(\d+)\):\((-?\d+):(-?\d+)\)$/
const COMM = /^PERF_RECORD_COMM( exec)?: (.*):(\d+)\/(\d+)$/
const FRAME = /^(\s+)([0-9a-f]{1,16})(?: (.*))?$/
/** `symbol+0x10 (dso)`, without offset, or without dso; the name may hold anything, so the dso is found from the end. */
const SYMBOL = /^(.*?)(?:\+0x([0-9a-f]+))?(?: \((.*)\))?$/
/** The kernel itself in perf's words, and names in brackets that are user memory. */
const KERNEL = /^\[(?:kernel\.kallsyms|guest\.kernel\.kallsyms|kernel|kernel\.vmlinux)\]/
const USER = /^(?:\/|\[(?:vdso|vdso32|vsyscall|heap|stack|unknown)|\/\/anon|anon_inode:|memfd:|inlined)/

const TAB = 9
const SPACE = 32

export const perfScript: InputFormat = {
  name: 'perf-script',
  what: 'perf script text, with any of -F comm,pid,tid,cpu,time,period,event,trace,ip,sym,symoff,dso, and task events',
  kind: 'text',
  apart: true,
  recognise: (lines) => {
    const headers = lines.filter((line) => HEADER.test(line) && !line.startsWith('['))
    // ftrace's lines have TASK-TID in front of the CPU and flags behind it.
    const ours = headers.filter((line) => !/-\d+ +(?:\([ -\d]*\) +)?\[\d+\]/.test(line)).length
    const frames = countLines(lines, /^\s+[0-9a-f]{3,16}(?: .*|)$/)
    return ours > 0 ? ours + frames : hasTimeless(lines) ? frames : 0
  },
  // A blank line ends a record, so that the next one may begin with it.
  startsRecord: (line) => line === '' || (!/^[\t#]/.test(line) && HEADER.test(line)),
  frameLine: readFrame,
  stackMark: TAB,
  decoder: (sink) => new PerfScript(sink),
}

/** Whether frames stand as perf prints them, in front of a blank line, behind a header without time or behind another one. */
function hasTimeless(lines: readonly string[]): boolean {
  return lines.some((line, i) => {
    if (!TAB_FRAME.test(line) || lines[i + 1] === undefined) return false
    const before = lines[i - 1]
    return before === undefined || before === '' || timeless(before) !== undefined
  })
}

class PerfScript implements Decoder {
  readonly #sink: Sink
  #header: TraceEvent | undefined
  /** A line that is a header without time if a frame follows it. */
  #perhaps: { readonly text: string; readonly line: number } | undefined
  #atStart = true
  #frames: RawFrame[] = []
  #lines: number[] = []
  /** All frames at once, and the number of the first one's line. */
  #stack: LineStack | undefined
  #stackLine = 0
  /** What headers say behind the time, by that text. For one stretch, which bounds it. */
  readonly #kinds = new Map<string, Kind>()

  constructor(sink: Sink) {
    this.#sink = sink
  }

  frame(frame: RawFrame, number: number): boolean {
    if (this.#header === undefined && !this.#timeless(number)) {
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
    if (text === '' || /^\s*$/.test(text)) {
      this.end()
      this.#atStart = true
      return
    }
    // The header of perf's file, before all samples.
    if (text.startsWith('#')) return
    this.end()
    this.#header = decodeHeader(text, number, this.#kinds)
    if (this.#header === undefined) this.#perhaps = { text, line: number }
  }

  /** Begins a sample without a time with its first frame; false if what stood before is no header, nor a sample's end. */
  #timeless(line: number): boolean {
    const perhaps = this.#perhaps
    if (perhaps === undefined) {
      if (this.#atStart) this.#header = traceEvent({ type: 'sample', line })
      return this.#atStart
    }
    const parts = timeless(perhaps.text)
    if (parts === undefined) this.end()
    else this.#header = timelessHeader(parts, perhaps.line)
    this.#perhaps = undefined
    return parts !== undefined
  }

  end(): void {
    this.#atStart = false
    if (this.#perhaps !== undefined) this.#sink.bad(this.#perhaps.line, 'neither the header of a sample nor a frame')
    this.#perhaps = undefined
    const header = this.#header
    if (header === undefined) return
    this.#header = undefined
    const stack = this.#stack
    if (stack !== undefined) {
      this.#stack = undefined
      this.#sink.event({ ...header, frames: stack.frames, frameLines: [] }, stack)
      return
    }
    this.#sink.event(this.#frames.length === 0 ? header : { ...header, frames: this.#frames, frameLines: this.#lines })
    this.#frames = []
    this.#lines = []
  }
}

const TAB_FRAME = /^\t *[0-9a-f]{3,16}(?: \S.*)?$/

function decodeHeader(text: string, line: number, kinds: Map<string, Kind>): TraceEvent | undefined {
  const found = HEADER.exec(text)
  if (found === null) return undefined
  const [, comm = '', first, second, cpu, seconds = '0', fraction = '0', rest = ''] = found
  const common = {
    line,
    pid: first === undefined ? undefined : Number(first),
    tid: Number(second),
    cpu: cpu === undefined ? undefined : Number(cpu),
    ts: nanoseconds(seconds, fraction),
    comm: asText(comm),
  }
  if (rest.startsWith('PERF_RECORD_')) return taskEvent(rest, common)
  let kind = kinds.get(rest)
  if (kind === undefined) {
    kind = kindOf(rest)
    // Events without payload are all of a few kinds.
    if (kind.payload === '') kinds.set(rest, kind)
  }
  return eventOf(kind, common, text.length)
}

/** The parts of a header without a time. */
function timeless(line: string): Partial<Record<string, string>> | undefined {
  const text = line.trimEnd()
  for (const pattern of TIMELESS) {
    const groups = pattern.exec(text)?.groups
    if (groups !== undefined) return groups
  }
  return undefined
}

function timelessHeader(parts: Partial<Record<string, string>>, line: number): TraceEvent {
  const { comm = '', pid, tid, cpu, rest = '' } = parts
  const common = {
    line,
    pid: pid === undefined ? undefined : Number(pid),
    tid: Number(tid),
    cpu: cpu === undefined ? undefined : Number(cpu),
    ts: undefined,
    comm: asText(comm),
  }
  return eventOf(kindOf(rest), common, 0)
}

/** What a header says behind its time: one object for all events that say the same. */
interface Kind {
  readonly type: EventType
  readonly name: string | undefined
  readonly weight: bigint
  readonly payload: string
}

function kindOf(rest: string): Kind {
  const [, period, name, payload = ''] = EVENT.exec(rest) ?? []
  let type: EventType = 'sample'
  if (name?.startsWith('probe:')) type = 'kprobe'
  else if (name?.startsWith('probe_')) type = 'uprobe'
  else if (name !== undefined && TRACEPOINT.test(name)) type = 'tracepoint'
  return { type, name, weight: period === undefined ? 1n : BigInt(period), payload }
}

/** The event that a header names, if it names one. `end` is where the line ends. */
function eventOf({ type, name, weight, payload }: Kind, common: Common, end: number): TraceEvent {
  const { line, pid, tid, cpu, ts, comm } = common
  if (payload !== '') {
    const sched = name === undefined ? undefined : schedEvent(name, payload)
    if (sched !== undefined) {
      return traceEvent({ ...common, type: sched.type, name, pid: sched.pid ?? pid, tid: sched.tid, life: sched.life })
    }
    // Without call chains the sampled PC stands behind the event's name.
    const pc = type === 'sample' && /^[0-9a-f]{3,16}(?: |$)/.test(payload) ? decodeFrame(` ${payload}`) : undefined
    if (pc !== undefined) {
      const frame = rawFrame({ ...pc, column: end - payload.length })
      return traceEvent({ ...common, type, name, weight, frames: [frame], frameLines: [line] })
    }
    return traceEvent({ ...common, type, name, weight, fields: [['payload', asText(payload)]] })
  }
  // All that a sample has, written out, as most of a recording is samples.
  return {
    type,
    strange: false,
    name,
    pid,
    tid,
    ts,
    cpu,
    comm,
    weight,
    unit: undefined,
    frames: [],
    frameLines: [],
    shape: 'pc-first',
    line,
    life: undefined,
    fields: [],
    record: undefined,
  }
}

type Common = Pick<TraceEvent, 'line' | 'pid' | 'tid' | 'cpu' | 'ts' | 'comm'>

function taskEvent(rest: string, common: Common): TraceEvent | undefined {
  const task = TASK.exec(rest)
  if (task !== null) {
    const [pid = 0, tid = 0, parentPid = 0, parentTid = 0] = task.slice(2).map(Number)
    const name = `PERF_RECORD_${task[1]}`
    if (task[1] === 'FORK') {
      const life: Lifecycle = {
        byThread: true,
        childPid: pid,
        childTid: tid,
        childIsThread: pid !== tid,
        ppid: parentPid,
      }
      return traceEvent({ ...common, type: 'fork', name, pid: parentPid, tid: parentTid, life })
    }
    return traceEvent({ ...common, type: 'exit', name, pid, tid, life: { byThread: true, ppid: parentPid } })
  }
  const renamed = COMM.exec(rest)
  if (renamed === null) return undefined
  const [, exec, comm = '', pid, tid] = renamed
  const life: Lifecycle = { byThread: true, comm: asText(comm) }
  return traceEvent({
    ...common,
    type: exec === undefined ? 'rename' : 'exec',
    name: 'PERF_RECORD_COMM',
    pid: Number(pid),
    tid: Number(tid),
    life,
  })
}

/** Without call chains perf pads the comm on its left, so that a header may begin with spaces too; a frame has a tab. */
function readFrame(text: string): Partial<RawFrame> | undefined {
  const first = text.charCodeAt(0)
  return first === TAB || (first === SPACE && !HEADER.test(text)) ? decodeFrame(text) : undefined
}

function decodeFrame(text: string): Partial<RawFrame> | undefined {
  const found = FRAME.exec(text)
  if (found === null) return undefined
  const [, indent = '', digits = '', rest] = found
  const place = { address: hexAddress(digits), column: indent.length, length: digits.length }
  if (rest === undefined) return place
  const [, name, offset, dso] = SYMBOL.exec(rest) ?? []
  const kernel = dso !== undefined && KERNEL.test(dso)
  const user = dso !== undefined && !kernel && (USER.test(dso) || !/^\[[\w.-]+\]$/.test(dso))
  return {
    ...place,
    name: name === undefined || name === '' ? undefined : asText(name),
    offset: offset === undefined ? undefined : Number.parseInt(offset, 16),
    owner: dso === undefined ? undefined : kernel ? 'vmlinux' : user ? asText(dso) : dso.slice(1, -1),
    user,
  }
}
