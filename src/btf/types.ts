// All type sets of a kernel, vmlinux and its modules, as one collection: who defines a name, in the kernel's own order.

import {
  type Check,
  instance,
  like,
  nameText,
  number,
  type Options,
  options as optionsOf,
  text,
  whole,
  wrong,
} from '../core/arguments.ts'
import { AmbiguousError, BadFormatError, KerndexError, NotFoundError, UsageError } from '../core/errors.ts'
import { counted, INSPECT, type Inspect, inspected } from '../core/explain.ts'
import { compileGlob, globPrefix, isGlob } from '../core/glob.ts'
import { printable } from '../core/printable.ts'
import { AskedTypes, type TypeUsers } from './ask/asked-types.ts'
import { KernelFunction } from './ask/functions.ts'
import { type MemberPlace, parsePath, resolveSteps } from './ask/member-path.ts'
import { parseTypeQuestion } from './ask/type-question.ts'
import type { TypeUse } from './ask/type-uses.ts'
import { buildUsers, UsersIndex } from './ask/users-index.ts'
import { infoKind, KIND_FUNC } from './format.ts'
import { KEYWORD_KINDS, type KindName, kindChoice, kindName, kindNumber, typeInWords } from './kinds.ts'
import { flavoursOf } from './read/flavour.ts'
import type { TypeSetRecord } from './read/index-types.ts'
import { viewIndex } from './read/name-index.ts'
import { byteString, hashByteString } from './read/names.ts'
import { FOUND_NUMBERS, isKind, SetGroup } from './read/set-group.ts'
import type { FoundType } from './read/stored-types.ts'
import { decodeType, skipModifiers, type Type, type TypeCandidate } from './read/type.ts'
import { TypeSet } from './read/type-set.ts'

/** A candidate that says in a text what it is. */
class Candidate implements TypeCandidate {
  readonly module: string
  readonly id: number
  readonly kind: KindName
  readonly name: string

  constructor(module: string, id: number, kind: KindName, name: string) {
    this.module = module
    this.id = id
    this.kind = kind
    this.name = name
  }

  /** `struct nft_ctx [nf_tables]`. */
  toString(): string {
    return `${typeInWords(this)}${this.module === 'vmlinux' ? '' : ` [${printable(this.module)}]`}`
  }
}

/** Which types a lookup considers. */
export interface FindOptions {
  /** In any case: `STRUCT`, `struct`. */
  readonly kind?: KindName | Lowercase<KindName> | undefined
  /** The set's exact name; `vmlinux` for the kernel itself. */
  readonly module?: string | undefined
}

/** Which module's types a lookup considers: the set's exact name, `vmlinux` for the kernel itself. */
export interface ModuleOptions {
  readonly module?: string | undefined
}

const FIND_OPTIONS: Options<FindOptions> = { kind: kindChoice, module: nameText }

/** What lookups take that ask for nothing but the module. */
export const MODULE_OPTIONS: Options<ModuleOptions> = { module: nameText }

/** What functions are asked for by. Types are written as in C, such as `struct sk_buff *`; qualifiers do not count. */
export interface FunctionQuestion extends ModuleOptions {
  /** A type that one of the parameters has, through typedefs. */
  readonly takes?: string | undefined
  /** Which parameter has to be of that type, counted from 1; without it, any. */
  readonly as?: number | undefined
  /** The type that is returned, through typedefs; `void` for nothing. */
  readonly returns?: string | undefined
  /** A name, or a pattern (`*`, `?`, `[…]`). */
  readonly name?: string | undefined
}

/** A function has no more parameters than this, whatever BTF says. */
const MOST_PARAMS = 1 << 16

/** The part of a question that is about the prototype. */
export const TYPES_ASKED: Options<Pick<FunctionQuestion, 'takes' | 'as' | 'returns'>> = {
  takes: nameText,
  as: whole(1, MOST_PARAMS),
  returns: nameText,
}

const FUNCTION_QUESTION: Options<FunctionQuestion> = {
  ...TYPES_ASKED,
  name: text,
  module: nameText,
}

/** Which members are asked for by name. */
export interface MemberQuestion extends ModuleOptions {
  /** Only members of this type, or arrays of it, written as in C. */
  readonly type?: string | undefined
}

const MEMBER_QUESTION: Options<MemberQuestion> = { type: nameText, module: nameText }

/** A type by its identity. */
const CANDIDATE = like<TypeCandidate>({ module: nameText, id: number }, "a type's name, or a type with module and id")

/** The options of a lookup, with the kind as it is stored. */
interface FindQuery extends ModuleOptions {
  readonly kind?: KindName | undefined
}

/** @throws UsageError */
function findQuery(options: FindOptions | undefined, of: string): FindQuery {
  // The check of the kind gives it as it is stored.
  return optionsOf(options, of, FIND_OPTIONS) as FindQuery
}

/** Modules whose types are not read before somebody asks for them. */
export interface LazyModules {
  /** Names of all modules that could be loaded, in the kernel's order. */
  readonly available: readonly string[]
  /** Reads and indexes some of them, on this thread; those that cannot be read are left out. */
  load(names: readonly string[]): readonly TypeSetRecord[]
}

/** What can be said of types before all of them are read; undefined stands for what cannot. */
export interface EarlyTypes {
  /** Every type of a name, given as a byte string with its hash, in the order of `Types.find`. */
  find(query: string, hash: number): readonly FoundType[] | undefined
  get(module: string, id: number): Type | undefined
}

/** All types of a collection while they have not been read. */
export interface UnreadTypes extends EarlyTypes {
  /** Reads everything, on this thread. @throws what reading throws; then everything is still to be read */
  read(): readonly TypeSetRecord[]
}

/**
 * The sets of one kernel. The first record is vmlinux; modules follow in the order the kernel prefers them (load
 * order). Opening a collection of thousands of sets costs about a microsecond each: sets are attached when needed.
 */
export class Types {
  readonly #records: TypeSetRecord[] = []
  readonly #names: string[] = []
  readonly #sets: (TypeSet | undefined)[] = []
  /** Why a set cannot be used, such as a wrong base; found when it is first attached. */
  readonly #failures = new Map<string, KerndexError>()
  readonly #byName = new Map<string, number>()
  readonly #groups: SetGroup[] = []
  readonly #groupOf = new Map<SharedArrayBuffer, SetGroup>()
  /** What the lookup under way has found; kept, because a new one each time would cost as much as the lookup. */
  readonly #found: number[] = []
  readonly #lazy: LazyModules | undefined
  readonly #pending: Set<string>
  #unread: UnreadTypes | undefined
  #users: SharedArrayBuffer | undefined
  /** What answers questions by type, of so many sets: further ones may be read later. */
  #asked: { readonly types: AskedTypes; readonly sets: number } | undefined

  /**
   * @param records vmlinux first, then modules; none where they are `unread`.
   * @param lazy modules to be read on first use: one when it is named, all when a lookup names none.
   * @param unread asked for names before anything is read, and read for everything else.
   * @throws BadFormatError if two sets have the same name or an index is damaged.
   */
  constructor(records: readonly TypeSetRecord[], lazy?: LazyModules, unread?: UnreadTypes) {
    this.#lazy = lazy
    this.#unread = unread
    for (const record of records) this.#add(record)
    this.#pending = new Set(lazy?.available.filter((name) => !this.#byName.has(name)))
  }

  /** The records of the sets read so far. */
  get records(): readonly TypeSetRecord[] {
    this.#read()
    return this.#records
  }

  /** All usable sets, vmlinux first; reads those that are still to be read. */
  get sets(): readonly TypeSet[] {
    this.#loadPending()
    const sets: TypeSet[] = []
    for (let i = 0; i < this.#records.length; i++) {
      const set = this.#attach(i)
      if (set) sets.push(set)
    }
    return sets
  }

  /** Sets that turned out to be unusable so far, with the reason. */
  get failures(): ReadonlyMap<string, KerndexError> {
    this.#read()
    return this.#failures
  }

  /** Number of types in all usable sets. */
  get size(): number {
    return this.sets.reduce((sum, set) => sum + set.size, 0)
  }

  /** The set of that exact name. @throws BadFormatError if there is one but it cannot be used. */
  set(name: string): TypeSet | undefined {
    text(name, 'name')
    this.#read()
    if (this.#pending.has(name)) this.#load([name])
    const i = this.#byName.get(name)
    if (i === undefined) return undefined
    const set = this.#attach(i)
    if (!set) throw this.#failures.get(name)!
    return set
  }

  /** The set of that exact name. @throws NotFoundError if there is none. */
  requireSet(name: string): TypeSet {
    const set = this.set(name)
    if (!set) throw new NotFoundError(`no types of ${name}: it is not loaded, or was built without BTF`)
    return set
  }

  /**
   * Every type of that name, in the kernel's order: vmlinux by ascending id, then the modules. With `kind`, only that
   * kind, so that a forward declaration never hides a definition.
   */
  find(name: string, options?: FindOptions): TypeCandidate[] {
    text(name, 'name')
    const asked = findQuery(options, 'find')
    const { kind, module } = asked
    if (this.#unread !== undefined) {
      const found = this.#findUnread(name, asked)
      if (found !== undefined) return found
      this.#read()
    }
    if (module !== undefined) {
      const set = this.set(module)
      return set ? set.idsNamed(name, kind).map((id) => candidate(set, id, name)) : []
    }
    const query = byteString(name)
    if (query === undefined || query === '') return []
    if (this.#pending.size > 0) this.#loadPending()
    const wanted = kind === undefined ? undefined : kindNumber(kind)
    const hash = hashByteString(query)
    const numbers = this.#found
    let end = 0
    for (const group of this.#groups) end = group.find(query, hash, wanted, numbers, end)
    // An array that grows would set memory aside for many: most names have one type.
    if (end === 0) return []
    if (end === FOUND_NUMBERS) return [this.#candidate(numbers, 0, name)]
    return Array.from(inOrder(numbers, end), (at) => this.#candidate(numbers, at, name))
  }

  /** What `find` finds without reading everything; undefined if that has to be done. */
  #findUnread(name: string, { kind, module }: FindQuery): TypeCandidate[] | undefined {
    const query = byteString(name)
    if (query === undefined || query === '') return []
    const wanted = kind === undefined ? undefined : kindNumber(kind)
    return this.#unread
      ?.find(query, hashByteString(query))
      ?.filter((each) => (module === undefined || each.module === module) && isKind(each.kind, wanted))
      .map((each) => new Candidate(each.module, each.id, kindName(each.kind), name))
  }

  /** The answer that stands at a position of what was found. */
  #candidate(found: readonly number[], at: number, name: string): TypeCandidate {
    return new Candidate(this.#names[found[at]!]!, found[at + 1]!, kindName(found[at + 2]!), name)
  }

  /**
   * Every type whose name is `name` or a flavour of it (`name___anything`), in the kernel's order: the candidates of a
   * CO-RE relocation.
   */
  findEssential(name: string, options?: FindOptions): TypeCandidate[] {
    const found = this.find(name, options)
    const module = options?.module
    const sets = module === undefined ? this.sets : [this.set(module)]
    const flavoured = sets.flatMap((set) =>
      set ? (flavoursOf(set).get(name) ?? []).map((id) => candidate(set, id, set.nameOf(id))) : [],
    )
    if (flavoured.length === 0) return found
    const rank = (each: TypeCandidate): number => this.#byName.get(each.module) ?? 0
    return [...found, ...flavoured].sort((a, b) => rank(a) - rank(b) || a.id - b.id)
  }

  /**
   * The only type of that name.
   * @throws NotFoundError if there is none; AmbiguousError, naming the modules, if there are several.
   */
  require(name: string, options?: FindOptions): TypeCandidate {
    const candidates = this.find(name, options)
    const { kind, module } = findQuery(options, 'require')
    const what = `${kind ? `${kind} ` : ''}${name}`
    if (candidates.length === 0) throw new NotFoundError(`no type ${what} in ${this.#where(module)}`)
    if (candidates.length > 1) {
      const places = [...new Set(candidates.map((each) => each.module))]
      throw new AmbiguousError(
        `${what} is defined ${candidates.length} times, in ${places.join(', ')}; name the module or the kind`,
        candidates,
      )
    }
    return candidates[0]!
  }

  /** The type with an id; without `module`, of vmlinux. `undefined` if there is no such set or id. */
  get(id: number, options?: ModuleOptions): Type | undefined {
    number(id, 'id')
    const { module = 'vmlinux' } = optionsOf(options, 'get', MODULE_OPTIONS)
    const early = this.#unread?.get(module, id)
    if (early !== undefined) return early
    const set = this.set(module)
    if (!set || id < 0 || id >= set.endId || !Number.isInteger(id)) return undefined
    return decodeType(set, id)
  }

  /**
   * Where a path such as `task_struct.mm.pgd` or `sk_buff.cb[3]` leads, from the first type of that name in the
   * kernel's order that has such a member. `undefined` if there is none.
   * @throws UsageError if the path cannot be read.
   */
  member(path: string, options?: ModuleOptions): MemberPlace | undefined {
    return this.members(path, options)[0]
  }

  /** Where a path leads from every struct, union or typedef of that name, in the kernel's order. */
  members(path: string, options?: ModuleOptions): MemberPlace[] {
    const { module } = optionsOf(options, 'member', MODULE_OPTIONS)
    return this.#resolve(text(path, 'path'), module).places
  }

  /**
   * The only place a path can mean.
   * @throws NotFoundError saying which step fails; AmbiguousError if types of the same name disagree about it.
   */
  requireMember(path: string, options?: ModuleOptions): MemberPlace {
    const { module } = optionsOf(options, 'requireMember', MODULE_OPTIONS)
    const { places, failure } = this.#resolve(text(path, 'path'), module)
    const [first] = places
    if (!first) throw failure ?? new NotFoundError(`${path}: no such type in ${this.#where(module)}`)
    const differing = places.filter((each) => !samePlace(each, first))
    if (differing.length > 0) {
      const modules = [...new Set(places.map((each) => each.module))]
      throw new AmbiguousError(
        `${path} lies elsewhere in another type of that name; name one of ${modules.join(', ')}`,
        places,
      )
    }
    return first
  }

  /**
   * Every function whose name matches a pattern (`*`, `?`, `[…]`) or equals a name, in the kernel's order; or every function that
   * takes and returns what is asked for. The first question by type makes an index for all that follow.
   * @throws UsageError if a type cannot be read
   */
  functions(question: string | FunctionQuestion, options?: ModuleOptions): Generator<KernelFunction> {
    const { module } = optionsOf(options, 'functions', MODULE_OPTIONS)
    if (typeof question === 'string') return this.#functions(question, module)
    if (question === undefined) throw wrong('question', 'a name, a pattern, or what is taken and returned', question)
    const asked = optionsOf(question, 'functions', FUNCTION_QUESTION)
    const { name = '*', as } = asked
    const takes = asked.takes === undefined ? undefined : parseTypeQuestion(asked.takes)
    const returns = asked.returns === undefined ? undefined : parseTypeQuestion(asked.returns)
    if (as !== undefined && takes === undefined)
      throw new UsageError('as says which parameter has the type of takes; give that too')
    const where = asked.module ?? module
    if (takes === undefined && returns === undefined) return this.#functions(name, where)
    return this.#askedTypes().functions({ takes, as, returns, name: name === '*' ? undefined : name, module: where })
  }

  /**
   * Who uses a type: members and variables that hold it or point to it, tables of functions that take it, and functions that take or
   * return it. A type that is given by name means all of that name, written as in C; one that is given by module and id means those
   * of other sets as well that are defined the same. `module` restricts the answer.
   * @throws UsageError if the type cannot be read; NotFoundError if its module has no such type
   */
  users(type: string | Pick<TypeCandidate, 'module' | 'id'>, options?: ModuleOptions): TypeUsers {
    const { module } = optionsOf(options, 'users', MODULE_OPTIONS)
    if (typeof type === 'string') return this.#askedTypes().users(parseTypeQuestion(type), module)
    const { module: home, id } = CANDIDATE(type, 'type')
    const set = this.requireSet(home)
    if (id !== 0 && set.owner(id) === undefined) throw new NotFoundError(`${home} has no type ${id}`)
    return this.#askedTypes().users(candidate(set.owner(id) ?? set, id, set.nameOf(id)), module)
  }

  /**
   * Every member of a name, in whichever struct or union, those without a name included: by its path from what has one.
   * @throws UsageError if the type cannot be read
   */
  withMember(name: string, options?: MemberQuestion): TypeUse[] {
    const { type, module } = optionsOf(options, 'withMember', MEMBER_QUESTION)
    const of = type === undefined ? undefined : parseTypeQuestion(type)
    return this.#askedTypes().withMember(nameText(name, 'name'), of, module)
  }

  /** Whether any type has the name of a type that is written as in C. @throws UsageError if it cannot be read */
  knows(type: string): boolean {
    return this.#askedTypes().knows(parseTypeQuestion(nameText(type, 'type')))
  }

  /** The index of who uses which type, in shared memory, if it has been made: another thread's collection can adopt it. */
  get usersIndex(): SharedArrayBuffer | undefined {
    return this.#users
  }

  /** Takes an index that was made of the same sets; made of others, it is left. */
  adoptUsers(buffer: SharedArrayBuffer): void {
    const users = instance(SharedArrayBuffer, 'what usersIndex gave')(buffer, 'buffer')
    this.#users ??= users
  }

  #askedTypes(): AskedTypes {
    const { sets } = this
    if (this.#asked !== undefined && this.#asked.sets === sets.length) return this.#asked.types
    if (this.#users === undefined || !UsersIndex.fits(this.#users, sets)) this.#users = buildUsers(sets)
    const types = new AskedTypes(this, new UsersIndex(this.#users, sets))
    this.#asked = { types, sets: sets.length }
    return types
  }

  *#functions(glob: string, module: string | undefined): Generator<KernelFunction> {
    if (!isGlob(glob)) {
      for (const found of this.find(glob, { module, kind: 'FUNC' })) {
        yield new KernelFunction(this.requireSet(found.module), found.id, glob)
      }
      return
    }
    const matches = compileGlob(glob)
    const prefix = byteString(globPrefix(glob)) ?? ''
    const named = module === undefined ? undefined : this.set(module)
    const sets = module === undefined ? this.sets : named ? [named] : []
    for (const set of sets) {
      for (let id = set.firstId; id < set.endId; id++) {
        if (infoKind(set.words[set.position(id) + 1]!) !== KIND_FUNC || !set.nameStartsWith(id, prefix)) continue
        const name = set.nameOf(id)
        if (matches(name)) yield new KernelFunction(set, id, name)
      }
    }
  }

  #resolve(path: string, module: string | undefined): { places: MemberPlace[]; failure: unknown } {
    const { root, keyword, steps } = parsePath(path)
    const places: MemberPlace[] = []
    let failure: unknown
    for (const each of this.find(root, module === undefined ? {} : { module })) {
      const set = this.requireSet(each.module)
      const target = set.kindOf(skipModifiers(set, each.id))
      const isRoot = keyword === undefined ? ROOTS.has(each.kind) : KEYWORDS[keyword]!.has(each.kind)
      // Only a definition has members: a forward declaration or an enum of that name is something else.
      if (!isRoot || (steps.length > 0 && !HAS_STEPS.has(target))) continue
      try {
        places.push(resolveSteps(set, each.id, steps))
      } catch (error) {
        if (!(error instanceof KerndexError)) throw error
        failure ??= new NotFoundError(`${path}: ${error.message}`)
      }
    }
    return { places, failure }
  }

  #where(module: string | undefined): string {
    return module ?? 'any loaded type set'
  }

  #add(record: TypeSetRecord): void {
    if (this.#byName.has(record.name)) throw new BadFormatError(`two type sets are named ${record.name}`)
    const rank = this.#records.length
    this.#records.push(record)
    this.#names.push(record.name)
    this.#byName.set(record.name, rank)
    let group = this.#groupOf.get(record.index)
    if (!group) {
      group = new SetGroup(viewIndex(record.index), (each) => this.#attach(each))
      this.#groupOf.set(record.index, group)
      this.#groups.push(group)
    }
    group.add(record.indexOffset, rank)
  }

  /** Reads what has not been read. */
  #read(): void {
    const records = this.#unread?.read()
    if (records === undefined) return
    // What cannot be opened stays unread, with nothing of it added.
    for (const { index } of records) viewIndex(index)
    this.#unread = undefined
    for (const record of records) this.#add(record)
  }

  #loadPending(): void {
    this.#read()
    if (this.#pending.size > 0) this.#load([...this.#pending])
  }

  #load(names: readonly string[]): void {
    for (const name of names) this.#pending.delete(name)
    for (const record of this.#lazy?.load(names) ?? []) this.#add(record)
  }

  /** The set of a rank; `undefined` if it is unusable. */
  #attach(rank: number): TypeSet | undefined {
    const known = this.#sets[rank]
    if (known) return known
    const record = this.#records[rank]!
    if (this.#failures.has(record.name)) return undefined
    try {
      const set = new TypeSet(record, this.#baseOf(record, rank))
      this.#sets[rank] = set
      return set
    } catch (error) {
      if (!(error instanceof KerndexError)) throw error
      this.#failures.set(record.name, error)
      return undefined
    }
  }

  #baseOf(record: TypeSetRecord, rank: number): TypeSet | undefined {
    if (record.base === undefined && rank === 0) return undefined
    const base = record.base === undefined ? 0 : this.#byName.get(record.base)
    if (base === undefined || base >= rank) {
      throw new BadFormatError(`${record.name}: its base ${record.base} is missing or stands behind it`)
    }
    return this.#attach(base)
  }

  /** The sets that have been read, by name, and how many have not: telling reads nothing. */
  toJSON(): { sets: readonly string[]; unread: number } {
    return { sets: this.#names, unread: this.#pending.size }
  }

  toString(): string {
    if (this.#unread !== undefined) return 'types that have not been read yet'
    const unread = this.#pending.size === 0 ? '' : `, ${this.#pending.size} more to be read`
    return `types of ${counted(this.#names.length, 'set')}${unread}`
  }

  /** What `console.log` shows. */
  [INSPECT](depth: number, options: object, inspect: Inspect): string {
    return inspected('Types', () => this.toJSON(), depth, options, inspect)
  }
}

/** The types of a kernel, as an argument. */
export const typesArgument: Check<Types> = instance(Types, 'the Types of a kernel, such as kernel.types')

const ROOTS: ReadonlySet<KindName> = new Set(['STRUCT', 'UNION', 'TYPEDEF'])
const HAS_STEPS: ReadonlySet<KindName> = new Set(['STRUCT', 'UNION', 'ARRAY', 'PTR'])
const KEYWORDS: Readonly<Record<string, ReadonlySet<KindName>>> = KEYWORD_KINDS

/** Positions of what was found, by rank, then id. Each index gives its own in order; most often that is all there is to do. */
function inOrder(found: readonly number[], end: number): number[] {
  const positions = Array.from({ length: end / FOUND_NUMBERS }, (_, i) => i * FOUND_NUMBERS)
  return positions.sort((a, b) => found[a]! - found[b]! || found[a + 1]! - found[b + 1]!)
}

function candidate(set: TypeSet, id: number, name: string): TypeCandidate {
  return new Candidate(set.name, id, kindName(infoKind(set.words[set.position(id) + 1]!)), name)
}

function samePlace(a: MemberPlace, b: MemberPlace): boolean {
  return (
    a.bitOffset === b.bitOffset &&
    a.bits === b.bits &&
    a.size === b.size &&
    a.type === b.type &&
    a.through.join() === b.through.join()
  )
}
