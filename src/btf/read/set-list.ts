// The sets of one kernel by rank and name: read when they are needed, and attached one by one.

import { BadFormatError, KerndexError } from '../../core/errors.ts'
import type { TypeSetRecord } from './index-types.ts'
import { viewIndex } from './name-index.ts'
import { SetGroup } from './set-group.ts'
import type { FoundType } from './stored-types.ts'
import type { Type } from './type.ts'
import { TypeSet } from './type-set.ts'

/** Modules whose types are not read before they are asked for. */
export interface LazyModules {
  /** Names of all modules that could be loaded, in the kernel's order. */
  readonly available: readonly string[]
  /** Reads and indexes some of them, on this thread; those that cannot be read are left out. */
  load(names: readonly string[]): readonly TypeSetRecord[]
}

/** The answers about types that can be given before all of them are read. */
export interface EarlyTypes {
  /** Every type of a name, given as a byte string with its hash, in the order of `Types.find`; undefined where that cannot be told. */
  find(query: string, hash: number): readonly FoundType[] | undefined
  get(module: string, id: number): Type | undefined
}

/** All types of a kernel while they have not been read. */
export interface UnreadTypes extends EarlyTypes {
  /** Reads everything, on this thread. @throws what reading throws; then everything is still to be read */
  read(): readonly TypeSetRecord[]
}

/** The sets of one kernel, vmlinux first. */
export class SetList {
  /** Why a set cannot be used, such as a wrong base; found when it is first attached. */
  readonly failures = new Map<string, KerndexError>()
  readonly #records: TypeSetRecord[] = []
  readonly #names: string[] = []
  readonly #sets: (TypeSet | undefined)[] = []
  readonly #rankOf = new Map<string, number>()
  readonly #groups: SetGroup[] = []
  readonly #groupOf = new Map<SharedArrayBuffer, SetGroup>()
  readonly #lazy: LazyModules | undefined
  /** Modules that are still to be read. */
  readonly #pending: Set<string>
  #unread: UnreadTypes | undefined

  /** @throws BadFormatError if two sets have the same name or an index is damaged */
  constructor(records: readonly TypeSetRecord[], lazy: LazyModules | undefined, unread: UnreadTypes | undefined) {
    this.#lazy = lazy
    this.#unread = unread
    this.#pending = new Set(lazy?.available)
    for (const record of records) this.#add(record)
  }

  /** The source of answers before the sets are read; undefined once they are. */
  get unread(): UnreadTypes | undefined {
    return this.#unread
  }

  /** The names of the sets that have been read, by rank. */
  get names(): readonly string[] {
    return this.#names
  }

  /** How many modules are still to be read. */
  get pending(): number {
    return this.#pending.size
  }

  /** The records of the sets that have been read, modules that were left for later not among them. */
  get records(): readonly TypeSetRecord[] {
    this.read()
    return this.#records
  }

  /** All usable sets; reads those that are still to be read. */
  all(): readonly TypeSet[] {
    this.readAll()
    const sets: TypeSet[] = []
    for (let rank = 0; rank < this.#records.length; rank++) {
      const set = this.#attach(rank)
      if (set) sets.push(set)
    }
    return sets
  }

  /** The set of that exact name. @throws BadFormatError if there is one but it cannot be used */
  named(name: string): TypeSet | undefined {
    this.read()
    if (this.#pending.has(name)) this.#load([name])
    const rank = this.#rankOf.get(name)
    if (rank === undefined) return undefined
    const set = this.#attach(rank)
    if (!set) throw this.failures.get(name)!
    return set
  }

  /** A set's place in the kernel's order; 0 for one that is not there. */
  rankOf(name: string): number {
    return this.#rankOf.get(name) ?? 0
  }

  /** Puts all types of a name into the numbers, by index (see `SetGroup.find`). Returns where they end. */
  find(query: string, hash: number, kind: number | undefined, into: number[]): number {
    if (this.#pending.size > 0 || this.#unread !== undefined) this.readAll()
    let end = 0
    for (const group of this.#groups) end = group.find(query, hash, kind, into, end)
    return end
  }

  /** Reads what is unread, without the modules that were left for later. */
  read(): void {
    const records = this.#unread?.read()
    if (records === undefined) return
    // A set that cannot be opened stays unread, with nothing of it added.
    for (const { index } of records) viewIndex(index)
    this.#unread = undefined
    for (const record of records) this.#add(record)
  }

  /** Reads everything. */
  readAll(): void {
    this.read()
    if (this.#pending.size > 0) this.#load([...this.#pending])
  }

  #load(names: readonly string[]): void {
    for (const name of names) this.#pending.delete(name)
    for (const record of this.#lazy?.load(names) ?? []) this.#add(record)
  }

  #add(record: TypeSetRecord): void {
    const { name, index, indexOffset } = record
    if (this.#rankOf.has(name)) throw new BadFormatError(`two type sets are named ${name}`)
    const rank = this.#records.length
    this.#records.push(record)
    this.#names.push(name)
    this.#rankOf.set(name, rank)
    this.#pending.delete(name)
    let group = this.#groupOf.get(index)
    if (!group) {
      group = new SetGroup(viewIndex(index), (each) => this.#attach(each))
      this.#groupOf.set(index, group)
      this.#groups.push(group)
    }
    group.add(indexOffset, rank)
  }

  /** The set of a rank; undefined if it is unusable. */
  #attach(rank: number): TypeSet | undefined {
    const known = this.#sets[rank]
    if (known) return known
    const record = this.#records[rank]!
    if (this.failures.has(record.name)) return undefined
    try {
      const set = new TypeSet(record, this.#baseOf(record, rank))
      this.#sets[rank] = set
      return set
    } catch (error) {
      if (!(error instanceof KerndexError)) throw error
      this.failures.set(record.name, error)
      return undefined
    }
  }

  #baseOf(record: TypeSetRecord, rank: number): TypeSet | undefined {
    if (record.base === undefined && rank === 0) return undefined
    const base = record.base === undefined ? 0 : this.#rankOf.get(record.base)
    if (base === undefined || base >= rank) {
      throw new BadFormatError(`${record.name}: its base ${record.base} is missing or stands behind it`)
    }
    return this.#attach(base)
  }
}
