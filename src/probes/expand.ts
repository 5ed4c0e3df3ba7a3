// From a specification to targets: which functions it means, by name or by address; globs are in expand-glob.ts.

import type { TypeSet } from '../btf/type-set.ts'
import { formatAddress } from '../core/address.ts'
import { isGlob } from '../core/glob.ts'
import type { ProbeContext } from './context.ts'
import { expandGlob } from './expand-glob.ts'
import { functionOf, kprobeReasons, trampolineReasons } from './judge.ts'
import { atLeast, MODULES_TOLD_APART_SINCE } from './kernel-rules.ts'
import { functionsMeant, inOrder, moduleMatcher, variantsMeant } from './meant.ts'
import { ambiguous, missing, targetOf, withoutBtf } from './outcomes.ts'
import { isBetter, type Reason, reason, type Warning } from './reasons.ts'
import { isReturn, type ProbeKind, type ProbeSpec } from './spec.ts'
import { notOffered } from './suffix.ts'
import type { ProbeTarget, TargetParts, TargetSettings } from './target.ts'

/** What to do with one name that stands for several functions. */
export type AmbiguityPolicy = 'error' | 'all' | 'first'

/** What expansion depends on beside the specification. */
export interface ExpandSettings extends TargetSettings {
  /** Take a variant such as `foo.isra.0` where there is no `foo`. */
  readonly looseSuffix: boolean
  readonly ambiguous: AmbiguityPolicy
}

/** What a specification means: targets that can be attached or perhaps, and those that a glob matched in vain. */
export interface Expansion {
  readonly targets: readonly ProbeTarget[]
  readonly rejected: readonly ProbeTarget[]
}

/** A FUNC with the symbol that the kernel finds for it. */
interface FoundFunc {
  readonly set: TypeSet
  readonly funcId: number
  readonly ids: readonly number[]
}

/** Expands specifications over one kernel. */
export class Expander {
  readonly #home: { readonly context: ProbeContext; readonly settings: ExpandSettings }

  constructor(context: ProbeContext, settings: ExpandSettings) {
    this.#home = { context, settings }
  }

  /** What the specification means. One that names a single function always gives at least one target, perhaps a refused one. */
  expand(spec: ProbeSpec): Expansion {
    if (isGlob(spec.function)) return expandGlob(this.#home, spec)
    const targets = this.#exact(spec)
    // A glob over modules is a glob: what it matches in vain is left out if anything else was found.
    if (spec.module === undefined || !isGlob(spec.module)) return { targets, rejected: [] }
    const good = targets.filter(({ verdict }) => verdict !== 'no')
    if (good.length === 0) return { targets, rejected: [] }
    return { targets: good, rejected: targets.filter(({ verdict }) => verdict === 'no') }
  }

  #exact(spec: ProbeSpec): ProbeTarget[] {
    if (spec.address !== undefined) return [this.#address(spec, spec.address)]
    switch (spec.kind) {
      case 'entry':
      case 'return':
        return this.#best(spec)
      case 'kprobe':
      case 'kretprobe':
        return this.#kprobe(spec, spec.kind)
      default:
        return this.#trampoline(spec, spec.kind)
    }
  }

  /** The order of preference: a trampoline where all its rules hold, else a kprobe. */
  #best(spec: ProbeSpec): ProbeTarget[] {
    const returns = isReturn(spec.kind)
    if (spec.offset > 0) return this.#kprobe(spec, returns ? 'kretprobe' : 'kprobe')
    const trampolines = this.#trampoline(spec, returns ? 'fexit' : 'fentry')
    const best = worst(trampolines)
    if (best === 'ok') return trampolines
    const why = trampolines.flatMap(({ reasons }) => reasons)[0]
    const message = why === undefined ? 'nothing was found' : why.message
    const fallback: Warning = { code: 'FENTRY_NOT_POSSIBLE', message }
    const kprobes = this.#kprobe(spec, returns ? 'kretprobe' : 'kprobe', [fallback])
    return isBetter(worst(kprobes), best) ? kprobes : trampolines
  }

  #address(spec: ProbeSpec, address: bigint): ProbeTarget {
    const { symbols } = this.#home.context
    const kind: ProbeKind = isReturn(spec.kind) ? 'kretprobe' : 'kprobe'
    const match = symbols.at(address, { kinds: 'text' })
    if (match === undefined) {
      const message = `${formatAddress(address)} is in no function`
      return targetOf(this.#home, {
        spec: spec.text,
        kind,
        function: spec.text,
        module: undefined,
        reasons: [reason('NOT_TEXT', message)],
      })
    }
    const id = offered(
      match.symbol.id,
      match.aliases.map((alias) => alias.id),
      (each) => symbols.nameOf(each),
    )
    const symbol = functionOf(this.#home.context, id)
    const reasons = kprobeReasons(this.#home.context, { symbol, offset: match.offset, returns: kind === 'kretprobe' })
    return targetOf(this.#home, {
      spec: spec.text,
      kind,
      function: symbols.nameOf(id),
      module: symbols.ownerOf(id),
      id,
      offset: match.offset,
      byAddress: true,
      reasons,
    })
  }

  #kprobe(spec: ProbeSpec, kind: 'kprobe' | 'kretprobe', warnings: readonly Warning[] = []): ProbeTarget[] {
    const { offset } = spec
    const returns = kind === 'kretprobe'
    const make = (id: number, extra: Partial<TargetParts> = {}): ProbeTarget =>
      targetOf(this.#home, {
        spec: spec.text,
        kind,
        function: this.#home.context.symbols.nameOf(id),
        module: this.#home.context.symbols.ownerOf(id),
        id,
        offset,
        reasons: kprobeReasons(this.#home.context, { symbol: functionOf(this.#home.context, id), offset, returns }),
        ...extra,
        warnings: [...warnings, ...(extra.warnings ?? [])],
      })
    const exact = functionsMeant(this.#home.context, spec.function, spec.module)
    if (exact.length > 0) return this.#several(spec, kind, exact, make)
    const loose = this.#home.settings.looseSuffix ? variantsMeant(this.#home.context, spec) : []
    if (loose.length > 0) {
      return [...new Set(loose.map(({ name }) => name))].flatMap((name) => {
        const ids = loose.filter((each) => each.name === name).map(({ id }) => id)
        const message = `${spec.function} exists only as ${name}: arguments may have been removed or changed`
        const variant = { variantOf: spec.function, warnings: [{ code: 'SUFFIX_MATCH', message } as const] }
        return this.#several(spec, kind, ids, (id, extra) => {
          return make(id, { ...variant, ...extra, warnings: [...variant.warnings, ...(extra?.warnings ?? [])] })
        })
      })
    }
    return [missing(this.#home, spec, kind)]
  }

  /** One target where there is one function; where there are several, what the policy says. */
  #several(
    spec: ProbeSpec,
    kind: ProbeKind,
    ids: readonly number[],
    make: (id: number, extra?: Partial<TargetParts>) => ProbeTarget,
  ): ProbeTarget[] {
    const [first] = ids
    if (first === undefined) return []
    if (ids.length === 1) return [make(first)]
    // A glob over modules asks for all of them.
    const all = this.#home.settings.ambiguous === 'all' || (spec.module !== undefined && isGlob(spec.module))
    if (all) return ids.map((id) => make(id))
    if (this.#home.settings.ambiguous === 'first') {
      const message = `the first of ${ids.length} functions of this name is taken`
      return [make(first, { byAddress: true, warnings: [{ code: 'FIRST_OF_SEVERAL', message }] })]
    }
    return [ambiguous(this.#home, spec, kind, ids, undefined, this.#home.context.symbols.nameOf(first))]
  }

  #trampoline(spec: ProbeSpec, kind: 'fentry' | 'fexit' | 'fmod_ret'): ProbeTarget[] {
    const { symbols } = this.#home.context
    const name = spec.function
    const ids = functionsMeant(this.#home.context, name, spec.module)
    const variants = ids.length > 0 ? [] : variantsMeant(this.#home.context, spec)
    // Only the types of modules that have such a symbol are opened; those of vmlinux always are.
    const touched = new Set([...ids, ...variants.map(({ id }) => id)].map((id) => symbols.ownerOf(id)))
    if (spec.module !== undefined && !isGlob(spec.module) && this.#home.context.isLoaded(spec.module))
      touched.add(spec.module)
    const wanted = moduleMatcher(spec.module)
    this.#home.context.typeSet('vmlinux')
    if (wanted('vmlinux')) touched.add('vmlinux')
    const funcs: FoundFunc[] = []
    const withoutSet: Reason[] = []
    for (const module of inOrder(touched)) {
      const set = this.#home.context.typeSet(module)
      if ('code' in set) {
        if (ids.some((id) => symbols.ownerOf(id) === module) || module === spec.module) withoutSet.push(set)
        continue
      }
      for (const funcId of set.idsNamed(name, 'FUNC')) {
        funcs.push({ set, funcId, ids: ids.filter((id) => symbols.ownerOf(id) === module) })
      }
    }
    const make = ({ set, funcId, ids: own }: FoundFunc, extra: Partial<TargetParts> = {}): ProbeTarget => {
      const [id] = own
      const reasons = trampolineReasons(this.#home.context, { kind, set, funcId, id, name, same: own.length })
      return targetOf(this.#home, {
        spec: spec.text,
        kind,
        function: name,
        module: set.name,
        id,
        func: { set, id: funcId },
        reasons,
        candidates: id === undefined ? variants.map((each) => each.id) : undefined,
        ...extra,
      })
    }
    if (funcs.length === 0) {
      const [first] = ids
      if (first === undefined) return [missing(this.#home, spec, kind)]
      return [withoutBtf(this.#home, spec, kind, ids, withoutSet)]
    }
    // A FUNC that has no symbol stands back where another has one.
    const found = funcs.filter((func) => func.ids.length > 0)
    const candidates = found.length > 0 ? found : funcs
    const duplicates = this.#duplicateWarning(name, candidates, ids)
    const policy = this.#home.settings.ambiguous
    const everyModule = policy === 'all' || (spec.module !== undefined && isGlob(spec.module))
    const chosen = candidates.length > 1 && policy === 'first' ? candidates.slice(0, 1) : candidates
    if (chosen.length > 1 && !everyModule) {
      return [
        ambiguous(
          this.#home,
          spec,
          kind,
          chosen.flatMap((func) => func.ids),
        ),
      ]
    }
    return chosen.map((func) => {
      if (func.ids.length > 1 && policy !== 'first') return ambiguous(this.#home, spec, kind, func.ids)
      const first: Warning[] =
        chosen.length < candidates.length || func.ids.length > 1
          ? [{ code: 'FIRST_OF_SEVERAL', message: 'the first of several functions of this name is taken' }]
          : []
      return make(func, { warnings: [...duplicates, ...first] })
    })
  }

  /** A name that several modules have, used without one: it works, and means something else once more are loaded. */
  #duplicateWarning(name: string, funcs: readonly FoundFunc[], ids: readonly number[]): Warning[] {
    const all = [
      ...new Set(this.#home.context.functionsNamed(name).map((id) => this.#home.context.symbols.ownerOf(id))),
    ]
    if (all.length < 2) return []
    const apart = atLeast(this.#home.context.release, ...MODULES_TOLD_APART_SINCE)
    const since = MODULES_TOLD_APART_SINCE.join('.')
    const old =
      apart === true || (funcs.length === 1 && ids.length === 1 && all[0] === funcs[0]?.set.name)
        ? ''
        : `; kernels before ${since} attach to the first of the name whichever module is meant`
    return [{ code: 'DUPLICATE_NAME', message: `${name} is defined in ${all.join(' and ')}${old}` }]
  }
}

function worst(targets: readonly ProbeTarget[]): ProbeTarget['verdict'] {
  if (targets.some(({ verdict }) => verdict === 'no')) return 'no'
  return targets.some(({ verdict }) => verdict === 'unknown') ? 'unknown' : 'ok'
}

/** Of the names at one address, the first that is a function's. */
function offered(first: number, others: readonly number[], nameOf: (id: number) => string): number {
  return [first, ...others].find((id) => notOffered(nameOf(id)) === undefined) ?? first
}
