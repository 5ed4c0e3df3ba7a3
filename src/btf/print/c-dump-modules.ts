// One C header of vmlinux and several modules. A type that modules share stands in it once; types of one name that differ
// are an error that names them, because C has no name space for modules.

import { listOf, options as optionsOf } from '../../core/arguments.ts'
import { AmbiguousError, UsageError } from '../../core/errors.ts'
import { KIND_TYPEDEF } from '../format.ts'
import { isComposite, isEnum } from '../kinds.ts'
import { address, within } from '../read/memory.ts'
import { decodeType } from '../read/type.ts'
import { type TypeSet, typeSet } from '../read/type-set.ts'
import { C_DUMP_OPTIONS, type CDumpOptions, FOOTER, HEADER, kfuncs } from './c-dump.ts'
import { CHeader, HeaderMemory } from './c-header.ts'
import { factsOf } from './type-facts.ts'

/** A definition, and the first module that has it. */
interface Seen {
  readonly module: string
  readonly facts: string
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
  const memory = new HeaderMemory()
  try {
    yield HEADER
    const header = within(() => new CHeader(memory, base))
    yield* header.define(options.order ?? 'sorted')
    /** The numbers of names in the header, by definition. */
    const defined = new Map<string, number>()
    for (const set of modules) yield* defineModule(memory, set, header, defined, options.order ?? 'sorted')
    header.open()
    yield kfuncs(header, base)
    yield FOOTER
  } finally {
    memory.close()
  }
}

/** What one module adds to the header. */
function* defineModule(
  memory: HeaderMemory,
  set: TypeSet,
  base: CHeader,
  defined: Map<string, number>,
  order: 'sorted' | 'ids',
): Generator<string> {
  const start = address(memory.memory.room(0))
  const own = within(() => new CHeader(memory, set, base))
  const added: [key: string, id: number][] = []
  for (let id = set.firstId; id < set.endId; id++) {
    const key = definitionKey(set, id)
    if (key === undefined) continue
    const before = defined.get(key)
    if (before === undefined) added.push([key, id])
    else own.assumeDefined(id, before)
  }
  yield* own.define(order, set.firstId)
  for (const [key, id] of added) {
    if (!defined.has(key)) defined.set(key, own.numberOf(id))
  }
  memory.memory.trim(start)
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
  const seen = new Map<string, Seen>()
  const conflicts: string[] = []
  for (const set of modules) {
    for (let id = set.firstId; id < set.endId; id++) {
      const key = definitionKey(set, id)
      if (key === undefined) continue
      const facts = factsText(set, id)
      const other = seen.get(key)
      if (!other) seen.set(key, { module: set.name, facts })
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
