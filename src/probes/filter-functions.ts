// available_filter_functions: the functions that ftrace can hook, as a set over the file's own bytes.
//
// A line is `name`, or `name [module]` (kernel/trace/ftrace.c t_show). The lines are hashed where they lie; nothing is
// turned into strings, because there are tens of thousands and a plan asks for few.

const NEWLINE = 0x0a
const SEED = 0x811c9dc5 | 0
const STEP = 0x01000193

/** The traceable functions by name and module. */
export class FilterFunctions {
  /** Number of lines. */
  readonly count: number
  readonly #bytes: Uint8Array
  /** Open addressing: start of a line + 1; 0 is empty. */
  readonly #slots: Uint32Array
  readonly #mask: number

  /** @param bytes the file's text */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    const { length } = bytes
    // A line has some 25 bytes, so that about half of the slots stay empty; a test holds lines of one byte.
    let slots = new Uint32Array(2 ** Math.ceil(Math.log2(Math.max(16, length / 12))))
    let count = 0
    for (let start = 0; start < length; ) {
      let hash = SEED
      let end = start
      for (; end < length; end++) {
        const byte = bytes[end]!
        if (byte === NEWLINE) break
        hash = Math.imul(hash ^ byte, STEP)
      }
      if (end > start) {
        if (count * 4 > slots.length * 3) slots = this.#widen(slots)
        insert(slots, start + 1, hash)
        count++
      }
      start = end + 1
    }
    this.count = count
    this.#slots = slots
    this.#mask = slots.length - 1
  }

  /** How many functions of that name the module has (`vmlinux` for the core) that can be traced. */
  occurrences(name: string, module: string): number {
    const line = module === 'vmlinux' ? name : `${name} [${module}]`
    let hash = SEED
    for (let i = 0; i < line.length; i++) {
      const unit = line.charCodeAt(i)
      if (unit > 0x7f) return this.#rare(Buffer.from(line, 'utf8'))
      hash = Math.imul(hash ^ unit, STEP)
    }
    let found = 0
    for (let slot = home(hash, this.#mask); this.#slots[slot] !== 0; slot = (slot + 1) & this.#mask) {
      if (this.#equals(this.#slots[slot]! - 1, line)) found++
    }
    return found
  }

  /** The same lines in four times the room. */
  #widen(slots: Uint32Array) {
    const wider = new Uint32Array(slots.length * 4)
    for (const slot of slots) {
      if (slot === 0) continue
      let hash = SEED
      for (let at = slot - 1; at < this.#bytes.length && this.#bytes[at] !== NEWLINE; at++) {
        hash = Math.imul(hash ^ this.#bytes[at]!, STEP)
      }
      insert(wider, slot, hash)
    }
    return wider
  }

  #equals(start: number, line: string): boolean {
    const bytes = this.#bytes
    const end = start + line.length
    if (end > bytes.length || (end < bytes.length && bytes[end] !== NEWLINE)) return false
    for (let i = 0; i < line.length; i++) if (bytes[start + i] !== line.charCodeAt(i)) return false
    return true
  }

  /** A name beyond ASCII: there is hardly any, so the text is searched. */
  #rare(line: Buffer): number {
    const text = Buffer.from(this.#bytes.buffer, this.#bytes.byteOffset, this.#bytes.byteLength)
    let found = 0
    for (let at = text.indexOf(line); at >= 0; at = text.indexOf(line, at + 1)) {
      const end = at + line.length
      if ((at === 0 || text[at - 1] === NEWLINE) && (end === text.length || text[end] === NEWLINE)) found++
    }
    return found
  }
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
