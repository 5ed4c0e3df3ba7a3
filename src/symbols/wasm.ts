// A workspace whose memory is one WebAssembly memory and whose loops are WebAssembly: assembly/loops.ts, compiled.

import { openWasm, type WasmMemory } from '../core/wasm-memory.ts'
import { TYPE_CODE } from './kinds.ts'
import { plainWorkspace, type SymbolLoops } from './loops.ts'
import { LOOPS_WASM } from './loops-wasm.ts'
import {
  LABEL_FIRST,
  LABEL_SECOND,
  LONGEST_PREFIX,
  PREFIX_FIRST,
  PREFIX_LENGTH,
  PREFIX_SECOND,
  PREFIXES,
  prefixBySlot,
  prefixHash,
} from './names.ts'
import { DIGIT, SCAN, scan } from './parse.ts'
import { type Workspace, words } from './workspace.ts'

const NEWLINE = 0x0a

/** A workspace with the compiled loops; undefined where they cannot run. */
export function wasmWorkspace(touch?: Workspace['touch']): Workspace | undefined {
  const wasm = openWasm(LOOPS_WASM)
  // What the module exports is known from its source.
  return wasm && new WasmWorkspace(wasm.memory, wasm.exports as Exports, touch)
}

/** The fastest workspace there is. */
export function newWorkspace(touch?: Workspace['touch']): Workspace {
  return wasmWorkspace(touch) ?? { ...plainWorkspace(), touch }
}

class WasmWorkspace implements Workspace {
  readonly loops: SymbolLoops
  readonly slice = 16_384
  readonly touch: Workspace['touch']
  readonly #memory: WasmMemory
  readonly #copies = new Map<string, Uint8Array>()

  constructor(memory: WasmMemory, code: Exports, touch: Workspace['touch']) {
    this.#memory = memory
    this.touch = touch
    const record = words(this, RECORD_WORDS)
    this.loops = wasmLoops(code, this.allocate(TABLE_BYTES), record, this.allocate(DIGEST_BYTES))
  }

  allocate(bytes: number): Uint8Array<SharedArrayBuffer> {
    return this.#memory.allocate(bytes)
  }

  reach(use: string, bytes: Uint8Array): Uint8Array {
    if (this.#memory.has(bytes)) return bytes
    let copy = this.#copies.get(use)
    if (copy === undefined || copy.length < bytes.length) {
      copy = this.allocate(Math.ceil(bytes.length * 1.25))
      this.#copies.set(use, copy)
    }
    copy.set(bytes)
    return copy.subarray(0, bytes.length)
  }
}

// Where assembly/names.ts looks for what it must know: the same offsets stand there.
const TABLE = {
  digit: 0,
  typeCode: 256,
  labelFirst: 512,
  labelSecond: 768,
  prefixFirst: 1024,
  prefixSecond: 1280,
  slots: 1536,
  prefixHash: 3584,
  prefixStart: 3840,
  prefixLength: 4096,
  longestPrefix: 4160,
  prefixBytes: 4164,
} as const
const ALL_PREFIXES = Buffer.from(PREFIXES.join(''), 'latin1')
const TABLE_BYTES = TABLE.prefixBytes + ALL_PREFIXES.length

function writeTables({ buffer, byteOffset }: Uint8Array): number {
  const bytes = new Uint8Array(buffer, byteOffset, TABLE_BYTES)
  const word = new Uint32Array(buffer, byteOffset, TABLE.prefixBytes / 4)
  bytes.set(new Uint8Array(DIGIT.buffer), TABLE.digit)
  bytes.set(new Uint8Array(TYPE_CODE.buffer), TABLE.typeCode)
  bytes.set(LABEL_FIRST, TABLE.labelFirst)
  bytes.set(LABEL_SECOND, TABLE.labelSecond)
  bytes.set(PREFIX_FIRST, TABLE.prefixFirst)
  bytes.set(PREFIX_SECOND, TABLE.prefixSecond)
  bytes.set(prefixBySlot, TABLE.slots)
  word.set(prefixHash, TABLE.prefixHash / 4)
  let start = 0
  PREFIXES.forEach((prefix, number) => {
    word[TABLE.prefixStart / 4 + number] = start
    start += prefix.length
  })
  bytes.set(PREFIX_LENGTH, TABLE.prefixLength)
  word[TABLE.longestPrefix / 4] = LONGEST_PREFIX
  bytes.set(ALL_PREFIXES, TABLE.prefixBytes)
  return byteOffset
}

/** The functions of the module, by the types that assembly/ gives them. */
interface Exports {
  scan(
    tables: number,
    text: number,
    end: number,
    maxLines: number,
    columns: number,
    capacity: number,
    state: number,
  ): void
  gather(...columnsFromToTextNumbersTableCountRootsMarkersFoundSeen: number[]): number
  adopt(...heapNamesFromToTargetNamesHashesRoots: number[]): void
  rehash(old: number, count: number, slots: number, mask: number): void
  ascendingUntil(high: number, low: number, from: number, to: number): number
  listPositions(high: number, low: number, from: number, to: number, source: number, varying: number): void
  countDigits(column: number, shift: number, source: number, starts: number, from: number, to: number): void
  scatter(...columnShiftSourceTargetStartsFromTo: number[]): void
  mergeInto(...orderFromToHighLowSortedRestLengthPlaces: number[]): void
  placeIds(...highLowOwnerKindNameOrderFromToLowKindNameIdsGroupsChunksRunStartRunOwnerState: number[]): void
  countCells(low: number, chunks: number, from: number, to: number, cells: number): void
  markCells(chunks: number, cells: number, kind: number, from: number, to: number, firstId: number): void
  flagIds(...lowKindRegionsWordsRunStartRunOwnerRunsHalfFromUntilEndState: number[]): number
  countNames(...nameRootHashHashesBucketsShiftFromTo: number[]): void
  sumCounts(buckets: number, words: number, next: number): void
  enterNames(...entriesNextHashesIdsShiftMaskFromTo: number[]): void
  digest(text: number, length: number, out: number): void
}

/** Words of the record in which `gather` finds the table's columns. */
const RECORD_WORDS = 6
const DIGEST_BYTES = 32

/** The byte address of an array. */
const at = (array: { readonly byteOffset: number }): number => array.byteOffset

/** The module's functions as the loops. `room` is for the tables, `record` for what `gather` takes as one, `sum` for digests. */
function wasmLoops(code: Exports, room: Uint8Array, record: Uint32Array, sum: Uint8Array): SymbolLoops {
  const tables = writeTables(room)
  return {
    scan(text, end, maxLines, columns, state) {
      // The module relies on a newline behind every line; a last line without one is read by the plain loop.
      let whole = end
      while (whole > state[SCAN.position]! && text[whole - 1] !== NEWLINE) whole--
      if (whole === state[SCAN.position]) return scan(text, end, maxLines, columns, state)
      code.scan(tables, at(text), whole, maxLines, at(columns.high), columns.high.length, at(state))
    },
    gather(chunk, from, to, text, { table, roots, numbers, markers, found, seen }, count) {
      const { high, low, name, rootHash, owner, kind } = table
      record.set([at(high), at(low), at(name), at(rootHash), at(owner), at(kind)])
      const columns = at(chunk.high)
      const capacity = chunk.high.length
      const places = [at(numbers), at(record), count, at(roots.state), at(markers), at(found), at(seen)]
      return code.gather(columns, capacity, from, to, at(text), ...places)
    },
    adopt(heap, names, from, to, target, { name, rootHash }, roots) {
      code.adopt(at(heap), at(names), from, to, target, at(name), at(rootHash), at(roots.state))
    },
    rehash: (old, slots) => code.rehash(at(old), old.length / 2, at(slots), slots.length / 2 - 1),
    // Positions are below 2^32, but a word comes back as a signed number.
    ascendingUntil: (high, low, from, to) => code.ascendingUntil(at(high), at(low), from, to) >>> 0,
    listPositions: (high, low, from, to, source, varying) =>
      code.listPositions(at(high), at(low), from, to, at(source), at(varying)),
    countDigits: (column, shift, source, starts, from, to) =>
      code.countDigits(at(column), shift, at(source), at(starts), from, to),
    scatter: (column, shift, source, target, starts, from, to) =>
      code.scatter(at(column), shift, at(source), at(target), at(starts), from, to),
    mergeInto: (order, from, to, high, low, sorted, rest, places) =>
      code.mergeInto(at(order), from, to, at(high), at(low), sorted, at(rest), rest.length, at(places)),
    placeIds({ high, low, owner, kind, name }, order, from, to, room, survey) {
      const columns = [at(high), at(low), at(owner), at(kind), at(name), at(order)]
      const places = [at(room.low), at(room.kind), at(room.name), at(room.ids)]
      const { groups, chunks, runStart, runOwner, state } = survey
      code.placeIds(...columns, from, to, ...places, at(groups), at(chunks), at(runStart), at(runOwner), at(state))
    },
    countCells: (low, chunks, from, to, cells) => code.countCells(at(low), at(chunks), from, to, at(cells)),
    markCells: (chunks, cells, kind, from, to, firstId) =>
      code.markCells(at(chunks), at(cells), at(kind), from, to, firstId),
    flagIds({ low, kind, regions }, { start, owner }, half, from, until, end, state) {
      const places = [at(low), at(kind), at(regions), regions.length, at(start), at(owner), start.length]
      return code.flagIds(...places, half, from, until, end, at(state)) >>> 0
    },
    countNames: (name, rootHash, { hashes, shift }, buckets, from, to) =>
      code.countNames(at(name), at(rootHash), at(hashes), at(buckets), shift, from, to),
    sumCounts: (buckets, sums) => code.sumCounts(at(buckets), buckets.length, at(sums)),
    enterNames: (entries, next, { ids, hashes, shift, fingerprintMask }, from, to) =>
      code.enterNames(at(entries), at(next), at(hashes), at(ids), shift, fingerprintMask, from, to),
    digest(bytes) {
      code.digest(at(bytes), bytes.length, at(sum))
      return Buffer.from(sum).toString('hex')
    },
  }
}
