// Globs over every name of the table. Most names are ruled out by the bytes of the pattern's literal ends, before a
// string is made of them.

import { compileGlob, globPrefix } from '../core/glob.ts'
import type { BorrowedNames } from './borrowed-names.ts'
import { ROOT_BITS, ROOT_MASK, rootLength, rootStart, type SymbolColumns } from './layout.ts'
import type { KindFilter } from './locate.ts'
import { PREFIXES } from './names.ts'
import { isText } from './text.ts'

/** The part of a table that a scan reads. */
export interface ScanTable {
  readonly columns: SymbolColumns
  /** Where its names are borrowed. */
  readonly borrowed?: Pick<BorrowedNames, 'runOf'> | undefined
  nameOf(id: number): string
}

/** Which symbols a scan considers. */
export interface ScanOptions {
  /** By owner number. */
  readonly owners?: readonly boolean[] | undefined
  readonly kinds?: KindFilter | undefined
}

const ASCII = /^[ -~]*$/

/** The ids of the symbols whose whole name matches the glob, ascending. */
export function* scanNames(table: ScanTable, glob: string, options: ScanOptions = {}): Generator<number, void, void> {
  const { columns } = table
  const { ownerStart, ownerOf, low } = columns
  let { name: references, heap } = columns
  let shift = 0
  let known = table.borrowed === undefined ? low.length : 0
  const { owners, kinds = 'all' } = options
  const matches = compileGlob(glob)
  const head = literal(globPrefix(glob))
  const tail = literal(glob.slice(Math.max(...['*', '?', ']'].map((special) => glob.lastIndexOf(special))) + 1))
  // What is left of the pattern's literal start for a name with each of the prefixes; undefined: such a name never fits.
  const rest = PREFIXES.map((prefix) =>
    head.startsWith(prefix)
      ? Buffer.from(head.slice(prefix.length), 'latin1')
      : prefix.startsWith(head)
        ? EMPTY
        : undefined,
  )
  const end = glob.length > tail.length ? Buffer.from(tail, 'latin1') : EMPTY
  const headIsAll = glob === `${head}*`
  const within = textWithin(glob)

  for (let run = 0; run < ownerStart.length; run++) {
    const owner = ownerOf[run]!
    if (owners !== undefined && owners[owner] !== true) continue
    const last = run + 1 < ownerStart.length ? ownerStart[run + 1]! : low.length
    for (let id = ownerStart[run]!; id < last; id++) {
      if (kinds !== 'all' && isText(columns, id, owner) !== (kinds === 'text')) continue
      if (id >= known) {
        const borrowed = table.borrowed!.runOf(id)
        ;({ name: references, heap } = borrowed.lender.columns)
        shift = borrowed.shift
        known = borrowed.end
      }
      const reference = references[id + shift]!
      const wanted = rest[reference >>> ROOT_BITS]
      if (wanted === undefined) continue
      const root = reference & ROOT_MASK
      const start = rootStart(heap, root)
      const length = rootLength(heap, root)
      if (length < wanted.length || !hasBytes(heap, start, wanted)) continue
      if (headIsAll) {
        yield id
        continue
      }
      if (length >= end.length && !hasBytes(heap, start + length - end.length, end)) continue
      if (within !== undefined && !within.byPrefix[reference >>> ROOT_BITS]) {
        if (!holdsBytes(heap, start, start + length, within.bytes)) continue
      }
      if (matches(table.nameOf(id))) yield id
    }
  }
}

const EMPTY = Buffer.alloc(0)

/** The text that a name has to hold somewhere, for a pattern such as `*.*`, and which prefixes may have a part in that. */
function textWithin(glob: string): { readonly bytes: Uint8Array; readonly byPrefix: readonly boolean[] } | undefined {
  const text = /^\*([^*?[\]]+)\*$/.exec(glob)?.[1]
  if (text === undefined || !ASCII.test(text)) return undefined
  const byPrefix = PREFIXES.map(
    (prefix) => prefix.includes(text) || [...text].some((_, i) => i > 0 && prefix.endsWith(text.slice(0, i))),
  )
  return { bytes: Buffer.from(text, 'latin1'), byPrefix }
}

function holdsBytes(heap: Uint8Array, start: number, end: number, wanted: Uint8Array): boolean {
  const [first] = wanted
  const last = end - wanted.length
  for (let at = start; at <= last; at++) if (heap[at] === first && hasBytes(heap, at, wanted)) return true
  return false
}

/** A literal piece of a pattern where it may be compared as bytes. */
function literal(text: string): string {
  return ASCII.test(text) ? text : ''
}

function hasBytes(heap: Uint8Array, at: number, wanted: Uint8Array): boolean {
  for (let i = 0; i < wanted.length; i++) if (heap[at + i] !== wanted[i]) return false
  return true
}
