// Lines of a kernel log that are no frames. They tell what went wrong, whose stack follows, what kind of stack it is,
// and what registers hold. The words are those of the kernel's printk calls.

import { type RawFrame, rawFrame } from '../../../stacks/frame.ts'
import { asText } from '../../format.ts'
import { digitsEnd, hexEnd, isDigit, skipBlanks } from '../characters.ts'
import { findSymbol, type Place, readAddress, readFrame } from './frame.ts'

/** A report begins: what went wrong, or why stacks are printed. */
const FAILURE =
  /^(?:BUG|Oops|WARNING|INFO|UBSAN|KASAN|ODEBUG|CFI failure|Internal error|Unable to handle|Unhandled|general protection|divide error|invalid opcode|double fault|stack segment|traps: PANIC|kernel BUG|Kernel BUG|Kernel panic|Kernel access|Machine check|NMI backtrace|NMI watchdog|watchdog|rcu|sysrq|SysRq|unreferenced object|ref_tracker|Stack traceback|[Ll]eaked reference|DEBUG_LOCKS_WARN_ON|refcount_t|Bad page|FAULT_INJECTION)\b/
/** What begins like one and is a part of it. */
const PART = /^INFO: (?:Allocated in|Freed in|Slab |Object |lockdep is|Freeing)/
/** Stacks of their own whose headings do not end in a colon. */
const HEADING =
  /^(?:(?:INFO: )?(?:Allocated|Freed) in |page last |page_owner |Page allocated via |BUG: K(?:MSAN|FENCE|CSAN): |Uninit was |Invalid free )/
/** How others end that do not end in a colon either. */
const HEADING_END = /(?: at|leaked reference\.?)$/
/** What ends in a colon and announces no stack: lists of locks and memory, and what KASAN says of the memory. */
const NO_HEADING = /^(?:[#,]|.{0,5}:$|DMA|Normal|lowmem|Mem-Info|Memory state|Showing|Dumping|The buggy)/
/** Headings that say no more than that a stack follows. */
const PLAIN = /^(?:call trace|call backtrace|backtrace|stack backtrace|stack trace|trace|stack)\b/i

/** Whether a report begins with the line, or goes on with more of what went wrong. */
export function isFailure(words: string): boolean {
  return FAILURE.test(words) ? !PART.test(words) : / invoked oom-killer|: page allocation failure/.test(words)
}

/** Where the list of calls begins that every report has: behind `Call Trace:`, 0 if it does not. */
export function traceStart(words: string): number {
  const at = skipBlanks(words, 0)
  const end = at + 11
  const title = words.slice(at, end)
  if (title === 'Call Trace:' || title === 'Call trace:') return end
  if (words.startsWith('Backtrace:', at)) return at + 10
  return 0
}

/** The kind of stack that the words announce: `''` for one that has no name of its own, undefined if they announce none. */
export function headingOf(words: string): string | undefined {
  const text = words.trim()
  if (text.length > LONGEST_HEADING) return undefined
  if (PLAIN.test(text)) return ''
  if (NO_HEADING.test(text)) return undefined
  if (text.endsWith(':')) return asText(text.slice(0, -1))
  return HEADING.test(text) || HEADING_END.test(text) ? asText(text) : undefined
}

const LONGEST_HEADING = 256

/** The task that a stack is of. The kernel calls a thread's number PID. */
export interface Who {
  readonly tid: number | undefined
  readonly tgid: number | undefined
  readonly comm: string | undefined
}

export const NOBODY: Who = { tid: undefined, tgid: undefined, comm: undefined }

/**
 * `CPU: 1 PID: 4711 Comm: cat Not tainted …`, which dump_stack prints in front of every stack; `Pid: 4711, comm: cat …`
 * before Linux 3.10.
 */
export function dumpedBy(words: string): Who | undefined {
  const at = words.indexOf('PID: ')
  if (at >= 0) {
    const end = digitsEnd(words, at + 5)
    if (end > at + 5 && words.startsWith(' Comm: ', end)) return named(words, at + 5, end, end + 7)
  }
  if (words.startsWith('PID: ')) {
    // The crash utility's: `PID: 1806  TASK: ffff…  CPU: 4  COMMAND: "insmod"`.
    const comm = between(words, words.indexOf('COMMAND: '), '"', '"')
    return comm === undefined ? undefined : { tid: numberBehind(words, 'PID: ', 0), tgid: undefined, comm }
  }
  if (!words.startsWith('Pid: ')) return undefined
  const end = digitsEnd(words, 5)
  return end > 5 && words.startsWith(', comm: ', end) ? named(words, 5, end, end + 8) : undefined
}

function named(words: string, pid: number, pidEnd: number, from: number): Who {
  let end = words.length
  for (const behind of [' Tainted:', ' Not tainted']) {
    const found = words.indexOf(behind, from)
    if (found >= 0 && found < end) end = found
  }
  return { tid: Number(words.slice(pid, pidEnd)), tgid: undefined, comm: asText(words.slice(from, end).trim()) }
}

/** The line of sched_show_task about each task before its stack, since Linux 5.10 and before. */
export function taskHeader(words: string): Who | undefined {
  if (words.startsWith('task:')) {
    const state = words.indexOf(' state:')
    if (state < 0) return undefined
    const tid = numberBehind(words, ' pid:', state)
    if (tid === undefined) return undefined
    return { tid, tgid: numberBehind(words, ' tgid:', state), comm: asText(words.slice(5, state).trim()) }
  }
  // `cat  D ffff88008ad8f6b0     0  4711      1 0x00000000`: name, state, stack, free bytes of it, pid, parent, flags.
  if (words.length > 200 || !/ 0x[0-9a-f]{8,16}\s*$/.test(words)) return undefined
  const parts = words.trim().split(/\s+/)
  const [free = '', pid = '', parent = ''] = parts.slice(-4, -1)
  if (!/^\d{1,10}$/.test(pid) || !/^\d{1,10}$/.test(parent)) return undefined
  let state = parts.length - 4
  // Many free bytes stand right behind the state: `D21600`.
  if (/^\d{1,10}$/.test(free)) {
    state--
    if (/^(?:[0-9a-f]{8}|[0-9a-f]{16})$/.test(parts[state] ?? '')) state--
    else if (parts[state] === 'task' && parts[state - 1] === 'running') state -= 2
  } else if (!/^[A-Za-z]\d{1,9}$/.test(free)) return undefined
  if (state < 1 || !/^[RSDTtZXxKWPINi](?:\d{1,9})?$/.test(parts[state] ?? '')) return undefined
  return { tid: Number(pid), tgid: undefined, comm: asText(parts.slice(0, state).join(' ')) }
}

/** The task that the words name beside what they tell: `by task cat/4711`, `by task 4711`, `pid=4711`, `comm "cat", pid 4711`. */
export function mentioned(words: string): Who | undefined {
  const by = words.indexOf('by task ')
  if (by >= 0) {
    let end = by + 8
    while (end < words.length && !' :,'.includes(words[end] ?? '')) end++
    const task = words.slice(by + 8, end)
    const slash = task.lastIndexOf('/')
    const tid = task.slice(slash + 1)
    if (/^\d{1,10}$/.test(tid))
      return { tid: Number(tid), tgid: undefined, comm: slash > 0 ? asText(task.slice(0, slash)) : undefined }
  }
  const tid = numberBehind(words, 'pid=', 0) ?? numberBehind(words, 'pid ', 0) ?? numberBehind(words, 'PID = ', 0)
  if (tid === undefined) return undefined
  return { tid, tgid: numberBehind(words, 'tgid ', 0), comm: commIn(words) }
}

/** The name in `comm "cat"` (kmemleak), or in `tgid 4711 (cat)` (page owner). */
function commIn(words: string): string | undefined {
  const quoted = between(words, words.indexOf('comm "'), '"', '"')
  return quoted ?? between(words, words.indexOf('tgid '), '(', ')')
}

/** The text between two marks from a place on; undefined if the place is -1. */
function between(words: string, from: number, before: string, behind: string): string | undefined {
  const start = from < 0 ? -1 : words.indexOf(before, from)
  const end = start < 0 ? -1 : words.indexOf(behind, start + 1)
  return end < 0 ? undefined : asText(words.slice(start + 1, end))
}

/** `Process cat (pid: 4711, …)` and `TASK = c000…[4711] 'cat'`, which some architectures print within a report. */
export function processLine(words: string): Who | undefined {
  if (words.startsWith('Process ')) {
    const open = words.indexOf(' (pid: ')
    const tid = open < 0 ? undefined : numberBehind(words, '(pid: ', open)
    return tid === undefined ? undefined : { tid, tgid: undefined, comm: asText(words.slice(8, open)) }
  }
  if (!words.startsWith('TASK = ')) return undefined
  const tid = numberBehind(words, '[', 0)
  const quote = words.indexOf("'")
  const end = words.indexOf("'", quote + 1)
  return tid === undefined || end < 0 ? undefined : { tid, tgid: undefined, comm: asText(words.slice(quote + 1, end)) }
}

/** The registers of a line that hold addresses of code. */
export interface Register {
  /** `pc`: where the CPU was; `user`: it was in user space; `other`: nothing of where it was. */
  readonly role: 'pc' | 'user' | 'other'
  /** Where the CPU was. */
  readonly frame: RawFrame | undefined
  /** Addresses without a name: of return addresses, and of the PC once more. */
  readonly others: readonly RawFrame[]
}

const PCS = new Set(['RIP', 'EIP', 'PC', 'pc', 'epc', 'NIP', 'TPC', 'ERA', 'ERET', 'IAOQ[0]', 'Krnl PSW', 'User PSW'])
const OTHERS = new Set(['LR', 'lr', 'ra', 'RA', 'IP', 'RPC', 'I7', 'RP(r2)', 'BLINK', 'IAOQ[1]', 'rp'])

/** Reads `RIP: 0010:name+0x10/0x20`, `pc : …`, `NIP [address] …`, `PC is at …` and their likes; undefined if it is none. */
export function readRegister(words: string): Register | undefined {
  const start = skipBlanks(words, 0)
  if (words.startsWith('--- interrupt: ', start) || words.startsWith('--- Exception: ', start)) {
    const at = words.indexOf(' at ', start)
    const found = at < 0 ? undefined : findSymbol(words, at + 4)
    return found === undefined ? NO_CODE : { role: 'pc', frame: asPc(found.frame), others: [] }
  }
  if (words.startsWith('[exception ', start)) return exceptionPc(words, start)
  let end = start
  while (end - start < 8 && isLabel(words.charCodeAt(end))) end++
  if (words.startsWith(' PSW', end) && end - start === 4) end += 4
  const label = words.slice(start, end)
  if (!PCS.has(label) && !OTHERS.has(label)) return undefined
  let at = skipBlanks(words, end)
  // `RIP  [<address>] name` at a report's end says again what its beginning said.
  let isPc = PCS.has(label)
  if (words.startsWith('is at ', at)) at += 6
  else if (words[at] === ':' || words[at] === '=') at++
  else if (words[at] !== '[') return undefined
  else if (label !== 'NIP') isPc = false
  // So does `RIP: name+0x10/0x20 RSP: …`, or `EIP: [<address>] name SS:ESP …`.
  if (words.includes(' RSP: ') || words.includes(' SS:ESP')) isPc = false
  at = skipBlanks(words, at)
  if (label === 'User PSW' || isUserSegment(words, at)) return { role: 'user', frame: undefined, others: [] }
  const x86 = label === 'RIP' || label === 'EIP'
  const inside = addressIn(words, segmentEnd(words, at))?.inside?.frame
  // Words within the brackets were put there in place of an address alone.
  if (inside !== undefined && !x86) return NO_CODE
  const frame = inside ?? registerFrame(words, at)
  if (isPc && frame !== undefined && (frame.name !== undefined || x86))
    return { role: 'pc', frame: asPc(frame), others: [] }
  return { role: 'other', frame: undefined, others: frame?.name === undefined ? bareAddresses(words, at, isPc) : [] }
}

const NO_CODE: Register = { role: 'other', frame: undefined, others: [] }

/** The addresses in `pc : [<address>]    lr : [<address>]`: behind the first come return addresses. */
function bareAddresses(words: string, from: number, pc: boolean): RawFrame[] {
  const found: RawFrame[] = []
  for (let at = words.indexOf('[<', from); at >= 0; at = words.indexOf('[<', at + 2)) {
    const place = readAddress(words, at)
    if (place?.address === undefined) continue
    const { address, column, length } = place
    found.push(rawFrame({ address, column, length, pc: pc && found.length === 0 }))
  }
  return found
}

/** The CS of user space on x86, in 64 and 32 bits, and under Xen. */
function isUserSegment(words: string, at: number): boolean {
  return ['0033:', '0023:', 'e033:', '002b:', '0073:'].some((segment) => words.startsWith(segment, at))
}

function registerFrame(words: string, begin: number): Partial<RawFrame> | undefined {
  const at = segmentEnd(words, begin)
  const place = addressIn(words, at)
  const from = place?.end ?? at
  const symbol = findSymbol(words, from)
  // The text behind another label belongs to another register.
  if (symbol !== undefined && !words.slice(from, symbol.frame.column).includes(': '))
    return { ...symbol.frame, address: place?.address, column: place?.column ?? 0, length: 0 }
  // decode_stacktrace.sh's words, or an address that had no name.
  const read = readFrame(words, from)
  if (read !== undefined && (read.frame.name !== undefined || read.frame.address !== undefined)) return read.frame
  return place?.certain === true ? { address: place.address, column: place.column, length: place.length } : undefined
}

/** Behind the segment in `0010:name`. */
function segmentEnd(words: string, at: number): number {
  return words[at + 4] === ':' && hexEnd(words, at) === at + 4 ? at + 5 : at
}

function addressIn(words: string, at: number): Place | undefined {
  return readAddress(words, skipBlanks(words, at))
}

function asPc(frame: Partial<RawFrame>): RawFrame {
  return rawFrame({ ...frame, pc: true })
}

/** `[exception RIP: name+53]` of the crash utility, whose offsets are decimal. */
function exceptionPc(words: string, start: number): Register | undefined {
  const found = /^\[exception (?:RIP|PC|NIP): ([\w.$]{1,512})\+(\d{1,9})\]$/.exec(words.slice(start).trimEnd())
  if (found === null) return undefined
  return { role: 'pc', frame: asPc({ name: asText(found[1] ?? ''), offset: Number(found[2]) }), others: [] }
}

/** Whether the words are of what is printed within a trace where it was interrupted: registers, code, memory. */
export function isDump(words: string): boolean {
  const start = skipBlanks(words, 0)
  if (words.startsWith('Code:', start) || words.startsWith('Exception stack(', start)) return true
  // Memory, as x86 prints of its stack: `ffff880066befc88 ffffffff81001290`.
  const first = hexEnd(words, start)
  if (first - start === 8 || first - start === 16) {
    let at = start
    while (at < words.length && hexEnd(words, at) > at) at = skipBlanks(words, hexEnd(words, at))
    if (at >= words.length) return true
  }
  let end = start
  while (end - start < 16 && isLabel(words.charCodeAt(end))) end++
  const colon = skipBlanks(words, end)
  if (end === start || words[colon] !== ':') return false
  const value = skipBlanks(words, colon + 1)
  const stop = hexEnd(words, value)
  return stop - value >= 4 || words.startsWith('0x', value) || words.startsWith('????', value)
}

function isLabel(code: number): boolean {
  return (
    isDigit(code) ||
    (code >= 65 && code <= 90) ||
    (code >= 97 && code <= 122) ||
    code === 95 ||
    code === 40 ||
    code === 41 ||
    code === 91 ||
    code === 93
  )
}

/** The decimal number right behind the first `before` from a place on, blanks aside. */
function numberBehind(words: string, before: string, from: number): number | undefined {
  const found = words.indexOf(before, from)
  if (found < 0) return undefined
  const start = skipBlanks(words, found + before.length)
  const end = digitsEnd(words, start)
  return end === start || end - start > 10 ? undefined : Number(words.slice(start, end))
}
