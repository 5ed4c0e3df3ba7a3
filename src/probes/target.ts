// One place that a plan looked at: what it is, whether a probe can be attached there, how, and with which arguments.

import { prototypeOf } from '../btf/functions.ts'
import type { TypeSet } from '../btf/type-set.ts'
import { formatAddress } from '../core/address.ts'
import { argumentsOf, type FunctionArgument, returnedBy } from './arguments.ts'
import type { ProbeContext } from './context.ts'
import { placeText, returnRegister } from './conventions.ts'
import { functionOf, kprobeReasons, traceable } from './judge.ts'
import { MOST_BPFTRACE_ARGUMENTS } from './kernel-rules.ts'
import { isBetter, type Reason, type Verdict, verdictOf, type Warning } from './reasons.ts'
import { type AttachMethod, type AttachRecipe, bpftraceLine, kprobeEventsLine } from './recipe.ts'
import { isReturn, isTrampoline, type ProbeKind } from './spec.ts'
import { type NameParts, splitSuffix, type Trust, trustOf } from './suffix.ts'

/** An argument of a target. */
export interface TargetArgument {
  /** Empty if the prototype does not name it. */
  readonly name: string
  /** In C. */
  readonly type: string
  /** Register, stack slot or both at the function's entry; undefined where it is not known, or gone by then. */
  readonly location: string | undefined
  readonly trusted: Trust
}

/** Another function that may have been meant. */
export interface Candidate {
  readonly function: string
  readonly module: string
  readonly address: bigint
  /** How far its arguments are those of the name that was asked for. */
  readonly trusted: Trust
  /** It is the entry of a function, so that a probe counts its calls. */
  readonly entry: boolean
}

/** What a target is made from. */
export interface TargetParts {
  /** The specification as it was given. */
  readonly spec: string
  readonly kind: ProbeKind
  readonly function: string
  /** `vmlinux`, a module, or undefined where nothing was found and none was named. */
  readonly module: string | undefined
  readonly id?: number | undefined
  readonly offset?: number | undefined
  readonly byAddress?: boolean | undefined
  /** A FUNC that is already known. */
  readonly func?: { readonly set: TypeSet; readonly id: number } | undefined
  readonly reasons: readonly Reason[]
  readonly warnings?: readonly Warning[] | undefined
  /** Symbols that may have been meant. */
  readonly candidates?: readonly number[] | undefined
  /** The function that was asked for where this is a variant of it. */
  readonly variantOf?: string | undefined
}

/** What all targets of a plan share. */
export interface TargetSettings {
  /** Names of the arguments that the probe uses; undefined: all that are there. */
  readonly args: readonly string[] | undefined
  /** Attach by one multi-link where that is possible. */
  readonly multi: boolean
}

/** A place, with everything beyond the verdict worked out when it is read: a plan may have a hundred thousand. */
export class ProbeTarget {
  readonly verdict: Verdict
  readonly #context: ProbeContext
  readonly #settings: TargetSettings
  readonly #parts: TargetParts

  constructor(context: ProbeContext, settings: TargetSettings, parts: TargetParts) {
    this.#context = context
    this.#settings = settings
    this.#parts = parts
    this.verdict = verdictOf(parts.reasons)
  }

  /** The specification as it was given. */
  get spec(): string {
    return this.#parts.spec
  }

  get kind(): ProbeKind {
    return this.#parts.kind
  }

  /** The symbol's name; where there is none, the name that was asked for. */
  get function(): string {
    return this.#parts.function
  }

  /** `vmlinux` or a module; undefined where nothing was found and none was named. */
  get module(): string | undefined {
    return this.#parts.module
  }

  /** Bytes from the symbol's start. */
  get offset(): number {
    return this.#parts.offset ?? 0
  }

  /** Everything that stands in the way. Empty for `ok`. */
  get reasons(): readonly Reason[] {
    return this.#parts.reasons
  }

  /** The same place with further reasons. */
  refused(reasons: readonly Reason[]): ProbeTarget {
    return new ProbeTarget(this.#context, this.#settings, { ...this.#parts, reasons: [...this.reasons, ...reasons] })
  }

  /** Other functions that may have been meant: the several of an ambiguous name, or the variants of a missing one. */
  get candidates(): readonly Candidate[] {
    return (this.#parts.candidates ?? []).map((id) => candidateOf(this.#context, id))
  }

  /** Whether it names a function that a probe can be tried on: `ok`, or `unknown` with everything but certainty. */
  get isPlace(): boolean {
    const { id, func } = this.#parts
    return this.verdict !== 'no' && id !== undefined && (func !== undefined || !isTrampoline(this.kind))
  }

  /** The id of its symbol in the table; undefined where there is none. */
  get symbolId(): number | undefined {
    return this.#parts.id
  }

  /** The symbol's address. */
  get address(): bigint | undefined {
    const { id } = this.#parts
    return id === undefined ? undefined : this.#context.symbols.addressOf(id)
  }

  /** Bytes of the function. */
  get size(): number | undefined {
    const { id } = this.#parts
    return id === undefined ? undefined : this.#context.symbols.sizeOf(id)
  }

  /**
   * Where the probe comes to be: the `__fentry__` site for a trampoline, and on x86-64 for a kprobe at the entry, which the
   * kernel moves behind an ENDBR64. Where the sites are not known, the symbol's address and offset.
   */
  get probeAddress(): bigint | undefined {
    const { address } = this
    if (address === undefined) return undefined
    return this.#site ?? address + BigInt(this.offset)
  }

  /** Whether the probe address was read from the kernel, or is the symbol's for want of its list of sites. */
  get probeAddressKnown(): boolean {
    const { architecture } = this.#context
    if (this.address === undefined) return false
    if (this.#site !== undefined || (!isTrampoline(this.kind) && this.offset > 0)) return true
    return !isTrampoline(this.kind) && architecture !== undefined && architecture !== 'x86_64'
  }

  /** The FUNC that describes it, by type set and id; undefined where BTF has none. */
  get btf(): { readonly module: string; readonly id: number } | undefined {
    const func = this.#func
    return func === undefined ? undefined : { module: func.set.name, id: func.id }
  }

  /** The prototype in C, as BTF has it. */
  get prototype(): string | undefined {
    const func = this.#func
    return func === undefined ? undefined : prototypeOf(func.set, func.id)
  }

  /** Whether the symbol has the name that was asked for, or is a variant of it that the compiler made. */
  get match(): 'exact' | 'suffix' {
    return this.#parts.variantOf === undefined ? 'exact' : 'suffix'
  }

  /** The compiler's suffix, such as `.isra.0`; empty without one. */
  get suffix(): string {
    return this.#name.suffix
  }

  /** How far the arguments are those of the prototype. */
  get argsTrusted(): Trust {
    return trustIn(this.#context, this.function, this.#func)
  }

  /** All arguments of the prototype, in order. */
  get args(): readonly TargetArgument[] {
    const { architecture } = this.#context
    const trusted = this.argsTrusted
    // Behind the entry, and when a function has returned, registers hold something else; fexit has kept the arguments.
    const entry = this.offset === 0 || this.#site === this.probeAddress
    const there = entry && this.kind !== 'kretprobe' && this.#parts.id !== undefined
    return this.declaredArguments.map(({ name, type, place }) => ({
      name,
      type,
      location:
        place === undefined || architecture === undefined || !there ? undefined : placeText(architecture, place),
      trusted: there ? trusted : 'no',
    }))
  }

  /** The returned value: its type in C, and the register it is in when a function has returned. */
  get returns(): { readonly type: string; readonly location: string | undefined } | undefined {
    const func = this.#func
    if (func === undefined) return undefined
    const { architecture } = this.#context
    const { type, inRegister } = returnedBy(func.set, func.id)
    return { type, location: inRegister && architecture !== undefined ? returnRegister(architecture) : undefined }
  }

  /** The arguments as BTF declares them, with their places. */
  get declaredArguments(): readonly FunctionArgument[] {
    const func = this.#func
    return func === undefined ? [] : argumentsOf(func.set, func.id, this.#context.architecture)
  }

  /** Other variants of the same function that are entered on their own: calls through them are missed. */
  get variants(): readonly Candidate[] {
    const { id } = this.#parts
    if (id === undefined) return []
    const { symbols, suffixes } = this.#context
    const { base } = this.#name
    const owner = symbols.ownerOf(id)
    const own = this.function === base ? [] : this.#context.functionsNamed(base, owner)
    const others = suffixes.of(base).filter(({ parts }) => parts.class === 'variant')
    return [...own, ...others.map((other) => other.id)]
      .filter((other) => other !== id && symbols.ownerOf(other) === owner)
      .map((other) => candidateOf(this.#context, other))
  }

  /** What does not stand in the way but matters. */
  get warnings(): readonly Warning[] {
    const given = this.#parts.warnings ?? []
    const { variants } = this
    if (variants.length === 0 || this.verdict === 'no') return given
    const names = [...new Set(variants.map((each) => each.function))].join(', ')
    const message = `calls through ${names} are missed: the compiler made variants of ${this.#name.base}`
    return [...given, { code: 'VARIANTS_MISSED', message }]
  }

  /** How to attach; undefined where the verdict is `no`, or where nothing is known to attach to. */
  get attach(): AttachRecipe | undefined {
    const { id } = this.#parts
    if (!this.isPlace || id === undefined) return undefined
    const { symbols } = this.#context
    const trampoline = isTrampoline(this.kind)
    const module = symbols.ownerOf(id)
    const symbol = symbols.nameOf(id)
    const method = this.#method(id, module, symbol)
    const place = {
      kind: this.kind,
      method,
      symbol,
      module,
      address: symbols.addressOf(id) + BigInt(this.offset),
      offset: this.offset,
    }
    const tooMany = trampoline && this.declaredArguments.length > MOST_BPFTRACE_ARGUMENTS
    return {
      method,
      symbol,
      module,
      address: place.address,
      offset: this.offset,
      btf: trampoline ? this.btf : undefined,
      bpftrace: tooMany ? undefined : bpftraceLine(place),
      kprobeEvents: this.#kprobeEvents(id, place),
    }
  }

  toJSON(): Record<string, unknown> {
    const { attach, address, probeAddress, args, returns } = this
    const hex = (value: bigint | undefined) => (value === undefined ? null : formatAddress(value))
    return {
      spec: this.spec,
      kind: this.kind,
      function: this.function,
      module: this.module ?? null,
      verdict: this.verdict,
      reasons: this.reasons,
      warnings: this.warnings,
      address: hex(address),
      probeAddress: hex(probeAddress),
      probeAddressKnown: this.probeAddressKnown,
      offset: this.offset,
      size: this.size ?? null,
      attach:
        attach === undefined
          ? null
          : {
              ...attach,
              address: hex(attach.address),
              btf: attach.btf ?? null,
              bpftrace: attach.bpftrace ?? null,
              kprobeEvents: attach.kprobeEvents ?? null,
            },
      btf: this.btf ?? null,
      prototype: this.prototype ?? null,
      args: args.map(({ name, type, location, trusted }) => ({ name, type, location: location ?? null, trusted })),
      returns: returns === undefined ? null : { type: returns.type, location: returns.location ?? null },
      argsTrusted: this.argsTrusted,
      match: this.match,
      suffix: this.suffix,
      candidates: this.candidates.map((each) => ({ ...each, address: formatAddress(each.address) })),
    }
  }

  get #name(): NameParts {
    return splitSuffix(this.function)
  }

  get #func(): { readonly set: TypeSet; readonly id: number } | undefined {
    const { func, id } = this.#parts
    if (func !== undefined || id === undefined) return func
    return funcOf(this.#context, id)
  }

  get #site(): bigint | undefined {
    const { id } = this.#parts
    const { sites, architecture, symbols } = this.#context
    if (id === undefined || sites === undefined) return undefined
    const start = symbols.addressOf(id)
    const site = sites.within(start, symbols.sizeOf(id))
    if (site === undefined || isTrampoline(this.kind)) return site
    const atEntry = this.offset === 0 || start + BigInt(this.offset) === site
    return atEntry && architecture === 'x86_64' && site - start <= 4n ? site : undefined
  }

  /** The first in the order of preference that names this function and no other (PRB-K1 to K3). */
  #method(id: number, module: string, symbol: string): AttachMethod {
    if (isTrampoline(this.kind)) return module === 'vmlinux' ? 'name' : 'module:name'
    if (this.#settings.multi && this.offset === 0 && traceable(this.#context, functionOf(this.#context, id)) === 'yes')
      return 'multi'
    if (this.#parts.byAddress === true) return 'address'
    return methodFor(this.#context, module, symbol)
  }

  #kprobeEvents(id: number, place: Parameters<typeof kprobeEventsLine>[0]): string | undefined {
    const { architecture } = this.#context
    let { method } = place
    if (isTrampoline(this.kind)) {
      if (this.kind === 'fmod_ret') return undefined
      const reasons = kprobeReasons(this.#context, {
        symbol: functionOf(this.#context, id),
        offset: 0,
        returns: isReturn(this.kind),
      })
      if (!isBetter(verdictOf(reasons), 'no')) return undefined
    }
    if (method === 'multi' || isTrampoline(this.kind)) method = methodFor(this.#context, place.module, place.symbol)
    const { args } = this.#settings
    const trusted = this.argsTrusted === 'yes' || this.argsTrusted === 'likely'
    const entry = this.offset === 0 && trusted
    const fetched = entry ? this.declaredArguments.filter(({ name }) => args?.includes(name) ?? true) : []
    return kprobeEventsLine({ ...place, method }, fetched, architecture)
  }
}

/** The first way to name a function to kprobes that no other symbol shares; the kernel counts symbols of every type. */
function methodFor(context: ProbeContext, module: string, symbol: string): AttachMethod {
  const { data, owners } = context.leftOut
  if (data > 0) return 'address'
  if (owners === 0 && context.countNamed(symbol) === 1) return 'name'
  if (module !== 'vmlinux' && context.countNamed(symbol, module) === 1) return 'module:name'
  return 'address'
}

/**
 * The FUNC of a symbol's own name, or else of its base name, in its owner's BTF; none where several have the name, because
 * nothing says which describes the symbol.
 */
export function funcOf(context: ProbeContext, id: number): { readonly set: TypeSet; readonly id: number } | undefined {
  const set = context.typeSet(context.symbols.ownerOf(id))
  if ('code' in set) return undefined
  const name = context.symbols.nameOf(id)
  let found = set.idsNamed(name, 'FUNC')
  if (found.length === 0) {
    const { base, class: kind } = splitSuffix(name)
    if (kind === 'variant' || kind === 'fragment') found = set.idsNamed(base, 'FUNC')
  }
  return found.length === 1 ? { set, id: found[0]! } : undefined
}

/** How far a function's arguments are those of the FUNC that was found for it. */
function trustIn(
  context: ProbeContext,
  name: string,
  func: { readonly set: TypeSet; readonly id: number } | undefined,
) {
  const found = func === undefined ? '' : func.set.nameOf(func.id)
  const parts = splitSuffix(name)
  const trust = trustOf(parts, { exact: found === name, base: found !== '' && found !== name }, context.clang)
  // Of several functions of one name, BTF describes one: it does not say which.
  const several = trust === 'yes' && context.functionsNamed(name, func?.set.name).length > 1
  return several ? 'likely' : trust
}

/** A symbol as something that may have been meant. */
export function candidateOf(context: ProbeContext, id: number): Candidate {
  const { symbols } = context
  const name = symbols.nameOf(id)
  const { class: kind } = splitSuffix(name)
  return {
    function: name,
    module: symbols.ownerOf(id),
    address: symbols.addressOf(id),
    trusted: trustIn(context, name, funcOf(context, id)),
    entry: kind !== 'fragment' && kind !== 'label',
  }
}
