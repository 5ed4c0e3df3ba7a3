// Names to ids over the shared name index: one at a time and in bulk, with or without the suffixes that compilers add.

import { wrong } from '../core/arguments.ts'
import { decodeName, encodeName } from '../core/bytes.ts'
import { checkNames } from './arguments.ts'
import { COUNTS, ROOT_BITS, ROOT_MASK, rootLength, rootStart, type SymbolColumns } from './layout.ts'
import { fingerprint, nameHash, PREFIXES, splitName } from './names.ts'

/** Names laid end to end, to cross threads without a copy: name i is bytes [ends[i - 1], ends[i]). */
export interface PackedNames {
  readonly bytes: Uint8Array
  readonly ends: Uint32Array
}

/** Whether names are packed already. @throws UsageError if they are neither that nor a list */
export function arePacked(value: readonly string[] | PackedNames): value is PackedNames {
  const packed = typeof value === 'object' && value !== null && 'ends' in value
  if (!packed) checkNames(value)
  else if (!(value.ends instanceof Uint32Array && value.bytes instanceof Uint8Array)) {
    throw wrong('names', 'a list of names, or what packNames gives', value)
  }
  return packed
}

/** For each name asked, the ids ids[starts[i] .. starts[i + 1]), in file order; none where there is no such symbol. */
export interface NamedAnswer {
  readonly starts: Uint32Array
  readonly ids: Uint32Array
}

/** Names ready to be looked up in bulk, in shared memory. */
export function packNames(names: readonly string[]): PackedNames {
  checkNames(names)
  const ends = new Uint32Array(new SharedArrayBuffer(names.length * 4))
  let bytes = new Uint8Array(new SharedArrayBuffer(Math.max(64, names.length * 32)))
  let at = 0
  for (let i = 0; i < names.length; i++) {
    const name = names[i]!
    // One to three bytes a unit: enough room whatever the name is.
    if (at + name.length * 3 > bytes.length) {
      const wider = new Uint8Array(new SharedArrayBuffer(bytes.length * 2 + name.length * 3))
      wider.set(bytes.subarray(0, at))
      bytes = wider
    }
    const begin = at
    let beyondAscii = 0
    for (let k = 0; k < name.length; k++) {
      const unit = name.charCodeAt(k)
      beyondAscii |= unit
      bytes[at++] = unit
    }
    if (beyondAscii > 0x7f) {
      const encoded = encodeName(name)
      bytes.set(encoded, begin)
      at = begin + encoded.length
    }
    ends[i] = at
  }
  return { bytes, ends }
}

/** Looks names up, however a table has them. */
export abstract class NameFinder {
  /**
   * Writes the ids of the symbols named bytes[start, end) to `out` from `at` on, in file order, and returns where they end.
   * `out` that is too small gets what fits; the result tells how much room was needed.
   */
  abstract find(bytes: Uint8Array, start: number, end: number, out: Uint32Array, at: number): number

  /** The ids, in table order, of symbols named `name` or `name` with suffixes that compilers and linkers add. */
  abstract withSuffixes(name: string): Uint32Array

  /** How many different names there are. */
  abstract distinct(): number

  /** The ids of the symbols of one name: these bytes, or the first `length` of them. */
  ids(name: Uint8Array, length = name.length): Uint32Array {
    let out = new Uint32Array(8)
    const count = this.find(name, 0, length, out, 0)
    if (count > out.length) {
      out = new Uint32Array(count)
      this.find(name, 0, length, out, 0)
    }
    return out.subarray(0, count)
  }

  /** The ids of names [from, to) of a packed list. */
  many({ bytes, ends }: PackedNames, from: number, to: number): NamedAnswer {
    const starts = new Uint32Array(to - from + 1)
    let out = new Uint32Array(to - from + 64)
    let count = 0
    let start = from === 0 ? 0 : ends[from - 1]!
    for (let i = from; i < to; i++) {
      const end = ends[i]!
      let after = this.find(bytes, start, end, out, count)
      if (after > out.length) {
        const wider = new Uint32Array(Math.max(after, out.length * 2))
        wider.set(out)
        out = wider
        after = this.find(bytes, start, end, out, count)
      }
      count = after
      starts[i - from + 1] = count
      start = end
    }
    return { starts, ids: out.subarray(0, count) }
  }
}

/** Looks names up in one table's index. */
export class NameLookup extends NameFinder {
  readonly #columns: SymbolColumns
  readonly #idMask: number
  readonly #bucketShift: number

  constructor(columns: SymbolColumns) {
    super()
    this.#columns = columns
    const idBits = columns.counts[COUNTS.idBits]!
    this.#idMask = idBits === 32 ? 0xffff_ffff : 2 ** idBits - 1
    this.#bucketShift = 32 - columns.counts[COUNTS.bucketBits]!
  }

  find(bytes: Uint8Array, start: number, end: number, out: Uint32Array, at: number): number {
    const { buckets, entries, name: references } = this.#columns
    const { prefix, rootStart: cut, rootHash } = splitName(bytes, start, end)
    const hash = nameHash(rootHash, prefix)
    const bucket = hash >>> this.#bucketShift
    const mask = this.#idMask
    const wanted = fingerprint(hash)
    // No further than there are entries, whatever a file's buckets say.
    const stop = Math.min(buckets[bucket + 1]!, entries.length)
    let count = at
    // Equal names share one reference, so their bytes are compared once.
    let known = -1
    for (let i = buckets[bucket]!; i < stop; i++) {
      const entry = entries[i]!
      if (((entry ^ wanted) & ~mask) !== 0) continue
      const id = (entry & mask) >>> 0
      const reference = references[id]
      if (reference === undefined) continue
      if (reference !== known) {
        if (reference >>> ROOT_BITS !== prefix || !this.#rootIs(reference & ROOT_MASK, bytes, cut, end)) continue
        known = reference
      }
      if (count < out.length) out[count] = id
      count++
    }
    return count
  }

  /** The index knows whole names only, so the heap of roots is searched for those that go on with a dot. */
  withSuffixes(name: string): Uint32Array {
    const { heap } = this.#columns
    const text = Buffer.from(heap.buffer, heap.byteOffset, heap.byteLength)
    const wanted = encodeName(name)
    const { rootStart: cut } = splitName(wanted, 0, wanted.length)
    const begun = Buffer.from([...wanted.subarray(cut), DOT])
    const names = new Set<string>()
    for (let at = text.indexOf(begun); at >= 0; at = text.indexOf(begun, at + 1)) {
      const rest = at + begun.length - 1
      // Whether a root begins here, and how its length is written, is not known: what is none is the name of no symbol.
      for (const offset of [at - 1, at - 3]) {
        if (offset < 0 || rootStart(heap, offset) !== at) continue
        const end = at + rootLength(heap, offset)
        if (end <= rest || end > heap.length) continue
        const suffix = text.toString('latin1', rest, end)
        if (SUFFIXES.test(suffix)) names.add(suffix)
      }
    }
    const found = [this.ids(wanted)]
    for (const suffix of names) found.push(this.ids(Buffer.concat([wanted, Buffer.from(suffix)])))
    return Uint32Array.from(found.flatMap((ids) => [...ids])).sort()
  }

  /** Equal names share a bucket and a reference. */
  distinct(): number {
    const { buckets, entries, name: references } = this.#columns
    const seen = new Set<number>()
    let distinct = 0
    let i = 0
    for (let bucket = 0; bucket + 1 < buckets.length; bucket++) {
      seen.clear()
      for (; i < Math.min(buckets[bucket + 1]!, entries.length); i++) {
        seen.add(references[(entries[i]! & this.#idMask) >>> 0]!)
      }
      distinct += seen.size
    }
    return distinct
  }

  #rootIs(root: number, name: Uint8Array, start: number, end: number): boolean {
    const heap = this.#columns.heap
    const length = rootLength(heap, root)
    if (length !== end - start) return false
    const at = rootStart(heap, root)
    for (let i = 0; i < length; i++) if (heap[at + i] !== name[start + i]) return false
    return true
  }
}

const DOT = 0x2e

/**
 * The suffixes that GCC and Clang put behind a function's name when they clone, split or rename it; several may follow each other.
 * `.cold` is a part of a function that was moved away, never a function by itself.
 */
const SUFFIXES =
  /^(?:\.(?:llvm\.\d+|isra\.\d+|constprop\.\d+|part\.\d+|lto_priv\.\d+|localalias(?:\.\d+)?|cold(?:\.\d+)?))+$/

/** The bytes of a symbol's name: its family's prefix and its root. */
export function nameBytes(
  columns: Pick<SymbolColumns, 'name' | 'heap'>,
  id: number,
): { prefix: string; start: number; end: number } {
  const reference = columns.name[id]!
  const root = reference & ROOT_MASK
  const start = rootStart(columns.heap, root)
  return { prefix: PREFIXES[reference >>> ROOT_BITS]!, start, end: start + rootLength(columns.heap, root) }
}

/** A symbol's name; `heap` is the columns' as a buffer. */
export function nameIn(columns: Pick<SymbolColumns, 'name' | 'heap'>, heap: Buffer, id: number): string {
  const { prefix, start, end } = nameBytes(columns, id)
  const root = decodeName(heap, start, end)
  return prefix === '' ? root : prefix + root
}
