// /proc/PID/stack, one or many one after another: the kernel's own unwinder, so that every frame is a return address;
// addresses are hidden as <0>. Lines between stacks are taken as their heading.

import type { RawFrame } from '../../stacks/frame.ts'
import { traceEvent } from '../event.ts'
import { asText, type Decoder, type InputFormat, type Sink } from '../format.ts'
import { readFrame } from './kernel-log/frame.ts'

const FRAME = /^\[<(?:0|[0-9a-f]{8}|[0-9a-f]{16})>\]/
/** How kernels before 5.x mark where a stack ends: a last address of nothing but ones. */
const END_MARK = /^\[<[0-9a-f]{1,16}>\] 0xf{8}(?:f{8})?\s*$/
/** Where the kernel's stacks begin: after such a frame comes the next task's stack, even without a line between. */
const OUTERMOST = /^(?:entry_|ret_from_fork_asm$|el0t?_|__switch_to_asm$|secondary_startup_64|common_startup_64)/
/** The outermost on some kernels, the last but one on others. */
const NEARLY_OUTERMOST = /^ret_from_fork$/

export const procStack: InputFormat = {
  name: 'proc-stack',
  what: '/proc/PID/stack, of one task or of many, with or without headings between',
  kind: 'text',
  recognise: (lines) => lines.filter((line) => stackFrame(line) !== undefined || END_MARK.test(line)).length,
  startsRecord: (line) => !FRAME.test(line),
  frameLine: stackFrame,
  decoder: (sink) => new ProcStack(sink),
}

function stackFrame(text: string): Partial<RawFrame> | undefined {
  return FRAME.test(text) ? readFrame(text)?.frame : undefined
}

class ProcStack implements Decoder {
  readonly #sink: Sink
  #frames: RawFrame[] = []
  #lines: number[] = []
  #heading: string | undefined

  constructor(sink: Sink) {
    this.#sink = sink
  }

  line(text: string, number: number): void {
    this.end()
    if (END_MARK.test(text)) return
    if (FRAME.test(text)) this.#sink.bad(number, 'a frame without name+offset/size')
    else this.#heading = text.trim() === '' ? undefined : asText(text)
  }

  frame(frame: RawFrame, number: number): boolean {
    const last = this.#frames.at(-1)?.name
    if (last !== undefined) {
      const over = OUTERMOST.test(last) || (NEARLY_OUTERMOST.test(last) && frame.name !== 'ret_from_fork_asm')
      if (over) this.end()
    }
    this.#frames.push(frame)
    this.#lines.push(number)
    return true
  }

  end(): void {
    if (this.#frames.length === 0) return
    this.#sink.event(
      traceEvent({
        type: 'stack',
        shape: 'returns',
        line: this.#lines[0] ?? 0,
        frames: this.#frames,
        frameLines: this.#lines,
        fields: this.#heading === undefined ? [] : [['heading', this.#heading]],
      }),
    )
    this.#frames = []
    this.#lines = []
    this.#heading = undefined
  }
}
