// All type sets of a kernel, vmlinux and its modules, as one collection: who defines a name, in the kernel's own order.
import { AmbiguousError, BadFormatError, NotFoundError } from '../core/errors.ts'
import { infoKind, KIND_COUNT, type KindName, kindName, kindNumber } from './format.ts'
import type { TypeSetRecord } from './index-types.ts'
import { type IndexView, viewIndex } from './name-index.ts'
import { byteString, hashByteString } from './names.ts'
import { TypeSet } from './type-set.ts'

/** A type as an answer to a lookup: its identity (set and id), kind and name. */
export interface TypeCandidate {
  /** `vmlinux` or the module that defines it. */
  readonly module: string
  readonly id: number
  readonly kind: KindName
  readonly name: string
}

/** Which types a lookup considers. */
export interface FindOptions {
  readonly kind?: KindName
  /** The set's exact name; `vmlinux` for the kernel itself. */
  readonly module?: string
}

/** Sets whose names one index covers. */
interface Group {
  readonly view: IndexView
  /** By number of the set in the index: its number in the collection, -1 if it is not part of it. */
  readonly sets: Int32Array
}

/** The sets of one kernel. The first record is vmlinux; modules follow in the order the kernel prefers them (load order). */
export class Types {
  readonly records: readonly TypeSetRecord[]
  readonly #sets: (TypeSet | undefined)[]
  readonly #byName = new Map<string, number>()
  readonly #groups: Group[] = []
  readonly #hits: number[] = []

  constructor(records: readonly TypeSetRecord[]) {
    this.records = records
    this.#sets = new Array(records.length)
    const groups = new Map<SharedArrayBuffer, Group>()
    records.forEach((record, i) => {
      if (this.#byName.has(record.name)) throw new BadFormatError(`two type sets are named ${record.name}`)
      this.#byName.set(record.name, i)
      let group = groups.get(record.index)
      if (!group) {
        const view = viewIndex(record.index)
        group = { view, sets: new Int32Array(view.setCount).fill(-1) }
        groups.set(record.index, group)
        this.#groups.push(group)
      }
      group.sets[group.view.setAt(record.indexOffset)] = i
    })
  }

  /** All sets, vmlinux first. */
  get sets(): readonly TypeSet[] {
    return this.records.map((_, i) => this.#setAt(i))
  }

  /** The set of that exact name. */
  set(name: string): TypeSet | undefined {
    const i = this.#byName.get(name)
    return i === undefined ? undefined : this.#setAt(i)
  }

  /** Number of types in all sets. */
  get size(): number {
    return this.sets.reduce((sum, set) => sum + set.size, 0)
  }

  /**
   * Every type of that name, in the kernel's order: vmlinux by ascending id, then the modules. With `kind`, only that
   * kind, so that a forward declaration never hides a definition.
   */
  find(name: string, options: FindOptions = {}): TypeCandidate[] {
    const { kind, module } = options
    if (module !== undefined) {
      const set = this.set(module)
      return set ? set.idsNamed(name, kind).map((id) => candidate(set, id, name)) : []
    }
    const query = byteString(name)
    if (query === undefined || query === '') return []
    const found: { rank: number; id: number }[] = []
    const hash = hashByteString(query)
    const hits = this.#hits
    for (const group of this.#groups) {
      if (group.view.sorted) {
        const rank = group.sets[0]!
        if (rank >= 0) for (const id of this.#setAt(rank).idsInOrder(query)) found.push({ rank, id })
        continue
      }
      hits.length = 0
      group.view.candidates(hash, hits)
      for (const ordinal of hits) {
        const number = group.view.setOf(ordinal)
        const rank = group.sets[number]!
        if (rank < 0) continue
        const set = this.#setAt(rank)
        const id = set.firstId + ordinal - group.view.range(number).first
        if (set.nameEquals(id, query)) found.push({ rank, id })
      }
    }
    if (found.length > 1) found.sort((a, b) => a.rank - b.rank || a.id - b.id)
    const wanted = kind === undefined ? undefined : kindNumber(kind)
    const candidates: TypeCandidate[] = []
    for (const { rank, id } of found) {
      const set = this.#setAt(rank)
      if (wanted !== undefined) {
        const number = infoKind(set.words[set.position(id) + 1]!)
        if (wanted < 0 ? number < KIND_COUNT : number !== wanted) continue
      }
      candidates.push(candidate(set, id, name))
    }
    return candidates
  }

  /**
   * The only type of that name.
   * @throws NotFoundError if there is none; AmbiguousError, naming the modules, if there are several.
   */
  require(name: string, options: FindOptions = {}): TypeCandidate {
    const candidates = this.find(name, options)
    const what = `${options.kind ? `${options.kind} ` : ''}${name}`
    if (candidates.length === 0) {
      const where = options.module === undefined ? 'in any loaded type set' : `in ${options.module}`
      throw new NotFoundError(`no type ${what} ${where}`)
    }
    if (candidates.length > 1) {
      const places = [...new Set(candidates.map((each) => each.module))]
      throw new AmbiguousError(
        `${what} is defined ${candidates.length} times, in ${places.join(', ')}; name the module or the kind`,
        candidates,
      )
    }
    return candidates[0]!
  }

  #setAt(i: number): TypeSet {
    let set = this.#sets[i]
    if (!set) {
      const record = this.records[i]!
      set = new TypeSet(record, this.#baseOf(record, i))
      this.#sets[i] = set
    }
    return set
  }

  #baseOf(record: TypeSetRecord, i: number): TypeSet | undefined {
    if (record.base !== undefined) {
      const base = this.#byName.get(record.base)
      if (base === undefined || base === i)
        throw new BadFormatError(`${record.name}: its base ${record.base} is missing or stands behind it`)
      return this.#setAt(base)
    }
    return i === 0 ? undefined : this.#setAt(0)
  }
}

function candidate(set: TypeSet, id: number, name: string): TypeCandidate {
  return { module: set.name, id, kind: kindName(infoKind(set.words[set.position(id) + 1]!)), name }
}
