// What symbols alone tell of memory: page by page whose most of them are.

import { isAbsolute, LABEL, pieceKind } from './kinds.ts'

/** Where a marker stands, as halves. */
export interface MarkerAddress {
  readonly high: number
  readonly low: number
}

/** What the search for regions reads: columns by file position, their order as a table, and where the markers are. */
export interface RegionInput {
  readonly high: Uint32Array
  readonly low: Uint32Array
  readonly kind: Uint8Array
  readonly owner: Uint16Array
  readonly order: Uint32Array
  /** Runs of ids with one owner: the first id of each, and the owner. */
  readonly runs: { readonly start: Uint32Array; readonly owner: Uint16Array }
  readonly owners: readonly string[]
  /** The name of the symbol at a file position. */
  nameOf(position: number): string
  /** The markers that exist, by name (MARKERS in regions.ts). */
  readonly markers: ReadonlyMap<string, MarkerAddress>
}

/** Adjacent pages of one owner with symbols of one kind in each. Lower halves, `end` exclusive. */
export interface Claim {
  readonly start: number
  end: number
  readonly owner: number
  /** How many of the owner's symbols lie in it. */
  symbols: number
  /** The kinds of memory of its first and last symbol: see `pieceKind`. */
  readonly first: number
  last: number
}

export const PAGE = 4096
/** Symbols worked on between two yields. */
const SLICE = 16_384
const CORE = 0
/** Owners of pages that the kernel makes for itself inside anybody's memory (kprobe slots, ftrace trampolines). */
const BUILTIN = '__builtin__'

export const pageStart = (low: number): number => low - (low % PAGE)
/** The end of the page in which the byte before `low` lies. */
export const pageEnd = (low: number): number => Math.ceil(low / PAGE) * PAGE

/** Whether an owner's pages are the kernel's own, each an allocation by itself. */
export function isBuiltin(owner: string): boolean {
  return owner.startsWith(BUILTIN)
}

/** Whether a symbol tells whose its page is. */
function hasSay(kind: number): boolean {
  return (kind & LABEL) === 0 && !isAbsolute(kind)
}

/** Whether two kinds of memory may lie in one piece: 0 is any. */
export function mayShare(a: number, b: number): boolean {
  return a === b || a === 0 || b === 0
}

/**
 * The claims among the ids [first, last), ascending. A page is that of the owner with the most symbols in it; labels, modules'
 * values and per-cpu variables, and the core kernel's symbols have no say.
 */
export function* claimPages(
  { low, kind, owner, order, owners, runs }: RegionInput,
  first: number,
  last: number,
): Generator<void, Claim[], void> {
  const claims: Claim[] = []
  const builtin = owners.map(isBuiltin)
  const tally = new Float64Array(owners.length)
  const voters: number[] = []
  let id = first
  let run = 0
  let pause = first + SLICE
  while (id < last) {
    while (run + 1 < runs.start.length && runs.start[run + 1]! <= id) run++
    if (runs.owner[run] === CORE) {
      id = run + 1 < runs.start.length ? runs.start[run + 1]! : last
      continue
    }
    if (id >= pause) {
      yield
      pause = id + SLICE
    }
    const start = pageStart(low[order[id]!]!)
    for (const voter of voters) tally[voter] = 0
    voters.length = 0
    const from = id
    let winner = -1
    for (; id < last; id++) {
      const position = order[id]!
      if (low[position]! >= start + PAGE) break
      const number = owner[position]!
      if (number === CORE || !hasSay(kind[position]!)) continue
      if (tally[number] === 0) voters.push(number)
      // A page that the kernel made for itself is its own, whatever else is listed there.
      tally[number] = builtin[number] === true ? Number.POSITIVE_INFINITY : tally[number]! + 1
      if (winner < 0 || tally[number]! > tally[winner]!) winner = number
    }
    if (winner < 0) continue
    let firstKind = 0
    let lastKind = 0
    let symbols = 0
    for (let i = from; i < id; i++) {
      const position = order[i]!
      if (owner[position] !== winner || !hasSay(kind[position]!)) continue
      symbols++
      const piece = pieceKind(kind[position]!)
      if (piece === 0) continue
      if (firstKind === 0) firstKind = piece
      lastKind = piece
    }
    const before = claims[claims.length - 1]
    const isAdjacent = before?.end === start && before.owner === winner && builtin[winner] !== true
    if (before !== undefined && isAdjacent && mayShare(before.last, firstKind)) {
      before.end = start + PAGE
      before.symbols += symbols
      if (lastKind !== 0) before.last = lastKind
    } else {
      claims.push({ start, end: start + PAGE, owner: winner, symbols, first: firstKind, last: lastKind })
    }
  }
  return claims
}
