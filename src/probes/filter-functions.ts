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
  readonly #hashes: Int32Array
  readonly #mask: number

  /** @param bytes the file's text */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    let slots = new Uint32Array(1 << 12)
    let hashes = new Int32Array(slots.length)
    let mask = slots.length - 1
    let count = 0
    const length = bytes.length
    let start = 0
    while (start < length) {
      let hash = SEED
      let end = start
      for (; end < length; end++) {
        const byte = bytes[end]!
        if (byte === NEWLINE) break
        hash = Math.imul(hash ^ byte, STEP)
      }
      if (end > start) {
        if (count * 2 >= slots.length) {
          const wider = widen(slots, hashes)
          slots = wider.slots
          hashes = wider.hashes
          mask = slots.length - 1
        }
        insert(slots, hashes, mask, start + 1, hash)
        count++
      }
      start = end + 1
    }
    this.count = count
    this.#slots = slots
    this.#hashes = hashes
    this.#mask = mask
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
      if (this.#hashes[slot] === hash && this.#equals(this.#slots[slot]! - 1, line)) found++
    }
    return found
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

function insert(slots: Uint32Array, hashes: Int32Array, mask: number, line: number, hash: number): void {
  let slot = home(hash, mask)
  while (slots[slot] !== 0) slot = (slot + 1) & mask
  slots[slot] = line
  hashes[slot] = hash
}

function widen(slots: Uint32Array, hashes: Int32Array) {
  const wider = { slots: new Uint32Array(slots.length * 4), hashes: new Int32Array(slots.length * 4) }
  for (let i = 0; i < slots.length; i++) {
    if (slots[i] !== 0) insert(wider.slots, wider.hashes, wider.slots.length - 1, slots[i]!, hashes[i]!)
  }
  return wider
}
