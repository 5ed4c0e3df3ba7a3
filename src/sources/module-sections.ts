// Where modules' sections begin, as captures list them: tens of thousands of lines, read byte by byte, because a string for each costs
// five times as much.

/** Where the sections of a module begin, as columns: which of `names` each has, and the halves of its address. */
export interface ModuleSections {
  readonly names: readonly string[]
  readonly name: Uint16Array
  readonly high: Uint32Array
  readonly low: Uint32Array
}

/** The sections of all modules. */
class Columns implements ModuleSections {
  readonly names: readonly string[]
  name: Uint16Array
  high: Uint32Array
  low: Uint32Array

  constructor(names: readonly string[], room: number) {
    this.names = names
    this.name = new Uint16Array(room)
    this.high = new Uint32Array(room)
    this.low = new Uint32Array(room)
  }

  set(row: number, name: number, high: number, low: number): void {
    if (row === this.name.length) this.#grow()
    this.name[row] = name
    this.high[row] = high
    this.low[row] = low
  }

  #grow(): void {
    const { name, high, low } = this
    const room = 2 * name.length
    this.name = new Uint16Array(room)
    this.high = new Uint32Array(room)
    this.low = new Uint32Array(room)
    this.name.set(name)
    this.high.set(high)
    this.low.set(low)
  }
}

/**
 * The sections of one module, rows [from, to) of those of all. There are thousands of modules: the columns are arrays of their own only
 * while somebody looks at them.
 */
class OwnSections implements ModuleSections {
  readonly #all: ModuleSections
  readonly #from: number
  readonly #to: number

  constructor(all: ModuleSections, from: number, to: number) {
    this.#all = all
    this.#from = from
    this.#to = to
  }

  get names(): readonly string[] {
    return this.#all.names
  }

  get name(): Uint16Array {
    return this.#all.name.subarray(this.#from, this.#to)
  }

  get high(): Uint32Array {
    return this.#all.high.subarray(this.#from, this.#to)
  }

  get low(): Uint32Array {
    return this.#all.low.subarray(this.#from, this.#to)
  }
}

/** Bytes of a line of sections, rather less than real ones have: by it the columns are made, which grow where that is too much. */
const USUAL_LINE = 24
/** Different names of sections: hundreds on a kernel with thousands of modules. */
const MOST_NAMES = 65_536
/** Names that are known again by a hash; those with the same hash take turns, which costs time only. */
const KNOWN = 1024

const NEWLINE = 0x0a
const BLANK = 0x20
const ZERO = 0x30
const LOWER_X = 0x78
const MOST_DIGITS = 16
const NO_DIGIT = 255

/** The value of a hexadecimal digit, by its byte. */
const DIGITS = new Uint8Array(256).fill(NO_DIGIT)
for (const [value, digit] of [...'0123456789abcdef'].entries()) {
  DIGITS[digit.charCodeAt(0)] = value
  DIGITS[digit.toUpperCase().charCodeAt(0)] = value
}

/** Names by number. A name is looked for by its bytes; a string is made of it when it has not just been seen. */
class Names {
  readonly list: string[] = []
  readonly #text: Buffer
  readonly #numbers = new Map<string, number>()
  /** By hash: where a name was last seen, and its number. */
  readonly #at = new Uint32Array(KNOWN)
  readonly #length = new Uint32Array(KNOWN)
  readonly #number = new Uint16Array(KNOWN)

  constructor(text: Buffer) {
    this.#text = text
  }

  /** The number of the name at [from, to); -1 where there are too many. */
  numberOf(from: number, to: number, hash: number): number {
    const slot = hash & (KNOWN - 1)
    const length = to - from
    if (length > 0 && this.#length[slot] === length && this.#isSame(this.#at[slot]!, from, length)) {
      return this.#number[slot]!
    }
    const name = this.#text.toString('latin1', from, to)
    let number = this.#numbers.get(name)
    if (number === undefined) {
      if (this.list.length === MOST_NAMES) return -1
      number = this.list.push(name) - 1
      this.#numbers.set(name, number)
    }
    this.#at[slot] = from
    this.#length[slot] = length
    this.#number[slot] = number
    return number
  }

  #isSame(a: number, b: number, length: number): boolean {
    for (let i = 0; i < length; i++) if (this.#text[a + i] !== this.#text[b + i]) return false
    return true
  }
}

/**
 * The sections of each module, from lines `MODULE SECTION 0xADDRESS` as captures have them, a module's behind each other. Lines
 * of another form are left out, and so are addresses of zero, which the kernel shows to users who may not see them.
 */
export function parseModuleSections(text: Buffer): Map<string, ModuleSections> {
  const names = new Names(text)
  const all = new Columns(names.list, Math.ceil(text.length / USUAL_LINE))
  const modules = new Map<string, ModuleSections>()
  let count = 0
  /** The module at hand: its first row, and where its name stands with the blank behind it. */
  let from = 0
  let moduleStart = 0
  let moduleEnd = 0
  const endModule = () => {
    if (count === from) return
    const module = text.toString('latin1', moduleStart, moduleEnd - 1)
    if (!modules.has(module)) modules.set(module, new OwnSections(all, from, count))
    from = count
  }
  for (let at = 0, end = 0; at < text.length; at = end + 1) {
    let start = at
    for (let i = moduleStart; i < moduleEnd && text[start] === text[i]; i++) start++
    const isNext = moduleEnd === 0 || start - at < moduleEnd - moduleStart
    if (isNext) {
      start = at
      while (start < text.length && text[start] !== BLANK && text[start] !== NEWLINE) start++
      if (text[start] === BLANK) start++
    }
    // The section's name ends where an address begins.
    let blank = start
    let hash = 0
    while (blank < text.length && text[blank] !== NEWLINE) {
      if (text[blank] === BLANK && text[blank + 1] === ZERO && text[blank + 2] === LOWER_X) break
      hash = (Math.imul(hash, 31) + text[blank++]!) | 0
    }
    end = blank
    if (text[end] === BLANK) end += 3
    const digits = end
    let upper = 0
    let lower = 0
    for (; end < text.length && text[end] !== NEWLINE; end++) {
      const digit = DIGITS[text[end]!]!
      if (digit === NO_DIGIT) break
      upper = (upper << 4) | (lower >>> 28)
      lower = (lower << 4) | digit
    }
    const isLine = start > at && digits > blank && end > digits && end - digits <= MOST_DIGITS
    const isWhole = end >= text.length || text[end] === NEWLINE
    while (end < text.length && text[end] !== NEWLINE) end++
    if (!isLine || !isWhole || (upper | lower) === 0) continue
    if (isNext) {
      endModule()
      moduleStart = at
      moduleEnd = start
    }
    const number = names.numberOf(start, blank, hash)
    if (number < 0) continue
    all.set(count++, number, upper, lower)
  }
  endModule()
  return modules
}
