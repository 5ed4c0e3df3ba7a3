// Marks the symbols that need a second look: wherever "the greatest start at or below the address" is not simply the
// answer. All the others, nearly all of a real table, are answered by the plain search and one look at this mark.

import type { Draft } from './assemble.ts'
import { LABEL, SPECIAL } from './kinds.ts'
import { MOST_OFFSET, REGION_WORDS } from './regions.ts'
import { type Workspace, words } from './workspace.ts'

/** Ids worked on between two yields. */
const SLICE = 16_384

/**
 * Sets SPECIAL in `kind` of every id whose owner does not own the memory, or whose stretch up to the next distinct address
 * leaves its region or exceeds MOST_OFFSET; and of every alias after the first, so that an unmarked name is the answer
 * for its group. `groups` are pairs: upper half, first id. A label without the mark lies in plain memory, so what answers before it answers there too.
 */
export function* flagSpecial(
  workspace: Workspace,
  draft: Draft,
  groups: Uint32Array,
  runs: OwnerRuns,
): Generator<void, void, void> {
  const state = words(workspace, FLAGGING.words)
  state[FLAGGING.namedIn] = NOWHERE
  for (let g = 0; g < groups.length; g += 2) {
    const end = groups[g + 3] ?? draft.low.length
    for (let id = groups[g + 1]!; id < end; ) {
      id = workspace.loops.flagIds(draft, runs, groups[g]!, id, Math.min(end, id + SLICE), end, state)
      yield
    }
  }
}

/** Runs of ids with one owner: the first id of each, and the owner. */
export interface OwnerRuns {
  readonly start: Uint32Array
  readonly owner: Uint16Array
}

/** The words of what is remembered from one step to the next. */
const FLAGGING = {
  /** The first word of the first region that does not end before the addresses looked at, and their run. */
  region: 0,
  run: 1,
  /** The region of the last name before: a label is led back to it only within one region. */
  namedIn: 2,
  words: 3,
} as const
const NOWHERE = 0xffff_ffff

/** Marks ids from `from` on, in the group that ends at `end`, up to `until` or a few more; returns where it stopped. */
export function flagIds(
  { low, kind, regions }: Draft,
  runs: OwnerRuns,
  half: number,
  from: number,
  until: number,
  end: number,
  state: Uint32Array,
): number {
  let region = state[FLAGGING.region]!
  let run = state[FLAGGING.run]!
  let namedIn = state[FLAGGING.namedIn]!
  let id = from
  while (id < until) {
    const at = low[id]!
    let next = id + 1
    while (next < end && low[next] === at) next++
    while (region < regions.length && endsBefore(regions, region, half, at)) region += REGION_WORDS
    while (run + 1 < runs.start.length && runs.start[run + 1]! <= id) run++
    const owner = runs.owner[run]!
    const regionEnd = region < regions.length ? endWithin(regions, region, half, at, owner) : -1
    const plain =
      next < end &&
      (run + 1 >= runs.start.length || runs.start[run + 1]! >= next) &&
      low[next]! <= regionEnd &&
      low[next]! - at <= MOST_OFFSET
    // In a plain group the first name that is no label is the answer, and labels lead back to the name before them.
    let named = false
    for (let i = id; i < next; i++) {
      const label = (kind[i]! & LABEL) !== 0
      if (!plain || (named && !label)) kind[i]! |= SPECIAL
      if (!label) named = true
    }
    if (named) namedIn = region
    else if (namedIn !== region) for (let i = id; i < next; i++) kind[i]! |= SPECIAL
    id = next
  }
  state[FLAGGING.region] = region
  state[FLAGGING.run] = run
  state[FLAGGING.namedIn] = namedIn
  return id
}

function endsBefore(regions: Uint32Array, at: number, half: number, low: number): boolean {
  const endHigh = regions[at + 2]!
  return endHigh < half || (endHigh === half && regions[at + 3]! <= low)
}

/** Where the region ends, as a lower half (2^32 at the group's end), if it holds the address and is the owner's; or -1. */
function endWithin(regions: Uint32Array, at: number, half: number, low: number, owner: number): number {
  if (regions[at]! !== half || regions[at + 1]! > low || regions[at + 4] !== owner) return -1
  return regions[at + 2] === half ? regions[at + 3]! : 2 ** 32
}
