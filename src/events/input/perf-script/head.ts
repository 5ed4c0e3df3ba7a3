// The header of a sample in perf's text: whose it is, and when. What it holds depends on `-F` (tools/perf/builtin-script.c prints
// comm, pid/tid, CPU, misc, time, period, event, in this order, each or not): it is read from the time, or where there is none
// from what else can be told, and then only believed where a frame follows.

import { asText, nanoseconds } from '../../format.ts'
import {
  beforeSpaces,
  behindSpaces,
  CLOSE,
  COLON,
  digitsBefore,
  isDigit,
  isLetter,
  isWordStart,
  MINUS,
  OPEN,
  POINT,
  SLASH,
  SPACE,
} from '../characters.ts'

/** Letters that the field `misc` holds. */
const MISC = /^[KUHGgMESPp]{1,6}$/
/** TASK_COMM_LEN of include/linux/sched.h, without the zero at its end. */
const LONGEST_COMM = 15
/** perf writes a period in ten columns, numbers of threads in five or seven. */
const PERIOD_COLUMNS = 8
/** The text in front of a time is longer only in crafted input, which is not remembered. */
const LONGEST_FRONT = 128

/** The thread that a sample is of. */
export interface Who {
  readonly comm: string | undefined
  readonly pid: number | undefined
  readonly tid: number | undefined
  readonly cpu: number | undefined
}

/** What a header says of whom and when, and what stands behind that. */
export interface Head {
  readonly who: Who
  readonly ts: bigint | undefined
  readonly rest: string
}

/**
 * A header with a time, `SECONDS.FRACTION:` with 6 or 9 digits behind the point. As the comm may hold anything, the first
 * time with a thread in front of it counts, and only without any such the first one. `known` remembers what stands in front
 * of times: few tasks make all of a recording's samples.
 */
export function timedHead(text: string, known?: Map<string, Who>): Head | undefined {
  let first: Head | undefined
  for (let colon = text.indexOf(':'); colon >= 0; colon = text.indexOf(':', colon + 1)) {
    const point = digitsBefore(text, colon) - 1
    if (point < 1 || text.charCodeAt(point) !== POINT) continue
    if (colon - point !== 7 && colon - point !== 10) continue
    const start = digitsBefore(text, point)
    if (start === point || !isWordStart(text, start)) continue
    const who = whoseFront(text, start, known, first === undefined)
    if (who === undefined) continue
    const ts = nanoseconds(text.slice(start, point), text.slice(point + 1, colon))
    const head = { who, ts, rest: text.slice(behindSpaces(text, colon + 1)) }
    if (who.tid !== undefined) return head
    first ??= head
  }
  return first
}

/** The thread that the text in front of a time names; an answer without a thread only if `any` is wanted. */
function whoseFront(text: string, end: number, known: Map<string, Who> | undefined, any: boolean): Who | undefined {
  if (known === undefined || end > LONGEST_FRONT) return whoBefore(text, end, any)
  const front = text.slice(0, end)
  const before = known.get(front)
  if (before !== undefined) return before
  const who = whoBefore(text, end, any)
  if (who?.tid !== undefined) known.set(front, who)
  return who
}

/** Whose a header is whose time begins here: comm, PID/TID or TID, [CPU] and misc end in front of it. */
function whoBefore(text: string, start: number, any: boolean): Who | undefined {
  let end = beforeSpaces(text, start)
  // Letters of `misc`, where a number stands in front of them.
  let letters = end
  while (letters > 0 && end - letters < 7 && isLetter(text.charCodeAt(letters - 1))) letters--
  if (letters < end && isWordStart(text, letters) && MISC.test(text.slice(letters, end))) {
    const before = beforeSpaces(text, letters)
    const last = before > 0 ? text.charCodeAt(before - 1) : SPACE
    if (last === CLOSE || isDigit(last)) end = before
  }
  let cpu: number | undefined
  if (end > 2 && text.charCodeAt(end - 1) === CLOSE) {
    const open = digitsBefore(text, end - 1)
    if (open < end - 1 && open > 0 && text.charCodeAt(open - 1) === OPEN && isWordStart(text, open - 1)) {
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
  return tid === undefined && !any ? undefined : { comm: commOf(text, end), pid, tid, cpu }
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
export function untimedHead(line: string, between: boolean): Head | undefined {
  const words = wordsOf(line)
  const none = { pid: undefined, tid: undefined, cpu: undefined }
  const upTo = (end: number) => commOf(line, end)
  const from = (word: Word | undefined) => (word === undefined ? '' : line.slice(word.start))
  const head = (who: Who, rest: string): Head => ({ who, ts: undefined, rest })
  for (const [i, { text, start }] of words.entries()) {
    const cpu = cpuOf(words[i + 1]?.text ?? '')
    const thread = cpu !== undefined || text.includes('/') ? threadOf(text) : undefined
    if (thread === undefined) continue
    return head({ ...thread, cpu, comm: upTo(start) }, from(words[cpu === undefined ? i + 1 : i + 2]))
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
  if (thread !== undefined && last !== undefined) {
    return head({ ...thread, cpu: undefined, comm: upTo(last.start) }, rest)
  }
  if (event >= 0 || period !== undefined) return head({ ...none, comm: upTo(last?.end ?? 0) }, rest)
  const comm = commOf(line, line.length) ?? ''
  return between && comm.length <= LONGEST_COMM && !/^@.*\[/.test(comm) ? head({ ...none, comm }, '') : undefined
}
