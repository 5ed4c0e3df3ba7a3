// The report of one printer of a kernel log. A line that is a frame is one wherever it stands; the lines around it say where a stack
// begins and ends, whose it is and of what kind. Registers are no frames, but for the PC.

import { type RawFrame, rawFrame } from '../../../stacks/frame.ts'
import { traceEvent } from '../../event.ts'
import { asText, type FrameMemo, type Sink } from '../../format.ts'
import { looseAddresses } from '../any-text.ts'
import { skipBlanks } from '../characters.ts'
import { type CallPair, readCallPair } from './call-pair.ts'
import { readFrame, skipMarks } from './frame.ts'
import {
  dumpedBy,
  headingOf,
  isDump,
  isFailure,
  mentioned,
  NOBODY,
  processLine,
  type Register,
  readRegister,
  taskHeader,
  traceStart,
  type Who,
} from './lines.ts'

/** Lines of others that may stand between two frames of a stack. */
const MOST_FOREIGN = 8
/** Where the kernel's stacks begin. */
const OUTERMOST =
  /^(?:ret_from_fork(?:_asm)?|ret_from_kernel_thread|ret_from_kernel_user_thread|entry_SYS\w+|entry_INT80\w*|el0t?_\w+|ret_fast_syscall|ret_to_user|secondary_startup_64\w*|system_call\w*|handle_exception|start_kernel)$/

/** Lines between a heading and its stack in /sys/kernel/debug/page_owner. */
const DETAIL = /^(?:PFN |Charged )/

/** Whether a trace's first frame is the PC that was told before: 32-bit ARM gives its name alone. */
function isAgain(pc: RawFrame, frame: RawFrame): boolean {
  if (pc.name === undefined || frame.name === undefined) return pc.address !== undefined && pc.address === frame.address
  return pc.name === frame.name && (frame.offset ?? pc.offset) === pc.offset
}

function certainFrame(words: string): Partial<RawFrame> | undefined {
  const read = readFrame(words)
  return read?.certain === true ? read.frame : undefined
}

/** Gathers the stacks of one printer. */
export class Report {
  readonly #sink: Sink
  readonly #memo: FrameMemo
  #frames: RawFrame[] = []
  #lines: number[] = []
  /** The open stack has more than the PC of a register dump. */
  #traced = false
  /** A failure's message came within the open stack: of another printer if frames follow right away. */
  #suspended = false
  /** Foreign lines since the open stack's last frame. */
  #foreign = 0
  /** The open stack's kind, and what the line before would make it. */
  #kind: string | undefined
  #heading: string | undefined
  /** The task of the open stack; `#who` is the task that was named last, by `CPU: … PID: …` or a task's header. */
  #owner: Who = NOBODY
  #who: Who = NOBODY
  #named: Who | undefined
  /** No stack has been printed of the task that was named last. */
  #expected = false
  /** The message of the last failure, and of the one that the open stack belongs to. */
  #summary: string | undefined
  #about: string | undefined
  #ts: bigint | undefined
  /** The time of the open stack's first line. */
  #begun: bigint | undefined
  /** Between a failure's message and the end of its report; the registers that are printed again after it do not count. */
  #reporting = false
  /** A register dump that comes now is of a stack that follows. */
  #awaiting = true
  /** A stack was printed since the last failure's message. */
  #printed = false

  constructor(sink: Sink, memo: FrameMemo) {
    this.#sink = sink
    this.#memo = memo
  }

  line(words: string, column: number, number: number, ts: bigint | undefined): void {
    if (ts !== undefined) this.#ts = ts
    if (words.length === 0) {
      this.#blank()
      return
    }
    const trace = traceStart(words)
    if (trace > 0) {
      if (this.#traced) this.end()
      this.#heading = ''
      this.#rest(words.slice(trace), column + trace, number)
      return
    }
    if (this.#frame(words, column, number)) return
    const register = readRegister(words)
    if (register !== undefined) {
      this.#register(register, column, number)
      return
    }
    this.#other(words)
    if (isDump(words)) return
    for (const found of looseAddresses(words)) {
      this.#sink.mention?.(rawFrame({ ...found, column: found.column + column }), number)
    }
  }

  /** The open stack is complete. */
  end(): void {
    if (this.#frames.length > 0) this.#emit()
    this.#frames = []
    this.#lines = []
    this.#traced = false
    this.#suspended = false
    this.#foreign = 0
  }

  /** An empty line of the kernel's own: between the stacks of a sanitizer's report. */
  #blank(): void {
    if (this.#traced) this.end()
    this.#heading = undefined
    this.#named = undefined
  }

  /** Takes the rest of a line behind `Call Trace:`. */
  #rest(words: string, column: number, number: number): void {
    if (skipMarks(words, skipBlanks(words, 0)) < words.length) this.#frame(words, column, number)
  }

  #frame(words: string, column: number, number: number): boolean {
    const pair = readCallPair(words)
    if (pair !== undefined) {
      this.#call(pair, column, number)
      return true
    }
    // The same calls are printed over and over: a stack's frames are mostly known by their words.
    const known = words.includes('+0x') ? this.#memo.get(words, certainFrame) : undefined
    if (known !== undefined) {
      this.#push(known, column, number)
      return true
    }
    const read = readFrame(words)
    if (read === undefined || (!this.#traced && this.#heading === undefined && !read.certain)) return false
    this.#push(rawFrame(read.frame), column, number)
    return true
  }

  /** Takes a line of 32-bit ARM: the first line of a stack says both its frames, every other the next one outward. */
  #call({ where, from }: CallPair, column: number, number: number): void {
    const last = this.#frames.at(-1)
    if (!this.#traced || last?.name !== where.name) this.#push(rawFrame(where), column, number)
    this.#push(rawFrame(from), column, number)
  }

  #push(given: RawFrame, column: number, number: number): void {
    const last = this.#frames.at(-1)
    const over = this.#foreign > MOST_FOREIGN || (last?.name !== undefined && OUTERMOST.test(last.name))
    if (this.#traced && this.#foreign > 0 && over) this.end()
    // Where nothing of the line is put into words, its place does not matter, and equal frames stay one.
    const frame = given.length === 0 ? given : { ...given, column: given.column + column }
    if (!this.#traced) {
      this.#begin()
      const pc = this.#frames.length === 1 ? this.#frames[0] : undefined
      // Most architectures' traces begin with the PC that the registers' dump told.
      if (pc !== undefined && isAgain(pc, frame)) {
        if (frame.name === undefined || frame.offset !== undefined) {
          this.#frames[0] = rawFrame({ ...frame, pc: true })
          this.#lines[0] = number
        }
        return
      }
      if (pc === undefined) this.#begun = this.#ts
    }
    this.#frames.push(frame)
    this.#lines.push(number)
    this.#foreign = 0
    this.#suspended = false
  }

  /** The first frame of a trace. */
  #begin(): void {
    this.#traced = true
    this.#about = this.#summary
    this.#kind = this.#heading === '' ? undefined : this.#heading
    this.#owner = this.#named ?? (this.#kind === undefined ? this.#who : NOBODY)
    this.#heading = undefined
    this.#named = undefined
    this.#awaiting = false
    this.#expected = false
  }

  #register({ role, frame, others }: Register, column: number, number: number): void {
    if (role === 'user') {
      // Where user code entered: the trace is over.
      if (this.#traced) this.end()
      return
    }
    for (const other of others) this.#sink.mention?.(rawFrame({ ...other, column: other.column + column }), number)
    if (frame === undefined) return
    if (this.#suspended) this.end()
    const placed = rawFrame({ ...frame, column: frame.column + column })
    if (role === 'pc' && this.#traced) this.#interrupted(placed, number)
    else if (role === 'pc' && this.#awaiting && (this.#frames.length === 0 || this.#frames[0]?.name === undefined)) {
      this.#frames = [placed]
      this.#lines = [number]
      this.#begun = this.#ts
      this.#owner = this.#who
      this.#about = this.#summary
      this.#kind = undefined
    }
  }

  /** Within a trace: what was interrupted. */
  #interrupted(frame: RawFrame, number: number): void {
    const last = this.#frames.at(-1)
    if (last?.pc && last.name === frame.name && last.offset === frame.offset) return
    this.#frames.push(frame)
    this.#lines.push(number)
    this.#foreign = 0
  }

  /** A line that is neither frame nor register. */
  #other(words: string): void {
    if (isFailure(words)) {
      this.#failure(words)
      return
    }
    const dumped = dumpedBy(words)
    if (dumped !== undefined) {
      // The stack before it, which had no end of its own, belongs to the task that was named before.
      this.end()
      // A stack that is printed for its own sake: what went wrong earlier is not its reason.
      if (!this.#reporting) this.#summary = undefined
      this.#who = dumped
      this.#expected = true
      this.#awaiting = true
      this.#heading = undefined
      return
    }
    const task = taskHeader(words)
    if (task !== undefined) {
      this.end()
      this.#who = task
      this.#expected = true
      this.#heading = ''
      return
    }
    const process = processLine(words)
    if (process !== undefined) {
      if (this.#who.tid === undefined) this.#who = process
      if (this.#frames.length > 0 && !this.#traced && this.#owner.tid === undefined) this.#owner = process
      return
    }
    if (words.startsWith('---[ end ')) {
      this.end()
      this.#reporting = false
      this.#awaiting = false
      return
    }
    const at = skipBlanks(words, 0)
    if (words.startsWith('Modules linked in:', at) || words.startsWith('</TASK>', at)) {
      if (this.#traced) this.end()
      return
    }
    if (skipMarks(words, at) === words.length || isDump(words) || DETAIL.test(words)) return
    const heading = headingOf(words)
    const named = mentioned(words)
    if (heading !== undefined && this.#traced) this.end()
    if (heading === undefined && named !== undefined && !this.#traced) this.#who = named
    this.#heading = heading
    this.#named = heading === undefined || heading === '' ? undefined : (named ?? NOBODY)
    this.#foreign++
  }

  #failure(words: string): void {
    const last = this.#frames.at(-1)?.name
    const heading = headingOf(words)
    const whole = last === undefined || OUTERMOST.test(last)
    if (this.#traced && !whole && heading === undefined) this.#suspended = true
    else this.end()
    // Oops: and the like follow the line that says what happened.
    if (!this.#reporting || this.#printed || this.#suspended) {
      this.#summary = asText(words)
      if (!this.#expected) this.#who = mentioned(words) ?? NOBODY
    }
    this.#reporting = true
    this.#awaiting = true
    this.#printed = false
    this.#heading = heading
    this.#named = heading === undefined ? undefined : mentioned(words)
  }

  #emit(): void {
    this.#printed = true
    const { tid, tgid, comm } = this.#owner
    this.#sink.event(
      traceEvent({
        type: 'stack',
        name: this.#kind,
        shape: 'returns',
        line: this.#lines[0] ?? 0,
        ts: this.#begun,
        pid: tgid,
        tid,
        comm,
        frames: this.#frames,
        frameLines: this.#lines,
        fields: this.#about === undefined ? [] : [['summary', this.#about]],
      }),
    )
  }
}
