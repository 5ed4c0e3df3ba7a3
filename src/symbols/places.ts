// What is made of symbols that have their places: regions of memory, marks, and the index over pages. The same for a table that is built
// and for one whose symbols were only moved.

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
import { chunksOfPages, type PageIndex } from './pages.ts'
import { type ModuleMemory, regionsOf } from './regions.ts'
import type { Plan, Workspace } from './workspace.ts'

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

/** The regions that the symbols tell of, and what is known of modules' memory. */
export function regionsOfPlaces(
  workspace: Workspace,
  { count, low, kind, groups, runs }: Places,
  told: Pick<RegionInput, 'owners' | 'markers' | 'nameOf'>,
  ranges: readonly ModuleMemory[],
): Generator<void, Uint32Array, void> {
  const lows = new Uint32Array(workspace.memory.buffer, low, count)
  const kinds = workspace.bytes(kind, count)
  return regionsOf({ ...byId(groups, runs, count), low: lows, kind: kinds, runs, ...told }, groups, ranges)
}

/** Marks the symbols that need a second look, where they are to be marked, and makes the index over their pages. */
export function* indexPlaces(
  workspace: Workspace,
  { count, low, kind, groups, chunks, runs }: Places,
  regions: Uint32Array,
  mark: boolean,
): Plan<{ readonly pages: Omit<PageIndex, 'cells'>; readonly cells: Uint16Array }> {
  workspace.set(BUILD_COUNT, count)
  workspace.set(BUILD_LOW, low)
  workspace.set(BUILD_KIND, kind)
  workspace.set(BUILD_GROUPS, workspace.copy(groups))
  workspace.set(BUILD_GROUP_COUNT, groups.length / 2)
  workspace.set(BUILD_RUN_START, workspace.copy(runs.start))
  workspace.set(BUILD_RUN_OWNER, workspace.copy(runs.owner))
  workspace.set(BUILD_RUNS, runs.start.length)
  workspace.set(BUILD_REGIONS, workspace.copy(regions))
  workspace.set(BUILD_REGION_WORDS, regions.length)
  if (mark) yield { step: 'flagIds', from: 0, to: Math.ceil(count / 2 ** SLICE_BITS) }

  const pages = chunksOfPages(groups, chunks, count)
  const chunkCount = pages.chunks.length / 2
  const cells = workspace.room(2 * chunkCount * CELL_STRIDE)
  workspace.set(BUILD_CHUNKS, workspace.copy(pages.chunks))
  workspace.set(BUILD_CHUNK_COUNT, chunkCount)
  workspace.set(BUILD_CELLS, cells)
  yield { step: 'countCells', from: 0, to: Math.ceil(chunkCount / CHUNK_SLICE) }
  return { pages, cells: new Uint16Array(workspace.memory.buffer, cells, chunkCount * CELL_STRIDE) }
}

/** The upper halves and owners of ids as columns, and the order of symbols that are in order. */
function byId(groups: Uint32Array, runs: { start: Uint32Array; owner: Uint16Array }, count: number) {
  const high = new Uint32Array(count)
  for (let g = 0; g < groups.length; g += 2) high.fill(groups[g]!, groups[g + 1]!, groups[g + 3] ?? count)
  const owner = new Uint16Array(count)
  for (let run = 0; run < runs.start.length; run++) {
    owner.fill(runs.owner[run]!, runs.start[run]!, runs.start[run + 1] ?? count)
  }
  const order = new Uint32Array(count)
  for (let id = 0; id < count; id++) order[id] = id
  return { high, owner, order }
}
