// Checks a symbol table whose bytes nobody vouches for, such as a file's. Only the small sections are walked here: lookups
// bound by themselves what they follow in the columns, so that wrong bytes can give wrong names but never a loop without
// end, and a check of every column would take a cold process longer than reading the file.

import { BadFormatError, UnsupportedError } from '../core/errors.ts'
import { COUNTS, openSymbolColumns } from './layout.ts'
import { CELL_STRIDE, GROUP, GROUP_WORDS } from './pages.ts'
import { REGION_WORDS } from './regions.ts'

/**
 * Checks a kernel's table.
 * @throws BadFormatError if the bytes are no table or lead outside of it; UnsupportedError for another layout version, or
 * a table whose symbols have sizes of their own, which no kernel's has.
 */
export function checkSymbolTable(buffer: SharedArrayBuffer): void {
  const columns = openSymbolColumns(buffer)
  const { counts, groups, directory, chunks, cells, low, ownerStart, ownerOf, owners, regions } = columns
  const bad = (what: string) => new BadFormatError(`symbol table: ${what}`)
  if (counts[COUNTS.sized] !== 0)
    throw new UnsupportedError('symbol table: symbols with sizes are those of an ELF file')
  if (columns.runs.length > 0) throw new UnsupportedError('symbol table: its names are in another table')
  const symbols = low.length
  const idBits = counts[COUNTS.idBits]!
  if (idBits < 1 || idBits > 32 || 2 ** idBits < symbols) throw bad(`${idBits} bits do not hold its ids`)
  if (counts[COUNTS.bucketBits]! > 31) throw bad('more buckets than a hash has values')

  if (groups.length === 0 ? symbols > 0 : groups[GROUP.firstId] !== 0) throw bad('the first group begins elsewhere')
  for (let row = 0; row < groups.length; row += GROUP_WORDS) {
    const next = row + GROUP_WORDS
    const end = next < groups.length ? groups[next + GROUP.firstId]! : symbols
    const ordered = next >= groups.length || groups[next + GROUP.high]! > groups[row + GROUP.high]!
    if (!ordered || groups[row + GROUP.firstId]! > end || end > symbols) throw bad('groups overlap')
    if (groups[row + GROUP.directory]! + groups[row + GROUP.span]! > directory.length) throw bad('a group has no pages')
  }
  if (cells.length !== (chunks.length / 2) * CELL_STRIDE) throw bad('chunks and cells disagree')
  if (regions.length % REGION_WORDS !== 0) throw bad('a region is cut')

  let ownerCount = 0
  for (const byte of owners) if (byte === 0) ownerCount++
  if (owners.length > 0 && owners[owners.length - 1] !== 0) throw bad('the last owner has no end')
  let before = -1
  for (let run = 0; run < ownerStart.length; run++) {
    if (ownerStart[run]! <= before || ownerStart[run]! >= symbols) throw bad('runs of owners overlap')
    if (ownerOf[run]! >= ownerCount) throw bad(`owner ${ownerOf[run]} has no name`)
    before = ownerStart[run]!
  }
  if (symbols > 0 && ownerStart[0] !== 0) throw bad('the first symbol has no owner')
}
