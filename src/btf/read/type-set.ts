// One type set: a BTF blob in shared memory with its index, attached in any thread without copying. Reads records and
// names by id; what a type means is in type.ts.

import { type Check, count, instance, number, text } from '../../core/arguments.ts'
import { decodeName } from '../../core/bytes.ts'
import { BadFormatError } from '../../core/errors.ts'
import { counted, INSPECT, type Inspect, inspected } from '../../core/explain.ts'
import { printable } from '../../core/printable.ts'
import {
  infoFlag,
  infoKind,
  infoVlen,
  KIND_DATASEC,
  KIND_DECL_TAG,
  KIND_FUNC,
  KIND_FUNC_PROTO,
  KIND_VAR,
} from '../format.ts'
import { KIND_COUNT, type KindName, kindChoice, kindName, kindNumber } from '../kinds.ts'
import {
  ENTRY_WORDS,
  FLAG_FOREIGN,
  FLAG_SORTED,
  ROW_FIRST_ID,
  ROW_FIRST_ORDINAL,
  ROW_FLAGS,
  ROW_KIND_COUNTS,
  ROW_NAMED,
  ROW_STRING_BASE,
  ROW_STRINGS_BYTES,
  ROW_STRINGS_START,
  ROW_TYPE_COUNT,
  ROW_TYPES_BYTES,
  ROW_TYPES_START,
} from './index-layout.ts'
import type { TypeSetRecord } from './index-types.ts'
import { type IndexView, viewIndex } from './name-index.ts'
import { byteString, compareWithByteString, equalsBytes, hashByteString, nameEnd } from './names.ts'
import { referencedTypes } from './references.ts'

interface Views {
  readonly words: Uint32Array<SharedArrayBuffer>
  readonly bytes: Buffer<SharedArrayBuffer>
}

const views = new WeakMap<SharedArrayBuffer, Views>()

/** Views of a blob arena, one per buffer and thread. */
function viewBlob(buffer: SharedArrayBuffer): Views {
  let view = views.get(buffer)
  if (!view) {
    view = { words: new Uint32Array(buffer, 0, buffer.byteLength >>> 2), bytes: Buffer.from(buffer) }
    views.set(buffer, view)
  }
  return view
}

/** A set's types by id. Ids below `firstId` belong to the base; 0 is void. */
export class TypeSet {
  /** `vmlinux`, or the module's name. */
  readonly name: string
  /** The set this one is split on. */
  readonly base: TypeSet | undefined
  /** Number of types of the set's own; void does not count. */
  readonly size: number
  /** Id of the first own type. */
  readonly firstId: number
  /** One past the last id: the first id of a set split on this one. */
  readonly endId: number
  /** The blob was written in the other byte order. */
  readonly foreign: boolean
  /** Anonymous types come first and the others in the order of their names. */
  readonly sorted: boolean
  readonly record: TypeSetRecord
  /** All words and bytes of the arena the blob lies in. Own records and names lie at absolute positions in them. */
  readonly words: Uint32Array<SharedArrayBuffer>
  readonly bytes: Buffer<SharedArrayBuffer>
  /** Name offsets below this belong to the base. */
  readonly stringBase: number
  /** Adding this to an own name offset gives a position in `bytes`. */
  readonly strings: number
  readonly #index: IndexView
  readonly #row: number
  readonly #firstOrdinal: number
  readonly #firstWord: number

  /** @throws BadFormatError if the base is not the one the record was indexed for, or the record is damaged. */
  constructor(record: TypeSetRecord, base?: TypeSet) {
    const index = viewIndex(record.index)
    const set = index.setAt(record.indexOffset)
    if (!Number.isInteger(set) || set < 0 || set >= index.setCount) {
      throw new BadFormatError(`type set ${record.name}: no such row in its index`, { byteOffset: record.indexOffset })
    }
    const row = index.row(set)
    const rows = index.rows
    const { words, bytes } = viewBlob(record.blob)
    this.record = record
    this.name = record.name
    this.base = base
    this.words = words
    this.bytes = bytes
    this.size = rows[row + ROW_TYPE_COUNT]!
    this.firstId = rows[row + ROW_FIRST_ID]!
    this.endId = this.firstId + this.size
    this.stringBase = rows[row + ROW_STRING_BASE]!
    this.foreign = (rows[row + ROW_FLAGS]! & FLAG_FOREIGN) !== 0
    this.sorted = (rows[row + ROW_FLAGS]! & FLAG_SORTED) !== 0
    this.#index = index
    this.#row = row
    this.#firstOrdinal = rows[row + ROW_FIRST_ORDINAL]!
    this.#firstWord = record.blobOffset >>> 2
    this.strings = record.blobOffset + rows[row + ROW_STRINGS_START]! - this.stringBase
    const below = base ? { ids: base.endId, strings: base.stringEnd } : { ids: 1, strings: 0 }
    if (below.ids !== this.firstId || below.strings !== this.stringBase) {
      throw new BadFormatError(
        `type set ${this.name}: it was indexed on a base of ${this.firstId} ids and ${this.stringBase} bytes of names, ` +
          `${base ? base.name : 'no base'} has ${below.ids} and ${below.strings}`,
      )
    }
    if (base) checkBase(this, base)
  }

  /** Bytes of all strings up to and including this set's. */
  get stringEnd(): number {
    return this.stringBase + this.#index.rows[this.#row + ROW_STRINGS_BYTES]!
  }

  /** Number of own types that have a name. */
  get namedCount(): number {
    return this.#index.rows[this.#row + ROW_NAMED]!
  }

  /** The set an id belongs to: this one or one below it. `undefined` for void and ids past the end. */
  owner(id: number): TypeSet | undefined {
    if (typeof id !== 'number') number(id, 'id')
    if (id >= this.endId) return undefined
    let set: TypeSet | undefined = this
    while (set && id < set.firstId) set = set.base
    return set
  }

  /** Position of an own type's record in `words`. The id must be in [firstId, endId). */
  position(id: number): number {
    if (typeof id !== 'number' || id >>> 0 !== id) count(id, 'id')
    return this.#firstWord + this.#index.offsets[this.#firstOrdinal + id - this.firstId]!
  }

  /** Where the own records begin, for loops over all of them: in `words`, from `firstWord` on, by number. */
  get places(): { readonly offsets: Uint32Array; readonly firstWord: number } {
    const { offsets } = this.#index
    return {
      offsets: offsets.subarray(this.#firstOrdinal, this.#firstOrdinal + this.size),
      firstWord: this.#firstWord,
    }
  }

  /** Position in `words` after the last own record. */
  get typesEnd(): number {
    const rows = this.#index.rows
    return this.#firstWord + ((rows[this.#row + ROW_TYPES_START]! + rows[this.#row + ROW_TYPES_BYTES]!) >>> 2)
  }

  /** Word `i` of a type's record, whichever set it is in; 0 for void and ids that do not exist. */
  word(id: number, i: number): number {
    if (typeof i !== 'number') number(i, 'i')
    const set = this.owner(id)
    return set ? set.words[set.position(id) + i]! : 0
  }

  /** Number of a type's kind; 0 for void and for ids that do not exist. */
  kindNumberOf(id: number): number {
    return infoKind(this.word(id, 1))
  }

  /** A type's number of trailing elements. */
  vlenOf(id: number): number {
    return infoVlen(this.word(id, 1))
  }

  /** A type's kind flag. */
  flagOf(id: number): boolean {
    return infoFlag(this.word(id, 1))
  }

  /** The third word of a type's record: what it refers to, or its size. */
  refOf(id: number): number {
    return this.word(id, 2)
  }

  /** A type's kind; `VOID` for id 0 and ids that do not exist. */
  kindOf(id: number): KindName {
    return kindName(this.kindNumberOf(id))
  }

  /** Where a name is: the bytes it lies in and its position there. Offsets past the end give the empty name. */
  locateName(offset: number): { bytes: Buffer; start: number } {
    if (typeof offset !== 'number' || offset >>> 0 !== offset) count(offset, 'offset')
    let set: TypeSet = this
    while (offset < set.stringBase && set.base) set = set.base
    if (offset >= set.stringEnd) return { bytes: NO_NAME, start: 0 }
    return { bytes: set.bytes, start: set.strings + offset }
  }

  /** The name at an offset of the strings; empty for offset 0. */
  nameAt(offset: number): string {
    if (offset === 0) return ''
    const { bytes, start } = this.locateName(offset)
    return decodeName(bytes, start, nameEnd(bytes, start))
  }

  /** A type's name; empty if it has none or the id does not exist. */
  nameOf(id: number): string {
    return this.nameAt(this.word(id, 0))
  }

  /** Whether an own type's name equals a byte string (see `byteString`). */
  nameEquals(id: number, name: string): boolean {
    return this.nameAtEquals(this.words[this.position(id)]!, name)
  }

  /** Whether the name at an offset of the strings equals a byte string. */
  nameAtEquals(offset: number, name: string): boolean {
    if (typeof offset !== 'number' || offset >>> 0 !== offset) count(offset, 'offset')
    if (typeof name !== 'string') text(name, 'name')
    // Most names are the set's own: no need to ask for the place then.
    if (offset >= this.stringBase && offset !== 0) return equalsBytes(this.bytes, this.strings + offset, name)
    const place = this.locateName(offset)
    return equalsBytes(place.bytes, place.start, name)
  }

  /** Whether an own type's name begins with a byte string. */
  nameStartsWith(id: number, prefix: string): boolean {
    if (typeof prefix !== 'string') text(prefix, 'prefix')
    const { bytes, start } = this.locateName(this.words[this.position(id)]!)
    for (let i = 0; i < prefix.length; i++) if (bytes[start + i] !== prefix.charCodeAt(i)) return false
    return true
  }

  /** How many own types there are of each kind; kinds that do not occur are 0, `VOID` always. */
  countByKind(): Record<KindName, number> {
    const counts = {} as Record<KindName, number>
    for (let kind = 0; kind <= KIND_COUNT; kind++) {
      counts[kindName(kind)] = this.#index.rows[this.#row + ROW_KIND_COUNTS + kind]!
    }
    return counts
  }

  /** Ids of the own types with that name, and of that kind if one is given, in ascending order. */
  idsNamed(name: string, kind?: KindName | Lowercase<KindName>): number[] {
    const query = byteString(text(name, 'name'))
    const wanted = kind === undefined ? undefined : kindChoice(kind, 'kind')
    if (query === undefined || query === '') return []
    return this.#filterKind(this.sorted ? this.#search(query) : this.#lookUp(query), wanted)
  }

  /** Ids with that byte string as name, by binary search in a sorted set. */
  idsInOrder(query: string): number[] {
    return this.#search(text(query, 'query'))
  }

  #lookUp(query: string): number[] {
    const hits: number[] = []
    const count = this.#index.candidates(hashByteString(query), hits)
    const ids: number[] = []
    for (let i = 0; i < count; i += ENTRY_WORDS) {
      const own = hits[i]! - this.#firstOrdinal
      if (own >= 0 && own < this.size && this.nameEquals(this.firstId + own, query)) ids.push(this.firstId + own)
    }
    return ids
  }

  #search(query: string): number[] {
    let low = this.endId - this.namedCount
    let high = this.endId
    while (low < high) {
      const middle = (low + high) >>> 1
      const { bytes, start } = this.locateName(this.words[this.position(middle)]!)
      if (compareWithByteString(bytes, start, query) < 0) low = middle + 1
      else high = middle
    }
    const ids: number[] = []
    for (let id = low; id < this.endId && this.nameEquals(id, query); id++) ids.push(id)
    return ids
  }

  #filterKind(ids: number[], kind: KindName | undefined): number[] {
    if (kind === undefined) return ids
    const wanted = kindNumber(kind)
    return ids.filter((id) => {
      const number = infoKind(this.words[this.position(id) + 1]!)
      return wanted < 0 ? number >= KIND_COUNT : number === wanted
    })
  }

  toJSON(): { name: string; base: string | null; types: number; firstId: number } {
    return { name: this.name, base: this.base?.name ?? null, types: this.size, firstId: this.firstId }
  }

  toString(): string {
    return `${counted(this.size, 'type')} of ${printable(this.name)}`
  }

  /** What `console.log` shows. */
  [INSPECT](depth: number, options: object, inspect: Inspect): string {
    return inspected('TypeSet', () => this.toJSON(), depth, options, inspect)
  }
}

/** A set of types, as an argument. */
export const typeSet: Check<TypeSet> = instance(TypeSet, "a set of types, such as types.requireSet('vmlinux')")

/** So many references into the base are looked at: a wrong base cannot pass that many. */
const SAMPLE = 64

/**
 * Refuses a base that cannot be the one a set was made for: functions whose prototype is something else, members and
 * parameters whose type is a function or a section.
 */
function checkBase(set: TypeSet, base: TypeSet): void {
  let left = SAMPLE
  for (let id = set.firstId; id < set.endId && left > 0; id++) {
    const at = set.position(id)
    const own = infoKind(set.words[at + 1]!)
    const isFunc = own === KIND_FUNC
    // Tags and sections do refer to functions and variables.
    if (own === KIND_DECL_TAG || own === KIND_DATASEC) continue
    for (const ref of referencedTypes(set.words, at)) {
      if (ref === 0 || ref >= set.firstId) continue
      if (--left < 0) break
      const kind = base.kindNumberOf(ref)
      const wrong = isFunc
        ? kind !== KIND_FUNC_PROTO
        : kind === KIND_FUNC || kind === KIND_VAR || kind === KIND_DATASEC || kind === KIND_DECL_TAG
      if (wrong) {
        throw new BadFormatError(
          `type set ${set.name}: wrong base: [${id}] ${set.kindOf(id)} ${set.nameOf(id)} refers to [${ref}], which is a ` +
            `${base.kindOf(ref)} in ${base.name}. Decode this set on the ${base.name} it was built for`,
          { typeId: id },
        )
      }
    }
  }
}

const NO_NAME = Buffer.from([0])
