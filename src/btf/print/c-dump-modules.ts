// One C header of vmlinux and several modules. A type that modules share stands in it once; types of one name that differ
// are an error that names them, because C has no name space for modules.

import { listOf, options as optionsOf } from '../../core/arguments.ts'
import { AmbiguousError, UsageError } from '../../core/errors.ts'
import { KIND_TYPEDEF } from '../format.ts'
import { isComposite, isEnum } from '../kinds.ts'
import { decodeType } from '../read/type.ts'
import { type TypeSet, typeSet } from '../read/type-set.ts'
import { C_DUMP_OPTIONS, type CDumpOptions, CHeader, FOOTER, HEADER, PIECE } from './c-dump.ts'
import { UniqueNames } from './c-names.ts'
import { sortForC } from './c-sort.ts'
import { CText } from './c-text.ts'
import { factsOf } from './type-facts.ts'

/** A definition that the header has already. */
interface Defined {
  readonly module: string
  readonly facts: string
  /** The name it has in the header. */
  readonly name: string
}

/**
 * The C header of modules of one kernel, with all of vmlinux, in pieces.
 * @throws AmbiguousError naming types that differ between modules; UsageError if the sets are not modules of one base.
 */
export function* dumpModulesC(sets: readonly TypeSet[], given?: Pick<CDumpOptions, 'order'>): Generator<string> {
  listOf(typeSet, 'sets of types')(sets, 'sets')
  const options = optionsOf(given, 'dumpModulesC', { order: C_DUMP_OPTIONS.order })
  const modules = sets.filter((set) => set.base !== undefined)
  const base = modules[0]?.base ?? sets[0]
  if (!base || modules.some((set) => set.base !== base)) throw new UsageError('these modules are not of one kernel')
  refuseConflicts(modules)
  const names = new UniqueNames(base)
  const out = new CText()
  const header = new CHeader(base, out, names)
  out.put(HEADER)
  for (const id of inOrder(base, options)) {
    header.define(id)
    if (out.length > PIECE) yield out.take()
  }
  const defined = new Map<string, Defined>()
  for (const set of modules) {
    const own = new UniqueNames(set, names)
    const part = new CHeader(set, out, own)
    part.assumeDefined(1, set.firstId)
    for (let id = set.firstId; id < set.endId; id++) {
      const key = definitionKey(set, id)
      if (key === undefined) continue
      const before = defined.get(key)
      if (before) {
        own.assign(id, before.name)
        part.assumeDefined(id, id + 1)
      }
    }
    for (const id of inOrder(set, options)) {
      if (id >= set.firstId) part.define(id)
      if (out.length > PIECE) yield out.take()
    }
    for (let id = set.firstId; id < set.endId; id++) {
      const key = definitionKey(set, id)
      if (key === undefined || defined.has(key)) continue
      const name = set.kindNumberOf(id) === KIND_TYPEDEF ? own.typedef(id) : own.tag(id)
      defined.set(key, { module: set.name, facts: factsText(set, id), name })
    }
  }
  header.kfuncs()
  out.put(FOOTER)
  yield out.take()
}

function* inOrder(set: TypeSet, { order }: Pick<CDumpOptions, 'order'>): Generator<number> {
  if (order === 'ids') for (let id = 1; id < set.endId; id++) yield id
  else yield* sortForC(set)
}

/** The name by which C knows a definition; an anonymous enum is known by its first enumerator. */
function definitionKey(set: TypeSet, id: number): string | undefined {
  const kind = set.kindNumberOf(id)
  const name = set.nameOf(id)
  if (isEnum(kind)) {
    if (name !== '') return set.vlenOf(id) > 0 ? `tag ${name}` : undefined
    return set.vlenOf(id) > 0 ? `value ${set.nameAt(set.word(id, 3))}` : undefined
  }
  if (name === '') return undefined
  if (isComposite(kind)) return `tag ${name}`
  return kind === KIND_TYPEDEF ? `typedef ${name}` : undefined
}

const factsText = (set: TypeSet, id: number): string => JSON.stringify([set.kindOf(id), factsOf(set, id)])

function refuseConflicts(modules: readonly TypeSet[]): void {
  const seen = new Map<string, Defined>()
  const conflicts: string[] = []
  for (const set of modules) {
    for (let id = set.firstId; id < set.endId; id++) {
      const key = definitionKey(set, id)
      if (key === undefined) continue
      const facts = factsText(set, id)
      const other = seen.get(key)
      if (!other) seen.set(key, { module: set.name, facts, name: set.nameOf(id) })
      else if (other.module !== set.name && other.facts !== facts) {
        const type = decodeType(set, id)
        conflicts.push(`${type.kind} ${type.name || key.replace('value ', 'with ')} in ${other.module} and ${set.name}`)
      }
    }
  }
  if (conflicts.length > 0) {
    const more = conflicts.length > 10 ? ` and ${conflicts.length - 10} more` : ''
    throw new AmbiguousError(
      `one C header cannot hold different types of one name: ${conflicts.slice(0, 10).join('; ')}${more}. Dump each module by itself`,
      conflicts,
    )
  }
}
