// Where the pieces of a module's memory lie, told by where its sections begin (/sys/module/NAME/sections), as
// kernel/module/main.c lays them out: sections in the order of the file, by their flags into text, data, read-only data and
// read-only-after-init data, each kind in whole pages. Since 6.4 each kind is an allocation by itself (move_module), with an
// unmapped page behind it unless it comes from a cache of executable memory (mm/execmem.c); until 6.3 they follow each other
// in one. Initialisation sections are allocations of their own, freed once the module is live; their places stay listed.

//
// What goes over sections and claims is a compiled loop (assembly/pieces.ts): until then it was a third of placing a host in a cold process.

import { type Claims, claimsWhere } from './claims.ts'
import {
  BUILD_PIECES,
  NO_MODULE,
  PIECE_BYTES,
  PIECES_APART,
  PIECES_BYTES_OF,
  PIECES_CLAIM_COUNT,
  PIECES_CLAIM_END,
  PIECES_CLAIM_FIRST,
  PIECES_CLAIM_OWNER,
  PIECES_CLAIM_START,
  PIECES_CORE,
  PIECES_FIRST,
  PIECES_FIRST_PIECE,
  PIECES_LIVE,
  PIECES_LIVE_COUNT,
  PIECES_LOADING,
  PIECES_MODULE_COUNT,
  PIECES_MODULE_OF,
  PIECES_OWNER,
  PIECES_OWNER_COUNT,
  PIECES_REST,
  PIECES_REST_COUNT,
  PIECES_ROWS,
  PIECES_STARTS,
  PIECES_STRANGERS,
  PIECES_STRETCH_COUNT,
  PIECES_STRETCH_END,
  PIECES_STRETCH_OWNER,
  PIECES_STRETCH_START,
  PIECES_WORDS,
} from './constants.ts'
import type { SectionedModules } from './section-starts.ts'
import { Stretches } from './stretches.ts'
import type { Plan, Workspace } from './workspace.ts'

/** The memory that sections tell of. */
interface SectionedMemory {
  /** The memory of the modules whose sections are believed, ascending. */
  readonly stretches: Stretches
  isBelieved(owner: number): boolean
  /** The claims that lie in none of it. */
  readonly claims: Uint32Array
}

/**
 * The memory of modules by their sections: of those whose symbols bear them out. `claims` is what the symbols tell; `core` where the
 * kernel's image begins, if it lies here. `apart`: pieces are allocations by themselves. `owners`: how many there are.
 */
export function* sectionedMemory(
  workspace: Workspace,
  modules: SectionedModules,
  claims: Claims,
  apart: boolean,
  core: number | undefined,
  owners: number,
): Plan<SectionedMemory> {
  const { count, first, starts } = modules
  if (count === 0) {
    return { stretches: new Stretches(0), isBelieved: () => false, claims: claimsWhere(claims, () => true) }
  }
  // No fewer than there are pieces.
  const most = first[count]!
  const fields: readonly (readonly [field: number, value: number])[] = [
    [PIECES_MODULE_COUNT, count],
    [PIECES_STARTS, workspace.copy(starts.subarray(0, most))],
    [PIECES_FIRST, workspace.copy(first.subarray(0, count + 1))],
    [PIECES_OWNER, workspace.copy(modules.owner.subarray(0, count))],
    [PIECES_BYTES_OF, workspace.copy(modules.bytes.subarray(0, count))],
    [PIECES_LOADING, workspace.copy(modules.loading.subarray(0, count))],
    [PIECES_OWNER_COUNT, owners],
    [PIECES_APART, apart ? 1 : 0],
    [PIECES_CLAIM_COUNT, claims.count],
    [PIECES_CLAIM_START, workspace.copy(claims.start)],
    [PIECES_CLAIM_END, workspace.copy(claims.end)],
    [PIECES_CLAIM_OWNER, workspace.copy(claims.owner)],
    [PIECES_CLAIM_FIRST, workspace.copy(claims.first)],
    [PIECES_ROWS, workspace.room(PIECE_BYTES * most)],
    [PIECES_FIRST_PIECE, workspace.room(4 * (count + 1))],
    [PIECES_MODULE_OF, workspace.copy(new Uint32Array(owners).fill(NO_MODULE))],
    [PIECES_STRANGERS, workspace.room(4 * claims.count)],
    [PIECES_LIVE, workspace.room(8 * most)],
    [PIECES_STRETCH_COUNT, 0],
    [PIECES_STRETCH_START, workspace.room(4 * most)],
    [PIECES_STRETCH_END, workspace.room(8 * most)],
    [PIECES_STRETCH_OWNER, workspace.room(2 * most)],
    [PIECES_REST, workspace.room(4 * claims.count)],
  ]
  const at = workspace.room(4 * PIECES_WORDS)
  const words = new Uint32Array(workspace.memory.buffer, at, PIECES_WORDS)
  for (const [field, value] of fields) words[field / 4] = value
  new Float64Array(workspace.memory.buffer, at + PIECES_CORE, 1)[0] = core ?? -1
  workspace.set(BUILD_PIECES, at)
  yield { step: 'cutPieces', from: 0, to: 1 }
  yield { step: 'believePieces', from: 0, to: 1 }
  yield { step: 'doubtPieces', from: 0, to: 1 }
  const { buffer } = workspace.memory
  const word = (field: number) => words[field / 4]!
  new BigUint64Array(buffer, word(PIECES_LIVE), word(PIECES_LIVE_COUNT)).sort()
  yield { step: 'boundPieces', from: 0, to: 1 }
  yield { step: 'settlePieces', from: 0, to: 1 }
  const found = word(PIECES_STRETCH_COUNT)
  const moduleOf = new Uint32Array(buffer, word(PIECES_MODULE_OF), owners)
  return {
    stretches: Stretches.over(
      new Uint32Array(buffer, word(PIECES_STRETCH_START), found),
      new Float64Array(buffer, word(PIECES_STRETCH_END), found),
      new Uint16Array(buffer, word(PIECES_STRETCH_OWNER), found),
    ).sorted(),
    isBelieved: (owner) => moduleOf[owner] !== NO_MODULE,
    claims: new Uint32Array(buffer, word(PIECES_REST), word(PIECES_REST_COUNT)),
  }
}
