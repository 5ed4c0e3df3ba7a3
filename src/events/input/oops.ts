// Kernel log with stacks: oopses, warnings, hung tasks, of x86 and arm64 (and arm32's PC/LR lines). `RIP:` and `pc :` are
// PCs; what `Call Trace:` lists are return addresses; `?` marks what merely lay on the stack. Registers are no frames.

import { type RawFrame, rawFrame } from '../../stacks/frame.ts'
import { traceEvent } from '../event.ts'
import { asText, countLines, type Decoder, hexAddress, type InputFormat, type Sink } from '../format.ts'
import { bracketedFrame, kernelSymbol } from './kernel-frame.ts'

/** What loggers put in front: syslog's date and host, a level, the time since boot, the caller. */
const PREFIX =
  /^(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \S+ kernel: |\d{4}-\d\d-\d\dT\S+ \S+ kernel: )?(?:<\d+>)?(?:\[ *(\d+)\.(\d+)\](?:\[ *[CT]\d+\])? ?)?/
const FAILURE =
  /^(?:BUG|Oops|WARNING|INFO|Internal error|Unable to handle|general protection fault|kernel BUG|Kernel panic|NMI backtrace|watchdog|rcu)\b/
const TRACE = /^Call [Tt]race:/
const END = /^---\[ end |^Modules linked in:|^Code: /
const WHO = /\bPID: (\d+) Comm: (.+?)(?: Tainted:| Not tainted|$)/
/** What a list of tasks (hung ones, SysRq-T) says of each before its stack. */
const TASK = /^task:(.+?) +state:\S+ +stack: *\d+ +pid: *(\d+)(?: +tgid: *(\d+))?/
const RIP = /^(\s*RIP: (?:[0-9a-f]{4}:)?)(?:(\[<)([0-9a-f]{8,16})>\]\s+(?:\[<[0-9a-f]+>\]\s+)?)?(.*)$/
const REGISTER = /^(\s*)(pc|lr|PC is at|LR is at) ?:? ?(.*)$/
const SECTION = /^\s*<\/?(?:TASK|IRQ|NMI|SOFTIRQ|EOE|EOI|ENTRY_TRAMPOLINE|#\w+)>\s*$/
const FRAME = /^(\s+)(\? )?(\S+\+0x[0-9a-f]+\/0x[0-9a-f]+.*?)\s*$/

export const oops: InputFormat = {
  name: 'oops',
  what: 'kernel log (dmesg) with oopses, warnings or other stacks, of x86, arm64 and arm32',
  kind: 'text',
  recognise: (lines) => {
    const bare = lines.map((line) => line.replace(PREFIX, ''))
    const marks = countLines(bare, TRACE) + countLines(bare, /^RIP: |^pc : |^PC is at /)
    return marks === 0 ? 0 : 2 * marks + countLines(bare, FRAME) + countLines(bare, /^\s*\[<[0-9a-f]+>\] /)
  },
  startsRecord: (line) => FAILURE.test(line.replace(PREFIX, '')),
  decoder: (sink) => new Oops(sink),
}

class Oops implements Decoder {
  readonly #sink: Sink
  #frames: RawFrame[] = []
  #lines: number[] = []
  #inTrace = false
  #summary: string | undefined
  #ts: bigint | undefined
  /** The time of the open stack's first line. */
  #begun: bigint | undefined
  /** What the kernel calls PID is a thread's number. */
  #tid: number | undefined
  #tgid: number | undefined
  #comm: string | undefined
  /** Between a failure's message and the end of its report; the registers that are printed again after it do not count. */
  #reporting = false
  /** The PC of arm64's register lines: its call trace begins with it. */
  #pc: RawFrame | undefined

  constructor(sink: Sink) {
    this.#sink = sink
  }

  line(text: string, number: number): void {
    const prefix = PREFIX.exec(text)
    const skip = prefix?.[0].length ?? 0
    const words = text.slice(skip)
    if (prefix?.[1] !== undefined) {
      this.#ts = BigInt(prefix[1]) * 1_000_000_000n + BigInt((prefix[2] ?? '0').padEnd(9, '0'))
    }
    if (FAILURE.test(words)) {
      this.end()
      // Oops: and the like follow the line that says what happened.
      if (!this.#reporting) this.#summary = asText(words)
      this.#reporting = true
      return
    }
    if (TRACE.test(words)) {
      if (this.#inTrace) this.end()
      this.#inTrace = true
      return
    }
    const who = WHO.exec(words)
    if (who !== null) {
      // The stack before it, which had no end of its own, is of whoever was named before.
      if (this.#inTrace) this.end()
      // A stack that is printed for its own sake: what went wrong earlier is not its reason.
      if (!this.#reporting) this.#summary = undefined
      this.#who(who[1], who[2], undefined)
      return
    }
    const task = TASK.exec(words)
    if (task !== null) {
      this.end()
      this.#who(task[2], task[1], task[3])
      return
    }
    const rip = RIP.exec(words)
    if (rip !== null) {
      this.#rip(rip, skip, number)
      return
    }
    const register = REGISTER.exec(words)
    if (register !== null) {
      this.#registers(register, words, skip, number)
      return
    }
    if (END.test(words)) {
      if (this.#inTrace) this.end()
      if (words.startsWith('---[ end ')) this.#reporting = false
      return
    }
    if (!this.#inTrace || SECTION.test(words)) return
    const frame = traceFrame(words)
    if (frame !== undefined) this.#push({ ...frame, column: (frame.column ?? 0) + skip }, number)
    else if (/\+0x[0-9a-f]+\/0x|\[</.test(words)) this.#sink.bad(number, 'a frame that is not in the kernel’s words')
  }

  end(): void {
    if (this.#frames.length > 0) this.#emit(undefined, this.#frames, this.#lines)
    this.#frames = []
    this.#lines = []
    this.#inTrace = false
    this.#pc = undefined
  }

  #who(tid: string | undefined, comm: string | undefined, tgid: string | undefined): void {
    this.#tid = Number(tid)
    this.#comm = asText(comm ?? '')
    this.#tgid = tgid === undefined ? undefined : Number(tgid)
  }

  #rip([, head = '', bracket = '', digits, rest = '']: RegExpExecArray, skip: number, number: number): void {
    // Where user code entered: the trace is over.
    if (/^\s*RIP: 0033:/.test(head)) {
      this.end()
      return
    }
    if (!this.#reporting && !this.#inTrace) return
    const symbol = kernelSymbol(rest.trim())
    const hex = digits ?? /^0x([0-9a-f]{16})$/.exec(rest.trim())?.[1]
    if (symbol === undefined && hex === undefined) return
    this.#push(
      {
        ...symbol,
        address: hex === undefined ? undefined : hexAddress(hex),
        pc: true,
        column: skip + head.length + bracket.length,
        length: digits === undefined ? (hex === undefined ? 0 : hex.length + 2) : digits.length,
      },
      number,
    )
  }

  /** `pc : name+…`, or `pc : [<address>] lr : [<address>] pstate: …` of older kernels. */
  #registers([, , which = '', rest = '']: RegExpExecArray, words: string, skip: number, number: number): void {
    const symbol = kernelSymbol(rest.trim())
    if (symbol !== undefined) {
      const pc = /^pc/i.test(which)
      const frame = rawFrame({ ...symbol, pc })
      if (pc) this.#pc = frame
      this.#emit(pc ? 'pc' : 'lr', [frame], [number])
      return
    }
    for (const found of words.matchAll(/(pc|lr) : \[<([0-9a-f]{8,16})>\]/g)) {
      const [whole, name = '', digits = ''] = found
      const column = skip + found.index + whole.length - digits.length - 2
      const frame = rawFrame({ address: hexAddress(digits), pc: name === 'pc', column, length: digits.length })
      this.#emit(name, [frame], [number])
    }
  }

  #push(given: Partial<RawFrame>, number: number): void {
    const first = this.#frames.length === 0 ? this.#pc : undefined
    const pc = given.pc === true || (first !== undefined && first.name === given.name && first.offset === given.offset)
    if (this.#frames.length === 0) this.#begun = this.#ts
    this.#frames.push(rawFrame({ ...given, pc }))
    this.#lines.push(number)
  }

  #emit(name: string | undefined, frames: readonly RawFrame[], frameLines: readonly number[]): void {
    this.#sink.event(
      traceEvent({
        type: 'stack',
        name,
        shape: 'returns',
        line: frameLines[0] ?? 0,
        ts: name === undefined ? this.#begun : this.#ts,
        pid: this.#tgid,
        tid: this.#tid,
        comm: this.#comm,
        frames,
        frameLines,
        fields: this.#summary === undefined ? [] : [['summary', this.#summary]],
      }),
    )
  }
}

function traceFrame(words: string): Partial<RawFrame> | undefined {
  const bracketed = bracketedFrame(words)
  if (bracketed !== undefined) return bracketed
  const found = FRAME.exec(words)
  if (found === null) return undefined
  const [, , doubt, frame = ''] = found
  const symbol = kernelSymbol(frame)
  // arm64 tells where it has a frame from: P is the PC out of saved registers.
  return symbol && { ...symbol, reliable: doubt === undefined, pc: / \(P[A-Z]*\)$/.test(frame) }
}
