// Answers to questions by type: which functions take or return it, and which types hold it, point to it or call with it, over all
// sets of a kernel. A type of another set is the same if it means the same: its name and kind, through typedefs and qualifiers.

import { bisect } from '../../core/bisect.ts'
import { compileGlob, isGlob } from '../../core/glob.ts'
import {
  infoVlen,
  KIND_ARRAY,
  KIND_FUNC,
  KIND_FUNC_PROTO,
  KIND_PTR,
  KIND_STRUCT,
  KIND_TYPEDEF,
  KIND_UNION,
  KIND_VAR,
} from '../format.ts'
import { isModifier, KEYWORD_KINDS, KINDS, type KindName } from '../kinds.ts'
import { factsOf } from '../print/type-facts.ts'
import { skipModifiers, type TypeCandidate } from '../read/type.ts'
import type { TypeSet } from '../read/type-set.ts'
import { candidate } from './candidate.ts'
import { KernelFunction } from './functions.ts'
import type { TypeQuestion } from './type-question.ts'
import { type TypeUse, UseFinder } from './type-uses.ts'
import { RETURNS, TAKES, USER } from './users-constants.ts'
import { type UsersIndex, VOID } from './users-index.ts'

/** Kinds that a name without struct, union or enum in front may be of. */
const ANY: ReadonlySet<KindName> = new Set([
  ...Object.values(KEYWORD_KINDS).flatMap((kinds) => [...kinds]),
  'FWD',
  'TYPEDEF',
  'INT',
  'FLOAT',
] as const)
/** Kinds that a name with such a keyword in front may be of. */
const MEANT: Readonly<Record<string, ReadonlySet<KindName>>> = {
  struct: new Set([...KEYWORD_KINDS.struct, 'FWD'] as const),
  union: new Set([...KEYWORD_KINDS.union, 'FWD'] as const),
  enum: KEYWORD_KINDS.enum,
}

/** Functions that are made by one call. */
const SLICE = 256

const MODIFIERS = [...KINDS.keys()].filter(isModifier)
/** A user of such a kind stands for the type, or leads to it, and its users count as well. */
const THROUGH = 1
/** A user of such a kind is what is looked for. */
const FOUND = 2

/** What becomes of a user, by its kind. */
function steps(through: readonly number[], found: readonly number[]): Uint8Array {
  const table = new Uint8Array(128)
  for (const kind of through) table[kind] = THROUGH
  for (const kind of found) table[kind] = FOUND
  return table
}

/** A type under all names and with all qualifiers; that, and what points to it; and prototypes with it. */
const RENAMED = steps(MODIFIERS, [])
const POINTED = steps(MODIFIERS, [KIND_PTR])
const IN_PROTOS = steps(MODIFIERS, [KIND_FUNC_PROTO])
/** Whatever a member holds it in. */
const IN_PLACE = steps([...MODIFIERS, KIND_ARRAY], [])
/** Whatever leads to it, by pointers too. */
const LEADING = steps([...MODIFIERS, KIND_ARRAY, KIND_PTR], [])
/** Those that name it themselves. */
const POINTERS = steps([], [KIND_PTR])
const PROTOS = steps([], [KIND_FUNC_PROTO])
const FUNCS = steps([], [KIND_FUNC])
const HOLDERS = steps([], [KIND_STRUCT, KIND_UNION, KIND_VAR])

/** The questions that are asked of the sets of all types. */
interface Sets {
  find(name: string): readonly TypeCandidate[]
  requireSet(module: string): TypeSet
}

/** Types by their ordinals: which they are, and whether one is among them. A bit a type, so that a question may make several. */
class Marked {
  length = 0
  /** As many as `length` says. */
  list: Int32Array = new Int32Array(1024)
  readonly marks: Int32Array

  constructor(size: number) {
    this.marks = new Int32Array((size >>> 5) + 1)
  }

  has(ordinal: number): boolean {
    return (this.marks[ordinal >>> 5]! & (1 << ordinal)) !== 0
  }

  add(ordinal: number): void {
    if (this.has(ordinal)) return
    this.marks[ordinal >>> 5]! |= 1 << ordinal
    if (this.length === this.list.length) this.list = longer(this.list)
    this.list[this.length++] = ordinal
  }

  /** The types, ascending. */
  sorted(): Int32Array {
    return this.list.slice(0, this.length).sort()
  }
}

function longer(list: Int32Array): Int32Array {
  const longer = new Int32Array(4 * list.length)
  longer.set(list)
  return longer
}

/** The types that a function has to take or to return. */
export interface FunctionAsked {
  readonly takes?: TypeQuestion | undefined
  /** Which parameter has to be of that type, from 1 on; any without it. */
  readonly as?: number | undefined
  readonly returns?: TypeQuestion | undefined
  /** A name or a glob. */
  readonly name?: string | undefined
  readonly module?: string | undefined
}

/** The uses of a type. */
export interface TypeUsers {
  /** Typedefs of it. */
  readonly aliases: readonly TypeCandidate[]
  /** Members and variables that are of the type, or arrays of it. */
  readonly holds: readonly TypeUse[]
  /** Members and variables that point to it. */
  readonly points: readonly TypeUse[]
  /** Members and variables that point to functions which take or return it, as tables of operations do. */
  readonly calls: readonly TypeUse[]
  /** Functions that take it, or pointers to it. */
  readonly takes: readonly KernelFunction[]
  /** Functions that return it, or pointers to it. */
  readonly returns: readonly KernelFunction[]
}

/** Answers over the sets of one kernel. */
export class AskedTypes {
  readonly #types: Sets
  readonly #index: UsersIndex

  constructor(types: Sets, index: UsersIndex) {
    this.#types = types
    this.#index = index
  }

  /** The functions that take and return what is asked for, in the kernel's order. */
  functions({ takes, as, returns, name, module }: FunctionAsked): readonly KernelFunction[] {
    const taken = takes && this.#named(takes)
    const returned = returns && this.#named(returns)
    const matches = name === undefined ? undefined : isGlob(name) ? compileGlob(name) : (each: string) => each === name
    const all = this.#functions(this.#prototypes(taken, as, returned), module)
    return matches === undefined ? all : all.filter(({ name }) => matches(name))
  }

  /** The functions with these prototypes, in the kernel's order. */
  #functions(protos: Marked, module: string | undefined): KernelFunction[] {
    const index = this.#index
    const ordinals = this.#usersOf(protos, FUNCS, 0).sorted()
    const functions = new Array<KernelFunction>(ordinals.length)
    let count = 0
    for (let at = 0; at < ordinals.length; ) {
      const rank = index.rankOf(ordinals[at]!)
      const set = index.sets[rank]!
      const back = index.idIn(rank, 0)
      const behind = index.endIn(rank)
      const end = bisect(at, ordinals.length, (place) => ordinals[place]! < behind)
      if (module === undefined || set.name === module) {
        for (; at < end; at += SLICE) {
          const to = Math.min(end, at + SLICE)
          makeFunctions(set, ordinals, at, to, back, functions, count)
          count += to - at
        }
      }
      at = end
    }
    functions.length = count
    return functions
  }

  /** The prototypes that take the one and return the other; both come without their other names. */
  #prototypes(taken: Marked | undefined, as: number | undefined, returned: Marked | undefined): Marked {
    let protos: Marked | undefined
    if (returned !== undefined) protos = this.#usersOf(returned, IN_PROTOS, RETURNS)
    if (taken === undefined) return protos ?? new Marked(this.#index.size)
    const among = protos
    const found = this.#usersOf(taken, IN_PROTOS, TAKES)
    if (as === undefined && among === undefined) return found
    const both = new Marked(this.#index.size)
    let rank = 0
    for (const proto of found.sorted()) {
      rank = this.#index.rankOf(proto, rank)
      if (among?.has(proto) !== false && (as === undefined || this.#takesAs(rank, proto, taken, as))) both.add(proto)
    }
    return both
  }

  /** The uses of a type, and of every type that means the same. */
  users(type: TypeQuestion | TypeCandidate, module: string | undefined): TypeUsers {
    const own = 'module' in type ? this.#closed(this.#marked(this.#same(type)), RENAMED) : this.#meant(type)
    const held = this.#closed(own, IN_PLACE)
    const pointed = this.#closed(this.#usersOf(held, POINTERS, 0), LEADING)
    const either = this.#joined(held, pointed)
    const protos = this.#usersOf(either, PROTOS, TAKES | RETURNS)
    const called = this.#closed(this.#usersOf(protos, POINTERS, 0), LEADING)
    const aliases = this.#joined(own)
      .sorted()
      .filter((ordinal) => this.#index.kinds[ordinal] === KIND_TYPEDEF)
    return {
      aliases: [...aliases].flatMap((ordinal) => this.#candidate(ordinal, module)),
      holds: this.#uses(held, module),
      points: this.#uses(pointed, module),
      calls: this.#uses(called, module),
      takes: this.#functions(this.#usersOf(either, PROTOS, TAKES), module),
      returns: this.#functions(this.#usersOf(either, PROTOS, RETURNS), module),
    }
  }

  /** Members of a name, in whatever struct or union; of a type, or arrays of it, where one is asked for. */
  withMember(name: string, type: TypeQuestion | undefined, module: string | undefined): TypeUse[] {
    const of = type && this.#closed(this.#meant(type), IN_PLACE)
    return new UseFinder(this.#index).named(name, of && ((ordinal) => of.has(ordinal)), module)
  }

  /** Whether there is any type of that name. */
  knows(question: TypeQuestion): boolean {
    return this.#seeds(question).length > 0
  }

  #uses(types: Marked, module: string | undefined): readonly TypeUse[] {
    const holders = this.#usersOf(types, HOLDERS, 0).sorted()
    return new UseFinder(this.#index).of(holders, (ordinal) => types.has(ordinal), module)
  }

  #candidate(ordinal: number, module: string | undefined): TypeCandidate[] {
    const rank = this.#index.rankOf(ordinal)
    const set = this.#index.sets[rank]!
    const id = this.#index.idIn(rank, ordinal)
    if (module !== undefined && set.name !== module) return []
    return [candidate(set, id)]
  }

  /** The types that a question means, under all names and with all qualifiers. */
  #meant(question: TypeQuestion): Marked {
    const meant = this.#named(question)
    this.#usersOf(meant, RENAMED, 0)
    return meant
  }

  /** The types that a question names, from which other names and qualifiers are still to be followed. */
  #named(question: TypeQuestion): Marked {
    let named = this.#marked(this.#seeds(question))
    for (let i = 0; i < question.pointers; i++) named = this.#usersOf(named, POINTED, 0)
    return named
  }

  /** The types that have the name of a question. */
  #seeds({ keyword, names }: TypeQuestion): number[] {
    if (keyword === undefined && names[0] === 'void') return [VOID]
    const wanted = keyword === undefined ? ANY : MEANT[keyword]!
    const found = names.flatMap((name) => this.#types.find(name)).filter((each) => this.#isMeant(each, wanted, keyword))
    return found.flatMap((each) => [each, ...this.#behindTypedef(each)]).flatMap((each) => this.#ordinal(each))
  }

  #isMeant({ kind, module, id }: TypeCandidate, wanted: ReadonlySet<KindName>, keyword: string | undefined): boolean {
    if (!wanted.has(kind)) return false
    // A forward declaration is of a struct or of a union.
    return kind !== 'FWD' || keyword === undefined || this.#set(module).flagOf(id) === (keyword === 'union')
  }

  /**
   * The type behind a typedef, where that is a struct, union or enum: C makes no difference between the two. A typedef of a number
   * says more than the number, and who asks for gfp_t does not mean every unsigned int.
   */
  #behindTypedef({ kind, module, id }: TypeCandidate): TypeCandidate[] {
    if (kind !== 'TYPEDEF') return []
    const set = this.#set(module)
    const target = skipModifiers(set, id)
    const behind = set.kindOf(target)
    if (!Object.values(MEANT).some((kinds) => kinds.has(behind))) return []
    const name = set.nameOf(target)
    if (name === '') return [{ module, id: target, kind: behind, name }]
    const isUnion = behind === 'UNION' || (behind === 'FWD' && set.flagOf(target))
    const keyword = KEYWORD_KINDS.enum.has(behind) ? 'enum' : isUnion ? 'union' : 'struct'
    return this.#types.find(name).filter((each) => this.#isMeant(each, MEANT[keyword]!, keyword))
  }

  /** A type and those of other sets that are the same: name, kind and all that there is to say of it; also where it is declared only. */
  #same(type: TypeCandidate): number[] {
    const { kind, name, module, id } = type
    if (name === '' || id === 0) return this.#ordinal(type)
    const facts = JSON.stringify(factsOf(this.#set(module), id))
    const same = this.#types.find(name).filter((each) => {
      if (each.kind === 'FWD') {
        const isUnion = this.#set(each.module).flagOf(each.id)
        return kind === 'FWD' ? this.#set(module).flagOf(id) === isUnion : kind === (isUnion ? 'UNION' : 'STRUCT')
      }
      return each.kind === kind && JSON.stringify(factsOf(this.#set(each.module), each.id)) === facts
    })
    return [type, ...same].flatMap((each) => this.#ordinal(each))
  }

  #set(module: string) {
    return this.#types.requireSet(module)
  }

  #ordinal({ module, id }: TypeCandidate): number[] {
    const ordinal = this.#index.ordinalOf(module, id)
    return ordinal === undefined ? [] : [ordinal]
  }

  #marked(ordinals: readonly number[]): Marked {
    const marked = new Marked(this.#index.size)
    for (const ordinal of ordinals) marked.add(ordinal)
    return marked
  }

  #joined(...several: readonly Marked[]): Marked {
    const joined = new Marked(this.#index.size)
    for (const { list, length } of several) for (let i = 0; i < length; i++) joined.add(list[i]!)
    return joined
  }

  /** Types, and those that lead to them. */
  #closed(from: Marked, through: Uint8Array): Marked {
    const closed = this.#joined(from)
    this.#usersOf(closed, through, 0)
    return closed
  }

  /** The users of types that are looked for; prototypes only in one of some roles. Those that lead on are added to the types. */
  #usersOf(types: Marked, steps: Uint8Array, roles: number): Marked {
    const found = new Marked(this.#index.size)
    const { starts, users, kinds } = this.#index
    // The list may grow as it is walked through.
    for (let i = 0; i < types.length; i++) {
      const ordinal = types.list[i]!
      follow(types, found, users, kinds, steps, roles, starts[ordinal]!, starts[ordinal + 1]!)
    }
    return found
  }

  /** Whether the parameter of that number is of one of these types. */
  #takesAs(rank: number, proto: number, types: Marked, as: number): boolean {
    const set = this.#index.sets[rank]!
    const at = set.position(this.#index.idIn(rank, proto))
    if (as > infoVlen(set.words[at + 1]!)) return false
    const id = set.words[at + 2 + 2 * as]!
    return id !== 0 && types.has(this.#index.ordinalIn(rank, id))
  }
}

/** Makes functions of ordinals. It is a function of its own, called for few at a time, because V8 compiles it sooner than its caller. */
function makeFunctions(
  set: TypeSet,
  ordinals: Int32Array,
  from: number,
  to: number,
  back: number,
  into: KernelFunction[],
  place: number,
): void {
  for (let i = from; i < to; i++) into[place + i - from] = new KernelFunction(set, ordinals[i]! + back)
}

/** Follows the users in a range. It is a function of its own because V8 compiles it sooner than its caller. */
function follow(
  types: Marked,
  found: Marked,
  users: Int32Array,
  kinds: Uint8Array,
  steps: Uint8Array,
  roles: number,
  from: number,
  to: number,
): void {
  for (let at = from; at < to; at++) {
    const user = users[at]!
    if (user > USER) {
      // From here on all are prototypes.
      if (roles === 0) return
      if ((user & roles) === 0) continue
    }
    const ordinal = user & USER
    const step = steps[kinds[ordinal]!]
    if (step === FOUND) found.add(ordinal)
    else if (step === THROUGH) types.add(ordinal)
  }
}
