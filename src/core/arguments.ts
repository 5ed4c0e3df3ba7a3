// Arguments as programs give them, most of them without types: checked where they come in, by the checks of this file, and refused
// in the same words everywhere: what was given, what it may be, and what was probably meant.

import { KerndexError, UsageError } from './errors.ts'

/** Gives an argument as the library uses it, or throws. `name` is what the argument or option is called. @throws UsageError */
export type Check<T> = (value: unknown, name: string) => T

/** A check for every option that there is: one that is added without a check does not compile. */
export type Options<T> = { readonly [K in keyof Required<T>]: Check<Exclude<T[K], undefined>> }

/** Letters of a given text that an error repeats. */
const MOST_REPEATED = 60

/** The error for an argument that is not what it has to be. */
export function wrong(name: string, expected: string, value: unknown, hint = ''): UsageError {
  return new UsageError(`${name} must be ${expected}, not ${inWords(value)}${hint}`)
}

/** A value in words, for an error. */
function inWords(value: unknown): string {
  switch (typeof value) {
    case 'string': {
      const text = JSON.stringify(value.length > MOST_REPEATED ? `${value.slice(0, MOST_REPEATED)}…` : value)
      return value === '' ? 'an empty text' : text
    }
    case 'number':
    case 'bigint':
    case 'boolean':
      return `the ${typeof value} ${value}`
    case 'undefined':
      return 'undefined'
    case 'object': {
      if (value === null) return 'null'
      const name = Object.getPrototypeOf(value)?.constructor?.name
      return typeof name === 'string' && name !== '' ? `${/^[AEIOU]/.test(name) ? 'an' : 'a'} ${name}` : 'an object'
    }
    default:
      return `a ${typeof value}`
  }
}

/** A text. */
export function text(value: unknown, name: string): string {
  if (typeof value !== 'string') throw wrong(name, 'a string', value)
  return value
}

/** A name, which is never empty. */
export function nameText(value: unknown, name: string): string {
  if (typeof value !== 'string' || value === '') throw wrong(name, 'a name', value)
  return value
}

/** true or false. */
export function flag(value: unknown, name: string): boolean {
  if (typeof value !== 'boolean') throw wrong(name, 'true or false', value)
  return value
}

/** Any number that is one. */
export function number(value: unknown, name: string): number {
  if (typeof value !== 'number' || Number.isNaN(value)) throw wrong(name, 'a number', value)
  return value
}

/** A whole number within bounds. */
export function whole(from: number, to: number): Check<number> {
  const expected =
    to === Number.MAX_SAFE_INTEGER ? `a whole number from ${from}` : `a whole number from ${from} to ${to}`
  return (value, name) => {
    if (typeof value !== 'number' || !Number.isInteger(value) || value < from || value > to) {
      throw wrong(name, expected, value)
    }
    return value
  }
}

/** A whole number that is not negative. */
export const count = whole(0, Number.MAX_SAFE_INTEGER)

/** A whole number of 64 bits. */
export function bigint(value: unknown, name: string): bigint {
  if (typeof value !== 'bigint') throw wrong(name, 'a bigint', value)
  return value
}

/** An address. */
export function address(value: unknown, name = 'address'): bigint {
  if (typeof value !== 'bigint') throw wrong(name, 'a bigint, such as 0xffffffff81000000n', value)
  if (value < 0n || value > 0xffff_ffff_ffff_ffffn) throw wrong(name, 'an address, from 0 to 2^64 - 1', value)
  return value
}

/** Something to call. */
export function callback<T>(value: unknown, name: string): T {
  if (typeof value !== 'function') throw wrong(name, 'a function', value)
  // The type of its parameters and of its result can only be known by calling it.
  return value as T
}

/** A signal that ends work. */
export function signal(value: unknown, name: string): AbortSignal {
  // Other realms have an AbortSignal of their own.
  if (value instanceof AbortSignal) return value
  if (!isObject(value) || typeof value.aborted !== 'boolean' || typeof value.addEventListener !== 'function') {
    throw wrong(name, 'an AbortSignal', value)
  }
  return value as unknown as AbortSignal
}

/** A path, as a text or as a URL of a file. */
export function path(value: unknown, name: string): string {
  const given = value instanceof URL ? pathOfUrl(value, name) : value
  if (typeof given !== 'string' || given === '' || given.includes('\0')) {
    throw wrong(name, 'a path, or a URL that begins with file:', value)
  }
  return given
}

/** The path of a `file:` URL, whose letters may be written as %XX; `fileURLToPath` would have node:url read by every program. */
function pathOfUrl(url: URL, name: string): string {
  try {
    if (url.protocol === 'file:' && url.hostname === '') return decodeURIComponent(url.pathname)
  } catch {
    // It is no text with letters written as %XX.
  }
  throw new UsageError(
    `${name} must be a path, or a URL that begins with file:///, not ${url.href.slice(0, MOST_REPEATED)}`,
  )
}

/** One of some words, in any case. */
export function choice<T extends string>(...words: readonly T[]): Check<T> {
  return (value, name) => {
    if (typeof value === 'string') {
      for (const word of words) if (word === value) return word
      const lower = value.toLowerCase()
      for (const word of words) if (word.toLowerCase() === lower) return word
    }
    throw wrong(name, oneOf(words), value, typeof value === 'string' ? meant(value, words) : '')
  }
}

/** A list whose elements pass a check. `elements` is what they are called. */
export function listOf<T>(element: Check<T>, elements: string): Check<readonly T[]> {
  return (value, name) => {
    if (!Array.isArray(value)) throw wrong(name, `a list of ${elements}`, value)
    const list: readonly unknown[] = value
    // Most lists are taken as they are.
    let changed: T[] | undefined
    for (let i = 0; i < list.length; i++) {
      const given = list[i]
      const taken = element(given, `${name}[${i}]`)
      if (changed === undefined && taken !== given) changed = list.slice(0, i) as T[]
      changed?.push(taken)
    }
    return changed ?? (list as readonly T[])
  }
}

/** Exactly this value. */
export function exactly<T>(wanted: T): Check<T> {
  return (value, name) => {
    if (value !== wanted) throw wrong(name, String(wanted), value)
    return wanted
  }
}

/** One of these values, or what the first of several checks passes; the last is the one for objects. `expected` says what all of them take. */
export function anyOf<T>(expected: string, values: readonly T[], ...checks: readonly Check<T>[]): Check<T> {
  return (value, name) => {
    for (const known of values) if (value === known) return known
    const last = checks.at(-1)
    // The error of a member says more than that the object is wrong.
    if (isObject(value) && last !== undefined) return last(value, name)
    for (const check of checks) {
      try {
        return check(value, name)
      } catch (error) {
        if (!(error instanceof KerndexError)) throw error
      }
    }
    throw wrong(name, expected, value)
  }
}

/** An object of a class. `expected` says which, and where to get one. */
export function instance<T>(kind: abstract new (...args: never[]) => T, expected: string): Check<T> {
  return (value, name) => {
    if (!(value instanceof kind)) throw wrong(name, expected, value)
    return value
  }
}

/** Bytes. */
export const bytes: Check<Uint8Array> = instance(Uint8Array, 'a Uint8Array')

/** An object with these members, of which the rest is not looked at. */
export function like<T extends object>(members: Partial<Options<T>>, expected: string): Check<T> {
  return (value, name) => {
    if (!isObject(value)) throw wrong(name, expected, value)
    for (const key in members) {
      try {
        members[key]?.(value[key], key)
      } catch (error) {
        throw error instanceof UsageError ? new UsageError(`${name} must be ${expected}: ${error.message}`) : error
      }
    }
    return value as T
  }
}

/** Something that hands out elements one by one. */
export function iterable<T>(expected: string): Check<Iterable<T>> {
  return (value, name) => {
    if (!isObject(value) || typeof Reflect.get(value, Symbol.iterator) !== 'function')
      throw wrong(name, expected, value)
    return value as unknown as Iterable<T>
  }
}

/** A stream of bytes. */
export function byteStream(value: unknown, name: string): AsyncIterable<Uint8Array> {
  if (!isObject(value) || typeof Reflect.get(value, Symbol.asyncIterator) !== 'function') {
    throw wrong(name, 'a stream of bytes, such as process.stdin', value)
  }
  return value as unknown as AsyncIterable<Uint8Array>
}

/**
 * Options as they are given: an object with none but the options that there are, each of which passes its check. What is
 * undefined is not given. The caller's own object comes back where all of it is taken as it is.
 * @throws UsageError
 */
export function options<T extends object>(value: T | undefined, of: string, checks: Options<T>): T {
  if (value === undefined) return {} as T // No option has to be given.
  if (!isObject(value) || Array.isArray(value)) throw wrong(`the options of ${of}`, 'an object', value)
  for (const key in value) if (!Object.hasOwn(checks, key)) throw unknownOption(of, key, Object.keys(checks))
  let taken: Record<string, unknown> = value
  for (const key in checks) {
    const given = taken[key]
    if (given === undefined) continue
    const used = checks[key](given, key)
    if (used === given) continue
    if (taken === value) taken = { ...value }
    taken[key] = used
  }
  return taken as T
}

/** An option that is itself an object of options. */
export function nested<T extends object>(checks: Options<T>): Check<T> {
  return (value, name) => {
    if (!isObject(value) || Array.isArray(value)) throw wrong(name, 'an object', value)
    return options(value as T, name, checks)
  }
}

function unknownOption(of: string, key: string, known: readonly string[]): UsageError {
  return new UsageError(`${of} has no option ${JSON.stringify(key)}${meant(key, known)}; it takes ${known.join(', ')}`)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

function oneOf(words: readonly string[]): string {
  const quoted = words.map((word) => `'${word}'`)
  return quoted.length === 1 ? quoted[0]! : `${quoted.slice(0, -1).join(', ')} or ${quoted.at(-1)}`
}

/** The word that was probably meant, as the end of an error; empty if none is near. */
export function meant(given: string, words: readonly string[]): string {
  let best: string | undefined
  // As far off as a slip in a word of that length.
  let least = Math.min(3, Math.ceil(given.length / 2))
  if (given.length > MOST_REPEATED) return ''
  for (const word of words) {
    const away = distance(given.toLowerCase(), word.toLowerCase())
    if (away < least) {
      best = word
      least = away
    }
  }
  return best === undefined ? '' : `; did you mean ${JSON.stringify(best)}?`
}

/** Letters to add, take away, change or swap to make one word of another (Damerau's and Levenshtein's distance). */
function distance(a: string, b: string): number {
  const rows = [Array.from({ length: b.length + 1 }, (_, k) => k)]
  for (let i = 1; i <= a.length; i++) {
    const above = rows[i - 1]!
    const row = [i]
    for (let k = 1; k <= b.length; k++) {
      const swapped = i > 1 && k > 1 && a[i - 1] === b[k - 2] && a[i - 2] === b[k - 1]
      row[k] = Math.min(
        above[k]! + 1,
        row[k - 1]! + 1,
        above[k - 1]! + (a[i - 1] === b[k - 1] ? 0 : 1),
        swapped ? rows[i - 2]![k - 2]! + 1 : Number.POSITIVE_INFINITY,
      )
    }
    rows.push(row)
  }
  return rows[a.length]![b.length]!
}
