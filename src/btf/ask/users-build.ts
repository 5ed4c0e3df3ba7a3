// Makes the index of who uses which type (users-index.ts has its form). The loops are compiled (assembly/users.ts).

import { LimitError } from '../../core/errors.ts'
import { allocateSections, type Section } from '../../core/sections.ts'
import { borrowWasm, giveBack, noWasm, type OpenWasm } from '../../core/wasm-memory.ts'
import { KIND_DATASEC, KIND_DECL_TAG, KIND_FUNC_PROTO, KIND_VOID } from '../format.ts'
import { KINDS, TYPE_WORDS } from '../kinds.ts'
import { address, within } from '../read/memory.ts'
import type { TypeSet } from '../read/type-set.ts'
import {
  STATE_BELOW,
  STATE_BYTES,
  STATE_COUNTS,
  STATE_ENDS,
  STATE_FIRST,
  STATE_FIRST_ID,
  STATE_FROM,
  STATE_KINDS,
  STATE_LENGTH,
  STATE_PLACES,
  STATE_REFERENCES,
  STATE_SIZE,
  STATE_WORDS,
  USER,
  USES_BYTES,
  USES_FIRST,
  USES_ONE,
  USES_ROLES,
  USES_STEP,
} from './users-constants.ts'
import { firstOrdinals, USERS_LAYOUT, VOID } from './users-index.ts'
import { USERS_WASM } from './users-wasm.ts'

/** The functions of the module, by the types that assembly/users.ts gives them. */
export interface UsersLoops {
  refer(kinds: number, state: number): void
  turnRound(state: number, types: number, starts: number, users: number): void
}

/** Types whose words are copied at once: few enough that they are still in the cache when they are gone over. */
const PIECE = 1 << 11

/** Who refers to whom in these sets, of which each stands behind its base. @throws LimitError, UnsupportedError */
export function buildUsers(sets: readonly TypeSet[]): SharedArrayBuffer {
  const types = firstOrdinals(sets).at(-1)!
  if (types > USER) throw new LimitError(`${types} types are too many to be asked by type; the limit is ${USER}`)
  const wasm = borrowWasm(USERS_WASM)
  if (wasm === undefined) throw noWasm()
  try {
    return within(() => build(sets, wasm))
  } finally {
    giveBack(wasm.memory)
  }
}

function build(sets: readonly TypeSet[], { memory, exports }: OpenWasm): SharedArrayBuffer {
  // What the module exports is known from its source.
  const loops = exports as UsersLoops
  const firsts = firstOrdinals(sets)
  const types = firsts.at(-1)!
  const table = memory.allocate(USES_BYTES)
  writeUses(table)
  const state = words(memory.allocate(STATE_BYTES))
  const at = (field: number, array: Uint8Array | undefined) => {
    state[field >>> 2] = array === undefined ? 0 : address(array)
  }
  const kinds = memory.room(types)
  // Void is of no kind, and refers to nothing.
  kinds[VOID] = KIND_VOID
  at(STATE_KINDS, kinds)
  at(STATE_ENDS, memory.allocate(4 * types))
  at(STATE_COUNTS, memory.allocate(8 * types))
  // A reference takes two words at least.
  const most = sets.reduce((sum, set) => sum + ((set.typesEnd - set.places.firstWord) >>> 1), 0)
  at(STATE_REFERENCES, memory.room(4 * most))
  const copied = (array: Uint32Array): Uint8Array => {
    const copy = memory.room(array.byteLength)
    words(copy).set(array)
    return copy
  }
  const scratch = memory.room(0)
  for (const [rank, set] of sets.entries()) {
    const { offsets, firstWord } = set.places
    state[STATE_FIRST_ID >>> 2] = set.firstId
    state[STATE_FIRST >>> 2] = firsts[rank]!
    const below = ordinalsBelow(set, sets, firsts)
    at(STATE_BELOW, below && copied(below))
    for (let from = 0; from < set.size; from += PIECE) {
      const to = Math.min(from + PIECE, set.size)
      const begin = offsets[from]!
      const end = to === set.size ? set.typesEnd : firstWord + offsets[to]!
      const records = copied(set.words.subarray(firstWord + begin, end))
      const places = copied(offsets.subarray(from, to))
      state[STATE_WORDS >>> 2] = address(records) - 4 * begin
      at(STATE_PLACES, places)
      state[STATE_FROM >>> 2] = from
      state[STATE_SIZE >>> 2] = to - from
      loops.refer(address(table), address(state))
      memory.trim(address(records))
    }
    memory.trim(address(scratch))
  }
  const starts = memory.room(4 * (types + 1))
  const users = memory.room(4 * state[STATE_LENGTH >>> 2]!)
  loops.turnRound(address(state), types, address(starts), address(users))
  const { buffer, sections } = allocateSections(USERS_LAYOUT, {
    sets: 4 * sets.length,
    kinds: types,
    starts: starts.length,
    users: users.length,
  })
  const into = ({ offset, length }: Section) => new Uint8Array(buffer, offset, length)
  words(into(sections.sets)).set(sets.map(({ size }) => size))
  into(sections.kinds).set(kinds)
  into(sections.starts).set(starts)
  into(sections.users).set(users)
  return buffer
}

const words = ({ buffer, byteOffset, length }: Uint8Array): Uint32Array =>
  new Uint32Array(buffer, byteOffset, length >>> 2)

/** The ordinals of the ids below a set's own; undefined where they are the ids, as in the first set. */
function ordinalsBelow(
  { base, firstId }: TypeSet,
  sets: readonly TypeSet[],
  firsts: Uint32Array,
): Uint32Array | undefined {
  if (base === undefined || base === sets[0]) return undefined
  return Uint32Array.from({ length: firstId }, (_, id) => {
    const owner = base.owner(id)
    return owner === undefined ? VOID : id - owner.firstId + firsts[sets.indexOf(owner)]!
  })
}

/**
 * What the loops know of kinds. Tags of declarations and sections use nothing, and of an array counts what it is of. What a prototype
 * returns stands as far before its parameters as these stand apart.
 */
function writeUses(table: Uint8Array): void {
  for (const [kind, { refersToType, fixedTypes, elements }] of KINDS.entries()) {
    if (kind === KIND_DECL_TAG || kind === KIND_DATASEC) continue
    table[USES_FIRST + kind] = refersToType ? 2 : TYPE_WORDS + (elements?.type ?? 0)
    table[USES_STEP + kind] = elements?.type === undefined ? 0 : elements.words
    table[USES_ONE + kind] = refersToType || fixedTypes > 0 ? 1 : 0
    table[USES_ROLES + kind] = kind === KIND_FUNC_PROTO ? 1 : 0
  }
}
