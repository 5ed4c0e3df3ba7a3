// A C header as it is written by the compiled loops (assembly/): their memory, what is copied into it, and what they call back for.
// Byte for byte it is what `bpftool btf dump … format c` prints.

import { decodeName } from '../../core/bytes.ts'
import { BadFormatError, LimitError } from '../../core/errors.ts'
import { printable } from '../../core/printable.ts'
import { borrowWasm, giveBack, noWasm, type WasmMemory } from '../../core/wasm-memory.ts'
import { kindName } from '../kinds.ts'
import { address, within } from '../read/memory.ts'
import { nameEnd } from '../read/names.ts'
import { pointerSize } from '../read/sizes.ts'
import type { TypeSet } from '../read/type-set.ts'
import {
  CHAIN_WORDS,
  DONE,
  KINDS_BYTES,
  MAX_CHAIN,
  MAX_NESTING,
  MAX_RECURSION,
  NAME_BYTES,
  REFUSED_CHAIN,
  REFUSED_CIRCLE,
  REFUSED_DECLARATION,
  REFUSED_KIND,
  REFUSED_NAMES,
  REFUSED_NESTING,
  REFUSED_RECURSION,
  REFUSED_STEPS,
  STATE_ALIGNS,
  STATE_BYTES,
  STATE_CHAIN,
  STATE_END_ID,
  STATE_FORWARDED,
  STATE_KINDS,
  STATE_NAMES,
  STATE_NAMES_MASK,
  STATE_NUMBERS,
  STATE_ORDERED,
  STATE_OUT,
  STATE_OUT_END,
  STATE_POINTER_BYTES,
  STATE_QUEUE,
  STATE_RECORDS,
  STATE_REFERENCED,
  STATE_SEED,
  STATE_SEED_2,
  STATE_STRINGS,
  STATE_STRINGS_END,
  STATE_TEXTS,
  STATE_WRITTEN,
  VOID_BYTES,
} from './c-constants.ts'
import { C_HEADER_WASM } from './c-header-wasm.ts'
import { allTexts, writeKinds } from './c-tables.ts'
import { mostText } from './raw.ts'

/** The functions of the module, by the types that assembly/c-header.ts gives them. */
interface HeaderLoops {
  place(into: number, offsets: number, size: number, words: number): void
  markReferenced(from: number): number
  inherit(names: number, count: number): void
  open(state: number, steps: number): void
  sort(first: number, budget: number, ids: number, spare: number, work: number): number
  defineSome(ids: number, from: number, count: number): number
  declareName(type: number, name: number): void
}

/** Bytes that are collected before a piece is handed out. */
const OUT_BYTES = 1 << 16
/** Bytes behind them that may be written to, because words are written at once. */
const OVERWRITE = 16

/** Numbers that nobody outside can foresee, for the hash of names. */
const SEEDS = Uint32Array.from({ length: 2 }, () => Math.random() * 2 ** 32)

/** What several headers in one memory share: the loops, the tables that they go by, and the text they have written. */
export class HeaderMemory {
  readonly memory: WasmMemory
  readonly loops: HeaderLoops
  readonly kinds: Uint8Array
  readonly texts: Uint8Array
  readonly chain: Uint8Array
  readonly out: Buffer
  /** The header that is being written. */
  current: CHeader | undefined
  #text = ''

  /** @throws UnsupportedError where there is no such memory */
  constructor() {
    const wasm = borrowWasm(C_HEADER_WASM, undefined, {
      'c-text': {
        flush: (end: number) => this.put(this.out.toString('latin1', 0, end - address(this.out))),
        putEscaped: (name: number) => this.#putEscaped(name),
      },
      'c-types': { refuse: (reason: number, id: number) => this.current?.refuse(reason, id) },
    })
    if (wasm === undefined) throw noWasm()
    // What the module exports is known from its source.
    this.loops = wasm.exports as HeaderLoops
    const { memory } = wasm
    this.memory = memory
    this.kinds = memory.allocate(KINDS_BYTES)
    writeKinds(this.kinds)
    this.texts = this.#writeTexts()
    this.chain = memory.room(4 * CHAIN_WORDS)
    const out = memory.room(OUT_BYTES + OVERWRITE)
    this.out = Buffer.from(out.buffer, out.byteOffset, OUT_BYTES)
  }

  #writeTexts(): Uint8Array {
    const texts = allTexts()
    const bytes = Buffer.from(texts.join(''), 'latin1')
    const copy = this.memory.room(bytes.length)
    copy.set(bytes)
    const table = this.memory.room(8 * texts.length)
    let at = address(copy)
    words(table).set(
      texts.flatMap(({ length }) => {
        const row = [at, length - 1]
        at += length
        return row
      }),
    )
    return table
  }

  /** Text behind what has been written. */
  put(text: string): void {
    this.current?.spend(text.length)
    this.#text += text
  }

  #putEscaped(name: number): void {
    const bytes = Buffer.from(this.memory.buffer)
    this.put(printable(decodeName(bytes, name, nameEnd(bytes, name))))
  }

  /** What has been handed out since. */
  take(): string {
    const text = this.#text
    this.#text = ''
    return text
  }

  close(): void {
    giveBack(this.memory)
  }
}

/** The header of one set and its bases, or what a set adds to the header of its base. */
export class CHeader {
  readonly #in: HeaderMemory
  readonly #set: TypeSet
  readonly #state: Uint32Array
  readonly #strings: Uint8Array
  readonly #records: Uint32Array
  readonly #numbers: Uint32Array
  readonly #ordered: Uint8Array
  readonly #written: Uint8Array
  readonly #names: Uint8Array
  /** Steps that this header may take: hostile types reach each other in exponentially many ways. */
  readonly #steps: number
  #budget: number

  /** With `base`, the header goes on where that one ends. */
  constructor(memory: HeaderMemory, set: TypeSet, base?: CHeader) {
    this.#in = memory
    this.#set = set
    this.#budget = mostText(set)
    let bytes = 0
    for (let each: TypeSet | undefined = set; each; each = each.base) bytes += each.record.blobLength
    this.#steps = 1_000_000 + 16 * bytes
    const { endId, stringEnd } = set
    this.#strings = this.#room(Math.max(1, stringEnd))
    this.#records = words(this.#room(4 * endId))
    this.#numbers = words(this.#zeros(4 * endId))
    this.#ordered = this.#zeros(endId)
    this.#written = this.#zeros(endId)
    this.#state = words(this.#zeros(STATE_BYTES))
    this.#take(base)
    this.#note(STATE_KINDS, address(memory.kinds))
    this.#note(STATE_TEXTS, address(memory.texts))
    this.#note(STATE_RECORDS, address(this.#records))
    this.#note(STATE_END_ID, endId)
    this.#note(STATE_STRINGS, address(this.#strings))
    this.#note(STATE_STRINGS_END, stringEnd)
    this.#note(STATE_ORDERED, address(this.#ordered))
    this.#note(STATE_WRITTEN, address(this.#written))
    this.#note(STATE_FORWARDED, address(this.#zeros(endId)))
    this.#note(STATE_REFERENCED, address(this.#zeros(endId)))
    this.#note(STATE_ALIGNS, address(this.#zeros(endId)))
    this.#note(STATE_NUMBERS, address(this.#numbers))
    this.#note(STATE_SEED, SEEDS[0]!)
    this.#note(STATE_SEED_2, SEEDS[1]! | 1)
    this.#note(STATE_QUEUE, address(this.#room(4 * endId)))
    this.#note(STATE_CHAIN, address(memory.chain))
    this.#note(STATE_OUT, address(memory.out))
    this.#note(STATE_OUT_END, address(memory.out) + OUT_BYTES)
    this.#note(STATE_POINTER_BYTES, pointerSize(set))
    this.open()
    const names = memory.loops.markReferenced(base ? set.firstId : 1) + (base ? base.#names.length / NAME_BYTES : 0)
    const slots = 2 ** Math.ceil(Math.log2(1.5 * names + 16))
    this.#names = this.#zeros(slots * NAME_BYTES)
    this.#note(STATE_NAMES, address(this.#names))
    this.#note(STATE_NAMES_MASK, slots - 1)
    this.open()
    if (base) memory.loops.inherit(address(base.#names), base.#names.length / NAME_BYTES)
  }

  #note(place: number, value: number): void {
    this.#state[place >>> 2] = value
  }

  #room(bytes: number): Uint8Array {
    return this.#in.memory.room(bytes)
  }

  #zeros(bytes: number): Uint8Array {
    return this.#in.memory.allocate(bytes)
  }

  /** Copies what the loops read: of a base that has a header, what that has copied. */
  #take(base: CHeader | undefined): void {
    const { loops, memory } = this.#in
    const strings = this.#strings
    strings[0] = 0
    if (base) {
      strings.set(base.#strings)
      this.#records.set(base.#records)
      this.#numbers.set(base.#numbers)
      this.#assumeDefined(1, this.#set.firstId)
    } else this.#records[0] = address(memory.allocate(VOID_BYTES))
    const end = base ? base.#set : undefined
    for (let each: TypeSet | undefined = this.#set; each !== end && each !== undefined; each = each.base) {
      const { bytes, stringBase, firstId, size } = each
      strings.set(bytes.subarray(each.strings + stringBase, each.strings + each.stringEnd), stringBase)
      const { offsets, firstWord } = each.places
      const into = address(this.#records) + 4 * firstId
      const copy = this.#copied(each.words.subarray(firstWord, each.typesEnd))
      loops.place(into, address(this.#copied(offsets)), size, address(copy))
    }
  }

  #copied(array: Uint32Array): Uint8Array {
    const copy = this.#room(array.byteLength)
    words(copy).set(array)
    return copy
  }

  /** Has the loops write this header from now on. What another one has written must have been handed out. */
  open(): void {
    this.#in.current = this
    this.#in.loops.open(address(this.#state), this.#steps)
  }

  /** Takes a type for defined that another module has defined, where its name has got a number. */
  assumeDefined(id: number, number: number): void {
    this.#assumeDefined(id, id + 1)
    this.#numbers[id] = number
  }

  #assumeDefined(from: number, to: number): void {
    this.#ordered.fill(DONE, from, to)
    this.#written.fill(DONE, from, to)
  }

  /** The number of a type's name: 1 for one that is written as it stands, 0 for one that was not written. */
  numberOf(id: number): number {
    return this.#numbers[id]!
  }

  /** Writes definitions, each after those of the types it needs, in pieces: of listed types, or of all from an id on in some order. */
  *define(wanted: readonly number[] | 'sorted' | 'ids', from = 0): Generator<string> {
    const { loops } = this.#in
    const [ids, count] = within(() => (typeof wanted === 'string' ? this.#inOrder(wanted, from) : this.#listed(wanted)))
    for (let i = 0; i < count; ) {
      i = loops.defineSome(ids, i, count)
      yield this.#in.take()
    }
  }

  /** Where ids are, and how many. */
  #listed(ids: readonly number[]): [ids: number, count: number] {
    const room = this.#room(4 * ids.length)
    words(room).set(ids)
    return [address(room), ids.length]
  }

  /**
   * Types that have a place in the order from an id on. Like bpftool, which counts from 1 in a list that starts at 0, the first type in
   * its order is left out unless another one needs it.
   */
  #inOrder(order: 'sorted' | 'ids', from: number): [ids: number, count: number] {
    const { endId } = this.#set
    const ids = this.#room(4 * endId)
    if (order === 'ids') {
      const first = Math.max(1, from)
      const list = words(ids)
      for (let id = first; id < endId; id++) list[id - first] = id
      return [address(ids), endId - first]
    }
    const spare = this.#room(4 * endId)
    const work = this.#room(30 * endId)
    const sort = this.#in.loops.sort(from, mostText(this.#set), address(ids), address(spare), address(work))
    return from === 0 ? [address(ids) + 4, sort - 1] : [address(ids), sort]
  }

  /** The declaration of a name at an offset of the strings with a type. */
  declare(type: number, name: number): string {
    this.#in.loops.declareName(type, name)
    return this.#in.take()
  }

  /** Counts text: many types may share one long name, and definitions in place double with every level. */
  spend(length: number): void {
    this.#budget -= length
    if (this.#budget < 0) throw new LimitError('the C text grows out of all proportion to the types')
  }

  /** Throws what the loops have found. */
  refuse(reason: number, id: number): never {
    const place = { typeId: id }
    const deep = (what: string) => new LimitError(`[${id}] ${what}: not printable as C`, place)
    const kind = kindName(this.#set.kindNumberOf(id))
    switch (reason) {
      case REFUSED_NAMES:
        throw new LimitError('the names of the types grow out of all proportion to them')
      case REFUSED_STEPS:
        throw new LimitError('the types depend on each other in too many ways to be printed as C')
      case REFUSED_RECURSION:
        throw deep(`nested more than ${MAX_RECURSION} levels deep`)
      case REFUSED_NESTING:
        throw deep(`nested more than ${MAX_NESTING} levels deep`)
      case REFUSED_CHAIN:
        throw deep(`a chain of more than ${MAX_CHAIN} types`)
      case REFUSED_CIRCLE:
        throw new BadFormatError(`[${id}] ${kind} ${this.#set.nameOf(id)} contains itself`, place)
      case REFUSED_KIND:
        throw new BadFormatError(`[${id}] a kind of type that C output does not know`, place)
      case REFUSED_DECLARATION:
        throw new BadFormatError(`[${id}] ${kind} cannot be part of a declaration`, place)
      default:
        throw new Error(`the loops of C headers gave up for a reason without words: ${reason}`)
    }
  }
}

const words = ({ buffer, byteOffset, length }: Uint8Array): Uint32Array =>
  new Uint32Array(buffer, byteOffset, length >>> 2)
