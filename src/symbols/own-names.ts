// A table that borrows its names, with names of its own: its places, its owners and what it says of memory, and the names of another table of
// the same symbols.

import { encodeName } from '../core/bytes.ts'
import { BadFormatError } from '../core/errors.ts'
import { allocateSections } from '../core/sections.ts'
import {
  COUNTS,
  openSymbolColumns,
  SYMBOL_LAYOUT,
  type SymbolColumns,
  symbolColumns,
  symbolSectionBytes,
} from './layout.ts'
import type { SymbolTable } from './table.ts'

/** Sections that say nothing of names. */
const PLACES = [
  'groups',
  'directory',
  'chunks',
  'cells',
  'low',
  'kind',
  'ownerStart',
  'ownerOf',
  'owners',
  'regions',
  'holes',
] as const satisfies readonly (keyof SymbolColumns)[]
const NAMES = ['name', 'heap', 'buckets', 'entries'] as const satisfies readonly (keyof SymbolColumns)[]

/** Makes the table's buffer. @throws BadFormatError if the two tables have other symbols, or another order of them */
export function withOwnNames(table: SymbolTable, named: SymbolTable): SharedArrayBuffer {
  let isSame = table.size === named.size
  for (let id = 0; isSame && id < table.size; id++)
    isSame = table.addressOf(id) === named.addressOf(id) && table.nameOf(id) === named.nameOf(id)
  if (!isSame) throw new BadFormatError('symbol table: its names are those of other symbols; please report this')
  const places = openSymbolColumns(table.buffer)
  const names = openSymbolColumns(named.buffer)
  const { buffer, sections } = allocateSections(
    SYMBOL_LAYOUT,
    symbolSectionBytes({
      symbols: table.size,
      pages: places,
      heapBytes: names.heap.length,
      ownerRuns: places.ownerStart.length,
      ownerBytes: places.owners.length,
      bucketBits: names.counts[COUNTS.bucketBits]!,
      regionWords: places.regions.length,
      sized: false,
      largeWords: 0,
      runWords: 0,
      holes: places.holes.length,
    }),
  )
  const own = symbolColumns(buffer, sections)
  for (const section of PLACES) own[section].set(places[section])
  for (const section of NAMES) own[section].set(names[section])
  own.counts.set(places.counts)
  for (const word of [COUNTS.bucketBits, COUNTS.idBits, COUNTS.heapBytes]) own.counts[word] = names.counts[word]!
  orderRepeated(own, table)
  return buffer
}

/** Symbols of one name come in the order in which the table gives them. */
function orderRepeated({ buckets, entries, name, counts }: SymbolColumns, table: SymbolTable): void {
  const mask = 2 ** counts[COUNTS.idBits]! - 1
  for (let bucket = 0; bucket + 1 < buckets.length; bucket++) {
    const places = new Map<number, number[]>()
    for (let i = buckets[bucket]!; i < buckets[bucket + 1]!; i++) {
      const reference = name[(entries[i]! & mask) >>> 0]!
      const others = places.get(reference)
      if (others === undefined) places.set(reference, [i])
      else others.push(i)
    }
    for (const repeated of places.values()) {
      if (repeated.length === 1) continue
      const [first] = repeated.map((i) => (entries[i]! & mask) >>> 0)
      const ids = table.idsNamed(encodeName(table.nameOf(first!)))
      repeated.forEach((i, at) => {
        entries[i] = (entries[i]! & ~mask) | ids[at]!
      })
    }
  }
}
