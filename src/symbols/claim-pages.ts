// The claims of symbols to pages of memory, found by a compiled loop.

import { type Claims, isBuiltin } from './claims.ts'
import {
  BUILD_BUILTIN,
  BUILD_CLAIMS,
  BUILD_SAY,
  BUILD_VOTES,
  CLAIM_BYTES,
  CLAIM_END,
  CLAIM_FIRST,
  CLAIM_LAST,
  CLAIM_OWNER,
  CLAIM_START,
  CLAIM_SYMBOLS,
  CLAIMED_BYTES,
  CLAIMED_COUNT,
  CLAIMED_END,
  CLAIMED_FIRST,
  CLAIMED_HEAD,
  CLAIMED_LENT,
  CLAIMED_LENT_COUNT,
  CLAIMED_OUT,
  CLAIMED_OWNER,
  CLAIMED_SHIFT,
  CLAIMED_THERE,
  CLAIMS_HEAD,
  SAY_NOTHING,
  TYPE_MASK,
} from './constants.ts'
import { isAbsolute, pieceKind } from './kinds.ts'
import type { Plan, Workspace } from './workspace.ts'

const HALF = 2 ** 32

/** The say of a symbol in whose its page is, by its type's code: labels, modules' values and per-cpu variables have no say. */
const SAY = Uint8Array.from({ length: TYPE_MASK + 1 }, (_, code) => (isAbsolute(code) ? SAY_NOTHING : pieceKind(code)))

/** Claims that a lender of symbols has of itself: where their rows are (LENT_FIRST), and how many. */
export interface LentRows {
  readonly address: number
  readonly count: number
}

/** Ids [first, end) at addresses of one upper half, whose claims are found; or taken from a lender, if that has them. */
export interface ClaimedRange {
  readonly half: number
  readonly first: number
  readonly end: number
  readonly lent?: LentRows | undefined
  /** The first id there, what was added to addresses, and whose the symbols are. */
  readonly there: number
  readonly shift: number
  readonly owner: number
}

/**
 * The claims of each group, ascending. A page is that of the owner with the most symbols in it; labels, modules' values and per-cpu
 * variables, and the core kernel's symbols have no say. What the loops look at is said: symbols, groups and runs. `known`: all ranges
 * with symbols that claim anything, where some of that is known; no page has symbols of two of them.
 */
export function* claimsOf(
  workspace: Workspace,
  groups: Uint32Array,
  count: number,
  owners: readonly string[],
  known?: readonly ClaimedRange[],
): Plan<readonly Claims[]> {
  workspace.set(BUILD_SAY, workspace.copy(SAY))
  workspace.set(BUILD_BUILTIN, workspace.copy(Uint8Array.from(owners, (owner) => (isBuiltin(owner) ? 1 : 0))))
  const votes = workspace.room(8 * owners.length)
  workspace.bytes(votes, 8 * owners.length).fill(0)
  workspace.set(BUILD_VOTES, votes)
  const rooms = new Uint32Array(groups.length / 2)
  const whole: ClaimedRange[] = []
  for (let g = 0; g < rooms.length; g++) {
    const [half, first, end] = [groups[2 * g]!, groups[2 * g + 1]!, groups[2 * g + 3] ?? count]
    rooms[g] = workspace.room(CLAIMS_HEAD + CLAIM_BYTES * (end - first))
    workspace.words[rooms[g]! >>> 2] = 0
    if (known === undefined) whole.push({ half, first, end, there: 0, shift: 0, owner: 0 })
  }
  workspace.set(BUILD_CLAIMS, workspace.copy(rowsOf(known ?? whole, groups, rooms)))
  yield { step: 'claimPages', from: 0, to: 1 }
  return Array.from(rooms, (room) => {
    const count = workspace.words[room >>> 2]!
    return claimsIn(new Uint32Array(workspace.memory.buffer, room + CLAIMS_HEAD, (count * CLAIM_BYTES) / 4), count)
  })
}

/** Ranges as the loop finds them. */
function rowsOf(ranges: readonly ClaimedRange[], groups: Uint32Array, rooms: Uint32Array): Uint32Array {
  const rows = new Uint32Array((CLAIMED_HEAD + CLAIMED_BYTES * ranges.length) / 4)
  rows[CLAIMED_COUNT / 4] = ranges.length
  let row = CLAIMED_HEAD / 4
  let group = 0
  for (const { half, first, end, lent, there, shift, owner } of ranges) {
    while (groups[2 * group] !== half) group++
    rows[row + CLAIMED_OUT / 4] = rooms[group]!
    rows[row + CLAIMED_FIRST / 4] = first
    rows[row + CLAIMED_END / 4] = end
    rows[row + CLAIMED_LENT / 4] = lent?.address ?? 0
    rows[row + CLAIMED_LENT_COUNT / 4] = lent?.count ?? 0
    rows[row + CLAIMED_THERE / 4] = there
    rows[row + CLAIMED_SHIFT / 4] = shift
    rows[row + CLAIMED_OWNER / 4] = owner
    row += CLAIMED_BYTES / 4
  }
  return rows
}

/** The rows that the loop wrote, as columns in memory of their own. */
function claimsIn(rows: Uint32Array, count: number): Claims {
  return count === 0 ? NO_CLAIMS : columnsOf(rows, count)
}

function columnsOf(rows: Uint32Array, count: number): Claims {
  const claims = {
    count,
    start: new Uint32Array(count),
    end: new Float64Array(count),
    owner: new Uint16Array(count),
    symbols: new Uint32Array(count),
    first: new Uint8Array(count),
    last: new Uint8Array(count),
  }
  for (let c = 0, row = 0; c < count; c++, row += CLAIM_BYTES / 4) {
    claims.start[c] = rows[row + CLAIM_START / 4]!
    claims.end[c] = rows[row + CLAIM_END / 4]! || HALF
    claims.owner[c] = rows[row + CLAIM_OWNER / 4]!
    claims.symbols[c] = rows[row + CLAIM_SYMBOLS / 4]!
    claims.first[c] = rows[row + CLAIM_FIRST / 4]!
    claims.last[c] = rows[row + CLAIM_LAST / 4]!
  }
  return claims
}

/** There may be tens of thousands of groups without any. */
const NO_CLAIMS = columnsOf(new Uint32Array(0), 0)
