// All type sets of a kernel, vmlinux and its modules, as one collection: who defines a name, in the kernel's own order.

import { type Check, instance, nameText, number, options as optionsOf, text, wrong } from '../core/arguments.ts'
import { AmbiguousError, KerndexError, NotFoundError, UsageError } from '../core/errors.ts'
import { counted, INSPECT, type Inspect, inspected } from '../core/explain.ts'
import { compileGlob, globPrefix, isGlob } from '../core/glob.ts'
import { AskedTypes, type TypeUsers } from './ask/asked-types.ts'
import { Candidate, candidate } from './ask/candidate.ts'
import { KernelFunction } from './ask/functions.ts'
import { type MemberPlace, parsePath, resolveSteps } from './ask/member-path.ts'
import {
  CANDIDATE,
  type FindOptions,
  type FindQuery,
  FUNCTION_QUESTION,
  type FunctionQuestion,
  findQuery,
  MEMBER_QUESTION,
  type MemberQuestion,
  MODULE_OPTIONS,
  type ModuleOptions,
} from './ask/questions.ts'
import { parseTypeQuestion } from './ask/type-question.ts'
import type { TypeUse } from './ask/type-uses.ts'
import { buildUsers } from './ask/users-build.ts'
import { UsersIndex } from './ask/users-index.ts'
import { infoKind, KIND_FUNC } from './format.ts'
import { KEYWORD_KINDS, type KindName, kindName, kindNumber } from './kinds.ts'
import { flavoursOf } from './read/flavour.ts'
import type { TypeSetRecord } from './read/index-types.ts'
import { byteString, hashByteString } from './read/names.ts'
import { FOUND_NUMBERS, isKind } from './read/set-group.ts'
import { type LazyModules, SetList, type UnreadTypes } from './read/set-list.ts'
import { decodeType, skipModifiers, type Type, type TypeCandidate } from './read/type.ts'
import type { TypeSet } from './read/type-set.ts'

/**
 * The sets of one kernel. The first record is vmlinux; modules follow in the order the kernel prefers them (load
 * order). Opening a collection of thousands of sets costs about a microsecond each: sets are attached when needed.
 */
export class Types {
  readonly #sets: SetList
  /** The hits of the lookup under way; one array for all lookups, because a new one each time would cost as much as the lookup. */
  readonly #found: number[] = []
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
    this.#sets = new SetList(records, lazy, unread)
  }

  /** The records of the sets read so far. */
  get records(): readonly TypeSetRecord[] {
    return this.#sets.records
  }

  /** All usable sets, vmlinux first; reads those that are still to be read. */
  get sets(): readonly TypeSet[] {
    return this.#sets.all()
  }

  /** Sets that turned out to be unusable so far, with the reason. */
  get failures(): ReadonlyMap<string, KerndexError> {
    this.#sets.read()
    return this.#sets.failures
  }

  /** Number of types in all usable sets. */
  get size(): number {
    return this.sets.reduce((sum, set) => sum + set.size, 0)
  }

  /** The set of that exact name. @throws BadFormatError if there is one but it cannot be used. */
  set(name: string): TypeSet | undefined {
    return this.#sets.named(text(name, 'name'))
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
    const early = this.#findUnread(name, asked)
    if (early !== undefined) return early
    if (module !== undefined) {
      const set = this.set(module)
      return set ? set.idsNamed(name, kind).map((id) => candidate(set, id, name)) : []
    }
    const query = byteString(name)
    if (query === undefined || query === '') return []
    const wanted = kind === undefined ? undefined : kindNumber(kind)
    const hash = hashByteString(query)
    const numbers = this.#found
    const end = this.#sets.find(query, hash, wanted, numbers)
    // An array that grows would set memory aside for many: most names have one type.
    if (end === 0) return []
    if (end === FOUND_NUMBERS) return [this.#candidate(numbers, 0, name)]
    return Array.from(inOrder(numbers, end), (at) => this.#candidate(numbers, at, name))
  }

  /** What `find` finds without reading everything; undefined if that has to be done. */
  #findUnread(name: string, { kind, module }: FindQuery): TypeCandidate[] | undefined {
    const { unread } = this.#sets
    if (unread === undefined) return undefined
    const query = byteString(name)
    if (query === undefined || query === '') return []
    const wanted = kind === undefined ? undefined : kindNumber(kind)
    return unread
      .find(query, hashByteString(query))
      ?.filter((each) => (module === undefined || each.module === module) && isKind(each.kind, wanted))
      .map((each) => new Candidate(each.module, each.id, kindName(each.kind), name))
  }

  /** The answer that stands at a position of what was found. */
  #candidate(found: readonly number[], at: number, name: string): TypeCandidate {
    return new Candidate(this.#sets.names[found[at]!]!, found[at + 1]!, kindName(found[at + 2]!), name)
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
    const rank = ({ module }: TypeCandidate): number => this.#sets.rankOf(module)
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
    const early = this.#sets.unread?.get(module, id)
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
  functions(question: string, options?: ModuleOptions): IterableIterator<KernelFunction>
  functions(question: FunctionQuestion, options?: ModuleOptions): Iterable<KernelFunction>
  functions(question: string | FunctionQuestion, options?: ModuleOptions): Iterable<KernelFunction> {
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
   * The uses of a type: members and variables that hold it or point to it, tables of functions that take it, and functions that take or
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
    for (const each of this.find(root, { module })) {
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

  /** The sets that have been read, by name, and how many have not: telling reads nothing. */
  toJSON(): { sets: readonly string[]; unread: number } {
    return { sets: this.#sets.names, unread: this.#sets.pending }
  }

  toString(): string {
    const { names, pending, unread } = this.#sets
    if (unread !== undefined) return 'types that have not been read yet'
    const more = pending === 0 ? '' : `, ${pending} more to be read`
    return `types of ${counted(names.length, 'set')}${more}`
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

function samePlace(a: MemberPlace, b: MemberPlace): boolean {
  return (
    a.bitOffset === b.bitOffset &&
    a.bits === b.bits &&
    a.size === b.size &&
    a.type === b.type &&
    a.through.join() === b.through.join()
  )
}
