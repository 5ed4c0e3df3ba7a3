// The core kernel of one boot moved to another boot, in the memory of its table: the image moves by whole chunks, so that the table's page index
// stays but for the numbers of chunks, and each symbol costs one addition.

import { joinAddress } from '../core/address.ts'
import { addToWords } from '../core/blocks.ts'
import { openSymbolColumns } from '../symbols/layout.ts'
import { CHUNK_BITS, GROUP, GROUP_WORDS } from '../symbols/pages.ts'
import { REGION_WORDS } from '../symbols/regions.ts'
import type { BootCore } from './boot-core.ts'
import { type Anchor, MOST_ABSOLUTE } from './image.ts'

const HALF = 2n ** 32n
const CHUNK_BYTES = 2 ** CHUNK_BITS
const CHUNK = BigInt(CHUNK_BYTES)

/**
 * Moves the core, in its memory, to another boot, whose image begins at `anchor`. False, and nothing is done, where that begins with another symbol,
 * did not move by whole chunks, or does not lie within one upper half: then it is loaded.
 */
export function moveCore({ symbols, anchors }: BootCore, anchor: Anchor): boolean {
  const before = anchors.find(({ name }) => name === anchor.name)
  if (before === undefined || anchor.address < MOST_ABSOLUTE) return false
  const slide = anchor.address - before.address
  const { groups, chunks, low, regions } = openSymbolColumns(symbols)
  // The image is the last group, and all regions lie in it.
  const last = groups.length - GROUP_WORDS
  const behind = regions.length - REGION_WORDS
  if (last < 0 || behind < 0 || slide % CHUNK !== 0n) return false
  const first = groups[last + GROUP.firstId]!
  const begin = joinAddress(groups[last + GROUP.high]!, low[first]!) + slide
  const end = joinAddress(regions[behind + 2]!, regions[behind + 3]!) + slide
  const half = begin / HALF
  const by = Number(begin % HALF) - low[first]!
  if (half <= 0n || end > (half + 1n) * HALF || low[low.length - 1]! + by >= Number(HALF)) return false
  const chunksBy = by / CHUNK_BYTES
  addToWords(low.subarray(first), by)
  groups[last + GROUP.high] = Number(half)
  if (groups[last + GROUP.span] !== 0) {
    groups[last + GROUP.firstChunk]! += chunksBy
    // The end mark behind them stays.
    for (let at = 2 * groups[last + GROUP.chunks]!; chunks[at + 1]! < low.length; at += 2) chunks[at]! += chunksBy
  }
  for (let row = 0; row < regions.length; row += REGION_WORDS) {
    for (const at of [row, row + 2]) {
      const address = joinAddress(regions[at]!, regions[at + 1]!) + slide
      regions[at] = Number(address / HALF)
      regions[at + 1] = Number(address % HALF)
    }
  }
  return true
}
