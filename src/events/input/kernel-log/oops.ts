// Kernel log with stacks: what a kernel prints of oopses, warnings, stalls, hung tasks, of its sanitizers and of whatever
// else prints stacks, on any architecture. Here its lines are told from those of other formats, and each goes to the report of the thread
// or CPU that printed it (report.ts).

import type { Decoder, FrameMemo, InputFormat, Sink } from '../../format.ts'
import { readCallPair } from './call-pair.ts'
import { readFrame } from './frame.ts'
import { EXPORTED, wordsInBytes } from './journal.ts'
import { isFailure, readRegister, taskHeader, traceStart } from './lines.ts'
import { nextLine, readPrefix } from './prefix.ts'
import { Report } from './report.ts'

/** A longer line is none of the kernel's: printk cuts at 1 KiB, and JSON adds its fields. */
const LONGEST_LINE = 1 << 14
/** Printers whose lines are told apart; who printed longest ago is forgotten first. */
const MOST_CALLERS = 256
export const oops: InputFormat = {
  name: 'oops',
  what: 'kernel log (dmesg, journald, serial console, …) with oopses, warnings, sanitizer reports or other stacks',
  kind: 'text',
  recognise,
  startsRecord: (line) => {
    const words = wordsOf(line)
    return isFailure(words) || taskHeader(words) !== undefined
  },
  decoder: (sink, memo) => new KernelLog(sink, memo),
}

function wordsOf(line: string): string {
  const { start, end } = readPrefix(line)
  return line.slice(start, Math.min(end, start + LONGEST_LINE))
}

function recognise(lines: readonly string[]): number {
  let marks = 0
  let frames = 0
  let bracketed = 0
  let kernels = 0
  for (const line of lines) {
    const { start, end, kernel } = readPrefix(line)
    const words = line.slice(start, Math.min(end, start + LONGEST_LINE))
    if (kernel || (line.startsWith('{') && line.includes('"MESSAGE"'))) kernels++
    if (traceStart(words) > 0 || readRegister(words)?.role === 'pc') marks++
    else if (readCallPair(words) !== undefined) frames++
    else if (readFrame(words)?.certain === true) {
      // Without anything around them, lines that begin with a bracket are as well /proc/PID/stack.
      if (words.length === line.length && words.startsWith('[<')) bracketed++
      else frames++
    }
  }
  if (marks + frames > 0) return 2 * marks + frames + bracketed + kernels
  // A log whose stacks come later.
  return kernels > 2 ? kernels / 2 : 0
}

/** Gives each line to the report of its printer. */
class KernelLog implements Decoder {
  readonly #sink: Sink
  readonly #memo: FrameMemo
  readonly #reports = new Map<string, Report>()
  #caller = ''
  /** Lines carry times or the like: one without any belongs to the line before it. */
  #prefixed = false
  /** Each message is one of several fields, of a line each. */
  #exported = false

  constructor(sink: Sink, memo: FrameMemo) {
    this.#sink = sink
    this.#memo = memo
  }

  line(text: string, number: number): void {
    // The lines of a hypervisor at the same console are about its own code.
    if (text.lastIndexOf('(XEN)', 64) >= 0) return
    if (text.startsWith(EXPORTED)) this.#exported = true
    else if (this.#exported) return
    const bytes = wordsInBytes(text, LONGEST_LINE)
    if (bytes !== undefined) {
      this.#bytes(bytes, number)
      return
    }
    for (let from = 0, length = text.length; ; ) {
      const { start, end, ts, caller } = readPrefix(text, from, length)
      length = end
      const next = nextLine(text, start)
      const stop = Math.min(end, next)
      if (start > from) {
        this.#prefixed = true
        this.#caller = caller ?? ''
      }
      const empty = stop === start
      if (stop - start <= LONGEST_LINE && !(empty && start === from && this.#prefixed)) {
        this.#report().line(text.slice(start, stop).trimEnd(), start, number, ts)
      }
      if (next >= length) return
      from = next
    }
  }

  /** Takes words that the line has in another form: only what stays as it is when text is put into words. */
  #bytes(bytes: string, number: number): void {
    const { start, end, ts, caller } = readPrefix(bytes)
    const words = bytes.slice(start, end).trimEnd()
    this.#prefixed = true
    this.#caller = caller ?? ''
    if (words !== '' && !words.includes('[<')) this.#report().line(words, 0, number, ts)
  }

  end(): void {
    for (const report of this.#reports.values()) report.end()
    this.#reports.clear()
  }

  #report(): Report {
    let report = this.#reports.get(this.#caller)
    if (report === undefined) {
      if (this.#reports.size >= MOST_CALLERS) {
        for (const [caller, oldest] of this.#reports) {
          oldest.end()
          this.#reports.delete(caller)
          break
        }
      }
      report = new Report(this.#sink, this.#memo)
      this.#reports.set(this.#caller, report)
    }
    return report
  }
}
