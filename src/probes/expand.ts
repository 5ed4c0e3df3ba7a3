// From a specification to targets: which functions it means, and what to say where it means none or too many.

import type { TypeSet } from '../btf/type-set.ts'
import { formatAddress } from '../core/address.ts'
import { compileGlob, isGlob } from '../core/glob.ts'
import { isKernelOrModule, type ProbeContext } from './context.ts'
import { funcsMatching } from './funcs.ts'
import { functionOf, kprobeReasons, placeReasons, traceable, trampolineReasons } from './judge.ts'
import { atLeast, MODULES_TOLD_APART_SINCE } from './kernel-rules.ts'
import { isBetter, type Reason, reason, type Warning } from './reasons.ts'
import { isReturn, isTrampoline, type ProbeKind, type ProbeSpec } from './spec.ts'
import { notOffered } from './suffix.ts'
import type { SuffixedSymbol } from './suffix-index.ts'
import { ProbeTarget, type TargetParts, type TargetSettings } from './target.ts'

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
  readonly #context: ProbeContext
  readonly #settings: ExpandSettings

  constructor(context: ProbeContext, settings: ExpandSettings) {
    this.#context = context
    this.#settings = settings
  }

  /** What the specification means. One that names a single function always gives at least one target, perhaps a refused one. */
  expand(spec: ProbeSpec): Expansion {
    if (isGlob(spec.function)) return this.#glob(spec)
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
    const { symbols } = this.#context
    const kind: ProbeKind = isReturn(spec.kind) ? 'kretprobe' : 'kprobe'
    const match = symbols.at(address, { kinds: 'text' })
    if (match === undefined) {
      const message = `${formatAddress(address)} is in no function`
      return this.#target({
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
    const symbol = functionOf(this.#context, id)
    const reasons = kprobeReasons(this.#context, { symbol, offset: match.offset, returns: kind === 'kretprobe' })
    return this.#target({
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
      this.#target({
        spec: spec.text,
        kind,
        function: this.#context.symbols.nameOf(id),
        module: this.#context.symbols.ownerOf(id),
        id,
        offset,
        reasons: kprobeReasons(this.#context, { symbol: functionOf(this.#context, id), offset, returns }),
        ...extra,
        warnings: [...warnings, ...(extra.warnings ?? [])],
      })
    const exact = this.#functions(spec.function, spec.module)
    if (exact.length > 0) return this.#several(spec, kind, exact, make)
    const loose = this.#settings.looseSuffix ? this.#variants(spec) : []
    if (loose.length > 0) {
      return [...new Set(loose.map(({ name }) => name))].flatMap((name) => {
        const ids = loose.filter((each) => each.name === name).map(({ id }) => id)
        const message = `${spec.function} exists only as ${name}: arguments may have been removed or changed`
        const variant = { variantOf: spec.function, warnings: [{ code: 'SUFFIX_MATCH', message } as const] }
        return this.#several(spec, kind, ids, (id, extra) => make(id, { ...variant, ...extra }))
      })
    }
    return [this.#missing(spec, kind)]
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
    const all = this.#settings.ambiguous === 'all' || (spec.module !== undefined && isGlob(spec.module))
    if (all) return ids.map((id) => make(id))
    if (this.#settings.ambiguous === 'first') {
      const message = `the first of ${ids.length} functions of this name is taken`
      return [make(first, { byAddress: true, warnings: [{ code: 'FIRST_OF_SEVERAL', message }] })]
    }
    return [this.#ambiguous(spec, kind, ids, undefined, this.#context.symbols.nameOf(first))]
  }

  #ambiguous(
    spec: ProbeSpec,
    kind: ProbeKind,
    all: readonly number[],
    module?: string,
    name = spec.function,
  ): ProbeTarget {
    const { symbols } = this.#context
    const ids = [...new Set(all)]
    if (ids.length < 2) {
      const message = `BTF has several prototypes of ${name}, and nothing says which is its own; use a kprobe`
      return this.#target({
        spec: spec.text,
        kind,
        function: name,
        module: module ?? spec.module,
        reasons: [reason('AMBIGUOUS', message)],
        candidates: ids,
      })
    }
    const owners = [...new Set(ids.map((id) => symbols.ownerOf(id)))]
    const where = owners.length > 1 ? `in ${owners.join(', ')}` : `all in ${owners[0]}`
    const ways = [
      ...(owners.length > 1 ? [`name the module, as in ${kind}:${owners[0]}:${name}`] : []),
      ...(isTrampoline(kind)
        ? []
        : ['attach to all of them by address', 'give one address', 'ask for the first on purpose']),
    ]
    if (isTrampoline(kind) && owners.length === 1) ways.push('use a kprobe by address: BTF cannot say which is meant')
    const message = `${name} is ${ids.length} functions, ${where}; ${ways.join(', or ')}`
    return this.#target({
      spec: spec.text,
      kind,
      function: name,
      module: module ?? (owners.length === 1 ? owners[0] : undefined),
      offset: spec.offset,
      reasons: [reason('AMBIGUOUS', message)],
      candidates: ids,
    })
  }

  #trampoline(spec: ProbeSpec, kind: 'fentry' | 'fexit' | 'fmod_ret'): ProbeTarget[] {
    const { symbols } = this.#context
    const name = spec.function
    const ids = this.#functions(name, spec.module)
    const variants = ids.length > 0 ? [] : this.#variants(spec)
    // Only the types of modules that have such a symbol are opened; those of vmlinux always are.
    const touched = new Set([...ids, ...variants.map(({ id }) => id)].map((id) => symbols.ownerOf(id)))
    if (spec.module !== undefined && !isGlob(spec.module) && this.#context.isLoaded(spec.module))
      touched.add(spec.module)
    const wanted = moduleMatcher(spec.module)
    this.#context.typeSet('vmlinux')
    if (wanted('vmlinux')) touched.add('vmlinux')
    const funcs: FoundFunc[] = []
    const withoutSet: Reason[] = []
    for (const module of inOrder(touched)) {
      const set = this.#context.typeSet(module)
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
      const reasons = trampolineReasons(this.#context, { kind, set, funcId, id, name, same: own.length })
      return this.#target({
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
      if (first === undefined) return [this.#missing(spec, kind)]
      return [this.#withoutBtf(spec, kind, ids, withoutSet)]
    }
    // A FUNC that has no symbol stands back where another has one.
    const found = funcs.filter((func) => func.ids.length > 0)
    const candidates = found.length > 0 ? found : funcs
    const duplicates = this.#duplicateWarning(name, candidates, ids)
    const policy = this.#settings.ambiguous
    const everyModule = policy === 'all' || (spec.module !== undefined && isGlob(spec.module))
    const chosen = candidates.length > 1 && policy === 'first' ? candidates.slice(0, 1) : candidates
    if (chosen.length > 1 && !everyModule) {
      return [
        this.#ambiguous(
          spec,
          kind,
          chosen.flatMap((func) => func.ids),
        ),
      ]
    }
    return chosen.map((func) => {
      if (func.ids.length > 1 && policy !== 'first') return this.#ambiguous(spec, kind, func.ids)
      const first: Warning[] =
        chosen.length < candidates.length || func.ids.length > 1
          ? [{ code: 'FIRST_OF_SEVERAL', message: 'the first of several functions of this name is taken' }]
          : []
      return make(func, { warnings: [...duplicates, ...first] })
    })
  }

  /** A name that several modules have, used without one: it works, and means something else once more are loaded. */
  #duplicateWarning(name: string, funcs: readonly FoundFunc[], ids: readonly number[]): Warning[] {
    const all = [...new Set(this.#context.functionsNamed(name).map((id) => this.#context.symbols.ownerOf(id)))]
    if (all.length < 2) return []
    const apart = atLeast(this.#context.release, ...MODULES_TOLD_APART_SINCE)
    const since = MODULES_TOLD_APART_SINCE.join('.')
    const old =
      apart === true || (funcs.length === 1 && ids.length === 1 && all[0] === funcs[0]?.set.name)
        ? ''
        : `; kernels before ${since} attach to the first of the name whichever module is meant`
    return [{ code: 'DUPLICATE_NAME', message: `${name} is defined in ${all.join(' and ')}${old}` }]
  }

  #withoutBtf(spec: ProbeSpec, kind: ProbeKind, ids: readonly number[], missing: readonly Reason[]): ProbeTarget {
    const { symbols } = this.#context
    const id = ids[0]!
    const where = symbols.ownerOf(id)
    const misplaced = placeReasons(this.#context, functionOf(this.#context, id))
    const none = reason('NO_BTF', `No BTF found for ${where}:${spec.function}`)
    const reasons = misplaced.length > 0 ? misplaced : missing.length > 0 ? missing : [none]
    return this.#target({
      spec: spec.text,
      kind,
      function: spec.function,
      module: where,
      ...(ids.length === 1 ? { id } : { candidates: ids }),
      reasons,
    })
  }

  /** A target for a name that is not there, with what may have been meant. */
  #missing(spec: ProbeSpec, kind: ProbeKind): ProbeTarget {
    const { symbols } = this.#context
    const { module } = spec
    const parts = { spec: spec.text, kind, function: spec.function, offset: spec.offset }
    if (module !== undefined && !isGlob(module) && !this.#context.isLoaded(module)) {
      const message = `specified module ${module} in probe ${spec.text} is not loaded`
      return this.#target({ ...parts, module, reasons: [reason('MODULE_NOT_LOADED', message)] })
    }
    const where = module === undefined ? 'vmlinux or any loaded module' : module
    const wanted = moduleMatcher(module)
    const data = symbols.named(spec.function).find(({ owner }) => wanted(owner))
    if (data !== undefined) {
      const message = `${spec.function} is data (type ${data.type}), not a function`
      return this.#target({ ...parts, module: data.owner, reasons: [reason('NOT_A_FUNCTION', message)] })
    }
    const variants = this.#variants(spec)
    const names = [...new Set(variants.map(({ name }) => name))]
    const hint =
      names.length === 0 ? '' : `; it exists as ${names.join(', ')}: name that, or allow names with compiler suffixes`
    return this.#target({
      ...parts,
      module: module !== undefined && !isGlob(module) ? module : undefined,
      reasons: [reason('NOT_FOUND', `there is no function ${spec.function} in ${where}${hint}`)],
      candidates: variants.map(({ id }) => id),
    })
  }

  #glob(spec: ProbeSpec): Expansion {
    const targets: ProbeTarget[] = []
    const rejected: ProbeTarget[] = []
    for (const target of this.#globTargets(spec)) (target.verdict === 'no' ? rejected : targets).push(target)
    if (targets.length === 0) targets.push(this.#noMatch(spec, rejected.length))
    return { targets, rejected }
  }

  #globTargets(spec: ProbeSpec): Iterable<ProbeTarget> {
    switch (spec.kind) {
      case 'kprobe':
      case 'kretprobe':
        return this.#globKprobes(spec, spec.kind)
      case 'entry':
      case 'return':
        return this.#globBest(spec)
      default:
        return this.#globTrampolines(spec, spec.kind)
    }
  }

  /** Of each function the trampoline, or the kprobe where that is better. */
  #globBest(spec: ProbeSpec): Iterable<ProbeTarget> {
    const returns = isReturn(spec.kind)
    const best = new Map<number, ProbeTarget>()
    for (const target of this.#globKprobes(spec, returns ? 'kretprobe' : 'kprobe')) {
      if (target.symbolId !== undefined) best.set(target.symbolId, target)
    }
    for (const target of this.#globTrampolines(spec, returns ? 'fexit' : 'fentry')) {
      const id = target.symbolId
      if (id === undefined) continue
      const kprobe = best.get(id)
      if (kprobe === undefined || !isBetter(kprobe.verdict, target.verdict)) best.set(id, target)
    }
    return best.values()
  }

  #noMatch(spec: ProbeSpec, rejected: number): ProbeTarget {
    const kind: ProbeKind = spec.kind === 'entry' ? 'fentry' : spec.kind === 'return' ? 'fexit' : spec.kind
    const { module } = spec
    const parts = { spec: spec.text, kind, function: spec.function, module }
    if (module !== undefined && !isGlob(module) && !this.#context.isLoaded(module)) {
      const message = `specified module ${module} in probe ${spec.text} is not loaded`
      return this.#target({ ...parts, reasons: [reason('MODULE_NOT_LOADED', message)] })
    }
    const why = rejected === 0 ? '' : `; ${rejected} functions have such a name but cannot be attached to`
    const message = `No matches for ${kind} ${module ?? '*'}:${spec.function}${why}`
    // Where the types of a module that was named are missing, nothing is known of its functions.
    const set =
      isTrampoline(kind) && module !== undefined && !isGlob(module) ? this.#context.typeSet(module) : undefined
    if (set !== undefined && 'code' in set) return this.#target({ ...parts, reasons: [set] })
    return this.#target({ ...parts, reasons: [reason('NO_MATCH', message)] })
  }

  *#globKprobes(spec: ProbeSpec, kind: 'kprobe' | 'kretprobe'): Generator<ProbeTarget> {
    const returns = kind === 'kretprobe'
    for (const id of this.#idsMatching(spec)) {
      const symbol = functionOf(this.#context, id)
      if (notOffered(symbol.name) !== undefined) continue
      yield this.#target({
        spec: spec.text,
        kind,
        function: symbol.name,
        module: symbol.owner,
        id,
        reasons: kprobeReasons(this.#context, { symbol, offset: 0, returns }),
      })
    }
  }

  /** The functions of the touched modules' BTF that match: a superset is found by name first, and filtered here. */
  *#globTrampolines(spec: ProbeSpec, kind: 'fentry' | 'fexit' | 'fmod_ret'): Generator<ProbeTarget> {
    const { symbols } = this.#context
    this.#context.typeSet('vmlinux')
    const touched = new Set<string>()
    for (const id of this.#idsMatching(spec)) {
      if (touched.has(symbols.ownerOf(id))) continue
      const symbol = functionOf(this.#context, id)
      if (notOffered(symbol.name) === undefined && traceable(this.#context, symbol) !== 'no') touched.add(symbol.owner)
    }
    for (const module of inOrder(touched)) {
      const set = this.#context.typeSet(module)
      if ('code' in set) continue
      for (const { name, id: funcId, repeated } of funcsMatching(set, spec.function)) {
        const ids = this.#context.functionsNamed(name, module)
        if (repeated || (ids.length > 1 && this.#settings.ambiguous !== 'first')) {
          yield this.#ambiguous(spec, kind, ids, module, name)
          continue
        }
        const id = ids[0]
        yield this.#target({
          spec: spec.text,
          kind,
          function: name,
          module,
          id,
          func: { set, id: funcId },
          reasons: trampolineReasons(this.#context, { kind, set, funcId, id, name, same: ids.length }),
        })
      }
    }
  }

  /** Text symbols whose name and owner match the specification's globs; of the kernel and its modules only. */
  *#idsMatching(spec: ProbeSpec): Generator<number> {
    const { symbols } = this.#context
    const own = spec.module === undefined || isGlob(spec.module)
    const options = spec.module === undefined ? {} : { owner: spec.module }
    for (const id of symbols.scan(spec.function, { ...options, kinds: 'text' })) {
      if (own && !isKernelOrModule(symbols.ownerOf(id))) continue
      yield id
    }
  }

  /** Text symbols of a name in the modules that are meant; those that are no functions only if there is nothing else. */
  #functions(name: string, module: string | undefined): number[] {
    const wanted = moduleMatcher(module)
    const { symbols } = this.#context
    const ids = this.#context.functionsNamed(name).filter((id) => wanted(symbols.ownerOf(id)))
    if (ids.length < 2) return ids
    const good = ids.filter((id) => placeReasons(this.#context, functionOf(this.#context, id)).length === 0)
    return good.length > 0 ? good : ids
  }

  /** The variants of the name in the modules that are meant: entries of functions, never fragments. */
  #variants(spec: ProbeSpec): SuffixedSymbol[] {
    const wanted = moduleMatcher(spec.module)
    const { symbols, suffixes } = this.#context
    return suffixes
      .of(spec.function)
      .filter(({ id, parts }) => parts.class === 'variant' && wanted(symbols.ownerOf(id)))
  }

  #target(parts: TargetParts): ProbeTarget {
    return new ProbeTarget(this.#context, this.#settings, parts)
  }
}

function moduleMatcher(module: string | undefined): (owner: string) => boolean {
  if (module === undefined) return () => true
  return isGlob(module) ? compileGlob(module) : (owner) => owner === module
}

/** vmlinux first, as the kernel searches. */
function inOrder(modules: ReadonlySet<string>): string[] {
  return [...modules].sort((a, b) => Number(b === 'vmlinux') - Number(a === 'vmlinux'))
}

function worst(targets: readonly ProbeTarget[]): ProbeTarget['verdict'] {
  if (targets.some(({ verdict }) => verdict === 'no')) return 'no'
  return targets.some(({ verdict }) => verdict === 'unknown') ? 'unknown' : 'ok'
}

/** Of the names at one address, the first that is a function's. */
function offered(first: number, others: readonly number[], nameOf: (id: number) => string): number {
  return [first, ...others].find((id) => notOffered(nameOf(id)) === undefined) ?? first
}
