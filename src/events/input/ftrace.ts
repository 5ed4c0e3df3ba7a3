// ftrace's trace and trace_pipe, and `trace-cmd report`: events with or without TGIDs, stacks with or without addresses.
// The TASK column is filled in when the file is read, so that it may name what a process became later: the payloads of
// the sched events are believed instead.

import type { RawFrame } from '../../stacks/frame.ts'
import { type TraceEvent, traceEvent } from '../event.ts'
import { asText, countLines, type Decoder, hexAddress, type InputFormat, nanoseconds, type Sink } from '../format.ts'
import { schedEvent } from './sched.ts'

/**
 * TASK-TID, (TGID) or (-----), [CPU] and flags of 4 or 5 or more characters, or both as `0d..1` (trace-cmd report -l), time.
 * TASK may hold spaces and dashes.
 */
const EVENT =
  /^\s*(\S.*?|)-(\d+)\s+(?:\(\s*(\d+|-+)\)\s+)?(?:\[(\d+)\]\s+(?:(?:[^\s\d:]\S{2,7}|\S*[.a-zA-Z#]\S*)\s+)?|(\d+)[.a-zA-Z#][.a-zA-Z#\d]{2,}\s+)(\d+)\.(\d+): (.*)$/
const PAYLOAD = /^([\w.-]+): *(.*)$/
const FRAME = /^\s*=> ?/
/** `name+0x10/0x20 [module] <address>`, trace-cmd's `name (address)`, or any part of it. */
const SYMBOL =
  /^(.*?)(?:\+0x([0-9a-f]+)(?:\/0x([0-9a-f]+))?)?(?: \[([\w-]+)(?: [0-9a-f]+)?\])?(?: ?[<(]([0-9a-f]{8,16})[>)])?$/

/** An address that no name was found for; no name begins with a digit. */
const BARE = /^(?:0x[0-9a-f]{1,16}|[0-9][0-9a-f]{0,15}|[a-f][0-9a-f]{8,15})$/

export const ftrace: InputFormat = {
  name: 'ftrace',
  what: 'ftrace trace and trace_pipe, and trace-cmd report: events, and stacks with or without offsets and addresses',
  kind: 'text',
  recognise: (lines) => {
    const events = countLines(lines, EVENT)
    return events === 0 && !lines[0]?.startsWith('# tracer:') ? 0 : events + countLines(lines, FRAME) + 1
  },
  // A stack belongs to the event before it.
  startsRecord: (line) => !/^[\s#]*=>/.test(line) && EVENT.test(line) && !isStack(line),
  frameLine: (text) => (FRAME.test(text) ? kernelFrame(text) : undefined),
  decoder: (sink) => new Ftrace(sink),
}

function isStack(line: string): boolean {
  return /: (?:kernel_stack: +|user_stack: +)?<(?:user )?stack trace ?>\s*$/.test(line)
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
    if (this.#inStack && FRAME.test(text)) {
      this.#sink.bad(number, 'a frame that is no symbol')
      return
    }
    const found = EVENT.exec(text)
    if (found === null) {
      this.end()
      // Headers, blank lines, what was lost, and the number of CPUs that trace-cmd begins with.
      if (!/^\s*(?:#.*)?$|^CPU:\d+ \[LOST|^cpus=\d+$|^version = |^CPU \d+ is empty/.test(text)) {
        this.#sink.bad(number, 'neither an event nor a frame of a stack')
      }
      return
    }
    if (isStack(text)) {
      const tid = Number(found[2])
      // The stack trigger and the stacktrace option write the stack right behind the event.
      if (this.#event?.tid !== tid || this.#frames.length > 0) {
        this.end()
        this.#event = traceEvent({ ...columns(found, number), type: 'stack', shape: 'returns' })
      }
      this.#inStack = true
      this.#user = /<user stack/.test(text)
      return
    }
    this.end()
    this.#event = decodeEvent(found, number)
  }

  end(): void {
    const event = this.#event
    if (event !== undefined) {
      this.#sink.event(this.#frames.length === 0 ? event : { ...event, frames: this.#frames, frameLines: this.#lines })
    }
    this.#event = undefined
    this.#frames = []
    this.#lines = []
    this.#inStack = false
  }
}

function columns(found: RegExpExecArray, line: number) {
  const [, task = '', tid, tgid, cpu, latencyCpu, seconds = '0', fraction = '0'] = found
  return {
    line,
    tid: Number(tid),
    pid: tgid === undefined || tgid.startsWith('-') ? undefined : Number(tgid),
    cpu: Number(cpu ?? latencyCpu),
    ts: nanoseconds(seconds, fraction),
    comm: task === '<...>' ? undefined : asText(task),
  }
}

function decodeEvent(found: RegExpExecArray, line: number): TraceEvent {
  const common = columns(found, line)
  const rest = found[8] ?? ''
  const [, name, payload = ''] = PAYLOAD.exec(rest) ?? []
  if (name === undefined) {
    // The function tracers: `function <-caller`.
    return traceEvent({ ...common, type: 'kprobe', shape: 'returns', fields: [['payload', asText(rest)]] })
  }
  const sched = schedEvent(name, payload)
  if (sched !== undefined) {
    // The exiting or forking thread writes the line itself, so that the TGID column is its own.
    const pid = sched.pid ?? common.pid
    const comm = sched.comm
    return traceEvent({
      ...common,
      type: sched.type,
      name,
      shape: 'returns',
      pid,
      tid: sched.tid,
      comm,
      life: sched.life,
    })
  }
  const fields: [string, string][] = payload === '' ? [] : [['payload', asText(payload)]]
  // A kprobe event prints the probed place first: `(do_sys_open+0x0/0x80)`; a return probe `(to <- from)`.
  const type = /^\(\S+ <- /.test(payload) ? 'kretprobe' : /^\([\w.]+\+0x/.test(payload) ? 'kprobe' : 'tracepoint'
  return traceEvent({ ...common, type, name, shape: 'returns', fields })
}

function kernelFrame(text: string): Partial<RawFrame> | undefined {
  const before = FRAME.exec(text)?.[0] ?? ''
  const found = SYMBOL.exec(text.slice(before.length).trimEnd())
  if (found === null) return undefined
  const [, name = '', offset, size, owner, digits] = found
  const bare = BARE.test(name) ? name : undefined
  if (name === '' && digits === undefined) return undefined
  return {
    name: name === '' || bare !== undefined ? undefined : asText(name),
    offset: offset === undefined ? undefined : Number.parseInt(offset, 16),
    size: size === undefined ? undefined : Number.parseInt(size, 16),
    owner,
    address:
      digits !== undefined ? hexAddress(digits) : bare !== undefined ? hexAddress(bare.replace('0x', '')) : undefined,
    column: digits === undefined ? before.length : text.lastIndexOf(digits),
    length: (digits ?? bare ?? '').length,
  }
}
