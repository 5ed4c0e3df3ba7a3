// The text that loggers put in front of the kernel's words: time since boot or of day, host, level, and who called printk; in the
// ways of dmesg, syslog, journald, /dev/kmsg, pstore, netconsole, test labs, Android and the makers of its chips.

import { digitsEnd, isBlank, isDigit, skipBlanks } from '../characters.ts'
import { isDateName, isTimeWord } from './date-words.ts'
import { EXPORTED, MESSAGE_KEYS, memberAt } from './journal.ts'

/** The prefix of a line. */
export interface Prefix {
  /** Where the kernel's words begin, their own indentation included. */
  readonly start: number
  /** Where they end: a JSON string, an escape sequence or a carriage return may stand behind. */
  readonly end: number
  /** The prefix is one that only the kernel's own words have: their time since boot, or their tag. */
  readonly kernel: boolean
  /** Nanoseconds since boot. */
  readonly ts: bigint | undefined
  /** The thread or CPU that printed the line, as the kernel's caller ids (`T123`, `C1`) or the maker's own. */
  readonly caller: string | undefined
}

/** How far into a line its prefix may reach. */
const REACH = 256

/**
 * Reads the prefix of the line that begins at `from`. Takes time for its first `REACH` characters at most, and for what it
 * skips at its end.
 */
export function readPrefix(text: string, from = 0, to = text.length): Prefix {
  const reader = new Reader(text, from, to)
  reader.read()
  return reader
}

/**
 * Where the next of several lines begins that came without line ends between them, as two printers at one console make
 * them and some who paste: at the next time since boot. The line's end if there is none.
 */
export function nextLine(text: string, from: number): number {
  for (let at = text.indexOf('[', from); at >= 0; at = text.indexOf('[', at + 1)) {
    if (stampOf(text, at) !== undefined) return at
  }
  return text.length
}

class Reader implements Prefix {
  start = 0
  end: number
  kernel = false
  ts: bigint | undefined
  caller: string | undefined
  readonly #text: string
  readonly #from: number

  constructor(text: string, from: number, to: number) {
    this.#text = text
    this.start = from
    this.#from = from
    this.end = to
  }

  read(): void {
    const text = this.#text
    if (text.charCodeAt(this.#from) === 123) this.#json()
    else if (text.startsWith(EXPORTED, this.#from)) this.start += EXPORTED.length
    this.#trim()
    const stamp = this.#stamp()
    if (stamp !== undefined) this.start = stamp
    else this.#peel()
    this.#callers()
  }

  /** JSON of journald, of containers and of collectors: the words are one of its strings. */
  #json(): void {
    const text = this.#text
    for (const key of MESSAGE_KEYS) {
      const value = memberAt(text, key, this.#from)
      if (text[value] !== '"') continue
      this.start = value + 1
      const close = text.indexOf('"', value + 1)
      this.end = close < 0 ? text.length : close
      while (text.endsWith('\\n', this.end) || text.endsWith('\\r', this.end)) this.end -= 2
      return
    }
  }

  /** Leaves out what is no word at the line's end. */
  #trim(): void {
    const text = this.#text
    for (;;) {
      while (this.end > this.start && isBlank(text.charCodeAt(this.end - 1))) this.end--
      const last = text.charCodeAt(this.end - 1)
      // `^M` as some terminals' logs have it, a syslog's `#015`, and the end of a colour.
      if (text.endsWith('^M', this.end)) this.end -= 2
      else if (text.endsWith('#015', this.end)) this.end -= 4
      else if (text.endsWith(PICTURES, this.end)) this.end -= PICTURES.length
      else if (last === 109 && this.#colour() > this.start) this.end = this.#colour()
      else if (last === 0) this.end--
      else return
    }
  }

  /** Where the escape sequence begins that ends the line, or -1. */
  #colour(): number {
    const from = Math.max(this.start, this.end - 8)
    const at = this.#text.slice(from, this.end).lastIndexOf('\x1b[')
    return at < 0 ? -1 : from + at
  }

  /** Behind the time since boot, wherever in the prefix it stands. */
  #stamp(): number | undefined {
    const text = this.#text
    const reach = Math.min(this.end, this.start + REACH)
    for (let at = text.indexOf('[', this.start); at >= 0 && at < reach; at = text.indexOf('[', at + 1)) {
      const end = this.#stampAt(at)
      if (end === undefined) continue
      // Two lines without a line end between: the first is what is read.
      return text.slice(this.start, at).includes('+0x') ? undefined : end
    }
    return undefined
  }

  #stampAt(open: number): number | undefined {
    const text = this.#text
    const stamp = stampOf(text, open)
    if (stamp === undefined) return undefined
    const { at, dot, stop, close } = stamp
    this.kernel = true
    if (text[at - 1] !== '+' && this.ts === undefined)
      this.ts = BigInt(text.slice(at, dot)) * 1_000_000_000n + BigInt(text.slice(dot + 1, stop).padEnd(9, '0'))
    this.#callerIn(stop, close)
    return close + 1
  }

  /** Takes away, piece by piece, what stands before the words of a line without a time since boot. */
  #peel(): void {
    const tag = this.#tag(this.start, REACH / 2)
    if (tag !== undefined) {
      this.start = tag
      return
    }
    for (let pieces = 0; pieces < 12; pieces++) {
      const next = this.#piece(skipBlanks(this.#text, this.start))
      if (next === undefined) return
      this.start = next
    }
  }

  /** Behind one piece of a prefix. */
  #piece(at: number): number | undefined {
    const text = this.#text
    const code = text.charCodeAt(at)
    if (code === 27) return this.#escape(at)
    if (code === 60) return this.#level(at)
    if (code === 62) return isBlank(text.charCodeAt(at + 1)) ? at + 2 : undefined
    if (code === 91) return this.#dated(at)
    const end = wordEnd(text, at)
    const word = text.slice(at, Math.min(end, at + 40))
    if (code === 40) {
      const close = within(text, ')', at)
      return close > 0 && /\d\d:\d\d:\d\d/.test(text.slice(at, close)) ? close + 1 : undefined
    }
    if (isDigit(code)) {
      const kmsg = this.#kmsg(at)
      if (kmsg !== undefined) return kmsg
    }
    if (FACILITIES.has(word)) return this.#facility(end)
    if (isTimeWord(word)) {
      const next = skipBlanks(text, end)
      // What is left between a date's words is one blank; more belong to the words behind it.
      return isDateName(word) ? next : end + (isBlank(text.charCodeAt(end)) ? 1 : 0)
    }
    // A service's name, as containers' logs have it.
    const bar = skipBlanks(text, end)
    if (end > at && bar > end && text[bar] === '|' && at === this.#from) {
      return bar + (text[bar + 1] === ' ' ? 2 : 1)
    }
    return undefined
  }

  /** `ESC [ 0 ; 1 m`. */
  #escape(at: number): number | undefined {
    const text = this.#text
    if (text[at + 1] !== '[') return undefined
    let end = at + 2
    while (end - at < 16 && (isDigit(text.charCodeAt(end)) || text[end] === ';')) end++
    const last = text[end]
    return last === 'm' || last === 'K' ? end + 1 : undefined
  }

  /** `<4>`. */
  #level(at: number): number | undefined {
    const text = this.#text
    const end = digitsEnd(text, at + 1)
    return end > at + 1 && end - at <= 4 && text[end] === '>' ? end + 1 : undefined
  }

  /** A bracket with a date or a time of day in it. */
  #dated(at: number): number | undefined {
    const text = this.#text
    const close = within(text, ']', at)
    if (close < 0) return undefined
    const words = text.slice(at + 1, close)
    const time = /\d\d:\d\d/.test(words) || /^\d{4}-\d\d-\d\d/.test(words)
    if (KERNELS_CALLER.test(words.trim())) this.#callerIn(at + 1, close)
    else if (!time || words.includes('+0x')) return undefined
    return close + 1 + (text[close + 1] === ' ' ? 1 : 0)
  }

  /** `4,1234,12345678,-,caller=T1;` of /dev/kmsg, and with the release in front of netconsole's. */
  #kmsg(at: number): number | undefined {
    const text = this.#text
    const semicolon = within(text, ';', at, 128)
    if (semicolon < 0) return undefined
    const fields = text.slice(at, semicolon).split(',')
    if (fields[0]?.includes('.')) fields.shift()
    const [level = '', sequence = '', time = '', ...rest] = fields
    if (!isNumber(level) || !isNumber(sequence) || !isNumber(time) || rest.length === 0) return undefined
    this.kernel = true
    this.ts = BigInt(time) * 1000n
    for (const field of rest) if (field.startsWith('caller=')) this.caller = field.slice(7)
    return semicolon + 1
  }

  /** `:warn  : ` behind a facility, as dmesg -x prints. */
  #facility(at: number): number | undefined {
    const text = this.#text
    let end = skipBlanks(text, at)
    if (text[end] !== ':') return undefined
    end = wordEnd(text, end + 1)
    end = skipBlanks(text, end)
    return text[end] === ':' ? end + 1 + (text[end + 1] === ' ' ? 1 : 0) : undefined
  }

  /** Behind the tag `kernel:`, with or without a number, as syslog, journald and logcat have it. */
  #tag(from: number, reach: number): number | undefined {
    const text = this.#text
    const near = text.slice(from, from + reach)
    for (const name of TAGS) {
      const found = from + near.indexOf(name)
      if (found < from) continue
      if (found > this.#from && !'./] '.includes(text[found - 1] ?? '')) continue
      let at = skipBlanks(text, found + name.length)
      const open = text[at]
      if (open === '(' || open === '[') {
        const close = within(text, open === '(' ? ')' : ']', at)
        if (close < 0) continue
        at = skipBlanks(text, close + 1)
      }
      // `kernel: BUG at …` is the kernel's own only where a date or a host stands before.
      if (text[at] === ':' && (isBlank(text.charCodeAt(at + 1)) || at + 1 >= this.end)) {
        this.kernel = true
        return at + 1
      }
    }
    return undefined
  }

  /** Takes away what stands between the time and the words, and the one blank that printk puts there. */
  #callers(): void {
    const text = this.#text
    if (this.start === this.#from) return
    for (let pieces = 0; pieces < 6; pieces++) {
      const at = text.charCodeAt(this.start) === 32 ? skipBlanks(text, this.start) : this.start
      const next = this.#caller(at) ?? (pieces === 0 ? this.#hostAndTag() : undefined)
      if (next === undefined) break
      this.start = next
    }
    if (text.charCodeAt(this.start) === 32) this.start++
    if (this.start > this.end) this.start = this.end
  }

  #hostAndTag(): number | undefined {
    return this.#tag(this.start, 80)
  }

  /** Behind what says who printed. */
  #caller(at: number): number | undefined {
    const text = this.#text
    const code = text.charCodeAt(at)
    if (code === 27) return this.#escape(at)
    if (code === 60) return this.#level(at)
    if (code === 91) return this.#stampAt(at) ?? this.#bracketed(at)
    // MediaTek: `(1)[123:name]`, `-(1)[123:name]`; Spreadtrum: `c1   4711 `; Samsung: `I[1:  name: 4711]`.
    const open = code === 45 ? at + 1 : at
    if (text[open] === '(') {
      const close = digitsEnd(text, open + 1)
      if (close === open + 1 || text[close] !== ')') return undefined
      this.caller = text.slice(open, close + 1)
      return close + 1
    }
    if (code === 99 && isDigit(text.charCodeAt(at + 1))) {
      const end = digitsEnd(text, at + 1)
      if (text[end] !== ' ') return undefined
      const pid = skipBlanks(text, end)
      const stop = digitsEnd(text, pid)
      if (stop === pid || text[stop] !== ' ') return end
      this.caller = text.slice(at, stop)
      return stop
    }
    if (code === 58 && text[at - 1] === ']') return at + 1
    if (code >= 65 && code <= 90) {
      const bracket = skipBlanks(text, digitsEnd(text, at + 1))
      if (text[bracket] === '[') return this.#bracketed(bracket)
    }
    return undefined
  }

  /** `[  T123]`, `[    C1]`, `[123:name]`, `[1:  name: 123]`, `[pid:1,cpu0,name]`, and times in brackets. */
  #bracketed(open: number): number | undefined {
    const text = this.#text
    const close = within(text, ']', open)
    if (close < 0) return undefined
    const words = text.slice(open + 1, close).trim()
    const kernels = KERNELS_CALLER.test(words)
    if (!kernels && (words.includes('+0x') || words.includes('<') || words.includes(' ['))) return undefined
    const colon = words.indexOf(':')
    if (!kernels && colon < 0 && !/^\d{1,7}$/.test(words)) return undefined
    if (!kernels && !/\d/.test(words)) return undefined
    if (!/\d\d:\d\d/.test(words) || kernels) this.#callerIn(open + 1, close)
    return close + 1
  }

  #callerIn(start: number, end: number): void {
    const words = this.#text.slice(start, end).trim()
    if (KERNELS_CALLER.test(words) || (words.includes(':') && /\d/.test(words))) this.caller = words
  }
}

/**
 * The places in `[   12.345678]`, `[   12.345678@1]`, `[   12.345678 <    0.000003>]`, `[   12.345678,0]`, `[  +0.000003]`: of the
 * seconds, the point, what follows the time, and the bracket.
 */
function stampOf(text: string, open: number): { at: number; dot: number; stop: number; close: number } | undefined {
  let at = skipBlanks(text, open + 1)
  if (text[at] === '+') at++
  const dot = digitsEnd(text, at)
  if (dot === at || dot - at > 10 || text[dot] !== '.') return undefined
  const stop = digitsEnd(text, dot + 1)
  if (stop - dot < 2 || stop - dot > 10) return undefined
  const close = within(text, ']', stop)
  return close < 0 ? undefined : { at, dot, stop, close }
}

/** Some terminals write pictures of CR and LF: U+240D and U+240A in UTF-8. */
const PICTURES = '\xe2\x90\x8d\xe2\x90\x8a'
/** A caller as printk itself names it, with CONFIG_PRINTK_CALLER. */
const KERNELS_CALLER = /^[TC]\d{1,10}$/
const TAGS = ['kernel', 'KERNEL', 'klogd', 'vmunix']
const FACILITIES = new Set(['kern', 'user', 'daemon', 'syslog'])
/** Where a character is within the next ones, or -1. */
function within(text: string, character: string, from: number, most = 48): number {
  const end = Math.min(text.length, from + most)
  for (let at = from; at < end; at++) if (text[at] === character) return at
  return -1
}

function isNumber(text: string): boolean {
  return text.length > 0 && text.length <= 20 && digitsEnd(text, 0) === text.length
}

function wordEnd(text: string, from: number): number {
  let at = from
  while (at < text.length && at - from < 64 && !isBlank(text.charCodeAt(at))) at++
  return at
}
