// The table of one boot moved to another boot of the same kernel build: the core kernel, which is certain to lie at its new place as it did
// before. All else is not there: it comes with the load that checks this.

import { joinAddress } from '../core/address.ts'
import { HOLE, openSymbolColumns, type SymbolColumns } from '../symbols/layout.ts'
import { REGION_WORDS } from '../symbols/regions.ts'
import { groupOf, groupViews, upperBound } from '../symbols/search.ts'
import { CHUNK, type Ids, type ShiftedGroup, shiftedTable } from '../symbols/shifted.ts'
import type { SymbolTable } from '../symbols/table.ts'
import { type Anchor, MOST_ABSOLUTE, MOST_IMAGE } from './image.ts'

/** Addresses [start, end). */
interface Memory {
  readonly start: bigint
  readonly end: bigint
}

const CORE = 0
const HALF = 2n ** 32n
/**
 * Bytes behind the core's per-cpu variables in which those of modules are listed, where they are no offsets: several times what the kernel
 * reserves for them (PERCPU_MODULE_RESERVE).
 */
const MODULES_PER_CPU = 0x1_0000n

/**
 * The core of an earlier boot's table, which has its own names, at another boot whose image begins at `anchor`. Undefined where the table does
 * not tell where its image began, and where the image did not move by whole chunks or does not lie within one upper half: then it is loaded.
 */
export function moveBoot(table: SymbolTable, anchor: Anchor): SharedArrayBuffer | undefined {
  const owner = table.owners[CORE]!
  const [symbol, other] = table.named(anchor.name, { owner })
  if (symbol === undefined || other !== undefined) return undefined
  const begin = symbol.address
  const end = begin + BigInt(MOST_IMAGE)
  const slide = anchor.address - begin
  if (slide % BigInt(CHUNK) !== 0n || begin < MOST_ABSOLUTE || anchor.address < MOST_ABSOLUTE) return undefined
  const columns = openSymbolColumns(table.buffer)
  const views = groupViews(columns)
  const groups: ShiftedGroup[] = []
  for (const there of views) {
    const start = BigInt(there.half) * HALF
    // A symbol of a small value stays where it is at every boot.
    if (start >= MOST_ABSOLUTE) break
    const ids = coreIds(columns, there.first, there.end)
    if (ids.length > 0) groups.push({ there, ids, half: there.half, by: 0 })
  }
  const first = table.lowerBound(begin).id
  const ids = coreIds(columns, first, table.lowerBound(end).id)
  const there = groupOf(views, Number(begin / HALF))
  const last = ids[ids.length - 1]!.to - 1
  const half = anchor.address / HALF
  const image = coreMemory(columns, begin, end)
  const behindAll = (image[image.length - 1]?.end ?? table.addressOf(last)) + slide
  if (last >= there.end || behindAll > (half + 1n) * HALF) return undefined
  groups.push({ there, ids, half: Number(half), by: Number((anchor.address % HALF) - (begin % HALF)) })

  const [perCpu] = table.named('__per_cpu_end', { owner })
  let unsettled: Ids = { from: 0, to: 0 }
  let settled = image
  if (perCpu !== undefined && perCpu.id >= first) {
    // Behind variables of modules the last of them answers, or the core's symbol before them: that memory waits up to the next symbol.
    const from = perCpu.address
    const behind = coreIds(columns, table.lowerBound(from + MODULES_PER_CPU).id, last + 1)[0]?.from ?? last + 1
    unsettled = { from: table.lowerBound(from).id, to: behind }
    const to = behind > last ? end : table.addressOf(behind)
    settled = image.flatMap((memory) => without(memory, from, to))
  }
  const regions = regionRows(settled, slide)
  return shiftedTable({ lender: columns, groups, owner, regions, unsettled, hole: HOLE.notLoadedYet })
}

/** The core's among the ids [from, to). */
function coreIds({ ownerStart, ownerOf, low }: SymbolColumns, from: number, to: number): Ids[] {
  const found: Ids[] = []
  for (let run = upperBound(ownerStart, 0, ownerStart.length, from) - 1; run < ownerStart.length; run++) {
    const start = Math.max(from, ownerStart[run]!)
    if (start >= to) break
    if (ownerOf[run] === CORE) found.push({ from: start, to: Math.min(to, ownerStart[run + 1] ?? low.length) })
  }
  return found
}

/** The core's memory that lies within [start, end). */
function coreMemory({ regions }: SymbolColumns, start: bigint, end: bigint): Memory[] {
  const found: Memory[] = []
  for (let at = 0; at < regions.length; at += REGION_WORDS) {
    if (regions[at + 4] !== CORE) continue
    const memory = {
      start: joinAddress(regions[at]!, regions[at + 1]!),
      end: joinAddress(regions[at + 2]!, regions[at + 3]!),
    }
    if (memory.start >= start && memory.start < memory.end && memory.end <= end) found.push(memory)
  }
  return found
}

/** A range of memory without [start, end). */
function without(memory: Memory, start: bigint, end: bigint): Memory[] {
  if (end <= memory.start || start >= memory.end) return [memory]
  const parts = [
    { start: memory.start, end: start },
    { start: end, end: memory.end },
  ]
  return parts.filter((part) => part.start < part.end)
}

/** The rows of `regions`, for memory that lies `slide` further. */
function regionRows(memory: readonly Memory[], slide: bigint): Uint32Array {
  const rows = new Uint32Array(memory.length * REGION_WORDS)
  memory.forEach((own, i) => {
    const [start, end] = [own.start + slide, own.end + slide]
    rows.set(
      [Number(start / HALF), Number(start % HALF), Number(end / HALF), Number(end % HALF), CORE],
      i * REGION_WORDS,
    )
  })
  return rows
}
