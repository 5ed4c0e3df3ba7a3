// The order in which bpftool puts types of a C header by default: by rank of kind, name, and a hash of the contents. The loops are
// compiled (assembly/c-sort.ts).

import { LimitError } from '../../core/errors.ts'
import { borrowWasm, giveBack, noWasm, type OpenWasm } from '../../core/wasm-memory.ts'
import { KIND_ARRAY, KIND_DATASEC, KIND_DECL_TAG, KIND_FUNC, KIND_FUNC_PROTO, KIND_PTR, KIND_VAR } from '../format.ts'
import { enumeratorWords, isComposite, isEnum, isModifier, isScalar, KIND_COUNT } from '../kinds.ts'
import { address, within } from '../read/memory.ts'
import type { TypeSet } from '../read/type-set.ts'
import {
  IS_ARRAY,
  IS_COMPOSITE,
  IS_ENUM,
  IS_PROTOTYPE,
  IS_REFERENCE,
  IS_SCALAR,
  KINDS_BYTES,
  OTHER,
  PRINTS_NOTHING,
  STEPS,
  VOID_WORDS,
} from './c-sort-constants.ts'
import { C_SORT_WASM } from './c-sort-wasm.ts'
import { mostText } from './raw.ts'

/** The functions of the module, by the types that assembly/c-sort.ts gives them. */
interface SortLoops {
  place(into: number, offsets: number, size: number, words: number): void
  sort(
    kindTable: number,
    recordTable: number,
    end: number,
    names: number,
    namesEnd: number,
    budget: number,
    ids: number,
    spare: number,
    work: number,
  ): number
}

/**
 * All ids in the order of bpftool's sorted header but functions, variables and sections, which print nothing and need nothing. Like
 * bpftool, which counts from 1 in a list that starts at 0, the first type in the order is left out unless another one needs it; that is
 * none of these, because void comes before them.
 * @throws LimitError for names out of all proportion; UnsupportedError
 */
export function sortForC(set: TypeSet): Uint32Array {
  const wasm = borrowWasm(C_SORT_WASM)
  if (wasm === undefined) throw noWasm()
  try {
    return within(() => sort(set, wasm))
  } finally {
    giveBack(wasm.memory)
  }
}

function sort(set: TypeSet, { memory, exports }: OpenWasm): Uint32Array {
  // What the module exports is known from its source.
  const loops = exports as SortLoops
  const { endId, stringEnd } = set
  const kinds = memory.allocate(KINDS_BYTES)
  writeKinds(kinds)
  const records = memory.room(4 * endId)
  const strings = memory.room(Math.max(1, stringEnd))
  words(records)[0] = address(memory.allocate(4 * VOID_WORDS))
  for (let each: TypeSet | undefined = set; each; each = each.base) {
    const { bytes, base, stringBase } = each
    strings.set(bytes.subarray(each.strings + stringBase, each.strings + each.stringEnd), stringBase)
    const { offsets, firstWord } = each.places
    const into = address(records) + 4 * each.firstId
    const copy = copied(memory, each.words.subarray(firstWord, each.typesEnd))
    loops.place(into, address(copied(memory, offsets)), each.size, address(copy))
    if (base === undefined) strings[0] = 0
  }
  const ids = memory.room(4 * endId)
  const spare = memory.room(4 * endId)
  const work = memory.allocate(30 * endId)
  const tables = [address(kinds), address(records), endId, address(strings), stringEnd] as const
  const count = loops.sort(...tables, mostText(set), address(ids), address(spare), address(work))
  if (count === 0) throw new LimitError('the names of the types grow out of all proportion to them')
  return words(ids).slice(1, count)
}

const words = ({ buffer, byteOffset, length }: Uint8Array): Uint32Array =>
  new Uint32Array(buffer, byteOffset, length >>> 2)

function copied(memory: OpenWasm['memory'], array: Uint32Array): Uint8Array {
  const copy = memory.room(array.byteLength)
  words(copy).set(array)
  return copy
}

function writeKinds(table: Uint8Array): void {
  for (let kind = 0; kind < KIND_COUNT; kind++) {
    table[kind] = roleOf(kind)
    if (isEnum(kind)) table[STEPS + kind] = enumeratorWords(kind)
  }
}

function roleOf(kind: number): number {
  if (isEnum(kind)) return IS_ENUM
  if (isScalar(kind)) return IS_SCALAR
  if (isComposite(kind)) return IS_COMPOSITE
  if (kind === KIND_FUNC_PROTO) return IS_PROTOTYPE
  if (kind === KIND_ARRAY) return IS_ARRAY
  if (isModifier(kind) || kind === KIND_PTR || kind === KIND_DECL_TAG) return IS_REFERENCE
  return kind === KIND_FUNC || kind === KIND_VAR || kind === KIND_DATASEC ? PRINTS_NOTHING : OTHER
}
