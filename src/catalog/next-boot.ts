// The table of one boot moved to another boot of the same kernel build: what is certain to lie at its new place as it did before. All
// else is not there: it comes with the load that checks this.

import { joinAddress } from '../core/address.ts'
import type { ModuleInfo } from '../sources/facts.ts'
import type { ModuleKey } from '../sources/source.ts'
import { CORE_OWNER } from '../symbols/build.ts'
import { PAGE } from '../symbols/claims.ts'
import { LABEL, PIECE, pieceKind } from '../symbols/kinds.ts'
import { HOLE, openSymbolColumns, type SymbolColumns } from '../symbols/layout.ts'
import type { PlacedPiece, PlacedTable } from '../symbols/placed.ts'
import { REGION_WORDS } from '../symbols/regions.ts'
import type { SymbolTable } from '../symbols/table.ts'
import { type Anchor, MOST_ABSOLUTE, MOST_IMAGE } from './image.ts'

/** The identities of modules; undefined where a host tells none. */
export type Identities = ReadonlyMap<string, ModuleKey> | undefined

/** A boot that was loaded. */
export interface EarlierBoot {
  /** It has its own names. */
  readonly table: SymbolTable
  readonly modules: readonly ModuleInfo[]
  readonly identities: Identities
}

/** The facts in the small files of another boot of the same kernel. */
export interface NextBoot {
  /** A symbol at the beginning of the kernel's image, and where it is now. */
  readonly anchor: Anchor
  /** As /proc/modules lists them. */
  readonly modules: readonly ModuleInfo[]
  readonly identities: Identities
}

/** The part of an earlier boot's table that is certain of another boot. */
export interface MovedBoot {
  /** The core, and modules of which anything is certain. Of all other memory it says that nothing is known yet. */
  readonly table: PlacedTable
  /** Modules that only their names, their sizes and the kernel's build id speak for. */
  readonly byName: readonly string[]
}

/** Ids [from, to). */
interface Ids {
  readonly from: number
  readonly to: number
}

/** Addresses [start, end). */
interface Memory {
  readonly start: bigint
  readonly end: bigint
}

/** Symbols of an owner that move together. */
interface Movable {
  readonly ids: readonly Ids[]
  readonly memory: readonly Memory[]
}

const CORE = 0
/**
 * Bytes behind the core's per-cpu variables in which those of modules are listed, where they are no offsets: several times what the kernel
 * reserves for them (PERCPU_MODULE_RESERVE).
 */
const MODULES_PER_CPU = 0x1_0000n

/** Moves a table; undefined where it does not tell where the kernel's image begins, or two things would lie at one place. */
export function moveBoot({ table, modules, identities }: EarlierBoot, now: NextBoot): MovedBoot | undefined {
  const begins = table.named(now.anchor.name, { owner: CORE_OWNER })
  const begin = begins[0]?.address
  if (begin === undefined || begins.length > 1) return undefined
  const earlier = new Earlier(table)
  const owners = [CORE_OWNER]
  const pieces: PlacedPiece[] = []
  const memory: (Memory & { readonly owner: number })[] = []
  const add = ({ ids, memory: own }: Movable, distance: bigint, owner: number) => {
    const shift = BigInt.asUintN(64, distance)
    const [high, low] = [Number(shift >> 32n), Number(shift & 0xffff_ffffn)]
    for (const { from, to } of ids) pieces.push({ lender: 0, from, to, high, low, owner })
    for (const { start, end } of own) memory.push({ start: start + distance, end: end + distance, owner })
  }
  // A symbol of a small value stays where it is at every boot.
  add({ ids: earlier.between(CORE, 0n, BigInt(MOST_ABSOLUTE)), memory: [] }, 0n, CORE)
  const slide = now.anchor.address - begin
  const end = begin + BigInt(MOST_IMAGE)
  const [perCpu] = table.named('__per_cpu_end', { owner: CORE_OWNER })
  // Behind variables of modules the last of them answers, or the core's symbol before them: that memory waits up to the next symbol.
  const behind = perCpu && earlier.between(CORE, perCpu.address + MODULES_PER_CPU, end)[0]
  const settled = behind === undefined ? end : table.addressOf(behind.from)
  const image = earlier
    .memoryOf(CORE)
    .filter((own) => own.start >= begin && own.end <= end)
    .flatMap((own) => (perCpu === undefined ? [own] : without(own, perCpu.address, settled)))
  add({ ids: earlier.between(CORE, begin, end), memory: image }, slide, CORE)

  const before = new Map(modules.map((info) => [info.name, info]))
  const areWhole = earlier.areWhole(modules)
  const byName: string[] = []
  for (const info of now.modules) {
    const old = before.get(info.name)
    if (old === undefined || !isSettled(old) || !isSettled(info) || old.size !== info.size) continue
    const known = isSame(info.name, identities, now.identities)
    const movable = known === false ? undefined : earlier.movable(old, areWhole)
    if (movable === undefined) continue
    if (known === undefined) byName.push(info.name)
    add(movable, info.address - old.address, owners.push(info.name) - 1)
  }
  const regions = regionRows(memory)
  if (regions === undefined) return undefined
  const holes = new Map([[CORE, HOLE.notLoadedYet]])
  return { table: { lenders: [table], pieces, owners, ranges: [], regions, holes }, byName }
}

/** Whether a module has all of its memory, and where is known. */
function isSettled({ state, address }: ModuleInfo): boolean {
  return state === 'Live' && address !== 0n && address % BigInt(PAGE) === 0n
}

/** Whether a module is of the same build in both boots; undefined where neither tells what any module is known by. */
function isSame(name: string, before: Identities, now: Identities): boolean | undefined {
  if (before === undefined && now === undefined) return undefined
  const [a, b] = [before?.get(name), now?.get(name)]
  if (a?.buildId !== undefined || b?.buildId !== undefined) return a?.buildId === b?.buildId
  return a?.srcversion !== undefined && a.srcversion === b?.srcversion
}

/** The ranges of memory without [start, end). */
function without(memory: Memory, start: bigint, end: bigint): Memory[] {
  if (end <= memory.start || start >= memory.end) return [memory]
  const parts = [
    { start: memory.start, end: start },
    { start: end, end: memory.end },
  ]
  return parts.filter((part) => part.start < part.end)
}

/** The rows of `regions`, ascending; undefined where any two overlap. */
function regionRows(memory: (Memory & { readonly owner: number })[]): Uint32Array | undefined {
  memory.sort((a, b) => (a.start < b.start ? -1 : 1))
  const rows = new Uint32Array(memory.length * REGION_WORDS)
  for (const [i, { start, end, owner }] of memory.entries()) {
    const next = memory[i + 1]
    if (start < 0n || end > 0xffff_ffff_ffff_ffffn || (next !== undefined && next.start < end)) return undefined
    rows.set(
      [Number(start >> 32n), Number(start & 0xffff_ffffn), Number(end >> 32n), Number(end & 0xffff_ffffn), owner],
      i * REGION_WORDS,
    )
  }
  return rows
}

/** A table by owner. */
class Earlier {
  readonly #table: SymbolTable
  readonly #columns: SymbolColumns
  readonly #numbers: ReadonlyMap<string, number>
  readonly #ids = new Map<number, Ids[]>()
  readonly #memory = new Map<number, Memory[]>()

  constructor(table: SymbolTable) {
    const columns = openSymbolColumns(table.buffer)
    this.#table = table
    this.#columns = columns
    this.#numbers = new Map(table.owners.map((name, number) => [name, number]))
    const { ownerStart, ownerOf, regions } = columns
    for (let run = 0; run < ownerStart.length; run++) {
      append(this.#ids, ownerOf[run]!, { from: ownerStart[run]!, to: ownerStart[run + 1] ?? table.size })
    }
    for (let at = 0; at < regions.length; at += REGION_WORDS) {
      const [startHigh, startLow, endHigh, endLow, owner] = regions.subarray(at, at + REGION_WORDS)
      append(this.#memory, owner!, { start: joinAddress(startHigh!, startLow!), end: joinAddress(endHigh!, endLow!) })
    }
  }

  memoryOf(owner: number): readonly Memory[] {
    return this.#memory.get(owner) ?? []
  }

  /** An owner's symbols in [start, end). */
  between(owner: number, start: bigint, end: bigint): Ids[] {
    const first = this.#table.lowerBound(start).id
    const behind = this.#table.lowerBound(end).id
    const found: Ids[] = []
    for (const { from, to } of this.#ids.get(owner) ?? []) {
      if (from < behind && to > first) found.push({ from: Math.max(from, first), to: Math.min(to, behind) })
    }
    return found
  }

  /**
   * Whether modules are one allocation each, as until 6.3: then the memory of most is known from the address of /proc/modules on to
   * the byte at which its size ends.
   */
  areWhole(modules: readonly ModuleInfo[]): boolean {
    const known = modules.filter((info) => this.memoryOf(this.#numbers.get(info.name) ?? CORE).length > 0)
    return 2 * known.filter((info) => this.#wholeOf(info) !== undefined).length > known.length
  }

  /** The memory of a module from its beginning to its end, where that is known without a gap. */
  #wholeOf({ name, address, size }: ModuleInfo): Memory[] | undefined {
    const own = this.memoryOf(this.#numbers.get(name) ?? CORE)
    const whole: Memory[] = []
    let end = address
    for (const memory of own) {
      if (memory.start !== end) continue
      whole.push(memory)
      end = memory.end
      if (end === address + BigInt(size)) return whole
    }
    return undefined
  }

  /**
   * What of a module lies behind its address by a distance that is the same at every boot. Where a piece of its memory ends depends on
   * what else there is, so of all but whole modules only what lies before their last function is sure.
   */
  movable(info: ModuleInfo, areWhole: boolean): Movable | undefined {
    const owner = this.#numbers.get(info.name)
    if (owner === undefined || owner === CORE) return undefined
    const whole = areWhole ? this.#wholeOf(info) : undefined
    if (whole !== undefined) {
      return { ids: this.between(owner, info.address, info.address + BigInt(info.size)), memory: whole }
    }
    const piece = this.memoryOf(owner).find(({ start }) => start === info.address)
    if (piece === undefined) return undefined
    const end = this.#lastFunction(this.between(owner, piece.start, piece.end))
    if (end === undefined || end <= piece.start) return undefined
    return { ids: this.between(owner, piece.start, end), memory: [{ start: piece.start, end }] }
  }

  /** The address of the last of these symbols that is text. */
  #lastFunction(ids: readonly Ids[]): bigint | undefined {
    const { kind } = this.#columns
    for (const { from, to } of ids.toReversed()) {
      for (let id = to - 1; id >= from; id--) {
        if ((kind[id]! & LABEL) === 0 && pieceKind(kind[id]!) === PIECE.text) return this.#table.addressOf(id)
      }
    }
    return undefined
  }
}

function append<T>(lists: Map<number, T[]>, key: number, value: T): void {
  const list = lists.get(key)
  if (list === undefined) lists.set(key, [value])
  else list.push(value)
}
