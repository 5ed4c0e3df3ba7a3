// What is made of symbols that have their places: regions of memory, marks, and the index over pages. The same for a table that is built
// and for one whose symbols were only moved.

import { type ClaimedRange, claimsOf } from './claim-pages.ts'
import type { RegionInput } from './claims.ts'
import {
  BUILD_CELLS,
  BUILD_CHUNK_COUNT,
  BUILD_CHUNKS,
  BUILD_COUNT,
  BUILD_GROUP_COUNT,
  BUILD_GROUPS,
  BUILD_KIND,
  BUILD_LOW,
  BUILD_REGION_WORDS,
  BUILD_REGIONS,
  BUILD_RUN_OWNER,
  BUILD_RUN_START,
  BUILD_RUNS,
  CELL_STRIDE,
  CHUNK_SLICE,
  SLICE_BITS,
} from './constants.ts'
import type { ModuleMemory } from './memory-range.ts'
import { chunksOfPages, type PageIndex } from './pages.ts'
import { type FoundRegions, regionsOf } from './regions.ts'
import type { Plan, StepPieces, Workspace } from './workspace.ts'

/** Symbols in table order: two columns in a workspace, and what is found along them. */
export interface Places {
  readonly count: number
  /** The addresses of the columns `low` and `kind`. */
  readonly low: number
  readonly kind: number
  /** Pairs: upper half, first id. */
  readonly groups: Uint32Array
  /** For each group the pairs (chunk number, first id) of the chunks that hold symbols. */
  readonly chunks: readonly Uint32Array[]
  /** Runs of ids with one owner. */
  readonly runs: { readonly start: Uint32Array; readonly owner: Uint16Array }
}

/** Tells the loops of the symbols. */
function say(workspace: Workspace, { count, low, kind, groups, runs }: Places): void {
  workspace.set(BUILD_COUNT, count)
  workspace.set(BUILD_LOW, low)
  workspace.set(BUILD_KIND, kind)
  workspace.set(BUILD_GROUPS, workspace.copy(groups))
  workspace.set(BUILD_GROUP_COUNT, groups.length / 2)
  workspace.set(BUILD_RUN_START, workspace.copy(runs.start))
  workspace.set(BUILD_RUN_OWNER, workspace.copy(runs.owner))
  workspace.set(BUILD_RUNS, runs.start.length)
}

/**
 * The regions that the symbols tell of, and what is known of modules' memory. `earlier`: those that were found before, perhaps where
 * every symbol had the same address, kind and owner (`isSame`). `beside`: a step for which nothing of this is needed. `claimed`: ranges of
 * which claims are known, as `claimsOf` takes them.
 */
export function* regionsOfPlaces(
  workspace: Workspace,
  places: Places,
  told: Pick<RegionInput, 'owners' | 'ownerNumbers' | 'markers' | 'nameOf'>,
  ranges: readonly ModuleMemory[],
  earlier?: FoundRegions,
  isSame = false,
  beside?: StepPieces,
  claimed?: readonly ClaimedRange[],
): Plan<FoundRegions> {
  const { count, low, kind, groups, runs } = places
  say(workspace, places)
  const claims =
    isSame && earlier !== undefined
      ? earlier.groups.map((group) => group.claims)
      : yield* claimsOf(workspace, groups, count, told.owners, claimed)
  if (beside !== undefined) yield { ...beside, ahead: true }
  const lows = new Uint32Array(workspace.memory.buffer, low, count)
  return yield* regionsOf(
    workspace,
    { low: lows, kind: workspace.bytes(kind, count), runs, ...told },
    groups,
    claims,
    ranges,
    earlier,
  )
}

/**
 * Marks the symbols that need a second look, where a step does that, and makes the index over their pages: marks and cells are there
 * when all is done that went ahead.
 */
export function* indexPlaces(
  workspace: Workspace,
  places: Places,
  regions: Uint32Array,
  mark: 'flagIds' | 'markMoved' | undefined,
): Plan<{ readonly pages: Omit<PageIndex, 'cells'>; readonly cells: Uint16Array }> {
  const { count, groups, chunks } = places
  say(workspace, places)
  workspace.set(BUILD_REGIONS, workspace.copy(regions))
  workspace.set(BUILD_REGION_WORDS, regions.length)
  const pieces = mark === 'flagIds' ? Math.ceil(count / 2 ** SLICE_BITS) : 1
  if (mark !== undefined) yield { step: mark, from: 0, to: pieces, ahead: true }

  const pages = chunksOfPages(groups, chunks, count)
  const chunkCount = pages.chunks.length / 2
  const cells = workspace.room(2 * chunkCount * CELL_STRIDE)
  workspace.set(BUILD_CHUNKS, workspace.copy(pages.chunks))
  workspace.set(BUILD_CHUNK_COUNT, chunkCount)
  workspace.set(BUILD_CELLS, cells)
  yield { step: 'countCells', from: 0, to: Math.ceil(chunkCount / CHUNK_SLICE), ahead: true }
  return { pages, cells: new Uint16Array(workspace.memory.buffer, cells, chunkCount * CELL_STRIDE) }
}
