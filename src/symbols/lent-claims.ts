// Claims that a table lends with its symbols: found once, they are those of every table to which the symbols are moved by whole pages and
// where nobody else comes to lie in one of these. Where that is not certain, claims are found from symbols.

import type { ClaimedRange, LentRows } from './claim-pages.ts'
import { type Claims, pageEnd, pageStart } from './claims.ts'
import { LENT_BYTES, LENT_END, LENT_FIRST, LENT_PAST, LENT_START, PAGE } from './constants.ts'
import type { SymbolColumns } from './layout.ts'
import { groupViews } from './search.ts'
import type { SymbolTable } from './table.ts'

/** Words of a row of claims that are lent: see LENT_FIRST. Rows ascend by their ids, without overlap. */
export const LENT_WORDS = LENT_BYTES / 4

/** The rows of a table's claims, which are given for each of its upper halves. */
export function lentClaims(
  table: SymbolTable,
  groups: readonly { readonly half: number; readonly claims: Claims }[],
): Uint32Array {
  const rows: number[] = []
  for (const { half, claims } of groups) {
    const upper = BigInt(half) << 32n
    for (let c = 0; c < claims.count; c++) {
      const [start, end] = [claims.start[c]!, claims.end[c]!]
      const first = table.lowerBound(upper + BigInt(start)).id
      const past = table.lowerBound(upper + BigInt(end)).id
      rows.push(first, past, start, end % 2 ** 32, claims.symbols[c]!, claims.first[c]! | (claims.last[c]! << 8))
    }
  }
  return Uint32Array.from(rows)
}

/** Whether rows are of pages that a table's symbols are in, each once: then there are no more of them than symbols. */
export function areSoundClaims(rows: Uint32Array, columns: SymbolColumns): boolean {
  if (rows.length % LENT_WORDS !== 0) return false
  const { low } = columns
  const groups = groupViews(columns)
  let before = 0
  let group = 0
  for (let at = 0; at < rows.length; at += LENT_WORDS) {
    const first = rows[at + LENT_FIRST / 4]!
    const end = rows[at + LENT_END / 4]!
    while (group < groups.length && groups[group]!.end <= first) group++
    if (first < before || first >= end || group === groups.length || end > groups[group]!.end) return false
    if (rows[at + LENT_START / 4] !== pageStart(low[first]!)) return false
    if (rows[at + LENT_PAST / 4] !== pageEnd(low[end - 1]! + 1) % 2 ** 32) return false
    before = end
  }
  return true
}

/** Symbols of a lender that were moved together. */
export interface LentStretch {
  readonly lender: number
  /** Its ids [from, to) there. */
  readonly from: number
  readonly to: number
  readonly owner: number
  readonly half: number
  /** What was added to lower halves; those of the first and the last address. */
  readonly shift: number
  readonly start: number
  readonly last: number
}

/**
 * What there is to do for the claims of a table that is made of these stretches, one behind the other; `core` is the owner whose symbols
 * claim nothing. `lent` has the rows of those lenders that lend claims.
 */
export function claimedRanges(
  stretches: readonly LentStretch[],
  core: number,
  lent: readonly (LentRows | undefined)[],
): ClaimedRange[] {
  // Pages with symbols of two stretches are nobody's before.
  const isShared = new Uint8Array(stretches.length)
  let before = -1
  for (let i = 0; i < stretches.length; i++) {
    const { half, start, owner } = stretches[i]!
    if (owner === core) continue
    const other = stretches[before]
    if (other?.half === half && pageStart(other.last) === pageStart(start)) isShared[i] = isShared[before] = 1
    before = i
  }
  const ranges: { -readonly [K in keyof ClaimedRange]: ClaimedRange[K] }[] = []
  let found: (typeof ranges)[number] | undefined
  let id = 0
  for (let i = 0; i < stretches.length; i++) {
    const { lender, from, to, owner, half, shift } = stretches[i]!
    const first = id
    id += to - from
    if (owner === core) continue
    const rows = isShared[i] === 1 || shift % PAGE !== 0 ? undefined : lent[lender]
    if (rows === undefined && found?.half === half) {
      found.end = id
      continue
    }
    const range = { half, first, end: id, lent: rows, there: from, shift, owner }
    ranges.push(range)
    found = rows === undefined ? range : undefined
  }
  return ranges
}
