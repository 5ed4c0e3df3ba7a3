// The memory of a table that borrows its names from others, with all that is known before its symbols are written.

import { allocateSections } from '../core/sections.ts'
import { sharedMemory } from '../core/shared-memory.ts'
import { COUNTS, SYMBOL_LAYOUT, type SymbolColumns, symbolColumns, symbolSectionBytes } from './layout.ts'
import { GROUP_WORDS, type PageIndex } from './pages.ts'

/** What is known of such a table. */
interface Borrowing {
  readonly symbols: number
  readonly pages: PageIndex
  readonly owners: readonly string[]
  readonly ownerRuns: number
  readonly regions: Uint32Array
  /** Whose names the symbols borrow, as the words of `runs`. */
  readonly runs: ArrayLike<number>
  /** By owner's number: why its memory has no symbols. */
  readonly holes: ReadonlyMap<number, number>
}

/** The buffer, and its columns; addresses, kinds and runs of owners are still to be written. */
export function borrowingTable({ symbols, pages, owners, ownerRuns, regions, runs, holes }: Borrowing): {
  readonly buffer: SharedArrayBuffer
  readonly table: SymbolColumns
} {
  const names = Buffer.from(`${owners.join('\0')}\0`, 'latin1')
  const { buffer, sections } = allocateSections(
    SYMBOL_LAYOUT,
    symbolSectionBytes({
      symbols,
      pages,
      heapBytes: 0,
      ownerRuns,
      ownerBytes: names.length,
      bucketBits: 0,
      regionWords: regions.length,
      sized: false,
      largeWords: 0,
      runWords: runs.length,
      holes: holes.size === 0 ? 0 : owners.length,
    }),
    // A quarter of a table with names, and a program has those of many hosts: collecting for each of them costs as much as placing it.
    (bytes) => sharedMemory(bytes, true),
  )
  const table = symbolColumns(buffer, sections)
  table.groups.set(pages.groups)
  table.directory.set(pages.directory)
  table.chunks.set(pages.chunks)
  table.cells.set(pages.cells)
  table.owners.set(names)
  table.regions.set(regions)
  table.runs.set(runs)
  for (const [owner, why] of holes) table.holes[owner] = why
  const { counts } = table
  counts[COUNTS.symbols] = symbols
  counts[COUNTS.groups] = pages.groups.length / GROUP_WORDS
  counts[COUNTS.owners] = owners.length
  counts[COUNTS.ownerRuns] = ownerRuns
  counts[COUNTS.idBits] = Math.ceil(Math.log2(Math.max(2, symbols)))
  counts[COUNTS.lines] = symbols
  return { buffer, table }
}
