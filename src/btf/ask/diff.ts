// Differences between the types of two kernels: what a tracer's author wants to know before an upgrade. Types are compared
// by module, kind and name; ids mean nothing across kernels.
import { nameText, type Options, options as optionsOf } from '../../core/arguments.ts'
import { KIND_ENUM, KIND_FUNC, KIND_STRUCT, KIND_TYPEDEF, KIND_UNION, KIND_VAR } from '../format.ts'
import { type KindName, kindChoice, plainKind } from '../kinds.ts'
import { type Fact, factsOf } from '../print/type-facts.ts'
import type { TypeSet } from '../read/type-set.ts'
import { type Types, typesArgument } from '../types.ts'

/** A part of a type that differs: a member, a parameter, an enumerator, or the type's size or target. */
export interface DetailChange {
  readonly what: Fact['what']
  /** The member's, parameter's or enumerator's name. */
  readonly name?: string
  /** As it was; absent if it is new. */
  readonly from?: string
  /** As it is; absent if it has gone. */
  readonly to?: string
}

/** A type or function that differs. */
export interface TypeChange {
  readonly change: 'added' | 'removed' | 'changed'
  readonly kind: KindName
  readonly name: string
  readonly module: string
  readonly details: readonly DetailChange[]
}

/** What is compared. */
export interface DiffOptions {
  /** Only types and functions of that name. */
  readonly name?: string | undefined
  /** In any case: `STRUCT`, `struct`. */
  readonly kind?: KindName | Lowercase<KindName> | undefined
  /** Only this module, or `vmlinux`. */
  readonly module?: string | undefined
}

const DIFF_OPTIONS: Options<DiffOptions> = { name: nameText, kind: kindChoice, module: nameText }

/** The options, with the kind as it is stored. */
interface DiffQuery extends DiffOptions {
  readonly kind?: KindName | undefined
}

const COMPARED: ReadonlySet<number> = new Set([KIND_STRUCT, KIND_UNION, KIND_ENUM, KIND_TYPEDEF, KIND_FUNC, KIND_VAR])

/**
 * What changed from one kernel to another, in the order of modules and names. A type changes if its own members, size,
 * parameters or values do; a change inside a named type it embeds is reported there.
 */
export function* diffTypes(from: Types, to: Types, given?: DiffOptions): Generator<TypeChange> {
  typesArgument(from, 'from')
  typesArgument(to, 'to')
  // The check of the kind gives it as it is stored.
  const options = optionsOf(given, 'diffTypes', DIFF_OPTIONS) as DiffQuery
  const modules = options.module === undefined ? moduleNames(from, to) : [options.module]
  for (const module of modules) {
    const [before, after] = [collect(from.set(module), options), collect(to.set(module), options)]
    for (const key of [...new Set([...before.keys(), ...after.keys()])].sort()) {
      yield* compare(module, before.get(key), after.get(key))
    }
  }
}

function moduleNames(from: Types, to: Types): string[] {
  const names = new Set([...from.sets, ...to.sets].map((set) => set.name))
  names.delete('vmlinux')
  return ['vmlinux', ...[...names].sort()]
}

interface Definition {
  readonly set: TypeSet
  readonly id: number
}

/** All definitions of a set by name and kind; enums of both widths count as one kind. */
function collect(set: TypeSet | undefined, { name, kind }: DiffQuery): Map<string, Definition[]> {
  const found = new Map<string, Definition[]>()
  if (!set) return found
  const add = (id: number): void => {
    const number = plainKind(set.kindNumberOf(id))
    if (!COMPARED.has(number) || (kind !== undefined && set.kindOf(id) !== kind)) return
    const own = set.nameOf(id)
    if (own === '') return
    const key = `${own}\0${number}`
    const list = found.get(key)
    if (list) list.push({ set, id })
    else found.set(key, [{ set, id }])
  }
  if (name === undefined) for (let id = set.firstId; id < set.endId; id++) add(id)
  else for (const id of set.idsNamed(name)) add(id)
  return found
}

function* compare(
  module: string,
  before: readonly Definition[] = [],
  after: readonly Definition[] = [],
): Generator<TypeChange> {
  const olds = before.map((each) => ({ ...each, facts: factsOf(each.set, each.id) }))
  const news = after.map((each) => ({ ...each, facts: factsOf(each.set, each.id) }))
  // Definitions of one name that are the same in both kernels cancel out, whichever of several they are.
  const rest = olds.filter((old) => {
    const text = JSON.stringify(old.facts)
    const same = news.findIndex((each) => JSON.stringify(each.facts) === text)
    if (same >= 0) news.splice(same, 1)
    return same < 0
  })
  for (let i = 0; i < Math.max(rest.length, news.length); i++) {
    const [old, now] = [rest[i], news[i]]
    const { set, id } = (now ?? old)!
    const common = { kind: set.kindOf(id), name: set.nameOf(id), module }
    if (!old || !now) yield { change: old ? 'removed' : 'added', ...common, details: [] }
    else yield { change: 'changed', ...common, details: detail(old.facts, now.facts) }
  }
}

function detail(before: readonly Fact[], after: readonly Fact[]): DetailChange[] {
  const key = (fact: Fact): string => `${fact.what}\0${fact.name}`
  const old = new Map(before.map((fact) => [key(fact), fact]))
  const now = new Map(after.map((fact) => [key(fact), fact]))
  const changes: DetailChange[] = []
  for (const each of new Set([...old.keys(), ...now.keys()])) {
    const [from, to] = [old.get(each), now.get(each)]
    if (from?.text === to?.text) continue
    const { what, name } = (from ?? to)!
    changes.push({ what, ...(name !== '' && { name }), ...(from && { from: from.text }), ...(to && { to: to.text }) })
  }
  return changes
}
