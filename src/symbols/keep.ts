// Stretches of an earlier text that are kept: which they are, and what the loops have to know of the table that has their symbols. What
// runs over symbols is in assembly/keep.ts.

import { bisect } from '../core/bisect.ts'
import {
  BUILD_BUCKET_BITS,
  BUILD_FRESH,
  BUILD_FRESH_COUNT,
  BUILD_FRESH_ROW_COUNT,
  BUILD_FRESH_ROWS,
  BUILD_GONE_COUNTS,
  BUILD_GONE_ROOT_COUNT,
  BUILD_GONE_ROOTS,
  BUILD_GONE_STRETCHES,
  BUILD_MOVED,
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
  BUILD_OTHER,
  BUILD_POSITIONS,
  BUILD_SHIFTS,
  BUILD_SPANS,
  BUILD_TOUCHED,
  GONE_BYTES,
  ORPHAN_BYTES,
  PARTS,
  SHIFT_BLOCK_BITS,
  SHIFT_BYTES,
  SHIFT_MANY,
  SLICE_BITS,
  SPAN_BYTES,
  STRETCH_COUNT,
  STRETCH_FROM,
  STRETCH_RECORDS,
} from './constants.ts'
import { COUNTS, indexBits, openSymbolColumns } from './layout.ts'
import { GROUP, GROUP_WORDS } from './pages.ts'
import type { RememberedText, RootPlaces } from './remembered.ts'
import type { Plan, Workspace } from './workspace.ts'

/** The stretches of an earlier text that are kept. */
export interface Kept {
  readonly earlier: RememberedText
  /** The segments by the numbers of the stretches that they are now, both ascending. */
  readonly segments: ReadonlyMap<number, number>
  /** By the numbers that owners had those that they have; 0 where there are none any more. */
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
 * Whether each symbol has the address, the kind and the owner of the one that had its id in the earlier table, once all have their
 * places: then that table's marks and page index are right for the same regions.
 */
export function samePlaces(workspace: Workspace, count: number, owners: readonly string[], { earlier }: Kept): boolean {
  return (
    count === earlier.ids.length &&
    workspace.get(BUILD_MOVED) === 0 &&
    workspace.get(BUILD_OTHER) === 0 &&
    owners.length === earlier.owners.length &&
    owners.every((owner, i) => owner === earlier.owners[i])
  )
}

/** Stretches of the earlier text, one behind the other, that are gone, and the numbers [first, end) of those in their place. */
interface Gap {
  readonly segments: { readonly from: number; readonly to: number }
  readonly stretches: { readonly first: number; readonly end: number }
}

/** What is gone between two stretches that are kept, or before and behind all. */
function gapsOf({ earlier, segments }: Kept, stretches: number): Gap[] {
  const gaps: Gap[] = []
  let before = { segment: -1, stretch: -1 }
  for (const [stretch, segment] of [...segments, [stretches, earlier.segments.length] as const]) {
    if (segment > before.segment + 1) {
      gaps.push({
        segments: { from: before.segment + 1, to: segment },
        stretches: { first: before.stretch + 1, end: stretch },
      })
    }
    before = { segment, stretch }
  }
  return gaps
}

/**
 * Finds out where what is kept is in the text now, and which of its roots are used by others first. Returns how many of the earlier
 * table's names are kept in each part of its index.
 */
export function* keepSymbols(workspace: Workspace, { stretches }: Stretches, kept: Kept): Plan<Uint32Array> {
  const { earlier, ownerNumbers } = kept
  const { ids, roots } = earlier
  const { heap, ownerStart, ownerOf, buckets, entries, counts } = openSymbolColumns(earlier.table)
  const zeros = (bytes: number) => {
    const address = workspace.room(bytes)
    Buffer.from(workspace.memory.buffer, address, bytes).fill(0)
    return address
  }
  workspace.set(BUILD_OLD_RUN_START, workspace.copy(ownerStart))
  workspace.set(BUILD_OLD_RUN_OWNER, workspace.copy(ownerOf.map((owner) => ownerNumbers[owner]!)))
  workspace.set(BUILD_OLD_RUNS, ownerStart.length)
  workspace.set(BUILD_OLD_BUCKETS, workspace.copy(buckets))
  workspace.set(BUILD_OLD_ENTRIES, workspace.copy(entries))
  workspace.set(BUILD_OLD_BASES, workspace.copy(roots.bases))
  workspace.set(BUILD_BUCKET_BITS, counts[COUNTS.bucketBits]!)
  workspace.set(BUILD_TOUCHED, zeros(Math.ceil(buckets.length / 32) * 4))
  workspace.set(BUILD_POSITIONS, workspace.room(4 * ids.length))
  workspace.set(BUILD_NEW_IDS, workspace.room(4 * ids.length))
  workspace.set(BUILD_NEW_ROOTS, workspace.room(4 * Math.ceil(heap.length / LEAST_ROOT)))
  const shifts = zeros(((heap.length >>> SHIFT_BLOCK_BITS) + 1) * SHIFT_BYTES)
  workspace.set(BUILD_SHIFTS, shifts)
  // Where two parts meet two threads may write at once.
  for (const base of roots.bases) {
    workspace.words[(shifts + (base >>> SHIFT_BLOCK_BITS) * SHIFT_BYTES) >>> 2] = SHIFT_MANY
  }
  yield { step: 'keepPositions', from: 0, to: stretches }

  const gaps = gapsOf(kept, stretches)
  const gone = gaps.flatMap(({ segments: { from, to } }) => earlier.segments.slice(from, to))
  const perPart = workspace.copy(new Uint32Array(PARTS))
  workspace.set(BUILD_GONE_STRETCHES, workspace.copy(Uint32Array.from(gone.flatMap(({ from, to }) => [from, to]))))
  workspace.set(BUILD_GONE_COUNTS, perPart)
  yield { step: 'markGone', from: 0, to: gone.length }

  const rows: number[] = []
  let goneBytes = 0
  for (const { segments, stretches: now } of gaps) {
    const from = ownRoots(roots, segments.from)
    const to = ownRoots(roots, segments.to - 1)
    for (let part = 0; part < PARTS; part++) {
      const bytes = to[PARTS + part]! - from[part]!
      if (bytes > 0) rows.push(part, from[part]!, to[PARTS + part]!, now.first, now.end)
      goneBytes += bytes
    }
  }
  workspace.set(BUILD_GONE_ROOTS, workspace.copy(Uint32Array.from(rows)))
  workspace.set(BUILD_GONE_ROOT_COUNT, rows.length / (GONE_BYTES / 4))
  if (goneBytes > 0) {
    workspace.set(BUILD_ORPHANED, zeros(Math.ceil(heap.length / (32 * LEAST_ROOT)) * 4))
    workspace.set(BUILD_ORPHANS, workspace.room((goneBytes / LEAST_ROOT) * ORPHAN_BYTES))
    yield { step: 'markOrphans', from: 0, to: PARTS }
    yield { step: 'seekOrphans', from: 0, to: Math.ceil(ids.length / 2 ** SLICE_BITS) }
    yield { step: 'findOrphans', from: 0, to: 1 }
  }
  const bucketsOf = (buckets.length - 1) / PARTS
  return Uint32Array.from({ length: PARTS }, (_, part) => {
    const names = buckets[(part + 1) * bucketsOf]! - buckets[part * bucketsOf]!
    return names - workspace.words[(perPart >>> 2) + part]!
  })
}

/** Merges the order of `fresh` new records with that of the symbols that are kept. */
export function* mergeOrder(
  workspace: Workspace,
  { count, stretches, row }: Stretches,
  kept: Kept,
  fresh: number,
): Plan<void> {
  const { words } = workspace
  const rows: [records: number, from: number][] = []
  for (let number = 0; number < stretches; number++) {
    const get = (field: number) => words[(row(number) + field) >>> 2]!
    if (get(STRETCH_COUNT) > 0) rows.push([get(STRETCH_RECORDS), get(STRETCH_FROM)])
  }
  rows.sort(([a], [b]) => a - b)
  const gone = kept.earlier.ids.length - (count - fresh)
  const groups = workspace.get(BUILD_OLD_GROUP_COUNT)
  workspace.set(BUILD_FRESH, workspace.get(BUILD_ORDER))
  workspace.set(BUILD_FRESH_COUNT, fresh)
  workspace.set(BUILD_FRESH_ROWS, workspace.copy(Uint32Array.from(rows.flat())))
  workspace.set(BUILD_FRESH_ROW_COUNT, rows.length)
  workspace.set(BUILD_SPANS, workspace.room(SPAN_BYTES * (2 * fresh + gone + groups + 1)))
  workspace.set(BUILD_MOVED, 0)
  workspace.set(BUILD_OTHER, 0)
  yield { step: 'mergeOrder', from: 0, to: 1 }
}
