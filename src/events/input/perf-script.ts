// `perf script` text: the default fields, `-F` with more or fewer of them, tracepoint payloads, and task events
// (--show-task-events). A header line, frame lines, a blank line. What a header holds depends on `-F`
// (tools/perf/builtin-script.c prints comm, pid/tid, CPU, misc, time, period, event, in this order, each or not): it is read
// from the time, or where there is none from what else can be told, and then only believed where a frame follows.

import { type Frame, type RawFrame, rawFrame } from '../../stacks/frame.ts'
import { type EventType, type Lifecycle, type TraceEvent, traceEvent } from '../event.ts'
import {
  asText,
  type Decoder,
  hexAddress,
  type InputFormat,
  type LineStack,
  nanoseconds,
  type Sink,
} from '../format.ts'
import { fileOf, NO_FILE } from './dso.ts'
import { schedEvent } from './sched.ts'

/** `system:event`, but not `cycles:P`: letters behind an event that say how it is counted. */
const TRACEPOINT = /^\w[\w-]*:(?![ukhIGHpPSDWebR]+$)\w+$/
/** Letters that the field `misc` holds. */
const MISC = /^[KUHGgMESPp]{1,6}$/
const TASK = /^PERF_RECORD_(FORK|EXIT)\((\d+):(\d+)\):\((-?\d+):(-?\d+)\)$/
const COMM = /^PERF_RECORD_COMM( exec)?: (.*):(\d+)\/(\d+)$/
/** Names of events are not longer, nor are comms by far. */
const LONGEST_NAME = 1024
/** TASK_COMM_LEN of include/linux/sched.h, without the zero at its end. */
const LONGEST_COMM = 15
/** perf writes a period in ten columns, numbers of threads in five or seven. */
const PERIOD_COLUMNS = 8

const RELEASE = '# os release : '
const TAB = 9
const SPACE = 32
const MINUS = 45
const POINT = 46
const SLASH = 47
const COLON = 58
const OPEN = 91
const CLOSE = 93

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
  startsRecord: (line) => line === '' || (!/^[\t#]/.test(line) && timedHead(line)?.tid !== undefined),
  frameLine: readFrame,
  stackMark: TAB,
  inWords,
  decoder: (sink) => new PerfScript(sink),
}

/** A header with time and thread, and none of ftrace's, which have TASK-TID in front of the CPU. */
function isHeader(line: string): boolean {
  return !line.startsWith('[') && timedHead(line)?.tid !== undefined
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
  return head?.tid !== undefined && head.rest.endsWith(':')
}

/** Whether a line that follows this one may begin a sample, whatever it looks like. */
function isBetween(line: string | undefined): boolean {
  return line === undefined || line === '' || line.startsWith('#')
}

class PerfScript implements Decoder {
  readonly #sink: Sink
  #header: TraceEvent | undefined
  /** A header that a blank line followed, whose frames may still come behind that. */
  #held: TraceEvent | undefined
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
  /** What headers say behind the time, by that text. For one stretch, which bounds it. */
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
    if (isBlank(text)) {
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
    const head = timedHead(text)
    // A line of source behind its frame.
    if (head === undefined && text.startsWith('  ') && (this.#frames.length > 0 || this.#stack !== undefined)) return
    const between = this.#between
    this.end()
    if (head?.tid === undefined) {
      this.#perhaps = { text, line: number, between }
      return
    }
    if (head.rest.startsWith('PERF_RECORD_')) {
      // What perf tells of maps, switches and losses is no event of a process.
      const event = taskEvent(head, number)
      if (event === 'damaged') this.#perhaps = { text, line: number, between }
      else this.#header = event
      return
    }
    this.#header = decodeHeader(head, text, number, this.#kinds)
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
    else this.#header = decodeHeader(head, text, perhaps.line, this.#kinds)
    this.#perhaps = undefined
    return head !== undefined
  }

  end(): void {
    this.#atStart = false
    this.#between = false
    if (this.#held !== undefined) this.#sink.event(this.#held)
    this.#held = undefined
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

function isBlank(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > SPACE) return false
  return true
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57
}

/** What a header says of whom and when, and what stands behind that. */
interface Head {
  readonly comm: string | undefined
  readonly pid: number | undefined
  readonly tid: number | undefined
  readonly cpu: number | undefined
  readonly ts: bigint | undefined
  readonly rest: string
}

/**
 * A header with a time, `SECONDS.FRACTION:` with 6 or 9 digits behind the point. As the comm may hold anything, the first
 * time with a thread in front of it counts, and only without any such the first one.
 */
function timedHead(text: string): Head | undefined {
  let first: Head | undefined
  for (let colon = text.indexOf(':'); colon >= 0; colon = text.indexOf(':', colon + 1)) {
    const point = digitsBefore(text, colon) - 1
    if (point < 1 || text.charCodeAt(point) !== POINT) continue
    if (colon - point !== 7 && colon - point !== 10) continue
    const start = digitsBefore(text, point)
    if (start === point || (start > 0 && text.charCodeAt(start - 1) !== SPACE)) continue
    const head = headBefore(text, start, point, colon, first === undefined)
    if (head?.tid !== undefined) return head
    first ??= head
  }
  return first
}

/** No number of a header has more digits. */
const MOST_DIGITS = 20

/** Where the digits begin that end here. */
function digitsBefore(text: string, end: number): number {
  let at = end
  while (at > 0 && end - at < MOST_DIGITS && isDigit(text.charCodeAt(at - 1))) at--
  return at
}

function behindSpaces(text: string, from: number): number {
  let at = from
  while (text.charCodeAt(at) === SPACE) at++
  return at
}

function beforeSpaces(text: string, end: number): number {
  let at = end
  while (at > 0 && text.charCodeAt(at - 1) === SPACE) at--
  return at
}

function isWordStart(text: string, at: number): boolean {
  return at === 0 || text.charCodeAt(at - 1) === SPACE
}

/**
 * The header whose time stands from `start` to `colon`: comm, PID/TID or TID, [CPU] and misc end in front of it. One without
 * a thread only if `any` is wanted.
 */
function headBefore(text: string, start: number, point: number, colon: number, any: boolean): Head | undefined {
  let end = beforeSpaces(text, start)
  // Letters of `misc`, where a number stands in front of them.
  let letters = end
  while (letters > 0 && end - letters < 7 && isLetter(text.charCodeAt(letters - 1))) letters--
  if (letters < end && isWordStart(text, letters) && MISC.test(text.slice(letters, end))) {
    const before = beforeSpaces(text, letters)
    const last = text.charCodeAt(before - 1)
    if (before > 0 && (last === CLOSE || isDigit(last))) end = before
  }
  let cpu: number | undefined
  if (end > 2 && text.charCodeAt(end - 1) === CLOSE) {
    const open = digitsBefore(text, end - 1)
    if (open < end - 1 && text.charCodeAt(open - 1) === OPEN && isWordStart(text, open - 1)) {
      cpu = numberOf(text, open, end - 1)
      end = beforeSpaces(text, open - 1)
    }
  }
  let pid: number | undefined
  let tid: number | undefined
  const from = numberBefore(text, end)
  if (from < end) {
    if (isWordStart(text, from)) {
      tid = numberOf(text, from, end)
      end = from
    } else if (text.charCodeAt(from - 1) === SLASH) {
      const upTo = from - 1
      const group = numberBefore(text, upTo)
      if (group < upTo && isWordStart(text, group)) {
        tid = numberOf(text, from, end)
        pid = numberOf(text, group, upTo)
        end = group
      }
    }
  }
  if (tid === undefined && !any) return undefined
  return {
    comm: commOf(text, end),
    pid,
    tid,
    cpu,
    ts: nanoseconds(text.slice(start, point), text.slice(point + 1, colon)),
    rest: text.slice(behindSpaces(text, colon + 1)),
  }
}

function commOf(text: string, end: number): string | undefined {
  const start = behindSpaces(text, 0)
  const upTo = beforeSpaces(text, end)
  return upTo > start ? asText(text.slice(start, upTo)) : undefined
}

/** Where the digits begin that end here, with a sign in front of them. */
function numberBefore(text: string, end: number): number {
  const start = digitsBefore(text, end)
  return start < end && start > 0 && text.charCodeAt(start - 1) === MINUS && isMinus(text, start - 1)
    ? start - 1
    : start
}

/** A dash is a sign where a word begins, or a thread behind its group. */
function isMinus(text: string, at: number): boolean {
  return isWordStart(text, at) || text.charCodeAt(at - 1) === SLASH
}

/** The number that these digits are, with or without a sign: exact up to 2^53. */
function numberOf(text: string, start: number, end: number): number {
  const negative = text.charCodeAt(start) === MINUS
  let value = 0
  for (let at = negative ? start + 1 : start; at < end; at++) value = value * 10 + text.charCodeAt(at) - 48
  return negative ? -value : value
}

function isLetter(code: number): boolean {
  return (code >= 65 && code <= 90) || (code >= 97 && code <= 122)
}

function cpuOf(word: string): number | undefined {
  return /^\[\d{1,6}\]$/.test(word) ? Number(word.slice(1, -1)) : undefined
}

function threadOf(word: string): { pid: number | undefined; tid: number } | undefined {
  const found = /^(?:(-?\d{1,10})\/)?(-?\d{1,10})$/.exec(word)
  if (found === null) return undefined
  return { pid: found[1] === undefined ? undefined : Number(found[1]), tid: Number(found[2]) }
}

interface Word {
  readonly text: string
  readonly start: number
  readonly end: number
}

/** Words of a line, up to some that no header has. */
function wordsOf(line: string): Word[] {
  const words: Word[] = []
  for (let at = behindSpaces(line, 0); at < line.length && words.length < 64; ) {
    let end = line.indexOf(' ', at)
    if (end < 0) end = line.length
    words.push({ text: line.slice(at, end), start: at, end })
    at = behindSpaces(line, end)
  }
  return words
}

/**
 * A header without a time: told by PID/TID, by TID and CPU, by what may stand behind the TID (a period, an event's name), or
 * where only a header can stand (`between`), a comm alone.
 */
function untimedHead(line: string, between: boolean): Head | undefined {
  const words = wordsOf(line)
  const none = { pid: undefined, tid: undefined, cpu: undefined, ts: undefined }
  const upTo = (end: number) => commOf(line, end)
  const from = (word: Word | undefined) => (word === undefined ? '' : line.slice(word.start))
  for (const [i, { text, start }] of words.entries()) {
    const cpu = cpuOf(words[i + 1]?.text ?? '')
    const thread = cpu !== undefined || text.includes('/') ? threadOf(text) : undefined
    if (thread === undefined) continue
    return { ...none, ...thread, cpu, comm: upTo(start), rest: from(words[cpu === undefined ? i + 1 : i + 2]) }
  }
  const event = words.findIndex(({ text }) => text.length > 1 && text.charCodeAt(text.length - 1) === COLON)
  // From the event's name, or from the end, back over a period and a thread.
  let next = event < 0 ? words.length : event
  let period: Word | undefined
  let last = words[next - 1]
  if (last !== undefined && /^\d{1,20}$/.test(last.text)) {
    const wide = last.end - (words[next - 2]?.end ?? -1) - 1 >= PERIOD_COLUMNS
    const another = /^-?\d{1,10}$/.test(words[next - 2]?.text ?? '')
    if (wide || another) {
      period = last
      last = words[--next - 1]
    }
  }
  const thread = last === undefined || last.text.length > 11 ? undefined : threadOf(last.text)
  const rest = from(period ?? words[event < 0 ? words.length : event])
  if (thread !== undefined && last !== undefined) return { ...none, ...thread, comm: upTo(last.start), rest }
  if (event >= 0 || period !== undefined) return { ...none, comm: upTo(last?.end ?? 0), rest }
  const comm = commOf(line, line.length) ?? ''
  return between && comm.length <= LONGEST_COMM && !/^@.*\[/.test(comm) ? { ...none, comm, rest: '' } : undefined
}

function decodeHeader(head: Head, text: string, line: number, kinds: Map<string, Kind>): TraceEvent {
  const { rest } = head
  let kind = kinds.get(rest)
  if (kind === undefined) {
    kind = kindOf(rest)
    // Events without payload are all of a few kinds.
    if (kind.payload === '') kinds.set(rest, kind)
  }
  return eventOf(kind, head, line, text.length)
}

/** What a header says behind its time: one object for all events that say the same. */
interface Kind {
  readonly type: EventType
  readonly name: string | undefined
  readonly weight: bigint
  readonly payload: string
}

/** An optional period or count, the event's name, a colon, the payload. */
function kindOf(rest: string): Kind {
  let at = 0
  while (isDigit(rest.charCodeAt(at)) && at < 20) at++
  const alone = at === rest.length
  const hasPeriod = at > 0 && (alone || rest.charCodeAt(at) === SPACE)
  const weight = hasPeriod ? BigInt(rest.slice(0, at)) : 1n
  const start = hasPeriod ? behindSpaces(rest, at) : 0
  let end = rest.indexOf(': ', start)
  if (end < 0 && rest.endsWith(':')) end = rest.length - 1
  if (end <= start || end - start > LONGEST_NAME) return { type: 'sample', name: undefined, weight, payload: '' }
  const name = rest.slice(start, end)
  let type: EventType = 'sample'
  if (name.startsWith('probe:')) type = 'kprobe'
  else if (name.startsWith('probe_')) type = 'uprobe'
  else if (TRACEPOINT.test(name)) type = 'tracepoint'
  return { type, name, weight, payload: rest.slice(behindSpaces(rest, end + 1)) }
}

/** The event that a header names, if it names one. `end` is where the line ends. */
function eventOf({ type, name, weight, payload }: Kind, head: Head, line: number, end: number): TraceEvent {
  const { pid, tid, cpu, ts, comm } = head
  if (payload !== '') {
    const given = { line, type, name, weight, comm, pid, tid, cpu, ts }
    const sched = name === undefined ? undefined : schedEvent(name, payload)
    if (sched !== undefined) {
      return traceEvent({
        ...given,
        type: sched.type,
        weight: 1n,
        pid: sched.pid ?? pid,
        tid: sched.tid ?? tid,
        ...(sched.type === 'tracepoint' && { fields: [['payload', asText(payload)] as const] }),
        life: { ...sched.life, told: 'tracepoint' as const },
      })
    }
    // Without call chains the sampled PC stands behind the event's name.
    const from = behindAccess(payload)
    const pc = type === 'sample' ? decodeFrame(payload.slice(from), 3) : undefined
    if (pc !== undefined) {
      const frame = rawFrame({ ...pc, column: (pc.column ?? 0) + from + end - payload.length })
      return traceEvent({ ...given, frames: [frame], frameLines: [line] })
    }
    return traceEvent({ ...given, fields: [['payload', asText(payload)]] })
  }
  // All that a sample has, written out, as most of a recording is samples.
  return {
    type,
    strange: false,
    name,
    pid,
    pidIsHint: false,
    tid,
    ts,
    count: 1,
    lastTs: undefined,
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

/** What `perf mem` prints of an access: an address, its source as a number, and in words from here on. */
const ACCESS = '|OP '
/** Digits of a sampled PC behind an access, at least: it stands behind a number of cycles. */
const FEWEST_BEHIND_ACCESS = 6

/** Where the sampled PC stands in what a header says of its event: behind what `perf mem` says of the access, if it does. */
function behindAccess(payload: string): number {
  const access = payload.indexOf(ACCESS)
  if (access < 0) return 0
  for (let at = access; at < payload.length; ) {
    const start = behindSpaces(payload, at)
    let end = start
    while (isHexDigit(payload.charCodeAt(end))) end++
    if (end - start >= FEWEST_BEHIND_ACCESS && (end === payload.length || payload.charCodeAt(end) === SPACE))
      return start
    const next = payload.indexOf(' ', end)
    at = next < 0 ? payload.length : next
  }
  return payload.length
}

/** The event of a task; undefined for records of other kinds. */
function taskEvent(head: Head, line: number): TraceEvent | 'damaged' | undefined {
  const { rest, comm, cpu, ts } = head
  const given = { line, comm, cpu, ts }
  const task = TASK.exec(rest)
  if (task !== null) {
    const [pid = 0, tid = 0, parentPid = 0, parentTid = 0] = task.slice(2).map(Number)
    const name = `PERF_RECORD_${task[1]}`
    if (task[1] === 'FORK') {
      const life: Lifecycle = {
        byThread: true,
        told: 'recorder',
        childPid: pid,
        childTid: tid,
        childIsThread: pid !== tid,
        ppid: parentPid,
      }
      return traceEvent({ ...given, type: 'fork', name, pid: parentPid, tid: parentTid, life })
    }
    return traceEvent({
      ...given,
      type: 'exit',
      name,
      pid,
      tid,
      life: { byThread: true, told: 'recorder', ppid: parentPid },
    })
  }
  const renamed = COMM.exec(rest)
  if (renamed === null) return /^PERF_RECORD_(?:FORK|EXIT|COMM)\b/.test(rest) ? 'damaged' : undefined
  const [, exec, newComm = '', pid, tid] = renamed
  const life: Lifecycle = { byThread: true, told: 'recorder', comm: asText(newComm) }
  return traceEvent({
    ...given,
    type: exec === undefined ? 'rename' : 'exec',
    name: 'PERF_RECORD_COMM',
    pid: Number(pid),
    tid: Number(tid),
    life,
  })
}

/** Digits that an address in the first column, or behind blanks, has at least: what a header begins with may look like fewer. */
const FEWEST_AT_START = 8
const FEWEST_BEHIND_BLANKS = 5

/**
 * A frame begins with a tab; with blanks, or in the first column as after pasting, only what is no header, as perf pads comms
 * and numbers on their left without call chains.
 */
function readFrame(text: string): Partial<RawFrame> | undefined {
  const first = text.charCodeAt(0)
  if (first === TAB) return decodeFrame(text, 1)
  const frame = decodeFrame(text, first === SPACE ? FEWEST_BEHIND_BLANKS : FEWEST_AT_START)
  if (frame === undefined || timedHead(text) !== undefined) return undefined
  // `4711 cycles:`, a header without comm and time.
  const word = behindSpaces(text, frame.column ?? 0)
  const end = text.indexOf(' ', word)
  return text.charCodeAt((end < 0 ? text.length : end) - 1) === COLON ? undefined : frame
}

function isHexDigit(code: number): boolean {
  return isDigit(code) || (code >= 97 && code <= 102)
}

/**
 * `ADDRESS symbol+0x10 (dso)`, without offset, without dso, or the address alone; the name may hold anything. The part that is
 * put into words is what stands behind the address, but for the dso.
 */
function decodeFrame(text: string, fewest: number): Partial<RawFrame> | undefined {
  let start = 0
  while (text.charCodeAt(start) === SPACE || text.charCodeAt(start) === TAB) start++
  let end = start
  while (isHexDigit(text.charCodeAt(end)) && end - start <= 16) end++
  const digits = end - start
  if (digits < Math.max(fewest, 1) || digits > 16) return undefined
  if (end < text.length && text.charCodeAt(end) !== SPACE) return undefined
  const address = hexAddress(text.slice(start, end))
  let upTo = beforeSpaces(text, text.length)
  if (upTo <= end + 1) return { address, column: end }
  let open = parenthesesBefore(text, end, upTo)
  let inlined = false
  if (open >= 0 && text.startsWith('(inlined)', open)) {
    inlined = true
    upTo = beforeSpaces(text, open)
    open = parenthesesBefore(text, end, upTo)
  }
  const file = open < 0 ? NO_FILE : fileOf(text.slice(open + 1, upTo - 1), address)
  const symbolEnd = open < 0 ? upTo : Math.max(beforeSpaces(text, open), end + 1)
  const plus = text.lastIndexOf('+0x', symbolEnd - 4)
  const hasOffset = plus > end + 1 && isHexText(text, plus + 3, symbolEnd)
  const name = text.slice(end + 1, hasOffset ? plus : symbolEnd)
  return {
    address,
    name: name === '' || name === '[unknown]' ? undefined : asText(name),
    // perf prints nonsense of 16 digits where it has taken the wrong map.
    offset: hasOffset && symbolEnd - plus <= 15 ? Number.parseInt(text.slice(plus + 3, symbolEnd), 16) : undefined,
    owner: file.owner && asText(file.owner),
    user: file.user,
    inlined,
    column: end,
    // A file that is not known gives way to the one that is found.
    length: (file.owner === undefined ? upTo : symbolEnd) - end,
  }
}

function isHexText(text: string, from: number, end: number): boolean {
  for (let i = from; i < end; i++) if (!isHexDigit(text.charCodeAt(i))) return false
  return from < end && end - from <= 16
}

/** Where the parentheses begin that end here, behind a blank: they may hold others. -1 if there are none. */
function parenthesesBefore(text: string, start: number, end: number): number {
  if (text.charCodeAt(end - 1) !== 41) return -1
  let depth = 0
  for (let at = end - 1; at > start; at--) {
    const code = text.charCodeAt(at)
    if (code === 41) depth++
    else if (code === 40 && --depth === 0) return text.charCodeAt(at - 1) === SPACE ? at : -1
  }
  return -1
}

/** ` symbol+0x10` behind the address, and the file where none was printed: perf's own words, for whoever reads them next. */
function inWords({ symbol, offset, owner, user, printed }: Frame, raw: RawFrame): string | undefined {
  if (symbol === null || user || printed) return undefined
  const words = ` ${symbol}+0x${(offset ?? 0).toString(16)}`
  if (raw.owner !== undefined) return words
  return `${words} ([${owner === null || owner === 'vmlinux' ? 'kernel.kallsyms' : owner}])`
}
