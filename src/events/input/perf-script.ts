// `perf script` text: the default fields, `-F` with more or fewer of them, tracepoint payloads, and task events
// (--show-task-events). A header line, frame lines that begin with a tab, a blank line.

import { type RawFrame, rawFrame } from '../../stacks/frame.ts'
import { type EventType, type Lifecycle, type TraceEvent, traceEvent } from '../event.ts'
import {
  asText,
  countLines,
  type Decoder,
  type FrameMemo,
  hexAddress,
  type InputFormat,
  nanoseconds,
  type Sink,
} from '../format.ts'
import { schedEvent } from './sched.ts'

/**
 * comm (any bytes, often with spaces), PID/TID or TID, [CPU], time; anchored on what follows the comm, as the comm may
 * hold colons, digits and brackets itself. The time ends in a colon.
 */
const HEADER = /^ *(.*?) +(?:(-?\d+)\/)?(-?\d+) +(?:\[(\d+)\] +)?(\d+)\.(\d{6}|\d{9}): *(.*)$/
/** What follows: an optional period or count, the event's name, a colon, the payload. */
const EVENT = /^(?:(\d+) +)?(\S.*?):(?: +(.*))?$/
const TASK = /^PERF_RECORD_(FORK|EXIT)\((\d+):(\d+)\):\((-?\d+):(-?\d+)\)$/
const COMM = /^PERF_RECORD_COMM( exec)?: (.*):(\d+)\/(\d+)$/
const FRAME = /^(\s+)([0-9a-f]{1,16})(?: (.*))?$/
/** `symbol+0x10 (dso)`, without offset, or without dso; the name may hold anything, so the dso is found from the end. */
const SYMBOL = /^(.*?)(?:\+0x([0-9a-f]+))?(?: \((.*)\))?$/
/** The kernel itself in perf's words, and names in brackets that are user memory. */
const KERNEL = /^\[(?:kernel\.kallsyms|guest\.kernel\.kallsyms|kernel|kernel\.vmlinux)\]/
const USER = /^(?:\/|\[(?:vdso|vdso32|vsyscall|heap|stack|unknown)|\/\/anon|anon_inode:|memfd:|inlined)/

export const perfScript: InputFormat = {
  name: 'perf-script',
  what: 'perf script text, with any of -F comm,pid,tid,cpu,time,period,event,trace,ip,sym,symoff,dso, and task events',
  kind: 'text',
  recognise: (lines) => {
    const headers = lines.filter((line) => HEADER.test(line) && !line.startsWith('['))
    // ftrace's lines have TASK-TID in front of the CPU and flags behind it.
    const ours = headers.filter((line) => !/-\d+ +(?:\([ -\d]*\) +)?\[\d+\]/.test(line)).length
    return ours === 0 ? 0 : ours + countLines(lines, /^\s+[0-9a-f]{3,16}(?: .*|)$/)
  },
  startsRecord: (line) => line !== '' && !/^[\t#]/.test(line) && HEADER.test(line),
  decoder: (sink, memo) => new PerfScript(sink, memo),
}

class PerfScript implements Decoder {
  readonly #sink: Sink
  readonly #memo: FrameMemo
  #header: TraceEvent | undefined
  #frames: RawFrame[] = []
  #lines: number[] = []

  constructor(sink: Sink, memo: FrameMemo) {
    this.#sink = sink
    this.#memo = memo
  }

  line(text: string, number: number): void {
    const first = text.charCodeAt(0)
    // Without call chains perf pads the comm on its left, so that a header may begin with spaces; a frame has a tab.
    if (first === TAB || (first === SPACE && !HEADER.test(text))) {
      const frame = this.#memo.get(text, decodeFrame)
      if (frame !== undefined) {
        if (this.#header === undefined) {
          this.#sink.bad(number, 'a frame without the header of its sample')
          return
        }
        this.#frames.push(frame)
        this.#lines.push(number)
        return
      }
    }
    if (text === '' || /^\s*$/.test(text)) {
      this.end()
      return
    }
    // The header of perf's file, before all samples.
    if (first === HASH) return
    this.end()
    const header = decodeHeader(text, number)
    if (header === undefined) this.#sink.bad(number, 'neither the header of a sample nor a frame')
    else this.#header = header
  }

  end(): void {
    const header = this.#header
    if (header === undefined) return
    this.#sink.event(this.#frames.length === 0 ? header : { ...header, frames: this.#frames, frameLines: this.#lines })
    this.#header = undefined
    this.#frames = []
    this.#lines = []
  }
}

const TAB = 9
const SPACE = 32
const HASH = 35

function decodeHeader(text: string, line: number): TraceEvent | undefined {
  const found = HEADER.exec(text)
  if (found === null) return undefined
  const [, comm = '', first, second, cpu, seconds = '0', fraction = '0', rest = ''] = found
  const tid = Number(second)
  const common = {
    line,
    pid: first === undefined ? undefined : Number(first),
    tid,
    cpu: cpu === undefined ? undefined : Number(cpu),
    ts: nanoseconds(seconds, fraction),
    comm: asText(comm),
  }
  if (rest.startsWith('PERF_RECORD_')) return taskEvent(rest, common)
  const [, period, name, payload = ''] = EVENT.exec(rest) ?? []
  const sched = name === undefined ? undefined : schedEvent(name, payload)
  if (sched !== undefined) {
    const pid = sched.pid ?? common.pid
    return traceEvent({ ...common, type: sched.type, name, pid, tid: sched.tid, life: sched.life })
  }
  let type: EventType = 'sample'
  if (name?.startsWith('probe:')) type = 'kprobe'
  else if (name?.startsWith('probe_')) type = 'uprobe'
  else if (name !== undefined && /^\w[\w-]*:\w+$/.test(name)) type = 'tracepoint'
  const weight = period === undefined ? 1n : BigInt(period)
  // Without call chains the sampled PC stands behind the event's name.
  const pc = type === 'sample' && /^[0-9a-f]{3,16}(?: |$)/.test(payload) ? decodeFrame(` ${payload}`) : undefined
  if (pc !== undefined) {
    const frame = rawFrame({ ...pc, column: text.length - payload.length })
    return traceEvent({ ...common, type, name, weight, frames: [frame], frameLines: [line] })
  }
  return traceEvent({ ...common, type, name, weight, fields: payload === '' ? [] : [['payload', asText(payload)]] })
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
