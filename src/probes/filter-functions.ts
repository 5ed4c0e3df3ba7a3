// available_filter_functions: the functions that ftrace can hook, as a set over the file's own bytes.
//
// A line is `name`, or `name [module]` (kernel/trace/ftrace.c t_show). The lines are hashed where they lie; nothing is
// turned into strings, because there are tens of thousands and a plan asks for few.

const NEWLINE = 0x0a
const SEED = 0x811c9dc5 | 0
const STEP = 0x01000193
/** Bytes that are read in one step: a millisecond or two. */
const STRETCH = 256 * 1024

/** One line of the list. */
export interface FilterLine {
  /** Where it begins, in bytes. */
  readonly at: number
  readonly name: string
  /** `vmlinux` for the core. */
  readonly module: string
}

/** The traceable functions by name and module. */
export class FilterFunctions {
  /** Number of lines. */
  readonly count: number
  readonly #text: Buffer
  /** Open addressing: start of a line + 1; 0 is empty. */
  readonly #slots: Uint32Array
  readonly #mask: number

  private constructor(text: Buffer, slots: Uint32Array, count: number) {
    this.#text = text
    this.#slots = slots
    this.#mask = slots.length - 1
    this.count = count
  }

  /** @param bytes the file's text */
  static *reading(bytes: Uint8Array): Generator<void, FilterFunctions, void> {
    const { length } = bytes
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, length)
    // A line has some 25 bytes, so that about half of the slots stay empty; a test holds lines of one byte.
    let slots = new Uint32Array(2 ** Math.ceil(Math.log2(Math.max(16, length / 12))))
    let count = 0
    for (let start = 0, stretch = STRETCH; start < length; stretch += STRETCH) {
      for (; start < Math.min(stretch, length); ) {
        if (count * 4 > slots.length * 3) slots = widened(text, slots)
        const end = enter(text, start, slots)
        if (end > start) count++
        start = end + 1
      }
      yield
    }
    return new FilterFunctions(text, slots, count)
  }

  /** How many functions of that name the module has (`vmlinux` for the core) that can be traced. */
  occurrences(name: string, module: string): number {
    const line = module === 'vmlinux' ? name : `${name} [${module}]`
    let hash = SEED
    for (let i = 0; i < line.length; i++) {
      const unit = line.charCodeAt(i)
      if (unit > 0x7f) return this.#search(Buffer.from(line, 'utf8')).length
      hash = Math.imul(hash ^ unit, STEP)
    }
    let found = 0
    for (let slot = home(hash, this.#mask); this.#slots[slot] !== 0; slot = (slot + 1) & this.#mask) {
      if (this.#equals(this.#slots[slot]! - 1, line)) found++
    }
    return found
  }

  /** Where the lines of that name and module begin, ascending. Searches the whole list. */
  positions(name: string, module: string): number[] {
    return this.#search(Buffer.from(module === 'vmlinux' ? name : `${name} [${module}]`, 'utf8'))
  }

  /** The lines before a position, the last first. */
  *before(position: number): Generator<FilterLine> {
    for (let end = position - 1; end > 0; ) {
      const start = this.#text.lastIndexOf(NEWLINE, end - 1) + 1
      if (start < end) yield this.#line(start, end)
      end = start - 1
    }
  }

  /** The lines behind the one at a position, the first first. */
  *behind(position: number): Generator<FilterLine> {
    let start = this.#endOf(position) + 1
    while (start < this.#text.length) {
      const end = this.#endOf(start)
      if (start < end) yield this.#line(start, end)
      start = end + 1
    }
  }

  #endOf(start: number): number {
    const end = this.#text.indexOf(NEWLINE, start)
    return end < 0 ? this.#text.length : end
  }

  #line(start: number, end: number): FilterLine {
    const [, name = '', module = 'vmlinux'] = /^(\S*)(?: \[(.+)\])?/.exec(this.#text.toString('utf8', start, end)) ?? []
    return { at: start, name, module }
  }

  #equals(start: number, line: string): boolean {
    const bytes = this.#text
    const end = start + line.length
    if (end > bytes.length || (end < bytes.length && bytes[end] !== NEWLINE)) return false
    for (let i = 0; i < line.length; i++) if (bytes[start + i] !== line.charCodeAt(i)) return false
    return true
  }

  #search(line: Buffer): number[] {
    const text = this.#text
    const found: number[] = []
    for (let at = text.indexOf(line); at >= 0; at = text.indexOf(line, at + 1)) {
      const end = at + line.length
      if ((at === 0 || text[at - 1] === NEWLINE) && (end === text.length || text[end] === NEWLINE)) found.push(at)
    }
    return found
  }
}

/** The same lines in four times the room. */
function widened(text: Buffer, slots: Uint32Array): Uint32Array<ArrayBuffer> {
  const wider = new Uint32Array(slots.length * 4)
  for (const slot of slots) if (slot !== 0) enter(text, slot - 1, wider)
  return wider
}

/** Enters the line that begins somewhere, unless it is empty, and returns where it ends. */
function enter(text: Buffer, start: number, slots: Uint32Array): number {
  let hash = SEED
  let end = start
  for (; end < text.length; end++) {
    const byte = text[end]!
    if (byte === NEWLINE) break
    hash = Math.imul(hash ^ byte, STEP)
  }
  if (end > start) insert(slots, start + 1, hash)
  return end
}

/** Where a hash's search begins; the multiplication spreads FNV's weak low bits. */
function home(hash: number, mask: number): number {
  return (Math.imul(hash, 0x9e3779b1) >>> 12) & mask
}

function insert(slots: Uint32Array, line: number, hash: number): void {
  const mask = slots.length - 1
  let slot = home(hash, mask)
  while (slots[slot] !== 0) slot = (slot + 1) & mask
  slots[slot] = line
}
