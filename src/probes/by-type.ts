// Plans by type: of what specifications mean, only the functions that take and return what is asked for.

import type { FunctionQuestion } from '../btf/ask/questions.ts'
import type { ProbeContext } from './context.ts'
import { firstKind } from './kinds.ts'
import { reason, verdictOf } from './reasons.ts'
import type { ProbeSpec } from './spec.ts'
import { splitSuffix } from './suffix.ts'
import { type Expansion, type Home, type ProbeTarget, targetOf } from './target.ts'

/** The types by which a plan chooses functions. */
export type TypesAsked = Pick<FunctionQuestion, 'takes' | 'as' | 'returns'>

/** The functions of a kernel whose prototype is as asked. */
export class FunctionsByType {
  readonly #asked: string
  /** By set and id. */
  readonly #functions = new Set<string>()
  readonly #names = new Set<string>()

  /** @throws UsageError if a type cannot be read */
  constructor(context: ProbeContext, { takes, as, returns }: TypesAsked) {
    for (const { module, id, name } of context.types.functions({ takes, as, returns })) {
      this.#functions.add(`${module}:${id}`)
      this.#names.add(name)
    }
    const taken = takes === undefined ? [] : [`takes ${takes}${as === undefined ? '' : ` as parameter ${as}`}`]
    this.#asked = [...taken, ...(returns === undefined ? [] : [`returns ${returns}`])].join(' and ')
  }

  /** The targets of an expansion that are as asked; where none is, a target that says so. */
  among(home: Home, spec: ProbeSpec, { targets, rejected }: Expansion): Expansion {
    const found = targets.filter((target) => this.#has(target))
    const left = rejected.filter((target) => this.#has(target))
    if (found.length > 0) return { targets: found, rejected: left }
    // A name that is not there, or a module that is not loaded, is told as ever.
    if (targets.every(({ verdict, symbolId }) => verdict === 'no' && symbolId === undefined))
      return { targets, rejected: left }
    const kind = firstKind(spec.kind)
    const why = left.length === 0 ? '' : `; ${left.length} functions do but cannot be attached to`
    const reasons = [reason('NO_MATCH', `nothing that ${spec.text} means ${this.#asked}${why}`, 'kerndex')]
    return {
      targets: [targetOf(home, { spec: spec.text, kind, function: spec.function, module: spec.module, reasons })],
      rejected: left,
    }
  }

  #has(target: ProbeTarget): boolean {
    // Of tens of thousands that a glob matches, most are told apart by their names.
    if (!this.#names.has(target.function) && !this.#names.has(splitSuffix(target.function).base)) {
      // Of a module without types it is not known what its functions take.
      return target.symbolId === undefined && verdictOf(target.reasons) === 'unknown'
    }
    const { btf } = target
    return btf === undefined ? target.symbolId === undefined : this.#functions.has(`${btf.module}:${btf.id}`)
  }
}
