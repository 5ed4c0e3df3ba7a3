// Answers from a table that lies in a file: only what they look at is brought into memory, which is done long before all of it is there. There
// are answers about a few addresses, and all but names. Where more is to be looked at than one symbol and its neighbours, nobody is told anything.

import { readSections, type Section } from '../core/sections.ts'
import type { StoredBytes } from '../core/stored-bytes.ts'
import { checkSymbolTable } from './check-table.ts'
import { UNSURE } from './kinds.ts'
import {
  openSymbolColumns,
  ROOT_MASK,
  rootLength,
  rootStart,
  SYMBOL_LAYOUT,
  type SymbolColumns,
  type SymbolSection,
} from './layout.ts'
import { CELL_BITS, CELL_COUNT, CELL_STRIDE, CHUNK_BITS } from './pages.ts'
import { type GroupView, groupOf, groupViews, predecessor } from './search.ts'

/** More than the head of a table has. */
const HEAD_BYTES = 256
/** More than the length of a root takes. */
const LENGTH_BYTES = 4

/** What is checked of a table whoever wrote it, and what every answer looks at. */
const SMALL: readonly SymbolSection[] = [
  'counts',
  'groups',
  'directory',
  'chunks',
  'ownerStart',
  'ownerOf',
  'owners',
  'runs',
  'holes',
]

/** What is looked at to name a symbol, or to find a name. */
const NAMES: readonly SymbolSection[] = ['name', 'heap', 'buckets', 'entries']

/** Brings into memory all of a table but the names of its symbols. @throws BadFormatError, UnsupportedError; what reading throws */
export function bringPlaces(stored: StoredBytes): void {
  stored.need(0, HEAD_BYTES)
  const sections = readSections(SYMBOL_LAYOUT, stored.buffer)
  for (const name of SYMBOL_LAYOUT.sections) {
    if (!NAMES.includes(name)) stored.need(sections[name].offset, sections[name].offset + sections[name].length)
  }
}

/**
 * Brings into memory what a table looks at to answer what is at these addresses, and the names of it. False where that is more than the
 * symbol that begins before each: where symbols begin at one address, where memory is shared or has no symbol. Then all of the table
 * has to be read.
 * @throws BadFormatError, UnsupportedError as `checkSymbolTable`; what reading throws
 */
export function bringAnswers(stored: StoredBytes, addresses: readonly bigint[]): boolean {
  stored.need(0, HEAD_BYTES)
  const sections = readSections(SYMBOL_LAYOUT, stored.buffer)
  for (const name of SMALL) stored.need(sections[name].offset, sections[name].offset + sections[name].length)
  checkSymbolTable(stored.buffer)
  const table = new StoredColumns(stored, sections, openSymbolColumns(stored.buffer))
  return addresses.every((address) => table.bring(address))
}

class StoredColumns {
  readonly #stored: StoredBytes
  readonly #sections: Readonly<Record<SymbolSection, Section>>
  readonly #columns: SymbolColumns
  readonly #groups: readonly GroupView[]

  constructor(stored: StoredBytes, sections: Readonly<Record<SymbolSection, Section>>, columns: SymbolColumns) {
    this.#stored = stored
    this.#sections = sections
    this.#columns = columns
    this.#groups = groupViews(columns)
  }

  bring(address: bigint): boolean {
    const group = groupOf(this.#groups, Number(address >> 32n))
    const id = this.#predecessor(group, Number(address & 0xffff_ffffn))
    if (id === undefined || id < group.first || id + 1 >= group.end) return false
    const { kind, low } = this.#columns
    this.#need('kind', id, id + 2, 1)
    if (((kind[id]! | kind[id + 1]!) & UNSURE) !== 0 || low[id - 1] === low[id]) return false
    // A name is asked for by the symbol's own address.
    if (this.#predecessor(group, low[id]!) !== id) return false
    this.#bringName(id)
    return true
  }

  /** `predecessor`, with its neighbours; undefined without an index. */
  #predecessor(group: GroupView, value: number): number | undefined {
    const { directory, chunks, cells } = this.#columns
    const place = (value >>> CHUNK_BITS) - group.firstChunk
    if (place < 0 || place >= group.span) return undefined
    const populated = group.chunks + directory[group.directory + place]!
    const first = chunks[2 * populated + 1]!
    let [from, to] = [first, first]
    if (chunks[2 * populated] === value >>> CHUNK_BITS) {
      const at = populated * CELL_STRIDE + ((value & 0xffff) >>> CELL_BITS)
      this.#need('cells', at, at + 2, 2)
      from += cells[at]! & CELL_COUNT
      to += cells[at + 1]! & CELL_COUNT
    }
    this.#need('low', from - 2, to + 2, 4)
    return predecessor(this.#columns, group, value)
  }

  #bringName(id: number): void {
    const { name, heap } = this.#columns
    this.#need('name', id, id + 1, 4)
    const root = name[id]! & ROOT_MASK
    this.#need('heap', root, root + LENGTH_BYTES, 1)
    this.#need('heap', root, rootStart(heap, root) + rootLength(heap, root), 1)
  }

  /** Elements [from, to) of a column, so far as it has them. */
  #need(section: SymbolSection, from: number, to: number, bytes: number): void {
    const { offset, length } = this.#sections[section]
    this.#stored.need(offset + Math.max(0, from * bytes), offset + Math.min(length, to * bytes))
  }
}
