// The grammar of probe specifications: text to its parts, with errors that name the column.
//
//   spec     = [ kind ":" ] ( [ module ":" ] function [ "+" offset ] | address )
//   kind     = kprobe | kretprobe | fentry | fexit | fmod_ret | entry | return   (kfunc = fentry, kretfunc = fexit)
//   address  = "0x" 1–16 hexadecimal digits
//
// Module and function may be globs (`*`, `?`, `[a-z]`). `vmlinux` is the core kernel. Without a kind: `entry`.

import { text as checkText } from '../core/arguments.ts'
import { isGlob } from '../core/glob.ts'
import { type AskedKind, isTrampoline, SPELLINGS } from './kinds.ts'
import { SpecError } from './spec-error.ts'

/** A specification in its parts. */
export interface ProbeSpec {
  /** As it was given. */
  readonly text: string
  readonly kind: AskedKind
  /** The module's name or glob; undefined: any. */
  readonly module: string | undefined
  /** The function's name or glob; empty where an address is given. */
  readonly function: string
  /** Bytes from the function's start. */
  readonly offset: number
  readonly address: bigint | undefined
}

/** The longest name that the kernel's symbol table holds (KSYM_NAME_LEN, include/linux/kallsyms.h). */
const LONGEST_NAME = 511
/** Bytes: no function is larger, and offsets stay numbers. */
const MOST_OFFSET = 0x7fff_ffff

/**
 * Reads a specification.
 * @throws SpecError with the column and what was expected there
 */
export function parseSpec(text: string): ProbeSpec {
  if (typeof text !== 'string') checkText(text, 'a specification')
  let at = 0
  let kind: AskedKind = 'entry'
  const firstColon = text.indexOf(':')
  const head = firstColon < 0 ? '' : text.slice(0, firstColon)
  const known = SPELLINGS.get(head.toLowerCase())
  if (known !== undefined) {
    kind = known
    at = firstColon + 1
  } else if (firstColon >= 0) {
    const kinds = [...SPELLINGS.keys()].join(', ')
    const what = head === '' ? JSON.stringify(':') : JSON.stringify(head)
    throw new SpecError(
      text,
      1,
      `a kind of probe (${kinds}); a module is named behind it, as in entry:module:name`,
      what,
    )
  }

  let module: string | undefined
  const colon = text.indexOf(':', at)
  if (colon >= 0) {
    const third = text.indexOf(':', colon + 1)
    if (third >= 0) throw new SpecError(text, third + 1, 'no third ":": a specification is kind:module:function')
    module = readName(
      text,
      at,
      colon,
      'a module name',
      /[A-Za-z0-9_]/,
      '"_": the kernel has it in place of "-" in the names of modules',
    )
    at = colon + 1
  }

  const address = readAddress(text, at, module, kind)
  if (address !== undefined) return { text, kind, module, function: '', offset: 0, address }

  const plus = indexOutsideClass(text, '+', at)
  const end = plus < 0 ? text.length : plus
  const name = readName(
    text,
    at,
    end,
    'a function name',
    /[A-Za-z0-9_.$@]/,
    'the end, or "+": offsets are never negative',
  )
  const offset = plus < 0 ? 0 : readOffset(text, plus, kind, name)
  return { text, kind, module, function: name, offset, address: undefined }
}

function readAddress(text: string, at: number, module: string | undefined, kind: AskedKind): bigint | undefined {
  if (!/^0x/i.test(text.slice(at))) return undefined
  if (module !== undefined) throw new SpecError(text, at + 1, 'a function name: an address needs no module')
  if (isTrampoline(kind)) throw new SpecError(text, at + 1, `a function name: ${kind} finds its address by name`)
  const digits = /^[0-9a-f]*/i.exec(text.slice(at + 2))![0]
  if (digits.length === 0) throw new SpecError(text, at + 3, 'a hexadecimal digit')
  if (digits.length > 16) throw new SpecError(text, at + 2 + 17, 'at most 16 hexadecimal digits')
  const end = at + 2 + digits.length
  if (end < text.length) throw new SpecError(text, end + 1, 'a hexadecimal digit or the end')
  return BigInt(`0x${digits}`)
}

/** @param dash what is expected in place of a `-` */
function readName(text: string, from: number, to: number, what: string, allowed: RegExp, dash: string): string {
  if (from === to) throw new SpecError(text, from + 1, what)
  for (let i = from; i < to; i++) {
    const char = text[i]!
    if (char === '*' || char === '?') continue
    if (char === '[') {
      const close = text.indexOf(']', /[!^]/.test(text[i + 1] ?? '') ? i + 3 : i + 2)
      if (close < 0 || close >= to) throw new SpecError(text, i + 1, 'a "]" for this "["', '"[" alone')
      checkRanges(text, i + 1, close)
      i = close
      continue
    }
    // Names beyond ASCII exist where tables are made by others than the kernel's build.
    if (!allowed.test(char) && char <= '\x7f') {
      throw new SpecError(text, i + 1, char === '-' ? dash : `a character of ${what}`)
    }
  }
  if (to - from > LONGEST_NAME) throw new SpecError(text, from + 1, `${what} of at most ${LONGEST_NAME} characters`)
  return text.slice(from, to)
}

/** A range whose end is below its start matches nothing, which nobody means. */
function checkRanges(text: string, from: number, to: number): void {
  const first = /[!^]/.test(text[from] ?? '') ? from + 1 : from
  for (let i = first + 1; i + 1 < to; i++) {
    if (text[i] !== '-') continue
    if (text[i - 1]! > text[i + 1]!) {
      throw new SpecError(text, i + 2, `a character from ${JSON.stringify(text[i - 1])} on: the range is empty`)
    }
    i++
  }
}

function readOffset(text: string, plus: number, kind: AskedKind, name: string): number {
  if (isTrampoline(kind)) throw new SpecError(text, plus + 1, `the end: ${kind} takes no offset`)
  if (isGlob(name)) throw new SpecError(text, plus + 1, 'the end: an offset needs one exact function, not a glob')
  const digits = /^(?:0x[0-9a-f]+|\d+)/i.exec(text.slice(plus + 1))?.[0]
  if (digits === undefined) throw new SpecError(text, plus + 2, 'an offset: decimal, or hexadecimal with 0x')
  const end = plus + 1 + digits.length
  if (end < text.length) throw new SpecError(text, end + 1, 'a digit of the offset or the end')
  const offset = Number(digits)
  if (offset > MOST_OFFSET) throw new SpecError(text, plus + 2, `an offset of at most ${MOST_OFFSET}`, digits)
  return offset
}

function indexOutsideClass(text: string, wanted: string, from: number): number {
  for (let i = from; i < text.length; i++) {
    if (text[i] === wanted) return i
    if (text[i] === '[') {
      const close = text.indexOf(']', i + 2)
      if (close > 0) i = close
    }
  }
  return -1
}
