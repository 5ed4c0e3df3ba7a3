// Stretches of an earlier text that are kept: which they are, and what the loops have to know of the table that has their symbols. What
// runs over symbols is in assembly/keep.ts.

import { bisect } from '../core/bisect.ts'
import {
  BUILD_FRESH,
  BUILD_FRESH_COUNT,
  BUILD_FRESH_ROW_COUNT,
  BUILD_FRESH_ROWS,
  BUILD_GONE_ROOT_COUNT,
  BUILD_GONE_ROOTS,
  BUILD_NEW_IDS,
  BUILD_NEW_ROOTS,
  BUILD_OLD_BASES,
  BUILD_OLD_BUCKETS,
  BUILD_OLD_COUNT,
  BUILD_OLD_ENTRIES,
  BUILD_OLD_GROUP_COUNT,
  BUILD_OLD_GROUPS,
  BUILD_OLD_HEAP,
  BUILD_OLD_IDS,
  BUILD_OLD_KIND,
  BUILD_OLD_LOW,
  BUILD_OLD_NAME,
  BUILD_OLD_RUN_OWNER,
  BUILD_OLD_RUN_START,
  BUILD_OLD_RUNS,
  BUILD_ORDER,
  BUILD_ORPHANED,
  BUILD_ORPHANS,
  BUILD_POSITIONS,
  BUILD_SHIFTS,
  GONE,
  ORPHAN_BYTES,
  PARTS,
  ROOT_MASK,
  SHIFT_BLOCK_BITS,
  SHIFT_BYTES,
  SHIFT_MANY,
  STRETCH_COUNT,
  STRETCH_FROM,
  STRETCH_RECORDS,
} from './constants.ts'
import { indexBits, openSymbolColumns, type SymbolColumns } from './layout.ts'
import { GROUP, GROUP_WORDS } from './pages.ts'
import type { Places } from './places.ts'
import type { RememberedText, RootPlaces } from './remembered.ts'
import type { Plan, Workspace } from './workspace.ts'

/** The stretches of an earlier text that are kept. */
export interface Kept {
  readonly earlier: RememberedText
  /** The numbers of the segments. */
  readonly segments: ReadonlySet<number>
  /** By the numbers that owners had those that they have. */
  readonly ownerNumbers: Uint16Array
}

/** The stretches of the text that there is now. */
interface Stretches {
  /** How many symbols are in them, the kept ones included. */
  readonly count: number
  readonly stretches: number
  /** The address of a stretch's row. */
  row(number: number): number
}

/** Four kinds without their marks. */
const EVERY_UNMARKED = 0x7f7f7f7f
/** The least bytes of a root in the heap. */
const LEAST_ROOT = 2

/**
 * The stretches that are kept among those of which `known` tells the segment of an earlier text (or -1): as many as are in its order.
 * None where the text has come to have so many symbols that its name index is of another size.
 */
export function keptStretches(known: readonly number[], count: number, { ids }: RememberedText): Set<number> {
  const kept = new Set<number>()
  const now = indexBits(count)
  const then = indexBits(ids.length)
  if (now.bucketBits !== then.bucketBits || now.idBits !== then.idBits) return kept
  // The longest sequence that rises: for each length the stretch with the least segment at which one ends, and whom each follows.
  const ends: number[] = []
  const before = new Int32Array(known.length)
  known.forEach((segment, number) => {
    if (segment < 0) return
    const from = bisect(0, ends.length, (length) => known[ends[length]!]! < segment)
    before[number] = ends[from - 1] ?? -1
    ends[from] = number
  })
  for (let number = ends.at(-1) ?? -1; number >= 0; number = before[number]!) kept.add(number)
  return kept
}

/** Where in the heap of all parts a segment's own roots begin, by part, and behind that where they end. */
export function ownRoots({ bases, filled }: RootPlaces, segment: number): Uint32Array {
  const own = new Uint32Array(2 * PARTS)
  for (let part = 0; part < PARTS; part++) {
    own[part] = bases[part]! + (segment === 0 ? 0 : filled[(segment - 1) * PARTS + part]!)
    own[PARTS + part] = bases[part]! + filled[segment * PARTS + part]!
  }
  return own
}

/** Has an earlier text's table in the workspace, without the marks in its kinds. */
export function openEarlier(workspace: Workspace, { table, ids }: RememberedText): void {
  const { groups, low, kind, name, heap } = openSymbolColumns(table)
  const pairs = new Uint32Array((2 * groups.length) / GROUP_WORDS)
  for (let g = 0; 2 * g < pairs.length; g++) {
    pairs[2 * g] = groups[g * GROUP_WORDS + GROUP.high]!
    pairs[2 * g + 1] = groups[g * GROUP_WORDS + GROUP.firstId]!
  }
  workspace.set(BUILD_OLD_COUNT, ids.length)
  workspace.set(BUILD_OLD_IDS, workspace.copy(ids))
  workspace.set(BUILD_OLD_LOW, workspace.copy(low))
  workspace.set(BUILD_OLD_KIND, unmarked(workspace, kind))
  workspace.set(BUILD_OLD_NAME, workspace.copy(name))
  workspace.set(BUILD_OLD_HEAP, workspace.copy(heap))
  workspace.set(BUILD_OLD_GROUPS, workspace.copy(pairs))
  workspace.set(BUILD_OLD_GROUP_COUNT, pairs.length / 2)
}

function unmarked(workspace: Workspace, kinds: Uint8Array): number {
  const address = workspace.copy(kinds)
  const { words } = workspace
  const end = (address + kinds.length + 3) >>> 2
  for (let at = address >>> 2; at < end; at++) words[at] = words[at]! & EVERY_UNMARKED
  return address
}

/**
 * Whether each symbol has the address, the kind and the owner of the one that had its id in the earlier table: then that table's marks
 * and page index are right for the same regions.
 */
export function samePlaces(
  workspace: Workspace,
  { count, low, kind, groups, runs }: Places,
  owners: readonly string[],
  { earlier }: Kept,
): boolean {
  const { ownerStart, ownerOf } = openSymbolColumns(earlier.table)
  const same = (address: number, then: number, bytes: number) =>
    Buffer.compare(workspace.bytes(address, bytes), workspace.bytes(then, bytes)) === 0
  const equal = (a: Uint32Array | Uint16Array, b: Uint32Array | Uint16Array) =>
    a.length === b.length && a.every((value, i) => value === b[i])
  return (
    count === earlier.ids.length &&
    groups.length === 2 * workspace.get(BUILD_OLD_GROUP_COUNT) &&
    same(low, workspace.get(BUILD_OLD_LOW), 4 * count) &&
    same(kind, workspace.get(BUILD_OLD_KIND), count) &&
    same(workspace.copy(groups), workspace.get(BUILD_OLD_GROUPS), 4 * groups.length) &&
    equal(runs.start, ownerStart) &&
    equal(runs.owner, ownerOf) &&
    owners.length === earlier.owners.length &&
    owners.every((owner, i) => owner === earlier.owners[i])
  )
}

/**
 * Finds out where what is kept is in the text now, and which of its roots are used by others first. Returns how many of the earlier
 * table's names are kept in each part of its index.
 */
export function* keepSymbols(workspace: Workspace, { stretches }: Stretches, kept: Kept): Plan<Uint32Array> {
  const { earlier, segments, ownerNumbers } = kept
  const { ids, roots } = earlier
  const columns = openSymbolColumns(earlier.table)
  const filled = (words: number, value: number) => {
    const address = workspace.room(4 * words)
    workspace.words.fill(value, address >>> 2, (address >>> 2) + words)
    return address
  }
  const { heap, ownerStart, ownerOf, buckets, entries } = columns
  workspace.set(BUILD_OLD_RUN_START, workspace.copy(ownerStart))
  workspace.set(BUILD_OLD_RUN_OWNER, workspace.copy(Uint16Array.from(ownerOf, (owner) => ownerNumbers[owner]!)))
  workspace.set(BUILD_OLD_RUNS, ownerStart.length)
  workspace.set(BUILD_OLD_BUCKETS, workspace.copy(buckets))
  workspace.set(BUILD_OLD_ENTRIES, workspace.copy(entries))
  workspace.set(BUILD_OLD_BASES, workspace.copy(roots.bases))
  workspace.set(BUILD_POSITIONS, filled(ids.length, GONE))
  workspace.set(BUILD_NEW_IDS, filled(ids.length, GONE))
  workspace.set(BUILD_NEW_ROOTS, workspace.room(4 * Math.ceil(heap.length / LEAST_ROOT)))
  const shifts = filled(((heap.length >>> SHIFT_BLOCK_BITS) + 1) * (SHIFT_BYTES / 4), 0)
  workspace.set(BUILD_SHIFTS, shifts)
  // Where two parts meet two threads may write at once.
  for (const base of roots.bases) {
    workspace.words[(shifts + (base >>> SHIFT_BLOCK_BITS) * SHIFT_BYTES) >>> 2] = SHIFT_MANY
  }
  yield { step: 'keepPositions', from: 0, to: stretches }
  const gone: number[] = []
  let goneBytes = 0
  earlier.segments.forEach((_, segment) => {
    if (segments.has(segment)) return
    const own = ownRoots(roots, segment)
    for (let part = 0; part < PARTS; part++) {
      const from = own[part]!
      const to = own[PARTS + part]!
      if (from < to) gone.push(part, from, to)
      goneBytes += to - from
    }
  })
  workspace.set(BUILD_GONE_ROOTS, workspace.copy(Uint32Array.from(gone)))
  workspace.set(BUILD_GONE_ROOT_COUNT, gone.length / 3)
  workspace.set(BUILD_ORPHANED, filled(Math.ceil(heap.length / (32 * LEAST_ROOT)), 0))
  workspace.set(BUILD_ORPHANS, workspace.room((goneBytes / LEAST_ROOT) * ORPHAN_BYTES))
  yield { step: 'findOrphans', from: 0, to: goneBytes === 0 ? 0 : 1 }
  return yield* keptNames(columns, kept)
}

/** How many names of each part are kept. */
function* keptNames({ name, buckets }: SymbolColumns, { earlier, segments }: Kept): Plan<Uint32Array> {
  const { bases } = earlier.roots
  const perPart = (buckets.length - 1) / PARTS
  const counts = Uint32Array.from({ length: PARTS }, (_, part) => {
    return buckets[(part + 1) * perPart]! - buckets[part * perPart]!
  })
  for (const [number, { from, to }] of earlier.segments.entries()) {
    if (segments.has(number)) continue
    for (let position = from; position < to; position++) {
      const root = name[earlier.ids[position]!]! & ROOT_MASK
      let part = 0
      for (let step = PARTS / 2; step >= 1; step /= 2) if (bases[part + step]! <= root) part += step
      counts[part]!--
    }
    yield
  }
  return counts
}

/** Merges the order of new records with that of the symbols that are kept. */
export function* mergeOrder(workspace: Workspace, { count, stretches, row }: Stretches, fresh: number): Plan<void> {
  const { words } = workspace
  const rows: [records: number, from: number][] = []
  for (let number = 0; number < stretches; number++) {
    const get = (field: number) => words[(row(number) + field) >>> 2]!
    if (get(STRETCH_COUNT) > 0) rows.push([get(STRETCH_RECORDS), get(STRETCH_FROM)])
  }
  rows.sort(([a], [b]) => a - b)
  workspace.set(BUILD_FRESH, workspace.get(BUILD_ORDER))
  workspace.set(BUILD_FRESH_COUNT, fresh)
  workspace.set(BUILD_FRESH_ROWS, workspace.copy(Uint32Array.from(rows.flat())))
  workspace.set(BUILD_FRESH_ROW_COUNT, rows.length)
  workspace.set(BUILD_ORDER, workspace.room(4 * count))
  yield { step: 'mergeOrder', from: 0, to: 1 }
}
