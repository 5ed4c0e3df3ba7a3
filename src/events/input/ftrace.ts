// ftrace's trace and trace_pipe, and `trace-cmd report`: events with or without TGIDs, stacks with or without addresses.
// The TASK column is filled in when the file is read, so that it may name what a process became later: the payloads of
// the sched events are believed instead.

import type { RawFrame } from '../../stacks/frame.ts'
import { type TraceEvent, traceEvent } from '../event.ts'
import { asText, countLines, type Decoder, hexAddress, type InputFormat, nanoseconds, type Sink } from '../format.ts'
import { joinTorn, type SchedEvent, schedEvent, TORN } from './sched.ts'

/**
 * What stands behind TASK: -TID, (TGID) or (-----), [CPU] and flags of 4 or 5 or more characters, or both as `0d..1`
 * (trace-cmd report -l), and the time. All of it is short, so that no try looks far.
 */
const BEHIND_TASK =
  /-(\d{1,10})\s{1,40}(?:\(\s{0,16}(\d{1,10}|-{1,16})\)\s{1,40})?(?:\[(\d{1,6})\]\s{1,40}(?:(?:[^\s\d:]\S{2,7}|\S{0,16}[.a-zA-Z#]\S{0,16})\s{1,40})?|(\d{1,6})[.a-zA-Z#][.a-zA-Z#\d]{2,16}\s{1,40})(\d{1,16})\.(\d{1,16}): /y
const NAME = /^([\w.-]+): */
const FRAME = /^\s*=> ?/
/** An address that no name was found for; no name begins with a digit. */
const BARE = /^(?:0x[0-9a-f]{1,16}|[0-9][0-9a-f]{0,15}|[a-f][0-9a-f]{8,15})$/

export const ftrace: InputFormat = {
  name: 'ftrace',
  what: 'ftrace trace and trace_pipe, and trace-cmd report: events, and stacks with or without offsets and addresses',
  kind: 'text',
  recognise: (lines) => {
    let events = 0
    for (const line of lines) if (eventLine(line) !== undefined) events++
    return events === 0 && !lines[0]?.startsWith('# tracer:') ? 0 : events + countLines(lines, FRAME) + 1
  },
  // A stack belongs to the event before it.
  startsRecord: (line) => {
    const event = eventLine(line)
    return event !== undefined && !STACK.test(event.what)
  },
  // A process may be called `=> x`: its lines are events.
  frameLine: (text) => (FRAME.test(text) && eventLine(text) === undefined ? kernelFrame(text) : undefined),
  decoder: (sink) => new Ftrace(sink),
}

/** What the tracer had no room for: `CPU:1 [LOST 12 EVENTS]`, with no number where it does not know; trace-cmd's `CPU:1 [12 EVENTS DROPPED]`. */
const LOST = /^CPU:\d{1,6} \[(?:LOST (?:(\d{1,18}) )?EVENTS|(?:(\d{1,18}) )?EVENTS DROPPED)\]/

/** A stack's own line, which stands in place of an event. */
const STACK = /^(?:kernel_stack: +|user_stack: +)?<(user )?stack trace ?>\s*$/

/** A line with an event, taken apart. */
interface EventLine {
  readonly task: string
  readonly tid: number
  readonly tgid: string | undefined
  readonly cpu: number
  readonly ts: bigint
  /** Behind the time. */
  readonly what: string
}

/** Takes a line apart; undefined if it has no event. TASK may hold blanks and dashes, and ends before the first that fits. */
function eventLine(line: string): EventLine | undefined {
  for (let dash = line.indexOf('-'); dash >= 0; dash = line.indexOf('-', dash + 1)) {
    BEHIND_TASK.lastIndex = dash
    const found = BEHIND_TASK.exec(line)
    if (found === null) continue
    const [behind, tid, tgid, cpu, latencyCpu, seconds = '0', fraction = '0'] = found
    return {
      task: line.slice(0, dash).trimStart(),
      tid: Number(tid),
      tgid,
      cpu: Number(cpu ?? latencyCpu),
      ts: nanoseconds(seconds, fraction),
      what: line.slice(dash + behind.length),
    }
  }
  return undefined
}

class Ftrace implements Decoder {
  readonly #sink: Sink
  /** Frames of user space, one for each that the same line would be in the kernel. */
  readonly #ofUser = new WeakMap<RawFrame, RawFrame>()
  #event: TraceEvent | undefined
  #frames: RawFrame[] = []
  #lines: number[] = []
  #inStack = false
  #user = false
  /** The time of the last event. */
  #ts: bigint | undefined
  /** An event that lacks its end. */
  #torn: { found: EventLine; readonly number: number; lines: number } | undefined

  constructor(sink: Sink) {
    this.#sink = sink
  }

  frame(frame: RawFrame, number: number): boolean {
    if (!this.#inStack) return false
    this.#frames.push(this.#user ? this.#asUser(frame) : frame)
    this.#lines.push(number)
    return true
  }

  #asUser(frame: RawFrame): RawFrame {
    let user = this.#ofUser.get(frame)
    if (user === undefined) {
      user = { ...frame, user: true, column: 0, length: 0 }
      this.#ofUser.set(frame, user)
    }
    return user
  }

  line(text: string, number: number): void {
    const found = eventLine(text)
    if (found === undefined) {
      if (this.#inStack && FRAME.test(text)) {
        this.#sink.bad(number, 'a frame that is no symbol')
        return
      }
      if (this.#joins(text)) return
      this.end()
      const lost = LOST.exec(text)
      if (lost !== null) {
        const count = lost[1] ?? lost[2]
        this.#sink.event(
          traceEvent({
            ...{ type: 'lost', line: number, ts: this.#ts, fields: [['lost', count ?? 'unknown']] },
            life: { byThread: true, lost: Number(count ?? 0) },
          }),
        )
        return
      }
      if (text.startsWith('# tracer: ')) this.#sink.header?.()
      // Headers, blank lines, what was lost, and the number of CPUs that trace-cmd begins with.
      if (!/^\s*(?:#.*)?$|^cpus=\d+$|^version = |^CPU \d+ is empty/.test(text)) {
        this.#sink.bad(number, 'neither an event nor a frame of a stack')
      }
      return
    }
    const stack = STACK.exec(found.what)
    if (stack !== null) {
      // The stack trigger and the stacktrace option write the stack right behind the event.
      if (this.#event?.tid !== found.tid || this.#frames.length > 0) {
        this.end()
        this.#event = eventOf(found, number, { type: 'stack', name: undefined, fields: NO_FIELDS })
      }
      this.#inStack = true
      this.#user = stack[1] !== undefined
      return
    }
    this.end()
    this.#ts = found.ts
    this.#event = decodeEvent(found, number)
    if (TORN.test(found.what)) this.#torn = { found, number, lines: 0 }
  }

  /** Takes what may be the rest of a line that a newline in a name tore; true if it is put together with the line before. */
  #joins(text: string): boolean {
    const torn = this.#torn
    if (torn === undefined || this.#inStack) return false
    const what = joinTorn(torn.found.what, text, ++torn.lines)
    if (what === undefined) return false
    const found = { ...torn.found, what }
    torn.found = found
    if (!TORN.test(found.what)) {
      this.#event = decodeEvent(found, torn.number)
      this.#torn = undefined
    }
    return true
  }

  end(): void {
    const event = this.#event
    if (this.#torn !== undefined) this.#sink.bad(this.#torn.number, 'an event whose line a newline in a name tore')
    this.#torn = undefined
    if (event !== undefined) {
      this.#sink.event(this.#frames.length === 0 ? event : { ...event, frames: this.#frames, frameLines: this.#lines })
    }
    this.#event = undefined
    this.#frames = []
    this.#lines = []
    this.#inStack = false
  }
}

/** An event out of a line's columns. Written out member by member: every line passes here. */
function eventOf(
  { task, tid, tgid, cpu, ts }: EventLine,
  line: number,
  given: Pick<TraceEvent, 'type' | 'name' | 'fields'> & { readonly sched?: SchedEvent | undefined },
): TraceEvent {
  const { sched } = given
  const column = tgid === undefined || tgid.startsWith('-') ? undefined : Number(tgid)
  const ofTask = task === '<...>' ? undefined : asText(task)
  return {
    type: given.type,
    strange: false,
    name: given.name,
    // The exiting or forking thread writes the line itself, so that the TGID column is its own.
    pid: sched?.pid ?? column,
    pidIsHint: sched?.pid === undefined && column !== undefined,
    tid: sched?.tid ?? tid,
    ts,
    cpu,
    comm: sched?.tid === undefined ? ofTask : sched.comm,
    weight: 1n,
    count: 1,
    lastTs: undefined,
    unit: undefined,
    frames: NO_FRAMES,
    frameLines: NO_LINES,
    shape: 'returns',
    line,
    life: sched?.life,
    fields: given.fields,
    record: undefined,
  }
}

const NO_FRAMES: readonly RawFrame[] = []
const NO_LINES: readonly number[] = []
const NO_FIELDS: TraceEvent['fields'] = []

function decodeEvent(found: EventLine, line: number): TraceEvent {
  const { what } = found
  const named = NAME.exec(what)
  if (named === null) {
    // The function tracers: `function <-caller`.
    return eventOf(found, line, { type: 'kprobe', name: undefined, fields: [['payload', asText(what)]] })
  }
  const [head, name = ''] = named
  const payload = what.slice(head.length)
  const sched = schedEvent(name, payload)
  if (sched !== undefined) {
    const fields: TraceEvent['fields'] = sched.type === 'tracepoint' ? [['payload', asText(payload)]] : NO_FIELDS
    return eventOf(found, line, { type: sched.type, name, fields, sched })
  }
  const fields: TraceEvent['fields'] = payload === '' ? NO_FIELDS : [['payload', asText(payload)]]
  // A kprobe event prints the probed place first: `(do_sys_open+0x0/0x80)`; a return probe `(to <- from)`.
  const type = /^\(\S+ <- /.test(payload) ? 'kretprobe' : /^\([\w.]+\+0x/.test(payload) ? 'kprobe' : 'tracepoint'
  return eventOf(found, line, { type, name, fields })
}

/** `=> name+0x10/0x20 [module] <address>`, trace-cmd's `=> name (address)` with any number of digits, or any part of it. */
function kernelFrame(text: string): Partial<RawFrame> | undefined {
  const start = FRAME.exec(text)?.[0].length ?? 0
  let end = text.trimEnd().length
  let address: bigint | undefined
  let column = start
  let length = 0
  const digits = addressBefore(text, start, end)
  if (digits !== undefined) {
    address = hexAddress(digits)
    column = end - 1 - digits.length
    length = digits.length
    end = text.slice(start, column - 1).trimEnd().length + start
  }
  const words = text.slice(start, end)
  if (words === '') return address === undefined ? undefined : { address, column, length }
  if (BARE.test(words)) {
    return { address: address ?? hexAddress(words.replace('0x', '')), column, length: length || words.length }
  }
  const owner = / \[([\w-]{1,64})(?: [0-9a-f]{1,64})?\]$/.exec(words)
  const symbol = owner === null ? words : words.slice(0, owner.index)
  const plus = symbol.lastIndexOf('+0x')
  const [, offset, size] =
    (plus > 0 && /^([0-9a-f]{1,12})(?:\/0x([0-9a-f]{1,12}))?$/.exec(symbol.slice(plus + 3))) || []
  return {
    name: asText(offset === undefined ? symbol : symbol.slice(0, plus)),
    offset: offset === undefined ? undefined : Number.parseInt(offset, 16),
    size: size === undefined ? undefined : Number.parseInt(size, 16),
    owner: owner?.[1],
    // The kernel gives a size; trace-cmd, which looks names up itself, does not.
    kernelWords: size !== undefined,
    address,
    column,
    length,
  }
}

/** The digits in `<…>` or `(…)` at the end. */
function addressBefore(text: string, start: number, end: number): string | undefined {
  const close = text.charCodeAt(end - 1)
  const open = close === GREATER ? '<' : close === CLOSE ? '(' : undefined
  if (open === undefined) return undefined
  const from = text.lastIndexOf(open, end - 2)
  const digits = from < start ? '' : text.slice(from + 1, end - 1)
  return digits.length <= 16 && /^[0-9a-f]+$/.test(digits) ? digits : undefined
}

const GREATER = 62
const CLOSE = 41
