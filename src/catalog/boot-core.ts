// The core kernel of one boot, kept for other boots of the same build: it is certain to lie at its new place as it did before. All else is not in
// it: that comes with the load that checks this.

import { joinAddress } from '../core/address.ts'
import { type CutGroup, cutTable, type Ids } from '../symbols/cut.ts'
import { HOLE, openSymbolColumns, type SymbolColumns } from '../symbols/layout.ts'
import { REGION_WORDS } from '../symbols/regions.ts'
import { groupOf, groupViews, upperBound } from '../symbols/search.ts'
import type { SymbolTable } from '../symbols/table.ts'
import { ANCHORS, type Anchor, MOST_ABSOLUTE, MOST_IMAGE } from './image.ts'

/** What is certain of other boots: a table of the core kernel at one boot, and the symbols with which its image began there. */
export interface BootCore {
  readonly symbols: SharedArrayBuffer
  /** At least one. */
  readonly anchors: readonly Anchor[]
}

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
 * The core of a table, which has its own names. Undefined where the table does not tell where its image begins, and where the image does not lie
 * within one upper half. Yields between bounded pieces of work.
 */
export function* coreOf(table: SymbolTable): Generator<void, BootCore | undefined, void> {
  const owner = table.owners[CORE]
  if (owner === undefined) return undefined
  const anchors = anchorsOf(table, owner)
  const begin = anchors[0]?.address
  if (begin === undefined || begin < MOST_ABSOLUTE) return undefined
  const end = begin + BigInt(MOST_IMAGE)
  const whole = openSymbolColumns(table.buffer)
  const views = groupViews(whole)
  const groups: CutGroup[] = []
  for (const there of views) {
    // A symbol of a small value stays where it is at every boot.
    if (BigInt(there.half) * HALF >= MOST_ABSOLUTE) break
    const ids = coreIds(whole, there.first, there.end)
    if (ids.length > 0) groups.push({ there, ids })
  }
  const first = table.lowerBound(begin).id
  const ids = coreIds(whole, first, table.lowerBound(end).id)
  const there = groupOf(views, Number(begin / HALF))
  const last = ids[ids.length - 1]!.to - 1
  const image = coreMemory(whole, begin, end)
  if (last >= there.end || image.length === 0) return undefined
  groups.push({ there, ids })

  const [perCpu] = table.named('__per_cpu_end', { owner })
  let unsettled: Ids = { from: 0, to: 0 }
  let settled = image
  if (perCpu !== undefined && perCpu.id >= first) {
    // Behind variables of modules the last of them answers, or the core's symbol before them: that memory waits up to the next symbol.
    const from = perCpu.address
    const behind = coreIds(whole, table.lowerBound(from + MODULES_PER_CPU).id, last + 1)[0]?.from ?? last + 1
    unsettled = { from: table.lowerBound(from).id, to: behind }
    const to = behind > last ? end : table.addressOf(behind)
    settled = image.flatMap((memory) => without(memory, from, to))
  }
  const regions = regionRows(settled)
  const symbols = yield* cutTable({ whole, groups, owner, regions, unsettled, hole: HOLE.notLoadedYet })
  return { symbols, anchors }
}

/** Where a table's image begins, by each symbol that says so alone. */
function anchorsOf(table: SymbolTable, owner: string): Anchor[] {
  return ANCHORS.flatMap((name) => {
    const [symbol, other] = table.named(name, { owner })
    return symbol === undefined || other !== undefined ? [] : [{ name, address: symbol.address }]
  })
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

/** The rows of `regions`. */
function regionRows(memory: readonly Memory[]): Uint32Array {
  const rows = new Uint32Array(memory.length * REGION_WORDS)
  memory.forEach((own, i) => {
    const halves = [own.start, own.end].flatMap((address) => [Number(address / HALF), Number(address % HALF)])
    rows.set([...halves, CORE], i * REGION_WORDS)
  })
  return rows
}
